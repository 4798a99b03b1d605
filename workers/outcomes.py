"""What people made of Tandem's triage, read off the list of changed tickets that reconciliation walks anyway.

The rules, for the newest done run of each ticket on the page:

- Something we wrote and somebody has replaced is an override, at once. It is told by the value alone, so a rule of the
  helpdesk that replaces it counts as a person. An override that is taken back is forgotten.
- Everything else counts only when the ticket is solved or closed (`final`): then what we wrote and still stands was
  agreed with, and a group or priority we did not write is what people ended with. Before that an unchanged value is
  only our own echo and proves nothing.
- A priority the vendor gives to every new ticket is nobody's choice, a missing group or tag is none either, and a
  ticket that was merged, deleted or called spam was never worked on: no outcome.
- Team and priority are read from group and priority, and from our tags where these say nothing. Sentiment and churn
  risk are read from our tags alone.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from pydantic import ValidationError

from connectors.base import Changed
from triage.classification import DECIDED_FIELDS, Classification
from triage.classify.recalibrate import DEFAULTS, as_said
from triage.decision import tag_of
from triage.people import agrees, labels_in, priority_beside, team_beside
from triage.settings import Settings
from triage.store import Store
from triage.store.effects import CONFIRMED, TAGS, Effect
from triage.store.outcomes import Outcome
from triage.store.runs import Run
from triage.ticket import Status

logger = logging.getLogger(__name__)
OVER = (Status.SOLVED, Status.CLOSED)
NEVER_WORKED_ON = (Status.DELETED, Status.SPAM)
VALUES = {"primary_team": "group", "priority": "priority"}
"""The fields that stand on the ticket itself, and under which name an effect holds them."""


@dataclass(frozen=True)
class _Seen:
    """What the ticket shows for one field: `changed` says that what we wrote is gone."""

    theirs: str
    written: bool
    changed: bool


@dataclass(frozen=True)
class _Wrote:
    """What the run has set and tagged, as the helpdesk confirmed it."""

    values: Mapping[str, str]
    tags: frozenset[str]


def observe(settings: Settings, store: Store, desk: str, tickets: Sequence[Changed]) -> None:
    """Record what the tickets of a page show of people's choices; a page may come again, late or twice at once."""
    runs = store.runs.done_of(desk, {ticket.ticket_id for ticket in tickets})
    if not runs:
        return
    effects = store.effects.of_runs([run.id for run in runs.values()])
    found: dict[tuple[int, str], Outcome] = {}
    taken_back: dict[tuple[int, str], float] = {}
    # The newest last: a page may hold a ticket more than once.
    for ticket in sorted(tickets, key=lambda one: one.updated_at):
        if run := runs.get(ticket.ticket_id):
            outcomes, unchanged = judge(run, effects.get(run.id, []), ticket, settings)
            found |= {(run.id, outcome.field): outcome for outcome in outcomes}
            for field in unchanged:
                taken_back[run.id, field] = ticket.updated_at.timestamp()
    found = {key: one for key, one in found.items() if one.final or one.observed_at > taken_back.get(key, 0.0)}
    store.outcomes.withdraw(taken_back)
    store.outcomes.save(list(found.values()))
    if found:
        logger.info("outcomes: desk=%s %d fields of %d tickets", desk, len(found), len({run for run, _ in found}))


def judge(run: Run, effects: Sequence[Effect], ticket: Changed, settings: Settings) -> tuple[list[Outcome], list[str]]:
    """Return the outcomes `ticket` shows of `run`, and the fields that stand as we wrote them on an open ticket."""
    answer = _answer(run)
    # By whole seconds, as the helpdesks write them: what is older was read before we had written.
    stale = ticket.updated_at.timestamp() < math.floor(run.finished_at or 0)
    if answer is None or stale or ticket.merged or ticket.status in NEVER_WORKED_ON:
        return [], []
    wrote = _wrote(effects)
    final = ticket.status in OVER
    outcomes, unchanged = [], []
    for field in DECIDED_FIELDS:
        seen = _look(field, str(getattr(answer, field)), wrote, ticket, settings)
        if seen and (final or seen.changed):
            outcomes.append(_outcome(run, answer, field, seen, ticket, settings))
        elif seen and seen.written:
            unchanged.append(field)
    return outcomes, unchanged


def _answer(run: Run) -> Classification | None:
    with suppress(ValidationError):  # of another version, or dropped when its days were over
        return Classification.model_validate(run.classification)
    return None


def _wrote(effects: Sequence[Effect]) -> _Wrote:
    values: dict[str, str] = {}
    tags: set[str] = set()
    for effect in effects:
        if effect.state != CONFIRMED or effect.undo:
            # What we took back ourselves says nothing of what people think of it.
            continue
        if effect.kind == TAGS:
            tags |= set(effect.intent.get("tags", [])) - set(effect.refused or {})
        else:
            # By the intent: it is in our words, and what the helpdesk shows of a default may be nothing.
            values |= {name: effect.intent[name] for name in VALUES.values() if name in (effect.after or {})}
    return _Wrote(values, frozenset(tags))


def _look(field: str, ours: str, wrote: _Wrote, ticket: Changed, settings: Settings) -> _Seen | None:
    """Return what `ticket` shows for `field`, or None where it shows nobody's choice."""
    by_tag = _by_tag(field, ours, wrote, ticket, settings)
    if field not in VALUES:
        return by_tag
    mine = wrote.values.get(VALUES[field])
    shown = ticket.group if field == "primary_team" else ticket.priority
    if shown is None and mine is not None:
        return None  # taken away, or its name cannot be read: not what it should be instead
    if shown is None or (mine is None and field == "priority" and ticket.priority_is_default):
        return by_tag
    changed = mine is not None and shown.strip().casefold() != mine.strip().casefold()
    if mine is not None and not changed:
        return _Seen(ours, written=True, changed=False)  # also where the settings name another group by now
    label = (team_beside if field == "primary_team" else priority_beside)(ours, shown, settings)
    tagged = tag_of(field, ours, settings.tag_prefix) in wrote.tags
    return _Seen(label, written=mine is not None or tagged, changed=changed)


def _by_tag(field: str, ours: str, wrote: _Wrote, ticket: Changed, settings: Settings) -> _Seen | None:
    shown = labels_in(ticket.tags, field, settings)
    tagged = tag_of(field, ours, settings.tag_prefix) in wrote.tags
    others = shown - {ours}
    if len(others) == 1:
        # Beside ours or in its place: somebody had a reason to add it.
        return _Seen(others.pop(), written=tagged, changed=tagged)
    return _Seen(ours, written=tagged, changed=False) if shown == {ours} else None


def _outcome(run: Run, answer: Classification, field: str, seen: _Seen, ticket: Changed, settings: Settings) -> Outcome:
    ours = str(getattr(answer, field))
    return Outcome(
        desk=run.desk,
        ticket_id=run.ticket_id,
        run_id=run.id,
        field=field,
        ours=ours,
        theirs=seen.theirs,
        agreed=agrees(field, ours, seen.theirs, settings),
        written=seen.written,
        probability=answer.probability(field),
        probabilities=as_said(answer)[field],
        default_temperature=DEFAULTS.get(answer.probability_sources.get(field, ""), 1.0),
        classifier=run.classifier,
        final=ticket.status in OVER,
        observed_at=ticket.updated_at.timestamp(),
    )
