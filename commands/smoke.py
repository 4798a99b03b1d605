"""Pushes the sample tickets through both sandbox helpdesks and checks what the agents see."""

from __future__ import annotations

import collections
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click

from commands.sandboxed import control, sandbox_environment, start_sandbox, start_tandem
from commands.stack import Stack, free_port
from triage.environment import variables

KEPT_LINES = 200
REFERENCE = "Tandem · ref TDM-"
# Nothing of the caller's own set-up may leak into the trial.
OWN_VARIABLES = ("TANDEM_CONFIG", "DATABASE_URL", "REDIS_URL", "BROKER_URL", "PORT", "PUBLIC_URL")


@click.command()
@click.option("--timeout", default=240.0, show_default=True, help="Seconds to wait for every note.")
def command(timeout: float) -> None:
    """Try the whole of Tandem on free ports with the sample tickets.

    Prints a table and ends with code 0 when every ticket carries exactly one
    private note and its tags, else 1.
    """
    lines: collections.deque[str] = collections.deque(maxlen=KEPT_LINES)
    with tempfile.TemporaryDirectory(prefix="tandem-smoke-") as folder:
        data = Path(folder)
        port, sandbox_port = free_port(), free_port()
        values = {key: value for key, value in variables().items() if key not in OWN_VARIABLES}
        values |= sandbox_environment(sandbox_port)
        values |= {"PORT": str(port), "DATABASE_URL": f"sqlite:///{data}/tandem.db"}
        stack = Stack(values, lambda name, line: lines.append(f"{name:8} {line}"))
        try:
            stack.environment["REDIS_URL"] = stack.start_broker(data / "redis")
            sandbox = start_sandbox(stack, sandbox_port, f"http://127.0.0.1:{port}", 0)
            start_tandem(stack, port, data)
            passed = _try(sandbox, timeout)
        finally:
            stack.stop()
    if not passed:
        click.echo("\n".join(["", "Last lines of the processes:", *lines]))
    sys.exit(0 if passed else 1)


def _try(sandbox: str, timeout: float) -> bool:
    start = time.monotonic()
    control(sandbox, "/sandbox/feed", {"every": 0})
    tickets: list[dict[str, Any]] = []
    while time.monotonic() - start < timeout:
        state = control(sandbox, "/sandbox/state")
        tickets = [
            {**ticket, "vendor": v} for v in ("zendesk", "freshdesk") for ticket in state[v] if ticket["sample_id"]
        ]
        if state["feed"]["done"] and tickets and all(_has_tags(ticket) for ticket in tickets):
            break
        time.sleep(0.5)
    # Whatever would write twice has the time to do it now.
    time.sleep(2)
    return _report(control(sandbox, "/sandbox/state"), time.monotonic() - start)


def _report(state: dict[str, Any], seconds: float) -> bool:
    """Print one row a ticket and say whether each is as it should be."""
    rows = [(vendor, ticket) for vendor in ("zendesk", "freshdesk") for ticket in state[vendor] if ticket["sample_id"]]
    bad = 0
    click.echo(f"{'helpdesk':9} {'sample':6} {'note':4} {'public':6}  tags")
    for vendor, ticket in rows:
        notes, public = _notes(ticket), _public_writes(ticket)
        good = notes == 1 and public == 0 and _has_tags(ticket)
        bad += not good
        tags = " ".join(tag.removeprefix("ai_") for tag in sorted(ticket["tags"]) if tag.startswith("ai_"))
        click.echo(
            f"{vendor:9} {ticket['sample_id']:6} {notes:4} {public:6}  {tags[:50]}{'' if good else '   <- wrong'}"
        )
    click.echo(f"\n{len(rows)} tickets, {len(rows) - bad} right, {bad} wrong, {seconds:.0f} s")
    return bool(rows) and bad == 0


def _notes(ticket: dict[str, Any]) -> int:
    return sum(1 for comment in ticket["comments"] if not comment["public"] and REFERENCE in comment["html"])


def _public_writes(ticket: dict[str, Any]) -> int:
    return sum(1 for comment in ticket["comments"] if comment["public"] and REFERENCE in comment["html"])


def _has_tags(ticket: dict[str, Any]) -> bool:
    return "ai_triaged" in ticket["tags"]
