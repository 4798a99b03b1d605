"""`connect` against both sandbox helpdesks, with a real web process that reads the files the command writes."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from werkzeug.serving import make_server

from manage import main
from sandbox.config import SandboxConfig
from sandbox.testing import Running, running
from triage.environment import read_environment, variables
from triage.errors import TandemError
from triage.settings_edit import value_at
from triage.settings_file import load_settings
from triage.store import Store, open_store
from triage.store.migrate import migrate
from webhooks.app import create_app
from webhooks.wakeup import Wakeup

SECRET = "client-secret-of-the-sandbox"
API_KEY = "key-of-the-sandbox"
TOKEN = "token-of-the-sandbox"
YAML = "# ours\ntag_prefix: bot_  # short\n\nllm: {ask: never}\n"
ENV = "# secrets of this machine\nSECRET_KEY=long-enough-for-a-key\nCONSOLE_PASSWORD=a-password\n"


class Silent(Wakeup):
    """A wake-up that nobody hears."""

    def __init__(self) -> None:
        pass

    def send(self, delivery_id: int) -> bool:
        return False


@dataclass
class Machine:
    """A folder with the two files, a database, a sandbox, and a web process."""

    folder: Path
    box: Running
    store: Store
    monkeypatch: pytest.MonkeyPatch
    public: str = ""

    @property
    def config(self) -> str:
        return (self.folder / "tandem.yaml").read_bytes().decode()

    @property
    def env(self) -> str:
        return (self.folder / ".env").read_bytes().decode()

    def connect(self, platform: str, *options: str, input: str = "") -> Result:
        """Run the command without anybody to ask."""
        runner = CliRunner()
        result = runner.invoke(main, ["connect", platform, "--wait", "3", *options], input=input)
        if isinstance(result.exception, TandemError):
            return result
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        for secret in (SECRET, API_KEY, TOKEN, *self.webhook_secrets()):
            assert secret not in result.output
        return result

    def webhook_secrets(self) -> list[str]:
        return [hook.secret for hook in self.box.state.hooks.webhooks.values()]

    def zendesk(self, *options: str) -> Result:
        self.monkeypatch.setenv("ZD", SECRET)
        url = f"{self.box.zendesk}"
        return self.connect(
            "zendesk", "--url", url, "--desk", "acme", "--client-id", "tandem", "--secret-env", "ZD", "--yes", *options
        )

    def freshdesk(self, *options: str) -> Result:
        url = self.box.freshdesk
        return self.connect(
            "freshdesk", "--url", url, "--desk", "globex", "--secret-stdin", "--yes", *options, input=f"{API_KEY}\n"
        )

    def restart(self, **changes: Any) -> None:
        """Change what the sandbox is set to."""
        state = self.box.state
        state.config = replace(state.config, **changes)
        for desk in state.desks.values():
            desk.config = state.config


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tandem.yaml").write_text(YAML)
    (tmp_path / ".env").write_text(ENV)
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/tandem.db")
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    store = open_store(f"sqlite:///{tmp_path}/tandem.db")
    migrate(store.engine)
    config = SandboxConfig(
        zendesk_client_id="tandem",
        zendesk_client_secret=SECRET,
        zendesk_email="bot@acme.example",
        zendesk_api_token=TOKEN,
        freshdesk_api_key=API_KEY,
    )
    with running(config) as box, web(store) as url:
        monkeypatch.setenv("PUBLIC_URL", url)
        yield Machine(tmp_path, box, store, monkeypatch, url)
    store.engine.dispose()


class Web:
    """The web process, which reads its settings again when the files have changed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._app: Any = None
        self._read = ("", "")

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        texts = Path("tandem.yaml").read_text(), Path(".env").read_text()
        if texts != self._read:
            settings = load_settings(Path("tandem.yaml"), variables())
            self._app, self._read = create_app(read_environment(), settings, self._store, Silent()), texts
        answer: Iterable[bytes] = self._app(environ, start_response)
        return answer


from contextlib import contextmanager  # noqa: E402


@contextmanager
def web(store: Store) -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = make_server("127.0.0.1", 0, Web(store), threaded=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_zendesk_from_nothing_to_a_test_that_has_arrived(machine: Machine) -> None:
    result = machine.zendesk("--json")
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert said["rights"]["webhooks"] == "ok"
    assert said["webhook"]["by"] == "events"
    assert said["test"]["status"] == 202
    delivery = machine.store.deliveries.get(said["test"]["delivery"])
    assert delivery is not None
    assert (delivery.desk, delivery.state) == ("acme", "ignored")
    assert said["left"] == []
    assert machine.config.startswith(YAML)
    assert machine.env.startswith(ENV)
    assert value_at(machine.config, ("desks", "acme", "mode")) == "watch"
    assert (machine.folder / ".env").stat().st_mode & 0o777 == 0o600
    assert "secret" not in str(value_at(machine.config, ("desks", "acme"))).replace("_secret", "").replace("SECRET", "")
    [entry] = machine.store.audit.recent(5)
    assert (entry.action, entry.desk) == ("connect", "acme")
