"""Zendesk's own SLA clocks, asked for as little as possible.

They may come with the ticket (`include=slas`); where they do not, one call per ticket brings them, and where that has
found nothing a few times it is left out for an hour: a plan without SLAs costs no call per ticket. Both ways are
undocumented and on record from third parties only, so anything else than the known shape counts as "no clocks".
A breached clock stays `active` with its time in the past.
"""

from __future__ import annotations

import logging
from typing import Any

from connectors.cache import Cache
from connectors.http import Client
from connectors.values import as_dict, ident, rows, text, when
from triage.errors import FeatureOff, Retry
from triage.ticket import ClockState, HelpdeskClock

log = logging.getLogger(__name__)

POLICY_METRICS = "/tickets/{id}/slas/policy_metrics.json"
SIDELOAD = "slas"
OFF = "slas off"
OFF_SECONDS = 3600.0
MISSES = 3
"""A ticket that matches no policy is answered 404, too: one miss says nothing about the plan."""
# What each of our clocks is called there, the first one present counts.
METRICS = {
    "first_response": ("first_reply_time",),
    "next_response": ("next_reply_time",),
    "resolution": ("total_resolution_time", "requester_wait_time", "agent_work_time"),
}
STATES = {
    "active": ClockState.RUNNING,
    "breached": ClockState.RUNNING,
    "paused": ClockState.PAUSED,
    "achieved": ClockState.MET,
}


class SlaProbe:
    """Finds the clocks of one account's tickets; remembers where there are none."""

    def __init__(self, api: Client, cache: Cache | None = None) -> None:
        self._api = api
        self._off = cache or Cache(OFF_SECONDS)
        self._misses = 0

    def clocks(self, answer: Any) -> tuple[HelpdeskClock, ...]:
        """Return the clocks of a ticket answer, after one more call at most."""
        raw = as_dict(as_dict(answer).get("ticket"))
        if "slas" in raw:
            return clocks(as_dict(raw["slas"]).get("policy_metrics"))
        # Zendesk's targets are set per priority: a ticket without one has no clock.
        if not raw.get("priority") or self._off.peek(OFF):
            return ()
        return clocks(self._asked(ident(raw.get("id")) or ""))

    def _asked(self, ticket_id: str) -> Any:
        try:
            # Not an error of the ticket: it was just read.
            found = self._api.get(POLICY_METRICS, ticket_id, optional=True)
        except FeatureOff:
            self._misses += 1
            if self._misses >= MISSES:
                self._misses = 0
                self._off.get(OFF, lambda: True)
            return ()
        except Retry as error:
            # The ticket goes on by our policy until it is read next.
            log.info("going on without SLA clocks: %s", error)
            return ()
        self._misses = 0
        return as_dict(found).get("policy_metrics")


def clocks(listed: Any) -> tuple[HelpdeskClock, ...]:
    """Return our clocks of Zendesk's policy metrics; an unknown stage or a missing time is no clock."""
    by_name = {text(one.get("metric")): one for one in rows(listed)}
    found = []
    for metric, names in METRICS.items():
        one = next((by_name[name] for name in names if name in by_name), None)
        if one is not None and (clock := _clock(metric, one)):
            found.append(clock)
    return tuple(found)


def _clock(metric: str, one: dict[str, Any]) -> HelpdeskClock | None:
    state = STATES.get(text(one.get("stage")))
    due_at = when(one.get("breach_at"))
    if state is None or (state is ClockState.RUNNING and due_at is None):
        return None
    return HelpdeskClock(metric, state, None if state is ClockState.PAUSED else due_at)
