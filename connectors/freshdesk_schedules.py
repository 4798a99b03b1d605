"""Freshdesk's business hours; the API lists them without holidays. https://developers.freshdesk.com/api/#business-hours"""

from __future__ import annotations

import re
from typing import Any

from connectors.http import Client
from connectors.schedules import DAY, Schedule, hours_in
from connectors.time_zones import iana_name
from connectors.values import as_dict, rows, text
from triage.errors import Stop

BUSINESS_HOURS = "/business_hours"
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
# "8:00 am" is recorded, "08:00:00 am" is what the vendor's page shows.
TIME = re.compile(r"(\d{1,2}):(\d{2})(?::\d{2})?\s*([ap])\.?m\.?", re.IGNORECASE)
NO_TIME = "the business hours '{}' have a time Tandem cannot read ('{}'): write this calendar by hand"


def schedules(api: Client) -> tuple[Schedule, ...]:
    """Return every set of business hours; FeatureOff where the plan or our role has none."""
    return tuple(_schedule(raw) for raw in rows(api.get(BUSINESS_HOURS, optional=True)))


def _schedule(raw: dict[str, Any]) -> Schedule:
    name = text(raw.get("name"))
    given = as_dict(raw.get("business_hours"))
    week = [_windows(as_dict(given.get(day)), name) for day in WEEKDAYS]
    return Schedule(
        name=name,
        time_zone=iana_name(text(raw.get("time_zone"))),
        # Business hours "24 x 7" list no day.
        hours=hours_in(week, name) if given else {},
        is_default=raw.get("is_default") is True,
    )


def _windows(day: dict[str, Any], name: str) -> list[tuple[int, int]]:
    if not day.get("start_time") or not day.get("end_time"):
        return []
    begin, end = minute_of(text(day["start_time"]), name), minute_of(text(day["end_time"]), name)
    # Midnight as an end is the end of the day.
    return [(begin, end or DAY)]


def minute_of(time: str, name: str) -> int:
    """Return the minute of the day of `8:00 am`."""
    found = TIME.fullmatch(time.strip())
    if not found or int(found[1]) > 12 or int(found[2]) > 59:
        raise Stop(NO_TIME.format(name[:40], time[:20]))
    return int(found[1]) % 12 * 60 + int(found[2]) + (720 if found[3].casefold() == "p" else 0)
