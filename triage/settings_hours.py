"""Weekly hours as an admin writes them: `mon-fri: 09:00-17:00`, `sat: [10:00-12:00, 13:00-15:00]`, `22:00-06:00+1`.

Held as one tuple a day, Monday first, of (begin, end) in minutes since local midnight, sorted, end at most 1440.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY = 1440
WEEK = 7 * DAY
WINDOW = re.compile(r"\s*(\d{1,2}):(\d{2})\s*-\s*(\d{1,2}):(\d{2})(\+1)?\s*")
NO_WINDOW = "is no opening time; write it like 09:00-17:00, or 22:00-06:00+1 when it ends on the next day"
NO_ZONE = "is no time zone; write one of the IANA database, like Europe/Berlin or America/New_York"

Window = tuple[int, int]
"""Begin and end in minutes since the local midnight of the day it begins on; an end beyond 1440 is on the next day."""
Week = tuple[tuple[Window, ...], ...]
ALWAYS: Week = (((0, DAY),),) * 7


def parse_window(text: str) -> Window:
    """Return the window of `09:00-17:00`; `+1` says that it ends on the next day."""
    found = WINDOW.fullmatch(text)
    if not found:
        raise ValueError(NO_WINDOW)
    hour, minute, end_hour, end_minute = (int(part) for part in found.groups()[:4])
    begin, end = hour * 60 + minute, end_hour * 60 + end_minute
    if minute > 59 or end_minute > 59 or begin >= DAY or end > DAY:
        raise ValueError(f"'{text.strip()}' {NO_WINDOW}")
    if found[5]:
        if end > begin:
            raise ValueError(f"'{text.strip()}' is longer than a day; leave out the +1, or write two opening times")
        return begin, end + DAY
    if end <= begin:
        raise ValueError(f"'{text.strip()}' ends before it begins; write +1 behind it if it ends on the next day")
    return begin, end


def _windows(value: Any) -> Any:
    """Return the windows of one key: a text or a list of texts."""
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError(NO_WINDOW)
    windows = sorted(parse_window(text) for text in texts)
    for (_, end), (begin, _) in pairwise(windows):
        if begin < end:
            raise ValueError(f"two opening times overlap at {_clock(begin)}; join them into one")
    return tuple(windows)


def days_of(key: str) -> list[int]:
    """Return the week days of `mon`, `mon-fri` or `sat-mon`, 0 for Monday."""
    first, _, last = (part.strip() for part in key.lower().partition("-"))
    if first not in DAYS or (last or first) not in DAYS:
        raise ValueError("is no day; write mon, tue, wed, thu, fri, sat, sun or a span like mon-fri")
    begin, end = DAYS.index(first), DAYS.index(last or first)
    return [(begin + step) % 7 for step in range((end - begin) % 7 + 1)]


def _day_key(key: str) -> str:
    days_of(key)
    return key


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError):  # unknown, a folder, or a path that leads out of the database
        raise ValueError(NO_ZONE) from None
    return name


Windows = Annotated[tuple[Window, ...], BeforeValidator(_windows)]
DayKey = Annotated[str, AfterValidator(_day_key)]
Hours = dict[DayKey, Windows]
Zone = Annotated[str, AfterValidator(_zone)]


def week_of(hours: Hours | None) -> Week:
    """Return the hours by local day, what runs past midnight cut there; around the clock for None."""
    if hours is None:
        return ALWAYS
    days: list[list[Window]] = [[] for _ in DAYS]
    for day, _, (begin, end) in _spread(hours):
        days[day].append((begin, min(end, DAY)))
        if end > DAY:
            days[(day + 1) % 7].append((0, end - DAY))
    return tuple(tuple(sorted(windows)) for windows in days)


def open_minutes(hours: Hours) -> int:
    """Return the minutes of a week that lie in `hours`, which must not overlap."""
    return sum(end - begin for _, _, (begin, end) in _spread(hours))


def faults(hours: Hours) -> Iterator[tuple[str, str]]:
    """Yield (key, what is wrong) for hours that overlap those of another key, and ("", ...) where nothing is open."""
    taken: dict[int, list[tuple[int, int, str]]] = {}
    for day, key, (begin, end) in _spread(hours):
        for on, first, last in ((day, begin, min(end, DAY)), ((day + 1) % 7, 0, end - DAY)):
            for start, stop, other in taken.get(on, []):
                if first < stop and start < last:
                    yield key, f"overlaps '{other}' on {DAYS[on]} at {_clock(max(first, start))}; open each hour once"
            if last > first:
                taken.setdefault(on, []).append((first, last, key))
    if not taken:
        yield "", "no hour of the week is open; add some, like mon-fri: 09:00-17:00"


def _spread(hours: Hours) -> Iterator[tuple[int, str, Window]]:
    for key, windows in hours.items():
        for day in days_of(key):
            for window in windows:
                yield day, key, window


def _clock(minute: int) -> str:
    return f"{minute % DAY // 60:02}:{minute % 60:02}"
