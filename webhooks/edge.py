"""The webhook routes: who is knocking, may they, write it down, wake a worker, answer.

Replies take the database and the broker, never a helpdesk or a model.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from prometheus_client import Counter
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.wrappers import Request
from werkzeug.wsgi import get_input_stream

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
MAX_BODY = 1024 * 1024
OCCASIONS = {Kind.CLOCK: CLOCK, Kind.ASK: ASK}
STATES = {
    Kind.WORK: RECEIVED,
    Kind.CLOCK: RECEIVED,
    Kind.ASK: RECEIVED,
    Kind.IGNORE: IGNORED,
    Kind.UNREADABLE: UNREADABLE,
}
# What the vendors' files ask for; to copy all of them costs more than to check a signature.
HEADERS = {
    "HTTP_" + name.upper().replace("-", "_"): name
    for name in (zendesk.SIGNATURE, zendesk.TIMESTAMP, zendesk.INVOCATION, freshdesk.SECRET_HEADER)
}
# Where else a secret may stand; werkzeug reads these.
ELSEWHERE = ("QUERY_STRING", "HTTP_AUTHORIZATION")
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


@dataclass(frozen=True)
class Answer:
    """What is answered: HTTP status, a JSON object, and headers beside the usual ones."""

    status: int
    data: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


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

    def receive(self, vendor: str, desk: str, environ: dict[str, Any]) -> Answer:
        """Take the call of a vendor for a desk. Raises werkzeug's HTTPException for a body that cannot be read."""
        settings = self._current()
        known = settings.desks.get(desk)
        if known is None or known.platform != vendor or vendor not in VENDORS:
            return Answer(404, {"error": "no such desk"})
        now = time.time()
        call = _call(environ)
        refusal = VENDORS[vendor].verify(call, _secrets(known), now)
        if refusal:
            self._refuse(desk, refusal)
            return Answer(401, {"error": refusal})
        try:
            knock = _asking(VENDORS[vendor].parse(call, now), settings.please_tag)
            knock = self._followed(desk, self._without_own_writes(desk, knock))
            return self._store_and_answer(desk, knock, call.body, now)
        except SQLAlchemyError as error:
            # Not 500: both vendors try again only on 503 with Retry-After.
            logger.error("webhook not stored: desk=%s error=%s", desk, type(error).__name__)
            return Answer(503, {"error": "storage is down, send again"}, {"Retry-After": str(RETRY_AFTER_SECONDS)})

    def _refuse(self, desk: str, reason: str) -> None:
        # What stands behind the colon is never twice the same.
        self.refusals.labels(desk, reason.partition(":")[0]).inc()
        # Whoever sends thousands must not fill the log.
        if self._told.admit(desk, time.monotonic()):
            logger.warning("webhook refused: desk=%s reason=%s", desk, reason)

    def _store_and_answer(self, desk: str, knock: Knock, body: bytes, now: float) -> Answer:
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
            return Answer(200, {"status": "duplicate"})
        if knock.kind is Kind.UNREADABLE:
            return Answer(400, {"delivery": received.id, "error": knock.reason})
        if knock.kind is Kind.IGNORE:
            return Answer(202, {"status": "ignored"})
        return Answer(202, {"delivery": received.id, "status": "accepted"})

    def _without_own_writes(self, desk: str, knock: Knock) -> Knock:
        if knock.kind in (Kind.WORK, Kind.CLOCK, Kind.ASK) and knock.actor_id and knock.actor_id == self._bot(desk):
            return replace(knock, kind=Kind.IGNORE, reason="our own change")
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


def _asking(knock: Knock, please_tag: str) -> Knock:
    return replace(knock, kind=Kind.ASK, reason="") if please_tag in knock.tags_added else knock


def _secrets(desk: Desk) -> list[str]:
    return [secret.get_secret_value() for secret in desk.webhook_secrets]


def _call(environ: dict[str, Any]) -> Call:
    stream = get_input_stream(environ, max_content_length=MAX_BODY)
    body = stream.read()
    if len(body) >= MAX_BODY:
        # Without a Content-Length reading stops quietly at the limit; one byte more says whether there was more.
        stream.read(1)
    headers = {name: environ[key] for key, name in HEADERS.items() if key in environ}
    if not any(environ.get(name) for name in ELSEWHERE):
        return Call(body, headers)
    request = Request(environ)
    password = request.authorization.password if request.authorization else None
    return Call(body, headers, request.args, password or "")
