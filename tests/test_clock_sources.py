"""Whose clock counts: the helpdesk's own or our policy's, for one ticket and as the workers store it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_clocks import START, after, clock, ticket
from test_connector_sandbox import CREDENTIALS, Box

from sandbox.config import SandboxConfig
from sandbox.testing import Running, running
from triage.clock_sources import PATIENCE_SECONDS, SETTLED_SECONDS, clocks_of
from triage.clocks import FOREVER, HELPDESK, POLICY, Held, Picture
from triage.settings import Settings
from triage.settings_file import parse_settings
from triage.sla import Stage
from triage.sla_words import note_line, stage_lines
from triage.store import Store
from triage.ticket import ClockState, HelpdeskClock, Status
from workers.clocks import follow

RUNNING, PAUSED, MET, UNSET = ClockState.RUNNING, ClockState.PAUSED, ClockState.MET, ClockState.UNSET
PLAIN = Settings()
OFFICE = parse_settings(
    "desks: {}\nsla: {calendar: office, calendars: {office: {time_zone: UTC, hours: {mon-fri: 09:00-17:00}}}}", {}
)


def own(metric: str, state: ClockState, due: float | None = None, met: float | None = None) -> HelpdeskClock:
    return HelpdeskClock(metric, state, None if due is None else after(due), None if met is None else after(met))


def counted(minutes: float, *clocks: HelpdeskClock, settings: Settings = PLAIN, **more: Any) -> Picture:
    lines = more.pop("lines", (("c", 0),))
    one = ticket(*lines, clocks=clocks, **more.pop("changes", {}))
    return clocks_of(one, settings, after(minutes).timestamp(), **more)


def test_the_helpdesks_time_counts() -> None:
    # Our policy would give 60 minutes.
    picture = counted(20, own("first_response", RUNNING, 30))
    first = clock(picture, "first_response")
    assert (first.source, first.reading.target, first.reading.left) == (HELPDESK, 30, 10)
    assert first.reading.at_risk_at == after(22.5).timestamp()
    assert first.next_check_at == first.reading.at_risk_at
    assert clock(picture, "resolution").source == POLICY
    assert note_line(picture) == "SLA by the helpdesk's clock: first response within 30 min, 10 min left."
    assert any(line.endswith("by policy") for line in stage_lines(picture))


@pytest.mark.parametrize(("minutes", "stage"), [(22, Stage.OK), (23, Stage.AT_RISK), (30, Stage.BREACHED)])
def test_its_stages(minutes: float, stage: Stage) -> None:
    assert counted(minutes, own("first_response", RUNNING, 30)).stage is stage


def test_our_policy_counts_where_it_is_told_to() -> None:
    policy = parse_settings("desks: {}\nsla: {source: policy}", {})
    assert clock(counted(20, own("first_response", RUNNING, 30), settings=policy), "first_response").source == POLICY


def test_what_the_helpdesk_counts_as_answered_is() -> None:
    first = clock(counted(50, own("first_response", MET, 30, 25)), "first_response")
    assert (first.state, first.ended_at, first.reading.stage) == ("met", after(25).timestamp(), Stage.AT_RISK)
    late = clock(counted(50, own("first_response", MET, 30, 40)), "first_response")
    assert late.reading.stage is Stage.BREACHED
    unknown = clock(counted(50, own("first_response", MET)), "first_response")
    assert (unknown.state, unknown.source, unknown.next_check_at) == ("met", HELPDESK, None)


def test_an_answer_we_see_counts_although_the_helpdesk_lags_behind() -> None:
    picture = counted(50, own("first_response", RUNNING, 30), lines=(("c", 0), ("a", 10)))
    first = clock(picture, "first_response")
    assert (first.state, first.ended_at, first.reading.stage) == ("met", after(10).timestamp(), Stage.OK)


def test_a_clock_that_stands_still_is_never_breached() -> None:
    picture = counted(500, own("first_response", PAUSED))
    first = clock(picture, "first_response")
    assert (first.state, first.reading.stage, first.next_check_at) == ("paused", Stage.AT_RISK, None)
    assert clock(counted(10, own("first_response", PAUSED)), "first_response").reading.stage is Stage.OK


def test_what_was_late_before_it_stood_still_stays_late() -> None:
    held = Held(paused=((after(40).timestamp(), FOREVER),))
    late = clock(counted(60, own("first_response", PAUSED, 30), held=held), "first_response")
    assert (late.state, late.reading.stage) == ("breached", Stage.BREACHED)
    early = clock(counted(60, own("first_response", PAUSED, 50), held=held), "first_response")
    assert early.state == "paused"


def test_it_runs_where_the_helpdesk_lets_it_run_while_pending() -> None:
    held = Held(paused=((after(5).timestamp(), FOREVER),))
    changes = {"status": Status.PENDING, "status_since": after(5)}
    picture = counted(20, own("first_response", RUNNING, 15), changes=changes, held=held)
    assert (clock(picture, "first_response").state, picture.stage) == ("breached", Stage.BREACHED)


def test_only_the_present_round_is_the_helpdesks() -> None:
    lines = (("c", 0), ("a", 5), ("c", 10), ("a", 20), ("c", 30))
    picture = counted(40, own("next_response", RUNNING, 45), lines=lines)
    rounds = [one for one in picture.clocks if one.metric == "next_response"]
    assert [(one.source, one.state) for one in rounds] == [(POLICY, "met"), (HELPDESK, "running")]
    assert rounds[1].reading.target == 15


def test_a_time_that_is_not_worked_out_yet_is_looked_at_soon() -> None:
    young = clock(counted(0.5, own("first_response", UNSET)), "first_response")
    assert (young.source, young.next_check_at) == (POLICY, after(0.5).timestamp() + SETTLED_SECONDS)
    old = clock(counted(PATIENCE_SECONDS / 60, own("first_response", UNSET)), "first_response")
    assert old.next_check_at == old.reading.at_risk_at


def test_after_another_priority_it_is_looked_at_again() -> None:
    shown = own("first_response", RUNNING, 300)
    changed = clock(counted(5, shown, priority_before="P3_low"), "first_response")
    assert changed.next_check_at == after(5).timestamp() + SETTLED_SECONDS
    same = clock(counted(5, shown, priority_before="P1_high"), "first_response")
    assert same.next_check_at == same.reading.at_risk_at


def test_minutes_count_in_our_calendar() -> None:
    # Friday 12:00; due on Monday 10:00 is six open hours ahead.
    first = clock(counted(0, own("first_response", RUNNING, 70 * 60), settings=OFFICE), "first_response")
    assert first.reading.target == 360
    assert first.reading.at_risk_at == after(4.5 * 60).timestamp()
    # Due on Saturday morning, when we are closed: the calendars differ, and Friday's five hours are the promise.
    closed = clock(counted(6 * 60, own("first_response", RUNNING, 22 * 60), settings=OFFICE), "first_response")
    assert (closed.reading.target, closed.reading.stage) == (300, Stage.AT_RISK)


def test_a_ticket_of_the_weekend_that_is_due_before_we_open_counts_every_minute() -> None:
    saturday = START + timedelta(days=1)
    one = ticket(("c", 24 * 60), clocks=(HelpdeskClock("first_response", RUNNING, saturday + timedelta(hours=1)),))
    picture = clocks_of(one, OFFICE, (saturday + timedelta(minutes=50)).timestamp())
    assert clock(picture, "first_response").reading.left == 10


@given(
    st.floats(-100, 3000),
    st.floats(0, 3000),
    st.sampled_from(list(ClockState)),
    st.sampled_from([PLAIN, OFFICE]),
    st.sampled_from([(("c", 0),), (("c", 0), ("a", 30)), (("c", 0), ("a", 30), ("c", 60))]),
)
def test_whatever_the_helpdesk_says_the_clock_can_be_stored(
    due: float, now: float, state: ClockState, settings: Settings, lines: tuple[tuple[str, float], ...]
) -> None:
    clocks = [own(metric, state, due, due) for metric in ("first_response", "next_response", "resolution")]
    for one in counted(now, *clocks, settings=settings, lines=lines).clocks:
        assert one.reading.target > 0
        assert one.reading.age >= 0
        assert one.is_open == (one.ended_at is None)
        if one.is_open and one.state != "breached" and one.reading.due_at is not None:
            assert one.next_check_at is not None
        if one.state == "paused":
            assert one.reading.stage is not Stage.BREACHED


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Running]:
    with running(SandboxConfig(**CREDENTIALS, zendesk_slas=True, freshdesk_due_delay=0.5)) as found:
        yield found


@pytest.fixture(params=["zendesk", "freshdesk"])
def box(request: pytest.FixtureRequest, sandbox: Running) -> Box:
    return Box(sandbox, request.param)


class TestStored:
    """Sandbox, connector, `follow` and database together."""

    def look(self, box: Box, number: str, store: Store, minutes: float) -> dict[str, tuple[str, str, str]]:
        settings = Settings(desks={"desk": box.settings})
        follow(box.connector.look(number), settings, store, time.time() + minutes * 60, edits_notes=False)
        rows = store.clocks.of_ticket("desk", number)
        return {row.metric: (row.source, row.state, row.stage) for row in rows}

    def test_from_question_to_answer(self, box: Box, store: Store) -> None:
        number = box.ticket()
        found = self.look(box, number, store, 0)
        assert found["first_response"] == ("policy", "running", "ok")
        if box.vendor == "freshdesk":
            # Its due times come some seconds later: the clock is looked at again soon.
            [first, _] = store.clocks.of_ticket("desk", number)
            assert first.next_check_at and first.next_check_at < time.time() + SETTLED_SECONDS + 1
        time.sleep(0.6)
        box.act(number, priority="urgent")
        time.sleep(0.6 if box.vendor == "freshdesk" else 0)
        assert self.look(box, number, store, 14)["first_response"] == ("helpdesk", "running", "at_risk")
        assert self.look(box, number, store, 20)["first_response"] == ("helpdesk", "breached", "breached")
        box.act(number, reply="On it.")
        assert self.look(box, number, store, 21)["first_response"][:2] == ("helpdesk", "met")

    def test_a_plan_without_counts_by_policy(self, store: Store) -> None:
        with running(SandboxConfig(**CREDENTIALS, freshdesk_slas=False)) as found:
            for vendor in ("zendesk", "freshdesk"):
                box = Box(found, vendor)
                number = box.ticket()
                box.act(number, priority="urgent")
                shown = self.look(box, number, store, 14)
                assert set(shown.values()) == {("policy", "running", "at_risk"), ("policy", "running", "ok")}
