"""What was promised and how a clock stands: targets by priority, tier, team and brand, and readings at a moment `now`.

Pure. Moments are UTC seconds since 1970, amounts are minutes that count in the calendar.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from zoneinfo import ZoneInfo

from triage import settings_sla
from triage.calendars import Calendar, Span
from triage.settings import Settings
from triage.settings_hours import week_of
from triage.settings_sla import ALWAYS_OPEN, METRICS, Metric, Override, Targets

# Freshdesk says "medium" where Zendesk says "normal"; inside Tandem it is normal.
WORDS = {"medium": "normal"}
# Hours that are quiet all week would keep a message for ever.
LONGEST_QUIET = 3 * 86_400.0
# Behind the desk's prefix.
TAGS = {"at_risk": "sla_at_risk", "breached": "sla_breached"}


class Stage(StrEnum):
    """How near a clock is to its breach."""

    OK = "ok"
    AT_RISK = "at_risk"
    BREACHED = "breached"

    @property
    def weight(self) -> int:
        """Return 0 for ok, 2 for breached."""
        return list(Stage).index(self)


@dataclass(frozen=True)
class Terms:
    """What is promised for one ticket."""

    priority: str
    """P0_critical ..."""
    targets: Mapping[Metric, int]
    """Minutes per clock, only those that are kept."""
    calendar: Calendar
    calendar_name: str
    at_risk: float
    """The share of the target from which a clock is at risk."""


@dataclass(frozen=True)
class Reading:
    """One clock at one moment."""

    target: float
    age: float
    """Minutes that count since it started."""
    due_at: float | None
    """None while it stands still, and where it never runs out."""
    at_risk_at: float | None
    stage: Stage

    @property
    def left(self) -> float:
        """Return the minutes that count until the breach, negative after it."""
        return self.target - self.age

    @property
    def share(self) -> float:
        """Return how much of the target is used up: 1 at the breach."""
        return self.age / self.target

    @property
    def next_check_at(self) -> float | None:
        """Return when the stage will change."""
        return {Stage.OK: self.at_risk_at, Stage.AT_RISK: self.due_at, Stage.BREACHED: None}[self.stage]


def read_clock(start: float, target: float, terms: Terms, now: float, pauses: Sequence[Span] = ()) -> Reading:
    """Return how a clock that started at `start` stands at `now`; a pause without end holds it from there on."""
    calendar = terms.calendar
    due_at = calendar.due(start, target, pauses)
    at_risk_at = calendar.due(start, target * terms.at_risk, pauses)
    return Reading(target, calendar.elapsed(start, now, pauses), due_at, at_risk_at, stage_at(now, at_risk_at, due_at))


def stage_at(now: float, at_risk_at: float | None, due_at: float | None) -> Stage:
    """Return the stage of a clock with these two moments."""
    if due_at is not None and now >= due_at:
        return Stage.BREACHED
    return Stage.AT_RISK if at_risk_at is not None and now >= at_risk_at else Stage.OK


def terms_for(settings: Settings, priority: str, *, tier: str = "", team: str = "", brand: str = "") -> Terms:
    """Return what is promised for a ticket of `priority` (P0_critical ...; any other name is the default one)."""
    sla = settings.sla
    known = settings.priority_of(priority) or settings.priorities[sla.default_priority]
    name = priority if settings.priority_of(priority) else sla.default_priority
    base: dict[Metric, int] = {
        "first_response": known.first_response,
        "next_response": known.next_response or known.first_response,
        "resolution": known.resolution,
    }
    targets: dict[Metric, int] = {}
    calendar = ""
    for override in sla.overrides:
        if _matches(override, tier, team, brand):
            calendar = calendar or override.calendar
            _add(targets, override.priorities.get(name))  # type: ignore[call-overload]
    if "first_response" in targets and known.next_response is None:
        targets.setdefault("next_response", targets["first_response"])
    calendar = calendar or sla.calendar
    merged = base | targets
    kept = {metric: merged[metric] for metric in METRICS if metric in sla.clocks}
    return Terms(name, kept, calendar_of(sla, calendar), calendar, sla.at_risk)


def calendar_of(sla: settings_sla.Sla, name: str) -> Calendar:
    """Return the calendar called `name`; around the clock for `always`."""
    return Calendar() if name == ALWAYS_OPEN or name not in sla.calendars else Calendar.of(sla.calendars[name])


def priority_name(settings: Settings, word: str | None, judged: str) -> str:
    """Return the priority that counts: the helpdesk's word (urgent ...) where one is set, else the `judged` one.

    Two priorities may share a word: then the judged one of them.
    """
    if word is None:
        return judged
    same = [str(name) for name, one in settings.priorities.items() if WORDS.get(one.helpdesk, one.helpdesk) == word]
    return judged if judged in same or not same else same[0]


def _matches(override: Override, tier: str, team: str, brand: str) -> bool:
    wanted = ((override.tier, tier), (override.team, team), (override.brand, brand))
    return all(not names or value.casefold() in [name.casefold() for name in names] for names, value in wanted)


def _add(targets: dict[Metric, int], given: Targets | None) -> None:
    """Take over what `given` names and nobody has named before."""
    for metric in METRICS:
        if given is not None and (minutes := getattr(given, metric)) is not None:
            targets.setdefault(metric, minutes)


def quiet_until(settings: Settings, priority: str, now: float) -> float | None:
    """Return when the quiet hours that hold at `now` are over, None where a message may be sent."""
    quiet = settings.sla.quiet_hours
    if quiet is None or priority in quiet.unless:
        return None
    hours = Calendar(ZoneInfo(quiet.time_zone), week_of(quiet.hours))
    until = now
    for begin, end in hours.open_spans(now, now + LONGEST_QUIET):
        if begin > until:
            break
        until = end
    return until if until > now else None
