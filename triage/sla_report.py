"""How the SLA clocks of all tickets stand together: counts by team and priority, and attainment by week. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from triage.sla import Stage

WEEK = 7 * 86_400.0
# 1970 began on a Thursday; weeks begin on Monday, 00:00 UTC.
FIRST_MONDAY = 4 * 86_400.0
WEEKS = 8
NO_TEAM = "no team"


@dataclass(frozen=True)
class Standing:
    """How many open clocks are alike."""

    desk: str
    team: str
    priority: str
    metric: str
    stage: str
    source: str
    count: int


@dataclass(frozen=True)
class Outcome:
    """How many clocks of one week ended alike; one that is breached and still open counts in the week it broke."""

    desk: str
    team: str
    priority: str
    metric: str
    week: int
    """Weeks since the first Monday of 1970."""
    is_met: bool
    count: int


@dataclass(frozen=True)
class OpenClock:
    """One open clock that is running."""

    desk: str
    ticket_id: str
    metric: str
    stage: str
    source: str
    priority: str
    team: str
    tier: str
    started_at: float
    due_at: float


@dataclass(frozen=True)
class Reply:
    """One clock that an answer has ended."""

    ticket_id: str
    team: str
    started_at: float
    due_at: float | None
    ended_at: float


@dataclass
class Line:
    """The counts of one team, priority or week."""

    name: str
    on_time: int = 0
    """Open, and far from a breach or paused."""
    at_risk: int = 0
    breached: int = 0
    """Open, and late."""
    met: int = 0
    missed: int = 0
    """Late: ended after its time was up, or still open then."""

    @property
    def attainment(self) -> float | None:
        """Return the share that was met in time, None where nothing was due."""
        due = self.met + self.missed
        return self.met / due if due else None


@dataclass(frozen=True)
class Report:
    """Everything the views show."""

    as_of: float
    counted_at: float
    """When attainment was last counted."""
    since: float
    total: Line
    teams: list[Line]
    priorities: list[Line]
    metrics: list[Line]
    weeks: list[Line]
    """Oldest first; the name is the Monday, as UTC seconds."""
    sources: dict[str, int] = field(default_factory=dict)
    """Open clocks by whose clock they show."""


def week_of(moment: float) -> int:
    """Return the number of the week of `moment`."""
    return int((moment - FIRST_MONDAY) // WEEK)


def monday_of(week: int) -> float:
    """Return when a week begins."""
    return FIRST_MONDAY + week * WEEK


def report(
    standings: Iterable[Standing], outcomes: Sequence[Outcome], now: float, since: float, counted_at: float
) -> Report:
    """Return the report at `now`; `outcomes` are those since `since`, counted at `counted_at`."""
    open_, ended = list(standings), list(outcomes)
    sources: dict[str, int] = defaultdict(int)
    for one in open_:
        sources[one.source] += one.count
    weeks = {week: Line(f"{monday_of(week):.0f}") for week in range(week_of(since), week_of(now) + 1)}
    for each in ended:
        if each.week in weeks:
            _add_outcome(weeks[each.week], each)
    total = _lines(open_, ended, lambda _: "all")
    return Report(
        as_of=now,
        counted_at=counted_at,
        since=since,
        total=total[0] if total else Line("all"),
        teams=sorted(_lines(open_, ended, lambda one: one.team or NO_TEAM), key=_worst_first),
        priorities=sorted(_lines(open_, ended, lambda one: one.priority), key=lambda line: line.name),
        metrics=_lines(open_, ended, lambda one: one.metric),
        weeks=list(weeks.values()),
        sources=dict(sources),
    )


def _lines(
    standings: Sequence[Standing], outcomes: Sequence[Outcome], name_of: Callable[[Standing | Outcome], str]
) -> list[Line]:
    lines: dict[str, Line] = {}
    for one in standings:
        line = lines.setdefault(name_of(one), Line(name_of(one)))
        line.on_time += one.count * (one.stage == Stage.OK)
        line.at_risk += one.count * (one.stage == Stage.AT_RISK)
        line.breached += one.count * (one.stage == Stage.BREACHED)
    for each in outcomes:
        _add_outcome(lines.setdefault(name_of(each), Line(name_of(each))), each)
    return [lines[name] for name in sorted(lines)]


def _add_outcome(line: Line, outcome: Outcome) -> None:
    line.met += outcome.count * outcome.is_met
    line.missed += outcome.count * (not outcome.is_met)


def _worst_first(line: Line) -> tuple[int, int, str]:
    return -line.breached, -line.at_risk, line.name
