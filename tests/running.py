"""One Tandem as processes beside the sandbox helpdesk, for tests that let things go wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from commands.sandboxed import SETTINGS, control, sandbox_environment, start_sandbox, start_tandem
from commands.stack import ROOT, Stack, free_port
from tests.canaries import WORDS, secrets_of, seen_in
from triage.store import Store, open_store

VENDORS = ("zendesk", "freshdesk")
REFERENCE = "Tandem · ref TDM-"


class Tandem:
    """One running Tandem and its sandbox.

    `updates` has the sandbox tell of changes too, `settings` stands below the sandbox's two desks in `tandem.yaml`,
    `of_desk` in each of the two, `variables` beside the others in the environment.
    """

    def __init__(
        self,
        folder: Path,
        database_url: str = "",
        *,
        updates: bool = False,
        settings: str = "",
        of_desk: str = "",
        variables: Mapping[str, str] | None = None,
        calls_per_minute: int | None = None,
    ) -> None:
        self.folder = folder
        self.updates = updates
        self.calls_per_minute = calls_per_minute
        self.lines: list[str] = []
        self.port, sandbox_port = free_port(), free_port()
        self.url, self.sandbox = f"http://127.0.0.1:{self.port}", f"http://127.0.0.1:{sandbox_port}"
        values = dict(os.environ) | sandbox_environment(sandbox_port)
        # A copy, so that a test may change it while everything runs.
        self.file = folder / "tandem.yaml"
        desks = SETTINGS.read_text().replace("    context_fields:", f"{of_desk}    context_fields:")
        self.file.write_text(desks + settings)
        values |= {"PORT": str(self.port), "DATABASE_URL": database_url or f"sqlite:///{folder}/tandem.db"}
        values |= {"TANDEM_CONFIG": str(self.file)} | dict(variables or {})
        self.stack = Stack(values, lambda name, line: self.lines.append(f"{name}: {line}"))
        self.store: Store = open_store(values["DATABASE_URL"])

    def start(self) -> None:
        self.stack.environment["REDIS_URL"] = self.start_broker()
        port = int(self.sandbox.rsplit(":", 1)[1])
        limit = self.calls_per_minute
        start_sandbox(self.stack, port, self.url, 0, updates=self.updates, calls_per_minute=limit)
        start_tandem(self.stack, self.port, self.folder)

    def start_broker(self) -> str:
        """Start Redis and return its address."""
        return self.stack.start_broker(self.folder / "redis")

    def stop(self) -> None:
        self.store.engine.dispose()
        self.stack.stop()
        # Everything the processes printed: their logs at every level that is on, their last words.
        printed = "\n".join(self.lines)
        assert not seen_in(printed, secrets_of(self.stack.environment) | WORDS)

    def process(self, name: str) -> subprocess.Popen[bytes]:
        return next(process.popen for process in self.stack.processes if process.name == name)

    def end(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        process = self.process(name)
        os.kill(process.pid, number)
        process.wait(60)
        self.forget(name)

    def forget(self, name: str) -> None:
        self.stack.processes = [process for process in self.stack.processes if process.name != name]

    def act(self, one: tuple[str, str], **wanted: object) -> dict[str, Any]:
        """Have a person do something to a ticket and return it as it is then: `sandbox/control.py` names what."""
        shown: dict[str, Any] = control(self.sandbox, f"/sandbox/agent/{one[0]}/{one[1]}", wanted)
        return shown

    def ticket(
        self, vendor: str, text: str = "I was charged twice for invoice 4711, please refund one", **more: Any
    ) -> str:
        body = {
            "vendor": vendor,
            "subject": "Charged twice",
            "body": text,
            "requester": {"name": "Ada Example", "email": "ada@customer.example"},
            **more,
        }
        return str(control(self.sandbox, "/sandbox/tickets", body)["id"])

    def manage(self, *arguments: str) -> None:
        """Run a command beside what runs."""
        command = [sys.executable, "manage.py", *arguments]
        subprocess.run(command, cwd=ROOT, env=self.stack.environment, check=True, capture_output=True, timeout=60)

    def knock(self, desk: str) -> int:
        """Return the answer to a webhook without a signature."""
        request = urllib.request.Request(f"{self.url}/webhooks/zendesk/{desk}", b"{}", method="POST")
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=10)
        return refused.value.code

    def tickets(self, vendor: str) -> dict[str, dict[str, Any]]:
        return {str(ticket["id"]): ticket for ticket in control(self.sandbox, "/sandbox/state")[vendor]}

    def notes(self, vendor: str, ticket_id: str) -> int:
        comments = self.tickets(vendor)[ticket_id]["comments"]
        assert not any(REFERENCE in comment["html"] for comment in comments if comment["public"])
        return sum(1 for comment in comments if REFERENCE in comment["html"])

    def has_tags(self, vendor: str, ticket_id: str) -> bool:
        return "ai_triaged" in self.tickets(vendor)[ticket_id]["tags"]

    def wait(self, what: str, ready: Callable[[], bool], seconds: float = 60.0) -> float:
        start = time.monotonic()
        while not ready():
            # As `up`, Docker or systemd would.
            self.stack.revive()
            assert time.monotonic() - start < seconds, f"{what}: not within {seconds} s\n" + "\n".join(self.lines[-40:])
            time.sleep(0.2)
        return time.monotonic() - start

    def settled(self) -> bool:
        return self.store.deliveries.oldest_open() is None
