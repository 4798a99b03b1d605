"""What of Tandem's writes on one ticket can be taken back. Pure: from the ticket as read and what was recorded.

Only what still stands as we left it is touched. Values go back through the whole chain of our own changes: what the
SLA raised after triage had set it goes back to what it was before triage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.helpdesk import NOT_OURS_NOW, same_value
from triage.store.effects import NOTE, REPLY, UPDATE
from triage.store.undone import Trace
from triage.ticket import Ticket
from workers.wrote import fingerprint

REPLY_STAYS = "a public reply was sent to the customer: that cannot be taken back"
NOT_OUR_WORDS = "the note says something else by now (an agent has edited it, or a later run): it stays"
NO_TEXT = "what the note said before is not kept any more: it stays"
WITHDRAWN = "Withdrawn by your team on {day}: please disregard what Tandem suggested here."


@dataclass(frozen=True)
class Plan:
    """What is to be done on one ticket."""

    ours: dict[str, Any] = field(default_factory=dict)
    """Values that stand as we left them, by name."""
    before: dict[str, Any] = field(default_factory=dict)
    """What they were before us."""
    tags: tuple[str, ...] = ()
    """Ours, and on the ticket."""
    tags_back: tuple[str, ...] = ()
    """Ours, and taken away by a later run that is undone without the one that added them."""
    notes: tuple[Trace, ...] = ()
    """To be withdrawn."""
    notes_back: tuple[Trace, ...] = ()
    """To say again what they said before: the oldest update of each."""
    left: dict[str, str] = field(default_factory=dict)
    """What stays as it is, and why."""

    def __bool__(self) -> bool:
        return bool(self.ours or self.tags or self.tags_back or self.notes or self.notes_back)


def plan(ticket: Ticket, traces: Sequence[Trace], *, edits_notes: bool = False) -> Plan:
    """Return what can be taken back of `traces` (oldest first); `edits_notes` says that a note may have changed."""
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
    taken = dict.fromkeys(tag for one in traces for tag in one.removed)
    notes, notes_back = _notes(ticket, traces, left, edits_notes=edits_notes)
    return Plan(
        ours=ours,
        before=before,
        tags=tuple(tag for tag in mine if tag.casefold() in there),
        tags_back=tuple(tag for tag in taken if tag not in mine and tag.casefold() not in there),
        notes=notes,
        notes_back=notes_back,
        left=left,
    )


def _notes(
    ticket: Ticket, traces: Sequence[Trace], left: dict[str, str], *, edits_notes: bool
) -> tuple[tuple[Trace, ...], tuple[Trace, ...]]:
    """Return the notes to withdraw, and the updates whose note gets its words from before; adds to `left`."""
    begun = {one.note_id or one.reference: one for one in reversed(traces) if one.kind == NOTE}
    updates: dict[str, list[Trace]] = {}
    for one in traces:
        if one.kind == UPDATE:
            updates.setdefault(one.note_id, []).append(one)
    notes, back = [], []
    for key, one in reversed(begun.items()):
        if not edits_notes or _are_ours(ticket, one.note_id, [one, *updates.get(key, [])]):
            notes.append(one)
        else:
            left[f"note {one.reference}"] = NOT_OUR_WORDS
    for key, chain in updates.items():
        if key in begun:
            continue
        if not _are_ours(ticket, key, chain):
            left[f"note {chain[0].reference}"] = NOT_OUR_WORDS
        elif not chain[0].earlier:
            left[f"note {chain[0].reference}"] = NO_TEXT
        else:
            back.append(chain[0])
    return tuple(notes), tuple(back)


def _are_ours(ticket: Ticket, note_id: str, written: Sequence[Trace]) -> bool:
    """Say whether a note still says what `written` have made it say, or what an undo that broke off has."""
    shown = next((one.body for one in ticket.messages if one.id == note_id), "") if note_id else ""
    prints = {one.print for one in written}
    if not shown or "" in prints or WITHDRAWN.partition("{")[0] in shown:
        return True
    return fingerprint(shown) in prints | {fingerprint(one.earlier) for one in written if one.undo and one.earlier}


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
