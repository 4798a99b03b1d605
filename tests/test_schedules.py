"""Business hours of both helpdesks as ours: recorded lists, the sandbox, and what neither should send."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import responses
from hypothesis import given
from hypothesis import strategies as st
from test_connector_recordings import Recordings, connector_of
from test_connector_sandbox import CREDENTIALS, Box

from connectors.freshdesk_schedules import minute_of
from connectors.schedules import DAY, DAYS, Schedule, hours_of, is_always_open, joined
from connectors.time_zones import ZONES, iana_name
from connectors.zendesk_schedules import week_of
from sandbox.config import SandboxConfig
from sandbox.testing import running
from triage import settings_sla
from triage.calendars import Calendar
from triage.errors import FeatureOff, Stop
from triage.settings import Settings

Desks = Callable[[str], Recordings]


@pytest.fixture
def desk() -> Iterator[Desks]:
    """Return a helpdesk of recordings for a vendor."""
    with responses.RequestsMock() as mock:

        def open_(vendor: str) -> Recordings:
            found = Recordings(vendor, mock)
            if vendor == "zendesk":
                found.answer("token")
            return found

        yield open_


class TestTimeZones:
    def test_every_name_stands_for_a_zone_there_is(self) -> None:
        assert len(ZONES) == 151
        for name, zone in ZONES.items():
            assert ZoneInfo(zone).key == zone
            assert iana_name(name.upper()) == zone

    def test_a_name_of_the_iana_database_stays(self) -> None:
        assert iana_name(" Europe/Berlin ") == "Europe/Berlin"

    @pytest.mark.parametrize("name", ["Atlantis", "", "../../etc/passwd", "Europe"])
    def test_any_other_name_is_named(self, name: str) -> None:
        with pytest.raises(Stop, match=f"'{name}' is no time zone"):
            iana_name(name)


class TestRecorded:
    def test_zendesk(self, desk: Desks, settings: Settings) -> None:
        recordings = desk("zendesk")
        recordings.answer("schedules")
        recordings.answer("holidays")
        [found] = connector_of("zendesk", settings).schedules()
        # "New Caledonia" there; 1980 minutes after Sunday 00:00 is Monday 09:00.
        assert found == Schedule(
            name="Test Schedule",
            time_zone="Pacific/Noumea",
            hours={"mon-thu": ["09:00-17:00"], "fri": ["10:30-18:30"]},
            closed=(date(2026, 12, 24), date(2026, 12, 25), date(2026, 12, 26), date(2027, 1, 1)),
            is_default=True,
        )
        assert found.key == "test-schedule"

    def test_freshdesk(self, desk: Desks, settings: Settings) -> None:
        desk("freshdesk").answer("business_hours")
        [found] = connector_of("freshdesk", settings).schedules()
        hours = {"mon-fri": ["08:00-17:00"]}
        assert found == Schedule("Default", "Asia/Magadan", hours, is_default=True)

    def test_without_its_holidays_a_schedule_is_still_one(self, desk: Desks, settings: Settings) -> None:
        recordings = desk("zendesk")
        recordings.answer("schedules")
        recordings.answer(
            "forbidden", method="GET", path="/api/v2/business_hours/schedules/4567312249615/holidays.json"
        )
        assert connector_of("zendesk", settings).schedules()[0].closed == ()

    @pytest.mark.parametrize(
        ("vendor", "path"),
        [("zendesk", "/api/v2/business_hours/schedules.json"), ("freshdesk", "/api/v2/business_hours")],
    )
    def test_forbidden_is_a_feature_that_is_off(self, desk: Desks, settings: Settings, vendor: str, path: str) -> None:
        desk(vendor).answer("forbidden", method="GET", path=path)
        with pytest.raises(FeatureOff):
            connector_of(vendor, settings).schedules()

    def test_a_zone_nobody_knows_stops_and_is_named(self, desk: Desks, settings: Settings) -> None:
        desk("freshdesk").answer("business_hours", lambda body: body[0].update(time_zone="Atlantis"))
        with pytest.raises(Stop, match="'Atlantis' is no time zone"):
            connector_of("freshdesk", settings).schedules()


class TestSandbox:
    def of(self, vendor: str, **settings: Any) -> tuple[Schedule, ...]:
        with running(replace(SandboxConfig(**CREDENTIALS), **settings)) as found:
            return Box(found, vendor).connector.schedules()

    def test_zendesk(self) -> None:
        [found] = self.of("zendesk")
        assert (found.time_zone, found.hours) == ("Europe/London", {"mon-fri": ["09:00-17:00"]})
        assert date(2030, 6, 6) in found.closed

    def test_freshdesk(self) -> None:
        [found] = self.of("freshdesk")
        assert (found.time_zone, found.hours) == ("America/New_York", {"mon-fri": ["08:00-17:00"]})

    @pytest.mark.parametrize(
        ("vendor", "settings"), [("zendesk", {"zendesk_schedules": False}), ("freshdesk", {"freshdesk_admin": False})]
    )
    def test_off(self, vendor: str, settings: dict[str, Any]) -> None:
        with pytest.raises(FeatureOff):
            self.of(vendor, **settings)


class TestHours:
    @pytest.mark.parametrize(
        ("time", "minute"),
        [("8:00 am", 480), ("08:00:00 am", 480), ("12:00 AM", 0), ("12:30 pm", 750), ("11:59 p.m.", 1439)],
    )
    def test_freshdesk_times(self, time: str, minute: int) -> None:
        assert minute_of(time, "x") == minute

    @pytest.mark.parametrize("time", ["8", "13:00 pm", "8:61 am", "noon"])
    def test_other_times_are_named(self, time: str) -> None:
        with pytest.raises(Stop, match=f"'Night' have a time .*'{time}'"):
            minute_of(time, "Night")

    def test_freshdesk_hours_that_end_at_midnight(self, desk: Desks, settings: Settings) -> None:
        late = {"start_time": "5:00 pm", "end_time": "12:00 am"}
        desk("freshdesk").answer("business_hours", lambda body: body[0].update(business_hours={"sunday": late}))
        [found] = connector_of("freshdesk", settings).schedules()
        assert found.hours == {"sun": ["17:00-24:00"]}

    def test_a_day_without_hours_is_closed_and_a_week_without_is_round_the_clock(
        self, desk: Desks, settings: Settings
    ) -> None:
        desk("freshdesk").answer("business_hours", lambda body: body[0].update(business_hours={}))
        [found] = connector_of("freshdesk", settings).schedules()
        assert found.hours == {}

    @pytest.mark.parametrize("vendor", ["zendesk", "freshdesk"])
    def test_hours_that_cannot_be_taken_over_are_said_and_never_round_the_clock(
        self, vendor: str, desk: Desks, settings: Settings
    ) -> None:
        backwards = {"monday": {"start_time": "5:00 pm", "end_time": "9:00 am"}}
        if vendor == "zendesk":
            backwards_list = [{"start_time": 3000, "end_time": 2000}]
            desk(vendor).answer("schedules", lambda body: body["schedules"][0].update(intervals=backwards_list))
        else:
            desk(vendor).answer("business_hours", lambda body: body[0].update(business_hours=backwards))
        with pytest.raises(Stop, match="ends before it begins: write this calendar by hand"):
            connector_of(vendor, settings).schedules()

    def test_a_schedule_without_an_open_hour_is_said(self, desk: Desks, settings: Settings) -> None:
        desk("zendesk").answer("schedules", lambda body: body["schedules"][0].update(intervals=[]))
        with pytest.raises(Stop, match="have no open hour"):
            connector_of("zendesk", settings).schedules()

    def test_all_day_every_day(self) -> None:
        week = week_of([{"start_time": 0, "end_time": 7 * DAY}])
        assert is_always_open(week)
        assert not is_always_open([*week[:6], []])

    def test_an_interval_past_midnight_is_cut_there(self) -> None:
        week = week_of([{"start_time": DAY - 60, "end_time": DAY + 60}, {"start_time": None, "end_time": 5}, "x"])
        assert hours_of(week) == {"mon": ["00:00-01:00"], "sun": ["23:00-24:00"]}

    @given(st.lists(st.tuples(st.integers(0, 7 * DAY - 1), st.integers(1, DAY)), min_size=1, max_size=12))
    def test_what_is_written_counts_as_many_minutes_as_the_helpdesk_counts(self, given: list[tuple[int, int]]) -> None:
        intervals = [{"start_time": begin, "end_time": min(begin + length, 7 * DAY)} for begin, length in given]
        week = week_of(intervals)
        open_minutes = len({minute for one in intervals for minute in range(one["start_time"], one["end_time"])})
        assert sum(end - begin for day in week for begin, end in joined(day)) == open_minutes
        if is_always_open(week):
            return
        ours = Calendar.of(settings_sla.Calendar.model_validate({"hours": hours_of(week)}))
        sunday = 4 * 86_400.0 - 86_400  # 1970-01-04 was a Sunday
        assert ours.elapsed(sunday, sunday + 7 * 86_400) == open_minutes
        assert next(iter(hours_of(week))).split("-")[0] in DAYS
