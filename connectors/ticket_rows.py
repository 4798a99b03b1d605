"""Rows of ticket lists, which both vendors shape alike but for their words for a status."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from connectors.base import Changed
from connectors.values import as_list, ident, rows, text, when
from triage.ticket import EarlierTicket, Status

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

StatusOf = Callable[[dict[str, Any]], Status]


def earlier(listed: Any, ticket_id: str, since: datetime, status_of: StatusOf) -> tuple[EarlierTicket, ...]:
    """Return the requester's other tickets created since `since`, newest first."""
    found = [
        EarlierTicket(text(one.get("id")), text(one.get("subject")), status_of(one), created)
        for one in rows(listed)
        if (created := when(one.get("created_at"))) and created >= since and text(one.get("id")) != ticket_id
    ]
    return tuple(sorted(found, key=lambda ticket: ticket.created_at, reverse=True))


def changed(raw: dict[str, Any], status_of: StatusOf, groups: Mapping[str, str]) -> Changed:
    """Return one row of the list of changed tickets, without its priority; `groups` holds their names by id."""
    updated = when(raw.get("updated_at")) or EPOCH
    return Changed(
        ticket_id=text(raw.get("id")),
        status=status_of(raw),
        created_at=when(raw.get("created_at")) or updated,
        updated_at=updated,
        group=groups.get(ident(raw.get("group_id")) or ""),
        tags=tuple(text(tag) for tag in as_list(raw.get("tags"))),
    )
