"""Zendesk's webhooks: the signature and both kinds of body (event subscription, trigger).

https://developer.zendesk.com/documentation/webhooks/verifying/
https://developer.zendesk.com/api-reference/webhooks/event-types/ticket-events
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from webhooks.base import Call, Kind, Knock, digest, key_of, plain, same_secret, ticket_id_of

SIGNATURE = "x-zendesk-webhook-signature"
TIMESTAMP = "x-zendesk-webhook-signature-timestamp"
INVOCATION = "x-zendesk-webhook-invocation-id"
# Zendesk names no window. Each retry is signed afresh, so 300 s on the signature's own time is safe; the time inside
# the body may be minutes older.
WINDOW_SECONDS = 300
STALE = "stale signature: by our clock it was made {:.0f} s {}, and {} s are accepted"
NO_TRIAGE = "this event needs no triage"
EVENT_PREFIX = "zen:event-type:ticket."
# The type of every event begins so; a trigger's body may hold a `type` of its own, like the ticket's.
ANY_EVENT = "zen:"
# Everything else is read again from the API when it matters.
WORK_EVENTS = {"created"}
# In the body an admin writes into the trigger for changes.
UPDATED = "ticket_updated"
# In the body of the trigger for the tag that asks for a fresh look.
ASKED = "ticket_asked"
TAGS_CHANGED, COMMENT_ADDED = "tags_changed", "comment_added"
# Whether it is a request is seen when the ticket is read; this only decides whether it is worth reading.
MAY_ASK = "@tandem"
CLOCK_EVENTS = {
    "agent_assignment_changed",
    "brand_changed",
    COMMENT_ADDED,
    "comment_made_private",
    "custom_status_changed",
    "group_assignment_changed",
    "marked_as_spam",
    "merged",
    "next_sla_breach_changed",
    "organization_changed",
    "permanently_deleted",
    "priority_changed",
    "requester_changed",
    "schedule_changed",
    "sla_policy_changed",
    "soft_deleted",
    "status_changed",
    "undeleted",
}


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """Return the signature of `body`: base64(HMAC-SHA256(secret as it stands, timestamp + body))."""
    return base64.b64encode(hmac.digest(secret.encode(), timestamp.encode() + body, "sha256")).decode()


def verify(call: Call, secrets: Sequence[str], now: float) -> str:
    """Return why the call is refused, or an empty text when its signature is right and fresh."""
    timestamp, signature = call.headers.get(TIMESTAMP, ""), call.headers.get(SIGNATURE, "")
    if not timestamp or not signature:
        return "no signature"
    try:
        sent = datetime.fromisoformat(timestamp)
        timestamp.encode("ascii")
    except ValueError:
        return "unreadable signature timestamp"
    if sent.tzinfo is None:
        sent = sent.replace(tzinfo=UTC)
    if not same_secret(signature, [sign(secret, timestamp, call.body) for secret in secrets]):
        return "wrong signature"
    age = now - sent.timestamp()
    if abs(age) > WINDOW_SECONDS:
        return STALE.format(abs(age), "ago" if age > 0 else "ahead", WINDOW_SECONDS)
    return ""


def parse(call: Call) -> Knock:
    """Return what the call is about; an unknown event is ignored, an unreadable body kept for the admin."""
    invocation = call.headers.get(INVOCATION, "")
    fallback = key_of("invocation", invocation) if invocation else f"body:{digest(call.body)}"
    try:
        data = json.loads(call.body)
    except (ValueError, RecursionError):
        return Knock(Kind.UNREADABLE, fallback, reason="the body is no JSON; use the body shown on the desk's page")
    if not isinstance(data, dict):
        return Knock(Kind.UNREADABLE, fallback, reason="the body is no JSON object")
    type_ = data.get("type")
    if isinstance(type_, str) and (type_.startswith(ANY_EVENT) or "ticket_id" not in data):
        return _parse_event(data, fallback)
    return _parse_trigger(data, fallback)


def _parse_event(data: dict[str, Any], fallback: str) -> Knock:
    detail = data["detail"] if isinstance(data.get("detail"), dict) else {}
    key = key_of("event", data["id"]) if isinstance(data.get("id"), str) and data["id"] else fallback
    name = plain(data["type"])
    if not name.startswith(EVENT_PREFIX):
        return Knock(Kind.IGNORE, key, event=name, reason="not a ticket event")
    event = name.removeprefix(EVENT_PREFIX)
    subject = plain(data.get("subject")).removeprefix("zen:ticket:")
    ticket_id = ticket_id_of(detail.get("id")) or ticket_id_of(subject)
    actor_id = ticket_id_of(detail.get("actor_id"))
    if not ticket_id:
        return Knock(Kind.UNREADABLE, key, event=event, reason="the event names no ticket")
    happened = data["event"] if isinstance(data.get("event"), dict) else {}
    if event == TAGS_CHANGED:
        added = happened.get("tags_added")
        tags = tuple(plain(tag) for tag in added) if isinstance(added, list) else ()
        return Knock(Kind.IGNORE, key, ticket_id, event, actor_id, reason=NO_TRIAGE, tags_added=tags)
    if event == COMMENT_ADDED and _may_ask(happened):
        return Knock(Kind.ASK, key, ticket_id, event, actor_id)
    if event in CLOCK_EVENTS:
        return Knock(Kind.CLOCK, key, ticket_id, event, actor_id)
    if event not in WORK_EVENTS:
        return Knock(Kind.IGNORE, key, ticket_id, event, actor_id, reason=NO_TRIAGE)
    return Knock(Kind.WORK, key, ticket_id, event, actor_id)


def _may_ask(happened: dict[str, Any]) -> bool:
    comment = happened["comment"] if isinstance(happened.get("comment"), dict) else {}
    body = comment.get("body")
    return comment.get("is_public") is False and isinstance(body, str) and MAY_ASK in body.lower()


def _parse_trigger(data: dict[str, Any], fallback: str) -> Knock:
    ticket_id = ticket_id_of(data.get("ticket_id"))
    if not ticket_id:
        return Knock(
            Kind.UNREADABLE, fallback, event="trigger", reason='the trigger\'s body lacks "ticket_id": "{{ticket.id}}"'
        )
    if plain(data.get("event")) == ASKED:
        return Knock(Kind.ASK, fallback, ticket_id, ASKED)
    if plain(data.get("event")) == UPDATED:
        return Knock(Kind.CLOCK, fallback, ticket_id, UPDATED)
    return Knock(Kind.WORK, fallback, ticket_id, "trigger")
