"""Telling workers in the background: at once when idle, many together when busy, and never in a webhook's way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import pytest
from sqlalchemy import text

from triage.store import Store
from triage.store.deliveries import QUEUED, RECEIVED
from webhooks.announcer import TOGETHER, Announcer


class Broker:
    """Takes messages, may be slow, away or broken."""

    def __init__(self) -> None:
        self.messages: list[list[int]] = []
        self.takes = True
        self.open = threading.Event()
        self.open.set()

    def send_all(self, delivery_ids: Sequence[int]) -> bool:
        self.open.wait(10)
        self.messages.append(list(delivery_ids))
        return self.takes


def soon(holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + 10
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True


def stored(store: Store, count: int) -> list[int]:
    return [
        store.deliveries.receive("acme", f"k{i}", ticket_id=str(i), event="", body=b"", now=time.time()).id
        for i in range(1, count + 1)
    ]


def states(store: Store) -> dict[str, int]:
    return store.deliveries.counts()


def test_one_alone_goes_at_once_and_is_marked(store: Store) -> None:
    broker, (one,) = Broker(), stored(store, 1)
    begin = time.monotonic()
    Announcer(store, broker).announce(one)
    assert soon(lambda: broker.messages == [[one]])
    assert time.monotonic() - begin < 1
    assert soon(lambda: states(store) == {QUEUED: 1})
    # As after any wake-up: the sweep looks again when nobody has taken it.
    assert store.deliveries.claim_due(time.time() + 35, 10) == []
    assert store.deliveries.claim_due(time.time() + 45, 10) == [one]


def test_what_comes_while_a_message_is_sent_goes_with_the_next_ones(store: Store) -> None:
    broker, ids = Broker(), stored(store, 2 * TOGETHER + 11)
    announcer = Announcer(store, broker)
    broker.open.clear()
    announcer.announce(ids[0])
    time.sleep(0.05)
    begin = time.monotonic()
    for one in [*ids[1:], ids[1]]:
        announcer.announce(one)
    assert time.monotonic() - begin < 0.5
    broker.open.set()
    assert soon(lambda: states(store) == {QUEUED: len(ids)})
    assert [len(message) for message in broker.messages] == [1, TOGETHER, TOGETHER, 11]
    # One that was told of twice is in there twice at most; all are in there in their order.
    assert list(dict.fromkeys(one for message in broker.messages for one in message)) == ids


def test_a_broker_that_is_away_leaves_it_to_the_sweep(store: Store) -> None:
    broker, (one, two) = Broker(), stored(store, 2)
    broker.takes = False
    announcer = Announcer(store, broker)
    announcer.announce(one)
    assert soon(lambda: broker.messages == [[one]])
    time.sleep(0.1)
    assert states(store) == {RECEIVED: 2}
    broker.takes = True
    announcer.announce(two)
    assert soon(lambda: states(store) == {RECEIVED: 1, QUEUED: 1})
    assert store.deliveries.claim_due(time.time() + 6, 10) == [one]


@pytest.mark.parametrize("trouble", ["database", "broker"])
def test_trouble_does_not_end_the_thread(sqlite_store: Store, monkeypatch: pytest.MonkeyPatch, trouble: str) -> None:
    broker, (one, two) = Broker(), stored(sqlite_store, 2)
    announcer = Announcer(sqlite_store, broker)
    if trouble == "broker":
        monkeypatch.setattr(Broker, "send_all", lambda self, ids: 1 / 0)
        announcer.announce(one)
        time.sleep(0.2)
        monkeypatch.undo()
    else:
        with sqlite_store.engine.begin() as connection:
            connection.execute(text("ALTER TABLE deliveries RENAME TO gone"))
        announcer.announce(one)
        assert soon(lambda: broker.messages == [[one]])
        time.sleep(0.2)
        with sqlite_store.engine.begin() as connection:
            connection.execute(text("ALTER TABLE gone RENAME TO deliveries"))
    announcer.announce(two)
    assert soon(lambda: states(sqlite_store) == {RECEIVED: 1, QUEUED: 1})
