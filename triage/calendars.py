"""Business time: how much of it lies between two moments, and when so much of it will have passed.

Moments are UTC seconds since 1970, amounts are minutes. A moment counts when it lies in an opening time of its local
day, the local date is not closed, and no pause covers it. Time that happens twice when the clocks go back counts twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from importlib import import_module
from zoneinfo import ZoneInfo

from triage import settings_sla
from triage.settings_hours import ALWAYS, Week, Window, week_of

DAY_SECONDS = 86_400
UTC = ZoneInfo("UTC")
EPOCH = date(1970, 1, 1).toordinal()
# No zone is further from UTC than 14 hours; a change of the clocks on the day itself lies well inside this.
MARGIN = 16 * 3600
# What lies further ahead than this is never.
HORIZON_DAYS = 366 * 30
LAST_DAY = date.max.toordinal() - 2

Span = tuple[float, float]
"""A half-open interval of moments."""


@dataclass(frozen=True)
class Calendar:
    """The hours that count."""

    zone: ZoneInfo = UTC
    week: Week = ALWAYS
    country: str = ""
    subdivision: str = ""
    closed: frozenset[date] = frozenset()

    @classmethod
    def of(cls, given: settings_sla.Calendar) -> Calendar:
        """Return the calendar an admin has written."""
        week = week_of(given.hours)
        return cls(ZoneInfo(given.time_zone), week, given.country, given.subdivision, frozenset(given.closed))

    def is_closed(self, day: date) -> bool:
        """Say whether the whole local day is off."""
        return day in self.closed or (
            self.country != "" and day in _public_holidays(self.country, self.subdivision, day.year)
        )

    def open_spans(self, start: float, end: float = float("inf")) -> Iterator[Span]:
        """Yield the open spans from `start` until `end` or the horizon, in order."""
        first = _local_day(start, self.zone)
        for ordinal in range(first, min(first + HORIZON_DAYS, LAST_DAY)):
            if (ordinal - EPOCH) * DAY_SECONDS - MARGIN >= end:
                return
            windows = self.week[(ordinal - 1) % 7]
            if not windows or self.is_closed(date.fromordinal(ordinal)):
                continue
            for begin, stop in _spans(self.zone, windows, ordinal):
                if stop > start and begin < end:
                    yield max(begin, start), min(stop, end)

    def elapsed(self, start: float, end: float, pauses: Sequence[Span] = ()) -> float:
        """Return the open minutes from `start` to `end`, without those in `pauses`; 0 where `end` is no later."""
        spans = _without(self.open_spans(start, end), pauses)
        return sum(stop - begin for begin, stop in spans) / 60

    def due(self, start: float, minutes: float, pauses: Sequence[Span] = ()) -> float | None:
        """Return the first moment by which `minutes` of open time have passed since `start`, None for never.

        A deadline that falls on closing time stays there. Never: a pause has no end, or nothing is open long enough.
        """
        left = minutes * 60
        if left <= 0:
            return start
        endless = max((stop for _, stop in pauses), default=0.0) == float("inf")
        until = min((begin for begin, stop in pauses if stop == float("inf")), default=0.0) if endless else float("inf")
        for begin, stop in _without(self.open_spans(start, until), pauses):
            if stop - begin >= left:
                return begin + left
            left -= stop - begin
        return None


def _without(spans: Iterable[Span], pauses: Sequence[Span]) -> Iterator[Span]:
    """Yield `spans` with the parts that lie in `pauses` cut out."""
    holes = sorted(pauses)
    for begin, stop in spans:
        for off, on in holes:
            if on <= begin:
                continue
            if off >= stop:
                break
            if off > begin:
                yield begin, off
            begin = max(begin, on)
        if begin < stop:
            yield begin, stop


def _local_day(moment: float, zone: ZoneInfo) -> int:
    """Return the ordinal of the local date of `moment`."""
    return datetime.fromtimestamp(moment, zone).toordinal()


@lru_cache(maxsize=50_000)
def _spans(zone: ZoneInfo, windows: tuple[Window, ...], ordinal: int) -> tuple[Span, ...]:
    """Return the moments of local day `ordinal` that lie in `windows`."""
    midnight = (ordinal - EPOCH) * DAY_SECONDS
    found: list[Span] = []
    for first, last, offset in _offsets(zone, midnight - MARGIN, midnight + DAY_SECONDS + MARGIN):
        for begin, end in windows:
            span = max(midnight + begin * 60 - offset, first), min(midnight + end * 60 - offset, last)
            if span[0] < span[1]:
                found.append(span)
    return _joined(sorted(found))


def _offsets(zone: ZoneInfo, first: float, last: float) -> list[tuple[float, float, float]]:
    """Return the stretches between `first` and `last` in which the zone's distance from UTC stays the same."""
    before, after = _offset(zone, first), _offset(zone, last)
    if before == after:
        return [(first, last, before)]
    low, high = int(first), int(last)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(zone, middle) == before:
            low = middle
        else:
            high = middle
    return [(first, high, before), (high, last, after)]


def _offset(zone: ZoneInfo, moment: float) -> float:
    found = datetime.fromtimestamp(moment, zone).utcoffset()
    return found.total_seconds() if found else 0.0


def _joined(spans: list[Span]) -> tuple[Span, ...]:
    joined: list[Span] = []
    for begin, end in spans:
        if joined and joined[-1][1] >= begin:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((begin, end))
    return tuple(joined)


@lru_cache(maxsize=500)
def _public_holidays(country: str, subdivision: str, year: int) -> frozenset[date]:
    # Loaded by the first calendar that names a country.
    listed = import_module("holidays").country_holidays(country, subdiv=subdivision or None, years=year)
    return frozenset(listed)
