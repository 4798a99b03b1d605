"""What `/console/sla` and `manage.py sla` show: how the clocks stand, what is near its breach, what to work on first.

Counted from indexes and from what the worker keeps, so that a million clocks cost no more than some hundred
milliseconds. Ids only: no customer text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from triage.settings import Settings
from triage.sla_report import WEEKS, Line, OpenClock, Report, monday_of, report, week_of
from triage.sla_words import NAMES, POLICY, SOURCES, duration
from triage.store import Store
from triage.store.clock_views import REPLIES
from triage.work_list import NOT_ENOUGH, Ranked, WorkList, work_lists
from webhooks.shown import Tile, ticket_url

ROWS = 12
LONGEST_QUEUE = 5000
"""Waiting tickets the work lists are made from, those that are due first."""
MOST_LATE = 500
# The worker counts every five minutes; who finds older figures counts by itself.
KEPT_SECONDS = 900.0
LATE, TOO_MANY = "late already, most important first", "more than the team can answer in time at its usual pace"
FEW = "less than one answer to expect in this time"
MISSED = "Missed: late, ended or still open. Those still open stand under breached, too."
GOOD, FAIR = 0.95, 0.8


@dataclass(frozen=True)
class Place:
    """Which clocks are shown."""

    desk: str = ""
    """Empty is all of them."""
    since: float = 0.0
    """From which week on attainment is shown; 0 is eight weeks."""

    def start(self, now: float) -> float:
        """Return the Monday attainment is shown from."""
        return monday_of(week_of(self.since) if self.since else week_of(now) - WEEKS + 1)


@dataclass(frozen=True)
class SlaPage:
    """Everything on the page."""

    place: Place
    desks: list[str]
    report: Report
    tiles: list[Tile]
    nearest: list[OpenClock]
    overdue: list[OpenClock]
    work: list[WorkList]
    links: dict[tuple[str, str], str]
    """(desk, ticket id) -> the agent's page of the ticket."""

    @property
    def sources(self) -> str:
        """Return whose clocks these are."""
        return source_words(self.report.sources)


def look(store: Store, settings: Settings, place: Place, now: float) -> SlaPage:
    """Return the page at `now`."""
    views, start = store.clock_views, place.start(now)
    outcomes, counted_at = views.kept_outcomes(start, now, KEPT_SECONDS)
    ours = [one for one in outcomes if place.desk in ("", one.desk)]
    found = report(views.standings(place.desk), ours, now, start, counted_at)
    nearest, overdue = views.due_next(now, ROWS, place.desk), views.overdue(now, ROWS, place.desk)
    work = work_of(store, settings, place.desk, now)
    return SlaPage(
        place=place,
        desks=sorted(settings.desks),
        report=found,
        tiles=_tiles(found),
        nearest=nearest,
        overdue=overdue,
        work=work,
        links=links_of(settings, work, (*nearest, *overdue)),
    )


def links_of(
    settings: Settings, work: Sequence[WorkList], clocks: Sequence[OpenClock] = ()
) -> dict[tuple[str, str], str]:
    """Return the agents' pages of all tickets shown, by (desk, ticket id)."""
    shown = [*clocks, *(each.clock for one in work for each in (*one.first, *one.lost))]
    return {(one.desk, one.ticket_id): ticket_url(settings, one.desk, one.ticket_id) for one in shown}


def work_of(store: Store, settings: Settings, desk: str, now: float, hours: float = 1.0) -> list[WorkList]:
    """Return what each team should work on in the next `hours`."""
    views = store.clock_views
    queue = views.due_next(now, LONGEST_QUEUE, desk, REPLIES) + views.overdue(now, MOST_LATE, desk, REPLIES)
    return work_lists(queue, views.learned([desk] if desk else settings.desks), now, hours * 3600)


def source_words(sources: dict[str, int]) -> str:
    """Return whose clocks are shown: `by policy`, or both with their numbers."""
    words = [(SOURCES.get(name, POLICY), count) for name, count in sorted(sources.items())]
    if len(words) < 2:
        return words[0][0] if words else "no clock is running"
    return " and ".join(f"{word} ({count:,})" for word, count in words)


def chance(probability: float | None) -> str:
    """Return a probability as it is shown; empty where it is not known."""
    return "" if probability is None else f"{probability:.0%}"


def left(clock: OpenClock, now: float) -> str:
    """Return how long a clock has, as the wall clock counts."""
    minutes = (clock.due_at - now) / 60
    return f"in {duration(minutes)}" if minutes >= 0 else f"{duration(-minutes)} ago"


def metric_words(metric: str) -> str:
    """Return the name of a metric."""
    return {str(key): words for key, words in NAMES.items()}.get(metric, metric)


def given_up(one: WorkList) -> list[tuple[str, tuple[Ranked, ...], str]]:
    """Return (words, tickets, how it looks) of what will not be answered in time, as far as there is some."""
    groups = ((TOO_MANY, one.too_many, "advice"), (LATE, one.late, "problem"))
    return [(words, rows, style) for words, rows, style in groups if rows]


def how(one: WorkList) -> str:
    """Return by what a work list is ordered."""
    if not one.is_learned:
        return NOT_ENOUGH
    answers = f"{one.capacity:.0f} answer{'s' if one.capacity >= 1.5 else ''}"
    return f"about {answers} to expect in this time" if one.capacity >= 1 else FEW


def as_json(page: SlaPage) -> dict[str, Any]:
    """Return the page for programs."""
    found = page.report
    return {
        "as_of": found.as_of,
        "counted_at": found.counted_at,
        "since": found.since,
        "desk": page.place.desk or None,
        "sources": found.sources,
        "total": _line_json(found.total),
        "teams": [_line_json(line) for line in found.teams],
        "priorities": [_line_json(line) for line in found.priorities],
        "metrics": [_line_json(line) for line in found.metrics],
        "weeks": [_line_json(line) | {"name": None, "begins": float(line.name)} for line in found.weeks],
        "nearest": [_clock_json(one, page) for one in page.nearest],
        "overdue": [_clock_json(one, page) for one in page.overdue],
        "work": work_json(page.work, page.links),
    }


def work_json(work: Sequence[WorkList], links: dict[tuple[str, str], str]) -> list[dict[str, Any]]:
    """Return work lists for programs."""

    def ranked(each: Ranked) -> dict[str, Any]:
        clock = each.clock
        shown = {name: getattr(clock, name) for name in ("ticket_id", "metric", "priority", "tier", "source", "due_at")}
        return shown | {"probability": each.probability, "url": links.get((clock.desk, clock.ticket_id), "")}

    return [
        {
            "desk": one.desk,
            "team": one.team,
            "is_learned": one.is_learned,
            "note": how(one),
            "capacity": round(one.capacity, 2),
            "first": [ranked(each) for each in one.first],
            "later": one.later,
            "lost": [ranked(each) for each in one.lost],
        }
        for one in work
    ]


def level(share: float | None) -> str:
    """Return how good an attainment is: ok, warning, bad, or nothing."""
    if share is None:
        return ""
    return "ok" if share >= GOOD else "warning" if share >= FAIR else "bad"


def _tiles(found: Report) -> list[Tile]:
    total, share = found.total, found.total.attainment
    return [
        Tile("At risk", f"{total.at_risk:,}", *(("warning", "soon late") if total.at_risk else ("ok", "none"))),
        Tile("Breached and open", f"{total.breached:,}", *(("bad", "late") if total.breached else ("ok", "none"))),
        Tile("Open and on time", f"{total.on_time:,}"),
        Tile("Met in time", "–" if share is None else percent(share), level(share), f"since {day(found.since)}"),
    ]


def percent(share: float) -> str:
    """Return a share; never 100 % while something was missed."""
    return f"{min(share, 0.999) if share < 1 else 1:.1%}".replace(".0%", "%")


def day(moment: float) -> str:
    """Return a date without its year."""
    return datetime.fromtimestamp(moment, UTC).strftime("%d %b")


def _line_json(line: Line) -> dict[str, Any]:
    names = ("name", "on_time", "at_risk", "breached", "met", "missed", "attainment")
    return {name: getattr(line, name) for name in names}


def _clock_json(clock: OpenClock, page: SlaPage) -> dict[str, Any]:
    shown = {name: getattr(clock, name) for name in OpenClock.__dataclass_fields__}
    return shown | {"url": page.links.get((clock.desk, clock.ticket_id), "")}


def source_word(source: str) -> str:
    """Return whose clock one is."""
    return "helpdesk" if source in SOURCES else "policy"


FILTERS: dict[str, Callable[..., object]] = {
    "chance": chance,
    "day": day,
    "given_up": given_up,
    "how": how,
    "left": left,
    "level": level,
    "metric_words": metric_words,
    "percent": percent,
    "source_word": source_word,
}
