"""The helpdesks' own SLA clocks: as recorded, as the sandbox keeps them, and at no cost where the plan has none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
import responses
import time_machine
from test_connector_recordings import NOW, Recordings, connector_of, exchange
from test_connector_sandbox import CREDENTIALS, Box

from connectors import freshdesk_clocks, open_connector
from connectors.budget import Budget
from connectors.cache import Cache
from connectors.zendesk_clocks import OFF_SECONDS, SlaProbe, clocks
from sandbox.config import SandboxConfig
from sandbox.testing import Running, running
from triage.settings import Settings
from triage.ticket import ClockState, HelpdeskClock, Ticket

RUNNING, PAUSED, MET, UNSET = ClockState.RUNNING, ClockState.PAUSED, ClockState.MET, ClockState.UNSET
METRICS_PATH = "/api/v2/tickets/4017/slas/policy_metrics.json"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def states(ticket: Ticket) -> dict[str, ClockState]:
    return {one.metric: one.state for one in ticket.clocks}


class TestFreshdeskRecorded:
    def clocks(self, **changes: Any) -> dict[str, HelpdeskClock]:
        body = exchange("freshdesk", "ticket_with_stats")["response"]["body"]
        body["stats"] |= changes.pop("stats", {})
        return {one.metric: one for one in freshdesk_clocks.clocks(body | changes)}

    def test_what_is_met_says_when(self) -> None:
        found = self.clocks()
        assert set(found) == {"first_response", "resolution"}
        first = found["first_response"]
        assert first == HelpdeskClock("first_response", MET, at("2016-05-18T05:36:04"), at("2020-06-17T20:23:43"))

    def test_what_is_not_runs(self) -> None:
        found = self.clocks(stats={"resolved_at": None}, nr_due_by="2020-06-26T01:00:00Z")
        assert found["resolution"] == HelpdeskClock("resolution", RUNNING, at("2016-05-18T23:36:04"))
        assert found["next_response"].due_at == at("2020-06-26T01:00:00")

    @pytest.mark.parametrize(
        "changes", [{"status": 3}, {"status": 6}, {"status": 7}, {"stats": {"pending_since": "2020-06-26T01:00:00Z"}}]
    )
    def test_what_waits_for_the_customer_stands_still(self, changes: dict[str, Any]) -> None:
        stats = {"resolved_at": None} | changes.get("stats", {})
        assert self.clocks(**(changes | {"stats": stats}))["resolution"] == HelpdeskClock("resolution", PAUSED)

    def test_null_is_not_worked_out_yet_and_no_key_is_no_clock(self) -> None:
        assert self.clocks(due_by=None, fr_due_by=None, nr_due_by=None) == {
            "first_response": HelpdeskClock("first_response", UNSET),
            "resolution": HelpdeskClock("resolution", UNSET),
        }
        body = exchange("freshdesk", "ticket_with_stats")["response"]["body"]
        bare = {key: value for key, value in body.items() if "due_by" not in key}
        assert freshdesk_clocks.clocks(bare) == ()


class TestZendeskRecorded:
    @pytest.fixture
    def desk(self) -> Iterator[Recordings]:
        with (
            responses.RequestsMock(assert_all_requests_are_fired=False) as mock,
            time_machine.travel(NOW["zendesk"], tick=False),
        ):
            found = Recordings("zendesk", mock)
            for name in ("token", "conversation"):
                found.answer(name)
            yield found

    def asked(self, desk: Recordings) -> int:
        return sum("policy_metrics" in call for call in desk.calls())

    def test_one_call_brings_them(self, desk: Recordings, settings: Settings) -> None:
        desk.answer("ticket_new", lambda body: body["ticket"].update(priority="high"))
        desk.answer("slas")
        ticket = connector_of("zendesk", settings).look("4017")
        assert states(ticket) == {"first_response": MET, "next_response": RUNNING, "resolution": PAUSED}
        assert ticket.clocks[1].due_at == at("2023-09-19T23:00:00")
        assert self.asked(desk) == 1

    def test_no_call_where_they_come_along(self, desk: Recordings, settings: Settings) -> None:
        shown = {"policy_metrics": exchange("zendesk", "slas")["response"]["body"]["policy_metrics"]}
        desk.answer("ticket_new", lambda body: body["ticket"].update(priority="high", slas=shown))
        assert len(connector_of("zendesk", settings).look("4017").clocks) == 3
        assert self.asked(desk) == 0
        assert "slas" in str(desk.mock.calls[1].request.url)

    def test_no_call_for_a_ticket_without_priority(self, desk: Recordings, settings: Settings) -> None:
        desk.answer("ticket_new", lambda body: body["ticket"].update(priority=None))
        assert connector_of("zendesk", settings).look("4017").clocks == ()
        assert self.asked(desk) == 0

    @pytest.mark.parametrize("refusal", ["ticket_missing", "forbidden", "no_such_endpoint"])
    def test_a_plan_without_is_asked_three_times_an_hour(
        self, desk: Recordings, settings: Settings, refusal: str
    ) -> None:
        desk.answer(refusal, method="GET", path=METRICS_PATH)
        now = [0.0]
        probe = SlaProbe(connector_of("zendesk", settings)._api, Cache(OFF_SECONDS, clock=lambda: now[0]))  # type: ignore[attr-defined]
        answer = {"ticket": {"id": 4017, "priority": "high"}}
        for _ in range(10):
            assert probe.clocks(answer) == ()
        assert self.asked(desk) == 3
        now[0] += OFF_SECONDS + 1
        probe.clocks(answer)
        assert self.asked(desk) == 4

    def test_a_broken_answer_costs_only_the_clocks(self, desk: Recordings, settings: Settings) -> None:
        desk.answer("ticket_new", lambda body: body["ticket"].update(priority="high"))
        desk.fail("GET", METRICS_PATH)
        connector = connector_of("zendesk", settings)
        for _ in range(5):
            assert connector.look("4017").clocks == ()
        assert self.asked(desk) == 5

    @pytest.mark.parametrize(
        "listed",
        [
            None,
            "x",
            [None],
            [{"metric": "first_reply_time", "stage": "new word", "breach_at": "2023-09-19T23:00:00Z"}],
            [{"metric": "first_reply_time", "stage": "active", "breach_at": None}],
            [{"metric": "periodic_update_time", "stage": "active", "breach_at": "2023-09-19T23:00:00Z"}],
        ],
    )
    def test_anything_else_is_no_clock(self, listed: Any) -> None:
        assert clocks(listed) == ()

    def test_a_breached_one_still_runs(self) -> None:
        for stage in ("active", "breached"):
            [found] = clocks([{"metric": "agent_work_time", "stage": stage, "breach_at": "2023-09-19T23:00:00Z"}])
            assert found == HelpdeskClock("resolution", RUNNING, at("2023-09-19T23:00:00"))


SANDBOX = SandboxConfig(**CREDENTIALS, zendesk_slas=True, freshdesk_due_delay=0.0)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Running]:
    with running(SANDBOX) as found:
        yield found


@pytest.fixture(params=["zendesk", "freshdesk"])
def box(request: pytest.FixtureRequest, sandbox: Running) -> Box:
    return Box(sandbox, request.param)


class TestSandbox:
    def test_a_ticket_from_question_to_solution(self, box: Box) -> None:
        number = box.ticket()
        box.act(number, priority="urgent")
        look = box.connector.look
        ticket = look(number)
        assert states(ticket) == {"first_response": RUNNING, "resolution": RUNNING}
        first = ticket.clocks[0]
        assert first.due_at and ticket.created_at
        assert first.due_at - ticket.created_at == timedelta(minutes=15)
        box.act(number, reply="Looking into it.")
        assert states(look(number))["first_response"] is MET
        box.act(number, customer_reply="And?")
        assert states(look(number))["next_response"] is RUNNING
        box.act(number, status="pending")
        assert states(look(number))["resolution"] is PAUSED
        box.act(number, status="solved" if box.vendor == "zendesk" else "resolved")
        assert states(look(number))["resolution"] is MET

    def test_read_brings_them_too(self, box: Box) -> None:
        number = box.ticket()
        box.act(number, priority="high")
        assert states(box.connector.read(number)) == {"first_response": RUNNING, "resolution": RUNNING}

    def test_they_are_not_read_where_our_policy_counts(self, box: Box) -> None:
        number = box.ticket()
        box.act(number, priority="high")
        budget = Budget("", box.settings.url, 200)
        assert open_connector("desk", box.settings, budget, own_clocks=False).look(number).clocks == ()
        assert not [one for one in calls(box) if one["path"].endswith(f"/{number}/slas/policy_metrics.json")]

    @pytest.mark.parametrize(("vendor", "off"), [("zendesk", "zendesk_slas"), ("freshdesk", "freshdesk_slas")])
    def test_a_plan_without(self, vendor: str, off: str) -> None:
        with running(replace(SANDBOX, **{off: False})) as found:
            box = Box(found, vendor)
            number = box.ticket()
            box.act(number, priority="high")
            assert set(states(box.connector.look(number)).values()) <= {UNSET}

    def test_zendesk_may_bring_them_along(self) -> None:
        with running(replace(SANDBOX, zendesk_sla_sideload=True)) as found:
            box = Box(found, "zendesk")
            number = box.ticket()
            box.act(number, priority="high")
            assert len(box.connector.look(number).clocks) == 2
            assert not [one for one in calls(box) if "policy_metrics" in one["path"]]


def calls(box: Box) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = requests.get(f"{box.url}/calls", timeout=10).json()["calls"]
    return found
