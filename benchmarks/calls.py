"""How many calls a ticket takes at its helpdesk and at the language model, counted at the other end.

The real connectors, pipeline and classifier against the sandbox helpdesk. Signing in, and what is read once an hour
for a whole account, is counted as "cold".
"""

from __future__ import annotations

import re
import secrets
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from pydantic import SecretStr

from benchmarks.outside import MODEL
from benchmarks.result import Figure, Result
from commands.sandboxed import CREDENTIALS, SETTINGS, control
from commands.stack import Stack, answers, free_port
from sandbox.config import SandboxConfig
from sandbox.testing import Running, running
from triage.environment import Environment
from triage.settings_file import load_settings
from triage.store.deliveries import ASK, CREATED, OPEN_STATES
from triage.store.marks import BOT
from triage.store.migrate import migrate
from workers.deliver import deliver
from workers.runtime import Runtime

DESKS = {"zendesk": "acme", "freshdesk": "globex"}
# Calls of a usual ticket, and of one whose customer is not known yet: Freshdesk's fifth is the list of their tickets.
KNOWN = 4
TARGET = {"zendesk": 4, "freshdesk": 5}
PER_MINUTE = 400
LIMIT = 1_000_000
AGE_SECONDS = 3.5
COMPANY = {"name": "Fernhill", "tier": "business", "plan": "Team", "mrr": 640, "days_old": 800}
BODY = "The calendar does not open since Monday, I see an empty page. Can you look into it?"
SAID = [
    {"author": "agent", "body": "Which browser do you use?"},
    {"author": "customer", "body": "Firefox, the newest one."},
]
EARLIER = [{"subject": "How do I invite people?", "days_ago": 9}]


@dataclass
class Taken:
    """The calls of some tickets."""

    tickets: int = 0
    calls: Counter[str] = field(default_factory=Counter)
    credits: int = 0
    repeated: int = 0
    """Reads that were made before in the same piece of work, with the same address."""

    def add(self, calls: Sequence[dict[str, Any]]) -> None:
        """Count the calls of one piece of work."""
        read: Counter[tuple[str, str]] = Counter()
        for one in calls:
            self.calls[f"{one['method']} {one['endpoint']}"] += 1
            included = re.search(r"include=([^&]*)", one["query"])
            named = included[1].count("%2C") + 1 if included else 0
            # As Freshdesk charges: an include of a ticket one more, of a list two.
            self.credits += 1 + named * (2 if one["endpoint"].endswith("/tickets") else 1)
            if one["method"] == "GET":
                read[one["path"], one["query"]] += 1
        self.repeated += sum(read.values()) - len(read)

    @property
    def each(self) -> float:
        """Return the calls of one ticket."""
        return sum(self.calls.values()) / self.tickets


class Counted:
    """One Tandem and both helpdesks; tickets go through one at a time."""

    def __init__(self, sandbox: Running, folder: Path, model: str, secret: Mapping[str, str]) -> None:
        self.sandbox = sandbox
        values = {**secret, "SANDBOX_URL": sandbox.url}
        self.environment = Environment(
            database_url=f"sqlite:///{folder}/{'model' if model else 'none'}.db",
            redis_url="",
            openai_base_url=model,
            openai_api_key=SecretStr("not-a-secret" if model else ""),
        )
        self.settings = load_settings(SETTINGS, values)
        self.runtime = Runtime(self.environment, self.settings)
        migrate(self.runtime.store.engine)
        for vendor, desk in DESKS.items():
            # What the daily look at the account writes down: whose notes are ours.
            bot = control(sandbox.url, "/sandbox/state")["accounts"][vendor]["bot_id"]
            self.runtime.store.cursors.set(desk, BOT, str(bot), time.time())
            # What each look at the changed tickets writes down. A look itself would take in the tickets of others.
            self.runtime.store.customers.followed(desk, time.time())
        self._serial = 0

    def restart(self) -> None:
        """Begin with empty caches, as a worker that was just started."""
        store = self.runtime.store
        self.runtime = Runtime(self.environment, self.settings)
        store.engine.dispose()

    def ticket(self, vendor: str, **more: Any) -> str:
        """Let a customer nobody has heard of write, or one of old where `more` holds their earlier tickets."""
        self._serial += 1
        who = {"name": f"Kim {self._serial}", "email": f"kim{self._serial}@fernhill.example"}
        sample = {"vendor": vendor, "subject": "Calendar", "body": BODY, "requester": who, "silent": True, **more}
        return str(control(self.sandbox.url, "/sandbox/tickets", sample)["id"])

    def run(self, vendor: str, ticket_id: str, occasion: str = CREATED) -> list[list[dict[str, Any]]]:
        """Carry out one delivery and whatever follows from it; return the calls of each."""
        made: list[list[dict[str, Any]]] = []
        store, desk = self.runtime.store, DESKS[vendor]
        self._serial += 1
        store.deliveries.receive(
            desk, f"{self._serial}", ticket_id=ticket_id, event="x", body=b"", now=time.time(), occasion=occasion
        )
        for _ in range(12):
            for row in store.deliveries.recent(10):
                if row.state in OPEN_STATES:
                    requests.delete(f"{self.sandbox.url}/sandbox/calls", timeout=10)
                    deliver(row.id, store, self.runtime.leases, self.runtime.tools)
                    made.append(control(self.sandbox.url, "/sandbox/calls")["calls"])
        return made

    def count(self, vendor: str, ticket_id: str, occasion: str = CREATED, into: Taken | None = None) -> Taken:
        """Run one delivery and return the calls it took."""
        taken = into or Taken()
        taken.tickets += 1
        for calls in self.run(vendor, ticket_id, occasion):
            taken.add(calls)
        return taken


def run(short: bool = False) -> Result:
    """Count the calls of the usual kinds of tickets."""
    tickets = 2 if short else 10
    with tempfile.TemporaryDirectory(prefix="tandem-bench-") as name, _sandbox() as (sandbox, secret):
        figures: list[Figure] = []
        notes: list[str] = []
        counted = Counted(sandbox, Path(name), "", secret)
        for vendor in DESKS:
            figures += _of_vendor(counted, vendor, tickets, notes)
        with _model() as (url, told):
            figures += _with_model(Counted(sandbox, Path(name), url, secret), told, tickets)
    return Result("calls", figures, notes)


def _of_vendor(counted: Counted, vendor: str, tickets: int, notes: list[str]) -> list[Figure]:
    kinds: dict[str, Taken] = {
        kind: Taken() for kind in ("new, of old", "known", "new", "with talk", "at once", "goes on", "cold")
    }
    counted.run(vendor, counted.ticket(vendor, organization=COMPANY))
    known = {"organization": COMPANY, "earlier": EARLIER}
    who = [{"name": f"Ada {n}", "email": f"ada{n}@fernhill.example"} for n in range(tickets)]
    made = {
        "new, of old": [counted.ticket(vendor, **known, requester=one) for one in who],
        "known": [counted.ticket(vendor, organization=COMPANY, requester=one) for one in who],
        "new": [counted.ticket(vendor, organization=COMPANY) for _ in range(tickets)],
        "with talk": [counted.ticket(vendor, **known, conversation=SAID) for _ in range(tickets)],
        "cold": [counted.ticket(vendor, **known)],
    }
    # A webhook takes its time too. What is read within the second it was changed in is the next kind's.
    time.sleep(AGE_SECONDS)
    for kind, ids in made.items():
        if kind == "cold":
            counted.restart()
        for ticket_id in ids:
            counted.count(vendor, ticket_id, into=kinds[kind])
    for ticket_id in made["new, of old"]:
        counted.count(vendor, counted.ticket(vendor, **known), into=kinds["at once"])
        control(counted.sandbox.url, f"/sandbox/agent/{vendor}/{ticket_id}", {"note": "@tandem shorter"})
        counted.count(vendor, ticket_id, ASK, into=kinds["goes on"])
    figures = []
    for kind, taken in kinds.items():
        aim = None if kind in ("cold", "goes on") else KNOWN if kind == "known" else TARGET[vendor]
        figures.append(Figure(f"{vendor}: {kind}, calls", taken.each, "calls", aim, counted=True))
        notes += [f"{vendor}, {kind}:"]
        notes += [f"  {count / taken.tickets:g} x {call}" for call, count in taken.calls.items()]
        if vendor == "freshdesk":
            notes += [f"  {taken.credits / taken.tickets:g} credits"]
    twice = sum(one.repeated for one in kinds.values())
    figures.append(Figure(f"{vendor}: reads made twice", twice, "calls", 0, counted=True))
    usual = kinds["known"]
    each = usual.credits / usual.tickets if vendor == "freshdesk" else usual.each
    figures.append(Figure(f"{vendor}: at {PER_MINUTE} a minute", PER_MINUTE / each, "tickets/min"))
    return figures


def _with_model(counted: Counted, told: str, tickets: int) -> list[Figure]:
    for vendor in DESKS:
        for _ in range(tickets):
            counted.run(vendor, counted.ticket(vendor))
    asked = sum(many for call, many in control(told, "/told")["calls"].items() if "completions" in call)
    return [Figure("calls to the model, a new ticket", asked / (2 * tickets), "calls", 1, counted=True)]


@contextmanager
def _sandbox() -> Iterator[tuple[Running, dict[str, str]]]:
    secret = {name: secrets.token_urlsafe(18) for name in CREDENTIALS}
    limits = {"zendesk_limit": LIMIT, "zendesk_update_limit": LIMIT, "freshdesk_limit": LIMIT}
    with running(SandboxConfig.from_environment(secret, **limits)) as sandbox:
        yield sandbox, secret


@contextmanager
def _model() -> Iterator[tuple[str, str]]:
    """Yield the address of a language model that answers at once, and where it tells how often it was asked."""
    port = free_port()
    stack = Stack({"PATH": ""}, lambda _name, _line: None)
    url = f"http://127.0.0.1:{port}"
    try:
        stack.start("outside", [sys.executable, "-m", "benchmarks.outside", str(port)])
        stack.wait_for("outside", lambda: answers(f"{url}/told"))
        yield f"{url}{MODEL}", url
    finally:
        stack.stop()
