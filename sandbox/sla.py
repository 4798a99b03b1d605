"""What the SLA clocks of both helpdesks are made from: who answered when, who waits, and how long nobody had to."""

from __future__ import annotations

from datetime import datetime, timedelta

from sandbox.desk import Desk
from sandbox.records import Comment, Ticket

# Statuses that end the clocks.
DONE = frozenset({"solved", "resolved", "closed"})


def replies(desk: Desk, one: Ticket) -> list[Comment]:
    """List the public answers of agents."""
    return [c for c in one.comments if c.public and desk.people[c.author_id].role != "end-user"]


def waiting_since(desk: Desk, one: Ticket) -> datetime | None:
    """Say since when the customer waits for another answer; None before the first and while nobody waits."""
    answered = replies(desk, one)
    if not answered:
        return None
    later = one.comments[one.comments.index(answered[-1]) + 1 :]
    return next((comment.created_at for comment in later if comment.incoming), None)


def is_paused(one: Ticket) -> bool:
    """Say whether the clocks stand still: while a ticket is pending or on hold."""
    return one.paused_at is not None


def due(one: Ticket, start: datetime, seconds: float) -> datetime:
    """Say when a target is over: later by what the ticket was pending after the clock began."""
    stood_still = sum((end - max(begin, start)).total_seconds() for begin, end in one.pauses if end > start)
    return start + timedelta(seconds=seconds + stood_still)
