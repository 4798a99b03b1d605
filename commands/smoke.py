"""Pushes the sample tickets through both sandbox helpdesks and checks what the agents see."""

from __future__ import annotations

import collections
import json
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click

from commands.sandboxed import SAMPLES, control, sandbox_environment, start_sandbox, start_tandem
from commands.stack import Stack, free_port
from triage.environment import variables

KEPT_LINES = 200
REFERENCE = "Tandem · ref TDM-"
VENDORS = ("zendesk", "freshdesk")
TAG = re.compile(
    r"ai_(triaged|needs_triage|escalate|team_[a-z_]+|priority_p[0-3]|sentiment_(frustrated|neutral|positive)"
    r"|churn_(high|medium|low))"
)
# What a row leaves out of each tag, to fit a terminal.
WORD = re.compile(r"^ai_(team_|priority_|sentiment_)?")
# Nothing of the caller's set-up may leak into the trial, neither from the shell nor from .env; no model is paid for.
OWN_VARIABLES = ("BROKER_URL", "PUBLIC_URL", "OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL", "LOG_LEVEL")


@click.command()
@click.option("--timeout", default=240.0, show_default=True, help="Seconds to wait for every note.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(timeout: float, as_json: bool) -> None:
    """Try the whole of Tandem on free ports with the sample tickets.

    Prints a table and ends with code 0 when every ticket carries exactly one
    private note and its tags, else 1.

    \b
    Examples:
      python manage.py smoke
      python manage.py smoke --json
    """
    lines: collections.deque[str] = collections.deque(maxlen=KEPT_LINES)
    with tempfile.TemporaryDirectory(prefix="tandem-smoke-") as folder:
        data = Path(folder)
        port, sandbox_port = free_port(), free_port()
        values = variables() | dict.fromkeys(OWN_VARIABLES, "") | sandbox_environment(sandbox_port)
        values |= {"PORT": str(port), "DATABASE_URL": f"sqlite:///{data}/tandem.db"}
        stack = Stack(values, lambda name, line: lines.append(f"{name:8} {line}"))
        try:
            stack.environment["REDIS_URL"] = stack.start_broker(data / "redis")
            sandbox = start_sandbox(stack, sandbox_port, f"http://127.0.0.1:{port}", 0)
            start_tandem(stack, port, data)
            passed = _try(sandbox, timeout, as_json)
        finally:
            stack.stop()
    if not passed:
        click.echo("\n".join(["", "Last lines of the processes:", *lines]), err=as_json)
    sys.exit(0 if passed else 1)


def _try(sandbox: str, timeout: float, as_json: bool) -> bool:
    start = time.monotonic()
    control(sandbox, "/sandbox/feed", {"every": 0})
    tickets: list[dict[str, Any]] = []
    while time.monotonic() - start < timeout:
        state = control(sandbox, "/sandbox/state")
        tickets = [ticket for vendor in VENDORS for ticket in state[vendor] if ticket["sample_id"]]
        if state["feed"]["done"] and tickets and all(_has_tags(ticket) for ticket in tickets):
            break
        time.sleep(0.5)
    # Whatever would write twice has the time to do it now.
    time.sleep(2)
    return _report(control(sandbox, "/sandbox/state"), time.monotonic() - start, as_json)


def _report(state: dict[str, Any], seconds: float, as_json: bool) -> bool:
    """Print one row a ticket and say whether each is as it should be."""
    samples = {row["id"]: row for row in map(json.loads, SAMPLES.read_text(encoding="utf-8").splitlines())}
    rows = [(vendor, ticket) for vendor in VENDORS for ticket in state[vendor] if ticket["sample_id"]]
    expected = 2 * len(samples)
    faults = [_fault(ticket, samples[ticket["sample_id"]]) for _, ticket in rows]
    bad = sum(map(bool, faults))
    passed = len(rows) == expected and bad == 0
    if as_json:
        shown = [
            {"helpdesk": vendor, "sample": ticket["sample_id"], "notes": _notes(ticket), "fault": fault,
             "tags": sorted(_ours(ticket))}
            for (vendor, ticket), fault in zip(rows, faults, strict=True)
        ]  # fmt: skip
        click.echo(json.dumps({"passed": passed, "expected": expected, "seconds": round(seconds), "tickets": shown}))
        return passed
    click.echo(f"{'helpdesk':10}{'sample':8}{'notes':7}tags")
    for (vendor, ticket), fault in zip(rows, faults, strict=True):
        tags = " ".join(WORD.sub("", tag) for tag in sorted(_ours(ticket) - {"ai_triaged"}))
        click.echo(f"{vendor:10}{ticket['sample_id']:8}{_notes(ticket):<7}{fault or tags}")
    click.echo(f"\n{len(rows)} of {expected} tickets, {len(rows) - bad} right, {bad} wrong, {seconds:.0f} s")
    return passed


def _fault(ticket: dict[str, Any], sample: dict[str, Any]) -> str:
    """Return what is wrong with a ticket, or an empty text."""
    public = sum(1 for comment in ticket["comments"] if comment["public"])
    if public != 1 + sum(1 for message in sample.get("conversation", ()) if message["public"]):
        return "WRONG: a public comment was written"
    if _notes(ticket) != 1:
        return "WRONG: not exactly one note"
    if not _has_tags(ticket) or not all(TAG.fullmatch(tag) for tag in _ours(ticket)):
        return "WRONG: tags are missing or not those of the contract"
    return ""


def _notes(ticket: dict[str, Any]) -> int:
    return sum(1 for comment in ticket["comments"] if not comment["public"] and REFERENCE in comment["html"])


def _ours(ticket: dict[str, Any]) -> set[str]:
    return {tag for tag in ticket["tags"] if tag.startswith("ai_")}


def _has_tags(ticket: dict[str, Any]) -> bool:
    return "ai_triaged" in ticket["tags"]
