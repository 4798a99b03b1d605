"""The report as a page: it runs and fetches nothing, whatever stands in a ticket, and fits a phone."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from test_backtest_figures import looked, reported

from commands.backtest_screen import show
from tests.browsing import CHROMIUM, PHONE
from tests.browsing import browser as browser  # (fixture)
from triage.backtest import plots
from triage.backtest.page import page
from triage.settings import Settings

LINK = "https://acme.zendesk.com/agent/tickets/9"
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\x1b[2J"


@pytest.fixture
def report(settings: Settings) -> dict[str, Any]:
    """Return a report with hostile words wherever a ticket or a helpdesk can put them."""
    teams = ["billing", "security", "technical_bug", "onboarding", "data_privacy"]
    tickets = [
        looked(n, teams[n % 5], teams[(n + (n % 7 == 0)) % 5], 0.5 + (n % 50) / 100, labels={"priority": "P1_high"})
        for n in range(200)
    ]
    sure = {"probabilities": {"primary_team": {EVIL: 0.9, "security": 0.1}}}
    tickets += [looked(300 + n, EVIL, "security", answer=sure, url="javascript:alert(3)") for n in range(20)]
    tickets += [
        looked(400 + n, EVIL, f"{EVIL}{n}", answer=sure, url="https://acme.zendesk.com/agent/tickets/9")
        for n in range(3)
    ]
    made = reported(tickets, settings, source=EVIL)
    made["mistakes"][0]["text"] = EVIL
    return made


class Reader(HTMLParser):
    """Lists the elements and attributes of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    return reader


def test_nothing_of_a_ticket_becomes_part_of_the_page(report: dict[str, Any]) -> None:
    found = read(page(report))
    assert not {"script", "img", "iframe", "link", "object"} & set(found.tags)
    assert not [one for one in found.attributes if one[1].startswith("on") or one[1] in ("style", "src")]
    links = {value for tag, name, value in found.attributes if (tag, name) == ("a", "href")}
    assert links <= {LINK}
    assert "alert(1)" in page(report)  # it is there, as words


def test_its_own_policy_allows_its_one_style_and_nothing_else(report: dict[str, Any]) -> None:
    text = page(report)
    policy = next(value for tag, name, value in read(text).attributes if tag == "meta" and value.startswith("default-"))
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style
    assert base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode() in policy


def test_no_word_of_a_customer_without_being_asked(report: dict[str, Any]) -> None:
    report["mistakes"][0]["text"] = "my very own words"
    assert "my very own words" in page(report)
    for one in report["mistakes"]:
        one.pop("text", None)
    assert "my very own words" not in page(report)


def test_a_report_with_nothing_to_compare_is_a_page_too(settings: Settings) -> None:
    nothing = reported([looked(1, "billing", "")], settings)
    text = page(nothing)
    assert "nothing can be compared" in text
    assert "<svg" not in text


def test_plots_are_the_same_each_time_and_escape_their_labels() -> None:
    drawn = plots.heat(["<b>", "a&b"], [[3, 1], [0, 0]], "<title>")
    assert "<b>" not in drawn
    assert "a&amp;b" in drawn
    assert drawn.count("<rect") == 4
    one = plots.curve(
        [{"share": 1.0, "precision": 0.0, "threshold": 0.1}], 0.95, {"share": 0.0, "precision": None}, "t"
    )
    assert "nan" not in one
    assert "today" not in one
    assert plots.reliability([], "t") == plots.reliability([], "t")


@pytest.mark.parametrize("width", [80, 200])
def test_the_terminal_fits_and_is_not_steered(
    report: dict[str, Any], capsys: pytest.CaptureFixture[str], width: int
) -> None:
    from rich.console import Console

    show(report, Console(width=width))
    said = capsys.readouterr().out
    assert "\x1b[2J" not in said
    long = [line for line in said.splitlines() if len(line) > width]
    assert all("alert" in line or "https:" in line for line in long)
    for part in ("macro-F1", "What would have been written", "Surest mistakes", "hours a month"):
        assert part in said


@pytest.fixture
def address(report: dict[str, Any], tmp_path: Path) -> Iterator[str]:
    """Return the address of the page as a file: it needs no server."""
    path = tmp_path / "backtest.html"
    path.write_text(page(report), encoding="utf-8")
    yield path.as_uri()


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM.exists(), reason="no /usr/bin/chromium: apt-get install chromium")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [PHONE, {"width": 1280, "height": 900}], ids=["phone", "wide"])
def test_a_browser_shows_it_without_complaint(
    browser: Browser,
    address: str,
    scheme: Any,
    viewport: Any,
) -> None:
    context = browser.new_context(viewport=viewport, color_scheme=scheme)
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("console", lambda said: complaints.append(said.text))
    opened.on("pageerror", lambda said: complaints.append(str(said)))
    opened.on("dialog", lambda said: complaints.append(said.message))
    opened.goto(address)
    expect(opened.get_by_role("heading", name="Surest mistakes")).to_be_visible()
    assert opened.evaluate("document.documentElement.scrollWidth") == viewport["width"]
    background = opened.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(18, 23, 28)") == (scheme == "dark")
    for plot in opened.locator("svg").all():
        box = plot.bounding_box()
        assert box
        assert box["width"] > 100
    # The line of the first plot is drawn in the page's own colour, so the style was let in.
    assert opened.locator(".curve").first.evaluate("one => getComputedStyle(one).stroke") != "none"
    assert complaints == []
    context.close()
