"""What beat starts: nothing is forgotten, nothing is done twice, one desk's trouble is its own."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from sqlalchemy import text

from connectors.base import Changes
from tests.fakes import FakeConnector, changed
from triage.errors import DeskLocked, FeatureOff, Retry, Stop, Wait
from triage.settings import Settings
from triage.store import Store
from triage.store.deliveries import DONE, QUEUED, RECEIVED, UNCLAIMED_SECONDS, UNQUEUED_SECONDS
from triage.store.feedback import Vote
from triage.store.marks import BEAT, DESK_LOCKED, EVERY_DESK, POLL
from triage.ticket import Status
from workers.sweep import MAX_PAGES, REQUEUE_LIMIT, SLACK_SECONDS, forget, reconcile, reconcile_due, requeue

START = 1_700_000_000.0
DAY = 86_400.0


def receive(store: Store, key: str, now: float = START, ticket_id: str = "7", desk: str = "acme") -> int:
    return store.deliveries.receive(desk, key, ticket_id=ticket_id, event="created", body=b"{}", now=now).id


def page(*tickets: Any, cursor: str = "c1", more: bool = False) -> Changes:
    return Changes(tuple(tickets), cursor, more)


def inbox(store: Store) -> list[tuple[str, str, str]]:
    return sorted((row.desk, row.ticket_id, row.key) for row in store.deliveries.recent(1000))


class Broker:
    def __init__(self, room: int = 10**6) -> None:
        self.sent: list[int] = []
        self.room = room

    def send(self, delivery_id: int) -> bool:
        if len(self.sent) >= self.room:
            return False
        self.sent.append(delivery_id)
        return True


class TestRequeue:
    def test_sends_what_is_due_once(self, store: Store) -> None:
        unqueued, lost, fresh = (receive(store, key) for key in ("a", "b", "c"))
        store.deliveries.mark_queued(lost, START - UNCLAIMED_SECONDS + 5)
        store.deliveries.mark_queued(fresh, START + 5)
        store.deliveries.finish(receive(store, "d"), DONE, START)
        broker = Broker()
        assert requeue(store, broker.send, START + UNQUEUED_SECONDS) == 2
        assert sorted(broker.sent) == [unqueued, lost]
        assert requeue(store, broker.send, START + UNQUEUED_SECONDS) == 0

    def test_goes_on_after_the_broker_was_away(self, store: Store) -> None:
        ids = [receive(store, str(i)) for i in range(5)]
        broker = Broker(room=2)
        assert requeue(store, broker.send, START + 10) == 2
        broker.room = 10**6
        now, sent = START + 10, set(broker.sent)
        while sent != set(ids):
            now += UNCLAIMED_SECONDS
            assert now < START + 200
            requeue(store, broker.send, now)
            sent = set(broker.sent)

    def test_takes_a_long_inbox_in_portions(self, sqlite_store: Store) -> None:
        for i in range(REQUEUE_LIMIT + 20):
            receive(sqlite_store, str(i))
        broker = Broker()
        assert requeue(sqlite_store, broker.send, START + 10) == REQUEUE_LIMIT
        assert requeue(sqlite_store, broker.send, START + 10) == 20
        assert len(set(broker.sent)) == REQUEUE_LIMIT + 20

    def test_leaves_word_that_beat_is_alive(self, sqlite_store: Store) -> None:
        requeue(sqlite_store, Broker().send, START)
        assert sqlite_store.cursors.get(EVERY_DESK, BEAT) == ("alive", START)


BEGINNING = str(int(START - SLACK_SECONDS))


class TestReconcile:
    @pytest.fixture
    def connector(self) -> FakeConnector:
        return FakeConnector()

    @pytest.fixture
    def begun(self, store: Store, connector: FakeConnector) -> FakeConnector:
        """Return a connector whose desk was connected at START."""
        connector.pages.append(page(cursor="c0"))
        assert reconcile("acme", connector, store, START) == 0
        return connector

    def test_first_marks_the_start_and_takes_in_the_last_minute(self, store: Store, connector: FakeConnector) -> None:
        """A webhook may get lost before the first look, too."""
        connector.pages.append(page(changed("1", START - 30), changed("2", START - 9999), cursor="c0"))
        assert reconcile("acme", connector, store, START) == 1
        assert inbox(store) == [("acme", "1", "poll:1")]
        connector.pages.append(page(changed("3", START + 100)))
        assert reconcile("acme", connector, store, START + 300) == 1
        # From the moment of the start on, not from a minute before the second look: nothing falls between.
        assert connector.cursors == [BEGINNING, "c0"]

    def test_a_ticket_that_was_told_and_has_no_run_yet_is_left_alone(self, store: Store, begun: FakeConnector) -> None:
        row = store.deliveries.receive("acme", "event:1", ticket_id="1", event="created", body=b"", now=START + 50)
        begun.pages.append(page(changed("1", START + 40), changed("2", START + 40)))
        assert reconcile("acme", begun, store, START + 100) == 1
        assert [one[1:] for one in inbox(store)] == [("1", "event:1"), ("2", "poll:2")]
        store.deliveries.finish(row.id, DONE, START + 120, "given up by hand")
        begun.pages.append(page(changed("1", START + 40)))
        assert reconcile("acme", begun, store, START + 400) == 1

    def test_a_first_look_that_is_cut_off_does_not_move_the_beginning(self, sqlite_store: Store) -> None:
        connector = FakeConnector()
        connector.pages.append(Retry("down"))
        with pytest.raises(Retry):
            reconcile("acme", connector, sqlite_store, START)
        connector.pages.append(page(changed("1", START - 30), cursor="c0"))
        assert reconcile("acme", connector, sqlite_store, START + 300) == 1
        assert connector.cursors == [BEGINNING, BEGINNING]

    def test_takes_in_what_no_webhook_told_of(self, store: Store, begun: FakeConnector) -> None:
        begun.pages.append(page(changed("1", START + 10), changed("2", START + 20)))
        assert reconcile("acme", begun, store, START + 300) == 2
        assert inbox(store) == [("acme", "1", "poll:1"), ("acme", "2", "poll:2")]
        (first, _) = store.deliveries.recent(2)
        assert (first.state, first.event) == (RECEIVED, "reconcile")
        assert len(store.deliveries.claim_due(START + 300 + UNQUEUED_SECONDS, 10)) == 2

    def test_again_and_overlapping_takes_nothing_in_twice(self, store: Store, begun: FakeConnector) -> None:
        rows = page(changed("1", START + 10), changed("1", START + 10), changed("2", START + 20))
        for again in range(3):
            begun.pages.append(rows)
            assert reconcile("acme", begun, store, START + 300 + again) == (2 if again == 0 else 0)
        assert len(inbox(store)) == 2

    def test_leaves_alone_what_has_a_run(self, store: Store, begun: FakeConnector) -> None:
        store.runs.claim("acme", "1", "created", owner="w", now=START, lease_until=START + 30)
        store.runs.claim("globex", "2", "created", owner="w", now=START, lease_until=START + 30)
        begun.pages.append(page(changed("1", START + 10), changed("2", START + 10)))
        assert reconcile("acme", begun, store, START + 300) == 1
        assert inbox(store) == [("acme", "2", "poll:2")]

    @pytest.mark.parametrize("status", [Status.SOLVED, Status.CLOSED, Status.DELETED, Status.SPAM])
    def test_leaves_alone_what_is_over(self, store: Store, begun: FakeConnector, status: Status) -> None:
        begun.pages.append(page(changed("1", START + 10, status)))
        assert reconcile("acme", begun, store, START + 300) == 0
        assert inbox(store) == []

    @pytest.mark.parametrize("status", [Status.NEW, Status.OPEN, Status.PENDING, Status.HOLD, Status.UNKNOWN])
    def test_takes_in_what_is_not(self, sqlite_store: Store, status: Status) -> None:
        connector = FakeConnector()
        reconcile("acme", connector, sqlite_store, START)
        connector.pages.append(page(changed("1", START + 10, status)))
        assert reconcile("acme", connector, sqlite_store, START + 300) == 1

    def test_leaves_alone_what_is_older_than_the_connection(self, store: Store, begun: FakeConnector) -> None:
        """An old ticket changes and appears in the list: the admin did not ask for notes on those."""
        begun.pages.append(page(changed("1", START - SLACK_SECONDS - 1), changed("2", START - SLACK_SECONDS + 1)))
        assert reconcile("acme", begun, store, START + 300) == 1
        assert inbox(store) == [("acme", "2", "poll:2")]
        begun.pages.append(page(changed("1", START - SLACK_SECONDS - 1), changed("3", START - DAY)))
        assert reconcile("acme", begun, store, START + 30 * DAY) == 0

    def test_reads_on_while_there_are_pages(self, store: Store, begun: FakeConnector) -> None:
        for number in range(1, 4):
            begun.pages.append(page(changed(str(number), START + 10), cursor=f"c{number}", more=number < 3))
        assert reconcile("acme", begun, store, START + 300) == 3
        reconcile("acme", begun, store, START + 600)
        assert begun.cursors == [BEGINNING, "c0", "c1", "c2", "c3"]

    def test_goes_on_where_it_broke_off(self, store: Store, begun: FakeConnector) -> None:
        begun.pages.extend([page(changed("1", START + 10), cursor="c1", more=True), Retry("down")])
        with pytest.raises(Retry):
            reconcile("acme", begun, store, START + 300)
        assert inbox(store) == [("acme", "1", "poll:1")]
        begun.pages.append(page(changed("2", START + 20), cursor="c2"))
        assert reconcile("acme", begun, store, START + 360) == 1
        assert begun.cursors == [BEGINNING, "c0", "c1", "c1"]

    def test_stops_for_now_after_many_pages(self, sqlite_store: Store) -> None:
        connector = FakeConnector()
        reconcile("acme", connector, sqlite_store, START)
        for number in range(MAX_PAGES + 5):
            connector.pages.append(page(changed(str(number), START + 1), cursor=f"c{number}", more=True))
        assert reconcile("acme", connector, sqlite_store, START + 300) == MAX_PAGES
        assert reconcile("acme", connector, sqlite_store, START + 600) == 5

    def test_finds_all_of_two_hundred_tickets_when_one_in_twenty_webhooks_is_lost(self, sqlite_store: Store) -> None:
        connector = FakeConnector()
        reconcile("acme", connector, sqlite_store, START)
        tickets = [changed(str(n), START + n) for n in range(1, 201)]
        for ticket in tickets:
            if int(ticket.ticket_id) % 20:
                sqlite_store.runs.claim(
                    "acme", ticket.ticket_id, "created", owner="w", now=START, lease_until=START + 30
                )
        for at in range(0, 200, 20):
            connector.pages.append(page(*tickets[at : at + 20], cursor=f"c{at}", more=at < 180))
        assert reconcile("acme", connector, sqlite_store, START + 2000) == 10
        assert {int(row.ticket_id) for row in sqlite_store.deliveries.recent(999)} == set(range(20, 201, 20))

    def test_starts_again_only_from_its_own_words(self, store: Store, begun: FakeConnector) -> None:
        saved = store.cursors.get("acme", POLL)
        assert saved is not None
        assert json.loads(saved[0]) == {"cursor": "c0", "since": START - SLACK_SECONDS}


class TestReconcileDue:
    @pytest.fixture
    def desks(self, sqlite_store: Store) -> dict[str, FakeConnector]:
        found = {name: FakeConnector(name) for name in ("acme", "globex")}
        for name, connector in found.items():
            reconcile(name, connector, sqlite_store, START)
            connector.cursors.clear()
        return found

    def test_asks_each_desk_when_its_interval_has_passed(
        self, sqlite_store: Store, settings: Settings, desks: dict[str, FakeConnector]
    ) -> None:
        for minute in range(1, 21):
            reconcile_due(settings, sqlite_store, desks.__getitem__, START + minute * 60)
        assert [len(connector.cursors) for connector in desks.values()] == [4, 4]

    @pytest.mark.parametrize(
        "error",
        [
            Retry("down"),
            Wait("limit", 60),
            Stop("no"),
            FeatureOff("admins only"),
            DeskLocked("401"),
            KeyError("x"),
            RecursionError(),
            TypeError("x"),
        ],
    )
    def test_a_desk_in_trouble_does_not_hold_up_the_others(
        self, sqlite_store: Store, settings: Settings, desks: dict[str, FakeConnector], error: Exception
    ) -> None:
        desks["acme"].pages.append(error)
        desks["globex"].pages.append(page(changed("5", START + 10)))
        reconcile_due(settings, sqlite_store, desks.__getitem__, START + 600)
        assert inbox(sqlite_store) == [("globex", "5", "poll:5")]
        # It is left in peace until its next turn and has lost nothing.
        desks["acme"].pages.append(page(changed("6", START + 20)))
        reconcile_due(settings, sqlite_store, desks.__getitem__, START + 660)
        assert inbox(sqlite_store) == [("globex", "5", "poll:5")]
        reconcile_due(settings, sqlite_store, desks.__getitem__, START + 900)
        assert ("acme", "6", "poll:6") in inbox(sqlite_store)

    def test_nor_does_one_that_cannot_even_be_opened(
        self, sqlite_store: Store, settings: Settings, desks: dict[str, FakeConnector]
    ) -> None:
        def open_(name: str) -> FakeConnector:
            if name == "acme":
                raise ValueError("a setting nobody foresaw")
            return desks[name]

        desks["globex"].pages.append(page(changed("5", START + 10)))
        reconcile_due(settings, sqlite_store, open_, START + 600)
        assert inbox(sqlite_store) == [("globex", "5", "poll:5")]

    def test_a_refused_credential_raises_an_alarm(
        self, sqlite_store: Store, settings: Settings, desks: dict[str, FakeConnector]
    ) -> None:
        desks["acme"].pages.append(DeskLocked("the helpdesk refuses our credential"))
        reconcile_due(settings, sqlite_store, desks.__getitem__, START + 600)
        (alarm,) = sqlite_store.alarms.recent()
        assert (alarm.desk, alarm.kind) == ("acme", DESK_LOCKED)
        reconcile_due(settings, sqlite_store, desks.__getitem__, START + 1200)
        assert sqlite_store.alarms.recent() == []

    def test_the_text_of_a_surprise_is_not_logged(
        self,
        sqlite_store: Store,
        settings: Settings,
        desks: dict[str, FakeConnector],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        caplog.set_level(logging.DEBUG)
        desks["acme"].pages.append(ValueError("my card is 4111"))
        reconcile_due(settings, sqlite_store, desks.__getitem__, START + 600)
        assert "unexpected ValueError" in caplog.text
        assert "4111" not in caplog.text


class TestForget:
    def bodies(self, store: Store) -> dict[str, bool]:
        with store.engine.connect() as connection:
            rows = connection.execute(text("SELECT key, body FROM deliveries")).all()
            return {key: body is not None for key, body in rows}

    def test_drops_closed_bodies_after_the_days_of_the_settings(self, store: Store, settings: Settings) -> None:
        days = settings.retention.delivery_bodies
        for key, age in (("old", days + 1), ("young", days - 1), ("old but open", days + 1)):
            delivery_id = receive(store, key, now=START - age * DAY)
            if "open" not in key:
                store.deliveries.finish(delivery_id, DONE, START)
        assert forget(settings, store, START) == 1
        assert self.bodies(store) == {"old": False, "young": True, "old but open": True}
        assert forget(settings, store, START) == 0

    def test_drops_what_agents_wrote_with_the_run_details(self, store: Store, settings: Settings) -> None:
        days = settings.retention.run_details
        for ticket_id, age in (("1", days + 1), ("2", days - 1)):
            at = START - age * DAY
            run, _ = store.runs.claim("acme", ticket_id, "created", owner="w", now=at, lease_until=at + 30)
            vote = Vote(run.id, "acme", ticket_id, "v", "draft", "draft_unusable", reason="words", created_at=at)
            store.feedback.vote(vote)
            store.questions.open(run.id, "acme", ticket_id, "May we?", ["Yes"], at)
        assert forget(settings, store, START) == 2
        assert [vote.ticket_id for vote in store.feedback.reasons("acme", 0, 5)] == ["2"]
        kept = [(one.text, one.state) for ticket_id in "12" for one in store.questions.of_ticket("acme", ticket_id)]
        assert kept == [("", "dropped"), ("May we?", "open")]
        assert store.feedback.counts() == {("acme", "draft_unusable"): 2}

    def test_drops_as_many_as_there_are(self, sqlite_store: Store, settings: Settings) -> None:
        """A busy account has more than one portion an hour."""
        with sqlite_store.engine.begin() as connection:
            insert = text(
                "INSERT INTO deliveries"
                " (desk, key, ticket_id, event, state, reason, attempts, wakeups, received_at, body)"
                " VALUES ('acme', :key, '1', 'created', 'done', '', 1, 0, :at, 'x')"
            )
            connection.execute(insert, [{"key": str(i), "at": START - 20 * 86_400} for i in range(2500)])
        assert forget(settings, sqlite_store, START) == 2500
        assert not any(self.bodies(sqlite_store).values())


def test_queued_rows_of_a_lost_broker_come_back_within_a_minute(sqlite_store: Store) -> None:
    """FLUSHALL, or a Redis without AOF that restarts: the inbox is the truth."""
    ids = [receive(sqlite_store, str(i)) for i in range(50)]
    for delivery_id in ids:
        sqlite_store.deliveries.mark_queued(delivery_id, START)
    broker, now = Broker(), START
    while len(broker.sent) < 50:
        now += 5
        assert now <= START + 60
        requeue(sqlite_store, broker.send, now)
    assert sorted(broker.sent) == ids
    assert {row.state for row in sqlite_store.deliveries.recent(100)} == {QUEUED}
