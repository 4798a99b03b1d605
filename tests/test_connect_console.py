"""The console's wizard, page by page, as a browser without JavaScript sees it."""

from __future__ import annotations

import re
import time
from html import unescape

import pytest
import requests
from connect_machine import API_KEY, ENV, SECRET, YAML, Machine

from triage.environment import variables
from triage.settings_edit import value_at
from triage.settings_file import load_settings
from webhooks.pages import connect as page_module

PASSWORD = "a-password"


class Browser:
    """One signed-in browser."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.session = requests.Session()
        self.session.trust_env = False
        self.text = ""
        self.get("login")
        self.post("login", password=PASSWORD)

    def get(self, path: str) -> requests.Response:
        return self._seen(self.session.get(f"{self.machine.public}/console/{path}", timeout=20))

    def post(self, path: str, **fields: str) -> requests.Response:
        found = re.search(r'name="csrf" value="([^"]+)"', self.text)
        fields = {"csrf": found[1] if found else "", **fields}
        return self._seen(self.session.post(f"{self.machine.public}/console/{path}", data=fields, timeout=20))

    def _seen(self, answer: requests.Response) -> requests.Response:
        self.text = unescape(answer.text)
        for secret in (SECRET, API_KEY, *self.machine.webhook_secrets()):
            assert secret not in self.text
        return answer

    def until_done(self, desk: str) -> str:
        """Follow the page's own refresh until the worker is through."""
        for _ in range(400):
            self.get(f"connect/{desk}")
            if 'http-equiv="refresh"' not in self.text:
                return self.text
            time.sleep(0.1)
        raise AssertionError("the step did not end")


@pytest.fixture
def browser(machine: Machine) -> Browser:
    return Browser(machine)


def zendesk(browser: Browser, **changes: str) -> requests.Response:
    browser.get("connect")
    values = {"platform": "zendesk", "url": browser.machine.box.zendesk, "desk": "mine", "kind": "oauth"}
    return browser.post("connect", **{**values, "client_id": "tandem", "secret": SECRET, "email": "", **changes})


def test_zendesk_from_the_form_to_a_test_that_has_arrived_and_away_again(browser: Browser) -> None:
    machine = browser.machine
    zendesk(browser)
    page = browser.until_done("mine")
    assert "signed in</span> as Tandem (admin)" in page
    assert "Finance & Billing" in page
    assert value_at(machine.config, ("desks", "mine", "mode")) == "off"
    browser.post("connect/mine/teams", **{"group-billing": "Product", "mode": "note"})
    desk = load_settings(machine.folder / "tandem.yaml", variables())
    assert (desk.teams["billing"].group, desk.desks["mine"].mode) == ("Product", "note")
    assert desk.teams["security"].group == "Security"
    browser.post("connect/mine/hook")
    page = browser.until_done("mine")
    assert "webhook 'Tandem mine' made" in page
    assert "came from the helpdesk" in page
    [webhook] = machine.box.state.hooks.webhooks.values()
    assert variables()["MINE_WEBHOOK_SECRET"] == webhook.secret
    browser.post("connect/mine/hook")
    assert "is there and as it should be" in browser.until_done("mine")
    browser.post("connect/mine/remove")
    assert "Tick the box" in browser.text
    browser.post("connect/mine/remove", sure="yes")
    assert "webhook 'Tandem mine' removed" in browser.until_done("mine")
    assert not machine.box.state.hooks.webhooks
    assert "MINE_" not in machine.env
    actions = [(one.actor.partition(":")[0], one.action, one.subject) for one in machine.store.audit.recent(20)]
    assert [one[2] for one in actions if one[1] == "connect"][::-1][1:] == ["teams and mode", "hook", "hook"]
    assert actions[0] == ("console", "disconnect", "remove")


def test_freshdesk_shows_the_rules_and_never_the_secret(browser: Browser) -> None:
    browser.get("connect")
    own = "a-secret-i-will-paste-myself"
    url = browser.machine.box.freshdesk
    browser.post("connect", platform="freshdesk", url=url, desk="fresh", secret=API_KEY, webhook_secret=own)
    browser.until_done("fresh")
    browser.post("connect/fresh/hook")
    page = browser.until_done("fresh")
    assert '{"event":"ticket_created","ticket_id":"{{ticket.id}}"}' in page
    assert "<the value of FRESH_WEBHOOK_SECRET in .env>" in page
    assert own not in page
    assert variables()["FRESH_WEBHOOK_SECRET"] == own
    assert "no rule" in page


def test_a_wrong_credential_is_named_and_can_be_corrected(browser: Browser) -> None:
    zendesk(browser, secret="wrong-secret")
    page = browser.until_done("mine")
    assert "APIs > OAuth clients" in page
    assert "wrong-secret" not in page
    zendesk(browser)
    assert "signed in</span> as Tandem" in browser.until_done("mine")


def test_what_was_typed_stands_there_to_be_corrected_the_address_too(browser: Browser) -> None:
    zendesk(browser, url="http://127.0.0.1:9/zendesk", secret="nobody-hears-it")
    assert "check the address" in browser.until_done("mine")
    browser.get("connect?desk=mine")
    assert 'value="http://127.0.0.1:9/zendesk"' in browser.text
    assert 'value="tandem"' in browser.text
    assert "nobody-hears-it" not in browser.text
    zendesk(browser)
    assert "as Tandem (admin)" in browser.until_done("mine")
    assert value_at(browser.machine.config, ("desks", "mine", "url")) == browser.machine.box.zendesk


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"url": "http://acme.zendesk.com"}, "must start with https://"),
        ({"desk": "Not A Name"}, "cannot be a desk's name"),
        ({"secret": ""}, "Fill in the credential"),
        ({"url": "https://acme.freshdesk.com"}, "url is a freshdesk address"),
    ],
)
def test_what_is_wrong_in_the_form_is_said_and_nothing_written(
    browser: Browser, changes: dict[str, str], says: str
) -> None:
    assert zendesk(browser, **changes).status_code == 422
    assert says in browser.text
    assert (browser.machine.config, browser.machine.env) == (YAML, ENV)


def test_another_account_does_not_take_a_name_that_is_taken(browser: Browser) -> None:
    zendesk(browser)
    browser.until_done("mine")
    zendesk(browser, url="https://other.zendesk.com")
    assert "There is a desk 'mine' already" in browser.text


def test_no_form_works_without_its_token(browser: Browser) -> None:
    zendesk(browser)
    browser.until_done("mine")
    before = browser.machine.config
    for path in ("connect", "connect/mine/teams", "connect/mine/hook", "connect/mine/remove"):
        assert browser.post(path, csrf="wrong", sure="yes").status_code == 400
    assert browser.machine.config == before


def test_pages_of_desks_there_are_not(browser: Browser) -> None:
    assert browser.get("connect/nobody").status_code == 404
    browser.get("connect")
    assert browser.post("connect/nobody/hook").status_code == 404
    zendesk(browser)
    browser.until_done("mine")
    assert browser.post("connect/mine/explode").status_code == 404
    browser.get("connect/mine")
    assert browser.post("connect/mine/teams", **{"group-billing": "No such group", "mode": ""}).status_code == 400


def test_files_that_cannot_be_written_are_shown_instead(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_module.Files, "unwritable", lambda self: (self.config, self.env))
    assert zendesk(browser).status_code == 409
    assert "+  mine:" in browser.text
    assert "MINE_CLIENT_SECRET" in browser.text
    assert browser.machine.config == YAML


def test_a_settings_file_that_somebody_broke_is_named_with_its_line(browser: Browser) -> None:
    from connect_machine import Web

    page_module.Files(browser.machine.folder / "tandem.yaml", browser.machine.folder / ".env")
    browser.get("connect")
    Web.frozen = True
    try:
        (browser.machine.folder / "tandem.yaml").write_text("desks:\n  a: [\n")
        assert browser.get("connect").status_code == 409
        assert "tandem.yaml line" in browser.text
    finally:
        Web.frozen = False


def test_a_second_desk_leaves_the_groups_of_the_first(browser: Browser) -> None:
    zendesk(browser)
    browser.until_done("mine")
    for group in browser.machine.box.state.desks["freshdesk"].groups.values():
        group.name = {"Product": "Ideas"}.get(group.name, group.name)
    browser.get("connect")
    browser.post("connect", platform="freshdesk", url=browser.machine.box.freshdesk, desk="fresh", secret=API_KEY)
    assert "another desk has Product: kept unless you choose" in browser.until_done("fresh")
    browser.post(
        "connect/fresh/teams", **{"group-feature_request": "", "group-billing": "Finance & Billing", "mode": ""}
    )
    teams = load_settings(browser.machine.folder / "tandem.yaml", variables()).teams
    assert teams["feature_request"].group == "Product"


def test_a_queue_that_is_down_is_said(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    import connect_machine

    monkeypatch.setattr(connect_machine.Silent, "set_up", lambda *_: False)
    zendesk(browser)
    assert "The queue did not take it" in browser.until_done("mine")
