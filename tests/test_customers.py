"""What is known of a customer's tickets is what the helpdesk would list, or nothing at all."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from sqlalchemy import event, select
from test_connector_sandbox import CREDENTIALS, Box

from connectors import open_connector
from connectors.base import Changes, Connector
from connectors.budget import Budget
from connectors.ticket_rows import SUBJECT_LENGTH, customer_ticket
from sandbox.config import SandboxConfig
from sandbox.testing import Running, running
from tests.fakes import FakeConnector, changed
from triage.errors import Gone
from triage.settings import Settings
from triage.store import Store, open_store
from triage.store.customers import DAY_SECONDS, FRESH_SECONDS, TRUSTED_DAYS, UNLISTED_SECONDS
from triage.store.tables import customer_tickets, customers
from triage.ticket import CustomerTicket, EarlierTicket, Status, Ticket
from workers.customers import SLACK_SECONDS, KnownCustomers, keep_up
from workers.forgetting import forget_ticket
from workers.sweep import forget, reconcile

NOW = 1_700_000_000.0


def asked(ticket_id: str, requester: str = "c1", status: Status = Status.OPEN, at: float = NOW - 900) -> CustomerTicket:
    moment = datetime.fromtimestamp(at, UTC)
    ticket = EarlierTicket(ticket_id, f"Subject {ticket_id}", status, datetime.fromtimestamp(NOW - 1000, UTC), ("a",))
    return CustomerTicket(requester, ticket, moment)


def known(store: Store, requester: str = "c1", now: float = NOW) -> dict[str, Status] | None:
    found = store.customers.tickets_of("acme", requester, now)
    return None if found is None else {one.ticket.id: one.ticket.status for one in found}


@pytest.fixture
def begun(store: Store) -> Store:
    """Return a store whose desk is kept up, and that has the list of one customer."""
    store.customers.broken("acme", NOW - 500)
    store.customers.followed("acme", NOW)
    store.customers.listed("acme", "c1", [asked("1"), asked("2")], NOW)
    return store


class TestStore:
    def test_gives_out_what_was_put_in(self, begun: Store) -> None:
        assert begun.customers.tickets_of("acme", "c1", NOW) == (asked("1"), asked("2"))
        assert known(begun, "c2") is None
        assert begun.customers.tickets_of("globex", "c1", NOW) is None

    def test_only_while_it_is_kept_up(self, begun: Store) -> None:
        assert known(begun, now=NOW + FRESH_SECONDS) is not None
        assert known(begun, now=NOW + FRESH_SECONDS + 1) is None
        begun.customers.followed("acme", NOW + 5000)
        assert known(begun, now=NOW + 5000) is not None

    def test_a_list_from_before_a_break_is_trusted_no_more(self, begun: Store) -> None:
        begun.customers.broken("acme", NOW + 1)
        begun.customers.followed("acme", NOW + 60)
        assert known(begun, now=NOW + 60) is None
        begun.customers.listed("acme", "c1", [asked("1")], NOW + 60)
        assert known(begun, now=NOW + 60) is not None

    def test_only_for_its_days(self, begun: Store) -> None:
        late = NOW + TRUSTED_DAYS * DAY_SECONDS
        begun.customers.followed("acme", late)
        assert known(begun, now=late) is not None
        assert known(begun, now=late + 1) is None

    def test_a_change_shows_and_an_older_state_does_not(self, begun: Store) -> None:
        begun.customers.seen("acme", [asked("1", status=Status.SOLVED, at=NOW)])
        assert known(begun) == {"1": Status.SOLVED, "2": Status.OPEN}
        # A list that was asked for before that change, and one page more than once.
        begun.customers.listed("acme", "c1", [asked("1"), asked("2")], NOW)
        begun.customers.seen("acme", [asked("1", status=Status.PENDING, at=NOW - 1), asked("1"), asked("1")])
        assert known(begun) == {"1": Status.SOLVED, "2": Status.OPEN}

    def test_a_page_on_its_way_is_not_lost_on_a_customer_nobody_had_listed(self, begun: Store) -> None:
        begun.customers.seen("acme", [asked("7", "c9", Status.SOLVED, NOW)])
        assert known(begun, "c9") is None
        begun.customers.listed("acme", "c9", [asked("7", "c9", Status.OPEN)], NOW)
        assert known(begun, "c9") == {"7": Status.SOLVED}

    def test_a_ticket_that_changes_hands(self, begun: Store) -> None:
        begun.customers.seen("acme", [asked("2", "c5", at=NOW)])
        assert known(begun) == {"1": Status.OPEN}
        begun.customers.listed("acme", "c5", [asked("2", "c5", at=NOW)], NOW)
        assert known(begun, "c5") == {"2": Status.OPEN}

    def test_a_list_leaves_out_what_is_gone_but_not_what_came_just_now(self, begun: Store) -> None:
        begun.customers.seen("acme", [asked("3", at=NOW + 99)])
        begun.customers.listed("acme", "c1", [asked("2")], NOW + 100)
        assert known(begun, now=NOW + 100) == {"2": Status.OPEN, "3": Status.OPEN}
        begun.customers.gone("acme", "3")
        assert known(begun, now=NOW + 100) == {"2": Status.OPEN}

    def test_workers_at_once(self, begun: Store) -> None:
        failures: list[Exception] = []

        def work(number: int) -> None:
            try:
                for turn in range(15):
                    at, mine = NOW + turn, [asked(str(one), at=NOW + turn) for one in range(8)]
                    random.Random(number * 100 + turn).shuffle(mine)
                    begun.customers.listed("acme", "c1", mine, at) if number % 2 else begun.customers.seen("acme", mine)
            except Exception as error:  # reported below
                failures.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert failures == []
        found = begun.customers.tickets_of("acme", "c1", NOW)
        assert found is not None
        assert {(one.ticket.id, one.updated_at.timestamp()) for one in found} == {(str(i), NOW + 14) for i in range(8)}

    def test_forgets_after_a_week(self, begun: Store) -> None:
        begun.customers.seen("acme", [asked("7", "c9")])
        forget(Settings(), begun, NOW + UNLISTED_SECONDS)
        assert rows(begun) == (1, 3 - 1)
        forget(Settings(), begun, NOW + TRUSTED_DAYS * DAY_SECONDS + 1)
        assert rows(begun) == (0, 0)

    def test_a_forgotten_ticket_takes_its_customer_along(self, begun: Store) -> None:
        begun.customers.listed("acme", "c2", [asked("9", "c2")], NOW)
        assert forget_ticket("acme", "1", begun) == {}
        assert (known(begun), known(begun, "c2")) == (None, {"9": Status.OPEN})
        assert rows(begun) == (1, 2)
        assert begun.forgetting.naming("subject 2") == {("acme", "2")}


def rows(store: Store) -> tuple[int, int]:
    with store.engine.connect() as connection:
        return tuple(len(connection.execute(select(table)).all()) for table in (customers, customer_tickets))  # type: ignore[return-value]


class TestCatchUp:
    def page(self, connector: FakeConnector, *tickets: CustomerTicket, more: bool = False) -> None:
        listed = tuple(replace(changed(one.ticket.id, NOW - 1000), asked=one) for one in tickets)
        connector.pages.append(Changes(listed, "c", more))

    @pytest.fixture
    def connector(self, store: Store) -> FakeConnector:
        """Return a connector whose desk was first caught up at NOW."""
        found = FakeConnector()
        self.page(found)
        reconcile("acme", found, store, NOW)
        store.customers.listed("acme", "c1", [asked("1")], NOW + 1)
        return found

    def test_feeds_and_keeps_it_fresh(self, store: Store, connector: FakeConnector) -> None:
        self.page(connector, asked("1", status=Status.CLOSED, at=NOW + 50), asked("2", at=NOW + 60))
        reconcile("acme", connector, store, NOW + 5000)
        assert known(store, now=NOW + 5000) == {"1": Status.CLOSED, "2": Status.OPEN}

    def test_a_list_from_before_the_first_look_is_not_kept_up(self, store: Store) -> None:
        store.customers.listed("acme", "c1", [asked("1")], NOW - 9)
        found = FakeConnector()
        self.page(found)
        reconcile("acme", found, store, NOW)
        assert known(store) is None

    def test_half_caught_up_is_not_fresh(self, store: Store, connector: FakeConnector) -> None:
        for _ in range(20):
            self.page(connector, more=True)
        reconcile("acme", connector, store, NOW + 5000)
        assert known(store, now=NOW + 5000) is None

    def test_a_page_that_failed_ends_the_trust(
        self, store: Store, connector: FakeConnector, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as broken:
            broken.setattr(type(store.customers), "_put", lambda *_: 1 / 0)
            self.page(connector, asked("1", status=Status.CLOSED, at=NOW + 50))
            # The ticket nobody told us about is found all the same.
            assert reconcile("acme", connector, store, NOW + 100) == 0
        later = NOW + 100 + SLACK_SECONDS
        self.page(connector)
        reconcile("acme", connector, store, later)
        assert known(store, now=later) is None
        store.customers.listed("acme", "c1", [asked("1", status=Status.CLOSED, at=NOW + 50)], later)
        assert known(store, now=later) == {"1": Status.CLOSED}

    def test_what_cannot_be_stored_is_left_out(self, store: Store) -> None:
        raw = {"id": 7, "requester_id": 1, "subject": "a\0b\ud800" + "x" * 999, "created_at": "2026-01-19T02:00:00Z"}
        made = customer_ticket(raw, lambda _: Status.OPEN)
        assert made
        assert made.ticket.subject.startswith("a b?x")
        assert len(made.ticket.subject) == SUBJECT_LENGTH
        keep_up(store, "acme", [replace(changed("7", NOW), asked=made)], NOW)
        with store.engine.connect() as connection:
            assert len(connection.execute(select(customer_tickets)).all()) == 1


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Running]:
    """Return one sandbox for all tests of this file."""
    with running(SandboxConfig(**CREDENTIALS, freshdesk_limit=100_000)) as found:
        yield found


class Desk(Box):
    """A Freshdesk account, and a Tandem that remembers its customers."""

    def __init__(self, sandbox: Running, store: Store) -> None:
        self.store = store
        super().__init__(sandbox, "freshdesk")
        self.catch_up()
        self.plain = open_connector("plain", self.settings, Budget("", self.settings.url, 9999))

    def connect(self) -> Connector:
        remembered = KnownCustomers("desk", self.store)
        return open_connector("desk", self.settings, Budget("", self.settings.url, 9999), known=remembered)

    def catch_up(self) -> None:
        reconcile("desk", self.connector, self.store, time.time())

    def by(self, name: str, **sample: Any) -> str:
        who = {"name": name, "email": f"{name.lower()}@known.example", "days_old": 50}
        return self.ticket(requester=who, **sample)

    def lists(self, tickets: Sequence[str]) -> int:
        """Read tickets and return how many lists that took."""
        requests.delete(f"{self.url}/calls", timeout=10)
        for one in tickets:
            self.connector.read(one)
        return int(self.state()["calls"]["endpoints"].get("freshdesk GET /api/v2/tickets", 0))


@pytest.fixture
def desk(sandbox: Running, sqlite_store: Store) -> Desk:
    """Return an account of which a Tandem with an empty database has just begun to keep up."""
    return Desk(sandbox, sqlite_store)


def told(ticket: Ticket) -> Any:
    around = ticket.background
    return ticket.earlier, ticket.ticket_count_30d, around.open_tickets, [one.id for one in around.before]


EARLIER = [{"subject": "Old", "days_ago": 3, "status": "open"}, {"subject": "Older", "days_ago": 90}]


class TestFreshdesk:
    def test_a_second_ticket_takes_no_list_and_tells_the_same(self, desk: Desk) -> None:
        first = desk.by("Ada", earlier=EARLIER)
        assert desk.lists([first]) == 1
        second = desk.by("Ada")
        assert desk.lists([second]) == 0
        found = desk.connect().read(second)
        assert told(found) == told(desk.plain.read(second))
        assert len(found.background.before) == 3
        # And so does the worker that was started just now.
        desk.connector = desk.connect()
        assert desk.lists([desk.by("Ada")]) == 0

    def test_a_newcomer_takes_none_at_all(self, desk: Desk) -> None:
        new = {"name": "Nele", "email": "nele@known.example", "days_old": 0}
        first = desk.ticket(requester=new)
        assert desk.lists([first]) == 0
        second = desk.ticket(requester=new)
        assert desk.lists([second]) == 0
        assert [one.id for one in desk.connect().read(second).earlier] == [first]

    def test_without_the_catch_up_every_ticket_takes_one(self, sandbox: Running, sqlite_store: Store) -> None:
        desk = Desk(sandbox, sqlite_store)
        assert desk.lists([desk.by("Bob")]) == 1
        sqlite_store.customers.broken("desk", time.time() + 1)
        assert desk.lists([desk.by("Bob")]) == 1

    def test_a_deleted_ticket_goes_when_it_is_met_and_with_the_next_list(self, desk: Desk) -> None:
        first = desk.by("Eve", earlier=EARLIER)
        desk.connector.read(first)
        desk.act(first, deleted=True)
        with pytest.raises(Gone):
            desk.connector.read(first)
        last = desk.by("Eve")
        assert desk.lists([last]) == 0
        assert told(desk.connect().read(last)) == told(desk.plain.read(last))

    def test_more_tickets_than_one_page_are_never_known(self, desk: Desk) -> None:
        many = [{"subject": f"No {n}", "days_ago": 1 + n % 20} for n in range(100)]
        assert desk.lists([desk.by("Max", earlier=many)]) == 1
        assert desk.lists([desk.by("Max")]) == 1

    def test_a_database_out_of_reach_costs_the_list_and_nothing_else(self, desk: Desk, tmp_path: Any) -> None:
        ticket_id = desk.by("Zoe", earlier=EARLIER)
        desk.store = open_store(f"sqlite:///{tmp_path}/without-tables.db")
        desk.connector = desk.connect()
        assert desk.lists([ticket_id]) == 1
        assert told(desk.connector.read(ticket_id)) == told(desk.plain.read(ticket_id))

    @pytest.mark.parametrize("seed", [1, 2])
    def test_whatever_people_do_it_tells_what_the_list_tells(self, desk: Desk, seed: int) -> None:
        dice = random.Random(seed)
        names = [f"Rand{seed}{n}" for n in range(4)]
        made: list[str] = [desk.by(name, earlier=EARLIER[: dice.randint(0, 2)]) for name in names]
        lists = 0
        for _ in range(25):
            one, what = dice.choice(made), dice.randint(0, 5)
            if what == 0:
                made.append(desk.by(dice.choice(names), subject=f"Ticket {len(made)}"))
            elif what == 1:
                desk.act(one, status=dice.choice(["open", "solved", "closed", "pending"]))
            elif what == 2:
                desk.act(one, tags_add=[f"t{dice.randint(0, 9)}"])
            elif what == 3:
                desk.act(one, spam=True)
                with pytest.raises(Gone):
                    desk.connector.read(one)
                made.remove(one)
            else:
                desk.catch_up()
                desk.connector = desk.connect()
                fresh = desk.by(dice.choice(names), subject=f"Fresh {len(made)}")
                made.append(fresh)
                lists += desk.lists([fresh])
                assert told(desk.connect().read(fresh)) == told(desk.plain.read(fresh))
        assert lists <= len(names)

    def test_costs_few_statements(self, desk: Desk) -> None:
        desk.connector.read(desk.by("Cost", earlier=EARLIER))
        ticket_id, said = desk.by("Cost"), []
        event.listen(desk.store.engine, "before_cursor_execute", lambda *given: said.append(given[2].split()[0]))
        desk.connector.read(ticket_id)
        assert said == ["SELECT", "SELECT", "INSERT", "SELECT", "SELECT"]
