"""Rows of ticket lists, which both vendors shape alike but for their words for a status."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.base import Changed
from connectors.values import as_list, ident, rows, text, when
from triage.ticket import CustomerTicket, EarlierTicket, Status

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
OVER = (Status.SOLVED, Status.CLOSED, Status.DELETED, Status.SPAM)
# As far back as the mood of a customer is followed.
BEFORE = 4
SUBJECT_LENGTH = 300

# Both vendors make an unknown sender's contact and their ticket in one go.
NEWCOMER = timedelta(seconds=2)
# Later on they may have written once more.
JUST_NOW = timedelta(seconds=60)

StatusOf = Callable[[dict[str, Any]], Status]


@dataclass(frozen=True)
class Others:
    """The requester's other tickets, newest first."""

    recent: tuple[EarlierTicket, ...] = ()
    """Of the last 30 days."""
    newest: tuple[EarlierTicket, ...] = ()
    """Of any age, at most BEFORE."""
    open: int | None = None
    """None where the list is not to be had."""


def customer_ticket(raw: dict[str, Any], status_of: StatusOf) -> CustomerTicket | None:
    """Return one ticket of a list, or a ticket as read; None where it does not say when it was written."""
    if not (created := when(raw.get("created_at"))):
        return None
    # What no database could keep, and more than anybody is shown, is left out.
    subject = text(raw.get("subject")).replace("\0", " ").encode(errors="replace").decode()[:SUBJECT_LENGTH]
    ticket = EarlierTicket(text(raw.get("id")), subject, status_of(raw), created, _tags(raw))
    return CustomerTicket(text(raw.get("requester_id")), ticket, when(raw.get("updated_at")) or created)


def customer_tickets(listed: Any, status_of: StatusOf) -> tuple[CustomerTicket, ...] | None:
    """Return the tickets of a list; None is a list that could not be had."""
    if listed is None:
        return None
    return tuple(one for raw in rows(listed) if (one := customer_ticket(raw, status_of)))


def others(known: Iterable[CustomerTicket] | None, ticket_id: str, since: datetime) -> Others:
    """Return what the requester's tickets say beside `ticket_id`; None are tickets that could not be had."""
    if known is None:
        return Others()
    found = [one.ticket for one in known if one.ticket.id != ticket_id]
    # Of one second, the higher number is the newer one.
    found.sort(key=lambda ticket: (ticket.created_at, len(ticket.id), ticket.id), reverse=True)
    return Others(
        recent=tuple(one for one in found if one.created_at >= since),
        newest=tuple(found[:BEFORE]),
        open=sum(one.status not in OVER for one in found),
    )


def is_newcomer(person_since: datetime | None, ticket_since: datetime | None, now: datetime) -> bool:
    """Say whether a requester came into being with their ticket, just now: then it is their only one."""
    if person_since is None or ticket_since is None:
        return False
    return abs(ticket_since - person_since) <= NEWCOMER and abs(now - person_since) <= JUST_NOW


def changed(raw: dict[str, Any], status_of: StatusOf, groups: Mapping[str, str]) -> Changed:
    """Return one row of the list of changed tickets, without its priority; `groups` holds their names by id."""
    updated = when(raw.get("updated_at")) or EPOCH
    return Changed(
        ticket_id=text(raw.get("id")),
        status=status_of(raw),
        created_at=when(raw.get("created_at")) or updated,
        updated_at=updated,
        group=groups.get(ident(raw.get("group_id")) or ""),
        tags=_tags(raw),
    )


def _tags(raw: dict[str, Any]) -> tuple[str, ...]:
    return tuple(text(tag) for tag in as_list(raw.get("tags")))
