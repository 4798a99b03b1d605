"""The console in a real browser: by keyboard, without JavaScript, on a phone, and from a link on another site."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from console_data import fill
from playwright.sync_api import Browser, Page, expect
from pydantic import SecretStr

from tests.browsing import PHONE, needs_browser, serving
from tests.browsing import browser as browser  # (fixture)
from triage.environment import Environment
from triage.settings import Settings
from triage.store import Store
from triage.store.deliveries import DEAD, QUEUED
from triage.store.marks import DESK_LOCKED
from webhooks.app import create_app

PASSWORD = "correct horse battery staple"

pytestmark = needs_browser


class FakeWakeup:
    """Stands in for the broker."""

    is_refused = False

    def send(self, delivery_id: int) -> bool:
        return True


@pytest.fixture
def console(settings: Settings, sqlite_store: Store) -> Iterator[str]:
    """Return the address of a console with one alarm and two dead letters."""
    now = time.time()
    for key, reason in (("a", "the helpdesk refused the note: <b>mandatory field</b>"), ("b", "another reason")):
        row = sqlite_store.deliveries.receive("acme", key, ticket_id="71", event="created", body=b"", now=now)
        sqlite_store.deliveries.finish(row.id, DEAD, now, reason)
    sqlite_store.alarms.raise_("globex", DESK_LOCKED, "the api key was refused", now)
    environment = Environment(console_password=SecretStr(PASSWORD), secret_key=SecretStr("a-secret-key-for-tests"))
    app = create_app(environment, settings, sqlite_store, FakeWakeup())
    with serving(app) as url:
        yield f"{url}/console/"


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


def sign_in(page: Page, console: str) -> None:
    """Sign in with the keyboard alone: the field has the focus already."""
    page.goto(console)
    expect(page.get_by_label("Console password")).to_be_focused()
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("navigation", name="Console")).to_be_visible()
    # The text is there before the style sheet is.
    page.wait_for_load_state("load")


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the button `name` has the focus."""
    button = page.get_by_role("button", name=name, exact=True)
    for _ in range(60):
        page.keyboard.press("Tab")
        if button.and_(page.locator(":focus")).count():
            return
    raise AssertionError(f"the keyboard does not reach {name}")


def test_sign_in_replay_and_sign_out_with_the_keyboard(page: Page, console: str, sqlite_store: Store) -> None:
    sign_in(page, console)
    expect(page.get_by_role("heading", name="Needs you now")).to_be_visible()
    page.get_by_role("link", name="Dead letters", exact=True).first.press("Enter")
    expect(page.get_by_role("link", name="Dead letters", exact=True)).to_have_attribute("aria-current", "page")
    expect(page.get_by_role("table", name="Dead letters, newest first").get_by_role("row")).to_have_count(3)
    expect(page.get_by_text("the helpdesk refused the note: <b>mandatory field</b>").first).to_be_visible()

    tab_to(page, "Replay delivery 1")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("Sent through again: 1.")
    assert sqlite_store.deliveries.counts() == {QUEUED: 1, DEAD: 1}
    page.get_by_role("link", name="all desks").click()

    tab_to(page, "Replay all dead")
    page.keyboard.press("Space")
    expect(page.get_by_text("None. Every delivery was carried out or is under way.")).to_be_visible()
    assert sqlite_store.deliveries.counts() == {QUEUED: 2}

    tab_to(page, "Sign out")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Console password")).to_be_visible()
    page.goto(console)
    expect(page.get_by_label("Console password")).to_be_visible()


def test_search_webhook_address_and_a_mode(page: Page, console: str, sqlite_store: Store) -> None:
    sign_in(page, console)
    page.get_by_role("link", name="Activity", exact=True).click()
    page.get_by_label("State").select_option("queued")
    page.get_by_role("textbox", name="Ticket").press("Enter")
    expect(page.get_by_text("Nothing fits.")).to_be_visible()
    page.get_by_role("link", name="Desks", exact=True).click()
    expect(page.locator("#webhook-acme")).to_have_value("http://127.0.0.1:8000/webhooks/zendesk/acme")
    page.locator("#mode-acme").select_option("write")
    page.get_by_role("button", name="Show what changes").first.click()
    expect(page.get_by_text("acme goes from tag to write")).to_be_visible()
    assert sqlite_store.controls.all() == {}
    page.get_by_role("button", name="Change it").click()
    expect(page.get_by_role("status")).to_contain_text("acme goes from tag to write")
    assert sqlite_store.controls.all() == {"acme": {"mode": "write"}}


def test_a_link_on_another_site_leads_in_without_a_second_login(page: Page, console: str) -> None:
    sign_in(page, console)
    # For a browser localhost and 127.0.0.1 are two sites.
    elsewhere = console.replace("127.0.0.1", "localhost")
    page.route(f"{elsewhere}other", lambda route: route.fulfill(content_type="text/html", body=f"<a href={console}>in"))
    page.goto(f"{elsewhere}other")
    page.get_by_role("link", name="in").click()
    expect(page.get_by_role("heading", name="Needs you now")).to_be_visible()


PAGES = {
    "overview": "",
    "activity": "activity",
    "runs": "activity?show=runs",
    "live": "activity?live=1",
    "ticket": "desks/acme/tickets/70030",
    "delivery": "desks/acme/deliveries/30",
    "dead letters": "dead",
    "SLA": "sla",
    "quality": "quality",
    "desks": "desks",
    "mode": "desks/acme/mode?mode=write",
    "policy": "policy",
    "what if": "policy?desk=acme&mode=write&least-primary_team=80",
    "audit": "audit",
    "secret": "desks/globex/secret",
    "undo": "desks/acme/tickets/70030/undo",
    "connect": "connect",
    "not found": "nowhere",
}
# What a page owes people who do not see it, or see it on a phone. Returns what is wrong.
CHECKS = """() => {
    const wrong = [], all = (query) => [...document.querySelectorAll(query)];
    const name = (one) => (one.getAttribute('aria-label') || one.textContent || '').trim();
    if (document.documentElement.lang !== 'en') wrong.push('no language');
    if (all('h1').length !== 1) wrong.push('h1: ' + all('h1').length);
    let last = 1;
    for (const one of all('h1, h2, h3, h4')) {
        const level = Number(one.tagName[1]);
        if (level > last + 1) wrong.push('heading jumps: ' + one.textContent);
        last = level;
    }
    for (const one of all('input:not([type=hidden], [hidden]), select, textarea'))
        if (!one.labels.length && !one.getAttribute('aria-label')) wrong.push('no label: ' + one.outerHTML);
    for (const one of all('a, button, summary')) if (!name(one)) wrong.push('no name: ' + one.outerHTML);
    for (const one of all('table'))
        if (!one.caption && !one.getAttribute('aria-labelledby')) wrong.push('no caption: ' + one.textContent);
    for (const one of all('svg:not([aria-hidden])')) if (one.getAttribute('role') !== 'img') wrong.push('svg');
    const ids = all('[id]').map((one) => one.id);
    for (const id of new Set(ids)) if (ids.filter((one) => one === id).length > 1) wrong.push('id twice: ' + id);
    for (const one of all('[aria-labelledby], [aria-describedby]'))
        for (const id of (one.getAttribute('aria-labelledby') || one.getAttribute('aria-describedby')).split(' '))
            if (!document.getElementById(id)) wrong.push('names nothing: ' + id);
    const wide = document.documentElement.scrollWidth;
    if (wide > innerWidth) wrong.push('too wide: ' + wide);
    if (document.querySelector('header nav') && all('.skip').length !== 1) wrong.push('no skip link');
    const light = (color) => {
        const [red, green, blue] = color.match(/[\\d.]+/g).map(Number).map((part) => {
            part /= 255;
            return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const behind = (one) => {
        for (; one; one = one.parentElement) {
            const color = getComputedStyle(one).backgroundColor;
            if (!color.endsWith(', 0)')) return color;
        }
        return 'rgb(255, 255, 255)';
    };
    for (const one of all('body *')) {
        const words = [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
        if (!words || !one.getClientRects().length) continue;
        const [a, b] = [light(getComputedStyle(one).color), light(behind(one))].sort((x, y) => y - x);
        if ((a + 0.05) / (b + 0.05) < 4.5) wrong.push('contrast: ' + one.outerHTML.slice(0, 120));
    }
    return wrong;
}"""


@pytest.mark.parametrize(("scheme", "width"), [("light", 375), ("dark", 375), ("light", 1280), ("dark", 1280)])
def test_every_page_can_be_read(
    browser: Browser, console: str, sqlite_store: Store, settings: Settings, scheme: str, width: int
) -> None:
    fill(sqlite_store, time.time(), 60)
    sqlite_store.controls.set("globex", "paused", "yes", "console:admin", time.time())
    context = browser.new_context(viewport={"width": width, "height": 760}, color_scheme=scheme)
    page = context.new_page()
    page.goto(f"{console}login")
    assert page.evaluate(CHECKS) == []
    sign_in(page, console)
    wrong = {}
    for name, path in PAGES.items():
        page.goto(console + path)
        if found := page.evaluate(CHECKS):
            wrong[name] = found
    context.close()
    assert wrong == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_everything_without_scrolling_sideways(browser: Browser, console: str, scheme: str) -> None:
    context = browser.new_context(viewport=PHONE, color_scheme=scheme)
    page = context.new_page()
    sign_in(page, console)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(18, 23, 28)") == (scheme == "dark")
    page.goto(f"{console}dead")
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    rows = page.get_by_role("table", name="Dead letters, newest first")
    expect(rows.get_by_role("cell", name="another reason")).to_be_visible()
    context.close()
