"""What customers said of the help they got: the account's newest ratings, read once an hour and not per ticket.

https://developers.freshdesk.com/api/#view_all_satisfaction_ratings (a feature of the plan: 403 where it has none)
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.cache import Cache
from connectors.freshdesk_poll import PAGE_SIZE, iso
from connectors.probe import Probe
from connectors.values import as_dict, rows, text, when
from triage.ticket import Rating

RATINGS = "/surveys/satisfaction_ratings"
SECONDS = 3600.0
DAYS = 30
MAX_PAGES = 3
# The scale of today's surveys, and that of the classic ones.
WORDS = {103: "good", 102: "good", 101: "good", 100: "neutral", -101: "bad", -102: "bad", -103: "bad"} | {
    1: "good",
    2: "neutral",
    3: "bad",
}

Book = dict[str, Rating]
"""Requester id -> their newest rating."""


class Ratings:
    """The newest rating of each customer."""

    def __init__(self, probe: Probe, cache: Cache | None = None) -> None:
        self._probe = probe
        # Nothing at all is kept for an hour too: without the feature that is one call an hour.
        self._cache = cache or Cache(SECONDS)

    def of(self, requester_id: str) -> Rating | None:
        """Return the newest rating of a customer, None where there is none or they are not to be had."""
        book: Book = self._cache.get(RATINGS, self._load)
        return book.get(requester_id)

    def _load(self) -> Book:
        since = iso(datetime.now(UTC) - timedelta(days=DAYS))
        book: Book = {}
        for page in range(1, MAX_PAGES + 1):
            query = {"created_since": since, "per_page": str(PAGE_SIZE), "page": str(page)}
            listed = rows(self._probe.get(RATINGS, query=query))
            for one in listed:
                _note(book, one)
            if len(listed) < PAGE_SIZE:
                break
        return book


def _note(book: Book, one: dict[str, Any]) -> None:
    """Keep a rating if it is the customer's newest."""
    answer = as_dict(one.get("ratings")).get("default_question")
    word, at = WORDS.get(answer) if isinstance(answer, int) else None, when(one.get("created_at"))
    known = book.get(who := text(one.get("user_id")))
    if word and at and not (known and known.at and known.at >= at):
        book[who] = Rating(word, text(one.get("ticket_id")), at)
