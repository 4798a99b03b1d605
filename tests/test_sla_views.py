"""The SLA views: `manage.py sla`, the console page and the metrics, over clocks whose numbers are known."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Page, expect
from sla_data import DAY, clock, ended, history, put
from test_commands import SECRETS, SETTINGS, error_of, run
from test_commands import _nothing_of_this_machine as _nothing_of_this_machine  # (fixture)
from test_console import client as client  # (fixtures)
from test_console import environment as environment
from test_console import sign_in
from test_console import wakeup as wakeup
from test_console_browser import console as console  # (fixtures)
from test_console_browser import page as page
from test_console_browser import sign_in as sign_in_by_keyboard

from tests.browsing import PHONE, needs_browser
from tests.browsing import browser as browser  # (fixture)
from triage.settings import Settings
from triage.store import Store
from webhooks.metrics import StoreCollector
from webhooks.sla_page import percent, source_words
from workers.foresight import refresh

NOW = time.time()


def fill(store: Store) -> None:
    put(
        store,
        [
            clock(1, NOW, due_at=NOW + 1290, stage="at_risk", source="helpdesk", tier="<b>gold</b>"),
            clock(2, NOW, due_at=NOW + 40_000, team="security", desk="globex"),
            clock(3, NOW, due_at=NOW - 690, stage="breached", state="breached", priority="P0_critical"),
            *(ended(10 + number, NOW, NOW - DAY * number) for number in range(1, 20)),
            ended(40, NOW, NOW - 60, late=True),
        ],
    )


@pytest.fixture
def store(sqlite_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """Return the database the command reads."""
    path = tmp_path / "tandem.yaml"
    path.write_text(SETTINGS.format(url="http://127.0.0.1:1", mode="tag"))
    monkeypatch.setenv("TANDEM_CONFIG", str(path))
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/tandem.db")
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    yield sqlite_store


class TestCommand:
    def test_the_table_fits_a_terminal(self, store: Store) -> None:
        fill(store)
        put(store, [clock(9, NOW, ticket_id="9" * 30, team="t" * 60, tier="x" * 60)])
        output = run("sla").output + run("sla", "work").output
        assert max(map(len, output.splitlines())) <= 80
        assert re.search(r"^all +2 +1 +1 +19 +2 +90.5%$", output, re.M)
        assert re.search(r"^  in \d+ min +#1001 acme +first response, P2, billing +helpdesk$", output, re.M)
        assert re.search(r"^  \d+ min ago +#1003 acme +first response, P0, billing +policy$", output, re.M)
        assert "Open clocks: by the helpdesk's clock (1) and by policy (3)" in output
        assert len(re.findall(r"^  \d\d \w{3} .*[█–]", output, re.M)) == 8

    def test_json_holds_the_same(self, store: Store) -> None:
        fill(store)
        found = json.loads(run("sla", "--json", "--desk", "acme").output)
        assert found["total"] | {"attainment": 0} == {
            "name": "all", "on_time": 0, "at_risk": 1, "breached": 1, "met": 19, "missed": 2, "attainment": 0,
        }  # fmt: skip
        assert found["nearest"][0]["url"].endswith("/zendesk/agent/tickets/1001")
        assert [one["ticket_id"] for one in found["overdue"]] == ["1003"]
        assert len(found["weeks"]) == 8
        assert found["work"][0]["note"] == "not enough history: clock order"
        assert found["work"][0]["first"][0]["probability"] is None

    def test_since(self, store: Store) -> None:
        fill(store)
        assert len(json.loads(run("sla", "--json", "--since", "2w").output)["weeks"]) == 3
        for wrong in ("soon", "2999-01-01", "5"):
            result = run("sla", "--since", wrong)
            assert result.exit_code == 2
            assert f"'{wrong}' is" in result.output

    def test_work_is_learned_and_filtered(self, store: Store, settings: Settings) -> None:
        put(store, [*history(NOW), clock(1, NOW, due_at=NOW + 1800), clock(2, NOW, due_at=NOW + 1800, team="security")])
        refresh(settings, store, NOW)
        billing = run("sla", "work", "--team", "billing").output
        assert re.search(r"^   1. #1001 .*breach +\d+%$", billing, re.M)
        assert "security" not in billing
        assert "security (acme): not enough history: clock order" in run("sla", "work").output
        found = json.loads(run("sla", "work", "--json", "--hours", "4").output)
        learned = next(one for one in found if one["is_learned"])
        assert 0 < learned["first"][0]["probability"] < 1

    def test_nothing_yet(self, store: Store) -> None:
        assert "no clock is running" in run("sla").output
        assert run("sla", "work").output == "Nobody waits for an answer.\n"
        assert "--team nope: no such team; the teams are account_management, api_integration" in error_of(
            run("sla", "work", "--team", "nope")
        )
        assert run("sla", "work", "--team", "security").output == "Nobody waits for an answer.\n"
        assert "no such desk" in error_of(run("sla", "--desk", "nobody"))


class TestPage:
    def text(self, client: FlaskClient, path: str = "/console/sla") -> str:
        sign_in(client)
        answer = client.get(path)
        assert answer.status_code == 200
        assert "style=" not in answer.text  # the policy would not let it work
        return " ".join(unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())

    def test_shows_how_clocks_stand(self, client: FlaskClient, sqlite_store: Store) -> None:
        fill(sqlite_store)
        text = self.text(client)
        assert "At risk 1 soon late Breached and open 1 late Open and on time 1 Met in time 90.5%" in text
        assert "by the helpdesk's clock (1) and by policy (2)" in text
        assert "not enough history: clock order" in text
        assert "#1003 ↗ acme first response P0 critical" in text
        assert "1 late already, most important first: #1003" in text
        assert "Missed: late, ended or still open." in text
        assert len(re.findall(r'data-label="Week of"', client.get("/console/sla").text)) in (3, 4)  # 19 days

    def test_links_lead_to_the_helpdesks_and_texts_are_escaped(self, client: FlaskClient, sqlite_store: Store) -> None:
        fill(sqlite_store)
        sign_in(client)
        html = client.get("/console/sla").text
        assert 'href="https://acme.zendesk.com/agent/tickets/1001"' in html
        assert 'href="https://globex.freshdesk.com/a/tickets/1002"' in html
        assert "<b>gold" not in html and "&lt;b&gt;gold" in html

    def test_one_desk(self, client: FlaskClient, sqlite_store: Store) -> None:
        fill(sqlite_store)
        text = self.text(client, "/console/sla?desk=globex")
        assert "#1002" in text
        assert "#1001" not in text
        assert "#1001" in client.get("/console/sla?desk=%3Cscript%3E").text

    def test_an_empty_page(self, client: FlaskClient, sqlite_store: Store) -> None:
        text = self.text(client)
        assert "no clock is running" in text
        assert "No clock was due yet." in text
        assert "Nobody waits for an answer." in text

    def test_it_is_behind_the_password(self, client: FlaskClient) -> None:
        assert client.get("/console/sla").headers["Location"] == "/console/login"

    def test_shares_are_never_rounded_up_to_all(self) -> None:
        assert (percent(1.0), percent(0.9999), percent(0.92), percent(0.0)) == ("100%", "99.9%", "92%", "0%")
        assert source_words({"policy": 3}) == "by policy"


def test_metrics(sqlite_store: Store) -> None:
    fill(sqlite_store)
    families = {family.name: family for family in StoreCollector(sqlite_store).collect()}
    found = {tuple(one.labels.values()): one.value for one in families["tandem_sla_clocks"].samples}
    assert found == {
        ("acme", "first_response", "at_risk"): 1,
        ("acme", "first_response", "breached"): 1,
        ("globex", "first_response", "ok"): 1,
    }


class TestBrowser:
    pytestmark = needs_browser

    def test_reached_by_link_and_fits_a_phone(self, page: Page, console: str, sqlite_store: Store) -> None:
        fill(sqlite_store)
        sign_in_by_keyboard(page, console)
        page.get_by_role("link", name="SLA", exact=True).click()
        expect(page.get_by_role("heading", name="SLA clocks")).to_be_visible()
        expect(page.get_by_role("table", name="By team")).to_contain_text("billing")
        rail = page.locator(".bar").first.bounding_box()
        assert rail and rail["width"] > 60
        fill_box = page.locator(".bar .fill").first.bounding_box()
        assert fill_box and 0 < fill_box["width"] <= rail["width"]
        page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        page.get_by_role("link", name="globex", exact=True).click()
        expect(page.get_by_role("link", name="#1002").first).to_be_visible()
        expect(page.get_by_role("link", name="#1001")).to_have_count(0)
