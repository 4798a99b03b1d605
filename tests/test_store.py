"""The store on both databases: what two at once, repeats and dead workers may not break."""

from __future__ import annotations

import multiprocessing
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from triage.errors import SettingsError
from triage.store import Store, open_store
from triage.store.deliveries import (
    DEAD,
    DONE,
    IGNORED,
    MESSAGE_SECONDS,
    PROMPT_WAKEUPS,
    QUEUED,
    RECEIVED,
    UNCLAIMED_SECONDS,
    UNQUEUED_SECONDS,
    Received,
)
from triage.store.effects import CONFIRMED, NOTE, PLANNED, SENT, TAGS, UPDATE
from triage.store.migrate import NewerDatabaseError, is_current, migrate
from triage.store.runs import DONE as RUN_DONE
from triage.store.runs import RUNNING, SKIPPED, WAITING, new_reference
from triage.store.tables import metadata
from webhooks.metrics import StoreCollector


def receive(store: Store, key: str = "k1", now: float = 1000.0, ticket_id: str = "7") -> int:
    return store.deliveries.receive("acme", key, ticket_id=ticket_id, event="created", body=b"{}", now=now).id


class TestMigrations:
    def test_leave_exactly_the_tables_of_the_code(self, store: Store) -> None:
        with store.engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, metadata) == []

    def test_are_safe_to_run_again_and_at_once(self, database_url: str) -> None:
        stores = [open_store(database_url) for _ in range(3)]
        assert not is_current(stores[0].engine)
        failures: list[Exception] = []

        def run(store: Store) -> None:
            try:
                migrate(store.engine)
            except Exception as error:  # reported below
                failures.append(error)

        threads = [threading.Thread(target=run, args=(one,)) for one in stores]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert is_current(stores[0].engine)
        for one in stores:
            one.engine.dispose()


class TestLaterRuns:
    def test_runs_of_one_ticket_are_held_one_at_a_time(self, store: Store) -> None:
        def claim(occasion: str, now: float) -> bool:
            return store.runs.claim("acme", "7", occasion, owner=occasion, now=now, lease_until=now + 30)[1]

        assert claim("created", 1000.0)
        assert not claim("message:5", 1010.0)
        assert store.runs.claim("acme", "8", "message:5", owner="x", now=1010.0, lease_until=1040.0)[1]
        # The lease has run out: whoever held it is gone.
        assert claim("message:5", 1031.0)
        assert not claim("created", 1032.0)

    def test_nor_by_two_who_claim_at_the_same_moment(self, store: Store) -> None:
        for turn in range(10):
            ours: list[bool] = []

            def claim(occasion: str, ticket: str, ours: list[bool] = ours) -> None:
                run = store.runs.claim("acme", ticket, occasion, owner=occasion, now=1000.0, lease_until=1030.0)
                ours.append(run[1])

            threads = [threading.Thread(target=claim, args=(f"answer:{n}", f"t{turn}")) for n in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert (len(ours), sum(ours)) == (6, 1)

    def test_a_burst_of_messages_is_one_delivery(self, store: Store) -> None:
        def receive(occasion: str, now: float) -> Received:
            return store.deliveries.receive(
                "acme", f"later:{occasion}", ticket_id="7", event="later", body=b"", now=now, occasion=occasion
            )

        first = receive("message:1", 1000.0)
        assert (first.is_new, first.needs_queueing) == (True, False)
        assert receive("message:2", 1001.0).id == first.id
        asked = receive("asked:3", 1001.0)
        assert (asked.is_new, asked.needs_queueing) == (True, True)
        assert store.deliveries.claim_due(1000.0 + MESSAGE_SECONDS - 1, 10) == [asked.id]
        assert store.deliveries.claim_due(1000.0 + MESSAGE_SECONDS, 10) == [first.id]
        # Begun with: what comes now may come too late for it.
        store.deliveries.start_attempt(first.id, 1040.0)
        assert receive("message:4", 1012.0).is_new

    def test_a_replaced_notes_text_goes_with_the_runs_details(self, store: Store) -> None:
        run, _ = store.runs.claim("acme", "7", "message:5", owner="w", now=1000.0, lease_until=1030.0)
        store.runs.save(run, policy="p", draft={"text": "Dear Ada"})
        for kind in (UPDATE, TAGS):
            effect = store.effects.plan(run.id, kind, {"note_id": "1"}, 1001.0)
            store.effects.confirm(effect, 1002.0, before={"note": "was"}, after={"note": "is"})
        store.runs.finish(run, "done", 1003.0)
        assert store.runs.drop_details(2000.0) == 1
        found = {one.kind: (one.before, one.after) for one in store.effects.of_run(run.id)}
        assert found == {UPDATE: (None, None), TAGS: ({"note": "was"}, {"note": "is"})}


class TestDeliveries:
    def test_a_repeat_finds_the_first_row(self, store: Store) -> None:
        first = store.deliveries.receive("acme", "k", ticket_id="7", event="created", body=b"1", now=1.0)
        again = store.deliveries.receive("acme", "k", ticket_id="7", event="created", body=b"1", now=2.0)
        other_desk = store.deliveries.receive("globex", "k", ticket_id="7", event="created", body=b"1", now=2.0)
        assert (first.is_new, first.needs_queueing) == (True, True)
        assert (again.id, again.is_new, again.needs_queueing) == (first.id, False, True)
        assert other_desk.is_new
        store.deliveries.mark_queued(first.id, 3.0)
        assert not store.deliveries.receive(
            "acme", "k", ticket_id="7", event="created", body=b"1", now=4.0
        ).needs_queueing

    def test_fifty_at_once_make_one_row(self, store: Store) -> None:
        new: list[bool] = []

        def run() -> None:
            new.append(store.deliveries.receive("acme", "k", ticket_id="7", event="created", body=b"", now=1.0).is_new)

        threads = [threading.Thread(target=run) for _ in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(new) == 50
        assert sum(new) == 1

    def test_what_the_web_did_not_queue_becomes_due(self, store: Store) -> None:
        delivery_id = receive(store, now=1000.0)
        assert store.deliveries.claim_due(1000.0 + UNQUEUED_SECONDS - 1, 10) == []
        assert store.deliveries.claim_due(1000.0 + UNQUEUED_SECONDS, 10) == [delivery_id]

    def test_a_lost_wakeup_is_sent_again_ever_more_rarely(self, store: Store) -> None:
        delivery_id = receive(store)
        store.deliveries.mark_queued(delivery_id, 1000.0)
        now, pauses = 1000.0, []
        for _ in range(PROMPT_WAKEUPS + 5):
            delivery = store.deliveries.get(delivery_id)
            assert delivery is not None and delivery.due_at is not None
            pauses.append(delivery.due_at - now)
            now = delivery.due_at
            assert store.deliveries.claim_due(now, 10) == [delivery_id]
        assert pauses[: PROMPT_WAKEUPS + 1] == [UNCLAIMED_SECONDS] * (PROMPT_WAKEUPS + 1)
        assert pauses[-3:] == [UNCLAIMED_SECONDS * 2, UNCLAIMED_SECONDS * 4, UNCLAIMED_SECONDS * 8]

    def test_what_could_not_be_sent_is_given_back(self, store: Store) -> None:
        delivery_id = receive(store)
        assert store.deliveries.claim_due(2000.0, 10) == [delivery_id]
        store.deliveries.give_back([delivery_id], 2005.0)
        delivery = store.deliveries.get(delivery_id)
        assert delivery is not None
        assert (delivery.due_at, delivery.wakeups) == (2005.0, 0)

    def test_a_later_time_is_never_brought_forward(self, store: Store) -> None:
        delivery_id = receive(store)
        store.deliveries.postpone(delivery_id, 5000.0, "rate limit")
        store.deliveries.not_before(delivery_id, 3000.0)
        assert store.deliveries.get(delivery_id).due_at == 5000.0  # type: ignore[union-attr]
        store.deliveries.not_before(delivery_id, 6000.0)
        delivery = store.deliveries.get(delivery_id)
        assert delivery is not None
        assert (delivery.due_at, delivery.reason) == (6000.0, "rate limit")

    def test_but_the_sweeps_own_push_is(self, store: Store) -> None:
        """The lease of a worker that died may end seconds after the sweep came by."""
        delivery_id = receive(store)
        assert store.deliveries.claim_due(2000.0, 10) == [delivery_id]
        store.deliveries.not_before(delivery_id, 2004.0)
        assert store.deliveries.get(delivery_id).due_at == 2004.0  # type: ignore[union-attr]
        store.deliveries.finish(delivery_id, DONE, 2003.0)
        store.deliveries.not_before(delivery_id, 2005.0)
        assert store.deliveries.get(delivery_id).due_at is None  # type: ignore[union-attr]

    def test_two_sweepers_never_take_the_same_row(self, store: Store) -> None:
        ids = [receive(store, key=f"k{i}", now=0.0) for i in range(200)]
        taken: list[int] = []
        lock = threading.Lock()

        def sweep() -> None:
            while mine := store.deliveries.claim_due(100.0, 7):
                with lock:
                    taken.extend(mine)

        threads = [threading.Thread(target=sweep) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(taken) == ids

    def test_closed_rows_stay_closed(self, store: Store) -> None:
        delivery_id = receive(store)
        store.deliveries.finish(delivery_id, DONE, 1001.0, "run 1")
        store.deliveries.mark_queued(delivery_id, 1002.0)
        store.deliveries.postpone(delivery_id, 1003.0)
        store.deliveries.finish(delivery_id, DEAD, 1004.0)
        delivery = store.deliveries.get(delivery_id)
        assert delivery is not None
        assert (delivery.state, delivery.reason, delivery.due_at) == (DONE, "run 1", None)

    def test_attempts_are_counted_and_given_back(self, store: Store) -> None:
        delivery_id = receive(store)
        assert [store.deliveries.start_attempt(delivery_id, 1030.0) for _ in range(3)] == [1, 2, 3]
        store.deliveries.postpone(delivery_id, 1100.0, "rate limit", uncount=True)
        assert store.deliveries.start_attempt(delivery_id, 1130.0) == 3
        store.deliveries.postpone(delivery_id, 1200.0, "helpdesk down")
        delivery = store.deliveries.get(delivery_id)
        assert delivery is not None
        assert (delivery.attempts, delivery.due_at, delivery.reason) == (3, 1200.0, "helpdesk down")

    def test_replay_opens_dead_and_done_rows_only(self, store: Store) -> None:
        dead, done, queued = (receive(store, key=key) for key in ("a", "b", "c"))
        store.deliveries.finish(dead, DEAD, 1001.0, "broken")
        store.deliveries.finish(done, DONE, 1001.0)
        store.deliveries.mark_queued(queued, 1001.0)
        ignored = store.deliveries.receive("acme", "d", ticket_id="7", event="x", body=b"", now=1.0, state=IGNORED).id
        assert store.deliveries.revive([dead, done, queued, ignored, 999], 1002.0) == [dead, done]
        delivery = store.deliveries.get(dead)
        assert delivery is not None
        assert (delivery.state, delivery.attempts, delivery.due_at) == (RECEIVED, 0, 1002.0)

    def test_bodies_go_when_their_days_are_over_and_the_row_is_closed(self, store: Store) -> None:
        closed, open_ = receive(store, key="a", now=100.0), receive(store, key="b", now=100.0)
        store.deliveries.finish(closed, DONE, 101.0)
        assert store.deliveries.drop_bodies(before=200.0) == 1
        with store.engine.connect() as connection:
            bodies = dict(list(connection.execute(text("SELECT id, body FROM deliveries"))))
        assert bodies[closed] is None
        assert bytes(bodies[open_]) == b"{}"

    def test_counts_and_age(self, store: Store) -> None:
        receive(store, key="a", now=50.0)
        store.deliveries.finish(receive(store, key="b", now=10.0), DONE, 11.0)
        assert store.deliveries.counts() == {RECEIVED: 1, DONE: 1}
        assert store.deliveries.oldest_open() == 50.0


class TestRuns:
    def claim(self, store: Store, owner: str, now: float = 1000.0) -> tuple[int, bool]:
        run, mine = store.runs.claim("acme", "7", "created", owner=owner, now=now, lease_until=now + 30)
        return run.id, mine

    def test_one_worker_at_a_time(self, store: Store) -> None:
        first, mine = self.claim(store, "a")
        second, also = self.claim(store, "b")
        assert (first, mine, also) == (second, True, False)

    def test_a_dead_workers_run_is_free_when_its_lease_is_over(self, store: Store) -> None:
        self.claim(store, "a", now=1000.0)
        assert not self.claim(store, "b", now=1029.0)[1]
        assert self.claim(store, "b", now=1031.0)[1]

    def test_who_lost_the_lease_can_write_nothing(self, store: Store) -> None:
        old, _ = store.runs.claim("acme", "7", "created", owner="a", now=0.0, lease_until=10.0)
        new, mine = store.runs.claim("acme", "7", "created", owner="b", now=20.0, lease_until=50.0)
        assert mine
        assert not store.runs.save(old, model="x")
        assert not store.runs.finish(old, SKIPPED, 21.0)
        store.runs.renew([old.id], "a", 999.0)
        current = store.runs.get(new.id)
        assert current is not None
        assert (current.state, current.owner, current.lease_until, current.model) == (RUNNING, "b", 50.0, "")

    def test_forty_claims_at_once_have_one_winner(self, store: Store) -> None:
        wins: list[bool] = []
        threads = [
            threading.Thread(target=lambda i=i: wins.append(self.claim(store, f"w{i}")[1]))  # type: ignore[misc]
            for i in range(40)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(wins), sum(wins)) == (40, 1)

    def test_released_runs_are_claimed_again_and_keep_their_reference(self, store: Store) -> None:
        run, _ = store.runs.claim("acme", "7", "created", owner="a", now=0.0, lease_until=10.0)
        assert store.runs.release(run, "helpdesk down")
        assert store.runs.get(run.id).state == WAITING  # type: ignore[union-attr]
        again, mine = store.runs.claim("acme", "7", "created", owner="b", now=1.0, lease_until=11.0)
        assert mine
        assert (again.reference, again.attempts) == (run.reference, 2)

    def test_a_run_that_is_done_is_never_claimed(self, store: Store) -> None:
        run, _ = store.runs.claim("acme", "7", "created", owner="a", now=0.0, lease_until=10.0)
        store.runs.finish(run, RUN_DONE, 1.0)
        assert not self.claim(store, "b", now=5000.0)[1]

    def test_a_run_that_was_skipped_may_be_tried_again(self, store: Store) -> None:
        run, _ = store.runs.claim("acme", "7", "created", owner="a", now=0.0, lease_until=10.0)
        store.runs.finish(run, SKIPPED, 1.0, "closed")
        assert self.claim(store, "b", now=5000.0)[1]

    def test_what_was_said_is_forgotten_and_the_figures_stay(self, store: Store) -> None:
        run, _ = store.runs.claim("acme", "7", "created", owner="a", now=0.0, lease_until=10.0)
        store.runs.save(run, classification={"evidence": ["words"]}, decision={}, policy="p", cost_usd=0.5)
        store.runs.finish(run, RUN_DONE, 100.0)
        assert store.runs.drop_details(before=100.0) == 0
        assert store.runs.drop_details(before=101.0) == 1
        assert store.runs.drop_details(before=101.0) == 0
        kept = store.runs.get(run.id)
        assert kept is not None
        assert (kept.classification, kept.decision, kept.cost_usd) == (None, None, 0.5)

    def test_the_newest_run_of_a_ticket_is_found(self, store: Store) -> None:
        assert store.runs.of_ticket("acme", "7") is None
        for occasion in ("created", "again"):
            store.runs.claim("acme", "7", occasion, owner="a", now=0.0, lease_until=10.0)
        assert store.runs.of_ticket("acme", "7").occasion == "again"  # type: ignore[union-attr]

    def test_known_tickets_are_told(self, store: Store) -> None:
        store.runs.claim("acme", "7", "created", owner="a", now=0.0, lease_until=10.0)
        assert store.runs.known("acme", ["7", "8"]) == {"7"}

    def test_cost_is_summed(self, store: Store) -> None:
        run, _ = store.runs.claim("acme", "7", "created", owner="a", now=100.0, lease_until=110.0)
        store.runs.save(run, cost_usd=0.25)
        assert store.runs.spent_since(50.0) == pytest.approx(0.25)
        assert store.runs.spent_since(150.0) == 0.0

    def test_references_do_not_repeat(self) -> None:
        assert len({new_reference() for _ in range(2000)}) == 2000
        assert all(len(new_reference()) == 14 for _ in range(10))


class TestEffects:
    def test_an_intent_is_recorded_once(self, store: Store) -> None:
        run, _ = store.runs.claim("acme", "7", "created", owner="a", now=0.0, lease_until=10.0)
        first = store.effects.plan(run.id, NOTE, {"priority": "high"}, 1.0)
        store.effects.sent(first, 2.0)
        again = store.effects.plan(run.id, NOTE, {"priority": "low"}, 3.0)
        assert (first.state, again.id, again.state, again.intent) == (PLANNED, first.id, SENT, {"priority": "high"})
        store.effects.confirm(again, 4.0, before={"tags": []}, after={"tags": ["a"]}, refused={"x": "no"}, note_id="9")
        (stored,) = store.effects.of_run(run.id)
        assert (stored.state, stored.note_id, stored.after, stored.refused) == (
            CONFIRMED,
            "9",
            {"tags": ["a"]},
            {"x": "no"},
        )
        assert store.effects.refusals([run.id, 99]) == {run.id: {"x": "no"}}


class TestMarks:
    def test_a_cursor_is_replaced_and_an_alarm_renewed(self, store: Store) -> None:
        store.cursors.set("acme", "poll", "1", 1.0)
        store.cursors.set("acme", "poll", "2", 2.0)
        assert store.cursors.get("acme", "poll") == ("2", 2.0)
        assert store.cursors.get("globex", "poll") is None
        store.alarms.raise_("acme", "desk_locked", "refused", 1.0)
        store.alarms.raise_("acme", "desk_locked", "refused again", 2.0)
        store.alarms.raise_("acme", "public_note", "was public", 1.0, ticket_id="7")
        assert [(alarm.text, alarm.created_at) for alarm in store.alarms.recent()] == [
            ("refused again", 2.0),
            ("was public", 1.0),
        ]
        store.alarms.clear("acme", "desk_locked")
        assert [alarm.ticket_id for alarm in store.alarms.recent()] == ["7"]


def _hammer(url: str, worker: int, failures: multiprocessing.Queue[str]) -> None:
    store = open_store(url)
    for i in range(40):
        try:
            received = store.deliveries.receive(
                "acme", f"{worker}:{i}", ticket_id=f"{worker}{i}", event="created", body=b"x" * 1500, now=float(i)
            )
            store.deliveries.mark_queued(received.id, float(i))
        except Exception as error:  # reported by the test
            failures.put(f"{type(error).__name__}: {error}")


def test_eight_processes_write_to_sqlite_without_a_locked_database(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/tandem.db"
    store = open_store(url)
    migrate(store.engine)
    context = multiprocessing.get_context("spawn")
    failures: multiprocessing.Queue[str] = context.Queue()
    processes = [context.Process(target=_hammer, args=(url, i, failures)) for i in range(8)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert failures.empty(), failures.get()
    assert store.deliveries.counts() == {QUEUED: 320}


def test_a_database_that_was_deleted_is_noticed_and_not_written_into(tmp_path: Path) -> None:
    """An open connection would go on storing into the unlinked file: accepted now, gone at the next start."""
    store = open_store(f"sqlite:///{tmp_path}/tandem.db")
    migrate(store.engine)
    receive(store)
    for file in tmp_path.glob("tandem.db*"):
        file.unlink()
    with pytest.raises(OperationalError):
        receive(store, key="k2")
    assert not is_current(store.engine)


def test_what_each_classifier_answered_and_cost_is_counted(store: Store) -> None:
    for number, (classifier, tokens) in enumerate([("llm", 900), ("llm", 100), ("embedded", 0)]):
        run, _ = store.runs.claim("acme", str(number), "created", owner="a", now=0.0, lease_until=10.0)
        assert store.runs.save(
            run, classifier=classifier, model="m", tokens_in=tokens, tokens_out=tokens // 10, cost_usd=tokens / 1000
        )
    store.runs.claim("acme", "9", "created", owner="a", now=0.0, lease_until=10.0)  # nobody has answered it yet
    spent = {one.classifier: (one.runs, one.tokens_in, one.tokens_out, one.cost_usd) for one in store.runs.spending()}
    assert spent == {"llm": (2, 1000, 100, pytest.approx(1.0)), "embedded": (1, 0, 0, 0.0)}
    families = {family.name: family for family in StoreCollector(store).collect()}
    assert {
        (sample.labels["classifier"], sample.labels["direction"]): sample.value
        for sample in families["tandem_tokens"].samples
    } == {("llm", "in"): 1000, ("llm", "out"): 100, ("embedded", "in"): 0, ("embedded", "out"): 0}


def test_a_database_of_a_newer_version_is_refused_in_a_sentence(database_url: str) -> None:
    store = open_store(database_url)
    migrate(store.engine)
    with store.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'from_the_future'"))
    with pytest.raises(NewerDatabaseError, match=r"newer version of Tandem \(revision from_the_future"):
        migrate(store.engine)


def test_a_mistyped_folder_is_said_and_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match=r"DATABASE_URL: the folder .*nowhere/deep does not exist"):
        open_store(f"sqlite:///{tmp_path}/nowhere/deep/x.db")
    assert not (tmp_path / "nowhere").exists()
    monkeypatch.chdir(tmp_path)
    migrate(open_store("sqlite:///data/tandem.db").engine)
    assert (tmp_path / "data" / "tandem.db").exists()


class TestAudit:
    def test_the_newest_entry_comes_first_with_its_detail(self, store: Store) -> None:
        store.audit.record("command:ada", "mode", 1.0, desk="acme", before="tag", after="off")
        store.audit.record("console:admin", "replay", 2.0, subject="delivery 7")
        newest, oldest = store.audit.recent(10)
        assert (newest.action, newest.subject, newest.desk) == ("replay", "delivery 7", "")
        assert (oldest.actor, oldest.detail) == ("command:ada", {"before": "tag", "after": "off"})
        assert [one.id for one in store.audit.recent(1)] == [newest.id]
