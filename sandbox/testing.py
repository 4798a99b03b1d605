"""Serve a sandbox inside a test: `with running(config) as box: requests.get(box.url)`."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from werkzeug.serving import make_server

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
