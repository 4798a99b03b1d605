"""The records a helpdesk account holds, before either vendor dresses them up."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

Vendor = Literal["zendesk", "freshdesk"]
VENDORS: tuple[Vendor, ...] = ("zendesk", "freshdesk")


def now() -> datetime:
    """Read the clock in whole seconds: both vendors store no finer time."""
    return datetime.now(UTC).replace(microsecond=0)


def iso(moment: datetime | None) -> str | None:
    """Write a time as both vendors do, `2026-11-22T08:00:00Z`."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


@dataclass
class Person:
    """A customer, an agent, or Tandem's own account."""

    id: int
    name: str
    email: str | None
    role: Literal["end-user", "agent", "admin"]
    created_at: datetime
    organization_id: int | None = None


@dataclass
class Organization:
    """A customer's company."""

    id: int
    name: str
    created_at: datetime
    tier: str | None = None
    plan: str | None = None
    mrr: float | None = None
    renewal: datetime | None = None
    more: dict[str, str] = field(default_factory=dict)  # fields of the account's own


@dataclass
class Group:
    """A team of agents."""

    id: int
    name: str
    created_at: datetime


@dataclass
class Attachment:
    """A file that is only a name here."""

    id: int
    name: str
    created_at: datetime


@dataclass
class Comment:
    """One message or note; the first comment of a ticket is its description."""

    id: int
    audit_id: int
    author_id: int
    html: str
    public: bool
    channel: str
    created_at: datetime
    updated_at: datetime
    incoming: bool = False
    note: bool = False
    attachments: list[Attachment] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass
class Audit:
    """What one write did to a ticket."""

    id: int
    ticket_id: int
    author_id: int
    created_at: datetime
    channel: str
    metadata: dict[str, Any] = field(default_factory=dict)
    changes: list[dict[str, Any]] = field(default_factory=list)
    comment: Comment | None = None


@dataclass
class Rating:
    """What a customer said of the help they got."""

    id: int
    score: Literal["good", "bad"]
    created_at: datetime


@dataclass
class Ticket:
    """One ticket; status and priority are the vendor's names in lower case."""

    id: int
    subject: str
    requester_id: int
    organization_id: int | None
    status: str
    priority: str | None
    channel: str
    created_at: datetime
    updated_at: datetime
    status_at: datetime
    touched: float
    sample_id: str | None = None
    type: str | None = None
    group_id: int | None = None
    assignee_id: int | None = None
    tags: list[str] = field(default_factory=list)
    custom_fields: dict[str, Any] = field(default_factory=dict)
    comments: list[Comment] = field(default_factory=list)
    audits: list[Audit] = field(default_factory=list)
    deleted: bool = False
    spam: bool = False
    rating: Rating | None = None
    paused_at: datetime | None = None
    pauses: list[tuple[datetime, datetime]] = field(default_factory=list)  # when the SLA clocks stood still
    # Freshdesk works out SLA times some seconds after a change; until then they follow the priority before it
    sla_priority: str | None = None
    sla_ready_at: float = 0.0


@dataclass
class NewComment:
    """A comment somebody asks for."""

    html: str
    public: bool
    author_id: int
    note: bool = False
    incoming: bool = False
    attachments: tuple[str, ...] = ()
