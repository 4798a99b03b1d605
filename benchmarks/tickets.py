"""Tickets to measure with: the sandbox's samples, and the same words many times over for long ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from triage.ticket import Author, Message, Organization, Ticket

SAMPLES = Path(__file__).parents[1] / "sandbox" / "sample_tickets.jsonl"
LONG = (5_000, 20_000, 100_000)
"""Characters of the long tickets: a page and a half, a thread, a log somebody pasted."""


def sample_tickets() -> list[Ticket]:
    """Return the sandbox's sample tickets."""
    with SAMPLES.open(encoding="utf-8") as lines:
        return [_ticket(json.loads(line)) for line in lines]


def long_tickets() -> list[Ticket]:
    """Return one ticket per length of LONG, made of the samples' different texts."""
    words = "\n\n".join(message.body for ticket in sample_tickets() for message in ticket.messages if not message.html)
    whole = words * (max(LONG) // len(words) + 1)
    return [Ticket("", f"long-{size}", subject="Long", messages=(_said(whole[:size]),)) for size in LONG]


def _ticket(row: dict[str, Any]) -> Ticket:
    organization = row.get("organization") or {}
    return Ticket(
        "",
        str(row["id"]),
        subject=row["subject"],
        organization=Organization(tier=organization.get("tier") or "", mrr=organization.get("mrr")),
        messages=(_said(row["body"], html=bool(row["html"])),),
    )


def _said(body: str, *, html: bool = False) -> Message:
    return Message("1", Author.CUSTOMER, body, html=html)
