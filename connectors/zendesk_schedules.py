"""Zendesk's schedules and their holidays.

https://developer.zendesk.com/api-reference/ticketing/ticket-management/schedules/
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from connectors.http import Client
from connectors.schedules import DAY, Schedule, hours_in
from connectors.time_zones import iana_name
from connectors.values import as_dict, ident, number, rows, text, when

SCHEDULES = "/business_hours/schedules.json"
HOLIDAYS = "/business_hours/schedules/{id}/holidays.json"
WEEK = 7 * DAY
LONGEST_HOLIDAY = 366


def schedules(api: Client) -> tuple[Schedule, ...]:
    """Return every schedule with its holidays; FeatureOff where the plan or our role has none."""
    listed = rows(as_dict(api.get(SCHEDULES, optional=True)).get("schedules"))
    return tuple(_schedule(api, raw, is_only=len(listed) == 1) for raw in listed)


def _schedule(api: Client, raw: dict[str, Any], *, is_only: bool) -> Schedule:
    schedule_id = ident(raw.get("id"))
    holidays = as_dict(api.get_if_possible(HOLIDAYS, schedule_id)).get("holidays") if schedule_id else None
    week = week_of(raw.get("intervals"))
    return Schedule(
        name=text(raw.get("name")),
        time_zone=iana_name(text(raw.get("time_zone"))),
        hours=hours_in(week, text(raw.get("name"))),
        closed=tuple(sorted({day for one in rows(holidays) for day in _days(one)})),
        is_default=is_only,
    )


def week_of(intervals: Any) -> list[list[tuple[int, int]]]:
    """Return the opening times by day, Monday first, of intervals in minutes since Sunday 00:00 local time."""
    week: list[list[tuple[int, int]]] = [[] for _ in range(7)]
    for one in rows(intervals):
        begin, end = number(one.get("start_time")), number(one.get("end_time"))
        if begin is None or end is None:
            continue
        first, last = max(0, int(begin)), min(int(end), WEEK)
        if first >= last:
            week[(first // DAY - 1) % 7].append((first % DAY, first % DAY))  # told by whoever puts the week together
        # The vendor promises that no interval runs past midnight; one that does is cut there.
        while first < last:
            midnight = (first // DAY + 1) * DAY
            week[(first // DAY - 1) % 7].append((first % DAY, min(last, midnight) - first // DAY * DAY))
            first = midnight
    return week


def _days(holiday: dict[str, Any]) -> Iterator[date]:
    start, end = when(holiday.get("start_date")), when(holiday.get("end_date"))
    if start is None:
        return
    length = (end.date() - start.date()).days if end else 0
    for step in range(min(max(length, 0), LONGEST_HOLIDAY) + 1):
        yield start.date() + timedelta(days=step)
