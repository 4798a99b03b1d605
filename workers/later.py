"""Puts a later run of a ticket into the inbox where the ticket, as it was just read, calls for one."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from connectors.base import Changed
from triage.later import ASKED, Handled, next_occasion
from triage.settings import Mode, Settings
from triage.store import Store
from triage.store.deliveries import ASK
from triage.store.marks import BOT
from triage.store.runs import DONE, SKIPPED, Run
from triage.ticket import Ticket

logger = logging.getLogger(__name__)


def notice(ticket: Ticket, settings: Settings, store: Store, now: float, *, asks_only: bool = False) -> None:
    """Store a delivery for what is new on `ticket`; may be called by everybody who reads one, as often as they like.

    `asks_only` is for a run that is at it anyway: what customers have written is what it is about to judge.
    """
    desk = settings.desks.get(ticket.desk)
    may_be_new = len(ticket.messages) > 1 or settings.please_tag in ticket.tags
    if desk is None or desk.mode is Mode.OFF or not may_be_new:
        return
    past = [handled(run) for run in store.runs.all_of(ticket.desk, ticket.id)]
    occasion = next_occasion(ticket, past, settings, bot_of(store, ticket.desk))
    if occasion is None or (asks_only and not occasion.startswith(ASKED)):
        return
    received = store.deliveries.receive(
        ticket.desk,
        f"later:{ticket.id}:{occasion}",
        ticket_id=ticket.id,
        event="later",
        body=b"",
        now=now,
        occasion=occasion,
    )
    if received.is_new:
        logger.info("later: desk=%s ticket=%s %s", ticket.desk, ticket.id, occasion)


def handled(run: Run) -> Handled:
    """Return what the rules want to know of a run."""
    at = run.finished_at or run.started_at or run.created_at
    return Handled(run.occasion, run.state == DONE, run.state == SKIPPED, at, run.heard)


def bot_of(store: Store, desk: str) -> str:
    """Return our own user's id on a desk; empty until a worker has learned it."""
    known = store.cursors.get(desk, BOT)
    return known[0] if known else ""


def hear_asks(settings: Settings, store: Store, name: str, tickets: Sequence[Changed]) -> None:
    """Have the tickets of a page looked at whose tag asks for it and that nobody follows; the others are anyway."""
    asking = [ticket for ticket in tickets if settings.please_tag in ticket.tags] if settings.living.asked else []
    followed = store.clocks.seen(name, [ticket.ticket_id for ticket in asking]) if asking else {}
    for ticket in asking:
        if ticket.ticket_id not in followed:
            changed_at = ticket.updated_at.timestamp()
            store.deliveries.receive(
                name,
                f"ask:{ticket.ticket_id}:{changed_at:.0f}",
                ticket_id=ticket.ticket_id,
                event="reconcile",
                body=b"",
                now=time.time(),
                occasion=ASK,
            )
