"""The pages behind the links in notes, in a real browser: from another site, by keyboard, on a phone, in the dark."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from pydantic import SecretStr

from tests.browsing import PHONE, needs_browser, serving
from tests.browsing import browser as browser  # (fixture)
from tests.fakes import answer
from tests.test_feedback import FakeWakeup
from triage.environment import Environment
from triage.links import Links
from triage.settings import Settings
from triage.store import Store
from triage.store.questions import ANSWERED
from triage.store.runs import Run
from webhooks.app import create_app

KEY = "a-secret-key-for-tests"

pytestmark = needs_browser


class Site:
    """A web process with one run, and the addresses in its note."""

    def __init__(self, store: Store, run: Run, url: str) -> None:
        self.store, self.run, self.url = store, run, url
        links, now = Links(url, KEY, 30), time.time()
        self.votes = {link.text: link.url for link in links.votes(run.reference, now, drafted=True)}
        self.answers = [link.url for link in links.answers(run.reference, ["Valid", "Not valid"], now)]

    def verdicts(self) -> list[tuple[str, str, str]]:
        return [(vote.verdict, vote.label, vote.reason) for vote in self.store.feedback.of_run(self.run.id)]


@pytest.fixture
def site(settings: Settings, sqlite_store: Store) -> Iterator[Site]:
    now = time.time()
    run, _ = sqlite_store.runs.claim("acme", "71", "created", owner="w", now=now, lease_until=now + 30)
    sqlite_store.runs.save(run, classification=answer().model_dump())
    text = "The customer sent a photo of the label. Is it enough for the warranty?"
    sqlite_store.questions.open(run.id, "acme", "71", text, ["Valid", "Not valid"], now)
    app = create_app(Environment(secret_key=SecretStr(KEY)), settings, sqlite_store, FakeWakeup())
    with serving(app) as url:
        yield Site(sqlite_store, run, url)


@pytest.fixture(params=[True, False], ids=["javascript", "no-javascript"])
def page(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    """Return an empty page, once without JavaScript; what our own policy blocks fails the test."""
    context = browser.new_context(java_script_enabled=request.param)
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text))
    yield opened
    context.close()
    assert [text for text in complaints if "Content Security Policy" in text] == []


def test_a_first_click_in_the_helpdesk_votes_by_keyboard(page: Page, site: Site) -> None:
    # For a browser localhost and 127.0.0.1 are two sites: the helpdesk and ours.
    helpdesk = f"{site.url.replace('127.0.0.1', 'localhost')}/helpdesk"
    note = "".join(f"<a href='{url}' target=_blank>{text}</a> " for text, url in site.votes.items())
    page.context.route(helpdesk, lambda route: route.fulfill(content_type="text/html", body=note))
    page.goto(helpdesk)
    with page.expect_popup() as popup:
        page.get_by_role("link", name="Wrong team").click()
    opened = popup.value
    expect(opened.get_by_role("heading", name="Wrong team?")).to_be_visible()
    expect(opened.get_by_role("button")).to_have_count(1)
    assert site.verdicts() == []

    opened.bring_to_front()
    opened.get_by_label("Which team is right?").select_option("security")
    opened.get_by_label("Which team is right?").focus()
    opened.keyboard.press("Tab")
    expect(opened.get_by_role("button", name="Record: wrong team")).to_be_focused()
    opened.keyboard.press("Enter")
    expect(opened.get_by_role("heading", level=1)).to_have_text("Thanks, recorded: Wrong team")
    expect(opened).to_have_title("Recorded: wrong team, ticket 71 · Tandem")
    assert site.verdicts() == [("wrong_team", "security", "")]

    # The same agent comes back from the helpdesk: known by the cookie, and a second vote replaces the first.
    with page.expect_popup() as popup:
        page.get_by_role("link", name="Right").click()
    again = popup.value
    expect(again.get_by_text("It replaces what you said before: wrong team.")).to_be_visible()
    again.get_by_role("button").click()
    expect(again.get_by_role("heading", level=1)).to_have_text("Thanks, recorded: Right")
    again.get_by_role("link", name="Wrong priority").click()
    again.get_by_role("button").click()
    expect(again.get_by_role("heading", level=1)).to_have_text("Thanks, recorded: Wrong priority")
    assert site.verdicts() == [("wrong_priority", "", "")]


def test_two_links_opened_at_once_on_a_first_visit(page: Page, site: Site) -> None:
    page.goto(site.votes["Right"])
    other = page.context.new_page()
    page.context.clear_cookies()
    other.goto(site.votes["Draft used"])
    # The first page's form is of the cookie that the second visit replaced.
    page.get_by_role("button").click()
    expect(page.get_by_role("alert")).to_contain_text("Press the button once more")
    page.get_by_role("button").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Thanks, recorded: Right")


def test_a_question_is_answered(page: Page, site: Site) -> None:
    page.goto(site.answers[0])
    expect(page.get_by_role("heading", name="Is it enough for the warranty?")).to_be_visible()
    page.get_by_role("button", name="Answer: Valid").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Thanks, recorded: Valid")
    page.goto(site.answers[1])
    expect(page.get_by_role("heading", level=1)).to_have_text("Already answered: Valid")
    expect(page.get_by_role("button")).to_have_count(0)
    question = site.store.questions.of_run(site.run.id)
    assert question and (question.state, question.answer) == (ANSWERED, "Valid")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_the_pages_without_scrolling_sideways(browser: Browser, site: Site, scheme: str) -> None:
    context = browser.new_context(viewport=PHONE, color_scheme=scheme)
    page = context.new_page()
    for url in (*site.votes.values(), site.answers[0], f"{site.url}/feedback/old"):
        page.goto(url)
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
        assert page.evaluate("document.querySelectorAll('script').length") == 0
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(18, 23, 28)") == (scheme == "dark")
    page.goto(site.votes["Draft unusable"])
    page.get_by_label("What is wrong with it?").fill("<b>promises a refund</b>\nand is too long " + "w" * 80)
    page.get_by_role("button").click()
    expect(page.get_by_text("<b>promises a refund</b>")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    context.close()
