"""Clocks follow their tickets: by webhook, by a trigger about a triaged ticket, and by reconciliation."""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import text
from test_deliver import T0, Bench
from test_edge import FakeWakeup, knock, knock_freshdesk, make_web

from connectors.base import Changed
from tests import fakes
from tests.fakes import FakeConnector, Pretend
from triage.errors import Gone, Retry, Stop, Wait
from triage.settings import Mode, Settings
from triage.store import Store
from triage.store.clocks import Clock
from triage.store.deliveries import CLOCK, DEAD, DONE, IGNORED, QUEUED, RECEIVED
from triage.store.marks import BOT
from triage.store.runs import SKIPPED
from triage.ticket import Author, Message, Status
from workers.clocks import Known, follow, tell_clocks


@pytest.fixture
def clock() -> Iterator[Any]:
    with time_machine.travel(T0, tick=False) as traveller:
        yield traveller


@pytest.fixture
def bench(store: Store, settings: Settings, clock: Any) -> Bench:
    return Bench(store, settings, clock)


def fresh(bench: Bench) -> tuple[int, Pretend]:
    """A ticket of this minute and its webhook."""
    delivery_id, shown = bench.arrive()
    shown.change(created_at=datetime.now(UTC), updated_at=datetime.now(UTC), status=Status.OPEN)
    return delivery_id, shown


def triaged(bench: Bench) -> None:
    """A ticket of ten minutes, triaged."""
    delivery_id, shown = bench.arrive()
    born = datetime.now(UTC) - timedelta(minutes=10)
    shown.change(created_at=born, updated_at=born, status=Status.OPEN)
    bench.deliver(delivery_id)
    bench.clock.shift(60)


def told(bench: Bench, key: str = "e-1", occasion: str = CLOCK) -> int:
    return bench.store.deliveries.receive(
        "acme", key, ticket_id="7", event="comment_added", body=b"", now=time.time(), occasion=occasion
    ).id


def answer(bench: Bench) -> None:
    shown = bench.connector.tickets["7"]
    reply = Message("2", Author.AGENT, "Hello", created_at=datetime.now(UTC))
    shown.change(messages=(*shown.ticket.messages, reply), updated_at=datetime.now(UTC))


def first(bench: Bench) -> Clock:
    return next(one for one in bench.store.clocks.of_ticket("acme", "7") if one.metric == "first_response")


class TestTriage:
    def test_starts_the_clocks_by_what_it_is_sure_of(self, bench: Bench) -> None:
        triaged(bench)
        row = first(bench)
        assert (row.state, row.priority, row.team, row.tier, row.target) == (
            "running",
            "P1_high",
            "billing",
            "gold",
            60,
        )
        (note,) = bench.connector.tickets["7"].notes
        assert "SLA by policy:</b> first response within 60 min, 50 min left." in note.html

    def test_in_mode_watch_too(self, bench: Bench) -> None:
        bench.set(mode=Mode.WATCH)
        triaged(bench)
        assert first(bench).state == "running"

    def test_not_where_it_is_switched_off(self, bench: Bench) -> None:
        bench.set(mode=Mode.OFF)
        triaged(bench)
        assert bench.store.clocks.of_ticket("acme", "7") == []

    def test_a_ticket_that_cannot_be_classified_is_followed(self, bench: Bench) -> None:
        bench.classifier.answers = deque([Retry("the model is down"), fakes.answer()])
        delivery_id, _ = fresh(bench)
        assert bench.deliver(delivery_id).state == QUEUED
        assert (first(bench).state, first(bench).priority) == ("running", "P2_medium")
        bench.finish()
        assert (first(bench).state, first(bench).priority) == ("running", "P1_high")

    def test_one_that_was_given_up_is_followed_too(self, bench: Bench) -> None:
        bench.classifier.answers = deque([Stop("no such model")])
        delivery_id, _ = fresh(bench)
        assert bench.deliver(delivery_id).state == DEAD
        assert first(bench).state == "running"

    def test_one_tagged_by_an_earlier_life_is_followed(self, bench: Bench) -> None:
        delivery_id, _ = fresh(bench)
        bench.connector.tickets["7"].change(tags=("ai_triaged",))
        bench.deliver(delivery_id)
        assert bench.run().state == SKIPPED
        assert first(bench).state == "running"

    def test_one_that_is_over_is_not(self, bench: Bench) -> None:
        delivery_id, shown = fresh(bench)
        shown.change(status=Status.SOLVED)
        bench.deliver(delivery_id)
        assert bench.store.clocks.watch("acme", "7") is None

    def test_one_solved_before_the_model_came_back_is_over(self, bench: Bench) -> None:
        bench.classifier.answers = deque([Retry("the model is down")])
        delivery_id, shown = fresh(bench)
        bench.deliver(delivery_id)
        shown.change(status=Status.SOLVED, updated_at=datetime.now(UTC))
        bench.finish()
        assert {row.state for row in bench.store.clocks.of_ticket("acme", "7")} == {"met", "cancelled"}


class TestDelivery:
    @pytest.mark.parametrize("occasion", [CLOCK, "created"])
    def test_a_change_brings_the_clocks_up_to_date_and_nothing_else(self, bench: Bench, occasion: str) -> None:
        """As an event about the ticket, or as a trigger that also tells of changes."""
        triaged(bench)
        answer(bench)
        calls = len(bench.connector.calls)
        assert bench.deliver(told(bench, occasion=occasion)).state == DONE
        assert first(bench).state == "met"
        assert [name for name, _ in bench.connector.calls[calls:]] == ["look"]

    def test_several_at_once_are_one_reading(self, bench: Bench) -> None:
        triaged(bench)
        rows = [told(bench, str(number)) for number in range(4)]
        bench.clock.shift(10)
        answer(bench)
        for row in rows:
            assert bench.deliver(row).state == DONE
        assert bench.connector.names().count("look") == 1
        assert first(bench).state == "met"

    def test_a_reading_that_was_cut_off_is_made_again(self, bench: Bench) -> None:
        """A worker has brought the clocks up to date and died before it looked for what calls for a later run."""
        triaged(bench)
        row = told(bench)
        bench.clock.shift(10)
        shown = bench.connector.tickets["7"]
        more = Message("2", Author.CUSTOMER, "It is worse now", created_at=datetime.now(UTC))
        shown.change(messages=(*shown.ticket.messages, more), updated_at=datetime.now(UTC))
        follow(shown.ticket, bench.settings, bench.store, time.time(), edits_notes=False)
        bench.clock.shift(10)
        bench.deliver(row)
        assert [one.occasion for one in bench.store.deliveries.recent(9) if one.event == "later"] == ["message:2"]

    def test_events_of_one_update_are_one_reading_seconds_later(self, bench: Bench) -> None:
        """As they come: one now, others a moment later, and one more right after the reading began."""
        triaged(bench)
        answer(bench)
        rows = []
        for number in range(4):
            rows.append(told(bench, str(number)))
            bench.clock.shift(0.5)
        assert [bench.row(row).state for row in rows] == [RECEIVED, DONE, DONE, DONE]
        assert bench.store.deliveries.claim_due(time.time(), 10) == [], "not at once"
        bench.clock.shift(2.5)
        bench.connector.meanwhile("look", lambda: rows.append(told(bench, "late")))
        assert bench.store.deliveries.claim_due(time.time(), 10) == rows[:1]
        bench.deliver(rows[0])
        assert (bench.connector.names().count("look"), first(bench).state) == (1, "met")
        assert bench.row(rows[-1]).state == RECEIVED, "the reading may have missed it"

    def test_of_a_ticket_nobody_follows_reads_nothing(self, bench: Bench) -> None:
        assert bench.deliver(told(bench)).state == DONE
        assert bench.connector.calls == []
        assert bench.store.runs.recent(5) == []

    def test_of_a_deleted_ticket_lets_it_go(self, bench: Bench) -> None:
        triaged(bench)
        bench.connector.fail("look", Gone("deleted"))
        assert bench.deliver(told(bench)).state == DONE
        assert first(bench).state == "cancelled"

    @pytest.mark.parametrize("error", [Retry("down"), Wait("busy", 20), RuntimeError("?")])
    def test_comes_back_after_trouble(self, bench: Bench, error: Exception) -> None:
        triaged(bench)
        answer(bench)
        bench.connector.fail("look", error)
        row = bench.deliver(told(bench))
        assert row.state == QUEUED and row.due_at and row.due_at > time.time() + 10
        bench.finish()
        assert first(bench).state == "met"

    def test_ends_where_trying_cannot_help(self, bench: Bench) -> None:
        triaged(bench)
        bench.connector.fail("look", Stop("forbidden"))
        assert bench.deliver(told(bench)).state == DEAD

    def test_of_a_desk_that_was_switched_off(self, bench: Bench) -> None:
        triaged(bench)
        bench.set(mode=Mode.OFF)
        assert bench.deliver(told(bench)).state == DONE
        assert bench.connector.names().count("look") == 0


def changed(at: float, ticket_id: str = "7") -> Changed:
    moment = datetime.fromtimestamp(at, UTC)
    return Changed(ticket_id, Status.OPEN, moment, moment)


class TestReconcile:
    def test_tells_of_followed_tickets_that_have_changed_since(self, bench: Bench) -> None:
        triaged(bench)
        seen = bench.store.clocks.seen("acme", ["7", "8"])
        assert list(seen) == ["7"]
        rows = (changed(seen["7"]), changed(seen["7"] + 5), changed(seen["7"] + 9, "8"))
        for _ in range(2):
            tell_clocks(bench.store, "acme", rows)
        told_ = [row for row in bench.store.deliveries.recent(10) if row.occasion == CLOCK]
        assert [(row.ticket_id, row.event) for row in told_] == [("7", "reconcile")]

    @pytest.mark.parametrize("state", ["done", "skipped", "dead"])
    def test_adopts_tickets_that_have_a_run_and_no_clocks(self, bench: Bench, state: str) -> None:
        triaged(bench)
        with bench.store.engine.begin() as connection:
            connection.execute(text("DELETE FROM watches"))
            connection.execute(text("DELETE FROM clocks"))
            connection.execute(text("UPDATE runs SET state = :state"), {"state": state})
        for _ in range(2):
            tell_clocks(bench.store, "acme", [changed(time.time()), changed(time.time(), "8")])
        bench.finish()
        assert first(bench).state == "running"
        assert bench.connector.names().count("look") == 1

    def test_adopts_nothing_that_is_over(self, bench: Bench) -> None:
        triaged(bench)
        with bench.store.engine.begin() as connection:
            connection.execute(text("DELETE FROM watches"))
        tell_clocks(bench.store, "acme", [replace(changed(time.time()), status=Status.SOLVED)])
        assert not [row for row in bench.store.deliveries.recent(10) if row.occasion == CLOCK]


class TestTwiceInOneRun:
    def test_what_was_just_stored_is_not_read_again(self, store: Store, settings: Settings) -> None:
        ticket = FakeConnector("acme").add("7", created_at=datetime.now(UTC), updated_at=datetime.now(UTC)).ticket
        known = Known()
        first, _ = follow(ticket, settings, store, time.time(), edits_notes=False, known=known)
        assert (known.watch, list(known.clocks)) == (first, store.clocks.of_ticket("acme", "7"))
        assert first == store.clocks.watch("acme", "7")
        second, _ = follow(ticket, settings, store, time.time(), edits_notes=False, known=known)
        assert (second.version, store.clocks.watch("acme", "7")) == (first.version + 1, second)

    def test_what_others_have_changed_meanwhile_is(self, store: Store, settings: Settings) -> None:
        ticket = FakeConnector("acme").add("7", created_at=datetime.now(UTC), updated_at=datetime.now(UTC)).ticket
        known = Known()
        follow(ticket, settings, store, time.time(), edits_notes=False, known=known)
        follow(ticket, settings, store, time.time(), edits_notes=False)
        third, _ = follow(ticket, settings, store, time.time(), edits_notes=False, known=known)
        assert third.version == 3
        assert third == store.clocks.watch("acme", "7")


class TestEdge:
    @pytest.fixture
    def wakeup(self) -> FakeWakeup:
        return FakeWakeup()

    def watched(self, store: Store, settings: Settings, desk: str, ticket_id: str) -> None:
        now = datetime.now(UTC)
        shown = FakeConnector(desk).add(ticket_id, created_at=now, updated_at=now)
        follow(shown.ticket, settings, store, now.timestamp(), edits_notes=False)

    def test_zendesk_events_of_followed_tickets_are_taken(
        self, store: Store, settings: Settings, wakeup: FakeWakeup
    ) -> None:
        client = make_web(settings, store, wakeup).test_client()
        self.watched(store, settings, "acme", "5158")
        store.cursors.set("acme", BOT, "777", 1.0)

        def sent(name: str, actor: str, key: str) -> str:
            data = {"type": f"zen:event-type:ticket.{name}", "id": key, "detail": {"id": "5158", "actor_id": actor}}
            return str(knock(client, json.dumps(data).encode()).json["status"])  # type: ignore[index]

        assert sent("status_changed", "12", "e-1") == "accepted"
        assert sent("status_changed", "12", "e-1") == "duplicate"
        assert sent("comment_added", "777", "e-2") == "ignored"
        assert sent("tags_changed", "12", "e-3") == "ignored"
        row = next(row for row in store.deliveries.recent(5) if row.state == RECEIVED)
        assert (row.occasion, row.event) == (CLOCK, "status_changed")
        assert wakeup.sent == [], "the sweep sends it, when what belongs together has come"

    def test_freshdesk_updates_of_followed_tickets_are_taken(
        self, store: Store, settings: Settings, wakeup: FakeWakeup
    ) -> None:
        client = make_web(settings, store, wakeup).test_client()
        self.watched(store, settings, "globex", "11")
        body = {"freshdesk_webhook": {"ticket_id": 11, "triggered_event": "{status:{from:2,to:3}}"}}
        assert knock_freshdesk(client, json.dumps(body).encode()).json["status"] == "accepted"  # type: ignore[index]
        body["freshdesk_webhook"]["ticket_id"] = 12
        assert knock_freshdesk(client, json.dumps(body).encode()).json["status"] == "ignored"  # type: ignore[index]
        assert [row.state for row in store.deliveries.recent(5)].count(IGNORED) == 1
