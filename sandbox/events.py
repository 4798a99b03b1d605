"""Word what happened on a ticket the way each vendor's webhooks do."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import Any

from sandbox import markup
from sandbox.config import SandboxConfig
from sandbox.desk import Desk
from sandbox.hooks import CREATION, UPDATES, Hooks, fill
from sandbox.records import Ticket, iso
from sandbox.sender import Delivery, Sender, ulid

# REST channel -> event channel (recorded: "api" there, "web_service" here; "mail" in the vendor's example)
EVENT_CHANNELS = {"api": "web_service", "email": "mail", "web": "web_form", "chat": "chat"}
WORDS = ("status_changed", "priority_changed", "type_changed")  # their values are upper case in events


class Announcer:
    """Turn happenings on a desk into webhook bodies and hand them to the sender."""

    def __init__(self, config: SandboxConfig, sender: Sender, hooks: Hooks) -> None:
        self.config = config
        self.sender = sender
        self.hooks = hooks

    def __call__(self, desk: Desk, ticket: Ticket, kind: str, event: dict[str, Any], actor_id: int) -> None:
        """Send what this account subscribed to, by its settings and by what its admin has set up."""
        self._tell_admins(desk, ticket, kind, event, actor_id)
        if desk.vendor == "freshdesk":
            name = f"ticket_{kind}"
            if name in self.config.freshdesk_events:
                body = json.dumps({"event": name, "ticket_id": str(ticket.id)}).encode()
                self.sender.send("freshdesk", ticket.id, name, body)
            return
        if self.config.zendesk_webhooks != "trigger" and kind in self.config.zendesk_events:
            body = pretty(envelope(self.sender.account_id, ticket, kind, event, actor_id))
            self.sender.send("zendesk", ticket.id, f"ticket.{kind}", body)
        fires = kind == "created" or (kind == "updated" and self.config.zendesk_trigger_on_update)
        if self.config.zendesk_webhooks != "events" and fires:
            text = json.dumps({"ticket_id": str(ticket.id), "updated_at": iso(ticket.updated_at)})
            self.sender.send("zendesk", ticket.id, "trigger", text.encode())

    def _tell_admins(self, desk: Desk, ticket: Ticket, kind: str, event: dict[str, Any], actor_id: int) -> None:
        """Send what webhooks, triggers and rules ask for that were made while it runs."""
        created = kind == "created"
        if desk.vendor == "freshdesk":
            for rule in self.hooks.matching(CREATION if created else UPDATES) if created or kind == "updated" else ():
                body = fill(rule.content, ticket).encode()
                self.sender.dispatch(
                    Delivery(ulid(), "freshdesk", ticket.id, rule.name, rule.url, body, headers=rule.headers)
                )
            return
        sent = [
            (one, f"ticket.{kind}", pretty(envelope(self.sender.account_id, ticket, kind, event, actor_id)))
            for one in self.hooks.subscribed(f"zen:event-type:ticket.{kind}")
        ]
        if created or kind == "updated":
            sent += [(one, "trigger", text.encode()) for one, text in self.hooks.fired(ticket, created=created)]
        for one, name, body in sent:
            url = str(one.values["endpoint"])
            self.sender.dispatch(
                Delivery(ulid(), "zendesk", ticket.id, name, url, body, webhook_id=one.id, secret=one.secret)
            )


def envelope(account_id: str, ticket: Ticket, kind: str, event: dict[str, Any], actor_id: int) -> dict[str, Any]:
    """Build an event body: ids are strings, status, priority and type upper case, tags null when there are none."""
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "717Z"
    if kind == "comment_added":
        comment = dict(event["comment"])
        comment["body"] = markup.to_text(comment.pop("html"))
        event = {"comment": {"id": comment["id"], "body": comment["body"], **comment}}
    if kind in WORDS:
        event = {key: value.upper() if isinstance(value, str) else value for key, value in event.items()}
    if event:
        event = {**event, "meta": {"sequence": {"id": uuid.uuid4().int >> 48, "position": 1}}}
    return {
        "account_id": int(account_id),
        "detail": detail(ticket, actor_id),
        "event": event,
        "id": str(uuid.uuid4()),
        "subject": f"zen:ticket:{ticket.id}",
        "time": stamp,
        "type": f"zen:event-type:ticket.{kind}",
        "zendesk_event_version": "2022-11-06",
    }


def detail(ticket: Ticket, actor_id: int) -> dict[str, Any]:
    """Describe the ticket as events do; custom fields are never in it."""
    return {
        "actor_id": str(actor_id),
        "assignee_id": str(ticket.assignee_id or ""),
        "brand_id": "8447346621310",
        "created_at": iso(ticket.created_at),
        "custom_status": "8447320465790",
        "description": markup.to_text(ticket.comments[0].html),
        "external_id": None,
        "form_id": "8646151517822",
        "group_id": str(ticket.group_id or ""),
        "id": str(ticket.id),
        "is_public": any(comment.public for comment in ticket.comments),
        "organization_id": str(ticket.organization_id or ""),
        "priority": ticket.priority.upper() if ticket.priority else None,
        "requester_id": str(ticket.requester_id),
        "status": ticket.status.upper(),
        "subject": ticket.subject,
        "submitter_id": str(ticket.requester_id),
        "tags": list(ticket.tags) or None,
        "type": ticket.type.upper() if ticket.type else None,
        "updated_at": iso(ticket.updated_at),
        "via": {"channel": EVENT_CHANNELS.get(ticket.channel, ticket.channel)},
    }


def pretty(body: dict[str, Any]) -> bytes:
    """Write JSON as recorded: three spaces, `{ }` for nothing, a final line break."""
    text = json.dumps(body, indent=3, ensure_ascii=False).replace('"event": {}', '"event": { }')
    return (text + "\n").encode()
