"""A note asks, a person answers, and the note says what it used: sandbox helpdesks, worker and web page together."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import pytest
import requests
from living import Living
from pydantic import SecretStr
from test_connector_recordings import VENDORS
from test_connector_sandbox import CREDENTIALS

from sandbox.config import SandboxConfig
from sandbox.testing import Running, running
from tests.test_feedback import FakeWakeup, press
from triage.environment import Environment
from triage.links import Links
from triage.settings import Settings
from triage.settings_feedback import Question, When
from triage.store import Store
from triage.store.deliveries import CLOCK
from triage.store.questions import ANSWERED, DROPPED, OPEN
from triage.store.runs import DONE
from webhooks.app import create_app
from workers.asking import facts_of
from workers.tools import Tools

KEY = "a-secret-key-for-tests"
PUBLIC = "https://tandem.example.com"
PHOTO = Question(ask="Is the photo enough?", options=["Valid", "Not valid"], when=When(words=["warranty"]))
LIMIT = Question(ask="May we refund this once?", options=["Yes", "No"], when=When(words=["refund"]))
ADDRESS = re.compile(re.escape(PUBLIC) + r'(/feedback/[^"\s]+)"[^>]*>([^<]+)<')


class Asking(Living):
    """A desk whose settings ask, with a web process beside it."""

    def tools(self, desk: str = "") -> Tools:
        """Return a worker's tools that make links and know what was answered."""
        return replace(super().tools(desk), links=Links(PUBLIC, KEY, 30), facts=partial(facts_of, self.store))

    def prepare(self) -> None:
        """Let the settings ask, and start the web process."""
        self.settings = self.settings.model_copy(update={"questions": {"photo": PHOTO, "limit": LIMIT}})
        environment = Environment(secret_key=SecretStr(KEY), public_url=PUBLIC)
        self.web = create_app(environment, self.settings, self.store, FakeWakeup())

    def links(self, ticket_id: str) -> dict[str, str]:
        """Return words -> address of the links in the newest note, as the helpdesk shows them."""
        html = self.box.notes(ticket_id)[-1]["html"]
        return {words: address for address, words in ADDRESS.findall(html)}

    def click(self, ticket_id: str, words: str) -> str:
        """Follow a link of the newest note and press its button."""
        done = press(self.web.test_client(), self.links(ticket_id)[words])
        assert done.status_code == 200
        return done.text

    def states(self, ticket_id: str) -> list[tuple[str, str]]:
        return [(one.state, one.answer) for one in self.store.questions.of_ticket(self.desk, ticket_id)]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Running]:
    roomy = {"zendesk_limit": 100_000, "zendesk_update_limit": 100_000, "freshdesk_limit": 100_000}
    with running(SandboxConfig(**CREDENTIALS, **roomy)) as found:
        yield found


@pytest.fixture(params=VENDORS)
def desk(request: pytest.FixtureRequest, store: Store, settings: Settings, sandbox: Running) -> Iterator[Asking]:
    """Both helpdesks on both databases."""
    found = Asking(store, settings, sandbox, request.param)
    found.prepare()
    yield found
    requests.delete(f"{found.box.url}/faults", timeout=10)


def test_a_click_resumes_the_run(desk: Asking) -> None:
    ticket_id = desk.born(body="The lamp broke. It is under warranty, see the photo.")
    (note,) = desk.notes(ticket_id)
    assert "Question for you: Is the photo enough?" in note and "Used:" not in note
    assert list(desk.links(ticket_id))[:2] == ["Valid", "Not valid"]
    desk.click(ticket_id, "Valid")
    desk.work()
    assert [(run.occasion.partition(":")[0], run.state) for run in desk.runs(ticket_id)] == [
        ("created", DONE),
        ("answer", DONE),
    ]
    assert desk.wishes[-1].facts == ("Is the photo enough? Valid",)
    told = desk.notes(ticket_id)[-1]
    assert "Update with your answer: “Is the photo enough? Valid”" in told
    assert "Question for you" not in told
    if desk.vendor == "freshdesk":
        assert len(desk.notes(ticket_id)) == 1
        assert "Used: Is the photo enough? Valid (answered by link)" in told
    # Its own links work, and so do those of the first note.
    desk.click(ticket_id, "Draft used")
    assert desk.store.feedback.counts() == {(desk.desk, "draft_used"): 1}


def test_a_private_note_resumes_the_run(desk: Asking) -> None:
    ticket_id = desk.born(body="It is under warranty.")
    desk.box.act(ticket_id, note="I looked at it.\n\n@tandem not valid")
    desk.poke(ticket_id, CLOCK)
    assert desk.states(ticket_id) == [(ANSWERED, "Not valid")]
    assert (desk.wishes[-1].hint, desk.wishes[-1].facts) == ("", ("Is the photo enough? Not valid",))
    told = desk.notes(ticket_id)[-1]
    assert "Update with your answer: “Is the photo enough? Not valid”" in told
    # The next such note is a wish again, and the fact stays known.
    desk.box.act(ticket_id, note="@tandem shorter")
    desk.poke(ticket_id, CLOCK)
    assert (desk.wishes[-1].hint, desk.wishes[-1].facts) == ("shorter", ("Is the photo enough? Not valid",))
    assert "Fresh look, as asked: “shorter”" in desk.notes(ticket_id)[-1]


def test_a_second_question_follows_the_first_answer(desk: Asking) -> None:
    ticket_id = desk.born(body="Under warranty. Or refund me.")
    desk.click(ticket_id, "Valid")
    desk.work()
    assert desk.states(ticket_id) == [(ANSWERED, "Valid"), (OPEN, "")]
    assert "Question for you: May we refund this once?" in desk.notes(ticket_id)[-1]
    desk.click(ticket_id, "No")
    desk.work()
    assert desk.wishes[-1].facts == ("Is the photo enough? Valid", "May we refund this once? No")
    assert "Update with your answer: “May we refund this once? No”" in desk.notes(ticket_id)[-1]


def test_a_new_message_does_not_ask_again(desk: Asking) -> None:
    ticket_id = desk.born(body="It is under warranty.")
    desk.box.act(ticket_id, note="@tandem")
    desk.says(ticket_id, "By the way, it is still under warranty!")
    desk.poke(ticket_id)
    notes = "\n".join(desk.notes(ticket_id))
    assert notes.count("Question for you") == 1
    assert desk.states(ticket_id) == [(OPEN, "")]
    # Wherever it stands, its links still lead to the one question.
    for address in [one for one, words in ADDRESS.findall(str(desk.box.notes(ticket_id))) if words == "Valid"]:
        assert "Is the photo enough?" in desk.web.test_client().get(address).text


def test_an_answer_after_the_end_is_kept_from_the_ticket(desk: Asking) -> None:
    ticket_id = desk.born(body="It is under warranty.")
    links = desk.links(ticket_id)
    desk.store.questions.drop(desk.desk, [ticket_id])
    assert desk.web.test_client().get(links["Valid"]).status_code == 410
    assert desk.states(ticket_id) == [(DROPPED, "")]
    assert len(desk.runs(ticket_id)) == 1
