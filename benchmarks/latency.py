"""How long after its webhook was accepted a ticket carries its note, on a system that does nothing else.

Web, worker, beat, broker and the sandbox helpdesk are processes of their own; one ticket at a time. Where a language
model answers, it takes a second.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import requests
from sqlalchemy import select

from benchmarks.calls import BODY, COMPANY, DESKS, EARLIER
from benchmarks.knock import knock
from benchmarks.outside import MODEL
from benchmarks.result import Figure, Result
from commands.sandboxed import control, sandbox_environment, start_sandbox, start_tandem
from commands.smoke import OWN_VARIABLES
from commands.stack import Stack, answers, free_port
from triage.environment import variables
from triage.store import Store, open_store
from triage.store.deliveries import OPEN_STATES
from triage.store.tables import deliveries, runs

TICKETS, SHORT_TICKETS = 100, {"embedded": 10, "llm": 3}
MODEL_SECONDS = 1.0
START_MS = 25.0
PATIENCE_SECONDS = 60.0
LOOK_EVERY = 0.05
STEPS = ("read", "classify", "knowledge", "draft", "reply")


@dataclass(frozen=True)
class Way:
    """Where one ticket's time went, in milliseconds."""

    accepted: float
    """From the webhook to its 202."""
    begun: float
    """From the webhook to the start of the run, which is often before the sender has read the 202."""
    seen: float
    """From the 202 until the helpdesk has taken the note."""
    steps: Mapping[str, float]
    done: float


class Idle:
    """A whole Tandem beside the sandbox helpdesk."""

    def __init__(self, folder: Path, model: str) -> None:
        port, sandbox_port = free_port(), free_port()
        self.values = variables() | dict.fromkeys(OWN_VARIABLES, "") | sandbox_environment(sandbox_port)
        self.values |= {"PORT": str(port), "DATABASE_URL": f"sqlite:///{folder}/tandem.db", "OPENAI_BASE_URL": model}
        self.url = f"http://127.0.0.1:{port}"
        self.lines: list[str] = []
        self.stack = Stack(self.values, lambda name, line: self.lines.append(f"{name} {line}"))
        self.sender = requests.Session()
        self.sender.trust_env = False
        self._serial = 0
        self.sandbox, self.store = self._start(folder, port, sandbox_port)

    def _start(self, folder: Path, port: int, sandbox_port: int) -> tuple[str, Store]:
        try:
            self.stack.environment["REDIS_URL"] = self.stack.start_broker(folder / "redis")
            sandbox = start_sandbox(self.stack, sandbox_port, self.url, 0)
            start_tandem(self.stack, port, folder)
        except BaseException:
            self.stop()
            raise
        return sandbox, open_store(self.values["DATABASE_URL"])

    def stop(self) -> None:
        """End every process."""
        self.sender.close()
        self.stack.stop()

    def ticket(self, vendor: str) -> str:
        """Let a customer write; the helpdesk keeps it to itself."""
        self._serial += 1
        who = {"name": f"Kim {self._serial}", "email": f"kim{self._serial}@fernhill.example"}
        sample: dict[str, Any] = {
            "vendor": vendor,
            "subject": "Calendar",
            "body": f"{BODY} ({self._serial})",
            "requester": who,
        }
        sample |= {"silent": True, "organization": COMPANY, "earlier": EARLIER}
        return str(control(self.sandbox, "/sandbox/tickets", sample)["id"])

    def knock(self, vendor: str, ticket_id: str) -> tuple[float, float]:
        """Send the webhook of a new ticket; return when it left and when its answer was read."""
        secret = self.values[f"SANDBOX_{vendor.upper()}_WEBHOOK_SECRET"]
        body, headers = knock(vendor, ticket_id, secret)
        left = time.time()
        answer = self.sender.post(
            f"{self.url}/webhooks/{vendor}/{DESKS[vendor]}", data=body, headers=headers, timeout=10
        )
        read = time.time()
        if answer.status_code != 202:
            raise RuntimeError(f"a webhook of {vendor} was answered {answer.status_code}")
        return left, read

    def way(self, vendor: str) -> Way:
        """Push one ticket through."""
        ticket_id = self.ticket(vendor)
        time.sleep(LOOK_EVERY)
        left, accepted = self.knock(vendor, ticket_id)
        run = self._done(vendor, ticket_id)
        path = f"/tickets/{ticket_id}/notes" if vendor == "freshdesk" else f"/tickets/{ticket_id}"
        calls = control(self.sandbox, "/sandbox/calls")["calls"]
        taken = [one for one in calls if one["vendor"] == vendor and one["method"] in ("PUT", "POST")]
        seen = next(one["at"] for one in taken if one["path"].removesuffix(".json").endswith(path))
        steps = {name: run["timings"].get(name, 0.0) * 1000 for name in STEPS}
        done = (run["finished_at"] - accepted) * 1000
        return Way((accepted - left) * 1000, (run["started_at"] - left) * 1000, (seen - accepted) * 1000, steps, done)

    def _done(self, vendor: str, ticket_id: str) -> Mapping[str, Any]:
        until = time.monotonic() + PATIENCE_SECONDS
        mine = runs.c.desk == DESKS[vendor], runs.c.ticket_id == ticket_id
        while time.monotonic() < until:
            with self.store.engine.connect().execution_options(reads_only=True) as connection:
                found = connection.execute(select(runs).where(*mine, runs.c.state == "done")).mappings().first()
                left = connection.execute(select(deliveries.c.id).where(deliveries.c.state.in_(OPEN_STATES))).first()
            if found and not left:
                return dict(found)
            time.sleep(LOOK_EVERY)
        raise RuntimeError("\n".join([f"ticket {ticket_id} of {vendor} was not done", *self.lines[-20:]]))


def run(short: bool = False) -> Result:
    """Measure with the embedded classifier, then with a model that takes a second."""
    figures: list[Figure] = []
    notes = ["of each, medians in ms: the answer; webhook to start, steps, the rest up to the note"]
    with model() as url:
        for kind, base in (("embedded", ""), ("llm", url)):
            tickets = SHORT_TICKETS[kind] if short else TICKETS
            with tempfile.TemporaryDirectory(prefix="tandem-bench-") as name:
                idle = Idle(Path(name), base)
                try:
                    for vendor in DESKS:
                        figures += _measured(idle, vendor, kind, tickets, notes)
                finally:
                    idle.store.engine.dispose()
                    idle.stop()
    return Result("latency", figures, notes)


def _measured(idle: Idle, vendor: str, kind: str, tickets: int, notes: list[str]) -> list[Figure]:
    # The first one signs in and warms up.
    ways = [idle.way(vendor) for _ in range(tickets + 1)][1:]
    seen, begun = [way.seen for way in ways], median(way.begun for way in ways)
    steps = {name: median(way.steps[name] for way in ways) for name in STEPS}
    rest = median(way.accepted + way.seen - way.begun - sum(way.steps.values()) for way in ways)
    parts = " ".join(f"{name} {value:.0f}" for name, value in steps.items() if value >= 1)
    notes.append(f"{vendor}, {kind}: 202 {median(way.accepted for way in ways):.0f} | start {begun:.0f} {parts}")
    notes.append(
        f"  saving, composing, the call {rest:.0f} | tags and end {median(way.done - way.seen for way in ways):.0f}"
    )
    return [
        Figure(f"{vendor}, {kind}: note seen, p50", median(seen), "ms"),
        Figure(f"{vendor}, {kind}: note seen, p95", quantiles(seen, n=20, method="inclusive")[-1], "ms"),
        Figure(f"{vendor}, {kind}: webhook to start, p50", begun, "ms", START_MS),
    ]


@contextmanager
def model() -> Iterator[str]:
    """Yield the address of a language model that takes its time."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    stack = Stack({"PATH": ""}, lambda _name, _line: None)
    try:
        stack.start("outside", [sys.executable, "-m", "benchmarks.outside", str(port)])
        stack.wait_for("outside", lambda: answers(f"{url}/told"))
        control(url, "/set", {MODEL: MODEL_SECONDS})
        yield f"{url}{MODEL}"
    finally:
        stack.stop()
