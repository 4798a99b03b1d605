"""One delivery through every error, crash and race: what becomes of it, and exactly one note at the end."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from connectors.base import Written
from tests.fakes import FakeClassifier, FakeConnector, Killed, Pretend
from triage.errors import (
    Conflict,
    DeskLocked,
    FeatureOff,
    Gone,
    ModelError,
    Refused,
    Retry,
    Stop,
    TandemError,
    UnknownOutcome,
    Wait,
)
from triage.settings import Mode, Settings
from triage.store import Store
from triage.store.deliveries import DEAD, DONE, OPEN_STATES, QUEUED, Delivery
from triage.store.marks import DESK_LOCKED
from triage.store.runs import DEAD as RUN_DEAD
from triage.store.runs import DONE as RUN_DONE
from triage.store.runs import RUNNING, SKIPPED, WAITING, Run
from workers.deliver import (
    FIRST_PAUSE_SECONDS,
    JITTER,
    LOCKED_PAUSE_SECONDS,
    LONGEST_PAUSE_SECONDS,
    MAX_ATTEMPTS,
    deliver,
    describe,
    pause_after,
)
from workers.leases import LEASE_SECONDS, Leases
from workers.tools import Tools

T0 = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
PRIVATE = "my card is 4111-1111"
HOUR = 3600.0


class StillLeases(Leases):
    """Leases of a process that is killed before it renews any; no thread of theirs outlives a test."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._thread = threading.current_thread()


class Bench:
    """Everything a worker has, on a clock that only moves when told."""

    def __init__(self, store: Store, settings: Settings, clock: Any) -> None:
        self.store, self.settings, self.clock = store, settings, clock
        self.connector = FakeConnector()
        self.classifier = FakeClassifier()
        self.checkpoint: Callable[[str], None] = lambda _: None

    def receive(self, ticket_id: str = "7", key: str = "") -> int:
        return self.store.deliveries.receive(
            "acme", key or f"event:{ticket_id}", ticket_id=ticket_id, event="created", body=b"{}", now=time.time()
        ).id

    def arrive(self, ticket_id: str = "7") -> tuple[int, Pretend]:
        """Put a ticket on the helpdesk and its webhook into the inbox."""
        return self.receive(ticket_id), self.connector.add(ticket_id)

    def set(self, **values: Any) -> None:
        desk = self.settings.desks["acme"].model_copy(update=values)
        self.settings = self.settings.model_copy(update={"desks": {**self.settings.desks, "acme": desk}})

    def tools(self, desk: str) -> Tools:
        if desk not in self.settings.desks:
            raise Stop(f"desk '{desk}' is not in the settings")
        return Tools(
            self.connector, self.classifier, self.store, self.settings, self.settings.desks[desk],
            lambda step: self.checkpoint(step),
        )  # fmt: skip

    def deliver(self, delivery_id: int, leases: Leases | None = None) -> Delivery:
        """Work on it once, as a process of its own, and return its row."""
        deliver(delivery_id, self.store, leases or StillLeases(self.store), self.tools)
        return self.row(delivery_id)

    def sweep(self) -> None:
        """Do what beat and workers do when the next row is due; a killed worker is the sweep's daily bread."""
        dues = [row.due_at for row in self.store.deliveries.recent(1000) if row.due_at is not None]
        self.clock.shift(max(0.0, min(dues) - time.time()) + 0.01)
        for delivery_id in self.store.deliveries.claim_due(time.time(), 100):
            try:
                self.deliver(delivery_id)
            except Killed:
                continue

    def finish(self, rounds: int = 100) -> None:
        """Sweep until nothing is open."""
        for _ in range(rounds):
            if not any(row.state in OPEN_STATES for row in self.store.deliveries.recent(1000)):
                return
            self.sweep()
        raise AssertionError("still open after so many rounds")

    def row(self, delivery_id: int) -> Delivery:
        row = self.store.deliveries.get(delivery_id)
        assert row is not None
        return row

    def run(self) -> Run:
        (run,) = self.store.runs.recent(10)
        return run


@pytest.fixture
def clock() -> Iterator[Any]:
    with time_machine.travel(T0, tick=False) as traveller:
        yield traveller


@pytest.fixture
def bench(sqlite_store: Store, settings: Settings, clock: Any) -> Bench:
    return Bench(sqlite_store, settings, clock)


@pytest.fixture
def everywhere(store: Store, settings: Settings, clock: Any) -> Bench:
    """A bench on each kind of database in turn."""
    return Bench(store, settings, clock)


class TestDone:
    def test_closes_delivery_and_run(self, everywhere: Bench) -> None:
        delivery_id, shown = everywhere.arrive()
        row = everywhere.deliver(delivery_id)
        run = everywhere.run()
        assert (row.state, row.attempts, row.due_at, row.reason) == (DONE, 1, None, f"run {run.id}")
        assert (run.state, run.lease_until, len(shown.notes)) == (RUN_DONE, None, 1)

    def test_is_not_done_again_by_a_message_that_comes_twice(self, bench: Bench) -> None:
        delivery_id, shown = bench.arrive()
        for _ in range(3):
            bench.deliver(delivery_id)
        assert (len(shown.notes), bench.connector.names().count("read")) == (1, 1)

    def test_nor_by_a_replay(self, bench: Bench) -> None:
        delivery_id, shown = bench.arrive()
        bench.deliver(delivery_id)
        assert bench.store.deliveries.revive([delivery_id], time.time()) == [delivery_id]
        row = bench.deliver(delivery_id)
        assert (row.state, row.reason) == (DONE, f"run {bench.run().id} has triaged this ticket")
        assert (len(shown.notes), bench.connector.names().count("post")) == (1, 1)

    def test_nor_by_another_delivery_of_the_ticket(self, bench: Bench) -> None:
        delivery_id, shown = bench.arrive()
        others = [bench.receive("7", key) for key in ("poll:7", "event:later", "invocation:x")]
        for each in (delivery_id, *others):
            assert bench.deliver(each).state == DONE
        assert len(shown.notes) == 1

    def test_a_message_for_no_row_is_harmless(self, bench: Bench) -> None:
        deliver(999, bench.store, StillLeases(bench.store), bench.tools)
        assert bench.store.runs.recent(10) == []

    @pytest.mark.parametrize("call", ["read", "post", "find_note", "add_tags"])
    def test_gone_ends_quietly_wherever_it_is_noticed(self, bench: Bench, call: str) -> None:
        delivery_id, _ = bench.arrive()
        if call == "find_note":
            bench.connector.fail("post", UnknownOutcome("no answer"))
        bench.connector.fail(call, Gone("the ticket was deleted"))
        bench.deliver(delivery_id)
        bench.finish()
        row = bench.row(delivery_id)
        assert (row.state, row.reason, bench.run().state) == (DONE, "the ticket was deleted", SKIPPED)

    def test_a_tagged_ticket_ends_quietly(self, bench: Bench) -> None:
        delivery_id, shown = bench.arrive()
        shown.change(tags=("ai_triaged",))
        assert bench.deliver(delivery_id).state == DONE
        assert (shown.notes, bench.classifier.asked) == ([], [])

    def test_a_desk_that_is_off_ends_quietly(self, bench: Bench) -> None:
        bench.set(mode=Mode.OFF)
        delivery_id, _ = bench.arrive()
        row = bench.deliver(delivery_id)
        assert (row.state, bench.connector.calls) == (DONE, [])
        assert "off" in row.reason


class TestWait:
    @pytest.mark.parametrize("seconds", [1.0, 34.0, HOUR])
    def test_waits_as_long_as_told_and_burns_no_attempt(self, everywhere: Bench, seconds: float) -> None:
        delivery_id, _ = everywhere.arrive()
        everywhere.connector.fail("read", Wait("the rate limit", seconds))
        row = everywhere.deliver(delivery_id)
        assert (row.state, row.attempts, row.reason) == (QUEUED, 0, "the rate limit")
        assert row.due_at == pytest.approx(time.time() + seconds)
        assert (everywhere.run().state, everywhere.run().lease_until) == (WAITING, None)
        assert everywhere.store.deliveries.claim_due(time.time() + seconds - 0.5, 10) == []

    def test_a_hundred_times_is_no_reason_to_give_up(self, bench: Bench) -> None:
        delivery_id, shown = bench.arrive()
        bench.connector.fail("read", Wait("the rate limit", 600), times=100)
        bench.deliver(delivery_id)
        bench.finish(200)
        assert (bench.row(delivery_id).state, bench.row(delivery_id).attempts, len(shown.notes)) == (DONE, 1, 1)

    def test_in_the_middle_of_writing_loses_nothing(self, bench: Bench) -> None:
        delivery_id, shown = bench.arrive()
        bench.connector.fail("add_tags", Wait("the rate limit", 600))
        bench.deliver(delivery_id)
        bench.finish()
        assert (len(shown.notes), "ai_triaged" in shown.ticket.tags) == (1, True)


class TestRetry:
    def test_comes_back_and_ends_well(self, everywhere: Bench) -> None:
        delivery_id, shown = everywhere.arrive()
        everywhere.connector.fail("read", Retry("the helpdesk is down"), times=4)
        row = everywhere.deliver(delivery_id)
        assert (row.state, row.attempts, row.reason) == (QUEUED, 1, "the helpdesk is down")
        everywhere.finish()
        row = everywhere.row(delivery_id)
        assert (row.state, row.attempts, len(shown.notes)) == (DONE, 5, 1)

    def test_is_bounded_and_ends_dead_with_its_reason(self, everywhere: Bench) -> None:
        delivery_id, shown = everywhere.arrive()
        everywhere.connector.fail("read", Retry("the helpdesk is down"), times=99)
        started = time.time()
        everywhere.deliver(delivery_id)
        everywhere.finish()
        row, run = everywhere.row(delivery_id), everywhere.run()
        assert (row.state, row.attempts, row.reason, row.due_at) == (DEAD, MAX_ATTEMPTS, "the helpdesk is down", None)
        assert (run.state, run.reason, run.lease_until) == (RUN_DEAD, "the helpdesk is down", None)
        assert everywhere.connector.names() == ["read"] * MAX_ATTEMPTS
        assert 4 * HOUR < time.time() - started < 7 * HOUR
        # Dead is not lost: an admin may replay it.
        everywhere.connector.heal()
        everywhere.store.deliveries.revive([delivery_id], time.time())
        everywhere.finish()
        assert (everywhere.row(delivery_id).state, len(shown.notes)) == (DONE, 1)

    def test_pauses_grow_threefold_up_to_an_hour_and_never_shrink(self) -> None:
        least = [FIRST_PAUSE_SECONDS * 3**n for n in range(5)] + [LONGEST_PAUSE_SECONDS] * 4
        for attempt, wanted in enumerate(least, start=1):
            pauses = [pause_after(Retry("x"), attempt) for _ in range(200)]
            assert None not in pauses
            seconds = [pause for pause in pauses if pause is not None]
            assert wanted <= min(seconds)
            assert max(seconds) <= wanted * (1 + JITTER)
            # Spread, so that a hundred tickets do not come back in one second.
            assert max(seconds) - min(seconds) > wanted * JITTER / 2

    @pytest.mark.parametrize("error", [Retry("x", after=900), UnknownOutcome("x", after=900)])
    def test_waits_at_least_as_long_as_the_helpdesk_said(self, error: Retry) -> None:
        assert (pause_after(error, 1) or 0) >= 900
        assert (pause_after(error, 8) or 0) >= LONGEST_PAUSE_SECONDS

    @pytest.mark.parametrize("error", [Retry("x"), UnknownOutcome("x"), Conflict("x"), ModelError("x"), DeskLocked("x"),
                                       ValueError("x")])  # fmt: skip
    def test_the_last_attempt_is_the_last(self, error: Exception) -> None:
        assert pause_after(error, MAX_ATTEMPTS - 1) is not None
        assert pause_after(error, MAX_ATTEMPTS) is None
        assert pause_after(Wait("x", 5.0), MAX_ATTEMPTS + 5) == 5.0


class TestStop:
    @pytest.mark.parametrize(
        "error", [Stop("the url is wrong"), Refused("no such value"), FeatureOff("not on this plan")]
    )
    def test_is_dead_at_once(self, bench: Bench, error: TandemError) -> None:
        delivery_id, shown = bench.arrive()
        bench.connector.fail("post", error)
        row = bench.deliver(delivery_id)
        assert (row.state, row.reason, row.attempts) == (DEAD, str(error), 1)
        assert (bench.run().state, shown.notes) == (RUN_DEAD, [])
        bench.store.deliveries.revive([delivery_id], time.time())
        assert bench.deliver(delivery_id).state == DONE
        assert len(shown.notes) == 1

    def test_of_a_desk_that_left_the_settings(self, bench: Bench) -> None:
        delivery_id = bench.store.deliveries.receive(
            "old-desk", "k", ticket_id="7", event="created", body=b"", now=time.time()
        ).id
        row = bench.deliver(delivery_id)
        assert row.state == DEAD
        assert "old-desk" in row.reason

    def test_of_the_desk_raises_an_alarm_and_waits_for_an_admin(self, bench: Bench) -> None:
        delivery_id, shown = bench.arrive()
        bench.connector.fail("read", DeskLocked("the helpdesk refuses our credential"), times=3)
        row = bench.deliver(delivery_id)
        assert row.state == QUEUED
        assert row.due_at is not None
        assert row.due_at >= time.time() + LOCKED_PAUSE_SECONDS
        (alarm,) = bench.store.alarms.recent()
        assert (alarm.desk, alarm.kind, alarm.text) == ("acme", DESK_LOCKED, "the helpdesk refuses our credential")
        bench.finish()
        assert (bench.row(delivery_id).state, len(shown.notes)) == (DONE, 1)
        assert bench.store.alarms.recent() == []

    def test_of_the_desk_is_asked_by_one_ticket_and_not_by_all(self, bench: Bench) -> None:
        """Repeated wrong keys can lock the agent whose key it is."""
        arrived = [bench.arrive(str(number)) for number in range(20, 40)]
        bench.connector.fail("read", DeskLocked("the helpdesk refuses our credential"))
        for delivery_id, _ in arrived:
            assert bench.deliver(delivery_id).state in OPEN_STATES
        assert bench.connector.names() == ["read"]
        assert sum(bench.row(delivery_id).attempts for delivery_id, _ in arrived) == 1
        bench.finish()
        assert {len(shown.notes) for _, shown in arrived} == {1}
        assert bench.store.alarms.recent() == []


class TestUnexpected:
    def test_is_retried_bounded_and_its_text_is_told_to_nobody(
        self, everywhere: Bench, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The text of an error nobody foresaw may be a customer's."""
        caplog.set_level(logging.DEBUG)
        delivery_id, _ = everywhere.arrive()
        everywhere.classifier.answers[0] = RuntimeError(PRIVATE)
        row = everywhere.deliver(delivery_id)
        assert row.reason.startswith("unexpected RuntimeError at fakes.py:")
        everywhere.finish()
        assert (everywhere.row(delivery_id).state, everywhere.row(delivery_id).attempts) == (DEAD, MAX_ATTEMPTS)
        assert PRIVATE not in caplog.text
        assert PRIVATE not in dump(everywhere.store)

    def test_is_named_by_kind_and_place(self) -> None:
        assert describe(ValueError(PRIVATE)) == "unexpected ValueError; please report this"
        assert describe(Stop("the url is wrong")) == "the url is wrong"
        assert describe(Stop("")) == "Stop"

    def test_value_that_the_database_refuses_ends_dead_and_not_in_a_loop(
        self, store: Store, settings: Settings, clock: Any
    ) -> None:
        """PostgreSQL refuses what is too long for its column; SQLite takes it."""
        bench = Bench(store, settings, clock)
        delivery_id, shown = bench.arrive()
        note_ids = iter("n" * 100 for _ in range(100))

        def find_note(_ticket: str, _reference: str) -> Written:
            return Written(next(note_ids))

        bench.connector.fail("post", UnknownOutcome("no answer"), applied="all")
        bench.connector.find_note = find_note  # type: ignore[method-assign]
        bench.deliver(delivery_id)
        bench.finish()
        expected = DONE if store.engine.dialect.name == "sqlite" else DEAD
        assert (bench.row(delivery_id).state, len(shown.notes)) == (expected, 1)
        assert bench.row(delivery_id).attempts <= MAX_ATTEMPTS

    def test_loss_of_the_database_leaves_the_delivery_to_the_sweep(self, bench: Bench) -> None:
        delivery_id, shown = bench.arrive()
        bench.connector.fail("post", OperationalError("UPDATE", {}, Exception("disk I/O error")))
        row = bench.deliver(delivery_id)
        assert (row.state, bench.run().state) == (QUEUED, RUNNING)
        bench.finish()
        assert (bench.row(delivery_id).state, len(shown.notes)) == (DONE, 1)


class TestCrash:
    STEPS = ("after_read", "after_classify", "before_note", "after_note", "before_finish")

    @pytest.mark.parametrize("step", STEPS)
    def test_is_taken_over_when_the_lease_is_over_and_not_before(self, everywhere: Bench, step: str) -> None:
        delivery_id, shown = everywhere.arrive()
        everywhere.checkpoint = kill_at(step)
        with pytest.raises(Killed):
            everywhere.deliver(delivery_id)
        everywhere.checkpoint = lambda _: None
        notes = len(shown.notes)
        everywhere.clock.shift(LEASE_SECONDS - 1)
        # The broker gives the message to another worker at once: it must leave a live lease alone.
        assert everywhere.deliver(delivery_id).state == QUEUED
        assert len(shown.notes) == notes
        crashed_at = T0.timestamp()
        everywhere.finish()
        assert (everywhere.row(delivery_id).state, len(shown.notes)) == (DONE, 1)
        assert time.time() - crashed_at <= 60
        assert everywhere.classifier.asked == ["7"]

    def test_right_after_its_lease_was_renewed_is_noticed_as_soon(self, everywhere: Bench) -> None:
        """The sweep comes by before that lease is over: it must come again right after, not a whole push later."""
        delivery_id, shown = everywhere.arrive()
        everywhere.checkpoint = kill_at("after_read")
        with pytest.raises(Killed):
            everywhere.deliver(delivery_id)
        everywhere.checkpoint = lambda _: None
        run, died_at = everywhere.run(), time.time()
        everywhere.store.runs.renew([run.id], run.owner, died_at + LEASE_SECONDS + 8)
        while everywhere.row(delivery_id).state in OPEN_STATES:
            everywhere.clock.shift(5)
            for due in everywhere.store.deliveries.claim_due(time.time(), 100):
                everywhere.deliver(due)
        assert len(shown.notes) == 1
        assert time.time() - died_at <= LEASE_SECONDS + 8 + 10

    def test_at_every_attempt_is_bounded(self, bench: Bench) -> None:
        """A ticket that kills its worker, by memory or a library's fault, must not do so for ever."""
        delivery_id, shown = bench.arrive()
        bench.checkpoint = kill_at("after_read")
        for _ in range(60):
            if bench.row(delivery_id).state not in OPEN_STATES:
                break
            bench.sweep()
        assert bench.row(delivery_id).state == DEAD
        assert "the worker was killed each time" in bench.row(delivery_id).reason
        assert (bench.run().state, shown.notes) == (RUN_DEAD, [])
        assert bench.connector.names() == ["read"] * MAX_ATTEMPTS

    def test_before_the_claim_is_nothing(self, bench: Bench) -> None:
        delivery_id, shown = bench.arrive()
        bench.finish()
        assert (bench.row(delivery_id).state, len(shown.notes)) == (DONE, 1)


class TestTwoAtOnce:
    @pytest.mark.parametrize("same_delivery", [True, False])
    def test_write_one_note(self, store: Store, settings: Settings, same_delivery: bool) -> None:
        """Threads and a real clock, on both databases."""
        bench = Bench(store, settings, None)
        delivery_id, shown = bench.arrive()
        ids = [delivery_id] * 8 if same_delivery else [delivery_id, *(bench.receive("7", f"k{i}") for i in range(7))]
        bench.classifier.meanwhile = lambda: time.sleep(0.05)
        barrier = threading.Barrier(8)
        failures: list[BaseException] = []

        def run(each: int) -> None:
            barrier.wait()
            try:
                deliver(each, store, StillLeases(store), bench.tools)
            except BaseException as error:  # reported below
                failures.append(error)

        threads = [threading.Thread(target=run, args=(each,)) for each in ids]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert (len(shown.notes), bench.classifier.asked) == (1, ["7"])
        with time_machine.travel(time.time() + 120, tick=False) as clock:
            bench.clock = clock
            bench.finish()
        assert {bench.row(each).state for each in ids} == {DONE}
        assert len(shown.notes) == 1

    def test_a_stuck_thread_of_the_same_process_writes_nothing_when_it_wakes(self, bench: Bench) -> None:
        """One worker process has many threads: the lease is a claim's, not the process's."""
        delivery_id, shown = bench.arrive()
        process, stuck = StillLeases(bench.store), [True]

        def hang() -> None:
            if stuck:
                stuck.clear()
                bench.clock.shift(LEASE_SECONDS + 1)
                bench.deliver(delivery_id, process)
                assert len(shown.notes) == 1

        bench.classifier.meanwhile = hang
        assert bench.deliver(delivery_id, process).state == DONE
        assert (len(shown.notes), bench.connector.names().count("post")) == (1, 1)
        assert bench.classifier.asked == ["7", "7"]

    def test_a_delivery_that_is_closed_meanwhile_leaves_no_run_behind(self, bench: Bench) -> None:
        """Between our look and our attempt somebody else ends the delivery."""
        delivery_id, _ = bench.arrive()
        leases = StillLeases(bench.store)
        new_owner = leases.new_owner

        def close_first() -> str:
            bench.store.deliveries.finish(delivery_id, DEAD, time.time(), "closed by somebody")
            return new_owner()

        leases.new_owner = close_first  # type: ignore[method-assign]
        row = bench.deliver(delivery_id, leases)
        assert (row.state, row.reason) == (DEAD, "closed by somebody")
        assert (bench.store.runs.recent(10), bench.connector.calls) == ([], [])


FAULTS: dict[str, Callable[[], tuple[BaseException, str]]] = {
    "retry": lambda: (Retry("down"), ""),
    "wait": lambda: (Wait("limit", 30.0), ""),
    "unknown": lambda: (UnknownOutcome("no answer"), ""),
    "unknown, note written": lambda: (UnknownOutcome("no answer"), "note"),
    "unknown, all written": lambda: (UnknownOutcome("no answer"), "all"),
    "conflict": lambda: (Conflict("changed"), ""),
    "killed": lambda: (Killed(), ""),
    "killed, note written": lambda: (Killed(), "note"),
    "killed, all written": lambda: (Killed(), "all"),
    "locked": lambda: (DeskLocked("401"), ""),
    "surprise": lambda: (KeyError("x"), ""),
    "database": lambda: (OperationalError("x", {}, Exception("locked")), ""),
}
CALLS = ("read", "post", "find_note", "set_fields", "add_tags")
counter = itertools.count(1000)


class TestExactlyOneNote:
    """Over all orders of faults: one note when done, never two."""

    def check(self, bench: Bench, faults: list[tuple[str, str]], kills: list[str], guarded: bool) -> None:
        ticket_id = str(next(counter))
        bench.connector, bench.classifier = FakeConnector(guarded=guarded), FakeClassifier()
        delivery_id, shown = bench.arrive(ticket_id)
        for call, name in faults:
            error, applied = FAULTS[name]()
            bench.connector.fail(call, error, applied=applied)
        left = list(kills)

        def checkpoint(step: str) -> None:
            if left and left[0] == step:
                left.pop(0)
                raise Killed

        bench.checkpoint = checkpoint
        bench.finish()
        assert bench.row(delivery_id).state == DONE
        assert len(shown.notes) == 1
        assert not shown.notes[0].public
        ticket = shown.ticket
        assert ("ai_triaged" in ticket.tags, ticket.priority, ticket.group_id) == (True, "high", "Finance & Billing")

    @pytest.mark.parametrize("call", CALLS)
    def test_one_fault_after_a_note_in_doubt(self, bench: Bench, call: str) -> None:
        bench.set(mode=Mode.WRITE)
        for name, guarded in itertools.product(FAULTS, (True, False)):
            self.check(bench, [("post", "unknown, note written"), (call, name)], [], guarded)

    @pytest.mark.parametrize("step", TestCrash.STEPS)
    def test_one_fault_at_the_note_and_a_crash(self, bench: Bench, step: str) -> None:
        bench.set(mode=Mode.WRITE)
        for name in FAULTS:
            self.check(bench, [("post", name)], [step], guarded=True)

    @hypothesis_settings(
        max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(
        st.lists(st.tuples(st.sampled_from(CALLS), st.sampled_from(sorted(FAULTS))), max_size=6),
        st.lists(st.sampled_from(TestCrash.STEPS), max_size=2),
        st.booleans(),
    )
    def test_any_faults(self, bench: Bench, faults: list[tuple[str, str]], kills: list[str], guarded: bool) -> None:
        bench.set(mode=Mode.WRITE)
        self.check(bench, faults, kills, guarded)


def kill_at(step: str) -> Callable[[str], None]:
    def checkpoint(reached: str) -> None:
        if reached == step:
            raise Killed

    return checkpoint


def dump(store: Store) -> str:
    """Return every value of every table as text."""
    with store.engine.connect() as connection:
        tables = ("deliveries", "runs", "effects", "alarms", "cursors")
        return "\n".join(str(connection.execute(text(f"SELECT * FROM {table}")).all()) for table in tables)
