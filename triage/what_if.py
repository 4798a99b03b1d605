"""What another policy would have done: decides kept answers again. Pure; no helpdesk is asked and nothing is written.

The ticket of then is not kept. It stands as untouched, but for what the decision of then says a person had set.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from triage.classification import DECIDED_FIELDS, Classification
from triage.decision import Decision, decide
from triage.settings import DecidedField, Desk, Mode, Settings, Thresholds
from triage.ticket import Ticket

MOST_RUNS = 1000
EXAMPLES = 12
# What `triage.decision` says of a value that a person has set.
PRIORITY_SET, GROUP_SET = "priority: a person has set", "group: set already"
UNKNOWN = "somebody"


@dataclass(frozen=True)
class Past:
    """One run that was done, with what people made of it: field -> whether they agreed."""

    ticket_id: str
    reference: str
    classification: Mapping[str, Any]
    steps: Sequence[str]
    agreed: Mapping[str, bool] = field(default_factory=dict)


@dataclass
class Tally:
    """What a policy does with one field over many runs."""

    tagged: int = 0
    written: int = 0
    abstained: int = 0
    judged: int = 0
    """Runs it counts on of which is known what people made of it."""
    agreed: int = 0

    @property
    def share(self) -> float | None:
        """Return how often people agreed where it counts, None where nothing is known."""
        return self.agreed / self.judged if self.judged else None


@dataclass(frozen=True)
class Example:
    """One ticket that the other policy treats otherwise."""

    ticket_id: str
    reference: str
    changes: list[str]


@dataclass(frozen=True)
class Comparison:
    """Both policies over the same runs."""

    runs: int
    unreadable: int
    """Runs of another version, left out."""
    now: dict[str, Tally]
    then: dict[str, Tally]
    """By field, with the changed policy."""
    notes: tuple[int, int]
    changed: int
    """Runs that are treated otherwise."""
    examples: list[Example]


def changed_settings(
    settings: Settings, desk: str, mode: Mode, modes: Mapping[str, Mode], thresholds: Mapping[str, float]
) -> Settings:
    """Return `settings` with other modes and thresholds for one desk."""
    known = settings.desks[desk]
    fields = {cast("DecidedField", name): one for name, one in modes.items()}
    # The target would raise them again: who names a threshold means it.
    changes = {"mode": mode, "fields": fields, "thresholds": Thresholds(**thresholds), "target_precision": 0.0}
    return settings.model_copy(update={"desks": {**settings.desks, desk: known.model_copy(update=changes)}})


def compare(past: Iterable[Past], settings: Settings, other: Settings, desk: str, moved: set[str]) -> Comparison:
    """Return what both policies do on `desk`; for the fields `moved` the other one's threshold goes before a fitted."""
    now = {name: Tally() for name in DECIDED_FIELDS}
    then = {name: Tally() for name in DECIDED_FIELDS}
    runs = unreadable = changed = noted_now = noted_then = 0
    examples: list[Example] = []
    for one in past:
        try:
            answer = Classification.model_validate(one.classification)
        except ValueError:
            unreadable += 1
            continue
        runs += 1
        fitted = {name: least for name, least in answer.thresholds.items() if name not in moved}
        ticket = _ticket(one, desk)
        first = decide(ticket, answer, settings, settings.desks[desk])
        second = decide(ticket, answer.model_copy(update={"thresholds": fitted}), other, other.desks[desk])
        _add(now, one, answer, first, settings.desks[desk])
        _add(then, one, answer, second, other.desks[desk])
        noted_now, noted_then = noted_now + first.note, noted_then + second.note
        if differences := _differences(first, second):
            changed += 1
            if len(examples) < EXAMPLES:
                examples.append(Example(one.ticket_id, one.reference, differences))
    return Comparison(runs, unreadable, now, then, (noted_now, noted_then), changed, examples)


def _ticket(one: Past, desk: str) -> Ticket:
    priority, group = (
        UNKNOWN if any(step.startswith(start) for step in one.steps) else None for start in (PRIORITY_SET, GROUP_SET)
    )
    return Ticket(desk, one.ticket_id, priority=priority, group_id=group)


def _add(tallies: dict[str, Tally], one: Past, answer: Classification, decision: Decision, desk: Desk) -> None:
    written = {
        "primary_team": decision.group is not None,
        "priority": decision.priority is not None,
    }
    for name, tally in tallies.items():
        mapped = str(desk.mapped_fields.get(cast("DecidedField", name), ""))
        if name in decision.abstained:
            tally.abstained += 1
            continue
        # A tag is set for each field that counts, as far as its mode allows.
        mode = desk.mode_for(cast("DecidedField", name), answer.primary_team)
        tally.tagged += bool(decision.tags) and mode.allows(Mode.TAG)
        tally.written += written.get(name, False) or (bool(mapped) and mapped in decision.custom)
        if name in one.agreed:
            tally.judged += 1
            tally.agreed += one.agreed[name]


def _differences(first: Decision, second: Decision) -> list[str]:
    said = []
    if first.note != second.note:
        said.append("a note" if second.note else "no note")
    for tag in second.tags:
        if tag not in first.tags:
            said.append(f"tag {tag} added")
    for tag in first.tags:
        if tag not in second.tags:
            said.append(f"tag {tag} not set")
    for name in ("priority", "group"):
        before, after = getattr(first, name), getattr(second, name)
        if before != after:
            said.append(f"{name} set to {after}" if after else f"{name} {before} not set")
    for key in sorted({*first.custom, *second.custom}):
        if first.custom.get(key) != second.custom.get(key):
            said.append(f"field {key}: {second.custom.get(key, 'not set')}")
    return said
