"""Freshdesk's own SLA clocks, as a ticket carries them: `fr_due_by`, `nr_due_by`, `due_by`, and what `stats` adds.

Due times are null at first and are worked out some seconds later (developers.freshdesk.com/api, "Tickets"; recorded).
While a ticket waits for the customer the old `due_by` stays on it, although its clock stands still: what a customer
keeps waiting is no breach. `is_escalated` is left out, for it is set for other reasons too.
"""

from __future__ import annotations

from typing import Any

from connectors import freshdesk_ticket
from connectors.values import as_dict, when
from triage.ticket import ClockState, HelpdeskClock, Status

# Metric, the key of its due time, the key in `stats` of when it was met.
KEYS = (
    ("first_response", "fr_due_by", "first_responded_at"),
    ("next_response", "nr_due_by", ""),
    ("resolution", "due_by", "resolved_at"),
)
# Those every plan with an SLA sets on every ticket.
ALWAYS_SET = ("first_response", "resolution")
STANDING = {Status.PENDING, Status.HOLD}


def clocks(raw: dict[str, Any]) -> tuple[HelpdeskClock, ...]:
    """Return the clocks of a ticket; without `stats` none of them is known to be met."""
    return tuple(found for metric, due_key, met_key in KEYS if (found := _clock(raw, metric, due_key, met_key)))


def _clock(raw: dict[str, Any], metric: str, due_key: str, met_key: str) -> HelpdeskClock | None:
    stats = as_dict(raw.get("stats"))
    due_at, met_at = when(raw.get(due_key)), when(stats.get(met_key))
    if due_at is None:
        # A plan without an SLA leaves the key out, or null for ever; who asks gives it a minute.
        is_late = due_key in raw and metric in ALWAYS_SET
        return HelpdeskClock(metric, ClockState.UNSET) if is_late else None
    if met_at is not None:
        return HelpdeskClock(metric, ClockState.MET, due_at, met_at)
    if freshdesk_ticket.status(raw) in STANDING or stats.get("pending_since"):
        return HelpdeskClock(metric, ClockState.PAUSED)
    return HelpdeskClock(metric, ClockState.RUNNING, due_at)
