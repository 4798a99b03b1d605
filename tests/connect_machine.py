"""A machine to connect desks on: a folder with the two files, a sandbox, a database, and a real web process."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner, Result
from werkzeug.serving import make_server

from manage import main
from sandbox.config import SandboxConfig
from sandbox.testing import Running, running
from triage.environment import read_environment, variables
from triage.errors import TandemError
from triage.settings_file import load_settings
from triage.store import Store, open_store
from triage.store.migrate import migrate
from webhooks.app import create_app
from webhooks.wakeup import Wakeup
from workers.connect_task import carry_out

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

    def set_up(self, desk: str, step: str) -> bool:
        """Do at once what a worker would."""
        environment = read_environment()
        store = open_store(environment.database_url)
        threading.Thread(target=carry_out, args=(desk, step, environment, store), daemon=True).start()
        return True


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

    def ticket(self) -> dict[str, str]:
        """Write as a customer to both; return the tickets' ids."""
        made = requests.post(f"{self.box.url}/sandbox/tickets", json={"subject": "a", "body": "b"}, timeout=10)
        return {vendor: str(number) for vendor, number in made.json()["tickets"].items()}

    def restart(self, **changes: Any) -> None:
        """Change what the sandbox is set to."""
        state = self.box.state
        state.config = replace(state.config, **changes)
        for desk in state.desks.values():
            desk.config = state.config


@contextmanager
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """Serve everything until the block ends; no desk is connected yet."""
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

    frozen = False

    def __init__(self, store: Store) -> None:
        self._store = store
        self._app: Any = None
        self._read = ("", "")

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        texts = Path("tandem.yaml").read_text(), Path(".env").read_text()
        if texts != self._read and not Web.frozen:
            settings = load_settings(Path("tandem.yaml"), variables())
            self._app, self._read = create_app(read_environment(), settings, self._store, Silent()), texts
        answer: Iterable[bytes] = self._app(environ, start_response)
        return answer


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
