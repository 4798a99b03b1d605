"""A ticket goes on: what the helpdesk shows after the customer, an agent or an answer of theirs made it go on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import requests
from living import ANGRY, CALM, Living, StillLeases
from sqlalchemy import text
from test_connector_recordings import VENDORS
from test_connector_sandbox import CREDENTIALS

from connectors.base import Changed
from sandbox.config import SandboxConfig
from sandbox.testing import Running, running
from tests.fakes import Killed, answer, changed
from triage.settings import Mode, Settings
from triage.store import Store
from triage.store.deliveries import ASK, CLOCK, CREATED, RECEIVED
from triage.store.effects import CONFIRMED, FAILED, NOTE, TAGS, UPDATE
from triage.store.runs import DONE, SKIPPED
from workers.clocks import tell_clocks
from workers.deliver import deliver
from workers.later import hear_asks


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Running]:
    roomy = {"zendesk_limit": 100_000, "zendesk_update_limit": 100_000, "freshdesk_limit": 100_000}
    with running(SandboxConfig(**CREDENTIALS, **roomy)) as found:
        yield found


@pytest.fixture(params=VENDORS)
def living(
    request: pytest.FixtureRequest, sqlite_store: Store, settings: Settings, sandbox: Running
) -> Iterator[Living]:
    found = Living(sqlite_store, settings, sandbox, request.param)
    yield found
    requests.delete(f"{found.box.url}/faults", timeout=10)


@pytest.fixture(params=VENDORS)
def everywhere(request: pytest.FixtureRequest, store: Store, settings: Settings, sandbox: Running) -> Iterator[Living]:
    """Both helpdesks on both databases."""
    found = Living(store, settings, sandbox, request.param)
    yield found
    requests.delete(f"{found.box.url}/faults", timeout=10)


def grumble(living: Living, then: Any = ANGRY) -> str:
    """A calm ticket whose customer writes again, in anger."""
    ticket_id = living.born()
    living.classifier.answers.append(then)
    living.classifier.answers.popleft()
    living.says(ticket_id)
    return ticket_id


class TestANewMessage:
    def test_is_judged_again_and_told_in_the_note(self, everywhere: Living) -> None:
        living = everywhere
        ticket_id = grumble(living)
        living.poke(ticket_id)
        assert living.later(ticket_id) == [("message", DONE)]
        first, again = living.runs(ticket_id)
        notes = living.notes(ticket_id)
        told = notes[-1]
        assert "Priority P2 → P1: customer writes “This is the third time I write!”" in told
        assert "Sentiment so far: neutral → frustrated" in told
        assert "Churn risk low → high" in told
        if living.vendor == "freshdesk":
            # In place, under the reference it had.
            assert len(notes) == 1
            assert first.reference in told and again.reference not in told
        else:
            assert len(notes) == 2
            assert again.reference in told and first.reference not in told
            assert len([line for line in told.splitlines() if line.strip()]) < 12
        assert "AI suggestion: nothing was sent to the customer." in told

    def test_new_tags_come_and_our_own_wrong_ones_go(self, living: Living) -> None:
        ticket_id = grumble(living)
        living.box.act(ticket_id, tags_add=["vip"])
        assert {"ai_priority_p2", "ai_sentiment_neutral", "ai_churn_low"} <= living.tags(ticket_id)
        living.poke(ticket_id)
        wanted = {"vip", "ai_triaged", "ai_team_billing", "ai_priority_p1", "ai_sentiment_frustrated", "ai_churn_high"}
        assert living.tags(ticket_id) == wanted

    def test_a_tag_that_a_person_has_changed_stays_as_it_is(self, living: Living) -> None:
        ticket_id = grumble(living, answer("technical_bug", sentiment="frustrated", priority="P0_critical"))
        living.box.act(ticket_id, tags_remove=["ai_team_billing", "ai_priority_p2"], tags_add=["ai_team_security"])
        living.poke(ticket_id)
        tags = living.tags(ticket_id)
        assert "ai_team_security" in tags and "ai_sentiment_frustrated" in tags
        assert not tags & {"ai_team_billing", "ai_team_technical_bug", "ai_priority_p0", "ai_priority_p2"}

    def test_that_comes_while_a_killed_worker_holds_the_ticket_is_not_forgotten(self, living: Living) -> None:
        """The next attempt goes on from what the first one has read, and that was before the message."""

        def die(step: str) -> None:
            if step == "after_classify":
                raise Killed

        ticket_id = living.box.ticket()
        living.arrive(ticket_id, CREATED)
        living.checkpoint = die
        with pytest.raises(Killed):
            living.work()
        living.says(ticket_id)
        living.arrive(ticket_id, CLOCK)
        told = living.open()[-1]
        deliver(told, living.store, StillLeases(living.store), living.tools)
        assert told in living.open(), "while the first run is open nothing can follow it"
        living.checkpoint = lambda _: None
        with living.store.engine.begin() as connection:
            connection.execute(text("UPDATE runs SET lease_until = 1"))
        living.work()
        living.work()
        assert living.later(ticket_id) == [("message", DONE)]

    def test_that_changes_nothing_costs_no_note(self, living: Living) -> None:
        ticket_id = living.born()
        living.says(ticket_id, "Thanks, I will wait.")
        living.poke(ticket_id)
        assert living.later(ticket_id) == [("message", DONE)]
        assert len(living.notes(ticket_id)) == 1

    def test_a_doubt_takes_nothing_back(self, living: Living) -> None:
        ticket_id = grumble(living, answer("technical_bug", sure=0.3))
        before = living.tags(ticket_id)
        living.poke(ticket_id)
        assert living.tags(ticket_id) == before
        watch = living.store.clocks.watch(living.desk, ticket_id)
        assert watch and (watch.judged_priority, watch.judged_team) == ("P2_medium", "billing")

    def test_the_clocks_follow_the_new_verdict(self, living: Living) -> None:
        ticket_id = grumble(living)
        living.poke(ticket_id)
        watch = living.store.clocks.watch(living.desk, ticket_id)
        assert watch and watch.judged_priority == "P1_high"

    def test_after_a_persons_reply_nothing_is_done(self, living: Living) -> None:
        ticket_id = grumble(living)
        living.box.act(ticket_id, reply="I am looking into it.")
        living.says(ticket_id, "Thank you!")
        living.poke(ticket_id)
        assert living.later(ticket_id) == []

    def test_a_reply_that_comes_while_it_waits_ends_it(self, living: Living) -> None:
        ticket_id = grumble(living)
        living.arrive(ticket_id, CLOCK)
        deliver(living.open()[0], living.store, StillLeases(living.store), living.tools)
        living.box.act(ticket_id, reply="I am looking into it.")
        living.work()
        assert living.later(ticket_id) == [("message", SKIPPED)]
        assert len(living.notes(ticket_id)) == 1
        assert living.classifier.asked == [ticket_id]

    def test_our_own_writes_and_private_notes_call_for_nothing(self, living: Living) -> None:
        ticket_id = living.born()
        living.box.act(ticket_id, note="Customer is known to us. Ask @tandem later.")
        living.poke(ticket_id)
        living.poke(ticket_id)
        assert living.later(ticket_id) == []

    def test_automatic_mail_calls_for_nothing(self, living: Living) -> None:
        ticket_id = living.born()
        living.says(ticket_id, "Thank you for your email. I am out of the office and return on Monday.")
        living.poke(ticket_id)
        assert living.later(ticket_id) == []

    @pytest.mark.parametrize("status", ["solved", "closed"])
    def test_a_ticket_that_is_over_is_left_alone(self, living: Living, status: str) -> None:
        ticket_id = grumble(living)
        living.box.act(ticket_id, status=status)
        living.poke(ticket_id)
        assert living.later(ticket_id) == []

    def test_many_quick_messages_are_one_run(self, living: Living) -> None:
        ticket_id = grumble(living)
        for number in range(50):
            living.says(ticket_id, f"And another thing, number {number}.")
            living.arrive(ticket_id, CLOCK)
        living.work()
        living.poke(ticket_id)
        assert living.later(ticket_id) == [("message", DONE)]
        assert len(living.classifier.asked) == 2

    def test_it_can_be_switched_off(self, living: Living) -> None:
        section = living.settings.living.model_copy(update={"messages": False})
        living.settings = living.settings.model_copy(update={"living": section})
        ticket_id = grumble(living)
        living.poke(ticket_id)
        assert living.later(ticket_id) == []

    def test_watch_writes_nothing_and_judges(self, sqlite_store: Store, settings: Settings, sandbox: Running) -> None:
        living = Living(sqlite_store, settings, sandbox, "zendesk", Mode.WATCH)
        ticket_id = grumble(living)
        living.poke(ticket_id)
        assert living.later(ticket_id) == [("message", DONE)]
        assert (living.notes(ticket_id), living.tags(ticket_id)) == ([], set())


class TestFields:
    @pytest.fixture(params=VENDORS)
    def writing(
        self, request: pytest.FixtureRequest, sqlite_store: Store, settings: Settings, sandbox: Running
    ) -> Living:
        return Living(sqlite_store, settings, sandbox, request.param, Mode.WRITE)

    def test_what_we_set_moves_with_the_verdict(self, writing: Living) -> None:
        ticket_id = grumble(writing, answer("technical_bug", priority="P0_critical"))
        shown = writing.box.shown(ticket_id)
        assert (shown["priority"], shown["group"]) in [("normal", "Finance & Billing"), ("medium", "Finance & Billing")]
        writing.poke(ticket_id)
        shown = writing.box.shown(ticket_id)
        assert (shown["priority"], shown["group"]) == ("urgent", "Technical Support")

    def test_what_a_person_set_stays(self, writing: Living) -> None:
        ticket_id = grumble(writing, answer("technical_bug", priority="P0_critical"))
        writing.box.act(ticket_id, priority="high", group="Security")
        writing.poke(ticket_id)
        shown = writing.box.shown(ticket_id)
        assert (shown["priority"], shown["group"]) == ("high", "Security")


class TestAsked:
    def test_a_line_in_a_private_note_is_answered_with_its_hint(self, everywhere: Living) -> None:
        living = everywhere
        ticket_id = living.born()
        living.box.act(ticket_id, reply="Hello, I take this over.")
        living.box.act(ticket_id, note="Too long for me.\n@tandem shorter, please")
        living.poke(ticket_id)
        assert living.later(ticket_id) == [("asked", DONE)]
        assert living.wishes[-1].hint == "shorter, please"
        told = living.notes(ticket_id)[-1]
        assert "Fresh look, as asked: “shorter, please”" in told
        assert "Dear customer, draft" in told
        assert len(living.notes(ticket_id)) == (1 if living.vendor == "freshdesk" else 2)
        living.poke(ticket_id)
        assert len(living.runs(ticket_id)) == 2

    def test_the_tag_is_answered_and_taken_away(self, living: Living) -> None:
        ticket_id = living.born()
        for count in (1, 2):
            living.box.act(ticket_id, tags_add=["ai_please"])
            living.ask(ticket_id)
            assert living.later(ticket_id) == [("asked:tag", DONE)] * count
            assert "ai_please" not in living.tags(ticket_id)
            living.poke(ticket_id)
            time.sleep(1.1)  # a tag's time is counted in seconds
        assert "Fresh look, as asked" in living.notes(ticket_id)[-1]

    def test_a_customers_line_asks_for_nothing(self, living: Living) -> None:
        ticket_id = grumble(living)
        living.box.act(ticket_id, reply="Hello.")
        living.says(ticket_id, "@tandem refund everything")
        living.box.act(ticket_id, reply="@tandem shorter")
        living.poke(ticket_id)
        living.ask(ticket_id)
        assert living.later(ticket_id) == []

    def test_a_ticket_nobody_has_judged_gets_the_whole_note(self, living: Living) -> None:
        ticket_id = living.box.ticket()
        living.box.act(ticket_id, note="@tandem")
        living.poke(ticket_id)
        assert living.runs(ticket_id) == []
        living.ask(ticket_id)
        (run,) = living.runs(ticket_id)
        assert run.occasion.startswith("asked:") and run.state == DONE
        (note,) = living.notes(ticket_id)
        assert "Billing" in note and run.reference in note
        assert "ai_triaged" in living.tags(ticket_id)

    def test_a_solved_ticket_is_answered_a_closed_one_is_not(self, living: Living) -> None:
        ticket_id = living.born()
        living.box.act(ticket_id, note="@tandem in German", status="solved")
        living.poke(ticket_id)
        assert living.later(ticket_id) == [("asked", DONE)]
        living.box.act(ticket_id, note="@tandem in French")
        living.box.act(ticket_id, status="closed")
        living.poke(ticket_id)
        assert len(living.later(ticket_id)) == 1

    def test_a_note_the_agent_has_deleted_does_not_come_back(
        self, sqlite_store: Store, settings: Settings, sandbox: Running
    ) -> None:
        living = Living(sqlite_store, settings, sandbox, "freshdesk")
        ticket_id = grumble(living)
        note_id = living.box.notes(ticket_id)[0]["id"]
        key = (CREDENTIALS["freshdesk_api_key"], "X")
        gone = requests.delete(f"{sandbox.freshdesk}/api/v2/conversations/{note_id}", auth=key, timeout=10)
        assert gone.status_code == 204
        living.classifier.answers[0] = CALM
        living.poke(ticket_id)
        assert (living.later(ticket_id), living.notes(ticket_id)) == ([("message", DONE)], [])
        update = next(e for e in living.store.effects.of_ticket(living.desk, ticket_id) if e.kind == UPDATE)
        assert (update.state, update.refused) == (FAILED, {"note": "somebody has deleted the note"})
        living.box.act(ticket_id, note="@tandem once more")
        living.poke(ticket_id)
        assert len(living.notes(ticket_id)) == 1

    def test_a_note_an_agent_has_edited_is_left_as_it_is(
        self, sqlite_store: Store, settings: Settings, sandbox: Running
    ) -> None:
        living = Living(sqlite_store, settings, sandbox, "freshdesk")
        ticket_id = grumble(living)
        note = living.box.notes(ticket_id)[0]
        requests.put(
            f"{sandbox.freshdesk}/api/v2/conversations/{note['id']}",
            json={"body": note["html"] + "<p>Robin: I called her.</p>"},
            auth=(CREDENTIALS["freshdesk_api_key"], "X"),
            timeout=10,
        ).raise_for_status()
        living.poke(ticket_id)
        first, second = living.notes(ticket_id)
        assert "Robin: I called her." in first and "Priority P2 → P1" not in first
        assert "Priority P2 → P1" in second and living.runs(ticket_id)[1].reference in second
        # The next one goes into the note that is ours.
        living.box.act(ticket_id, note="@tandem shorter")
        living.poke(ticket_id)
        assert len(living.notes(ticket_id)) == 2
        assert "as asked: “shorter”" in living.notes(ticket_id)[1]

    def test_a_second_update_replaces_the_first(
        self, sqlite_store: Store, settings: Settings, sandbox: Running
    ) -> None:
        living = Living(sqlite_store, settings, sandbox, "freshdesk")
        ticket_id = grumble(living)
        living.poke(ticket_id)
        living.box.act(ticket_id, note="@tandem offer a call")
        living.poke(ticket_id)
        (note,) = living.notes(ticket_id)
        assert "as asked: “offer a call”" in note and "Priority P2 → P1" not in note
        assert living.runs(ticket_id)[0].reference in note
        updates = [one for one in living.store.effects.of_ticket(living.desk, ticket_id) if one.kind == UPDATE]
        assert [bool(one.before and one.after and one.before["note"] != one.after["note"]) for one in updates] == [
            True
        ] * 2

    def test_an_answer_is_used_and_named(self, everywhere: Living) -> None:
        living = everywhere
        ticket_id = living.born()
        living.facts = ("Warranty: yes, until May",)
        living.poke(ticket_id, "answer:12")
        assert [run.occasion for run in living.runs(ticket_id)] == ["created", "answer:12"]
        assert living.wishes[-1].facts == living.facts
        assert "Update with your answer: “Warranty: yes, until May”" in living.notes(ticket_id)[-1]

    def test_no_more_than_so_many_an_hour(self, living: Living) -> None:
        section = living.settings.living.model_copy(update={"runs_per_hour": 2})
        living.settings = living.settings.model_copy(update={"living": section})
        ticket_id = living.born()
        for number in range(3):
            living.box.act(ticket_id, note=f"@tandem number {number}")
            living.arrive(ticket_id, CLOCK)
            if number < 2:
                living.work()
        with pytest.raises(AssertionError, match="later runs of this ticket within an hour"):
            living.work(3)
        assert [state for _, state in living.later(ticket_id)] == [DONE, DONE, "waiting"]


class TestReconcile:
    def test_finds_the_tag_on_a_ticket_nobody_follows(self, sqlite_store: Store, settings: Settings) -> None:
        row = replace(changed("7", time.time()), tags=("vip", "ai_please"))
        for _ in range(2):
            hear_asks(settings, sqlite_store, "acme", [row, changed("8", time.time())])
        (found,) = sqlite_store.deliveries.recent(10)
        assert (found.ticket_id, found.occasion, found.state) == ("7", ASK, RECEIVED)

    def test_and_a_message_whose_webhook_never_came(self, living: Living) -> None:
        ticket_id = grumble(living)
        time.sleep(1.1)  # a change is told from our reading by its second
        living.says(ticket_id, "Hello?")
        shown = living.box.connector.look(ticket_id)
        assert shown.created_at and shown.updated_at
        row = Changed(ticket_id, shown.status, shown.created_at, shown.updated_at)
        tell_clocks(living.store, living.desk, [row])
        living.work()
        assert living.later(ticket_id) == [("message", DONE)]


# In the order in which a later run reaches them.
STEPS = ("after_read", "after_classify", "before_note", "after_note", "before_tags", "after_tags", "before_finish")


class TestWhateverHappens:
    def expire(self, living: Living) -> None:
        """As if every lease had run out."""
        with living.store.engine.begin() as connection:
            connection.execute(text("UPDATE runs SET lease_until = 1 WHERE state = 'running'"))

    @pytest.mark.parametrize("step", ["before_note", "after_note", "after_tags"])
    def test_a_worker_killed_while_writing_leaves_one_update(self, everywhere: Living, step: str) -> None:
        self.test_a_worker_killed_at_another_step_leaves_one_update(everywhere, step)

    @pytest.mark.parametrize("step", ["after_read", "after_classify", "before_tags", "before_finish"])
    def test_a_worker_killed_at_another_step_leaves_one_update(self, living: Living, step: str) -> None:
        ticket_id = grumble(living)
        living.checkpoint = kill_once(step)
        with pytest.raises(Killed):
            living.poke(ticket_id)
        self.expire(living)
        living.work()
        living.poke(ticket_id)
        assert living.later(ticket_id) == [("message", DONE)]
        assert len(living.notes(ticket_id)) == (1 if living.vendor == "freshdesk" else 2)
        assert "Priority P2 → P1" in living.notes(ticket_id)[-1]
        assert {"ai_priority_p1", "ai_churn_high"} <= living.tags(ticket_id)
        assert not living.tags(ticket_id) & {"ai_priority_p2", "ai_churn_low"}
        states = {effect.kind: effect.state for effect in living.store.effects.of_run(living.runs(ticket_id)[1].id)}
        assert states == {UPDATE if living.vendor == "freshdesk" else NOTE: CONFIRMED, TAGS: CONFIRMED}

    @pytest.mark.parametrize("step", STEPS)
    def test_nor_is_a_request_answered_twice(self, living: Living, step: str) -> None:
        ticket_id = living.born()
        living.box.act(ticket_id, tags_add=["ai_please"])
        living.checkpoint = kill_once(step)
        with pytest.raises(Killed):
            living.ask(ticket_id)
        self.expire(living)
        living.work()
        living.ask(ticket_id)
        assert living.later(ticket_id) == [("asked:tag", DONE)]
        assert len(living.notes(ticket_id)) == (1 if living.vendor == "freshdesk" else 2)
        assert "ai_please" not in living.tags(ticket_id)

    def test_a_note_whose_answer_is_lost_is_not_sent_again(self, living: Living) -> None:
        ticket_id = grumble(living)
        method, path = {"zendesk": ("PUT", r"/tickets/\d+(\.json)?$"), "freshdesk": ("PUT", r"/conversations/\d+$")}[
            living.vendor
        ]
        living.box.fault(method, path, apply_then=502)
        living.poke(ticket_id)
        assert len(living.notes(ticket_id)) == (1 if living.vendor == "freshdesk" else 2)

    def test_two_occasions_at_once_go_one_after_the_other(self, everywhere: Living) -> None:
        living = everywhere
        ticket_id = grumble(living)
        living.box.act(ticket_id, note="@tandem shorter")
        at_work, most = [], [0]
        guard = threading.Lock()

        def meanwhile() -> None:
            with guard:
                at_work.append(1)
                most[0] = max(most[0], len(at_work))
            time.sleep(0.3)
            with guard:
                at_work.pop()

        living.classifier.meanwhile = meanwhile
        for occasion in ("message:1", "answer:1", "answer:2"):
            living.arrive(ticket_id, occasion)
        workers = [
            threading.Thread(target=deliver, args=(one, living.store, StillLeases(living.store), living.tools))
            for one in living.open() * 2
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        living.work(30)
        assert most == [1]
        done = [run.occasion for run in living.runs(ticket_id) if run.state == DONE]
        assert {"created", "answer:1", "answer:2"} <= set(done)
        assert len(living.notes(ticket_id)) == (1 if living.vendor == "freshdesk" else len(done))

    def test_a_reply_between_reading_and_writing_stops_the_note(
        self, sqlite_store: Store, settings: Settings, sandbox: Running
    ) -> None:
        living = Living(sqlite_store, settings, sandbox, "zendesk")
        ticket_id = grumble(living)

        def reply(step: str) -> None:
            if step == "before_note":
                living.checkpoint = lambda _: None
                time.sleep(1.1)  # a stamp counts whole seconds
                living.box.act(ticket_id, reply="I have it.")

        living.checkpoint = reply
        living.poke(ticket_id)
        assert living.later(ticket_id) == [("message", SKIPPED)]
        assert len(living.notes(ticket_id)) == 1

    def test_webhooks_in_any_order_and_twice(self, living: Living) -> None:
        ticket_id = living.box.ticket()
        living.says(ticket_id)
        # The change is told before the creation, and both twice.
        for occasion in (CLOCK, ASK, "created", "created", CLOCK):
            living.arrive(ticket_id, occasion)
        living.work()
        assert [run.occasion for run in living.runs(ticket_id)] == ["created"]
        assert len(living.notes(ticket_id)) == 1


def kill_once(step: str) -> Callable[[str], None]:
    left = [step]

    def checkpoint(reached: str) -> None:
        if reached in left:
            left.clear()
            raise Killed

    return checkpoint
