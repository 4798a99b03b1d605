"""A webhook secret changed in the console: both accepted for a while, shown once, and the old one gone at the end."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr
from test_console import KEY, PASSWORD, FakeWakeup, sign_in, token_of
from werkzeug.test import TestResponse

from tests.desks import SETTINGS, VARIABLES
from triage.environment import Environment, variables
from triage.errors import SettingsError
from triage.live import Live
from triage.rotation import BARE, begin, end, names_of
from triage.settings_file import load_settings
from triage.settings_reload import SettingsFile
from triage.store import Store
from webhooks.app import create_app

COMMENTED = SETTINGS.replace("    auth: {api_key", "    # ask Ada before you change this\n    auth: {api_key")
ENV = "# ours\n" + "".join(f"{name}={value}\n" for name, value in VARIABLES.items())
OLD = VARIABLES["FRESHDESK_SECRET"]


@dataclass
class Place:
    """An installation whose two files can be written, and an admin at its console."""

    folder: Path
    live: Live
    file: SettingsFile
    browser: FlaskClient

    @property
    def texts(self) -> tuple[str, str]:
        return (self.folder / "tandem.yaml").read_text(), (self.folder / ".env").read_text()

    def press(self, path: str, **form: str) -> TestResponse:
        token = token_of(self.browser.get("/console/"))
        answer = self.browser.post(f"/console/desks/{path}", data={"csrf": token, **form}, follow_redirects=True)
        self.file.again()
        return answer

    def accepts(self, secret: str) -> bool:
        body = {"ticket_id": "7", "event": "ticket_created"}
        headers = {"X-Webhook-Secret": secret}
        return self.browser.post("/webhooks/freshdesk/globex", json=body, headers=headers).status_code in (200, 202)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sqlite_store: Store) -> Place:
    path = tmp_path / "tandem.yaml"
    path.write_text(COMMENTED)
    (tmp_path / ".env").write_text(ENV)
    monkeypatch.setenv("TANDEM_ENV_FILE", str(tmp_path / ".env"))
    environment = Environment(console_password=SecretStr(PASSWORD), secret_key=SecretStr(KEY), tandem_config=str(path))
    file = SettingsFile(path, load_settings(path, variables()), environment)
    live = Live(file.current(), sqlite_store, file)
    browser = create_app(environment, live, sqlite_store, FakeWakeup()).test_client()
    sign_in(browser)
    return Place(tmp_path, live, file, browser)


def test_both_are_accepted_until_the_old_one_is_removed(place: Place, sqlite_store: Store) -> None:
    assert (place.accepts(OLD), place.accepts("x" * 30)) == (True, False)
    answer = place.press("globex/secret")
    made = re.search(r'id="made" class="copy" readonly value="([0-9a-f]{48})"', answer.text)
    assert made
    assert answer.headers["Cache-Control"] == "no-store"
    assert "webhook_secrets: [${GLOBEX_WEBHOOK_SECRET}, ${FRESHDESK_SECRET}]" in place.texts[0]
    assert f"GLOBEX_WEBHOOK_SECRET={made[1]}\n" in place.texts[1]
    assert "# ask Ada before you change this" in place.texts[0]
    assert (place.accepts(made[1]), place.accepts(OLD)) == (True, True)

    page = place.browser.get("/console/desks/globex/secret").text
    assert "both accepted" in page
    assert "Make a new secret" not in page
    assert "removed" not in str(sqlite_store.audit.recent(9))
    place.press("globex/secret/end", do="finish")
    assert place.texts[0] == COMMENTED.replace("FRESHDESK_SECRET", "GLOBEX_WEBHOOK_SECRET")
    assert OLD not in place.texts[1]
    assert (place.accepts(made[1]), place.accepts(OLD)) == (True, False)

    entries = [(one.action, one.desk, one.subject) for one in sqlite_store.audit.recent(2)]
    assert entries == [
        ("secret removed", "globex", "FRESHDESK_SECRET"),
        ("secret added", "globex", "GLOBEX_WEBHOOK_SECRET"),
    ]
    assert made[1] not in page + str(sqlite_store.audit.recent(9)) + place.browser.get("/console/audit").text


def test_a_new_one_can_be_taken_back(place: Place) -> None:
    before = place.texts
    place.press("globex/secret")
    assert "two webhook secrets already" in place.press("globex/secret").text
    place.press("globex/secret/end", do="back")
    assert place.texts == before
    assert place.accepts(OLD)
    assert "one webhook secret only" in place.press("globex/secret/end", do="finish").text
    assert place.press("globex/secret/end", do="everything").status_code == 400
    assert place.texts == before


def test_zendesks_own_is_pasted_and_never_shown(place: Place) -> None:
    pasted = "a-signing-secret-that-zendesk-made=="
    for wrong, words in (
        ("", "Paste the signing secret"),
        ("short", "shorter than"),
        (VARIABLES["ZENDESK_SECRET"], "already"),
    ):
        assert words in place.press("acme/secret", secret=wrong).text
        assert place.texts == (COMMENTED, ENV)
    page = place.press("acme/secret", secret=pasted).text
    assert "both accepted" in page
    assert pasted not in page
    accepted = place.live.settings().desks["acme"].webhook_secrets
    assert [one.get_secret_value() for one in accepted] == [pasted, VARIABLES["ZENDESK_SECRET"]]


def test_files_that_cannot_be_written_are_told_what_to_hold(
    place: Place, sqlite_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    page = place.press("globex/secret").text
    made = re.search(r'id="made" class="copy" readonly value="([0-9a-f]{48})"', page)
    assert made
    assert "cannot change" in page
    assert place.texts == (COMMENTED, ENV)
    assert sqlite_store.audit.recent(1)[0].action == "secret made"
    assert place.press("globex/secret/end", do="finish").status_code == 400


def test_a_variable_another_desk_needs_stays() -> None:
    config = "desks:\n  a: {webhook_secrets: [${SHARED}]}\n  b:\n    webhook_secrets:\n    - ${SHARED}  # both\n"
    changed, env, name = begin(config, "SHARED=0123456789abcdef\n", "b", "new-secret-of-b", {"B_WEBHOOK_SECRET"})
    assert name == "B_WEBHOOK_SECRET_2"
    assert names_of(changed, "b") == [name, "SHARED"]
    assert end(changed, env, "b", keep_new=True)[1] == env
    assert end(changed, env, "b", keep_new=False)[1] == "SHARED=0123456789abcdef\n"


def test_a_secret_in_the_file_itself_is_never_told() -> None:
    bare = "a-secret-that-stands-in-the-file"
    config = f"desks:\n  a:\n    webhook_secrets: [{bare}]\n"
    assert names_of(config, "a") == [BARE]
    changed, env, _ = begin(config, "", "a", "new-secret-of-a", ())
    assert names_of(changed, "a") == ["A_WEBHOOK_SECRET", BARE]
    assert end(changed, env, "a", keep_new=False)[0] == config
    merged = f"base: &b\n  webhook_secrets: [{bare}]\ndesks:\n  a:\n    <<: *b\n"
    for wrong in (merged, "desks: {a: {webhook_secrets: ${ALL}}}", "desks: {}"):
        with pytest.raises(SettingsError) as caught:
            begin(wrong, "", "a", "new-secret-of-a", ())
        assert bare not in str(caught.value)
