"""Sets a Zendesk account up: what we may, what there is, and the webhook with its triggers, made or mended.

https://developer.zendesk.com/api-reference/webhooks/webhooks-api/webhooks/
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.http import Client
from connectors.setup import (
    MOST_NAMES,
    VOLUME_DAYS,
    Hook,
    HookState,
    Need,
    Right,
    RuleSeen,
    Survey,
    Tried,
    if_allowed,
    probe,
)
from connectors.values import as_dict, as_list, ident, number, rows, text
from connectors.verdict import Call
from connectors.zendesk_hook import state_of
from connectors.zendesk_pages import pages
from triage.errors import FeatureOff, Refused, Stop

WEBHOOKS = "/webhooks"
WEBHOOK = "/webhooks/{id}"
SECRET = "/webhooks/{id}/signing_secret"  # noqa: S105 - a path
TEST = "/webhooks/test"
INVOCATIONS = "/webhooks/{id}/invocations"
TRIGGERS = "/triggers.json"
TRIGGER = "/triggers/{id}.json"
EXPORT = "/incremental/tickets/cursor.json"

EVENT = "zen:event-type:ticket."
# What a webhook subscribes to: the one list for all who set one up. `webhooks/zendesk.py` says what each leads to.
EVENTS = (
    "created",
    "comment_added",
    "status_changed",
    "priority_changed",
    "group_assignment_changed",
    "tags_changed",
    "merged",
    "soft_deleted",
)
BY_TRIGGER = "conditional_ticket_events"
CREATED_BODY = '{"ticket_id": "{{ticket.id}}"}'
UPDATED_BODY = '{"event": "ticket_updated", "ticket_id": "{{ticket.id}}"}'
MAX_PAGES = 20
NAME = "Tandem {desk}"
TRIGGER_TITLES = {"created": "Tandem {desk}: new ticket", "updated": "Tandem {desk}: changed ticket"}
NOT_SHOWN = "Zendesk shows no signing secret for webhook {id}: look at it in Admin Center"
NOT_MADE = "Zendesk took the webhook but named no id: run this again, it will be found"
EVERY_PAGE = {"page[size]": "1"}

NEEDS = {
    "tickets": Need("tickets", "read a ticket and its conversation", "agent · tickets:read", "no triage", vital=True),
    "users": Need("users", "who writes; tickets of 30 days", "agent · users:read", "no triage", vital=True),
    "organizations": Need("organizations", "tier, plan and MRR", "agent · organizations:read", "no worth in notes"),
    "groups": Need("groups", "teams and groups", "agent · read", "mode write sets no group"),
    "fields": Need("fields", "map custom fields", "agent · read", "ids are typed by hand"),
    "tags": Need("tags", "tags in use", "agent · read", "none; tags are added all the same"),
    "search": Need("search", "count tickets", "agent · read", "no volume shown here"),
    "changes": Need("changes", "tickets whose webhook never came", "admin · tickets:read", "no catching up"),
    "SLA policies": Need("SLA policies", "compare with ours", "admin · read", "clocks of tickets work all the same"),
    "business hours": Need("business hours", "hours for sla import", "agent · read", "write calendars by hand"),
    "help centre": Need("help centre", "sources in notes", "agent · hc:read", "no articles in notes"),
    "webhooks": Need("webhooks", "make and mend the webhook", "admin · webhooks:write", "an admin clicks, see below"),
    "triggers": Need("triggers", "where there are no events", "admin · triggers:write", "an admin clicks, see below"),
}
# What is asked for day by day; the rest only while a desk is set up.
AT_WORK = ("tickets", "users", "organizations", "groups", "changes", "help centre")


class ZendeskSetup:
    """One Zendesk account."""

    makes_hooks = True

    def __init__(self, api: Client) -> None:
        """Take the client that signs in as the bot."""
        self._api = api

    def rights(self, *, at_work: bool = False) -> tuple[Right, ...]:
        """Return every need of ours and whether the credential may: one small read each."""
        minute_ago = {"start_time": str(int(time.time()) - 120), "per_page": "1"}
        asked = {
            "tickets": ("/tickets.json", EVERY_PAGE),
            "users": ("/users.json", EVERY_PAGE),
            "organizations": ("/organizations.json", EVERY_PAGE),
            "groups": ("/groups.json", EVERY_PAGE),
            "fields": ("/ticket_fields.json", {}),
            "tags": ("/tags.json", EVERY_PAGE),
            "search": ("/search/count.json", {"query": "type:ticket"}),
            "changes": (EXPORT, minute_ago),
            "SLA policies": ("/slas/policies.json", {}),
            "business hours": ("/business_hours/schedules.json", {}),
            "help centre": ("/help_center/articles.json", EVERY_PAGE),
            "webhooks": (WEBHOOKS, EVERY_PAGE),
        }
        found = [
            probe(NEEDS[name], lambda path=path, query=query: self._api.get(path, query=query, optional=True))  # type: ignore[misc]
            for name, (path, query) in asked.items()
            if name in AT_WORK or not at_work
        ]
        if at_work:
            return tuple(found)
        # Agents may list triggers and not make them: who may make webhooks may make triggers.
        found.append(Right(NEEDS["triggers"], found[-1].state, found[-1].said))
        return tuple(found)

    def survey(self) -> Survey:
        """Return what there is on the account."""
        groups = if_allowed(lambda: [text(one.get("name")) for one in self._all("/groups.json", "groups")])
        policies = if_allowed(lambda: [text(one.get("title")) for one in self._rows("/slas/policies.json")])
        fields = if_allowed(lambda: [_field(one) for one in self._rows("/ticket_fields.json") if one.get("removable")])
        tags = if_allowed(lambda: [text(one.get("name")) for one in self._rows("/tags.json")])
        return Survey(
            groups=_tuple(groups),
            fields=_tuple(fields),
            tags=_tuple(tags),
            sla_policies=_tuple(policies),
            tickets=if_allowed(self._volume),
        )

    def hook(self, desk: str, url: str, by: str) -> Hook:
        """Return the webhook that calls `url`, found by its address, made or mended; `by` is events, trigger or auto.

        Found by address and not by a stored id: a webhook made right before a crash is found again.
        """
        existing = self._webhooks(url)
        if existing:
            webhook, done = existing[0], self._mended(existing[0])
            done += [self._removed(one) for one in existing[1:]]
        else:
            webhook, done = self._made(desk, url, by)
        kind = "trigger" if BY_TRIGGER in as_list(webhook.get("subscriptions")) else "events"
        if kind == "trigger":
            done += self._triggers(desk, text(webhook["id"]))
        return Hook(text(webhook["id"]), url, kind, self._secret(text(webhook["id"])), tuple(done))

    def hook_state(self, url: str, secrets: Sequence[str], now: float) -> HookState:
        """Return how the webhook that calls `url` stands, with what Zendesk keeps of its last calls."""
        found = self._webhooks(url)
        if not found:
            return HookState()
        webhook_id, has = text(found[0]["id"]), as_list(found[0].get("subscriptions"))
        if BY_TRIGGER in has:
            by, missing = "trigger", self._idle_triggers(webhook_id)
        else:
            by, missing = "events", [one.removeprefix(EVENT) for one in _subscriptions() if one not in has]
        calls = rows(as_dict(self._api.get(INVOCATIONS, webhook_id, optional=True)).get("invocations"))
        # Without the right to see it, it says nothing.
        signed = if_allowed(lambda: self._secret(webhook_id) in secrets) is not False
        return state_of(found, HookState(by), missing, calls, signed, now)

    def unhook(self, url: str) -> tuple[str, ...]:
        """Take away every webhook that calls `url` with the triggers that use it."""
        return tuple(self._removed(one) for one in self._webhooks(url))

    def try_hook(self, hook: Hook, body: str) -> Tried:
        """Let Zendesk call the webhook with `body` now."""
        try:
            answer = self._test(hook, {"payload": body})
        except (Refused, FeatureOff):
            # On record is only the empty request: whatever Zendesk sends then proves the way as well.
            answer = self._test(hook, {})
        return Tried(int(number(answer.get("status_code")) or 0), text(answer.get("payload"))[:200])

    def steps(self, desk: str, url: str, secret: str) -> list[str]:  # noqa: ARG002 - Zendesk makes the secret
        """Return what an admin clicks together instead."""
        return [
            "Admin Center > Apps and integrations > Actions and webhooks > Webhooks:",
            "Create webhook",
            f"  Name            {NAME.format(desk=desk)}",
            "  Connect to      Zendesk events; choose under Ticket:",
            *(f"                  - {_words(event)}" for event in EVENTS),
            f"  Endpoint URL    {url}",
            "  Request method  POST, JSON",
            "  Authentication  none (the signature is enough)",
            "Create it without pressing Test webhook. Then open it, choose Reveal secret,",
            "and give that secret to this command or put it into .env.",
        ]

    def rules(self, url: str) -> tuple[RuleSeen, ...]:  # noqa: ARG002
        """Raise FeatureOff: our webhook is looked at by `hook`."""
        raise FeatureOff("Zendesk's webhook is looked at itself")

    def _test(self, hook: Hook, request: dict[str, Any]) -> dict[str, Any]:
        call = Call("POST", TEST, query={"webhook_id": hook.id}, body={"request": request}, repeatable=True)
        return as_dict(as_dict(self._api.call(call).data).get("response"))

    def _webhooks(self, url: str) -> list[dict[str, Any]]:
        """Return the webhooks that call `url`, the active ones first."""
        found = [one for one in self._all(WEBHOOKS, "webhooks") if _same(text(one.get("endpoint")), url)]
        return sorted(found, key=lambda one: (one.get("status") != "active", text(one.get("created_at"))))

    def _made(self, desk: str, url: str, by: str) -> tuple[dict[str, Any], list[str]]:
        kinds = {"events": [_subscriptions()], "trigger": [[BY_TRIGGER]]}.get(by, [_subscriptions(), [BY_TRIGGER]])
        for place, subscriptions in enumerate(kinds, 1):
            webhook = {
                "name": NAME.format(desk=desk),
                "description": "Tells Tandem of new and changed tickets.",
                "endpoint": url,
                "http_method": "POST",
                "request_format": "json",
                "status": "active",
                "subscriptions": subscriptions,
            }
            try:
                answer = self._api.send("POST", WEBHOOKS, body={"webhook": webhook})
            except Refused:
                # Not every plan knows the events of tickets.
                if place == len(kinds):
                    raise
                continue
            made = as_dict(as_dict(answer).get("webhook"))
            if not ident(made.get("id")):
                raise Stop(NOT_MADE)
            return made, [f"webhook '{webhook['name']}' made"]
        raise Stop(NOT_MADE)

    def _mended(self, webhook: dict[str, Any]) -> list[str]:
        """Switch it on again and add what is missing; events that somebody added stay."""
        has = [text(one) for one in as_list(webhook.get("subscriptions"))]
        missing = [one for one in _subscriptions() if one not in has] if BY_TRIGGER not in has else []
        change: dict[str, Any] = {}
        done = []
        if webhook.get("status") != "active":
            change["status"] = "active"
            done.append("webhook switched on again")
        if missing:
            change["subscriptions"] = webhook["subscriptions"] = has + missing
            done.append(f"events added: {', '.join(one.removeprefix(EVENT) for one in missing)}")
        if webhook.get("http_method") != "POST" or webhook.get("request_format") != "json":
            change |= {"http_method": "POST", "request_format": "json"}
            done.append("method and format corrected")
        if change:
            self._api.send("PATCH", WEBHOOK, text(webhook["id"]), body={"webhook": change}, repeatable=True)
        return done

    def _removed(self, webhook: dict[str, Any]) -> str:
        """Remove a webhook; Zendesk refuses that while a trigger uses it, so those go first."""
        webhook_id = text(webhook["id"])
        for trigger in self._triggers_of(webhook_id):
            self._api.send("DELETE", TRIGGER, text(trigger["id"]), repeatable=True)
        self._api.send("DELETE", WEBHOOK, webhook_id, repeatable=True)
        return f"webhook '{text(webhook.get('name'))}' removed"

    def _triggers(self, desk: str, webhook_id: str) -> list[str]:
        """Make or switch on the two triggers that use the webhook."""
        known = self._triggers_of(webhook_id)
        done = []
        for when, title in TRIGGER_TITLES.items():
            wanted = _trigger(title.format(desk=desk), when, webhook_id)
            mine = next((one for one in known if _calls_with(one, wanted)), None)
            if mine is None:
                self._api.send("POST", TRIGGERS, body={"trigger": wanted})
                done.append(f"trigger '{wanted['title']}' made")
            elif not mine.get("active"):
                body = {"trigger": {"active": True}}
                self._api.send("PUT", TRIGGER, text(mine["id"]), body=body, repeatable=True)
                done.append(f"trigger '{text(mine.get('title'))}' switched on again")
        return done

    def _triggers_of(self, webhook_id: str) -> list[dict[str, Any]]:
        return [one for one in self._all(TRIGGERS, "triggers") if any(v[0] == webhook_id for v in _calls(one))]

    def _idle_triggers(self, webhook_id: str) -> list[str]:
        """Return what no active trigger sends to the webhook."""
        active = [one for one in self._triggers_of(webhook_id) if one.get("active")]
        wanted = {when: _trigger("", when, webhook_id) for when in TRIGGER_TITLES}
        return [when for when, one in wanted.items() if not any(_calls_with(each, one) for each in active)]

    def _secret(self, webhook_id: str) -> str:
        answer = as_dict(as_dict(self._api.get(SECRET, webhook_id)).get("signing_secret"))
        if not (secret := text(answer.get("secret"))):
            raise Stop(NOT_SHOWN.format(id=webhook_id))
        return secret

    def _volume(self) -> int:
        since = (datetime.now(UTC) - timedelta(days=VOLUME_DAYS)).date().isoformat()
        query = {"query": f"type:ticket created>={since}"}
        return int(as_dict(self._api.get("/search/count.json", query=query, optional=True))["count"])

    def _rows(self, path: str) -> list[dict[str, Any]]:
        answer = as_dict(self._api.get(path, optional=True))
        return next((rows(value) for value in answer.values() if isinstance(value, list)), [])[:MOST_NAMES]

    def _all(self, path: str, key: str) -> list[dict[str, Any]]:
        return [row for page in pages(self._api, path, most=MAX_PAGES, optional=True) for row in rows(page.get(key))]


def _subscriptions() -> list[str]:
    return [EVENT + event for event in EVENTS]


def _trigger(title: str, when: str, webhook_id: str) -> dict[str, Any]:
    """Return a trigger: for new tickets, or for changes that our own notes and tags do not make."""
    created = when == "created"
    all_ = [{"field": "update_type", "operator": "is", "value": "Create" if created else "Change"}]
    any_ = [
        {"field": "comment_is_public", "operator": "is", "value": "true"},
        *({"field": name, "operator": "changed", "value": None} for name in ("status", "priority", "group_id")),
    ]
    if created:
        all_.append({"field": "current_tags", "operator": "not_includes", "value": "ai_triaged"})
    body = CREATED_BODY if created else UPDATED_BODY
    return {
        "title": title,
        "active": True,
        "conditions": {"all": all_, "any": [] if created else any_},
        "actions": [{"field": "notification_webhook", "value": [webhook_id, body]}],
    }


def _calls(trigger: dict[str, Any]) -> list[list[str]]:
    """Return webhook id and body of each call a trigger makes."""
    values = [as_list(one.get("value")) for one in rows(trigger.get("actions"))]
    return [[text(part) for part in value] for value in values if len(value) > 1]


def _calls_with(trigger: dict[str, Any], wanted: dict[str, Any]) -> bool:
    return any(_same_json(one[1], _calls(wanted)[0][1]) for one in _calls(trigger))


def _same_json(one: str, other: str) -> bool:
    try:
        return bool(json.loads(one) == json.loads(other))
    except ValueError:
        return False


def _same(one: str, other: str) -> bool:
    return one.rstrip("/") == other.rstrip("/")


def _field(raw: dict[str, Any]) -> tuple[str, str]:
    return text(raw.get("id")), text(raw.get("title"))


def _tuple(found: list[Any] | None) -> tuple[Any, ...] | None:
    return None if found is None else tuple(found[:MOST_NAMES])


def _words(event: str) -> str:
    return f"Ticket {event.replace('_', ' ')}" if event == "created" else event.replace("_", " ").capitalize()
