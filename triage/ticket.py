"""The normalized ticket: what every helpdesk's ticket looks like to the rest of Tandem.

Vendor words stay in `connectors/<vendor>.py`. Ids are strings: vendors send numbers beyond 53 bits and strings alike.
Texts are what customers wrote and are hostile until escaped.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """Where a ticket stands; a vendor word we do not know maps to UNKNOWN, never to a crash."""

    NEW = "new"
    OPEN = "open"
    PENDING = "pending"
    HOLD = "hold"
    SOLVED = "solved"
    CLOSED = "closed"
    DELETED = "deleted"
    SPAM = "spam"
    UNKNOWN = "unknown"


class Author(StrEnum):
    """Who wrote a message."""

    CUSTOMER = "customer"
    AGENT = "agent"
    SYSTEM = "system"


@dataclass(frozen=True)
class Message:
    """One comment, reply or note of a conversation, oldest first in `Ticket.messages`."""

    id: str
    author: Author
    body: str
    """As the helpdesk sent it: HTML when `html`, else plain text."""
    html: bool = False
    public: bool = True
    author_id: str = ""
    created_at: datetime | None = None
    automatic: bool = False
    """The helpdesk itself marks it as machine mail (auto-response, survey, bounce)."""
    attachments: tuple[str, ...] = ()
    """File names."""


@dataclass(frozen=True)
class Organization:
    """The customer's company; tier, plan, MRR and renewal come from the fields named in `customer_fields`."""

    id: str = ""
    name: str = ""
    tier: str = ""
    plan: str = ""
    mrr: float | None = None
    """Monthly recurring revenue, in the desk's own currency."""
    created_at: datetime | None = None
    renewal: date | None = None
    """When the contract is to be renewed."""


@dataclass(frozen=True)
class Requester:
    """The person who asked."""

    id: str = ""
    name: str = ""
    email: str = ""
    created_at: datetime | None = None


@dataclass(frozen=True)
class Rating:
    """What a customer said of the help they got on one ticket."""

    word: str
    """good, neutral or bad."""
    ticket_id: str
    at: datetime | None = None
    """None where the helpdesk does not say when."""


@dataclass(frozen=True)
class EarlierTicket:
    """Another ticket of the same requester; lists of them begin with the newest."""

    id: str
    subject: str
    status: Status
    created_at: datetime
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class CustomerTicket:
    """A ticket as one of its customer's, as it was at `updated_at`."""

    requester_id: str
    ticket: EarlierTicket
    updated_at: datetime


@dataclass(frozen=True)
class Background:
    """What a helpdesk knows around a ticket; whatever it does not tell is empty."""

    open_tickets: int | None = None
    """The requester's other tickets that are not solved; None where their list is not to be had."""
    before: tuple[EarlierTicket, ...] = ()
    """The requester's newest other tickets of any age, a handful."""
    rating: Rating | None = None
    """The last one the requester gave."""
    facts: tuple[tuple[str, str], ...] = ()
    """Label and value of the fields named in `context_fields`, where they hold something."""


class ClockState(StrEnum):
    """How a clock of the helpdesk stands."""

    RUNNING = "running"
    PAUSED = "paused"
    MET = "met"
    UNSET = "unset"
    """The helpdesk has not worked its time out yet; it does so within a minute."""


@dataclass(frozen=True)
class HelpdeskClock:
    """One SLA clock as the helpdesk itself keeps it."""

    metric: str
    """first_response, next_response or resolution."""
    state: ClockState
    due_at: datetime | None = None
    """The breach; None while it stands still."""
    met_at: datetime | None = None
    """None also where the helpdesk does not say when."""


@dataclass(frozen=True)
class Ticket:
    """One ticket, read in full."""

    desk: str
    id: str
    subject: str = ""
    status: Status = Status.NEW
    priority: str | None = None
    """urgent, high, normal or low; None while nobody has set one. A vendor's default counts as None."""
    group_id: str | None = None
    assignee_id: str | None = None
    tags: tuple[str, ...] = ()
    fields: dict[str, Any] = field(default_factory=dict)
    """Custom field values by the key an admin writes in `mapped_fields`."""
    channel: str = ""
    created_at: datetime | None = None
    updated_at: datetime | None = None
    stamp: str = ""
    """The vendor's own text of `updated_at`, sent back to guard a write (Zendesk `updated_stamp`)."""
    settled: bool = False
    """Whether `stamp`, of whole seconds, was over when the ticket was read: every later change shows in it."""
    url: str = ""
    """The agent's page of this ticket."""
    requester: Requester = Requester()
    organization: Organization = Organization()
    messages: tuple[Message, ...] = ()
    earlier: tuple[EarlierTicket, ...] = ()
    """The requester's other tickets of the last 30 days."""
    ticket_count_30d: int = 0
    group: str = ""
    """The group's name, where it is known."""
    brand: str = ""
    """Zendesk's brand id, Freshdesk's product id."""
    status_since: datetime | None = None
    """When the status was last changed, where the helpdesk says so."""
    clocks: tuple[HelpdeskClock, ...] = ()
    """The helpdesk's own SLA clocks; empty where its plan has none."""
    background: Background = Background()
