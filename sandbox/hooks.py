"""What an account's admin has set up to be told of: Zendesk's webhooks and triggers, Freshdesk's automation rules."""

from __future__ import annotations

import base64
import itertools
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sandbox.records import Ticket

JSON = dict[str, Any]
BY_TRIGGER = "conditional_ticket_events"
FIRST_ID = {"trigger": 6164102248986, "rule": 67000101201}
# Freshdesk's kinds of rules: https://developers.freshdesk.com/api/#automations
CREATION, UPDATES = 1, 4


def new_secret() -> str:
    """Make a signing secret that looks like Zendesk's."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


@dataclass
class Webhook:
    """One webhook of the Zendesk account."""

    id: str
    made: str
    secret: str = field(default_factory=new_secret, repr=False)
    values: JSON = field(default_factory=dict)

    @property
    def is_active(self) -> bool:
        """Say whether it sends."""
        return self.values.get("status") == "active"


@dataclass
class Trigger:
    """One trigger of the Zendesk account."""

    id: int
    made: str
    values: JSON = field(default_factory=dict)


@dataclass
class Rule:
    """One automation rule of the Freshdesk account that calls an address."""

    id: int
    kind: int
    made: str
    name: str
    url: str
    headers: dict[str, str]
    content: str
    active: bool = True


class Hooks:
    """Everything of this kind on one pair of accounts; hold the desk's lock around it."""

    def __init__(self) -> None:
        self.webhooks: dict[str, Webhook] = {}
        self.triggers: dict[int, Trigger] = {}
        self.rules: dict[int, Rule] = {}
        self._ids = {name: itertools.count(first, 3) for name, first in FIRST_ID.items()}

    def new_id(self, name: str) -> int:
        """Give the next id of a trigger or rule."""
        return next(self._ids[name])

    def subscribed(self, event: str) -> list[Webhook]:
        """List the active webhooks that asked for an event."""
        return [one for one in self.webhooks.values() if one.is_active and event in one.values["subscriptions"]]

    def fired(self, ticket: Ticket, *, created: bool) -> list[tuple[Webhook, str]]:
        """List what the triggers send about a ticket: webhook and filled-in body."""
        found = []
        for trigger in self.triggers.values():
            if not trigger.values.get("active", True) or not _meets(trigger, ticket, created):
                continue
            for action in trigger.values["actions"]:
                if action["field"] != "notification_webhook":
                    continue
                webhook = self.webhooks.get(action["value"][0])
                if webhook and webhook.is_active:
                    found.append((webhook, fill(action["value"][1], ticket)))
        return found

    def matching(self, kind: int) -> list[Rule]:
        """List the active rules of a kind."""
        return [one for one in self.rules.values() if one.active and one.kind == kind]


def _meets(trigger: Trigger, ticket: Ticket, created: bool) -> bool:
    """Say whether the conditions under `all` hold; one this account does not know holds."""
    known: dict[str, Callable[[JSON], bool]] = {
        "update_type": lambda one: (one["value"] == "Create") == created,
        "current_tags": lambda one: (
            any(tag in ticket.tags for tag in str(one["value"]).split()) == (one["operator"] == "includes")
        ),
    }
    conditions = trigger.values["conditions"]["all"]
    return all(known[one["field"]](one) for one in conditions if one["field"] in known)


def fill(text: str, ticket: Ticket) -> str:
    """Put a ticket's number into a template."""
    return text.replace("{{ticket.id}}", str(ticket.id))


def headers_of(text: str) -> dict[str, str]:
    """Read custom headers from a form; ValueError when they are no JSON object."""
    given = json.loads(text) if text.strip() else {}
    if not isinstance(given, dict):
        raise ValueError("custom headers are a JSON object")
    return {str(name): str(value) for name, value in given.items()}
