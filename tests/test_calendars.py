"""Business time: golden cases by hand, the rules for any calendar, and every change of the clocks minute by minute."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from triage import settings_sla
from triage.calendars import HORIZON_DAYS, Calendar, Span
from triage.settings_hours import Hours, week_of

INFINITY = float("inf")


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def made(zone: str, hours: dict[str, str | list[str]] | None = None, **more: object) -> Calendar:
    return Calendar.of(settings_sla.Calendar.model_validate({"time_zone": zone, "hours": hours, **more}))


OFFICE = made("Europe/Berlin", {"mon-fri": "09:00-17:00"}, country="DE", closed=["2026-12-24"])
NIGHT = made("Europe/Berlin", {"mon-sun": "22:00-06:00+1"})
SPLIT = made("America/New_York", {"mon-fri": ["08:00-12:00", "13:00-18:00"], "sat": "09:00-13:00"})


@pytest.mark.parametrize(
    ("calendar", "start", "minutes", "due"),
    [
        # Friday 16:50 in Berlin (CET): ten minutes today, the rest on Monday.
        (OFFICE, "2026-11-20 15:50", 30, "2026-11-23 08:20"),
        # A deadline on closing time stays there.
        (OFFICE, "2026-11-20 15:50", 10, "2026-11-20 16:00"),
        # Before opening, and over our own closed day, a holiday and a weekend.
        (OFFICE, "2026-12-23 05:00", 480, "2026-12-23 16:00"),
        (OFFICE, "2026-12-23 05:00", 481, "2026-12-28 08:01"),
        # The last Sunday of March: the night from 22 to 6 has seven hours.
        (NIGHT, "2026-03-28 21:00", 7 * 60, "2026-03-29 04:00"),
        # The last Sunday of October: nine.
        (NIGHT, "2026-10-24 20:00", 9 * 60, "2026-10-25 05:00"),
        (SPLIT, "2026-11-20 16:50", 20, "2026-11-20 18:10"),
        (SPLIT, "2026-11-20 22:59", 60, "2026-11-21 14:59"),
        (Calendar(), "2026-03-29 00:30", 120, "2026-03-29 02:30"),
    ],
)
def test_due(calendar: Calendar, start: str, minutes: int, due: str) -> None:
    assert calendar.due(at(start), minutes) == at(due)
    assert calendar.elapsed(at(start), at(due)) == minutes


def test_a_pause_moves_the_deadline_by_the_open_time_it_covers() -> None:
    start = at("2026-11-20 09:00")
    over_lunch = (at("2026-11-20 11:00"), at("2026-11-20 12:00"))
    overnight = (at("2026-11-20 16:00"), at("2026-11-23 08:00"))
    assert OFFICE.due(start, 120, [over_lunch]) == at("2026-11-20 11:00")
    assert OFFICE.due(start, 121, [over_lunch]) == at("2026-11-20 12:01")
    assert OFFICE.due(start, 421, [overnight]) == at("2026-11-23 08:01")
    assert OFFICE.elapsed(start, at("2026-11-20 12:30"), [over_lunch, (over_lunch[0], over_lunch[0] + 60)]) == 150


def test_a_pause_without_end_stops_the_clock_and_not_what_was_due_before_it() -> None:
    start = at("2026-11-20 09:00")
    pause = [(at("2026-11-20 10:00"), INFINITY)]
    assert OFFICE.due(start, 60, pause) == at("2026-11-20 10:00")
    assert OFFICE.due(start, 61, pause) is None
    assert OFFICE.elapsed(start, at("2027-11-20 10:00"), pause) == 60


def test_holidays_of_a_state_are_closed_there_only() -> None:
    # Epiphany is a holiday in Bavaria and not in Berlin.
    hours = {"mon-fri": "09:00-17:00"}
    bavaria = made("Europe/Berlin", hours, country="DE", subdivision="BY")
    berlin = made("Europe/Berlin", hours, country="DE", subdivision="BE")
    start, end = at("2026-01-06 00:00"), at("2026-01-07 00:00")
    assert (bavaria.elapsed(start, end), berlin.elapsed(start, end)) == (0, 480)


def test_a_night_shift_ends_at_midnight_before_a_holiday() -> None:
    night = made("Europe/Berlin", {"mon-sun": "22:00-06:00+1"}, closed=["2026-11-25"])
    assert night.elapsed(at("2026-11-24 12:00"), at("2026-11-26 12:00")) == (2 + 6) * 60


def test_a_deadline_that_never_comes_is_said_so_in_time() -> None:
    hour_a_week = made("Europe/Berlin", {"sun": "09:00-10:00"}, country="DE")
    start = time.perf_counter()
    assert hour_a_week.due(at("2026-11-20 00:00"), 365 * 1440) is None
    years_ahead = hour_a_week.due(at("2026-11-20 00:00"), 20 * 52 * 60)
    assert years_ahead is not None and at("2046-01-01 00:00") < years_ahead < at("2048-01-01 00:00")
    assert time.perf_counter() - start < 5
    assert Calendar().due(253_000_000_000, 10_000_000) is None, "the end of the calendar is no crash"


ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/St_Johns",
         "America/Havana", "America/Santiago", "Africa/Casablanca", "Pacific/Apia", "Asia/Gaza")  # fmt: skip
WINDOWS = ("09:00-17:00", "00:00-24:00", "02:00-03:00", "01:30-02:30", "22:00-06:00+1", "23:30-00:30+1", "00:00-01:00")


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    hours: Hours = {}
    for day in draw(st.lists(st.sampled_from(("mon", "wed", "fri", "sat", "sun")), min_size=1, unique=True)):
        text = draw(st.sampled_from(WINDOWS))
        hours[day] = settings_sla.Calendar.model_validate({"hours": {day: text}}).hours[day]  # type: ignore[index]
    closed = draw(st.frozensets(st.dates(date(2025, 1, 1), date(2027, 1, 1)), max_size=3))
    return Calendar(ZoneInfo(draw(st.sampled_from(ZONES))), week_of(hours), closed=closed)


# Whole seconds, from 2025 to 2027.
moments = st.integers(1_735_000_000, 1_830_000_000)
lengths = st.integers(0, 40 * 86_400)
amounts = st.integers(1, 20_000)
pauses = st.lists(st.tuples(moments, lengths).map(lambda one: (float(one[0]), float(one[0] + one[1]))), max_size=4)


@given(calendars(), moments, lengths, lengths, pauses)
def test_time_adds_up(calendar: Calendar, start: int, first: int, second: int, held: list[Span]) -> None:
    middle, end = start + first, start + first + second
    parts = calendar.elapsed(start, middle, held) + calendar.elapsed(middle, end, held)
    assert parts == pytest.approx(calendar.elapsed(start, end, held), abs=1e-6)


@given(calendars(), moments, lengths, lengths, pauses)
def test_more_time_is_never_less(calendar: Calendar, start: int, first: int, more: int, held: list[Span]) -> None:
    shorter = calendar.elapsed(start, start + first, held)
    assert 0 <= shorter <= calendar.elapsed(start, start + first + more, held) + 1e-6
    assert shorter <= calendar.elapsed(start, start + first) + 1e-6, "a pause adds nothing"
    assert shorter <= first / 60 + 1e-6


@settings(max_examples=60)
@given(calendars(), moments, amounts, amounts, lengths, pauses)
def test_deadlines_keep_their_order(
    calendar: Calendar, start: int, minutes: int, more: int, later: int, held: list[Span]
) -> None:
    due = calendar.due(start, minutes, held)
    assert due is not None
    assert calendar.elapsed(start, due, held) == pytest.approx(minutes, abs=1e-6)
    assert calendar.elapsed(start, due - 1, held) < minutes
    for other in (
        calendar.due(start, minutes + more, held),
        calendar.due(start + later, minutes, held),
        calendar.due(start, minutes, [*held, (float(start), float(start + later))]),
    ):
        assert other is None or other >= due


def by_the_minute(calendar: Calendar, start: int, end: int) -> int:
    """Count as a person would: look at the local clock at every minute."""
    count = 0
    for minute in range(start, end, 60):
        local = datetime.fromtimestamp(minute, calendar.zone)
        clock = local.hour * 60 + local.minute
        count += not calendar.is_closed(local.date()) and any(
            begin <= clock < stop for begin, stop in calendar.week[local.weekday()]
        )
    return count


CHANGES = (
    "2025-03-30",
    "2025-10-26",
    "2025-03-09",
    "2025-11-02",
    "2025-04-06",
    "2025-10-05",
    "2025-09-07",
    "2025-04-12",
)


@settings(max_examples=80, deadline=None)
@given(calendars(), st.sampled_from(CHANGES), st.integers(-2160, 1440), st.integers(0, 3000))
@example(made("Europe/Berlin", {"sun": "02:00-03:00"}), "2025-10-26", -1440, 2880)
@example(made("America/Havana", {"sun": "00:00-01:00"}), "2025-11-02", -1440, 2880)
def test_every_minute_around_a_change_of_the_clocks(calendar: Calendar, day: str, shift: int, length: int) -> None:
    start = int(at(day)) + shift * 60
    end = start + length * 60
    counted = by_the_minute(calendar, start, end)
    assert calendar.elapsed(start, end) == counted
    if counted:
        due = calendar.due(start, counted)
        assert due is not None and due <= end
        assert by_the_minute(calendar, start, int(due)) == counted


@given(st.sampled_from(ZONES), moments, lengths)
def test_around_the_clock_is_real_time_in_every_zone(zone: str, start: int, length: int) -> None:
    assert Calendar(ZoneInfo(zone)).elapsed(start, start + length) == pytest.approx(length / 60)


def test_the_horizon_is_further_than_any_target() -> None:
    assert timedelta(days=HORIZON_DAYS) > timedelta(minutes=366 * 1440)
