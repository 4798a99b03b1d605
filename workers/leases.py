"""Keeps the leases of runs in flight alive, so that a dead worker's tickets are free again within half a minute."""

from __future__ import annotations

import itertools
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError

from triage.store import Store

logger = logging.getLogger(__name__)
LEASE_SECONDS = 30.0
RENEW_SECONDS = 8.0
# A ticket that takes longer than this loses its lease: a stuck thread must not hold it for ever.
DEADLINE_SECONDS = 150.0


class Leases:
    """One per worker process; renews what it holds from one thread of its own."""

    def __init__(self, store: Store) -> None:
        self.owner = f"{socket.gethostname()[:40]}:{os.getpid()}:{secrets.token_hex(4)}"
        self._claims = itertools.count(1)
        self._store = store
        self._held: dict[str, tuple[int, float]] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def new_owner(self) -> str:
        """Return the owner of one claim: a stuck thread of this very process has lost its run like any other."""
        return f"{self.owner}:{next(self._claims)}"

    @contextmanager
    def hold(self, run_id: int, owner: str) -> Iterator[None]:
        """Renew the lease of `run_id` until the block ends or the deadline passes."""
        with self._lock:
            self._held[owner] = run_id, time.monotonic() + DEADLINE_SECONDS
            if self._thread is None:
                self._thread = threading.Thread(target=self._renew_forever, name="leases", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._held.pop(owner, None)

    def _renew_forever(self) -> None:
        while True:
            time.sleep(RENEW_SECONDS)
            self.renew()

    def renew(self) -> None:
        """Renew every lease held that has not passed its deadline."""
        with self._lock:
            alive = [(run_id, owner) for owner, (run_id, until) in self._held.items() if until > time.monotonic()]
        try:
            for run_id, owner in alive:
                self._store.runs.renew([run_id], owner, time.time() + LEASE_SECONDS)
        except SQLAlchemyError as error:
            # Missed renewals only mean that another worker may take over.
            logger.warning("leases not renewed (%s)", type(error).__name__)
