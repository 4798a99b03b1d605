"""What of Tandem's writes on one ticket can be taken back. Pure: from the ticket as read and what was recorded.

Only what still stands as we left it is touched. Values go back through the whole chain of our own changes: what the
SLA raised after triage had set it goes back to what it was before triage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.helpdesk import NOT_OURS_NOW, same_value
from triage.store.effects import NOTE
from triage.store.undone import Trace
from triage.ticket import Ticket

REPLY = "reply"
REPLY_STAYS = "a public reply was sent to the customer: that cannot be taken back"
NOTES = (NOTE,)


@dataclass(frozen=True)
class Plan:
    """What is to be done on one ticket."""

    ours: dict[str, Any] = field(default_factory=dict)
    """Values that stand as we left them, by name."""
    before: dict[str, Any] = field(default_factory=dict)
    """What they were before us."""
    tags: tuple[str, ...] = ()
    """Ours, and on the ticket."""
    notes: tuple[Trace, ...] = ()
    left: dict[str, str] = field(default_factory=dict)
    """What stays as it is, and why."""

    def __bool__(self) -> bool:
        return bool(self.ours or self.tags or self.notes)


def plan(ticket: Ticket, traces: Sequence[Trace]) -> Plan:
    """Return what can be taken back of `traces` (oldest first)."""
    ours: dict[str, Any] = {}
    before: dict[str, Any] = {}
    left = {REPLY: REPLY_STAYS} if any(one.kind == REPLY for one in traces) else {}
    for name in dict.fromkeys(name for one in traces for name in one.after):
        changes = [one for one in traces if name in one.after][::-1]
        shown = _shown(ticket, name)
        if _is(ticket, name, changes[0].after[name]):
            target = _origin(name, changes)
            if not same_value(target, shown):
                ours[name], before[name] = changes[0].after[name], target
        elif not any(_was_target(one, name, shown) for one in changes):
            left[name] = NOT_OURS_NOW
    there = {tag.casefold() for tag in ticket.tags}
    mine = dict.fromkeys(tag for one in traces for tag in one.tags)
    return Plan(
        ours=ours,
        before=before,
        tags=tuple(tag for tag in mine if tag.casefold() in there),
        notes=tuple(one for one in traces if one.kind in NOTES),
        left=left,
    )


def _was_target(one: Trace, name: str, shown: Any) -> bool:
    """Say whether an undo that was interrupted has put this value back already."""
    target = one.undo.get("target", {})
    return name in target and same_value(target[name], shown)


def _origin(name: str, changes: Sequence[Trace]) -> Any:
    """Return the value before our first change of an unbroken chain (`changes`: newest first)."""
    value = changes[0].before.get(name)
    for one in changes[1:]:
        if not same_value(one.after[name], value):
            break
        value = one.before.get(name)
    return value


def _shown(ticket: Ticket, name: str) -> Any:
    held = {"priority": ticket.priority, "group": ticket.group or ticket.group_id}
    return held[name] if name in held else ticket.fields.get(name)


def _is(ticket: Ticket, name: str, value: Any) -> bool:
    if name == "group":
        return bool(value) and (same_value(ticket.group, value) or same_value(ticket.group_id, value))
    return same_value(_shown(ticket, name), value)
