"""Rate limits: fixed windows that count, and the tally of calls that tests read."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter, defaultdict, deque
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Spent:
    """What is left of a window after a call."""

    allowed: bool
    total: int
    remaining: int
    resets: int


class Window:
    """Allow so many credits per period, one count per key."""

    def __init__(self, total: int, period: float = 60.0) -> None:
        self.total = total
        self.period = period
        self._lock = threading.Lock()
        self._windows: dict[Any, tuple[float, int]] = {}

    def spend(self, key: Any = None, cost: int = 1) -> Spent:
        """Take credits; calls beyond the limit are refused and not counted."""
        with self._lock:
            moment = time.monotonic()
            started, used = self._windows.get(key, (moment, 0))
            if moment - started >= self.period:
                started, used = moment, 0
            allowed = used + cost <= self.total
            if allowed:
                used += cost
            self._windows[key] = (started, used)
            resets = max(1, math.ceil(started + self.period - moment))
            return Spent(allowed, self.total, max(0, self.total - used), resets)


class Calls:
    """Count API calls per endpoint and per ticket, and remember the newest ones."""

    def __init__(self, keep: int = 20_000) -> None:
        self._lock = threading.Lock()
        self._endpoints: Counter[str] = Counter()
        self._tickets: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._statuses: Counter[str] = Counter()
        self._log: deque[dict[str, Any]] = deque(maxlen=keep)

    def add(
        self,
        vendor: str,
        method: str,
        endpoint: str,
        path: str,
        ticket_id: int | None,
        status: int | str,
        query: str = "",
    ) -> None:
        """Count one call under `<vendor> <METHOD> <endpoint>` and, when it names one, under its ticket."""
        with self._lock:
            self._endpoints[f"{vendor} {method} {endpoint}"] += 1
            self._statuses[f"{vendor} {status}"] += 1
            if ticket_id is not None:
                self._tickets[f"{vendor}/{ticket_id}"][f"{method} {endpoint}"] += 1
            one = {"at": time.time(), "vendor": vendor, "method": method, "path": path, "query": query}
            self._log.append({**one, "endpoint": endpoint, "status": status})

    def as_dict(self) -> dict[str, Any]:
        """Show the counts."""
        with self._lock:
            return {
                "total": sum(self._endpoints.values()),
                "endpoints": dict(self._endpoints),
                "statuses": dict(self._statuses),
                "tickets": {ticket: dict(counts) for ticket, counts in self._tickets.items()},
            }

    def newest(self) -> list[dict[str, Any]]:
        """List the remembered calls, oldest first."""
        with self._lock:
            return list(self._log)

    def clear(self) -> None:
        """Forget every count."""
        with self._lock:
            for store in (self._endpoints, self._tickets, self._statuses, self._log):
                store.clear()
