"""A whole Tandem beside the sandbox helpdesk, as `up` and `smoke` start it."""

from __future__ import annotations

import json
import secrets
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from commands.stack import ROOT, Stack, answers
from triage.environment import read_environment
from triage.store import open_store
from triage.store.marks import EVERY_DESK, WORKER

SETTINGS = ROOT / "sandbox" / "tandem.yaml"
SAMPLES = ROOT / "sandbox" / "sample_tickets.jsonl"
CREDENTIALS = (
    "SANDBOX_ZENDESK_CLIENT_ID",
    "SANDBOX_ZENDESK_CLIENT_SECRET",
    "SANDBOX_ZENDESK_WEBHOOK_SECRET",
    "SANDBOX_FRESHDESK_API_KEY",
    "SANDBOX_FRESHDESK_WEBHOOK_SECRET",
)


def sandbox_environment(port: int) -> dict[str, str]:
    """Return the variables of a sandbox on `port`: address, settings file and secrets made for this start."""
    made = {name: secrets.token_urlsafe(18) for name in CREDENTIALS}
    return made | {"SANDBOX_URL": f"http://127.0.0.1:{port}", "TANDEM_CONFIG": str(SETTINGS)}


def start_sandbox(
    stack: Stack,
    port: int,
    deliver_to: str,
    every: float,
    *,
    updates: bool = False,
    own_port: int | None = None,
    calls_per_minute: int | None = None,
) -> str:
    """Start the sandbox helpdesk and return its address.

    `updates` sends webhooks about changes too, `own_port` serves a second pair of accounts for a visitor to connect,
    `calls_per_minute` stands in for the vendors' rate limits.
    """
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "sandbox", "--port", str(port), "--deliver-to", deliver_to]
    more = ["--updates"] if updates else []
    more += ["--own-port", str(own_port)] if own_port else []
    more += ["--calls-per-minute", str(calls_per_minute)] if calls_per_minute else []
    stack.start("sandbox", [*command, "--tickets", str(SAMPLES), "--every", str(every), *more])
    stack.wait_for("sandbox", lambda: answers(f"{url}/"))
    return url


def start_tandem(stack: Stack, port: int, data: Path) -> str:
    """Start web, worker and beat, wait for them and return the web address."""
    url, begun = f"http://127.0.0.1:{port}", time.time()
    stack.run("migrate")
    stack.manage("web")
    stack.manage("worker")
    stack.start("beat", [sys.executable, "manage.py", "beat", "--schedule", str(data / "beat-schedule")])
    stack.wait_for("web", lambda: answers(f"{url}/readyz"))
    store = open_store(read_environment(stack.environment).database_url)
    stack.wait_for("worker", lambda: (store.cursors.get(EVERY_DESK, WORKER) or ("", 0.0))[1] >= begun)
    store.engine.dispose()
    return url


def control(url: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """Return the sandbox's JSON answer to a GET, or to a POST of `body`."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{url}{path}", data=data, headers={"Content-Type": "application/json"})  # noqa: S310  # nosec B310
    with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310 - our own loopback address  # nosec B310
        return json.load(response)
