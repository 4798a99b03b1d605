"""Serve a sandbox inside a test: `with running(config) as box: requests.get(box.url)`."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from sandbox.app import create_app, sandbox_of
from sandbox.config import SandboxConfig
from sandbox.state import Sandbox


@dataclass(frozen=True)
class Running:
    """A sandbox that is being served."""

    url: str
    state: Sandbox

    @property
    def zendesk(self) -> str:
        """Give the Zendesk account's address."""
        return f"{self.url}/zendesk"

    @property
    def freshdesk(self) -> str:
        """Give the Freshdesk account's address."""
        return f"{self.url}/freshdesk"


@contextmanager
def running(config: SandboxConfig, port: int = 0) -> Iterator[Running]:
    """Serve a sandbox on a free port of 127.0.0.1 until the block ends."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    app = create_app(config)
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield Running(f"http://127.0.0.1:{server.port}", sandbox_of(app))
    finally:
        sandbox_of(app).close()
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass(frozen=True)
class Received:
    """One webhook as it arrived."""

    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes


class Receiver:
    """Stand in for Tandem: keep every webhook and answer as told, then with 202."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.delay = 0.0
        self.url = ""
        self._changed = threading.Condition()

    def wait(self, count: int, seconds: float = 10.0) -> list[Received]:
        """Wait until so many webhooks have arrived; AssertionError when they do not."""
        with self._changed:
            arrived = self._changed.wait_for(lambda: len(self.received) >= count, seconds)
            assert arrived, f"{len(self.received)} of {count} webhooks arrived"
            return list(self.received)

    def answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Take one webhook (a WSGI app)."""
        request = Request(environ)
        query = f"?{request.query_string.decode()}" if request.query_string else ""
        one = Received(request.path + query, {k.lower(): v for k, v in request.headers.items()}, request.get_data())
        with self._changed:
            self.received.append(one)
            status, headers = self.answers.pop(0) if self.answers else (202, {})
            self._changed.notify_all()
        time.sleep(self.delay)
        return Response("{}", status, headers)(environ, start_response)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Serve a Receiver on a free port of 127.0.0.1 until the block ends."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    receiver = Receiver()
    server = make_server("127.0.0.1", 0, receiver.answer, threaded=True)
    receiver.url = f"http://127.0.0.1:{server.port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Session(requests.Session):
    """Talk to a sandbox: relative paths, no proxy, a time limit."""

    def __init__(self, base: str, user: str | None = None, password: str = "X") -> None:  # noqa: S107
        super().__init__()
        self.base = base
        self.trust_env = False
        self.auth = (user, password) if user else None

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        """Send a request to a path of the base address."""
        kwargs.setdefault("timeout", 10)
        text = url.decode() if isinstance(url, bytes) else url
        return super().request(method, text if "://" in text else self.base + text, *args, **kwargs)
