"""Learns from the clocks that have ended how fast each team answers and what a breach announces itself by.

Reads a bounded number of rows and writes one text per desk, so it may be run at any time, by several at once.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence

from triage.clocks import Picture
from triage.foresight import Waiting, breach_probability, pace_of
from triage.habits import FORGOTTEN, Answered, learn_habits, look_back
from triage.settings import Settings
from triage.sla_report import WEEKS, OpenClock, Reply, monday_of, week_of
from triage.store import Store
from triage.store.clock_views import REPLIES
from triage.store.clocks import Watch
from triage.work_list import Learned

logger = logging.getLogger(__name__)
HISTORY_SECONDS = 56 * 86_400.0
MOST_REPLIES = 100_000
"""Of one desk; a desk that answers more is known from fewer days."""
MOST_UNANSWERED = 2000
NEVER = float("inf")
OUTLOOK = "Chance that the answer comes too late, by this team's queue and usual pace: {chance:.0%}"
LEAST_REPLIES = 60
LEAST_SECONDS = 7 * 86_400.0
"""A team is known from so many answers over so long a time."""
LEARN_EVERY_SECONDS = 3600.0


def refresh(settings: Settings, store: Store, now: float) -> None:
    """Count days and attainment afresh, and learn the teams of each desk where that is older than an hour."""
    store.days.refresh(now)
    store.clock_views.keep_outcomes(monday_of(week_of(now) - WEEKS + 1), now)
    for desk in settings.desks:
        known = store.clock_views.learned_at(desk)
        if known is None or now - known >= LEARN_EVERY_SECONDS:
            teams = learn(store, desk, now)
            logger.info("foresight: desk=%s knows %d teams", desk, len(teams))


def learn(store: Store, desk: str, now: float) -> dict[str, Learned]:
    """Learn the teams of a desk that have enough of a past, and keep what was learned."""
    replies = store.clock_views.replies(desk, now - HISTORY_SECONDS, MOST_REPLIES)
    start = replies[-1].ended_at if replies else now
    # Those who still wait though their time is up: without them a team would look better than it is.
    unanswered = store.clock_views.overdue(now, MOST_UNANSWERED, desk, REPLIES)
    by_team: dict[str, list[Reply]] = defaultdict(list)
    for reply in replies:
        by_team[reply.team].append(reply)
    teams = {}
    for team, listed in by_team.items():
        late = [_waiting(one) for one in unanswered if one.team == team and one.started_at >= start]
        if known := learn_team(listed, late, start, now):
            teams[team] = known
    store.clock_views.keep_learned(desk, teams, now)
    return teams


def learn_team(replies: Sequence[Reply], unanswered: Sequence[Waiting], start: float, now: float) -> Learned | None:
    """Return what answers since `start`, and late tickets without one, say of a team; None where that is too little."""
    if len(replies) < LEAST_REPLIES or now - start < LEAST_SECONDS:
        return None
    pace = pace_of([reply.ended_at for reply in replies], start, now)
    past = [
        Answered(Waiting(reply.ticket_id, reply.started_at, reply.due_at), reply.ended_at)
        for reply in replies
        if reply.due_at is not None
    ]
    past += [Answered(one, NEVER) for one in unanswered]
    # Of what came in earlier, those answered before `start` are missing: the queue looked shorter than it was.
    first = start + min(FORGOTTEN, (now - start) / 4)
    return Learned(pace, learn_habits(look_back(past, pace, first, now)), len(replies), start)


def _waiting(clock: OpenClock) -> Waiting:
    return Waiting(clock.ticket_id, clock.started_at, clock.due_at)


def chance(store: Store, clock: OpenClock, now: float) -> float | None:
    """Return how likely the answer to a ticket comes too late; None where the team's past does not say."""
    known = store.clock_views.learned([clock.desk]).get((clock.desk, clock.team))
    if known is None or clock.metric not in REPLIES or clock.due_at <= now:
        return None
    ahead = store.clock_views.due_before(clock, now)
    return breach_probability(_waiting(clock), ahead, known.pace, known.habits, now)


def outlook(store: Store, watch: Watch, picture: Picture, now: float) -> list[str]:
    """Return one line on how likely the most urgent answer comes too late; none where the team's past is not known."""
    clock = picture.most_urgent
    if clock is None or clock.reading.due_at is None:
        return []
    shown = OpenClock(
        desk=watch.desk,
        ticket_id=watch.ticket_id,
        metric=clock.metric,
        stage=str(clock.reading.stage),
        source=clock.source,
        priority=watch.priority,
        team=watch.team,
        tier=watch.tier,
        started_at=clock.started_at,
        due_at=clock.reading.due_at,
    )
    known = chance(store, shown, now)
    return [] if known is None else [OUTLOOK.format(chance=known)]
