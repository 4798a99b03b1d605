"""One question in the note: from a rule or the drafter, answered once, by link or in a private note."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta

import pytest

from connectors.base import Changed
from tests.fakes import FakeClassifier, FakeConnector, answer
from triage.ask import Ask, answer_of_note, ask_parts, question_of, used_line
from triage.draft import Draft
from triage.environment import Environment
from triage.errors import Refused, UnknownOutcome
from triage.links import Links, read
from triage.note_parts import Link, render_html, render_text
from triage.settings import Settings
from triage.settings_feedback import Question as Rule
from triage.settings_feedback import When
from triage.store import Store
from triage.store.questions import ANSWERED, BY_LINK, DROPPED, OPEN
from triage.store.runs import Run
from triage.ticket import Author, Message, Status, Ticket
from workers.asking import ask, close_questions, facts_of, take_answer
from workers.pipeline import triage
from workers.runtime import Runtime
from workers.tools import Tools

KEY = "a-secret-key-for-tests"
LINKS = Links("https://tandem.example.com", KEY, 30)
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
GOODWILL = Rule(ask="May we refund this once?", options=["Yes", "No"], when=When(teams=["billing"], words=["refund"]))
PHOTO = Rule(ask="Is the photo valid?", options=["Valid", "Not valid"], when=When(words=["warranty", "保証"]))
RULES = {"goodwill": GOODWILL, "photo": PHOTO}


def ticket_of(*texts: str, notes: tuple[str, ...] = (), subject: str = "Hello") -> Ticket:
    messages = [Message(str(place), Author.CUSTOMER, text) for place, text in enumerate(texts)]
    for place, note in enumerate(notes):
        at = NOW + timedelta(minutes=place)
        messages.append(Message(f"n{place}", Author.AGENT, note, html="<" in note, public=False, created_at=at))
    return Ticket(desk="acme", id="7", subject=subject, messages=tuple(messages))


def test_the_first_rule_that_fits_asks() -> None:
    both = ticket_of("Please refund me, it is under warranty.")
    assert question_of(both, answer("billing"), RULES, []) == GOODWILL
    assert question_of(both, answer("technical_bug"), RULES, []) == PHOTO
    # What was answered is not asked again, and the next one may be.
    assert question_of(both, answer("billing"), RULES, [GOODWILL.ask]) == PHOTO
    assert question_of(both, answer("billing"), RULES, [GOODWILL.ask, PHOTO.ask]) is None
    assert question_of(ticket_of("Nothing of it"), answer("billing"), RULES, []) is None


@pytest.mark.parametrize(
    ("text", "fits"),
    [("It is under WARRANTY!", True), ("warrantyless", False), ("保証書があります", True), ("", False)],
)
def test_words_stand_alone(text: str, fits: bool) -> None:
    assert (question_of(ticket_of(text), answer(), {"photo": PHOTO}, []) is PHOTO) is fits


def test_words_of_agents_and_notes_do_not_count() -> None:
    agents = Message("1", Author.AGENT, "Is it under warranty?")
    ticket = Ticket(desk="acme", id="7", messages=(agents, Message("2", Author.AGENT, "warranty?", public=False)))
    assert question_of(ticket, answer(), {"photo": PHOTO}, []) is None


@pytest.mark.parametrize(
    ("note", "words"),
    [
        ("@tandem yes", "Yes"),
        ("<p>@Tandem: <b>YES.</b></p>", "Yes"),
        ("<div>Looked at it.</div><div>@tandem only half of it, until Friday</div>", "only half of it, until Friday"),
        ("@tandem", None),
        ("ask @tandem about it", None),
        ("@tandemic yes", None),
        ("<p>Answer: yes or @tandem</p><p>@tandem x</p><p>Tandem · ref TDM-ABCDEFGH23</p>", None),
        ("@tandem " + "long " * 400, "long " * 99 + "lon…"),
        ("@tandem a\u202eb\x00c", "abc"),
    ],
)
def test_the_answer_of_a_private_note(note: str, words: str | None) -> None:
    found = answer_of_note(ticket_of("Hi", notes=(note,)), ["Yes", "No"], NOW.timestamp())
    if words and words.startswith("long"):
        assert found is not None and found.startswith("long long") and len(found) <= 500
    else:
        assert found == words


def test_only_agents_private_notes_since_the_question_answer_it() -> None:
    since = NOW.timestamp()
    assert answer_of_note(ticket_of("@tandem yes"), ["Yes"], since) is None
    public = Message("1", Author.AGENT, "@tandem yes", created_at=NOW)
    assert answer_of_note(Ticket(desk="acme", id="7", messages=(public,)), ["Yes"], since) is None
    assert answer_of_note(ticket_of("Hi", notes=("@tandem yes",)), ["Yes"], since + 1) is None
    newest = ticket_of("Hi", notes=("@tandem yes", "@tandem no", "nothing"))
    assert answer_of_note(newest, ["Yes", "No"], since) == "No"


def test_the_lines_of_the_note() -> None:
    used = used_line("Photo valid?", "<b>Yes</b>", by_link=True)
    options = (Link("Yes & so", "https://t.example/feedback/x", secret=True), Link("No"))
    made = Ask("Is <i>it</i>?", options, (used,))
    html = render_html(ask_parts(made))
    assert html == (
        "<p><b>Used:</b> Photo valid? &lt;b&gt;Yes&lt;/b&gt; (answered by link)</p>"
        "<p><b>Question for you:</b> <b>Is &lt;i&gt;it&lt;/i&gt;?</b></p>"
        '<p><b>Answer:</b> <a href="https://t.example/feedback/x">Yes &amp; so</a> · No · '
        "or answer in a private note beginning with @tandem</p>"
    )
    # A link in a terminal's history would be a vote for whoever reads it.
    assert "https:" not in render_text(ask_parts(made))
    assert ask_parts(None) == [] and ask_parts(Ask()) == []


class Bench:
    """A store, a helpdesk with one ticket, and the runs of it."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store = store
        self.settings = settings.model_copy(update={"questions": {"goodwill": GOODWILL}})
        self.connector = FakeConnector()
        self.shown = self.connector.add("7")
        self.now = time.time()

    def claim(self, occasion: str = "created") -> Run:
        self.now += 100
        run, ours = self.store.runs.claim(
            "acme", "7", occasion, owner=f"w{self.now}", now=self.now, lease_until=self.now + 30
        )
        assert ours
        return run

    def tools(self, links: Links | None = LINKS) -> Tools:
        return Tools(
            self.connector,
            FakeClassifier(answer()),
            self.store,
            self.settings,
            self.settings.desks["acme"],
            links=links,
            draft=lambda *_: Draft(text="Dear Ada"),
        )

    def ask(self, run: Run, text: str = "", *options: str) -> Ask | None:
        ticket = self.shown.ticket
        return ask(run, ticket, answer("billing"), self.settings, self.store, LINKS, drafted=(text, options))


@pytest.fixture
def bench(store: Store, settings: Settings) -> Bench:
    return Bench(store, settings)


def hrefs(html: str) -> list[tuple[str, str]]:
    """Return (what its claim says, words) of every link of ours in a note."""
    found = re.findall(r'<a href="https://tandem\.example\.com/feedback/([^"]+)">([^<]+)</a>', html)
    return [(read(KEY, token, time.time()).value, words) for token, words in found]


def test_the_note_asks_and_offers_its_links(bench: Bench) -> None:
    run = bench.claim()
    triage(run, bench.tools())
    (note,) = bench.shown.notes
    assert "May we refund this once?" in note.html
    assert hrefs(note.html) == [
        ("0", "Yes"),
        ("1", "No"),
        ("right", "Right"),
        ("wrong_team", "Wrong team"),
        ("wrong_priority", "Wrong priority"),
        ("draft_used", "Draft used"),
        ("draft_unusable", "Draft unusable"),
    ]
    question = bench.store.questions.of_run(run.id)
    assert question and (question.state, question.text, question.options) == (OPEN, GOODWILL.ask, ["Yes", "No"])


def test_without_links_the_note_asks_for_a_private_note(bench: Bench) -> None:
    triage(bench.claim(), bench.tools(links=None))
    (note,) = bench.shown.notes
    assert "<a " not in note.html and "@tandem" in note.html and "Draft used" not in note.html


@pytest.mark.parametrize(
    ("variables", "url", "wanted"),
    [
        ({"secret_key": KEY, "public_url": "https://t.example/"}, "https://acme.zendesk.com", "https://t.example"),
        # A helpdesk elsewhere never gets links to this machine.
        ({"secret_key": KEY}, "https://acme.zendesk.com", None),
        ({"secret_key": KEY, "port": 8010}, "http://127.0.0.1:8001/zendesk", "http://127.0.0.1:8010"),
        ({"public_url": "https://t.example"}, "http://127.0.0.1:8001", None),
    ],
)
def test_when_there_are_links(settings: Settings, variables: dict[str, str], url: str, wanted: str | None) -> None:
    desk = settings.desks["acme"].model_copy(update={"url": url})
    ours = settings.model_copy(update={"desks": {"acme": desk}})
    environment = Environment.model_validate(variables)
    links = Runtime(environment, ours).links("acme")
    assert (links and links.public) == wanted
    off = ours.model_copy(update={"feedback": ours.feedback.model_copy(update={"links": False})})
    assert Runtime(environment, off).links("acme") is None


def test_a_repeated_attempt_asks_the_same(bench: Bench) -> None:
    run = bench.claim()
    bench.connector.fail("post", UnknownOutcome("no answer"), applied="all")
    with pytest.raises(UnknownOutcome):
        triage(run, bench.tools())
    first = bench.store.questions.of_run(run.id)
    # Meanwhile an admin has changed the rule.
    changed = GOODWILL.model_copy(update={"ask": "Something else?"})
    bench.settings = bench.settings.model_copy(update={"questions": {"goodwill": changed}})
    again = bench.claim()
    triage(again, bench.tools())
    assert len(bench.shown.notes) == 1
    assert bench.store.questions.of_ticket("acme", "7") == [first]


def test_a_note_that_is_refused_asks_nobody(bench: Bench) -> None:
    run = bench.claim()
    bench.connector.fail("post", Refused("a mandatory field"))
    with pytest.raises(Refused):
        triage(run, bench.tools())
    question = bench.store.questions.of_run(run.id)
    assert question and question.state == DROPPED


def test_a_later_note_repeats_what_is_open_and_uses_what_was_answered(bench: Bench) -> None:
    first = bench.claim()
    opened = bench.ask(first)
    assert opened and opened.text == GOODWILL.ask and opened.used == ()
    # Still open: asked in the same words, answered by the first note's reference.
    second = bench.claim("message:2")
    again = bench.ask(second)
    assert again and again.text == opened.text
    tokens = [link.url.rpartition("/")[2] for link in again.options]
    assert {read(KEY, token, time.time()).reference for token in tokens} == {first.reference}
    assert len(bench.store.questions.of_ticket("acme", "7")) == 1

    (question,) = bench.store.questions.of_ticket("acme", "7")
    assert bench.store.questions.answer(question.id, "Yes", BY_LINK, time.time())
    third = bench.claim(f"answer:{question.id}")
    assert facts_of(bench.store, third) == ("May we refund this once? Yes",)
    told = bench.ask(third)
    assert told and told.text == "" and told.used == ("May we refund this once? Yes (answered by link)",)
    # The drafter may not ask again what was answered either.
    told = bench.ask(third, GOODWILL.ask, "Yes")
    assert told and told.text == ""


def test_the_drafters_question_goes_first_and_replaces_what_was_asked(bench: Bench) -> None:
    bench.ask(bench.claim())
    second = bench.claim("message:2")
    asked = bench.ask(second, "Was the\nphoto  valid? " + "x" * 400, "Yes", "Yes", "", "No " * 60, *"abcdefgh")
    assert asked and asked.text.startswith("Was the photo valid? xxx") and len(asked.text) == 300
    assert [link.text[:3] for link in asked.options] == ["Yes", "No ", "a", "b", "c", "d"]
    assert max(len(link.text) for link in asked.options) <= 60
    states = [question.state for question in bench.store.questions.of_ticket("acme", "7")]
    assert states == [DROPPED, OPEN]


def test_the_first_answer_holds(bench: Bench) -> None:
    run = bench.claim()
    bench.ask(run)
    question = bench.store.questions.of_run(run.id)
    assert question
    assert bench.store.questions.answer_and_resume(question, "No", BY_LINK, 1.0)
    assert bench.store.questions.answer_and_resume(question, "Yes", BY_LINK, 2.0) is None
    assert not bench.store.questions.answer(question.id, "Yes", "private note", 3.0)
    settled = bench.store.questions.of_run(run.id)
    assert settled and (settled.answer, settled.answered_by, settled.answered_at) == ("No", BY_LINK, 1.0)
    assert len(bench.store.deliveries.recent(5)) == 1


def test_a_private_note_answers_once(bench: Bench) -> None:
    run, asked = bench.claim(), bench.claim("asked:5")
    ticket = bench.shown.ticket
    assert not take_answer(asked, ticket, bench.store, time.time())
    bench.ask(run)
    assert not take_answer(asked, ticket, bench.store, time.time())
    at = datetime.now(UTC) + timedelta(seconds=5)
    note = Message("5", Author.AGENT, "@tandem yes", public=False, created_at=at)
    bench.shown.change(messages=(*ticket.messages, note))
    # A second attempt of the same run finds what the first has recorded; a later run's note is no answer.
    assert take_answer(asked, bench.shown.ticket, bench.store, time.time())
    assert take_answer(asked, bench.shown.ticket, bench.store, time.time())
    assert not take_answer(bench.claim("asked:6"), bench.shown.ticket, bench.store, time.time())
    (question,) = bench.store.questions.of_ticket("acme", "7")
    assert (question.state, question.answer, question.answered_by) == (ANSWERED, "Yes", "asked:5")
    told = bench.ask(asked)
    assert told and told.used == ("May we refund this once? Yes (answered in a private note)",)


def test_solved_tickets_close_their_questions(bench: Bench) -> None:
    run = bench.claim()
    bench.ask(run)
    moment = datetime.now(UTC)
    close_questions(bench.store, "acme", [Changed("7", Status.OPEN, moment, moment)])
    close_questions(bench.store, "globex", [Changed("7", Status.SOLVED, moment, moment)])
    assert bench.store.questions.counts() == {("acme", OPEN): 1}
    close_questions(bench.store, "acme", [Changed("7", Status.SOLVED, moment, moment)])
    assert bench.store.questions.counts() == {("acme", DROPPED): 1}


def test_texts_are_forgotten_and_nothing_is_said_of_them(bench: Bench) -> None:
    run = bench.claim()
    bench.ask(run)
    (question,) = bench.store.questions.of_ticket("acme", "7")
    bench.store.questions.answer(question.id, "Yes", BY_LINK, time.time())
    assert bench.store.questions.drop_texts(time.time() + 1) == 1
    assert bench.store.questions.drop_texts(time.time() + 1) == 0
    (question,) = bench.store.questions.of_ticket("acme", "7")
    assert (question.text, question.options, question.answer, question.state) == ("", [], "", ANSWERED)
    assert facts_of(bench.store, run) == ()
