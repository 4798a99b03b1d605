"""The rate-limit budget of each helpdesk account, shared by all workers through Redis (`budget.lua` does the sums).

`admit` is asked once per ticket and says no in time; calls of a ticket already begun are only charged, so that a
ticket half done is finished. A fifth of every limit is left to the customer's other apps. Without Redis there is
no budget and the helpdesk's own 429 is the brake: counting calls must never stop the work.
"""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry as RedisRetry

from triage.errors import Wait

log = logging.getLogger(__name__)

SPARE = 0.2
BULK_SPARE = 0.5
"""Bulk work leaves half of every limit alone: new tickets come first."""
WINDOW_SECONDS = 60
GUESS_SECONDS = 3
KEEP_SECONDS = 2 * 3600
REDIS_TIMEOUT = 1.0
# A ticket makes four or five calls; with others under way the next question carries theirs along.
MOST_ASIDE = 10
ASIDE_SECONDS = 2.0
# After a failure Redis is left alone for a moment: a hung one would cost a second on every call.
BLIND_SECONDS = 5.0
COMPLAIN_EVERY = 60.0
SCRIPT = Path(__file__).with_suffix(".lua").read_text(encoding="utf-8")
ACCOUNT = ""
"""The bucket of the account's overall limit."""
SOCKET_SCHEME = "redis+socket://"
SPENT = "the rate-limit budget of this helpdesk account is used up"


@dataclass(frozen=True)
class Need:
    """Calls wanted from, or spent of, one bucket; `limit` per minute holds until the headers say better."""

    name: str
    calls: float
    limit: float = 0.0
    """0: the account's own, as the settings have it."""
    sure: bool = False
    """The limit is known and no first guess."""


@dataclass(frozen=True)
class Seen:
    """What an answer's headers say about one bucket; `resets_in` seconds, None where the vendor does not say."""

    name: str
    limit: float
    left: float
    resets_in: float | None = None


def spread(seconds: float) -> float:
    """Return `seconds` plus a little chance, so that those who wait do not all come back at once."""
    return seconds + random.uniform(0, 1 + seconds / 20)  # noqa: S311 - not a secret  # nosec B311


def redis_url(url: str) -> str:
    """Return Celery's broker URL as redis-py spells it (a unix socket has two names)."""
    return "unix://" + url.removeprefix(SOCKET_SCHEME) if url.startswith(SOCKET_SCHEME) else url


def connect(url: str) -> Redis:
    """Return a client that gives up after a second: a hung Redis must not hang the work."""
    client: Redis = Redis.from_url(
        redis_url(url),
        socket_timeout=REDIS_TIMEOUT,
        socket_connect_timeout=REDIS_TIMEOUT,
        retry=RedisRetry(NoBackoff(), 0),
    )
    return client


class Budget:
    """Count one account's calls across all workers."""

    def __init__(self, url: str, account: str, per_minute: float) -> None:
        """Take Redis' URL (empty counts nothing), the account's name and its limit until its headers say better."""
        self.account = account
        self.redis = connect(url) if url else None
        self._per_minute = per_minute
        self._script = self.redis.register_script(SCRIPT) if self.redis else None
        self._lock = threading.Lock()
        self._aside: list[dict[str, Any]] = []
        self._blind_until = 0.0
        self._complained_at = float("-inf")

    def admit(self, needs: Sequence[Need], now: float | None = None, *, spare: float = SPARE) -> None:
        """Promise the calls of one ticket; raise Wait where they would eat into the `spare` share of a limit."""
        wait = self._ask("admit", [self._bucket(need) for need in needs], 0.0, now, spare)
        if wait > 0:
            raise Wait(SPENT, spread(wait))

    def charge(
        self, spent: Sequence[Need], seen: Sequence[Seen] = (), closed_for: float = 0.0, now: float | None = None
    ) -> None:
        """Count one call, corrected by what its headers said; `closed_for` seconds nobody is admitted (a 429)."""
        self._ask("charge", self._spent(spent, seen), closed_for, now)

    def charge_soon(self, spent: Sequence[Need], seen: Sequence[Seen] = ()) -> None:
        """Count one call of an admitted ticket together with the next question, or with the next few calls.

        Until then its promise stands for it, so that nobody else gets it. Where little is left others learn it at once.
        """
        if any(one.left <= one.limit * BULK_SPARE for one in seen):
            self.charge(spent, seen)
            return
        request = self._request("charge", self._spent(spent, seen), 0.0, time.time())
        with self._lock:
            self._aside.append(request)
            is_time = len(self._aside) >= MOST_ASIDE or request["now"] - self._aside[0]["now"] > ASIDE_SECONDS
        if is_time:
            self._send([])

    def _spent(self, spent: Sequence[Need], seen: Sequence[Seen]) -> list[dict[str, Any]]:
        buckets = {need.name: self._bucket(need) for need in spent}
        for one in seen:
            bucket = buckets.setdefault(one.name, self._bucket(Need(one.name, 0, one.limit)))
            figures = {"limit": one.limit, "left": one.left, "resets_in": one.resets_in}
            bucket["seen"] = {key: value for key, value in figures.items() if value is not None}
        return list(buckets.values())

    def headroom(self, now: float) -> tuple[float, float] | None:
        """Return the calls left of the account's limit in this minute, and the limit; None where neither is known."""
        if self.redis is None:
            return None
        if self._aside:
            self._send([])
        try:
            raw = self.redis.hget(f"tandem:budget:{self.account}", f"bucket:{ACCOUNT}")
            state = json.loads(raw) if isinstance(raw, (bytes, str)) else None
        except (RedisError, OSError, ValueError):
            return None
        if state is None:
            return None
        return (state["left"] if state["ends"] > now else state["limit"]), state["limit"]

    def _bucket(self, need: Need) -> dict[str, Any]:
        limit = need.limit or self._per_minute
        return {"name": need.name, "calls": need.calls, "limit": limit, "sure": need.sure}

    def _ask(
        self, ask: str, buckets: list[dict[str, Any]], closed_for: float, now: float | None, spare: float = SPARE
    ) -> float:
        return self._send([self._request(ask, buckets, closed_for, time.time() if now is None else now, spare)])

    def _request(
        self, ask: str, buckets: list[dict[str, Any]], closed_for: float, now: float, spare: float = SPARE
    ) -> dict[str, Any]:
        return {
            "ask": ask,
            "now": now,
            "spare": spare,
            "window": WINDOW_SECONDS,
            "guess_wait": GUESS_SECONDS,
            "keep": KEEP_SECONDS,
            "closed_for": closed_for,
            "buckets": buckets,
        }

    def _send(self, requests: list[dict[str, Any]]) -> float:
        """Carry out what was put aside and `requests`; return the seconds that the last of them is to wait."""
        with self._lock:
            requests, self._aside = [*self._aside, *requests], []
        if self._script is None or not requests or time.monotonic() < self._blind_until:
            return 0.0
        try:
            return float(self._script(keys=[f"tandem:budget:{self.account}"], args=[*map(json.dumps, requests)]))
        except (RedisError, OSError, ValueError) as error:
            self._go_blind(error)
            return 0.0

    def _go_blind(self, error: Exception) -> None:
        now = time.monotonic()
        self._blind_until = now + BLIND_SECONDS
        if now - self._complained_at >= COMPLAIN_EVERY:
            self._complained_at = now
            log.warning("rate-limit budget is off, Redis does not answer (%s)", type(error).__name__)
