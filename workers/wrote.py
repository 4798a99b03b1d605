"""What Tandem's own writes have left on a ticket, read off the recorded effects."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from triage.clean import html_to_text
from triage.store.effects import CONFIRMED, SENT, TAGS, Effect
from triage.ticket import Ticket

PRINT = "print"
"""Where the intent of a note keeps its fingerprint: an agent may have edited it since."""
VALUES = ("priority", "group")


@dataclass(frozen=True)
class Wrote:
    """The latest of each value, in our words, and the tags that were added and not taken away again."""

    values: Mapping[str, str] = field(default_factory=dict)
    custom: Mapping[str, str] = field(default_factory=dict)
    tags: frozenset[str] = frozenset()


def wrote_of(effects: Sequence[Effect], doubtful: int | None = None) -> Wrote:
    """Return what `effects`, oldest first, have left; values of run `doubtful` count from the moment they were sent."""
    values: dict[str, str] = {}
    custom: dict[str, str] = {}
    tags: set[str] = set()
    for effect in effects:
        may_be_there = effect.state == SENT and effect.run_id == doubtful
        if effect.state != CONFIRMED and not may_be_there:
            continue
        intent = effect.intent
        if effect.kind == TAGS and may_be_there:
            continue  # that run itself goes on with what it meant to do
        if effect.kind == TAGS:
            tags |= set(intent.get("tags", [])) - set(effect.refused or {})
            tags -= set(intent.get("removed", []))
            continue
        # By the intent: it is in our words, and what the helpdesk shows of a default may be nothing.
        shown = intent | dict(intent.get("custom") or {}) if may_be_there else (effect.after or {})
        values |= {name: intent[name] for name in VALUES if name in intent and name in shown}
        custom |= {name: value for name, value in (intent.get("custom") or {}).items() if name in shown}
    return Wrote(values, custom, frozenset(tags))


def fingerprint(note_html: str) -> str:
    """Return what stays the same of a note whatever a helpdesk does to its markup, and changes with its words."""
    words = "".join(html_to_text(note_html).split())
    return hashlib.sha256(words.encode()).hexdigest()[:16]


def as_if_untouched(ticket: Ticket, wrote: Wrote) -> Ticket:
    """Return `ticket` without the values that still are the ones we set: these may be set anew, a person's may not."""
    ours = {name: value.strip().casefold() for name, value in wrote.values.items()}
    priority = None if ticket.priority == ours.get("priority") else ticket.priority
    held = ticket.group.strip().casefold()
    group_id = None if held and held == ours.get("group") else ticket.group_id
    fields = {key: value for key, value in ticket.fields.items() if wrote.custom.get(key) != value or value is None}
    return replace(ticket, priority=priority, group_id=group_id, fields=fields)
