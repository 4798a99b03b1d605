"""Rows of many threads in one transaction: each answered for itself, and only after the commit."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError, SQLAlchemyError

from triage.store import Store
from triage.store.arrivals import ASK, CLOCK, DONE, IGNORED, Arrival, Received
from webhooks.inbox import Inbox


def arrival(key: str, **more: Any) -> Arrival:
    return Arrival("acme", key, more.pop("ticket_id", "7"), "created", b"{}", time.time(), **more)


def together(inbox: Inbox, arrivals: Sequence[Arrival]) -> list[Received | Exception]:
    """Store from as many threads at once and return what each got."""
    got: list[Received | Exception] = [ValueError("no answer")] * len(arrivals)
    ready = threading.Barrier(len(arrivals))

    def run(place: int) -> None:
        ready.wait()
        try:
            got[place] = inbox.receive(arrivals[place])
        except Exception as error:
            got[place] = error

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(arrivals))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return got


def test_each_of_many_threads_gets_its_own_row_in_few_transactions(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[int] = []
    real = store.deliveries.receive_all

    def counting(arrivals: Sequence[Arrival]) -> list[Received]:
        batches.append(len(arrivals))
        time.sleep(0.02)
        return real(arrivals)

    monkeypatch.setattr(store.deliveries, "receive_all", counting)
    got = together(Inbox(store), [arrival(f"k{n}", ticket_id=str(n)) for n in range(24)])
    assert all(isinstance(one, Received) and one.is_new and one.needs_queueing for one in got)
    rows = {row.id: row.ticket_id for row in store.deliveries.recent(100)}
    assert [rows[one.id] for one in got if isinstance(one, Received)] == [str(n) for n in range(24)]
    assert sum(batches) == 24
    assert len(batches) < 12


def test_the_answer_comes_after_the_commit(store: Store) -> None:
    inbox, seen = Inbox(store), []
    for number in range(5):
        received = inbox.receive(arrival(f"k{number}"))
        # Another connection finds it.
        seen.append(store.deliveries.get(received.id) is not None)
    assert seen == [True] * 5


def test_one_transaction_with_new_ones_repeats_and_joined_ones(store: Store) -> None:
    old = store.deliveries.receive_all([arrival("old"), arrival("told")])
    store.deliveries.mark_queued(old[1].id, time.time())
    got = store.deliveries.receive_all(
        [
            arrival("z"),
            arrival("old"),
            arrival("a"),
            arrival("a"),
            arrival("told"),
            arrival("c1", occasion=CLOCK, ticket_id="8"),
            arrival("c2", occasion=CLOCK, ticket_id="8"),
            arrival("asked", occasion=ASK),
            arrival("other", state=IGNORED),
        ]
    )
    flags = [(one.is_new, one.needs_queueing) for one in got]
    assert flags == [
        (True, True), (False, True), (True, True), (False, True), (False, False),
        (True, False), (True, False), (True, False), (True, False),
    ]  # fmt: skip
    assert (got[1].id, got[4].id, got[3].id) == (old[0].id, old[1].id, got[2].id)
    joined = store.deliveries.get(got[6].id)
    assert joined and (joined.state, joined.reason) == (DONE, f"one reading for several changes: delivery {got[5].id}")


def test_a_value_the_database_refuses_is_the_trouble_of_its_own_call(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No such value gets through the parsers; a column that takes no text would be one.
    arrivals = [arrival(f"k{n}", ticket_id=None if n == 3 else "7") for n in range(8)]
    real = store.deliveries.receive_all
    monkeypatch.setattr(store.deliveries, "receive_all", lambda some: time.sleep(0.02) or real(some))  # type: ignore[func-returns-value]
    got = together(Inbox(store), arrivals)
    assert [isinstance(one, IntegrityError) for one in got] == [n == 3 for n in range(8)]
    assert len(store.deliveries.recent(100)) == 7


def test_a_database_that_is_away_fails_those_who_wait_and_nobody_later(sqlite_store: Store) -> None:
    inbox = Inbox(sqlite_store)
    with sqlite_store.engine.begin() as connection:
        connection.execute(text("ALTER TABLE deliveries RENAME TO gone"))
    got = together(inbox, [arrival(f"k{n}") for n in range(6)])
    assert all(isinstance(one, OperationalError) for one in got)
    with sqlite_store.engine.begin() as connection:
        connection.execute(text("ALTER TABLE gone RENAME TO deliveries"))
    assert inbox.receive(arrival("k0")).is_new


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_who_waits_for_a_writer_that_is_ended_hears_of_it(sqlite_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else each would look for its row for ever, with the others behind it."""
    real, calls = sqlite_store.deliveries.receive_all, iter(range(100))

    def ended(some: Sequence[Arrival]) -> list[Received]:
        time.sleep(0.05)
        if next(calls) == 1:
            raise SystemExit
        return real(some)

    monkeypatch.setattr(sqlite_store.deliveries, "receive_all", ended)
    inbox = Inbox(sqlite_store)
    got = together(inbox, [arrival(f"k{n}") for n in range(8)])
    told = [one for one in got if isinstance(one, SQLAlchemyError)]
    # The writer itself ends without a word here.
    assert len(told) + sum(isinstance(one, ValueError) for one in got) == 7
    assert told
    assert inbox.receive(arrival("k9")).is_new
