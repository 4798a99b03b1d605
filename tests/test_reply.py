"""The public auto-reply: once per ticket and per day, never after a person, whatever fails on the way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from test_connector_sandbox import CREDENTIALS, Box
from test_speech import ASKED, AUTO, GOOD_DRAFT, SOURCES, calm, settings_of

from connectors.base import Connector, Fields
from sandbox.config import SandboxConfig
from sandbox.testing import Running, running
from tests.fakes import FakeClassifier, FakeConnector, Killed
from triage.errors import Conflict, Refused, Retry, UnknownOutcome
from triage.note_parts import render_html
from triage.reply import compose_reply
from triage.settings import Settings
from triage.settings_file import parse_settings
from triage.store import Store
from triage.store.answered import DAY_SECONDS
from triage.store.effects import CONFIRMED, FAILED, REPLY, SENT
from triage.store.runs import DONE, Run
from triage.ticket import Author, Message, Requester, Ticket
from webhooks import freshdesk as freshdesk_webhook
from webhooks.base import Call, Kind
from workers.pipeline import triage
from workers.tools import Tools

REFERENCE = "TDM-ABCDEFGH23"
RULES = settings_of().speech
HTML = render_html(compose_reply(GOOD_DRAFT, SOURCES, RULES, "en", REFERENCE))


class Bench:
    """A desk that may answer questions about languages, and workers one after the other."""

    def __init__(self, store: Store) -> None:
        self.store, self.settings = store, settings_of()
        self.connector = FakeConnector()
        self.now = time.time()
        self.ticket("7")

    def ticket(self, ticket_id: str, requester: str = "9", **changes: Any) -> None:
        asked = Message("1", Author.CUSTOMER, ASKED, author_id=requester)
        person = Requester(requester, "Ada Example", "ada@customer.example")
        given = {"subject": "Language", "channel": "email", "messages": (asked,), "requester": person}
        self.connector.add(ticket_id, **{**given, **changes})

    def run(self, ticket_id: str = "7", checkpoint: Callable[[str], None] = lambda _: None) -> Run:
        """Triage as a new worker, after the last one's lease; return the run as stored."""
        self.now += 100
        run, ours = self.store.runs.claim(
            "acme", ticket_id, "created", owner=f"w{self.now}", now=self.now, lease_until=self.now + 30
        )
        assert ours
        tools = Tools(
            connector=self.connector,  # type: ignore[arg-type]
            classifier=FakeClassifier(calm()),
            store=self.store,
            settings=self.settings,
            desk=self.settings.desks["acme"],
            checkpoint=checkpoint,
            find=lambda _: SOURCES,
            draft=lambda *_: GOOD_DRAFT,
        )
        triage(run, tools)
        found = self.store.runs.get(run.id)
        assert found
        return found

    def replies(self, ticket_id: str = "7") -> list[str]:
        return [one.html for one in self.connector.tickets[ticket_id].replies]

    def note(self, ticket_id: str = "7") -> str:
        (note,) = self.connector.tickets[ticket_id].notes
        assert not note.public
        return note.html

    def effect(self, run: Run) -> Any:
        return next((one for one in self.store.effects.of_run(run.id) if one.kind == REPLY), None)


@pytest.fixture
def bench(sqlite_store: Store) -> Bench:
    """Return a bench on SQLite."""
    return Bench(sqlite_store)


def kill_at(step: str) -> Callable[[str], None]:
    def checkpoint(reached: str) -> None:
        if reached == step:
            raise Killed

    return checkpoint


class TestOnce:
    def test_reply_then_note_that_says_so(self, store: Store) -> None:
        bench = Bench(store)
        run = bench.run()
        (reply,) = bench.replies()
        effect = bench.effect(run)
        assert effect.state == CONFIRMED
        assert effect.intent["reference"] in reply
        assert effect.intent["reference"] != run.reference
        assert run.speech == "reply"
        assert "An automated public reply was sent" in bench.note()
        assert "nothing was sent to the customer" not in bench.note()
        assert effect.intent["reference"] not in bench.note()
        assert run.reference not in reply
        assert run.decision
        assert any(step.startswith("auto-reply category change_language") for step in run.decision["steps"])
        assert bench.store.alarms.recent() == []

    @pytest.mark.parametrize("step", ["before_reply", "after_reply", "before_note", "after_note", "before_finish"])
    def test_a_killed_worker_leaves_one_reply_and_one_note(self, bench: Bench, step: str) -> None:
        with pytest.raises(Killed):
            bench.run(checkpoint=kill_at(step))
        run = bench.run()
        assert (run.state, run.speech, len(bench.replies())) == (DONE, "reply", 1)
        assert "An automated public reply was sent" in bench.note()

    @pytest.mark.parametrize("applied", ["", "all"])
    def test_an_unknown_outcome_is_looked_up_first(self, bench: Bench, applied: str) -> None:
        bench.connector.fail("reply", UnknownOutcome("time-out"), applied=applied)
        with pytest.raises(Retry):
            bench.run()
        run = bench.run()
        assert len(bench.replies()) == 1
        assert bench.effect(run).state == CONFIRMED
        assert bench.connector.names().index("find_reply") < len(bench.connector.names()) - 1

    def test_a_refused_reply_is_said_and_not_tried_again(self, bench: Bench) -> None:
        bench.connector.fail("reply", Refused("kept private"))
        run = bench.run()
        assert (run.speech, bench.replies(), bench.effect(run).state) == ("safe", [], FAILED)
        assert "Safe to send as is" in bench.note()
        assert "nothing was sent to the customer" in bench.note()

    def test_a_worker_that_stood_still_looks_again(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("workers.writing.PAUSE_SECONDS", -1.0)
        with pytest.raises(Retry):
            bench.run()
        monkeypatch.undo()
        bench.run()
        assert len(bench.replies()) == 1


class TestNotAfterAnybody:
    def person_answers(self, bench: Bench) -> None:
        shown = bench.connector.tickets["7"]
        shown.change(messages=(*shown.ticket.messages, Message("2", Author.AGENT, "I am on it.")))

    def test_a_person_who_answers_meanwhile_has_the_word(self, bench: Bench) -> None:
        bench.connector.meanwhile("reply", lambda: self.person_answers(bench))
        run = bench.run()
        assert (run.speech, bench.replies(), bench.effect(run).state) == ("note", [], FAILED)
        assert "sent" not in bench.note().replace("nothing was sent", "")

    def test_a_customer_who_writes_on_gets_no_answer_to_the_first_half(self, bench: Bench) -> None:
        shown = bench.connector.tickets["7"]
        more = Message("2", Author.CUSTOMER, "And where is my invoice?", author_id="9")
        bench.connector.meanwhile("reply", lambda: shown.change(messages=(*shown.ticket.messages, more)))
        assert bench.run().speech == "note"
        assert bench.replies() == []

    @pytest.mark.parametrize("step", ["after_classify", "after_draft", "before_reply"])
    def test_nor_does_one_who_wrote_between_two_attempts(self, bench: Bench, step: str) -> None:
        with pytest.raises(Killed):
            bench.run(checkpoint=kill_at(step))
        shown = bench.connector.tickets["7"]
        more = Message("2", Author.CUSTOMER, "And where is my invoice?", author_id="9")
        shown.change(messages=(*shown.ticket.messages, more))
        run = bench.run()
        assert (run.speech, bench.replies()) == ("note", [])
        assert run.decision and "the customer has written again meanwhile" in run.decision["steps"]

    def test_who_writes_a_private_note_is_at_it(self, bench: Bench) -> None:
        shown = bench.connector.tickets["7"]
        noted = Message("2", Author.AGENT, "I am calling her now.", author_id="5", public=False)
        bench.connector.meanwhile("reply", lambda: shown.change(messages=(*shown.ticket.messages, noted)))
        assert (bench.run().speech, bench.replies()) == ("note", [])

    def test_a_tag_set_meanwhile_does_not_matter(self, bench: Bench) -> None:
        bench.connector.meanwhile("reply", lambda: bench.connector.tickets["7"].change(tags=("language",)))
        assert bench.run().speech == "reply"
        assert len(bench.replies()) == 1

    def test_a_person_who_answers_after_an_unknown_outcome_has_the_word(self, bench: Bench) -> None:
        bench.connector.fail("reply", UnknownOutcome("time-out"))
        with pytest.raises(Retry):
            bench.run()
        self.person_answers(bench)
        run = bench.run()
        assert (run.speech, bench.replies(), bench.effect(run).state) == ("note", [], FAILED)


class TestLimits:
    def test_one_ticket_gets_one_reply_ever(self, bench: Bench) -> None:
        run = bench.run()
        assert not bench.store.answered.ticket("acme", "7", run.id)
        assert bench.store.answered.ticket("acme", "7", run.id + 1)

    def test_an_open_outcome_counts(self, bench: Bench) -> None:
        with pytest.raises(Killed):
            bench.run(checkpoint=kill_at("before_reply"))
        assert bench.store.answered.ticket("acme", "7", 999)

    def test_one_requester_gets_one_a_day(self, store: Store) -> None:
        bench = Bench(store)
        bench.ticket("8")
        bench.ticket("9", requester="10")
        assert [bench.run(one).speech for one in ("7", "8", "9")] == ["reply", "safe", "reply"]
        assert bench.replies("8") == []
        assert "Safe to send as is" in bench.note("8")

    def test_the_turn_comes_back_after_a_day(self, store: Store) -> None:
        turns, now = store.answered, 1_000_000.0
        assert turns.take_turn("acme", "9", 1, now)
        assert turns.take_turn("acme", "9", 1, now + 5)
        assert not turns.take_turn("acme", "9", 2, now + DAY_SECONDS - 1)
        assert turns.take_turn("globex", "9", 2, now)
        assert turns.take_turn("acme", "9", 2, now + DAY_SECONDS + 1)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Running]:
    """Return one sandbox for all tests of this file."""
    with running(SandboxConfig(**CREDENTIALS)) as found:
        yield found


@pytest.fixture(params=["zendesk", "freshdesk"])
def box(request: pytest.FixtureRequest, sandbox: Running) -> Iterator[Box]:
    """Return each vendor's account, free of faults."""
    found = Box(sandbox, request.param)
    yield found
    requests.delete(f"{found.url}/faults", timeout=10)


REPLY_CALL = {"zendesk": ("PUT", r"/tickets/\d+(\.json)?$"), "freshdesk": ("POST", r"/reply$")}


def public(box: Box, ticket_id: str) -> list[dict[str, Any]]:
    return [one for one in box.shown(ticket_id)["comments"] if one["public"] and one["author_role"] == "bot"]


class TestConnectors:
    def test_the_customer_sees_it_and_it_is_found_again(self, box: Box) -> None:
        ticket = box.connector.read(box.ticket())
        assert box.connector.find_reply(ticket.id, REFERENCE) is None
        written = box.connector.reply(ticket, HTML, REFERENCE)
        (shown,) = public(box, ticket.id)
        assert REFERENCE in shown["html"]
        found = box.connector.find_reply(ticket.id, REFERENCE)
        assert found
        assert found.note_id == written.note_id
        assert written.leak is None

    def test_only_once(self, box: Box) -> None:
        ticket_id = box.ticket()
        box.connector.reply(box.connector.read(ticket_id), HTML, REFERENCE)
        with pytest.raises(Conflict):
            box.connector.reply(box.connector.read(ticket_id), HTML, REFERENCE)
        assert len(public(box, ticket_id)) == 1

    @pytest.mark.parametrize("act", [{"reply": "I am on it"}, {"customer_reply": "And another thing"}])
    def test_not_after_anybody_has_written(self, box: Box, act: dict[str, str]) -> None:
        ticket = box.connector.read(box.ticket())
        time.sleep(1.1)  # the stamps have whole seconds
        box.act(ticket.id, **act)
        with pytest.raises(Conflict):
            box.connector.reply(ticket, HTML, REFERENCE)
        assert public(box, ticket.id) == []

    def test_not_after_a_person_within_the_same_second(self, box: Box) -> None:
        ticket = box.connector.read(box.ticket())
        box.act(ticket.id, reply="I am on it")
        with pytest.raises(Conflict):
            box.connector.reply(ticket, HTML, REFERENCE)

    def test_a_lost_answer_is_an_unknown_outcome_and_found(self, box: Box) -> None:
        ticket = box.connector.read(box.ticket())
        box.fault(*REPLY_CALL[box.vendor], apply_then="reset")
        with pytest.raises(UnknownOutcome):
            box.connector.reply(ticket, HTML, REFERENCE)
        assert box.connector.find_reply(ticket.id, REFERENCE)

    def test_a_note_with_another_reference_raises_no_alarm(self, box: Box) -> None:
        ticket = box.connector.read(box.ticket())
        box.connector.reply(ticket, HTML, REFERENCE)
        reference = "TDM-ZZZZZZZZZZ"
        assert box.connector.find_note(ticket.id, reference) is None
        note = f"<p>Tandem · ref {reference}</p>"
        written = box.connector.post(box.connector.read(ticket.id), note, reference, Fields())
        assert written.leak is None
        assert len(public(box, ticket.id)) == 1

    def test_a_note_that_leaks_beside_a_reply_is_still_an_alarm(self, box: Box) -> None:
        ticket = box.connector.read(box.ticket())
        box.connector.reply(ticket, HTML, REFERENCE)
        reference = "TDM-ZZZZZZZZZZ"
        path = REPLY_CALL["zendesk"] if box.vendor == "zendesk" else ("POST", r"/notes$")
        box.fault(*path, make_public=True)
        written = box.connector.post(box.connector.read(ticket.id), f"<p>ref {reference}</p>", reference, Fields())
        assert written.leak
        (shown,) = public(box, ticket.id)
        assert REFERENCE in shown["html"]

    def test_a_note_is_not_taken_for_a_reply(self, box: Box) -> None:
        ticket = box.connector.read(box.ticket())
        box.connector.post(ticket, f"<p>ref {REFERENCE}</p>", REFERENCE, Fields())
        with pytest.raises(Refused, match="private"):
            box.connector.find_reply(ticket.id, REFERENCE)


def test_end_to_end_in_both_sandboxes(box: Box, sqlite_store: Store) -> None:
    text = f"""
desks:
  desk:
    platform: {box.vendor}
    url: {box.settings.url}
    auth: {{{"oauth: {client_id: tandem, client_secret: x}" if box.vendor == "zendesk" else "api_key: x"}}}
    webhook_secrets: [{"s" * 20}]
    mode: write
{AUTO}"""
    settings: Settings = parse_settings(text, {})
    ticket_id = box.ticket(subject="Language", body=ASKED, channel="email")
    run, _ = sqlite_store.runs.claim(
        "desk", ticket_id, "created", owner="w", now=time.time(), lease_until=time.time() + 30
    )
    connector: Connector = box.connector
    tools = Tools(
        connector, FakeClassifier(calm()), sqlite_store, settings, settings.desks["desk"],
        find=lambda _: SOURCES, draft=lambda *_: GOOD_DRAFT,
    )  # fmt: skip
    triage(run, tools)
    comments = [one for one in box.shown(ticket_id)["comments"] if one["author_role"] == "bot"]
    assert [one["public"] for one in comments] == [True, False]
    assert "automated" in comments[0]["html"]
    assert "An automated public reply was sent" in comments[1]["html"]
    read: Ticket = connector.look(ticket_id)
    assert [one.author for one in read.messages if one.public] == [Author.CUSTOMER, Author.AGENT]
    states = {one.kind: one.state for one in sqlite_store.effects.of_run(run.id)}
    assert states[REPLY] == CONFIRMED
    assert SENT not in states.values()


def test_our_own_reply_at_freshdesk_is_no_new_ticket() -> None:
    """Freshdesk's rules name no actor: what a reply sets off may move clocks and is never triaged."""
    body = b'{"ticket_id": "22", "triggered_event": "{reply_sent:sent}"}'
    assert freshdesk_webhook.parse(Call(body, {}), 1.0).kind is Kind.CLOCK
