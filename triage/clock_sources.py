"""Whose clock counts: the helpdesk's own where it keeps one, else the one counted by our policy. Pure.

The helpdesk says when a clock is due, not what it promised: its target is the time until then as our calendar counts
it, so that "75 % used" means the same for both. Where our calendar has no open minute until then, every minute counts.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from triage.calendars import Calendar, Span
from triage.clocks import (
    BREACHED,
    HELPDESK,
    MET,
    PAUSED,
    RUNNING,
    Clock,
    Held,
    Judged,
    Picture,
    count,
    moment,
)
from triage.settings import Settings
from triage.sla import Reading, Stage, stage_at
from triage.ticket import ClockState, HelpdeskClock, Ticket

# The helpdesks work out due times some seconds after a ticket comes in and after its priority is changed.
SETTLED_SECONDS = 30.0
# A clock that is still unset then stays unset.
PATIENCE_SECONDS = 180.0

UNJUDGED, NOTHING_HELD = Judged(), Held()


def clocks_of(
    ticket: Ticket,
    settings: Settings,
    now: float,
    judged: Judged = UNJUDGED,
    held: Held = NOTHING_HELD,
    own_priority: tuple[str, str] = ("", ""),
    priority_before: str = "",
) -> Picture:
    """Return the ticket's clocks at `now`, the helpdesk's own in the place of ours as far as it keeps them.

    `priority_before` is the priority at the last reading: where it is another one now, due times may still be the old
    ones. The rest is as for `count`.
    """
    picture = count(ticket, settings, now, judged, held, own_priority)
    just_changed = priority_before not in ("", picture.terms.priority)
    if settings.sla.source != HELPDESK or not ticket.clocks:
        return picture
    shown = {one.metric: one for one in ticket.clocks}
    newest = {clock.metric: clock.cycle for clock in picture.clocks}
    clocks = []
    for clock in picture.clocks:
        own = shown.get(clock.metric)
        # The helpdesk shows the present round only.
        is_shown = own is not None and newest[clock.metric] == clock.cycle
        clocks.append(_taken(clock, own, picture, ticket, now, just_changed) if own and is_shown else clock)
    return replace(picture, clocks=tuple(clocks))


def _taken(clock: Clock, own: HelpdeskClock, picture: Picture, ticket: Ticket, now: float, just_changed: bool) -> Clock:
    again = now + SETTLED_SECONDS if clock.is_open and just_changed else None
    if own.state is ClockState.UNSET:
        is_young = clock.is_open and now - clock.started_at < PATIENCE_SECONDS
        return replace(clock, look_again_at=now + SETTLED_SECONDS) if is_young else clock
    # What was late before it stood still stays late: its breach has been told.
    was_late = own.due_at is not None and own.due_at.timestamp() <= _paused_since(picture)
    if own.state is ClockState.PAUSED and clock.is_open and not was_late:
        # How much is left the helpdesk does not say; what it does say is that nothing is breached meanwhile.
        stage = Stage.AT_RISK if clock.reading.stage.weight else Stage.OK
        reading = replace(clock.reading, due_at=None, at_risk_at=None, stage=stage)
        return replace(clock, state=PAUSED, reading=reading, source=HELPDESK)
    ended_at = clock.ended_at
    if own.state is ClockState.MET and clock.is_open:
        ended_at = moment(own.met_at or ticket.updated_at, now)
    if own.due_at is None:
        return clock if ended_at == clock.ended_at else replace(clock, state=MET, ended_at=ended_at, source=HELPDESK)
    pauses = [*picture.held.paused, *picture.held.solved]
    reading = _reading(clock.started_at, own.due_at, picture, pauses, now if ended_at is None else ended_at)
    state = clock.state if ended_at == clock.ended_at else MET
    if ended_at is None:
        state = BREACHED if reading.stage is Stage.BREACHED else RUNNING
    return replace(clock, state=state, ended_at=ended_at, reading=reading, source=HELPDESK, look_again_at=again)


def _paused_since(picture: Picture) -> float:
    """Return when the pause of now began."""
    return max((begin for begin, _ in picture.held.paused), default=0.0)


def _reading(start: float, due: datetime, picture: Picture, pauses: list[Span], now: float) -> Reading:
    due_at, calendar = due.timestamp(), picture.terms.calendar
    pauses = [(begin, min(end, now)) for begin, end in pauses if begin < now]
    target = calendar.elapsed(start, due_at, pauses)
    if target <= 0:
        calendar, pauses = Calendar(), []
        target = max(1.0, (due_at - start) / 60)
    at_risk_at = calendar.due(start, target * picture.terms.at_risk, pauses)
    # A deadline in closed hours is reached with the last open minute before it.
    at_risk_at = due_at if at_risk_at is None else min(at_risk_at, due_at)
    age = calendar.elapsed(start, now, pauses)
    return Reading(target, age, due_at, at_risk_at, stage_at(now, at_risk_at, due_at))
