"""What a guarded update has replaced all the same: the guard compares whole seconds.

The audit in the answer to an update holds each earlier value.
https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_audits/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connectors.values import as_dict, ident, rows, text
from connectors.zendesk_ticket import custom_fields
from triage.ticket import Ticket

NAMES = {"group_id": "group"}


def held(raw: dict[str, Any], names: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a ticket as it came holds under our `names`."""
    fields = {"priority": raw.get("priority") or None, "group": ident(raw.get("group_id"))}
    custom = custom_fields(raw)
    return {name: fields[name] if name in fields else custom.get(name) for name in names}


def read(ticket: Ticket, names: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a ticket held under our `names` when it was read."""
    fields = {"priority": ticket.priority, "group": ticket.group_id}
    return {name: fields[name] if name in fields else ticket.fields.get(name) for name in names}


def replaced(answer: dict[str, Any], ticket: Ticket, names: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values, by our names, that an update has replaced although `ticket` did not hold them when read."""
    known, found = read(ticket, names), {}
    for event in rows(as_dict(answer.get("audit")).get("events")):
        field = text(event.get("field_name"))
        name, earlier = NAMES.get(field, field), event.get("previous_value")
        if event.get("type") == "Change" and name in known and earlier and text(earlier) != text(known[name]):
            found[name] = int(earlier) if name == "group" else earlier
    return found
