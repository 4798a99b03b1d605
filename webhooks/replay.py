"""Sends closed deliveries through again: for `manage.py replay` and the console alike."""

from __future__ import annotations

import time
from collections.abc import Sequence

from triage.store import Store
from webhooks.wakeup import Wakeup

# A database takes only so many parameters in one statement.
CHUNK = 500


def replay(store: Store, wakeup: Wakeup, ids: Sequence[int]) -> list[int]:
    """Open these deliveries again, wake a worker for each and return the ids opened.

    Safe to repeat: rows that are open already are left alone, and a ticket that has its note gets no second one.
    """
    opened: list[int] = []
    for start in range(0, len(ids), CHUNK):
        opened += store.deliveries.revive(ids[start : start + CHUNK], time.time())
    for delivery_id in opened:
        # What the broker does not take now is due already, so the sweep sends it.
        if wakeup.send(delivery_id):
            store.deliveries.mark_queued(delivery_id, time.time())
    return opened
