"""`manage.py knowledge` as an admin types it, against the sandbox helpdesk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from commands import knowledge, shared
from connectors.budget import Budget
from manage import main
from sandbox.config import SandboxConfig
from sandbox.testing import Running, running
from tests.fakes import own_sleep
from triage.errors import TandemError, Wait

SETTINGS = """
desks:
  acme:
    platform: zendesk
    url: {url}/zendesk
    auth: {{oauth: {{client_id: tandem, client_secret: client-secret-of-the-bot}}}}
    webhook_secrets: [a-long-webhook-secret]
"""
SECOND = """  globex:
    platform: freshdesk
    url: {url}/freshdesk
    auth: {{api_key: api-key-of-the-bot}}
    webhook_secrets: [a-long-webhook-secret]
"""


@pytest.fixture
def sandbox() -> Iterator[Running]:
    """Return a sandbox at an address of its own: rate limits are counted by address."""
    config = SandboxConfig(
        zendesk_client_id="tandem",
        zendesk_client_secret="client-secret-of-the-bot",
        freshdesk_api_key="api-key-of-the-bot",
    )
    with running(config) as found:
        yield found


@pytest.fixture(autouse=True)
def place(sandbox: Running, tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder with settings of one desk, in which the commands run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(shared, "REDIS_FILE", tmp_path / "redis_url")
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/tandem.db")
    (tmp_path / "tandem.yaml").write_text(SETTINGS.format(url=sandbox.url))
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["knowledge", *arguments])


def error_of(result: Result) -> str:
    assert isinstance(result.exception, TandemError), result.output
    return str(result.exception)


def test_reads_searches_and_says_how_it_stands_on_a_narrow_terminal() -> None:
    before = run("status")
    assert "never" in before.output
    done = run("sync")
    assert done.exit_code == 0, done.exception
    assert "articles" in done.output
    assert "23" in done.output
    found = run("search", "how", "do", "we", "cancel", "our", "subscription")
    first, *others = found.output.partition("Similar")[0].split("\n  0.")[1:]
    assert "Cancel your subscription" in first
    assert "/zendesk/hc/en-us/articles/" in first
    assert "not close enough" not in first
    assert all("not close enough" in other for other in others)
    assert "Similar solved tickets: none" in found.output
    for result in (before, done, found):
        assert [line for line in result.output.splitlines() if "http" not in line and len(line) > 80] == []


def test_gives_json_for_programs() -> None:
    run("sync", "--desk", "acme")
    status = json.loads(run("status", "--json").output)
    assert status["desk"] == "acme"
    assert status["articles"]["documents"] == 23
    found = json.loads(run("search", "--json", "cancel our subscription at the end of the month").output)
    assert found["articles"][0]["title"] == "Cancel your subscription"


def test_a_folder_is_followed_until_it_is_forgotten(place: Path) -> None:
    folder = place / "handbook"
    folder.mkdir()
    (folder / "parking.md").write_text("# Parking\nVisitors park their bicycles behind the house.\n")
    (folder / "latin.md").write_bytes("# Größe\n".encode("latin-1"))
    said = run("sync", "--kb", "handbook").output
    assert f"folder     {folder}" in said
    assert "latin.md not UTF-8" in said
    assert "Parking" in run("search", "Where can visitors park their bicycles?").output
    (folder / "parking.md").write_text("# Parking\nVisitors leave their bicycles in the cellar.\n")
    run("sync")
    assert "cellar" in run("search", "Where can visitors park their bicycles?").output
    assert "folder" not in run("sync", "--kb", "").output
    assert "Parking" not in run("search", "Where can visitors park their bicycles?").output
    assert json.loads(run("status", "--json").output)["files"]["documents"] == 0


def test_mistakes_are_said_with_the_remedy(place: Path, sandbox: Running) -> None:
    assert "no folder that can be read" in error_of(run("sync", "--kb", "nowhere"))
    assert "say what to search for" in error_of(run("search"))
    assert "no such desk" in error_of(run("status", "--desk", "initech"))
    assert run("look").exit_code == 2
    (place / "tandem.yaml").write_text((SETTINGS + SECOND).format(url=sandbox.url))
    assert "--desk is needed: the settings have acme, globex" in error_of(run("status"))


def test_a_rate_limit_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    refusals = iter([True, False, True])

    def sometimes(self: Budget, *args: object, **kwargs: object) -> None:
        if next(refusals, False):
            raise Wait("used up", 7.0)

    monkeypatch.setattr(Budget, "admit", sometimes)
    own_sleep(monkeypatch, knowledge, slept.append)
    assert run("sync").exit_code == 0
    assert slept == [7.0, 7.0]
    assert json.loads(run("status", "--json").output)["articles"]["documents"] == 23
