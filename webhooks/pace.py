"""Counts what callers do without a login, in bounded memory."""

from __future__ import annotations

import threading

KEYS = 10_000


class Pace:
    """Admits `most` acts per key in any window of `seconds` that begins with a key's first act."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most = most
        self._seconds = seconds
        self._lock = threading.Lock()
        self._windows: dict[str, tuple[float, int]] = {}

    def admit(self, key: str, now: float) -> bool:
        """Say whether `key` may act at `now`, and count the act."""
        with self._lock:
            begun, count = self._windows.get(key, (now, 0))
            if now - begun >= self._seconds:
                begun, count = now, 0
                self._windows.pop(key, None)
            if count >= self._most:
                return False
            if key not in self._windows and len(self._windows) >= KEYS:
                # The one that began first: at worst it may begin again.
                del self._windows[next(iter(self._windows))]
            self._windows[key] = begun, count + 1
            return True
