"""Remember what seldom changes (groups, companies) for some minutes, per process."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

SECONDS = 600.0
SIZE = 1000


class Cache:
    """Answers by key for a while; safe between threads, two of which may load the same key at once."""

    def __init__(self, seconds: float = SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._kept: dict[str, tuple[float, Any]] = {}

    def get(self, key: str, load: Callable[[], Any]) -> Any:
        """Return what is kept under `key`, else what `load` brings; None is not kept."""
        value = self.peek(key)
        if value is None:
            value = load()
            self.keep(key, value)
        return value

    def peek(self, key: str) -> Any:
        """Return what is kept under `key` without loading anything."""
        until, value = self._kept.get(key, (0.0, None))
        return value if self._clock() < until else None

    def keep(self, key: str, value: Any) -> None:
        """Keep `value` under `key`, in place of what was there."""
        if value is None:
            return
        if len(self._kept) >= SIZE:
            self._kept.clear()
        self._kept[key] = (self._clock() + self._seconds, value)
