"""A helpdesk's business hours in the words of `sla.calendars`; how each vendor writes them is in its own file."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby

from triage.errors import Stop

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY = 1440
NAME_LENGTH = 40
NO_WINDOW = "the business hours '{}' have an opening time that ends before it begins: write this calendar by hand"
NEVER_OPEN = "the business hours '{}' have no open hour: write this calendar by hand, or open some there"
NOT_A_NAME = re.compile(r"[^a-z0-9]+")

Windows = Sequence[tuple[int, int]]
"""Begin and end in minutes since the local midnight, the end 1440 at most."""


@dataclass(frozen=True)
class Schedule:
    """One set of business hours."""

    name: str
    """As the helpdesk shows it."""
    time_zone: str
    """Of the IANA database."""
    hours: dict[str, list[str]] = field(default_factory=dict)
    """`mon-fri` -> `09:00-17:00`; empty is around the clock."""
    closed: tuple[date, ...] = ()
    is_default: bool = False

    @property
    def key(self) -> str:
        """Return the name as a key of the settings file."""
        plain = unicodedata.normalize("NFKD", self.name.casefold()).encode("ascii", "ignore").decode()
        return NOT_A_NAME.sub("-", plain).strip("-")[:NAME_LENGTH] or "helpdesk"


def hours_in(week: Sequence[Windows], name: str) -> dict[str, list[str]]:
    """Return what `Schedule.hours` holds. Raises Stop for times that cannot be taken over as they are meant."""
    if any(begin >= end for day in week for begin, end in day):
        raise Stop(NO_WINDOW.format(name[:NAME_LENGTH]))
    if not any(week):
        raise Stop(NEVER_OPEN.format(name[:NAME_LENGTH]))
    return {} if is_always_open(week) else hours_of(week)


def hours_of(week: Sequence[Windows]) -> dict[str, list[str]]:
    """Return opening times by day, Monday first; days in a row that open alike are put together."""
    found: dict[str, list[str]] = {}
    place = 0
    for windows, group in groupby(week, key=lambda day: tuple(joined(day))):
        last = place + len(list(group)) - 1
        if windows:
            name = DAYS[place] if last == place else f"{DAYS[place]}-{DAYS[last]}"
            found[name] = [f"{clock(begin)}-{clock(end)}" for begin, end in windows]
        place = last + 1
    return found


def joined(windows: Windows) -> list[tuple[int, int]]:
    """Return the windows in order, those that touch or overlap as one, empty ones left out."""
    whole: list[tuple[int, int]] = []
    for begin, end in sorted(window for window in windows if window[0] < window[1]):
        if whole and begin <= whole[-1][1]:
            whole[-1] = whole[-1][0], max(end, whole[-1][1])
        else:
            whole.append((begin, end))
    return whole


def clock(minute: int) -> str:
    """Return a minute of the day as `09:00`."""
    return f"{minute // 60:02}:{minute % 60:02}"


def is_always_open(week: Iterable[Windows]) -> bool:
    """Say whether no minute of the week is closed."""
    return all(joined(day) == [(0, DAY)] for day in week)
