"""The SLA sweep: every threshold acted on once, whatever ends, repeats or fails, on both databases."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text

from tests.fakes import FakeConnector, Killed
from triage.clocks import Judged
from triage.errors import Conflict, DeskLocked, Gone, Refused, Retry, UnknownOutcome, Wait
from triage.settings import Settings
from triage.settings_file import parse_settings
from triage.store import Store, open_store
from triage.store.acts import CONFIRMED, DROPPED, FAILED
from triage.store.clocks import Clock
from triage.store.marks import DESK_LOCKED, SLA_ACT, SLA_STUCK
from triage.ticket import Author, Message, Organization, Status, Ticket
from workers.clocks import follow, let_go
from workers.sla_sweep import BATCH, sweep, sweep_due
from workers.sla_tools import SlaTools

DESKS = """
desks:
  acme:
    platform: zendesk
    url: https://acme.zendesk.com
    auth: {email: a@b.example, api_token: x}
    webhook_secrets: [a-long-enough-secret]
    mode: MODE
sla:
  on_risk: {notify: [ops]}
  on_breach: {notify: [ops, boss], priority: urgent, group: Escalations}
  channels: {ops: "json://127.0.0.1:9/ops", boss: "json://127.0.0.1:9/boss"}
"""


class Phone:
    """Takes the messages; a channel named in `broken` raises what stands there."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, str]] = []
        self.broken: dict[str, Exception] = {}

    def __call__(self, channel: str, title: str, body: str) -> None:
        if channel in self.broken:
            raise self.broken[channel]
        self.sent.append((channel, title, body))

    def titles(self, channel: str = "ops") -> list[str]:
        return [title.partition(":")[0] for name, title, _ in self.sent if name == channel]


class Bench:
    """A desk, its clocks and a sweep."""

    def __init__(self, store: Store, mode: str = "write", extra: str = "", **desk: Any) -> None:
        self.store = store
        self.settings: Settings = parse_settings(DESKS.replace("MODE", mode) + extra, {})
        self.desk = FakeConnector(**desk)
        self.phone = Phone()
        self.step = ""

    def checkpoint(self, step: str) -> None:
        if step == self.step:
            self.step = ""
            raise Killed

    def tools(self, store: Store | None = None) -> SlaTools:
        return SlaTools(self.settings, store or self.store, lambda _: self.desk, self.phone, self.checkpoint)

    def add(self, age: float, ticket_id: str = "7", **values: Any) -> None:
        """Put a ticket of `age` minutes on the helpdesk and follow it from its beginning."""
        born = datetime.fromtimestamp(time.time() - age * 60, UTC)
        given: dict[str, Any] = {"priority": "high", "created_at": born, "updated_at": born, "status": Status.OPEN}
        shown = self.desk.add(ticket_id, **given | values)
        self.follow(shown.ticket, born.timestamp())

    def follow(self, ticket: Ticket, now: float, judged: Judged | None = None) -> None:
        follow(ticket, self.settings, self.store, now, judged=judged or Judged(), edits_notes=self.desk.edits_notes)

    def older(self, minutes: float, ticket_id: str = "7") -> None:
        """As if the ticket had been made so much earlier: its clocks are due."""
        shown = self.desk.tickets[ticket_id]
        assert shown.ticket.created_at
        born = datetime.fromtimestamp(shown.ticket.created_at.timestamp() - minutes * 60, UTC)
        shown.change(created_at=born, updated_at=datetime.now(UTC))
        self.due()

    def answer(self, ticket_id: str = "7", **changes: Any) -> None:
        """Let an agent answer, and tell the clocks."""
        shown = self.desk.tickets[ticket_id]
        reply = Message("99", Author.AGENT, "Hello", created_at=datetime.now(UTC))
        shown.change(messages=(*shown.ticket.messages, reply), updated_at=datetime.now(UTC), **changes)
        self.follow(shown.ticket, time.time())

    def due(self) -> None:
        """Let every lease and every pause have run out."""
        with self.store.engine.begin() as connection:
            connection.execute(text("UPDATE clocks SET next_check_at = 1 WHERE next_check_at IS NOT NULL"))
            connection.execute(text("UPDATE acts SET try_at = 1 WHERE try_at IS NOT NULL"))

    def sweep(self) -> int:
        return sweep(self.tools(), time.time())

    def notes(self, ticket_id: str = "7") -> list[str]:
        return [note.html for note in self.desk.tickets[ticket_id].notes]

    def tags(self, ticket_id: str = "7") -> tuple[str, ...]:
        return self.desk.tickets[ticket_id].ticket.tags

    def acts(self, ticket_id: str = "7") -> list[tuple[str, str, str]]:
        return [(act.stage, act.kind, act.state) for act in self.store.acts.of_ticket("acme", ticket_id)]

    def clock(self, metric: str = "first_response", ticket_id: str = "7") -> Clock:
        return next(one for one in self.store.clocks.of_ticket("acme", ticket_id) if one.metric == metric)


@pytest.fixture
def bench(store: Store) -> Bench:
    return Bench(store)


@pytest.fixture
def quick(sqlite_store: Store) -> Bench:
    return Bench(sqlite_store)


class TestFollow:
    def test_writes_a_row_per_clock_and_repeats_without_harm(self, bench: Bench) -> None:
        bench.add(10)
        rows = bench.store.clocks.of_ticket("acme", "7")
        assert [(row.metric, row.state, row.stage) for row in rows] == [
            ("first_response", "running", "ok"),
            ("resolution", "running", "ok"),
        ]
        first = rows[0]
        assert first.at_risk_at == first.next_check_at == pytest.approx(first.started_at + 45 * 60)
        assert first.due_at == pytest.approx(first.started_at + 3600)
        for _ in range(3):
            bench.follow(bench.desk.tickets["7"].ticket, time.time())
        again = bench.store.clocks.of_ticket("acme", "7")
        assert [replace(row, updated_at=0, remaining=0) for row in again] == [
            replace(row, updated_at=0, remaining=0) for row in rows
        ]
        assert again[0].remaining == pytest.approx(50, abs=0.5)
        assert bench.acts() == []

    def test_an_older_reading_changes_nothing(self, bench: Bench) -> None:
        bench.add(10)
        earlier = bench.desk.tickets["7"].ticket
        bench.answer()
        bench.follow(earlier, time.time())
        assert bench.clock().state == "met"

    def test_what_has_ended_keeps_its_terms(self, bench: Bench) -> None:
        bench.add(20)
        bench.answer()
        shown = bench.desk.tickets["7"]
        shown.change(priority="urgent", updated_at=datetime.now(UTC))
        bench.follow(shown.ticket, time.time())
        assert (bench.clock().priority, bench.clock().target, bench.clock().stage) == ("P1_high", 60, "ok")
        assert bench.clock("resolution").priority == "P0_critical"

    def test_a_lower_priority_takes_the_risk_back(self, bench: Bench) -> None:
        bench.add(50)
        bench.due()
        bench.sweep()
        assert "ai_sla_at_risk" in bench.tags()
        shown = bench.desk.tickets["7"]
        shown.change(priority="low", updated_at=datetime.now(UTC))
        bench.follow(shown.ticket, time.time())
        bench.sweep()
        assert bench.tags() == ()
        assert bench.clock().next_check_at == pytest.approx(bench.clock().started_at + 0.75 * 1440 * 60)

    def test_a_question_that_vanished_cancels_its_clock(self, bench: Bench) -> None:
        bench.add(20)
        bench.answer()
        shown = bench.desk.tickets["7"]
        asked = Message("100", Author.CUSTOMER, "?", created_at=datetime.now(UTC))
        shown.change(messages=(*shown.ticket.messages, asked), updated_at=datetime.now(UTC))
        bench.follow(shown.ticket, time.time())
        assert bench.clock("next_response").state == "running"
        shown.change(messages=shown.ticket.messages[:-1], updated_at=datetime.now(UTC))
        bench.follow(shown.ticket, time.time())
        assert bench.clock("next_response").state == "cancelled"

    def test_many_at_once_decide_once(self, database_url: str, store: Store) -> None:
        bench = Bench(store)
        bench.add(10)
        bench.older(60)
        ticket = bench.desk.tickets["7"].ticket
        errors: list[BaseException] = []

        def work() -> None:
            own = open_store(database_url)
            try:
                for _ in range(5):
                    follow(ticket, bench.settings, own, time.time(), edits_notes=False)
            except Retry:
                pass  # beaten five times in a row: the next reading brings it in
            except BaseException as error:
                errors.append(error)
            finally:
                own.engine.dispose()

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert sorted(kind for _, kind, _ in bench.acts()) == ["fields", "message", "message", "note", "tags"]

    def test_a_deleted_ticket_is_let_go(self, bench: Bench) -> None:
        bench.add(70)
        bench.due()
        bench.sweep()
        let_go("acme", "7", bench.store, time.time())
        assert {row.state for row in bench.store.clocks.of_ticket("acme", "7")} == {"cancelled"}
        assert bench.store.clocks.oldest_due() is None
        let_go("acme", "8", bench.store, time.time())


class TestRetention:
    def test_forgets_finished_tickets_and_keeps_open_ones(self, bench: Bench) -> None:
        for ticket_id in ("7", "8"):
            bench.add(70, ticket_id)
        bench.due()
        bench.sweep()
        bench.answer("8", status=Status.SOLVED)
        later = time.time() + 10
        assert bench.store.clocks.drop(later - 100) == 0
        assert bench.store.clocks.drop(later) == 1
        assert bench.store.clocks.watch("acme", "8") is None
        assert bench.acts("8") == [] != bench.acts("7")
        assert bench.store.clocks.watch("acme", "7") is not None


class TestSweep:
    def test_nothing_due_reads_nothing(self, bench: Bench) -> None:
        bench.add(10)
        assert bench.sweep() == 0
        assert bench.desk.calls == []

    def test_at_risk_then_breached_then_met(self, bench: Bench) -> None:
        bench.add(10, organization=Organization(tier="gold"), url="https://acme.example/7")
        bench.older(40)
        assert bench.sweep() == 1
        assert bench.tags() == ("ai_sla_at_risk",)
        assert len(bench.notes()) == 1 and "First response: 9 min left of 60 min, by policy" in bench.notes()[0]
        [(channel, title, body)] = bench.phone.sent
        assert (channel, title) == ("ops", "SLA at risk: ticket 7 (acme), 9 min left")
        assert "tier gold" in body and "https://acme.example/7" in body and "P1 high" in body
        assert bench.sweep() == 0, "done once"

        bench.older(20)
        bench.sweep()
        assert bench.tags() == ("ai_sla_breached",)
        assert len(bench.notes()) == 2 and "SLA breached" in bench.notes()[1]
        assert (bench.phone.titles(), bench.phone.titles("boss")) == (["SLA at risk", "SLA breached"], ["SLA breached"])

        bench.answer()
        bench.sweep()
        assert bench.tags() == ()
        assert bench.clock().state == "met" and bench.clock().stage == "breached"
        assert len(bench.notes()) == 2 and len(bench.phone.sent) == 3
        assert {state for _, _, state in bench.acts()} <= {CONFIRMED, DROPPED}

    def test_a_ticket_that_is_late_already_is_breached_at_once(self, bench: Bench) -> None:
        bench.add(10)
        bench.older(500)
        bench.sweep()
        assert bench.tags() == ("ai_sla_breached",)
        assert bench.phone.titles() == ["SLA breached"]

    def test_the_ticket_is_read_again_before_anything_is_written(self, bench: Bench) -> None:
        """An answer nobody told us about: the clock is met and nothing is written."""
        bench.add(70)
        shown = bench.desk.tickets["7"]
        born = shown.ticket.created_at
        assert born
        reply = Message("2", Author.AGENT, "Hello", created_at=datetime.fromtimestamp(born.timestamp() + 60, UTC))
        shown.change(messages=(*shown.ticket.messages, reply), updated_at=datetime.now(UTC))
        bench.due()
        bench.sweep()
        assert (bench.clock().state, bench.clock().stage) == ("met", "ok")
        assert set(bench.desk.names()) == {"look"}
        assert bench.phone.sent == []

    def test_pending_stops_it(self, bench: Bench) -> None:
        bench.add(50)
        bench.desk.tickets["7"].change(status=Status.PENDING, updated_at=bench.desk.tickets["7"].ticket.created_at)
        bench.due()
        bench.sweep()
        assert (bench.clock().state, bench.clock().next_check_at) == ("paused", None)
        assert bench.clock().remaining == pytest.approx(60, abs=0.1)
        assert bench.tags() == ()

    def test_a_ticket_in_trouble_only_holds_up_itself(self, bench: Bench) -> None:
        for number in range(5):
            bench.add(70, str(number))
        sick = bench.desk.tickets.pop("2")
        for round_ in range(3):
            bench.due()
            bench.sweep()
            alarms = [one.ticket_id for one in bench.store.alarms.recent() if one.kind == SLA_STUCK]
            assert alarms == (["2"] if round_ == 2 else [])
        assert all(bench.tags(str(number)) == ("ai_sla_breached",) for number in (0, 1, 3, 4))
        row = bench.clock(ticket_id="2")
        assert row.failures == 3 and row.next_check_at and row.next_check_at > time.time() + 200
        assert "please report this" in row.reason
        bench.desk.tickets["2"] = sick
        bench.due()
        bench.sweep()
        assert bench.tags("2") == ("ai_sla_breached",)
        assert bench.store.alarms.recent() == []
        assert bench.clock(ticket_id="2").failures == 0

    @pytest.mark.parametrize(
        ("error", "pause", "failures"),
        [(Wait("busy", 40), 40, 0), (DeskLocked("no"), 300, 0), (Retry("down"), 60, 1), (RuntimeError("?"), 60, 1)],
    )
    def test_trouble_says_when_to_look_again(self, quick: Bench, error: Exception, pause: float, failures: int) -> None:
        quick.add(70)
        quick.due()
        quick.desk.fail("look", error)
        quick.sweep()
        row = quick.clock()
        assert row.next_check_at == pytest.approx(time.time() + pause, abs=5)
        assert row.failures == failures
        assert (quick.store.alarms.raised_at("acme", DESK_LOCKED) is not None) == isinstance(error, DeskLocked)

    def test_a_deleted_ticket_is_over(self, bench: Bench) -> None:
        bench.add(70)
        bench.due()
        bench.desk.fail("look", Gone("deleted"))
        bench.sweep()
        assert bench.clock().state == "cancelled"
        assert bench.store.clocks.oldest_due() is None

    def test_more_than_a_batch(self, quick: Bench) -> None:
        for number in range(BATCH // 2 + 3):
            quick.add(70, str(number))
        quick.due()
        assert quick.sweep() >= BATCH // 2 + 3
        assert all(len(quick.notes(str(number))) == 1 for number in range(BATCH // 2 + 3))

    def test_ticks_by_the_setting_however_many_beats(self, quick: Bench) -> None:
        now = time.time()
        assert sweep_due(quick.tools(), now)
        assert not sweep_due(quick.tools(), now)
        assert not sweep_due(quick.tools(), now + 55)
        assert sweep_due(quick.tools(), now + 60)

    def test_due_rows_are_found_through_the_index(self, bench: Bench) -> None:
        explain = "EXPLAIN QUERY PLAN" if bench.store.engine.dialect.name == "sqlite" else "EXPLAIN"
        queries = {
            "ix_clocks_next_check_at": "SELECT id FROM clocks WHERE next_check_at <= 5 ORDER BY next_check_at LIMIT 9",
            "ix_acts_try_at": "SELECT id FROM acts WHERE try_at <= 5 AND kind <> 'message' ORDER BY try_at LIMIT 9",
        }
        with bench.store.engine.begin() as connection:
            if explain == "EXPLAIN":
                connection.execute(text("SET LOCAL enable_seqscan = off"))
            for index, query in queries.items():
                plan = " ".join(str(row) for row in connection.execute(text(f"{explain} {query}")))
                assert index in plan


STEPS = ("sla_claimed", "sla_decided", "sla_before_note", "sla_after_note", "sla_before_fields", "sla_before_tags",
         "sla_after_tags", "sla_before_message")  # fmt: skip


class TestOnce:
    @pytest.mark.parametrize("step", STEPS)
    @pytest.mark.parametrize("edits", [False, True])
    def test_killed_at_any_step_everything_is_done_once(self, store: Store, step: str, edits: bool) -> None:
        bench = Bench(store, guarded=not edits)
        bench.desk.edits_notes = edits
        bench.add(300, priority=None)
        bench.due()
        bench.step = step
        with pytest.raises(Killed):
            bench.sweep()
        assert bench.step == "", "the step was never reached"
        bench.due()
        bench.sweep()
        bench.due()
        bench.sweep()
        assert len(bench.notes()) == 1
        assert bench.tags() == ("ai_sla_breached",)
        assert sorted(channel for channel, _, _ in bench.phone.sent) == ["boss", "ops"]
        shown = bench.desk.tickets["7"].ticket
        assert (shown.priority, shown.group_id) == ("urgent", "Escalations")
        assert {state for _, _, state in bench.acts()} <= {CONFIRMED, DROPPED}

    def test_two_sweepers_at_once(self, database_url: str, store: Store) -> None:
        bench = Bench(store)
        tickets = [str(number) for number in range(30)]
        for one in tickets:
            bench.add(70, one)
        bench.due()
        others = [open_store(database_url) for _ in range(3)]
        threads = [threading.Thread(target=lambda own=own: sweep(bench.tools(own), time.time())) for own in others]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for other in others:
            other.engine.dispose()
        bench.sweep()
        assert [len(bench.notes(one)) for one in tickets] == [1] * 30
        assert all(bench.tags(one) == ("ai_sla_breached",) for one in tickets)
        assert len(bench.phone.titles()) == len(bench.phone.titles("boss")) == 30

    def test_a_note_whose_answer_was_lost_is_found_again(self, bench: Bench) -> None:
        bench.add(70)
        bench.due()
        bench.desk.fail("post", UnknownOutcome("time-out"), applied="note")
        bench.sweep()
        bench.due()
        bench.sweep()
        assert len(bench.notes()) == 1
        assert ("breached", "note", CONFIRMED) in bench.acts()

    def test_a_person_faster_than_the_note(self, bench: Bench) -> None:
        bench.add(70)
        bench.due()
        bench.desk.fail("post", Conflict("changed"))
        bench.sweep()
        assert len(bench.notes()) == 1

    def test_an_answer_between_reading_and_writing_is_respected(self, bench: Bench) -> None:
        bench.add(70)
        bench.due()
        shown = bench.desk.tickets["7"]
        reply = Message("2", Author.AGENT, "Hello", created_at=datetime.now(UTC))
        change = {"messages": (*shown.ticket.messages, reply), "updated_at": datetime.now(UTC)}
        bench.desk.meanwhile("post", lambda: shown.change(**change))
        bench.sweep()
        bench.sweep()
        assert bench.notes() == []
        assert ("breached", "note", DROPPED) in bench.acts()
        assert bench.tags() == ()


class TestModes:
    @pytest.mark.parametrize(
        ("mode", "notes", "tags", "priority"),
        [
            ("watch", 0, (), None),
            ("note", 1, (), None),
            ("tag", 1, ("ai_sla_breached",), None),
            ("write", 1, ("ai_sla_breached",), "urgent"),
        ],
    )
    def test_go_as_far_as_the_desk(
        self, sqlite_store: Store, mode: str, notes: int, tags: tuple[str, ...], priority: str | None
    ) -> None:
        bench = Bench(sqlite_store, mode)
        bench.add(300, priority=None)
        bench.due()
        bench.sweep()
        shown = bench.desk.tickets["7"].ticket
        assert (len(bench.notes()), shown.tags, shown.priority) == (notes, tags, priority)
        assert bench.phone.titles() == ["SLA breached"], "a message is no write to the helpdesk"

    def test_a_stricter_mode_of_the_team_holds(self, sqlite_store: Store) -> None:
        bench = Bench(sqlite_store, "tag\n    teams: {billing: note}")
        bench.add(10)
        bench.follow(bench.desk.tickets["7"].ticket, time.time(), Judged("P1_high", "billing"))
        bench.older(60)
        bench.sweep()
        assert (len(bench.notes()), bench.tags()) == (1, ())

    @pytest.mark.parametrize("settings", ["off", "other"])
    def test_a_desk_switched_off_is_let_go(self, quick: Bench, settings: str) -> None:
        quick.add(70)
        quick.due()
        desks = {} if settings == "other" else Bench(quick.store, "off").settings.desks
        quick.settings = quick.settings.model_copy(update={"desks": desks})
        quick.sweep()
        assert quick.desk.calls == []
        assert quick.store.clocks.oldest_due() is None

    def test_what_is_switched_off_is_not_done(self, sqlite_store: Store) -> None:
        bench = Bench(sqlite_store)
        sla = bench.settings.sla.model_copy(
            update={"on_breach": bench.settings.sla.on_breach.model_copy(update={"note": False, "tag": False})}
        )
        bench.settings = bench.settings.model_copy(update={"sla": sla})
        bench.add(50)
        bench.due()
        bench.sweep()
        bench.older(60)
        bench.sweep()
        assert len(bench.notes()) == 1
        assert bench.tags() == (), "no longer only at risk"


class TestNote:
    def test_is_brought_up_to_date_where_the_helpdesk_can(self, store: Store) -> None:
        bench = Bench(store, guarded=False)
        bench.desk.edits_notes = True
        bench.add(10)
        bench.older(40)
        bench.sweep()
        bench.older(20)
        bench.sweep()
        assert len(bench.notes()) == 1 and "SLA breached" in bench.notes()[0]
        bench.answer()
        bench.sweep()
        [note] = bench.notes()
        assert "SLA: answered late" in note and "First response: done after 70 min of 60 min" in note
        assert "10 min late" in note and "back in time" not in note

    def test_an_answer_in_time_takes_the_warning_back(self, quick: Bench) -> None:
        quick.desk.edits_notes = True
        quick.add(50)
        quick.due()
        quick.sweep()
        quick.answer()
        quick.sweep()
        [note] = quick.notes()
        assert "SLA back in time" in note and "late" not in note

    def test_says_what_the_breach_changes(self, store: Store) -> None:
        bench = Bench(store)
        bench.add(300, priority=None)
        bench.due()
        bench.sweep()
        said = "Tandem raises the priority to urgent and hands the ticket over to Escalations."
        [note] = bench.notes()
        assert said in note
        assert [text.partition("\n")[0] for _, _, text in bench.phone.sent] == [said] * 2

    def test_says_nothing_of_what_a_person_has_set(self, quick: Bench) -> None:
        quick.add(70, priority="high", assignee_id="5")
        quick.due()
        quick.sweep()
        assert quick.notes() and quick.phone.sent
        assert "Tandem raises" not in str(quick.notes()) + str(quick.phone.sent)
        assert "hands the ticket" not in str(quick.notes()) + str(quick.phone.sent)

    def test_somebody_deleted_it(self, quick: Bench) -> None:
        quick.desk.edits_notes = True
        quick.add(50)
        quick.due()
        quick.sweep()
        quick.desk.tickets["7"].notes.clear()
        quick.older(20)
        quick.sweep()
        assert quick.notes() == []
        assert quick.tags() == ("ai_sla_breached",)

    def test_a_note_that_cannot_be_written_is_told(self, quick: Bench) -> None:
        quick.add(70)
        quick.due()
        quick.desk.fail("post", Refused("too long"))
        quick.sweep()
        assert ("breached", "note", FAILED) in quick.acts()
        assert [one.kind for one in quick.store.alarms.recent()] == [SLA_ACT]
        assert quick.tags() == ("ai_sla_breached",)


class TestEscalation:
    def test_leaves_alone_what_a_person_has_set(self, quick: Bench) -> None:
        quick.add(70, priority="high", group_id="4", group="Billing people")
        quick.due()
        quick.sweep()
        shown = quick.desk.tickets["7"].ticket
        assert (shown.priority, shown.group_id) == ("high", "4")
        assert ("breached", "fields", DROPPED) in quick.acts()

    def test_takes_no_ticket_from_somebody_who_works_on_it(self, quick: Bench) -> None:
        quick.add(300, priority=None, assignee_id="12")
        quick.due()
        quick.sweep()
        shown = quick.desk.tickets["7"].ticket
        assert (shown.priority, shown.group_id) == ("urgent", None)

    def test_changes_what_triage_has_set(self, quick: Bench) -> None:
        run, _ = quick.store.runs.claim("acme", "7", "created", owner="w", now=1, lease_until=2)
        effect = quick.store.effects.plan(run.id, "note", {}, 1)
        quick.store.effects.confirm(effect, 1, after={"priority": "high", "group": "Billing"})
        quick.add(70, priority="high", group_id="4", group="Billing")
        quick.due()
        quick.sweep()
        shown = quick.desk.tickets["7"].ticket
        assert (shown.priority, shown.group_id) == ("urgent", "Escalations")

    def test_does_not_change_the_clocks(self, quick: Bench) -> None:
        quick.add(300, priority=None)
        before = quick.clock("resolution").due_at
        quick.due()
        quick.sweep()
        shown = quick.desk.tickets["7"]
        shown.change(group="Escalations", updated_at=datetime.now(UTC))
        quick.follow(shown.ticket, time.time())
        assert shown.ticket.priority == "urgent"
        assert quick.clock("resolution").due_at == before
        assert quick.clock("resolution").priority == "P2_medium"


class TestMessages:
    def test_a_failing_channel_holds_up_nobody_and_is_told(self, quick: Bench) -> None:
        for number in range(4):
            quick.add(70, str(number))
        quick.phone.broken["ops"] = Retry("channel 'ops' did not take the message")
        for _ in range(8):
            quick.due()
            quick.sweep()
        assert len(quick.phone.titles("boss")) == 4
        assert quick.phone.titles("ops") == []
        assert all(len(quick.notes(str(number))) == 1 for number in range(4))
        assert SLA_ACT in {one.kind for one in quick.store.alarms.recent()}

    def test_a_channel_that_comes_back_gets_each_message_once(self, quick: Bench) -> None:
        quick.add(70)
        quick.phone.broken["ops"] = Retry("away")
        quick.due()
        quick.sweep()
        quick.phone.broken.clear()
        quick.due()
        quick.sweep()
        quick.due()
        quick.sweep()
        assert (quick.phone.titles("ops"), quick.phone.titles("boss")) == (["SLA breached"], ["SLA breached"])

    def test_what_is_no_longer_true_is_not_sent(self, quick: Bench) -> None:
        quick.add(70)
        quick.phone.broken["ops"] = Retry("away")
        quick.due()
        quick.sweep()
        quick.phone.broken.clear()
        quick.answer()
        quick.due()
        quick.sweep()
        assert quick.phone.titles("ops") == []

    @pytest.mark.parametrize(("priority", "sent"), [("high", 0), ("urgent", 1)])
    def test_wait_through_quiet_hours(self, sqlite_store: Store, priority: str, sent: int) -> None:
        bench = Bench(sqlite_store, extra="  quiet_hours: {hours: {mon-sun: 00:00-24:00}}")
        bench.add(70, priority=priority)
        bench.due()
        bench.sweep()
        assert len(bench.phone.titles("ops")) == sent
        assert len(bench.notes()) == 1
        bench.due()
        bench.sweep()
        assert len(bench.phone.titles("ops")) == sent, "still quiet"
        if not sent:
            bench.settings = Bench(sqlite_store).settings
            bench.due()
            bench.sweep()
            assert bench.phone.titles("ops") == ["SLA breached"]

    def test_hold_nothing_a_customer_wrote(self, quick: Bench) -> None:
        quick.add(70, subject="My secret subject")
        quick.due()
        quick.sweep()
        assert "secret" not in str(quick.phone.sent) + str(quick.notes())


def test_one_ticket_and_stage_one_message_whatever_clocks(quick: Bench) -> None:
    """First response and resolution breached together: one note, one message per channel."""
    quick.add(10)
    quick.older(3 * 1440)
    quick.sweep()
    assert len(quick.notes()) == 1
    assert quick.phone.titles() == ["SLA breached"]
    assert "Resolution" in quick.notes()[0]
