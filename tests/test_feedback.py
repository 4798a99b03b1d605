"""Feedback links: a GET changes nothing whoever sends it, a POST of the agent's own form records one vote."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr
from sqlalchemy import text
from werkzeug.test import TestResponse

from tests.fakes import answer
from triage.environment import Environment
from triage.links import DAY_SECONDS, PATH, Claim, Links, sign
from triage.settings import Settings
from triage.store import Store
from triage.store.deliveries import QUEUED, RECEIVED
from triage.store.feedback import DRAFT, REASON_LENGTH, TRIAGE, VOTERS_PER_RUN, Feedback, Vote
from triage.store.questions import ANSWERED, OPEN, Question
from triage.store.runs import Run
from webhooks.app import create_app
from webhooks.feedback import HEADERS, VOTES_PER_NOTE
from webhooks.pace import KEYS, Pace
from webhooks.voters import COOKIE

KEY = "a-secret-key-for-tests"
FORM = re.compile(r'name="form" value="([0-9a-f]+)"')


class FakeWakeup:
    """Stands in for the broker."""

    is_refused = False

    def __init__(self, works: bool = True) -> None:
        self.works = works
        self.sent: list[int] = []

    def send(self, delivery_id: int) -> bool:
        self.sent.append(delivery_id)
        return self.works


def run_of(store: Store, ticket_id: str = "71", desk: str = "acme") -> Run:
    now = time.time()
    run, _ = store.runs.claim(desk, ticket_id, "created", owner="w", now=now, lease_until=now + 30)
    store.runs.save(run, classification=answer().model_dump())
    store.runs.finish(run, "done", now)
    return run


class Desk:
    """A web process, one run with its note, and agents with browsers of their own."""

    def __init__(self, store: Store, settings: Settings, public: str = "http://127.0.0.1:8000") -> None:
        self.store, self.wakeup = store, FakeWakeup()
        self.environment = Environment(secret_key=SecretStr(KEY), public_url=public)
        self.app = create_app(self.environment, settings, store, self.wakeup)
        self.run = run_of(store)

    def agent(self) -> FlaskClient:
        return self.app.test_client()

    def path(self, value: str = "right", kind: Any = "vote", run: Run | None = None, days: int = 30) -> str:
        last_day = int(time.time() // DAY_SECONDS) + days
        return PATH + sign(KEY, Claim(kind, (run or self.run).reference, value, last_day))

    def vote(self, agent: FlaskClient, value: str = "right", **fields: str) -> TestResponse:
        """Open the page and press its button."""
        return press(agent, self.path(value), **fields)

    def votes(self) -> list[tuple[str, str]]:
        return [(vote.about, vote.verdict) for vote in self.store.feedback.of_run(self.run.id)]

    def ask(self, options: tuple[str, ...] = ("Yes", "No")) -> Question:
        run = self.run
        opened = self.store.questions.open(run.id, run.desk, run.ticket_id, "Photo valid?", options, time.time())
        assert opened is not None
        return opened


def press(agent: FlaskClient, path: str, **fields: str) -> TestResponse:
    found = FORM.search(agent.get(path).text)
    assert found
    return agent.post(path, data={"form": found[1], **fields})


@pytest.fixture
def desk(sqlite_store: Store, settings: Settings) -> Desk:
    return Desk(sqlite_store, settings)


def test_the_button_records_a_vote(desk: Desk) -> None:
    agent = desk.agent()
    shown = agent.get(desk.path("wrong_team"))
    assert shown.status_code == 200
    assert "Ticket 71" in shown.text and "Wrong team?" in shown.text
    assert shown.text.count("<button") == 1 and "<script" not in shown.text
    assert desk.votes() == []

    thanks = desk.vote(agent, "wrong_team", label="technical_bug")
    assert thanks.status_code == 200 and "Thanks, recorded: Wrong team" in thanks.text
    (vote,) = desk.store.feedback.of_run(desk.run.id)
    assert (vote.verdict, vote.label, vote.desk, vote.ticket_id) == ("wrong_team", "technical_bug", "acme", "71")
    (entry,) = desk.store.audit.recent(5)
    assert (entry.actor, entry.action, entry.subject) == ("link", "vote", "ticket 71")
    assert entry.detail == {"verdict": "wrong_team", "label": "technical_bug", "reference": desk.run.reference}


@pytest.mark.parametrize("value", ["right", "wrong_team", "wrong_priority", "draft_used", "draft_unusable"])
def test_every_page_is_closed_to_others(desk: Desk, value: str) -> None:
    agent = desk.agent()
    for page in (agent.get(desk.path(value)), desk.vote(agent, value), agent.get(f"{PATH}nonsense")):
        assert {name: page.headers[name] for name in HEADERS} == HEADERS
        assert "noindex" in page.text
        assert not re.search(r"https?://", page.text)


def test_only_post_votes(desk: Desk) -> None:
    path = desk.path()
    scanner = desk.agent()
    for headers in ({}, {"Sec-Purpose": "prefetch;prerender"}, {"Purpose": "prefetch"}, {"X-Moz": "prefetch"}):
        assert scanner.get(path, headers=headers).status_code == 200
    for _ in range(100):
        desk.agent().get(f"{path}?form=1&vote=right")
    assert scanner.head(path).status_code == 200 and scanner.head(path).data == b""
    assert scanner.options(path).status_code == 200
    for refused in (scanner.put, scanner.delete, scanner.patch):
        assert refused(path).status_code == 405
    assert desk.votes() == [] and desk.store.audit.recent(5) == []


def test_a_get_on_an_answer_answers_nothing(desk: Desk) -> None:
    desk.ask()
    for _ in range(100):
        assert desk.agent().get(desk.path("0", "answer")).status_code == 200
    question = desk.store.questions.of_run(desk.run.id)
    assert question and question.state == OPEN
    assert desk.store.deliveries.recent(5) == []


def test_a_post_needs_the_agents_own_form(desk: Desk) -> None:
    path, agent, attacker = desk.path(), desk.agent(), desk.agent()
    foreign = FORM.search(attacker.get(path).text)
    agent.get(path)
    other = FORM.search(agent.get(desk.path("wrong_team")).text)
    assert foreign and other
    # Without a form, with another browser's, and with that of another link.
    for data in ({}, {"form": foreign[1]}, {"form": other[1]}, {"form": ""}, {"form": "é"}):
        refused = agent.post(path, data=data)
        assert refused.status_code == 400 and "Not recorded yet" in refused.text
    # A form without its cookie: what another site could send, as SameSite keeps ours back.
    mine = FORM.search(agent.get(path).text)
    assert mine
    assert desk.agent().post(path, data={"form": mine[1]}).status_code == 400
    assert desk.votes() == []
    # What was refused comes with a button that works.
    again = FORM.search(agent.post(path, data={}).text)
    assert again and agent.post(path, data={"form": again[1]}).status_code == 200
    assert desk.votes() == [(TRIAGE, "right")]


@pytest.mark.parametrize(("public", "secure"), [("http://127.0.0.1:8000", False), ("https://t.example.com", True)])
def test_the_cookie(sqlite_store: Store, settings: Settings, public: str, secure: bool) -> None:
    desk = Desk(sqlite_store, settings, public)
    agent = desk.agent()
    header = agent.get(desk.path(), base_url=public).headers["Set-Cookie"]
    for wanted in ("HttpOnly", "SameSite=Lax", "Path=/feedback", "Max-Age=34560000"):
        assert wanted in header
    assert ("Secure" in header) is secure
    assert "Set-Cookie" not in agent.get(desk.path(), base_url=public).headers
    # The database does not hold what would let its reader vote as the agent.
    cookie = header.split("=", 1)[1].split(";")[0]
    page = agent.get(desk.path(), base_url=public)
    found = FORM.search(page.text)
    assert found
    agent.post(desk.path(), data={"form": found[1]}, base_url=public)
    (vote,) = desk.store.feedback.of_run(desk.run.id)
    assert cookie not in vote.voter and vote.voter not in cookie


def test_two_agents_have_a_vote_each_and_a_later_one_replaces(desk: Desk) -> None:
    ada, bob = desk.agent(), desk.agent()
    desk.vote(ada, "right")
    desk.vote(bob, "right")
    assert desk.votes() == [(TRIAGE, "right")] * 2
    page = ada.get(desk.path("wrong_priority"))
    assert "It replaces what you said before: right." in " ".join(page.text.split())
    desk.vote(ada, "wrong_priority", label="P0_critical")
    assert sorted(desk.votes()) == [(TRIAGE, "right"), (TRIAGE, "wrong_priority")]
    # The draft is another matter: what was said of the triage stands.
    desk.vote(ada, "draft_unusable", reason="too long")
    desk.vote(ada, "draft_used")
    assert sorted(desk.votes()) == [(DRAFT, "draft_used"), (TRIAGE, "right"), (TRIAGE, "wrong_priority")]
    assert all(vote.reason == "" for vote in desk.store.feedback.of_run(desk.run.id))


def test_the_thanks_lead_to_the_other_votes(desk: Desk) -> None:
    agent = desk.agent()
    thanks = desk.vote(agent, "right")
    others = re.findall(rf'href="({PATH}[^"]+)">([^<]+)<', thanks.text)
    assert [name for _, name in others] == ["Wrong team", "Wrong priority"]
    assert press(agent, others[1][0]).status_code == 200
    assert desk.votes() == [(TRIAGE, "wrong_priority")]


def test_a_reason_is_text_everywhere(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    hostile = "<script>alert(1)</script>\u202e\x00 {{ 7*7 }} " + "x" * 2000
    thanks = desk.vote(desk.agent(), "draft_unusable", reason=hostile)
    assert "<script" not in thanks.text and "&lt;script&gt;" in thanks.text and "{{ 7*7 }}" in thanks.text
    (vote,) = desk.store.feedback.of_run(desk.run.id)
    assert vote.reason.startswith("<script>alert(1)</script> {{") and len(vote.reason) == REASON_LENGTH
    token = desk.path("draft_unusable").removeprefix(PATH)
    assert "alert(1)" not in caplog.text and token not in caplog.text and desk.run.reference not in caplog.text
    assert "alert" not in str(desk.store.audit.recent(5))


def test_a_label_must_be_one_of_the_desks(desk: Desk) -> None:
    agent = desk.agent()
    offered = re.findall(r'<option value="([^"]+)">', agent.get(desk.path("wrong_team")).text)
    assert "technical_bug" in offered
    # What Tandem said itself is not what is right instead.
    assert "billing" not in offered
    desk.vote(agent, "wrong_team", label="<b>no team of ours</b>")
    assert [vote.label for vote in desk.store.feedback.of_run(desk.run.id)] == [""]
    priorities = re.findall(r'<option value="([^"]+)">', agent.get(desk.path("wrong_priority")).text)
    assert priorities == ["P0_critical", "P2_medium", "P3_low"]


def test_bad_and_old_links(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    agent = desk.agent()
    unknown = PATH + sign(KEY, Claim("vote", "TDM-ZZZZZZZZZZ", "right", 999_999))
    forged = PATH + sign("another-secret-key-0", Claim("vote", desk.run.reference, "right", 999_999))
    elsewhere = desk.path(run=run_of(desk.store, "72", "gone"))
    good = desk.path()
    expected = {
        good[:-1]: 404,
        f"{good}x": 404,
        f"{good}/x": 404,
        f"{PATH}{'A' * 10_240}": 404,
        f"{PATH}%00%ff": 404,
        unknown: 404,
        forged: 404,
        elsewhere: 404,
        desk.path(days=-1): 410,
        # A vote's link is no answer's: this note asks nothing.
        desk.path("0", "answer"): 410,
    }
    for path, status in expected.items():
        for response in (agent.get(path), agent.post(path, data={"form": "x"})):
            assert response.status_code == status, path
            assert "<form" not in response.text and "71" not in response.text
            assert "Set-Cookie" not in response.headers
    assert agent.get(PATH).status_code == 404
    assert desk.votes() == []
    assert good.removeprefix(PATH)[:20] not in caplog.text


def test_a_link_is_of_one_note_of_one_desk(desk: Desk) -> None:
    other = run_of(desk.store, "71", "globex")
    page = press(desk.agent(), desk.path("wrong_team", run=other))
    assert "Ticket 71 · globex" in page.text
    assert desk.votes() == [] and desk.store.feedback.counts() == {("globex", "wrong_team"): 1}


def test_without_a_key_there_are_no_pages(sqlite_store: Store, settings: Settings) -> None:
    desk = Desk(sqlite_store, settings)
    app = create_app(Environment(), settings, sqlite_store, FakeWakeup())
    empty = PATH + sign("", Claim("vote", desk.run.reference, "right", 999_999))
    for path in (desk.path(), empty):
        assert app.test_client().get(path).status_code == 404


def test_switched_off_links_stop_working(sqlite_store: Store, settings: Settings) -> None:
    off = settings.model_copy(update={"feedback": settings.feedback.model_copy(update={"links": False})})
    desk = Desk(sqlite_store, off)
    assert desk.agent().get(desk.path()).status_code == 410


def test_a_large_form_is_refused(desk: Desk) -> None:
    refused = desk.vote(desk.agent(), "draft_unusable", reason="x" * 20_000)
    assert refused.status_code == 413 and desk.votes() == []


def test_a_note_takes_so_many_votes_at_once(desk: Desk) -> None:
    codes = [desk.vote(desk.agent()).status_code for _ in range(VOTES_PER_NOTE + 3)]
    assert codes == [200] * VOTES_PER_NOTE + [429] * 3
    assert len(desk.votes()) == VOTES_PER_NOTE


def test_the_pace_forgets_and_never_grows() -> None:
    pace = Pace(2, 60)
    assert [pace.admit("a", at) for at in (0, 1, 2, 59)] == [True, True, False, False]
    assert pace.admit("b", 2) and pace.admit("a", 60)
    for number in range(KEYS + 50):
        pace.admit(f"key {number}", 61)
    assert len(pace._windows) == KEYS


def test_a_database_that_is_down_says_so(desk: Desk) -> None:
    agent = desk.agent()
    path = desk.path()
    with desk.store.engine.begin() as connection:
        connection.execute(text("DROP TABLE feedback"))
    agent.get(path)
    assert agent.get(path).status_code == 503


def vote_of(run: Run, voter: str = "v", verdict: str = "right", **values: Any) -> Vote:
    about = DRAFT if verdict.startswith("draft") else TRIAGE
    return Vote(run.id, run.desk, run.ticket_id, voter, about, verdict, **{"created_at": time.time(), **values})


def at_once(acts: list[Callable[[], Any]]) -> list[Any]:
    """Run all at the same time and return what each returned."""
    gate, results = threading.Barrier(len(acts)), [None] * len(acts)

    def act(place: int) -> None:
        gate.wait()
        results[place] = acts[place]()

    threads = [threading.Thread(target=act, args=(place,)) for place in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_votes_at_once_leave_one_each(store: Store, settings: Settings) -> None:
    desk = Desk(store, settings)
    agents = [desk.agent() for _ in range(3)]
    verdicts = ["right", "wrong_team", "wrong_priority"]
    forms = {}
    for place, agent in enumerate(agents):
        for verdict in verdicts:
            found = FORM.search(agent.get(desk.path(verdict)).text)
            assert found
            forms[place, verdict] = found[1], agent.get_cookie(COOKIE, path="/feedback")

    def post(place: int, verdict: str) -> int:
        form, cookie = forms[place, verdict]
        assert cookie is not None
        client = desk.agent()
        client.set_cookie(COOKIE, cookie.value, path="/feedback")
        return client.post(desk.path(verdict), data={"form": form}).status_code

    codes = at_once([lambda p=place, v=verdict: post(p, v) for place in range(3) for verdict in verdicts])
    assert codes == [200] * 9
    assert len(desk.votes()) == 3


def test_answers_at_once_leave_the_first(store: Store, settings: Settings) -> None:
    desk = Desk(store, settings)
    question = desk.ask()
    agents = [desk.agent() for _ in range(6)]
    paths = [desk.path(str(place % 2), "answer") for place in range(6)]
    forms = [FORM.search(agent.get(path).text) for agent, path in zip(agents, paths, strict=True)]

    def post(place: int) -> TestResponse:
        form = forms[place]
        assert form
        return agents[place].post(paths[place], data={"form": form[1]})

    answers = at_once([lambda p=place: post(p) for place in range(6)])
    assert sorted(response.status_code for response in answers) == [200, *[409] * 5]
    settled = store.questions.of_run(desk.run.id)
    assert settled and settled.state == ANSWERED
    first = next(response for response in answers if response.status_code == 200)
    assert f"Thanks, recorded: {settled.answer}" in first.text
    assert all(f"Already answered: {settled.answer}" in one.text for one in answers if one is not first)
    (delivery,) = store.deliveries.recent(5)
    assert (delivery.occasion, delivery.ticket_id) == (f"answer:{question.id}", "71")
    assert delivery.state == QUEUED and desk.wakeup.sent == [delivery.id]
    (entry,) = store.audit.recent(5)
    assert (entry.action, entry.detail["question"]) == ("answer", question.id)


def test_a_link_and_a_private_note_at_once_leave_one_answer(store: Store, settings: Settings) -> None:
    desk = Desk(store, settings)
    question = desk.ask()
    agent, path = desk.agent(), desk.path("0", "answer")
    form = FORM.search(agent.get(path).text)
    assert form
    acts = [
        lambda: agent.post(path, data={"form": form[1]}).status_code,
        # What the worker does with a private note that answers.
        lambda: store.questions.answer(question.id, "by note", "message:5", time.time()),
    ]
    by_link, by_note = at_once(acts)
    settled = store.questions.of_run(desk.run.id)
    assert settled and settled.state == ANSWERED
    assert (by_link, by_note) in [(200, False), (409, True)]
    assert settled.answer == ("by note" if by_note else "Yes")
    assert len(store.deliveries.recent(5)) == (0 if by_note else 1)


def test_a_flood_of_cookies_and_headers_is_a_page_or_a_refusal(desk: Desk) -> None:
    path = desk.path()
    for cookie in (
        "; ".join(f"tandem_voter={number:043d}" for number in range(2_000)), "tandem_voter=" + "x" * 100_000,
        "; ".join(f"c{number}=v" for number in range(5_000)), "=;" * 10_000, "tandem_voter=\x7f\xff; ;;,", "a" * 50_000,
    ):  # fmt: skip
        agent = desk.app.test_client(use_cookies=False)
        page = agent.get(path, headers={"Cookie": cookie})
        assert page.status_code in (200, 400, 431)
        assert agent.post(path, headers={"Cookie": cookie}, data={"form": "x"}).status_code in (400, 429, 431)
    assert desk.votes() == []


def test_an_answer_is_kept_when_the_broker_is_away(desk: Desk) -> None:
    desk.wakeup.works = False
    desk.ask()
    assert press(desk.agent(), desk.path("1", "answer")).status_code == 200
    (delivery,) = desk.store.deliveries.recent(5)
    assert delivery.state == RECEIVED and delivery.due_at is not None


def test_a_later_click_sees_the_answer_and_how_to_correct_it(desk: Desk) -> None:
    desk.ask(("Yes <b>", "No"))
    press(desk.agent(), desk.path("0", "answer"))
    late = desk.agent().get(desk.path("1", "answer"))
    assert late.status_code == 200 and "<form" not in late.text
    assert "Already answered: Yes &lt;b&gt;" in late.text and "@tandem" in late.text


def test_a_closed_question_takes_no_answer(desk: Desk) -> None:
    desk.ask()
    agent = desk.agent()
    found = FORM.search(agent.get(desk.path("0", "answer")).text)
    assert found
    desk.store.questions.drop("acme", ["71"])
    assert agent.post(desk.path("0", "answer"), data={"form": found[1]}).status_code == 410
    assert desk.store.deliveries.recent(5) == []


def test_a_note_has_no_more_voters_than_agents_could_be(store: Store) -> None:
    run = run_of(store)
    assert all(store.feedback.vote(vote_of(run, f"voter {number}")) for number in range(VOTERS_PER_RUN))
    assert not store.feedback.vote(vote_of(run, "one too many"))
    assert store.feedback.vote(vote_of(run, "voter 1", "wrong_team"))


def test_the_tally(store: Store) -> None:
    feedback: Feedback = store.feedback
    first, second, other = run_of(store), run_of(store, "72"), run_of(store, "9", "globex")
    for run, voter, verdict, at in (
        (first, "a", "right", 100.0),
        (first, "b", "wrong_team", 110.0),
        (first, "a", "draft_used", 120.0),
        (second, "a", "draft_unusable", 130.0),
        (other, "c", "draft_used", 140.0),
        (second, "b", "right", 999.0),
    ):
        reason = "wrong price" if verdict == "draft_unusable" else ""
        feedback.vote(vote_of(run, voter, verdict, created_at=at, reason=reason))
    every = feedback.tally(100, 200)
    assert every.verdicts == {"draft_unusable": 1, "draft_used": 2, "right": 1, "wrong_team": 1}
    assert (every.reasons, every.notes) == (1, 3)
    assert every.share("draft_used", "draft_unusable") == pytest.approx(2 / 3)
    acme = feedback.tally(100, 200, ["acme"])
    assert acme.share("draft_used", "draft_unusable") == 0.5
    assert feedback.tally(0, 50).share("right", "wrong_team") is None
    assert feedback.counts()["acme", "right"] == 2
    assert [vote.reason for vote in feedback.reasons("acme", 0, 5)] == ["wrong price"]
    assert feedback.drop_reasons(131) == 1 and feedback.drop_reasons(131) == 0
    assert feedback.reasons("acme", 0, 5) == []
    assert feedback.tally(100, 200).verdicts == every.verdicts


def test_links_of_the_worker_are_the_pages_of_the_web_process(desk: Desk) -> None:
    made = Links(desk.environment.public, KEY, 30)
    for link in made.votes(desk.run.reference, time.time(), drafted=True):
        assert desk.agent().get(link.url.removeprefix(desk.environment.public)).status_code == 200
