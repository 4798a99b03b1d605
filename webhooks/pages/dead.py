"""Dead letters and the buttons that send them through again."""

from __future__ import annotations

import logging

from flask import Blueprint, flash
from werkzeug.wrappers import Response

from triage.store.deliveries import DEAD
from webhooks.frame import ID, Console, to
from webhooks.replay import replay

logger = logging.getLogger(__name__)
# One press of "Replay all dead"; more would keep the browser waiting.
REPLAY_LIMIT = 500
NOTHING_REPLAYED = "Nothing to replay: it is under way or done already."
REPLAYED = "Sent through again: {count}."
MORE_DEAD = "Sent through again: {count}. {left} dead letters are left; press the button once more."


def register(routes: Blueprint, console: Console) -> None:
    """Add the routes."""
    store = console.store

    def replayed(opened: list[int], text: str, left: int = 0) -> Response:
        logger.info("console: replayed %d deliveries", len(opened))
        flash(text.format(count=len(opened), left=left) if opened else NOTHING_REPLAYED)
        if opened:
            console.record("replayed", subject=f"{len(opened)} deliveries", ids=opened[:100])
        return to("home")

    def replay_one(delivery_id: int) -> Response:
        return replayed(replay(store, console.wakeup, [delivery_id]), REPLAYED)

    def replay_dead() -> Response:
        opened = replay(store, console.wakeup, store.deliveries.with_state(DEAD, limit=REPLAY_LIMIT))
        left = store.deliveries.counts(DEAD).get(DEAD, 0)
        return replayed(opened, MORE_DEAD if left else REPLAYED, left)

    console.action(routes, f"deliveries/<{ID}:delivery_id>/replay", "replay_one", replay_one)
    console.action(routes, "dead/replay", "replay_dead", replay_dead)
