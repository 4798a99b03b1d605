"""The moods that earlier runs saw, for the mood path in a note."""

from __future__ import annotations

from triage.store import Store
from triage.store.runs import Run
from triage.ticket import Ticket


def moods_of(ticket: Ticket, store: Store) -> dict[str, str]:
    """Return ticket id -> mood of the requester's newest tickets and of this one, as far as runs were sure of it."""
    runs = store.runs.done_of(ticket.desk, [ticket.id, *(one.id for one in ticket.background.before)])
    return {ticket_id: mood for ticket_id, run in runs.items() if (mood := _mood(run))}


def _mood(run: Run) -> str:
    answer, decision = run.classification or {}, run.decision or {}
    return "" if "sentiment" in decision.get("abstained", []) else str(answer.get("sentiment") or "")
