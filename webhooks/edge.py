"""The webhook routes: who is knocking, may they, write it down, wake a worker, answer.

Replies take the database and the broker, never a helpdesk or a model.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from flask import Blueprint, Response, jsonify, request
from prometheus_client import Counter
from sqlalchemy.exc import SQLAlchemyError

from triage.crash import crash_here
from triage.live import Current
from triage.settings import Desk
from triage.store import Store
from triage.store.arrivals import ASK, CLOCK, CREATED, IGNORED, RECEIVED, UNREADABLE, Arrival
from triage.store.marks import BOT
from webhooks import freshdesk, zendesk
from webhooks.announcer import Announcer
from webhooks.base import Call, Kind, Knock
from webhooks.inbox import Inbox
from webhooks.pace import Pace
from webhooks.wakeup import Wakeup

logger = logging.getLogger(__name__)
RETRY_AFTER_SECONDS = 30
OCCASIONS = {Kind.CLOCK: CLOCK, Kind.ASK: ASK}
STATES = {
    Kind.WORK: RECEIVED,
    Kind.CLOCK: RECEIVED,
    Kind.ASK: RECEIVED,
    Kind.IGNORE: IGNORED,
    Kind.UNREADABLE: UNREADABLE,
}
# What the vendors' files ask for; to copy all of them costs more than to check a signature.
HEADERS = (zendesk.SIGNATURE, zendesk.TIMESTAMP, zendesk.INVOCATION, freshdesk.SECRET_HEADER)
# Log lines about refused calls of one desk, in any so many seconds; the metric counts them all.
REFUSALS_TOLD, TOLD_SECONDS = 20, 60.0
# How long the bot's user id, which a worker writes once, may be remembered here.
BOT_SECONDS = 60.0


@dataclass(frozen=True)
class Vendor:
    """How one vendor's calls are checked and read."""

    verify: Callable[[Call, Sequence[str], float], str]
    parse: Callable[[Call, float], Knock]


VENDORS = {
    "zendesk": Vendor(zendesk.verify, lambda call, _now: zendesk.parse(call)),
    "freshdesk": Vendor(freshdesk.verify, freshdesk.parse),
}


class Edge:
    """Stores and announces authenticated calls."""

    def __init__(self, current: Current, store: Store, wakeup: Wakeup) -> None:
        self._current = current
        self._store = store
        self._inbox = Inbox(store)
        self._announcer = Announcer(store, wakeup)
        self._bots: dict[str, tuple[str, float]] = {}
        self._told = Pace(REFUSALS_TOLD, TOLD_SECONDS)
        self.refusals = Counter(
            "tandem_webhooks_refused", "Webhooks refused since the web process began", ["desk", "reason"], registry=None
        )

    def blueprint(self) -> Blueprint:
        """Return the routes, one per vendor and desk."""
        routes = Blueprint("webhooks", __name__)
        routes.add_url_rule("/webhooks/<vendor>/<desk>", view_func=self._receive, methods=["POST"])
        return routes

    def _receive(self, vendor: str, desk: str) -> tuple[Response, int]:
        settings = self._current().desks.get(desk)
        if settings is None or settings.platform != vendor or vendor not in VENDORS:
            return jsonify(error="no such desk"), 404
        now = time.time()
        call = _call()
        refusal = VENDORS[vendor].verify(call, _secrets(settings), now)
        if refusal:
            self._refuse(desk, refusal)
            return jsonify(error=refusal), 401
        try:
            knock = self._asking(VENDORS[vendor].parse(call, now))
            knock = self._followed(desk, self._without_own_writes(desk, knock))
            return self._store_and_answer(desk, knock, call.body, now)
        except SQLAlchemyError as error:
            # Not 500: both vendors try again only on 503 with Retry-After.
            logger.error("webhook not stored: desk=%s error=%s", desk, type(error).__name__)
            answer = jsonify(error="storage is down, send again")
            answer.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
            return answer, 503

    def _refuse(self, desk: str, reason: str) -> None:
        # What stands behind the colon is never twice the same.
        self.refusals.labels(desk, reason.partition(":")[0]).inc()
        # Whoever sends thousands must not fill the log.
        if self._told.admit(desk, time.monotonic()):
            logger.warning("webhook refused: desk=%s reason=%s", desk, reason)

    def _store_and_answer(self, desk: str, knock: Knock, body: bytes, now: float) -> tuple[Response, int]:
        arrival = Arrival(
            desk=desk,
            key=knock.key,
            ticket_id=knock.ticket_id,
            event=knock.event,
            body=body,
            at=now,
            state=STATES.get(knock.kind, RECEIVED),
            reason=knock.reason,
            occasion=OCCASIONS.get(knock.kind, CREATED),
        )
        received = self._inbox.receive(arrival)
        crash_here("after_inbox")
        if received.needs_queueing:
            self._announcer.announce(received.id)
        logger.info("webhook: desk=%s delivery=%d kind=%s new=%s", desk, received.id, knock.kind, received.is_new)
        if not received.is_new:
            return jsonify(status="duplicate"), 200
        if knock.kind is Kind.UNREADABLE:
            return jsonify(error=knock.reason, delivery=received.id), 400
        if knock.kind is Kind.IGNORE:
            return jsonify(status="ignored"), 202
        return jsonify(status="accepted", delivery=received.id), 202

    def _without_own_writes(self, desk: str, knock: Knock) -> Knock:
        if knock.kind in (Kind.WORK, Kind.CLOCK, Kind.ASK) and knock.actor_id and knock.actor_id == self._bot(desk):
            return replace(knock, kind=Kind.IGNORE, reason="our own change")
        return knock

    def _asking(self, knock: Knock) -> Knock:
        if self._current().please_tag in knock.tags_added:
            return replace(knock, kind=Kind.ASK, reason="")
        return knock

    def _followed(self, desk: str, knock: Knock) -> Knock:
        if knock.kind is Kind.CLOCK and not self._store.clocks.seen(desk, [knock.ticket_id]):
            return replace(knock, kind=Kind.IGNORE, reason="this event needs no triage, and nobody follows the ticket")
        return knock

    def _bot(self, desk: str) -> str:
        value, until = self._bots.get(desk, ("", 0.0))
        if time.monotonic() > until:
            found = self._store.cursors.get(desk, BOT)
            value = found[0] if found else ""
            self._bots[desk] = value, time.monotonic() + BOT_SECONDS
        return value


def _secrets(desk: Desk) -> list[str]:
    return [secret.get_secret_value() for secret in desk.webhook_secrets]


def _call() -> Call:
    body = request.get_data(cache=False)
    if len(body) >= (request.max_content_length or 0):
        # Without a Content-Length reading stops quietly at the limit; one byte more says whether there was more.
        request.stream.read(1)
    return Call(
        body=body,
        headers={name: value for name in HEADERS if (value := request.headers.get(name)) is not None},
        query=request.args,
        password=(request.authorization.password or "") if request.authorization else "",
    )
