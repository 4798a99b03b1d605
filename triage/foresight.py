"""Foresight: which waiting tickets will breach, and which to work on first. Pure; times are UTC seconds.

The clock says how long a ticket has left; whether somebody gets to it in time depends on who else waits and how fast
the team answers at this hour of the week. Both are read from the desk's own history.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from math import exp, log, sqrt

HOUR = 3600.0
HOURS_A_WEEK = 168
WEEK = HOURS_A_WEEK * HOUR
# 1970 began on a Thursday; weeks here begin on Monday, 00:00 UTC.
FIRST_MONDAY = 4 * 24 * HOUR
PRIOR_WEEKS = 1.0
"""An hour of the week counts as seen this often at the week's average, so that one quiet Monday proves nothing."""
LEAST_SPREAD = 1.0
MOST = 4.0
"""Standard deviations beyond this say no more."""
SURE = 0.99
"""No probability is ever 0 or 1 before the time is up."""
# Bias, then one weight for each of `signs`, for a team whose past is not known yet: chosen on simulated teams.
UNTAUGHT = (0.8, 1.3, 0.2, 0.0, -0.4)


@dataclass(frozen=True)
class Rates:
    """Events per hour, for each of the 168 hours of the week from Monday 00:00 UTC."""

    hourly: tuple[float, ...]

    def expected(self, start: float, end: float) -> float:
        """Return the number of events to expect from `start` to `end`; 0 where `end` is not later."""
        return self._until(end) - self._until(start) if end > start else 0.0

    def _until(self, moment: float) -> float:
        weeks, within = divmod(moment - FIRST_MONDAY, WEEK)
        hour = int(within // HOUR)
        totals = self._totals
        return weeks * totals[-1] + totals[hour] + self.hourly[hour] * (within / HOUR - hour)

    @cached_property
    def _totals(self) -> tuple[float, ...]:
        return (0.0, *accumulate(self.hourly))


@dataclass(frozen=True)
class Pace:
    """How a team's week goes: the first and next replies it gives, and how unevenly these come."""

    replies: Rates
    spread: float = LEAST_SPREAD
    """Variance of the replies of a day over their expected number: 1 for chance alone, more for bursts."""


@dataclass(frozen=True)
class Waiting:
    """One ticket that waits for a team."""

    ticket_id: str
    opened_at: float
    due_at: float
    weight: float = 1.0
    """What a breach costs against the breach of an ordinary ticket."""


@dataclass(frozen=True)
class Habits:
    """How much each sign says about a breach in one team: bias and weights of a logistic regression."""

    weights: tuple[float, ...] = UNTAUGHT
    learned_from: int = 0
    """Observations."""

    def probability(self, signs: Sequence[float]) -> float:
        """Return the probability of a breach."""
        odds = self.weights[0] + sum(weight * sign for weight, sign in zip(self.weights[1:], signs, strict=True))
        return min(SURE, max(1 - SURE, _logistic(odds)))


@dataclass(frozen=True)
class Plan:
    """What to work on: `first` now, in this order; `later` can wait; `lost` breach whatever is done, or have."""

    first: tuple[Waiting, ...]
    later: tuple[Waiting, ...]
    lost: tuple[Waiting, ...]


def rates_of(times: Iterable[float], start: float, end: float) -> Rates:
    """Return the rates of the events at `times` between `start` and `end`, each hour drawn towards the average."""
    counts, total = [0] * HOURS_A_WEEK, 0
    for moment in times:
        if start <= moment < end:
            counts[_hour_of_week(moment)] += 1
            total += 1
    weeks = max((end - start) / WEEK, 1.0 / HOURS_A_WEEK)
    average = total / (weeks * HOURS_A_WEEK)
    return Rates(tuple((count + PRIOR_WEEKS * average) / (weeks + PRIOR_WEEKS) for count in counts))


def pace_of(replies: Iterable[float], start: float, end: float) -> Pace:
    """Return the pace of a team from the times of its replies between `start` and `end`."""
    times = sorted(replies)
    rates = rates_of(times, start, end)
    return Pace(rates, _spread(times, rates, start, end))


def signs_of(
    queue: Sequence[Waiting], pace: Pace, now: float, of: Sequence[Waiting] | None = None
) -> list[tuple[float, ...]]:
    """Return what speaks for a breach of each ticket of one team's queue, or only of some of it.

    How many standard deviations the expected replies fall short of the tickets due before it and itself; the log of
    the hours left; of its age in hours (who waits long is hard to answer); of the replies expected until it is due.
    """
    due = sorted(each.due_at for each in queue)
    return [_signs(each, bisect_left(due, each.due_at), pace, now) for each in (queue if of is None else of)]


def breach_probabilities(queue: Sequence[Waiting], pace: Pace, habits: Habits, now: float) -> list[float]:
    """Return the probability that each ticket of one team's queue breaches: 1 for those that have."""
    chances = [habits.probability(signs) for signs in signs_of(queue, pace, now)]
    return [1.0 if each.due_at <= now else chance for each, chance in zip(queue, chances, strict=True)]


def breach_probability(ticket: Waiting, ahead: int, pace: Pace, habits: Habits, now: float) -> float:
    """Return the probability that one ticket breaches, `ahead` others of its team being due before it."""
    return 1.0 if ticket.due_at <= now else habits.probability(_signs(ticket, ahead, pace, now))


def plan(queue: Sequence[Waiting], pace: Pace, now: float, horizon: float = HOUR) -> Plan:
    """Return what one team should do in the next `horizon` seconds so that the least weight breaches.

    Earliest due date first is best only while all can be met; in overload it spends its time on tickets that are late
    anyhow. Where more is due by some time than the team can answer until then, the lightest ticket due by then is
    given up: for jobs of equal length no schedule saves more weight (Lawler, Knapsack-like scheduling problems, 1976;
    Moore 1968 for equal weights).
    """
    kept: list[tuple[float, int]] = []
    lost: list[int] = []
    by_due = sorted(range(len(queue)), key=lambda row: queue[row].due_at)
    for row in by_due:
        slots = pace.replies.expected(now, queue[row].due_at)
        heapq.heappush(kept, (queue[row].weight, -row))
        while kept and len(kept) > slots and len(kept) > (queue[row].due_at > now):
            lost.append(-heapq.heappop(kept)[1])
    given_up = set(lost)
    saved = [queue[row] for row in by_due if row not in given_up]
    capacity = max(1, round(pace.replies.expected(now, now + horizon)))
    rest = sorted((queue[row] for row in lost), key=lambda each: (-each.weight, each.due_at))
    return Plan(tuple(saved[:capacity]), tuple(saved[capacity:]), tuple(rest))


def _signs(ticket: Waiting, ahead: int, pace: Pace, now: float) -> tuple[float, ...]:
    left, age = max(0.0, ticket.due_at - now) / HOUR, max(0.0, now - ticket.opened_at) / HOUR
    replies = pace.replies.expected(now, ticket.due_at)
    short = (ahead + 1 - replies) / sqrt(pace.spread * replies + 1)
    return max(-MOST, min(MOST, short)), log(left + 0.1), log(age + 0.1), log(replies + 0.1)


def _logistic(odds: float) -> float:
    return 1 / (1 + exp(-max(-30.0, min(30.0, odds))))


def _spread(replies: Sequence[float], rates: Rates, start: float, end: float) -> float:
    """Return the dispersion of daily reply counts around what the hours of the week let expect."""
    day, ratios = 24 * HOUR, []
    moment = start
    while moment + day <= end:
        mean = rates.expected(moment, moment + day)
        if mean > 0:
            count = bisect_left(replies, moment + day) - bisect_left(replies, moment)
            ratios.append((count - mean) ** 2 / mean)
        moment += day
    return max(LEAST_SPREAD, sum(ratios) / len(ratios)) if ratios else LEAST_SPREAD


def _hour_of_week(moment: float) -> int:
    return int((moment - FIRST_MONDAY) % WEEK // HOUR)
