"""Periods of time as they are written on the command line: `90d`, `36h`, `2026-11-01`, `2026-11-01T12:00Z`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from triage.errors import SettingsError
from triage.settings_base import parse_minutes

WRONG = "{option} {given} is no time; write it like 90d, 36h, 2026-11-01 or 2026-11-01T12:00Z"
BACKWARDS = "--since {since} is not before --until {until}"
LONGEST = 40


def moment(option: str, given: str, now: datetime) -> datetime:
    """Return the time `given` names: so long before `now`, or a date (its first moment, UTC)."""
    text = given.strip()
    try:
        if len(text) > LONGEST:
            raise ValueError
        if text[-1:] in ("m", "h", "d"):
            return now - timedelta(minutes=int(parse_minutes(text)))
        found = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise SettingsError(WRONG.format(option=option, given=given[:LONGEST])) from None
    return found.replace(tzinfo=found.tzinfo or UTC)


def period(since: str, until: str, now: datetime) -> tuple[datetime, datetime]:
    """Return both ends; an empty `until` is now. Raises SettingsError naming the option."""
    end = moment("--until", until, now) if until else now
    start = moment("--since", since, now)
    if start >= end:
        raise SettingsError(BACKWARDS.format(since=since, until=until or "now"))
    return start, end
