"""Keeps the SLA clocks of a ticket in step with the ticket, and decides once what is to be done about its stage.

`follow` may be called as often as anybody reads a ticket, by any worker, in any order: a reading that is older than the
one stored changes nothing, and of two at once one starts over.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from connectors.base import Changed
from triage.clock_sources import clocks_of
from triage.clocks import LOST, OVER, Held, Judged, Picture
from triage.clocks import Clock as Reckoned
from triage.errors import Retry
from triage.settings import Desk, Mode, Settings
from triage.sla import Stage, quiet_until
from triage.store import Store
from triage.store.acts import FIELDS, MESSAGE, NOTE, TAGS
from triage.store.clocks import Clock, NewAct, Watch
from triage.store.deliveries import CLOCK
from triage.store.marks import SLA_STUCK
from triage.store.runs import new_reference
from triage.ticket import Status, Ticket

logger = logging.getLogger(__name__)
TRIES = 5
# Nothing will happen by itself to a clock that is breached or stands still, but its end may have been missed.
FIRST_RELOOK_SECONDS = 3600.0
RELOOK_SECONDS = 86_400.0


@dataclass
class Known:
    """What one who follows a new ticket twice knows of it the second time; nothing where it was known before."""

    watch: Watch | None = None
    clocks: Sequence[Clock] = ()


def follow(
    ticket: Ticket,
    settings: Settings,
    store: Store,
    now: float,
    *,
    edits_notes: bool,
    judged: Judged | None = None,
    wait: float = 0.0,
    known: Known | None = None,
) -> tuple[Watch, Picture]:
    """Store the clocks of a ticket read at `now` and plan what follows from them; return both as stored.

    `judged` is what triage has just decided; without it what it decided before stands. Acts wait `wait` seconds.
    What is `known` is read only where it does not hold any more.
    """
    mine = known or Known()
    for _ in range(TRIES):
        stored = mine.watch or store.clocks.watch(ticket.desk, ticket.id)
        old = stored or Watch(ticket.desk, ticket.id, created_at=now)
        sure = judged or Judged(old.judged_priority, old.judged_team)
        picture = _count(ticket, settings, now, sure, old)
        seen_at = ticket.updated_at.timestamp() if ticket.updated_at else now
        if seen_at < old.seen_at:
            return old, picture
        watch = _watch(old, ticket, picture, sure, seen_at, now)
        planned = _plan(old, watch, settings, edits_notes, now + wait)
        before = mine.clocks if mine.watch else store.clocks.of_ticket(ticket.desk, ticket.id) if stored else ()
        in_trouble = any(row.failures for row in before if row.is_open)
        rows = _rows(ticket, picture, before, now)
        mine.watch = None
        if store.clocks.save(watch, rows, planned, now):
            if in_trouble:
                store.alarms.clear(watch.desk, SLA_STUCK, watch.ticket_id)
            if planned:
                kinds = ", ".join(one.kind for one in planned)
                logger.info("clocks: desk=%s ticket=%s is %s: %s", watch.desk, watch.ticket_id, watch.stage, kinds)
            kept = replace(watch, version=old.version + 1)
            if stored is None:
                mine.watch, mine.clocks = kept, rows
            return kept, picture
    raise Retry("the clocks of this ticket are being changed by others all the time")


def let_go(desk: str, ticket_id: str, store: Store, now: float) -> None:
    """Cancel the clocks of a ticket that was deleted or merged."""
    for _ in range(TRIES):
        old = store.clocks.watch(desk, ticket_id)
        if old is None:
            return
        episode = old.episode + (old.stage != Stage.OK)
        gone = replace(old, status=str(Status.DELETED), looked_at=now, stage=str(Stage.OK), episode=episode)
        if store.clocks.save(gone, [], [], now):
            store.alarms.clear(desk, SLA_STUCK, ticket_id)
            return


def tell_clocks(store: Store, name: str, tickets: Sequence[Changed]) -> None:
    """Have the tickets of desk `name` looked at that have changed since they were last read.

    Those that are followed, and open ones that have a run and should be: triaged before clocks were kept, or skipped.
    """
    ids = [ticket.ticket_id for ticket in tickets]
    seen = store.clocks.seen(name, ids)
    strays = store.runs.known(name, [one for one in ids if one not in seen])
    for ticket in tickets:
        changed_at = ticket.updated_at.timestamp()
        is_stray = ticket.ticket_id in strays and ticket.status not in OVER | LOST
        if is_stray or changed_at > seen.get(ticket.ticket_id, changed_at):
            key = f"clock:{ticket.ticket_id}:{changed_at:.0f}"
            store.deliveries.receive(
                name, key, ticket_id=ticket.ticket_id, event="reconcile", body=b"", now=time.time(), occasion=CLOCK
            )


def mode_of(desk: Desk, team: str) -> Mode:
    """Return how far Tandem may go on a ticket of `team`."""
    narrow = desk.teams.get(team, desk.mode)
    return narrow if desk.mode.allows(narrow) else desk.mode


def _count(ticket: Ticket, settings: Settings, now: float, judged: Judged, old: Watch) -> Picture:
    ours = old.escalated or {}
    own = str(ours.get("priority") or ""), str(ours.get("was") or "")
    if ours.get("group") and ticket.group == ours["group"]:
        # Handed over by us: the clocks still count for the team that had it.
        ticket = replace(ticket, group="")
        judged = replace(judged, team=old.team or judged.team)
    return clocks_of(ticket, settings, now, judged, Held.from_json(old.held), own, old.priority)


def _watch(old: Watch, ticket: Ticket, picture: Picture, judged: Judged, seen_at: float, now: float) -> Watch:
    stage = picture.stage
    return replace(
        old,
        seen_at=seen_at,
        looked_at=now,
        status=str(ticket.status),
        priority=picture.terms.priority[:40],
        team=picture.team[:80],
        tier=picture.tier[:80],
        judged_priority=judged.priority[:40],
        judged_team=judged.team[:80],
        held=picture.held.as_json(),
        stage=str(stage),
        episode=old.episode + (stage.weight < Stage(old.stage).weight),
    )


def _rows(ticket: Ticket, picture: Picture, kept: Sequence[Clock], now: float) -> list[Clock]:
    """Return the clocks as rows; one that had ended like this before keeps the terms it ended under."""
    before = {(row.metric, row.cycle): row for row in kept}
    rows = []
    for clock in picture.clocks:
        known = before.get((clock.metric, clock.cycle))
        if known and not known.is_open and known.state == clock.state and known.ended_at == clock.ended_at:
            rows.append(known)
            continue
        reading = clock.reading
        rows.append(
            Clock(
                desk=ticket.desk,
                ticket_id=ticket.id,
                metric=clock.metric,
                cycle=clock.cycle,
                state=clock.state,
                stage=str(reading.stage),
                source=clock.source,
                priority=picture.terms.priority[:40],
                team=picture.team[:80],
                tier=picture.tier[:80],
                calendar=picture.terms.calendar_name[:80],
                started_at=clock.started_at,
                target=reading.target,
                remaining=reading.left,
                at_risk_at=reading.at_risk_at,
                due_at=reading.due_at,
                next_check_at=_next_check(clock, known, now),
                ended_at=clock.ended_at,
                updated_at=now,
            )
        )
    return rows


def _next_check(clock: Reckoned, known: Clock | None, now: float) -> float | None:
    if clock.next_check_at is not None or not clock.is_open:
        return clock.next_check_at
    is_known = known is not None and known.state == clock.state
    return now + (RELOOK_SECONDS if is_known else FIRST_RELOOK_SECONDS)


def _plan(old: Watch, new: Watch, settings: Settings, edits_notes: bool, at: float) -> list[NewAct]:
    """Return what is to be done from `at` on about a stage the ticket has just come to."""
    desk = settings.desks.get(new.desk)
    if new.stage == old.stage or desk is None or desk.mode is Mode.OFF:
        return []
    sla, mode = settings.sla, mode_of(desk, new.team)
    acts: list[NewAct] = []
    action = {Stage.AT_RISK: sla.on_risk, Stage.BREACHED: sla.on_breach}.get(Stage(new.stage))
    wants_note = action.note if action else edits_notes and bool(old.note_id)
    if wants_note and mode.allows(Mode.NOTE):
        acts.append(NewAct(NOTE, at, reference=new_reference()))
    escalates = new.stage == Stage.BREACHED and (sla.on_breach.priority or sla.on_breach.group)
    if escalates and mode.allows(Mode.WRITE):
        acts.append(NewAct(FIELDS, at))
    if (sla.on_risk.tag or sla.on_breach.tag) and mode.allows(Mode.TAG):
        acts.append(NewAct(TAGS, at))
    loud = quiet_until(settings, new.priority, at) or at
    acts += [NewAct(MESSAGE, loud, channel=name) for name in (action.notify if action else ())]
    return acts
