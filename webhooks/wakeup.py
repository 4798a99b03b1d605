"""Tells a worker that a delivery waits. Best effort: what is not told is found by the sweep."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from celery import Celery

from triage.store.undone import Choice
from workers.app import impatient_app
from workers.names import HAND_ON, SETUP, TRIAGE, UNDO

logger = logging.getLogger(__name__)
# A broker that hangs costs one caller this long; the callers of the next seconds do not even try.
TIMEOUT_SECONDS = 1.0
PAUSE_SECONDS = 5.0


class Wakeup:
    """Sends Celery messages, and gives up on a broker that does not take them."""

    is_refused = False
    """Whether the broker did not take the last message."""

    def __init__(self, app: Celery | None = None) -> None:
        self._app = app or impatient_app(TIMEOUT_SECONDS)
        self._paused_until = 0.0

    def send(self, delivery_id: int) -> bool:
        """Send the wake-up; False when the broker did not take it."""
        # What is not sent is stored, and the sweep sends it.
        return self._send(TRIAGE, [delivery_id], f"delivery {delivery_id}")

    def send_all(self, delivery_ids: Sequence[int]) -> bool:
        """Send one wake-up for several deliveries, which a worker hands on; False when the broker did not take it."""
        if len(delivery_ids) == 1:
            return self.send(delivery_ids[0])
        return self._send(HAND_ON, [list(delivery_ids)], f"{len(delivery_ids)} deliveries from {delivery_ids[0]} on")

    def undo(self, actor: str, choice: Choice) -> bool:
        """Have a worker take back what Tandem has written; False where the broker did not take it: nothing is done."""
        return self._send(UNDO, [actor, asdict(choice), ["", ""]], "an undo")

    def set_up(self, desk: str, step: str) -> bool:
        """Have a worker do a step of connecting a desk; False where the broker did not take it: nothing is done."""
        return self._send(SETUP, [desk, step], "a step of connecting a desk")

    def _send(self, task: str, arguments: list[Any], what: str) -> bool:
        if time.monotonic() < self._paused_until:
            return False
        try:
            self._app.send_task(task, args=arguments, retry=False, ignore_result=True)
        except Exception as error:  # whatever the broker's client raises
            self._paused_until = time.monotonic() + PAUSE_SECONDS
            self.is_refused = True
            logger.warning("broker did not take %s (%s)", what, type(error).__name__)
            return False
        self.is_refused = False
        return True
