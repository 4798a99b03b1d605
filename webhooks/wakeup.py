"""Tells a worker that a delivery waits. Best effort: what is not told is found by the sweep."""

from __future__ import annotations

import logging
import time

from celery import Celery

from workers.app import impatient_app
from workers.names import SETUP, TRIAGE

logger = logging.getLogger(__name__)
# A broker that hangs costs one caller this long; the callers of the next seconds do not even try.
TIMEOUT_SECONDS = 1.0
PAUSE_SECONDS = 5.0


class Wakeup:
    """Sends one Celery message per delivery."""

    def __init__(self, app: Celery | None = None) -> None:
        self._app = app or impatient_app(TIMEOUT_SECONDS)
        self._paused_until = 0.0

    def set_up(self, desk: str, step: str) -> bool:
        """Ask a worker to carry out a step of connecting a desk; False when the broker did not take it."""
        try:
            self._app.send_task(SETUP, args=[desk, step], retry=False, ignore_result=True)
        except Exception as error:  # as below, but here somebody waits and is told
            logger.warning("broker did not take the setting up of %s (%s)", desk, type(error).__name__)
            return False
        return True

    def send(self, delivery_id: int) -> bool:
        """Send the wake-up; False when the broker did not take it."""
        if time.monotonic() < self._paused_until:
            return False
        try:
            self._app.send_task(TRIAGE, args=[delivery_id], retry=False, ignore_result=True)
        except Exception as error:  # whatever the broker's client raises, the row is stored and the sweep sends it
            self._paused_until = time.monotonic() + PAUSE_SECONDS
            logger.warning("broker did not take delivery %d (%s); the sweep will", delivery_id, type(error).__name__)
            return False
        return True
