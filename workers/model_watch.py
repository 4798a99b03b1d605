"""Tells an admin when the language model has stopped answering: tickets go on without it, which nobody would notice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from triage.classification import Classification
from triage.store import Store
from triage.store.marks import EVERY_DESK, MODEL_AWAY

IN_A_ROW = 3
"""One answer that cannot be used is the ticket's trouble."""
TELL_EVERY_SECONDS = 60.0
AWAY = "the embedded classifier answers instead of the language model: {reason}"


class ModelWatch:
    """Raises the alarm after some answers without the model, and takes it back at the first one with it."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._missing = 0
        self._told_at = 0.0
        # What an earlier process has raised is taken back too.
        self._is_raised = True

    def heard(self, answer: Classification) -> None:
        """Take note of who has answered a ticket."""
        if answer.fallback_reason:
            self._miss(answer.fallback_reason)
        elif answer.model:
            self._found()

    def _miss(self, reason: str) -> None:
        now = self._clock()
        with self._lock:
            self._missing += 1
            if self._missing < IN_A_ROW or now - self._told_at < TELL_EVERY_SECONDS:
                return
            self._told_at, self._is_raised = now, True
        self._store.alarms.raise_(EVERY_DESK, MODEL_AWAY, AWAY.format(reason=reason), now)

    def _found(self) -> None:
        with self._lock:
            self._missing, self._told_at = 0, 0.0
            is_raised, self._is_raised = self._is_raised, False
        if is_raised:
            self._store.alarms.clear(EVERY_DESK, MODEL_AWAY)
