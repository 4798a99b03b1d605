"""One ticket from delivery to note: what the helpdesk shows afterwards, whatever happens on the way."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from connectors.base import Connector
from tests.fakes import FakeClassifier, FakeConnector, Killed, answer
from triage.errors import Conflict, Gone, Retry, UnknownOutcome
from triage.settings import Mode, Settings
from triage.sources import Source, Sources
from triage.store import Store
from triage.store.effects import CONFIRMED, FIELDS, NOTE, SENT, TAGS
from triage.store.marks import PUBLIC_NOTE
from triage.store.runs import DONE, RUNNING, Run
from triage.ticket import Status
from workers.pipeline import triage
from workers.tools import Tools
from workers.writing import LeaseLostError

TAGS_OF_THE_ANSWER = ("ai_triaged", "ai_team_billing", "ai_priority_p1", "ai_sentiment_frustrated", "ai_churn_medium")


class Bench:
    """A store, a helpdesk with one ticket, a classifier, and workers that claim its run one after the other."""

    def __init__(self, store: Store, settings: Settings, connector: FakeConnector) -> None:
        self.store, self.settings, self.connector = store, settings, connector
        self.classifier = FakeClassifier()
        self.shown = connector.add("7")
        # The pipeline lengthens its lease by the real clock.
        self.now = time.time()

    def set(self, **values: Any) -> None:
        desk = self.settings.desks["acme"].model_copy(update=values)
        self.settings = self.settings.model_copy(update={"desks": {**self.settings.desks, "acme": desk}})

    def claim(self) -> Run:
        """Claim the run as a new worker, after the last one's lease."""
        self.now += 100
        run, ours = self.store.runs.claim(
            "acme", "7", "created", owner=f"w{self.now}", now=self.now, lease_until=self.now + 30
        )
        assert ours
        return run

    def tools(self, checkpoint: Callable[[str], None] = lambda _: None) -> Tools:
        connector: Connector = self.connector
        return Tools(connector, self.classifier, self.store, self.settings, self.settings.desks["acme"], checkpoint)

    def run(self, checkpoint: Callable[[str], None] = lambda _: None) -> Run:
        """Triage once and return the run as it is stored then."""
        run = self.claim()
        triage(run, self.tools(checkpoint))
        return self.stored(run)

    @property
    def tags_apart(self) -> list[str]:
        """Return the call that adds the tags, where they do not go along with the note."""
        return [] if self.connector.settled else ["add_tags"]

    def stored(self, run: Run) -> Run:
        found = self.store.runs.get(run.id)
        assert found is not None
        return found

    def states(self, run: Run) -> dict[str, str]:
        return {effect.kind: effect.state for effect in self.store.effects.of_run(run.id)}


KINDS = {
    "guarded": {"guarded": True},
    # The guard sees every change since the ticket was read.
    "settled": {"guarded": True, "settled": True},
    "unguarded": {"guarded": False},
}


@pytest.fixture(params=KINDS)
def bench(request: pytest.FixtureRequest, sqlite_store: Store, settings: Settings) -> Bench:
    """Return a bench on a helpdesk with a guarded write (Zendesk) and on one without (Freshdesk)."""
    return Bench(sqlite_store, settings, FakeConnector(**KINDS[request.param]))


def kill_at(step: str) -> Callable[[str], None]:
    def checkpoint(reached: str) -> None:
        if reached == step:
            raise Killed

    return checkpoint


class TestWhatTheHelpdeskShows:
    def test_one_private_note_and_the_tags(self, store: Store, settings: Settings) -> None:
        bench = Bench(store, settings, FakeConnector())
        run = bench.run()
        (note,) = bench.shown.notes
        assert not note.public
        assert f"Tandem · ref {run.reference}" in note.html
        assert bench.shown.ticket.tags == TAGS_OF_THE_ANSWER
        assert (bench.shown.ticket.priority, bench.shown.ticket.group_id) == (None, None)
        assert bench.states(run) == {NOTE: CONFIRMED, TAGS: CONFIRMED}

    def test_the_run_tells_how_it_came_to_it(self, store: Store, settings: Settings) -> None:
        bench = Bench(store, settings, FakeConnector())
        bench.classifier.answers[0] = answer(tokens_in=10, tokens_out=5, cost_usd=0.25, model="m", classifier="llm")
        run = bench.run()
        assert (run.state, run.classifier, run.model, run.tokens_in, run.cost_usd) == (DONE, "llm", "m", 10, 0.25)
        assert run.policy == settings.policy_version()
        assert run.decision is not None
        assert run.decision["tags"] == list(TAGS_OF_THE_ANSWER)
        assert run.timings is not None
        assert set(run.timings) == {"read", "classify", "knowledge", "draft", "reply", "note", "tags"}
        (note, _tags) = store.effects.of_run(run.id)
        assert note.note_id == bench.shown.notes[0].id

    def test_the_usual_case_takes_three_calls_and_one_answer(self, bench: Bench) -> None:
        bench.run()
        assert bench.connector.names() == ["read", "post", *bench.tags_apart]
        assert bench.classifier.asked == ["7"]

    @pytest.mark.parametrize(
        ("mode", "notes", "tagged", "priority"),
        [
            (Mode.WATCH, 0, False, None),
            (Mode.NOTE, 1, False, None),
            (Mode.TAG, 1, True, None),
            (Mode.WRITE, 1, True, "high"),
        ],
    )
    def test_no_more_than_the_mode_allows(
        self, bench: Bench, mode: Mode, notes: int, tagged: bool, priority: str | None
    ) -> None:
        bench.set(mode=mode)
        run = bench.run()
        shown = bench.shown
        assert (len(shown.notes), bool(shown.ticket.tags), shown.ticket.priority) == (notes, tagged, priority)
        assert (run.state, bool(run.classification), bool(run.decision)) == (DONE, True, True)
        if mode is Mode.WATCH:
            assert bench.connector.names() == ["read"]
            assert bench.states(run) == {}

    def test_a_desk_that_is_off_is_not_even_read(self, bench: Bench) -> None:
        bench.set(mode=Mode.OFF)
        with pytest.raises(Gone, match="off"):
            bench.run()
        assert (bench.connector.calls, bench.classifier.asked) == ([], [])

    def test_what_the_helpdesk_refused_is_recorded_and_costs_nothing_else(self, bench: Bench) -> None:
        bench.set(mode=Mode.WRITE)
        bench.connector.refuses = {"priority": "is not in the list"}
        run = bench.run()
        assert (len(bench.shown.notes), bench.shown.ticket.group_id) == (1, "Finance & Billing")
        effect = bench.store.effects.of_run(run.id)[0]
        assert effect.refused == {"priority": "is not in the list"}
        assert effect.before == {"group": None}

    def test_a_note_that_came_back_public_raises_an_alarm(self, bench: Bench) -> None:
        bench.connector.publishes = True
        bench.run()
        (alarm,) = bench.store.alarms.recent()
        assert (alarm.desk, alarm.kind, alarm.ticket_id) == ("acme", PUBLIC_NOTE, "7")
        assert "made private at once" in alarm.text

    def test_a_note_that_stays_public_is_hidden_by_a_later_attempt_and_never_repeated(self, bench: Bench) -> None:
        bench.connector.publishes, bench.connector.hides = True, False
        with pytest.raises(Retry):
            bench.run()
        with pytest.raises(Retry):
            bench.run()
        (alarm,) = bench.store.alarms.recent()
        assert "PUBLIC" in alarm.text
        bench.connector.hides = True
        assert bench.run().state == DONE
        assert [(note.public) for note in bench.shown.notes] == [False]
        assert "made private at once" in bench.store.alarms.recent()[0].text

    def test_a_worker_that_stood_still_before_writing_looks_again_first(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("workers.writing.PAUSE_SECONDS", -1.0)
        with pytest.raises(Retry):
            bench.run()
        assert bench.shown.notes == []
        monkeypatch.undo()
        assert bench.run().state == DONE
        assert len(bench.shown.notes) == 1

    def test_a_field_may_be_written_where_the_desk_only_watches(self, bench: Bench) -> None:
        bench.set(mode=Mode.WATCH, fields={"priority": Mode.WRITE})
        assert bench.run().state == DONE
        assert (bench.shown.notes, bench.shown.ticket.priority) == ([], "high")

    def test_odd_texts_of_a_model_are_stored_on_both_databases(self, store: Store, settings: Settings) -> None:
        bench = Bench(store, settings, FakeConnector())
        odd = "a\x00b\ud800c\u202e☃"
        bench.classifier.answers[0] = answer(
            evidence=[odd], context_for_agent=odd, model="m" * 500, classifier="c" * 500, auto_response_draft=odd
        )
        assert bench.run().state == DONE
        assert len(bench.shown.notes) == 1


class TestNothingToDo:
    @pytest.mark.parametrize("status", [Status.CLOSED, Status.DELETED, Status.SPAM, Status.SOLVED])
    def test_on_a_ticket_that_is_over(self, bench: Bench, status: Status) -> None:
        bench.shown.change(status=status)
        with pytest.raises(Gone, match="the ticket is"):
            bench.run()
        assert (bench.shown.notes, bench.classifier.asked) == ([], [])

    @pytest.mark.parametrize("status", [Status.NEW, Status.OPEN, Status.PENDING, Status.HOLD, Status.UNKNOWN])
    def test_is_not_said_of_one_that_is_not(self, bench: Bench, status: Status) -> None:
        bench.shown.change(status=status)
        assert bench.run().state == DONE

    def test_where_our_tag_is_already(self, bench: Bench) -> None:
        """A lost database, or a second Tandem: one note is enough."""
        bench.shown.change(tags=("vip", "ai_triaged"))
        with pytest.raises(Gone, match="ai_triaged already"):
            bench.run()
        assert (bench.shown.notes, bench.classifier.asked) == ([], [])

    def test_is_not_said_of_our_own_tag_of_this_run(self, bench: Bench) -> None:
        with pytest.raises(Killed):
            bench.run(kill_at("before_finish"))
        assert "ai_triaged" in bench.shown.ticket.tags
        assert bench.run().state == DONE
        assert len(bench.shown.notes) == 1

    def test_follows_the_configured_prefix(self, bench: Bench) -> None:
        bench.settings = bench.settings.model_copy(update={"tag_prefix": "bot-"})
        bench.shown.change(tags=("ai_triaged",))
        bench.run()
        assert "bot-team_billing" in bench.shown.ticket.tags
        assert len(bench.shown.notes) == 1


class TestUnknownOutcome:
    def test_of_a_note_that_was_written_finds_it(self, bench: Bench) -> None:
        bench.connector.fail("post", UnknownOutcome("no answer"), applied="all")
        with pytest.raises(UnknownOutcome):
            bench.run()
        run = bench.run()
        assert len(bench.shown.notes) == 1
        assert bench.connector.names().count("post") == 1
        assert bench.states(run) == {NOTE: CONFIRMED, TAGS: CONFIRMED}
        assert bench.store.effects.of_run(run.id)[0].note_id == "note-1"

    def test_of_a_note_that_was_not_written_sends_it_again(self, bench: Bench) -> None:
        bench.connector.fail("post", UnknownOutcome("no answer"))
        with pytest.raises(UnknownOutcome):
            bench.run()
        bench.run()
        assert len(bench.shown.notes) == 1
        assert bench.connector.names() == ["read", "post", "read", "find_note", "post", *bench.tags_apart]

    def test_looks_again_as_often_as_it_is_in_doubt(self, bench: Bench) -> None:
        bench.connector.fail("post", UnknownOutcome("no answer"), times=3)
        bench.connector.fail("post", UnknownOutcome("no answer"), applied="all")
        bench.connector.fail("find_note", Retry("down"))
        for _ in range(5):
            with pytest.raises(Retry):
                bench.run()
        assert bench.run().state == DONE
        assert len(bench.shown.notes) == 1

    def test_never_sends_while_it_cannot_look(self, bench: Bench) -> None:
        bench.connector.fail("post", UnknownOutcome("no answer"), applied="all")
        bench.connector.fail("find_note", Retry("down"), times=5)
        for _ in range(6):
            with pytest.raises(Retry):
                bench.run()
        assert bench.connector.names().count("post") == 1

    def test_between_note_and_fields_sets_the_fields(self, bench: Bench) -> None:
        """Freshdesk takes them one after the other."""
        bench.set(mode=Mode.WRITE)
        bench.connector.fail("post", UnknownOutcome("no answer"), applied="note")
        with pytest.raises(UnknownOutcome):
            bench.run()
        assert bench.shown.ticket.priority is None
        run = bench.run()
        assert (len(bench.shown.notes), bench.shown.ticket.priority) == (1, "high")
        assert bench.states(run) == {NOTE: CONFIRMED, FIELDS: CONFIRMED, TAGS: CONFIRMED}

    def test_of_the_fields_after_a_note_was_found_does_not_lose_them(self, bench: Bench) -> None:
        bench.set(mode=Mode.WRITE)
        bench.connector.fail("post", UnknownOutcome("no answer"), applied="note")
        bench.connector.fail("set_fields", UnknownOutcome("no answer"))
        for _ in range(2):
            with pytest.raises(UnknownOutcome):
                bench.run()
        bench.run()
        assert (len(bench.shown.notes), bench.shown.ticket.priority) == (1, "high")

    def test_of_the_tags_adds_them_again(self, bench: Bench) -> None:
        bench.connector.settled = False
        bench.connector.fail("add_tags", UnknownOutcome("no answer"), applied="all")
        bench.connector.fail("add_tags", UnknownOutcome("no answer"))
        for _ in range(2):
            with pytest.raises(UnknownOutcome):
                bench.run()
        bench.run()
        assert bench.shown.ticket.tags == TAGS_OF_THE_ANSWER
        assert bench.connector.names().count("post") == 1

    @pytest.mark.parametrize("applied", ["", "note", "all"])
    def test_never_undoes_what_a_person_did_meanwhile(self, bench: Bench, applied: str) -> None:
        bench.set(mode=Mode.WRITE, mapped_fields={"sentiment": "4711"})
        bench.connector.fail("post", UnknownOutcome("no answer"), applied=applied)
        with pytest.raises(UnknownOutcome):
            bench.run()
        bench.shown.change(priority="low", group_id="Night shift", fields={"4711": "calm"})
        bench.run()
        ticket = bench.shown.ticket
        assert (ticket.priority, ticket.group_id, ticket.fields) == ("low", "Night shift", {"4711": "calm"})
        assert len(bench.shown.notes) == 1


class TestConflict:
    @pytest.fixture
    def bench(self, sqlite_store: Store, settings: Settings) -> Bench:
        bench = Bench(sqlite_store, settings, FakeConnector())
        bench.set(mode=Mode.WRITE, mapped_fields={"sentiment": "4711"})
        return bench

    def test_reads_and_decides_again(self, bench: Bench) -> None:
        bench.connector.meanwhile("post", lambda: bench.shown.change(subject="More words"))
        bench.run()
        assert bench.connector.names() == ["read", "post", "read", "find_note", "post", "add_tags"]
        assert (len(bench.shown.notes), bench.shown.ticket.priority) == (1, "high")

    def test_keeps_what_the_agent_set_in_between(self, bench: Bench) -> None:
        bench.connector.meanwhile(
            "post",
            lambda: bench.shown.change(priority="low", group_id="Night shift", fields={"4711": "calm"}, tags=("vip",)),
        )
        run = bench.run()
        ticket = bench.shown.ticket
        assert (ticket.priority, ticket.group_id, ticket.fields) == ("low", "Night shift", {"4711": "calm"})
        assert ticket.tags == ("vip", *TAGS_OF_THE_ANSWER)
        assert run.decision is not None
        assert (run.decision["priority"], run.decision["group"]) == (None, None)
        assert "priority: a person has set low, left alone" in run.decision["steps"]

    def test_again_and_again_is_tried_later(self, bench: Bench) -> None:
        for _ in range(3):
            bench.connector.meanwhile("post", lambda: bench.shown.change(subject="More words"))
        with pytest.raises(Retry, match="changed by others each time"):
            bench.run()
        assert bench.shown.notes == []
        bench.run()
        assert len(bench.shown.notes) == 1

    def test_with_a_close_ends_quietly(self, bench: Bench) -> None:
        bench.connector.meanwhile("post", lambda: bench.shown.change(status=Status.CLOSED))
        with pytest.raises(Gone):
            bench.run()
        assert bench.shown.notes == []

    def test_with_our_own_note_of_an_earlier_attempt_finds_it(self, bench: Bench) -> None:
        """The first request was thought lost and came through late, moving the stamp."""
        bench.connector.fail("post", UnknownOutcome("no answer"), applied="note")
        bench.connector.fail("find_note", Conflict("odd, but possible"))
        for _ in range(2):
            with pytest.raises((UnknownOutcome, Conflict)):
                bench.run()
        bench.run()
        assert (len(bench.shown.notes), bench.shown.ticket.priority) == (1, "high")


STEPS = ("after_read", "after_classify", "after_draft", "before_note", "after_note", "before_finish")


class TestKilled:
    @pytest.mark.parametrize("mode", [Mode.TAG, Mode.WRITE])
    @pytest.mark.parametrize("step", STEPS)
    def test_at_any_step_leaves_a_ticket_the_next_worker_can_finish(self, bench: Bench, step: str, mode: Mode) -> None:
        bench.set(mode=mode)
        with pytest.raises(Killed):
            bench.run(kill_at(step))
        run = bench.run()
        assert len(bench.shown.notes) == 1
        assert bench.shown.ticket.tags == TAGS_OF_THE_ANSWER
        assert bench.shown.ticket.priority == ("high" if mode is Mode.WRITE else None)
        assert (run.state, run.attempts) == (DONE, 2)
        assert bench.classifier.asked == ["7"]

    @pytest.mark.parametrize("first", STEPS)
    @pytest.mark.parametrize("second", STEPS)
    def test_twice(self, bench: Bench, first: str, second: str) -> None:
        bench.set(mode=Mode.WRITE)
        for step in (first, second):
            run = bench.claim()
            try:
                triage(run, bench.tools(kill_at(step)))
            except Killed:
                continue
            break
        else:
            assert bench.run().state == DONE
        assert len(bench.shown.notes) == 1
        assert bench.shown.ticket.priority == "high"

    @pytest.mark.parametrize("applied", ["", "note", "all"])
    @pytest.mark.parametrize("call", ["read", "post", "find_note", "set_fields", "add_tags"])
    def test_inside_any_call(self, bench: Bench, call: str, applied: str) -> None:
        bench.set(mode=Mode.WRITE)
        bench.connector.fail("post", UnknownOutcome("no answer"), applied="note")
        bench.connector.fail(call, Killed(), applied=applied)
        for _ in range(4):
            run = bench.claim()
            try:
                triage(run, bench.tools())
            except (Killed, UnknownOutcome):
                continue
            break
        assert bench.stored(run).state == DONE
        assert len(bench.shown.notes) == 1
        assert bench.shown.ticket.tags == TAGS_OF_THE_ANSWER
        assert (bench.shown.ticket.priority, bench.shown.ticket.group_id) == ("high", "Finance & Billing")

    def test_after_the_note_does_not_write_it_again_where_a_person_removed_it(self, bench: Bench) -> None:
        with pytest.raises(Killed):
            bench.run(kill_at("before_finish"))
        bench.shown.notes.clear()
        bench.run()
        assert bench.shown.notes == []


class TestLostLease:
    @pytest.mark.parametrize("step", ["after_read", "after_classify"])
    def test_before_the_note_writes_nothing(self, bench: Bench, step: str) -> None:
        bench.set(mode=Mode.WRITE)
        run = bench.claim()

        def lose(reached: str) -> None:
            if reached == step:
                bench.claim()

        with pytest.raises(LeaseLostError):
            triage(run, bench.tools(lose))
        assert bench.connector.names() == ["read"]
        stored = bench.stored(run)
        assert (stored.state, stored.owner != run.owner) == (RUNNING, True)
        assert stored.decision is None

    def test_after_the_note_leaves_the_rest_to_the_new_owner(self, bench: Bench) -> None:
        bench.connector.settled = False
        run = bench.claim()
        with pytest.raises(LeaseLostError):
            triage(run, bench.tools(lambda step: bench.claim() if step == "after_note" else None))  # type: ignore[func-returns-value]
        assert bench.connector.names() == ["read", "post"]
        assert bench.shown.ticket.tags == ()
        assert bench.run().state == DONE
        assert (len(bench.shown.notes), bench.shown.ticket.tags) == (1, TAGS_OF_THE_ANSWER)

    def test_while_looking_for_the_note_sets_no_field(self, bench: Bench) -> None:
        bench.set(mode=Mode.WRITE)
        bench.connector.fail("post", UnknownOutcome("no answer"), applied="note")
        with pytest.raises(UnknownOutcome):
            bench.run()
        bench.connector.meanwhile("find_note", lambda: bench.claim() and None)
        with pytest.raises(LeaseLostError):
            bench.run()
        assert bench.shown.ticket.priority is None

    def test_while_looking_in_vain_sends_nothing(self, bench: Bench) -> None:
        bench.connector.fail("post", UnknownOutcome("no answer"))
        with pytest.raises(UnknownOutcome):
            bench.run()
        bench.connector.meanwhile("find_note", lambda: bench.claim() and None)
        with pytest.raises(LeaseLostError):
            bench.run()
        assert bench.shown.notes == []

    def test_at_the_very_last_moment_is_caught_by_a_guarded_write(
        self, sqlite_store: Store, settings: Settings
    ) -> None:
        """The other worker wrote its note between our check and our call: the stamp has moved, ours is found."""
        bench = Bench(sqlite_store, settings, FakeConnector())
        run, once = bench.claim(), [True]

        def overtake(step: str) -> None:
            if step == "before_note" and once:
                once.clear()
                bench.run()

        with pytest.raises(LeaseLostError):
            triage(run, bench.tools(overtake))
        assert len(bench.shown.notes) == 1
        assert bench.stored(run).state == DONE


class TestClassification:
    def test_is_kept_over_attempts(self, bench: Bench) -> None:
        bench.classifier.answers.extend([answer("security")])
        bench.connector.fail("post", Retry("down"), times=2)
        for _ in range(2):
            with pytest.raises(Retry):
                bench.run()
        run = bench.run()
        assert bench.classifier.asked == ["7"]
        assert run.classification is not None
        assert run.classification["primary_team"] == "billing"
        assert "Billing" in bench.shown.notes[0].html

    def test_that_failed_is_asked_again(self, bench: Bench) -> None:
        bench.classifier.answers.appendleft(Retry("model away"))
        with pytest.raises(Retry):
            bench.run()
        assert bench.shown.notes == []
        bench.run()
        assert bench.classifier.asked == ["7", "7"]

    def test_is_plain_data_in_the_database(self, bench: Bench) -> None:
        run = bench.run()
        assert json.loads(json.dumps(run.classification)) == answer().model_dump(mode="json")


def test_a_sent_effect_is_recorded_before_the_call(bench: Bench) -> None:
    seen: list[str] = []
    run = bench.claim()
    along = bench.connector.settled
    kinds = (NOTE, TAGS) if along else (NOTE,)
    bench.connector.meanwhile("post", lambda: seen.extend(bench.states(run)[kind] for kind in kinds))
    bench.connector.meanwhile("add_tags", lambda: seen.append(bench.states(run)[TAGS]))
    triage(run, bench.tools())
    assert seen == [SENT, SENT]
    assert set(bench.states(run).values()) == {CONFIRMED}
    assert bench.shown.ticket.tags == TAGS_OF_THE_ANSWER


ARTICLE_URL = "https://acme.zendesk.com/hc/en-us/articles/5"


class TestSources:
    FOUND = Sources(
        (Source("article", "5:en", "Add seats", ARTICLE_URL, "en", 0.7, True, "Own words."),),
        (Source("ticket", "3", "More seats", "https://acme.zendesk.com/agent/tickets/3", "en", 0.8, True, "Done."),),
    )

    def run(self, bench: Bench, find: Callable[[Any], Sources]) -> Run:
        run = bench.claim()
        triage(run, replace(bench.tools(), find=find))
        return bench.stored(run)

    def test_the_note_shows_them_and_the_run_keeps_their_ids_only(self, store: Store, settings: Settings) -> None:
        bench = Bench(store, settings, FakeConnector())
        run = self.run(bench, lambda _: self.FOUND)
        (note,) = bench.shown.notes
        assert '<a href="https://acme.zendesk.com/hc/en-us/articles/5">[2] Add seats</a>' in note.html
        assert '<a href="https://acme.zendesk.com/agent/tickets/3">[1] More seats</a>' in note.html
        assert run.sources == {
            "articles": [{"kind": "article", "key": "5:en", "score": 0.7}],
            "tickets": [{"kind": "ticket", "key": "3", "score": 0.8}],
        }
        assert run.classification is not None
        shown = {"title": "Add seats", "url": "https://acme.zendesk.com/hc/en-us/articles/5"}
        assert run.classification["suggested_kb_articles"] == [shown]
        assert "Own words" not in json.dumps(run.classification)

    def test_a_broken_index_costs_the_lines_and_not_the_note(self, bench: Bench) -> None:
        def broken(_: Any) -> Sources:
            raise ValueError("the index is broken")

        run = self.run(bench, broken)
        (note,) = bench.shown.notes
        assert "Sources" not in note.html
        assert (run.state, run.sources) == (DONE, None)
