"""Leases: kept while the work goes on, lost when it does not."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from sqlalchemy import text

from triage.store import Store
from triage.store.runs import Run
from workers import leases as module
from workers.leases import LEASE_SECONDS, RENEW_SECONDS, Leases


class StillLeases(Leases):
    """Renews when told, not by itself."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._thread = threading.current_thread()


@pytest.fixture
def clock() -> Iterator[Any]:
    with time_machine.travel(1_000_000.0, tick=False) as traveller:
        yield traveller


def claim(store: Store, leases: Leases, ticket_id: str = "7") -> tuple[Run, bool]:
    now = time.time()
    return store.runs.claim(
        "acme", ticket_id, "created", owner=leases.new_owner(), now=now, lease_until=now + LEASE_SECONDS
    )


def until(store: Store, run: Run) -> float:
    found = store.runs.get(run.id)
    assert found is not None
    assert found.lease_until is not None
    return found.lease_until


def test_a_dead_workers_ticket_is_free_within_half_a_minute_and_renewals_come_in_time() -> None:
    assert LEASE_SECONDS <= 30
    assert RENEW_SECONDS * 3 < LEASE_SECONDS


def test_held_leases_are_renewed(store: Store, clock: Any) -> None:
    leases = StillLeases(store)
    first, _ = claim(store, leases, "1")
    second, _ = claim(store, leases, "2")
    with leases.hold(first.id, first.owner), leases.hold(second.id, second.owner):
        for _ in range(10):
            clock.shift(LEASE_SECONDS - 1)
            leases.renew()
            assert not claim(store, StillLeases(store), "1")[1]
            assert until(store, second) == time.time() + LEASE_SECONDS
    clock.shift(LEASE_SECONDS + 1)
    leases.renew()
    assert claim(store, StillLeases(store), "1")[1]


def test_a_lease_that_is_let_go_is_renewed_no_more(store: Store, clock: Any) -> None:
    leases = StillLeases(store)
    run, _ = claim(store, leases)
    with pytest.raises(RuntimeError), leases.hold(run.id, run.owner):
        raise RuntimeError
    before = until(store, run)
    clock.shift(5)
    leases.renew()
    assert until(store, run) == before


def test_another_owners_lease_is_never_lengthened(store: Store, clock: Any) -> None:
    slow, quick = StillLeases(store), StillLeases(store)
    run, _ = claim(store, slow)
    with slow.hold(run.id, run.owner):
        clock.shift(LEASE_SECONDS + 1)
        taken, mine = claim(store, quick)
        assert mine
        before = until(store, taken)
        clock.shift(5)
        slow.renew()
        assert until(store, taken) == before


def test_every_claim_has_an_owner_of_its_own(sqlite_store: Store) -> None:
    """Two threads of one process are two owners: the one that was stuck must notice."""
    leases = StillLeases(sqlite_store)
    owners = {leases.new_owner() for _ in range(1000)} | {StillLeases(sqlite_store).new_owner() for _ in range(10)}
    assert len(owners) == 1010
    assert all(len(owner) <= 80 and owner.startswith(module.socket.gethostname()[:40]) for owner in owners)


def test_a_thread_that_lost_its_run_to_another_of_its_process_does_not_end_the_others_lease(
    store: Store, clock: Any
) -> None:
    leases = StillLeases(store)
    stuck, _ = claim(store, leases)
    with leases.hold(stuck.id, stuck.owner):
        clock.shift(LEASE_SECONDS + 1)
        taken, mine = claim(store, leases)
        assert mine
        other = leases.hold(taken.id, taken.owner)
        other.__enter__()
    # The stuck one is done now and lets go of what it no longer has.
    clock.shift(LEASE_SECONDS - 1)
    leases.renew()
    assert until(store, taken) == time.time() + LEASE_SECONDS
    assert not store.runs.save(stuck, model="x")
    other.__exit__(None, None, None)


def test_a_ticket_that_takes_too_long_loses_its_lease(
    store: Store, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "DEADLINE_SECONDS", 0.01)
    leases = StillLeases(store)
    run, _ = claim(store, leases)
    with leases.hold(run.id, run.owner):
        before = until(store, run)
        # The deadline is measured on a clock that nobody can set.
        deadline = time.monotonic() + 0.02
        while time.monotonic() < deadline:
            pass
        clock.shift(5)
        leases.renew()
        assert until(store, run) == before


def test_one_thread_renews_by_itself(sqlite_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RENEW_SECONDS", 0.02)
    leases = Leases(sqlite_store)
    run, _ = claim(sqlite_store, leases)
    threads = threading.active_count()
    with leases.hold(run.id, run.owner), leases.hold(run.id, leases.new_owner()):
        assert threading.active_count() == threads + 1
        before, end = until(sqlite_store, run), time.monotonic() + 10
        while until(sqlite_store, run) <= before:
            assert time.monotonic() < end
            time.sleep(0.01)
    # Left alone for the rest of the suite.
    monkeypatch.setattr(module, "RENEW_SECONDS", 3600)


def test_a_database_that_is_away_is_no_reason_to_stop_renewing(
    sqlite_store: Store, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    leases = StillLeases(sqlite_store)
    run, _ = claim(sqlite_store, leases)
    with leases.hold(run.id, run.owner):
        with sqlite_store.engine.begin() as connection:
            connection.execute(text("ALTER TABLE runs RENAME TO gone"))
        leases.renew()
        assert "leases not renewed (OperationalError)" in caplog.text
        with sqlite_store.engine.begin() as connection:
            connection.execute(text("ALTER TABLE gone RENAME TO runs"))
        clock.shift(5)
        leases.renew()
        assert until(sqlite_store, run) == time.time() + LEASE_SECONDS
