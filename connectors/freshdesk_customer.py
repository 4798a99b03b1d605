"""What Freshdesk knows of a customer beside the ticket: company or contact, their other tickets, their last rating.

All of it can be done without. Companies and contacts seldom change and are kept for an hour.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.cache import Cache
from connectors.freshdesk_poll import PAGE_SIZE, iso
from connectors.freshdesk_ratings import Ratings
from connectors.http import Client
from connectors.probe import Probe
from connectors.values import as_dict, ident
from triage.errors import FeatureOff, Retry
from triage.ticket import Rating

log = logging.getLogger(__name__)

TICKETS = "/tickets"
COMPANY = "/companies/{id}"
CONTACT = "/contacts/{id}"
KEPT_SECONDS = 3600.0
# How long ago a requester's other ticket may have been changed last.
REMEMBERED_DAYS = 365


class Customers:
    """The customers of one account."""

    def __init__(self, api: Client) -> None:
        self._probe = Probe(api)
        self._ratings = Ratings(self._probe)
        self._kept = Cache(KEPT_SECONDS)

    def of(self, raw: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return company and contact; the contact is only fetched where no company can say what they are worth."""
        if company_id := ident(raw.get("company_id")):
            return self.company(company_id), {}
        requester_id = ident(raw.get("requester_id"))
        return {}, self._one(CONTACT, requester_id) if requester_id else {}

    def company(self, company_id: str) -> dict[str, Any]:
        """Return a company, empty where it is not to be had."""
        return self._one(COMPANY, company_id)

    def tickets(self, raw: dict[str, Any]) -> Any:
        """Return the newest tickets of the requester of `raw`, None where they are not to be had."""
        if not (requester_id := ident(raw.get("requester_id"))):
            return None
        query = {
            "requester_id": requester_id,
            # Without it the list begins 30 days ago; open tickets and moods may be older.
            "updated_since": iso(datetime.now(UTC) - timedelta(days=REMEMBERED_DAYS)),
            "order_by": "created_at",
            "order_type": "desc",
            "per_page": str(PAGE_SIZE),
        }
        return self._probe.get(TICKETS, query=query)

    def rating(self, raw: dict[str, Any]) -> Rating | None:
        """Return the last rating of the requester of `raw`."""
        requester_id = ident(raw.get("requester_id"))
        return self._ratings.of(requester_id) if requester_id else None

    def _one(self, path: str, ident_: str) -> dict[str, Any]:
        def load() -> dict[str, Any]:
            try:
                return as_dict(self._probe.ask(path, ident_))
            except FeatureOff:
                return {}  # kept like any other answer: a refusal is not asked for again at the next ticket

        try:
            return as_dict(self._kept.get(f"{path} {ident_}", load))
        except Retry as error:
            log.info("going on without %s: %s", path, error)
            return {}
