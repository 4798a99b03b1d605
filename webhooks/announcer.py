"""Tells workers of stored deliveries, in the background: no webhook waits for the broker, many share a message."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Protocol

from sqlalchemy.exc import SQLAlchemyError

from triage.store import Store

logger = logging.getLogger(__name__)
# After a message the next one gathers what comes within this time. A message costs ten times what a row does.
GATHER_SECONDS = 0.05
# So that handing them on is shared by several threads of the workers.
TOGETHER = 100


class Sends(Protocol):
    """What takes wake-ups to the broker: webhooks/wakeup.py."""

    def send_all(self, delivery_ids: Sequence[int]) -> bool:
        """Send one wake-up for these deliveries; False when the broker did not take it."""


class Announcer:
    """Announces deliveries from a thread of its own, which starts with the first one.

    What it holds when the process ends, or the broker does not take, is in the inbox, and the sweep finds it there.
    """

    def __init__(self, store: Store, wakeup: Sends) -> None:
        self._deliveries = store.deliveries
        self._wakeup = wakeup
        self._waiting: deque[int] = deque()
        self._some = threading.Event()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def announce(self, delivery_id: int) -> None:
        """Have a worker told; returns at once."""
        self._waiting.append(delivery_id)
        self._some.set()
        # Not in __init__: a server may fork after it has built the application, and threads are not forked along.
        if not self._is_running():
            with self._starting:
                if not self._is_running():
                    self._thread = threading.Thread(target=self._run, name="announcer", daemon=True)
                    self._thread.start()

    def _is_running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _run(self) -> None:
        while True:
            self._some.wait()
            # Before looking: what comes from now on sets it again.
            self._some.clear()
            while self._waiting:
                # A delivery may be told of twice by calls that came at once.
                some = {self._waiting.popleft(): None for _ in range(min(TOGETHER, len(self._waiting)))}
                self._tell(list(some))
                if len(self._waiting) < TOGETHER:
                    time.sleep(GATHER_SECONDS)

    def _tell(self, ids: Sequence[int]) -> None:
        try:
            if self._wakeup.send_all(ids):
                self._deliveries.mark_all_queued(ids, time.time())
        except SQLAlchemyError as error:
            # Stored and announced; the sweep may announce them once more, which does no harm.
            logger.warning("%d deliveries not marked as queued (%s)", len(ids), type(error).__name__)
        except Exception as error:  # whatever it is, the thread goes on: nobody else announces
            logger.error("%d deliveries not announced (%s)", len(ids), type(error).__name__)
