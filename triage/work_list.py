"""What each team should work on first, from its queue and from what is known of its pace. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from triage.foresight import HOUR, Habits, Pace, Plan, Rates, Waiting, breach_probabilities, plan
from triage.sla_report import OpenClock

# What a breach costs against that of the least urgent priority.
WEIGHTS = {"P0_critical": 8.0, "P1_high": 4.0, "P2_medium": 2.0}
SHOWN_WITHOUT_HISTORY = 10
NOT_ENOUGH = "not enough history: clock order"


@dataclass(frozen=True)
class Learned:
    """What is known of one team's past."""

    pace: Pace
    habits: Habits
    replies: int
    since: float
    """From when on replies were counted."""

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Learned:
        """Return what `as_json` made."""
        pace = Pace(Rates(tuple(kept["hourly"])), kept["spread"])
        habits = Habits(tuple(kept["weights"]), kept["learned_from"])
        return cls(pace, habits, kept["replies"], kept["since"])

    def as_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "hourly": [round(rate, 5) for rate in self.pace.replies.hourly],
            "spread": round(self.pace.spread, 4),
            "weights": [round(weight, 5) for weight in self.habits.weights],
            "learned_from": self.habits.learned_from,
            "replies": self.replies,
            "since": self.since,
        }


@dataclass(frozen=True)
class Ranked:
    """One waiting ticket and how likely it breaches; None where that is not known."""

    clock: OpenClock
    probability: float | None


@dataclass(frozen=True)
class WorkList:
    """One team's next hour."""

    desk: str
    team: str
    is_learned: bool
    capacity: float
    """Replies to expect in the hour; 0 where that is not known."""
    first: tuple[Ranked, ...]
    """To be worked on now, in this order; not more than the team can answer in the hour."""
    later: int
    """How many can wait."""
    lost: tuple[Ranked, ...]
    """Given up by the plan; what costs most comes first."""
    now: float

    @property
    def late(self) -> tuple[Ranked, ...]:
        """Return those whose time is up, the most important first, of these the longest late."""
        late = (one for one in self.lost if one.clock.due_at <= self.now)
        return tuple(sorted(late, key=lambda one: (-_weight(one.clock), one.clock.due_at)))

    @property
    def too_many(self) -> tuple[Ranked, ...]:
        """Return those in time still, but more than the team can answer until they are due."""
        return tuple(one for one in self.lost if one.clock.due_at > self.now)


def work_lists(
    queue: Iterable[OpenClock], learned: Mapping[tuple[str, str], Learned], now: float, horizon: float = HOUR
) -> list[WorkList]:
    """Return a list for each team of `queue`, those with most to do first; teams are keyed (desk, team)."""
    teams: dict[tuple[str, str], list[OpenClock]] = defaultdict(list)
    for clock in queue:
        teams[clock.desk, clock.team].append(clock)
    found = [_work_list(key, clocks, learned.get(key), now, horizon) for key, clocks in teams.items()]
    return sorted(found, key=lambda one: (-len(one.first), one.desk, one.team))


def chances(queue: Iterable[OpenClock], known: Learned, now: float) -> dict[str, float]:
    """Return how likely each ticket of one team's queue breaches, by ticket id."""
    waiting = [_waiting(clock) for clock in queue]
    found = breach_probabilities(waiting, known.pace, known.habits, now)
    return {one.ticket_id: chance for one, chance in zip(waiting, found, strict=True)}


def _work_list(
    key: tuple[str, str], clocks: list[OpenClock], known: Learned | None, now: float, horizon: float
) -> WorkList:
    by_id = {clock.ticket_id: clock for clock in clocks}
    if known is None:
        made, capacity, chance = _clock_order(clocks, now), 0.0, dict[str, float]()
    else:
        made = plan([_waiting(clock) for clock in by_id.values()], known.pace, now, horizon)
        capacity, chance = known.pace.replies.expected(now, now + horizon), chances(by_id.values(), known, now)

    def ranked(tickets: Iterable[Waiting]) -> tuple[Ranked, ...]:
        return tuple(Ranked(by_id[one.ticket_id], chance.get(one.ticket_id)) for one in tickets)

    return WorkList(*key, known is not None, capacity, ranked(made.first), len(made.later), ranked(made.lost), now)


def _clock_order(clocks: list[OpenClock], now: float) -> Plan:
    """Without a past: who is due next first, who is late last."""
    ordered = sorted((_waiting(clock) for clock in clocks), key=lambda one: one.due_at)
    ahead = [one for one in ordered if one.due_at > now]
    late = [one for one in ordered if one.due_at <= now]
    return Plan(tuple(ahead[:SHOWN_WITHOUT_HISTORY]), tuple(ahead[SHOWN_WITHOUT_HISTORY:]), tuple(late))


def _waiting(clock: OpenClock) -> Waiting:
    return Waiting(clock.ticket_id, clock.started_at, clock.due_at, _weight(clock))


def _weight(clock: OpenClock) -> float:
    return WEIGHTS.get(clock.priority, 1.0)
