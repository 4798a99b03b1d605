"""Leaves an endpoint that fails alone for a while, so that a hundred tickets do not each wait for the same time-out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from triage.errors import ModelError

FAILURES = 6
"""In a row: three tickets of two tries each."""
FIRST_PAUSE = 15.0
LONGEST_PAUSE = 300.0
LEFT_ALONE = "the model endpoint is left alone for a moment, it failed {count} times in a row: {reason}"
ASKED_TO_WAIT = "the model endpoint asked to be left alone for {seconds:.0f} s: {reason}"


class Breaker:
    """Counts failures of one endpoint; shared by the threads of a process.

    After a pause one question goes through. Where it fails the pause is twice as long; where it succeeds all is well.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._pause = 0.0
        self._until = 0.0
        self._why = ""
        self._is_trying = False

    def check(self) -> None:
        """Raise ModelError while the endpoint is left alone."""
        with self._lock:
            if not self._pause:
                return
            now = self._clock()
            if now < self._until:
                raise ModelError(self._why)
            # This question goes through, the others wait for what comes of it.
            self._is_trying, self._until = True, now + self._pause

    def succeeded(self) -> None:
        """Take note of an answer, of whatever use it was."""
        if self._failures or self._pause:
            with self._lock:
                self._failures, self._pause, self._is_trying = 0, 0.0, False

    def failed(self, reason: str, after: float | None = None) -> None:
        """Take note of a failure of the endpoint, which asks to be left alone for `after` seconds where it says so."""
        with self._lock:
            self._failures += 1
            if after and after > self._pause:
                self._open(min(after, LONGEST_PAUSE), ASKED_TO_WAIT.format(seconds=after, reason=reason))
            elif self._is_trying:
                self._open(min(2 * self._pause, LONGEST_PAUSE), LEFT_ALONE.format(count=self._failures, reason=reason))
            elif self._failures >= FAILURES and not self._pause:
                self._open(FIRST_PAUSE, LEFT_ALONE.format(count=self._failures, reason=reason))

    def _open(self, pause: float, why: str) -> None:
        self._pause, self._why, self._is_trying = pause, why, False
        self._until = self._clock() + pause
