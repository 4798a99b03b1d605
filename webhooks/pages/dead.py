"""Dead letters, grouped by reason, and the buttons that send them through again."""

from __future__ import annotations

import logging
import time
from collections import Counter

from flask import Blueprint, flash, request
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from triage.store.browse import Wanted
from triage.store.deliveries import DEAD
from webhooks.frame import ID, Console, to
from webhooks.replay import replay
from webhooks.searching import key, key_text

logger = logging.getLogger(__name__)
# One press of "Replay all dead"; more would keep the browser waiting.
REPLAY_LIMIT = 500
# Reasons are counted among so many of the newest.
GROUPED = 2000
NOTHING_REPLAYED = "Nothing to replay: it is under way or done already."
REPLAYED = "Sent through again: {count}."
MORE_DEAD = "Sent through again: {count}. {left} dead letters are left; press the button once more."
NOTHING_CHOSEN = "No delivery was chosen: tick some first."


def register(routes: Blueprint, console: Console) -> None:
    """Add the routes."""
    store = console.store

    def dead() -> str:
        desk, after = console.desk_asked_for(), key(request.args.get("after", ""))
        sought = Wanted(desks=(desk,) if desk else (), state=DEAD)
        found = store.browse.deliveries(sought, after)
        reasons = Counter(store.deliveries.reasons(DEAD, desk, GROUPED))
        return console.show(
            "dead",
            time.time(),
            desk=desk,
            desks=sorted(console.settings.desks),
            rows=found.rows,
            further=key_text(found.further),
            count=store.deliveries.counts(DEAD).get(DEAD, 0),
            reasons=reasons.most_common(12),
            grouped=GROUPED,
        )

    def replayed(opened: list[int], text: str, desk: str, left: int = 0) -> Response:
        logger.info("console: replayed %d deliveries", len(opened))
        flash(text.format(count=len(opened), left=left) if opened else NOTHING_REPLAYED)
        if opened:
            console.record("replay", desk=desk, subject=f"{len(opened)} deliveries", ids=opened[:100])
        return to("dead", desk=desk or None)

    def replay_one(desk: str, delivery_id: int) -> Response:
        delivery = store.deliveries.get(delivery_id)
        if delivery is None or delivery.desk != desk:
            raise NotFound
        return replayed(replay(store, console.wakeup, [delivery_id]), REPLAYED, desk)

    def replay_chosen() -> Response:
        desk = console.desk_of_form()
        chosen = [int(one) for one in request.form.getlist("id")[:REPLAY_LIMIT] if one.isdecimal() and len(one) < 19]
        if not chosen:
            flash(NOTHING_CHOSEN)
            return to("dead", desk=desk or None)
        # Only what the page offers: dead letters, and of its desk where it shows one.
        dead_ones = store.browse.among(chosen, DEAD, desk)
        return replayed(replay(store, console.wakeup, dead_ones), REPLAYED, desk)

    def replay_dead() -> Response:
        desk = console.desk_of_form()
        opened = replay(store, console.wakeup, store.deliveries.with_state(DEAD, desk, limit=REPLAY_LIMIT))
        left = len(store.deliveries.with_state(DEAD, desk, limit=REPLAY_LIMIT)) if desk else _left(console)
        return replayed(opened, MORE_DEAD if left else REPLAYED, desk, left)

    console.page(routes, "dead", "dead", dead, label="Dead letters")
    console.action(routes, f"desks/<desk>/deliveries/<{ID}:delivery_id>/replay", "replay_one", replay_one)
    console.action(routes, "dead/replay-chosen", "replay_chosen", replay_chosen)
    console.action(routes, "dead/replay", "replay_dead", replay_dead)


def _left(console: Console) -> int:
    return console.store.deliveries.counts(DEAD).get(DEAD, 0)
