"""Zendesk's webhooks and triggers API: what only an admin may do.

Shapes as recorded in the family of webhook exchanges; https://developer.zendesk.com/api-reference/webhooks/
"""

from __future__ import annotations

import json
from typing import Any

from flask import jsonify, request
from flask.typing import ResponseReturnValue

from sandbox import zendesk_paging as paging
from sandbox.hooks import BY_TRIGGER, Trigger, Webhook, new_secret
from sandbox.records import iso, now
from sandbox.sender import Delivery, ulid
from sandbox.state import here
from sandbox.zendesk import NOT_FOUND, Refusal, body, desk, invalid, route

JSON = dict[str, Any]
KEYS = ("name", "endpoint", "http_method", "request_format", "status", "subscriptions", "description")
MANDATORY = KEYS[:5]
SPARE = {"id": "01H8E2S0MJ4W8Q7Q1K5H3Z6T9B", "subject": "A test"}
EVENT = "zen:event-type:"


@route("/webhooks")
def list_webhooks() -> ResponseReturnValue:
    """List the webhooks, or those whose name holds a text."""
    part = request.args.get("filter[name_contains]", "").lower()
    found = [shown(one) for one in here().hooks.webhooks.values() if part in str(one.values["name"]).lower()]
    return jsonify(webhooks=found, meta={"has_more": False}, links={})


@route("/webhooks", "POST")
def make_webhook() -> ResponseReturnValue:
    """Make a webhook."""
    given = _given("webhook")
    if missing := [key for key in MANDATORY if not given.get(key)]:
        raise invalid(missing[0], f"{missing[0]} is required", "BlankValue")
    _check(given)
    one = Webhook(ulid(), iso(now()) or "", values={"subscriptions": [], **{k: given[k] for k in KEYS if k in given}})
    here().hooks.webhooks[one.id] = one
    return jsonify(webhook=shown(one)), 201


@route("/webhooks/<webhook_id>")
def show_webhook(webhook_id: str) -> ResponseReturnValue:
    """Show a webhook."""
    return jsonify(webhook=shown(_webhook(webhook_id)))


@route("/webhooks/<webhook_id>", "PATCH")
def change_webhook(webhook_id: str) -> ResponseReturnValue:
    """Change parts of a webhook; never its kind."""
    one, given = _webhook(webhook_id), _given("webhook")
    wanted: list[str] = given.get("subscriptions") or one.values["subscriptions"]
    if (BY_TRIGGER in wanted) != (BY_TRIGGER in one.values["subscriptions"]):
        raise invalid("subscriptions", "the connection method of a webhook cannot be changed")
    _check(given)
    one.values |= {key: given[key] for key in KEYS if key in given}
    return "", 204


@route("/webhooks/<webhook_id>", "DELETE")
def remove_webhook(webhook_id: str) -> ResponseReturnValue:
    """Remove a webhook that no trigger uses."""
    _webhook(webhook_id)
    for trigger in here().hooks.triggers.values():
        if any(_calls(action, webhook_id) for action in trigger.values["actions"]):
            raise invalid("base", "the webhook is used by a trigger")
    del here().hooks.webhooks[webhook_id]
    return "", 204


@route("/webhooks/<webhook_id>/signing_secret")
def show_secret(webhook_id: str) -> ResponseReturnValue:
    """Show what signs the webhook's calls."""
    return jsonify(signing_secret={"secret": _webhook(webhook_id).secret, "algorithm": "SHA256"})


@route("/webhooks/<webhook_id>/signing_secret", "POST")
def renew_secret(webhook_id: str) -> ResponseReturnValue:
    """Make a new secret; the old one is over."""
    one = _webhook(webhook_id)
    one.secret = new_secret()
    return jsonify(signing_secret={"secret": one.secret, "algorithm": "SHA256"}), 201


@route("/webhooks/test", "POST", alone=True)
def try_webhook() -> ResponseReturnValue:
    """Call a webhook's address once and tell what it answered."""
    asked = _given("request")
    with desk().lock:
        one = _webhook(request.args.get("webhook_id", ""))
    payload = str(asked.get("payload") or json.dumps(SPARE))
    url = str(one.values["endpoint"])
    delivery = Delivery(ulid(), "zendesk", 0, "test", url, payload.encode(), webhook_id=one.id, secret=one.secret)
    attempt = here().sender.once(delivery)
    answered = {"status_code": attempt.status or 504, "headers": [], "payload": attempt.answer or attempt.error}
    return jsonify(response=answered)


@route("/webhooks/<webhook_id>/invocations")
def list_invocations(webhook_id: str) -> ResponseReturnValue:
    """List the last calls of a webhook, newest first."""
    _webhook(webhook_id)
    calls = [one for one in here().sender.as_list() if one["webhook_id"] == webhook_id and one["attempts"]][::-1]
    found = [
        {
            "id": one["id"],
            "status_code": one["attempts"][-1]["status"] or 504,
            "status": "success" if one["state"] == "delivered" else "terminated",
            "latest_completed_at": one["attempts"][-1]["at"],
        }
        for one in calls
    ]
    return jsonify(invocations=found[:100], meta={"has_more": False}, links={})


@route("/triggers")
def list_triggers() -> ResponseReturnValue:
    """List the triggers."""
    return jsonify(paging.page(list(here().hooks.triggers.values()), "triggers", _trigger))


@route("/triggers", "POST")
def make_trigger() -> ResponseReturnValue:
    """Make a trigger."""
    one = Trigger(here().hooks.new_id("trigger"), iso(now()) or "")
    one.values = _trigger_values(_given("trigger"))
    here().hooks.triggers[one.id] = one
    return jsonify(trigger=_trigger(one)), 201


@route("/triggers/<int:trigger_id>", "PUT")
def change_trigger(trigger_id: int) -> ResponseReturnValue:
    """Change a trigger."""
    one = paging.find(here().hooks.triggers, trigger_id)
    one.values = _trigger_values({**one.values, **_given("trigger")})
    return jsonify(trigger=_trigger(one))


@route("/triggers/<int:trigger_id>", "DELETE")
def remove_trigger(trigger_id: int) -> ResponseReturnValue:
    """Remove a trigger."""
    paging.find(here().hooks.triggers, trigger_id)
    del here().hooks.triggers[trigger_id]
    return "", 204


def shown(one: Webhook) -> JSON:
    """Show a webhook; its secret is asked for apart."""
    return {"id": one.id, "created_at": one.made, "created_by": str(desk().bot.id), **one.values}


def _webhook(webhook_id: str) -> Webhook:
    if webhook_id not in here().hooks.webhooks:
        raise Refusal(404, NOT_FOUND)
    return here().hooks.webhooks[webhook_id]


def _given(name: str) -> JSON:
    given = body().get(name)
    if not isinstance(given, dict):
        raise Refusal(400, {"error": "ParameterMissing", "description": f"Required parameter missing: {name}"})
    return given


def _check(given: JSON) -> None:
    wanted = given.get("subscriptions", [])
    events = [one for one in wanted if one != BY_TRIGGER]
    if events and len(events) != len(wanted):
        raise invalid("subscriptions", "a webhook is connected to events or to triggers, not to both")
    if any(not one.startswith(EVENT) for one in events):
        raise invalid("subscriptions", "unknown event type")
    if events and not here().config.zendesk_ticket_events and any(one.startswith(f"{EVENT}ticket.") for one in events):
        raise invalid("subscriptions", "unknown event type")


def _calls(action: JSON, webhook_id: str) -> bool:
    return bool(action["field"] == "notification_webhook" and action["value"][0] == webhook_id)


def _trigger(one: Trigger) -> JSON:
    return {"id": one.id, "created_at": one.made, "updated_at": one.made, "default": False, **one.values}


def _trigger_values(given: JSON) -> JSON:
    conditions = given.get("conditions") or {"all": given.get("all", []), "any": given.get("any", [])}
    if not given.get("title"):
        raise invalid("title", "Title: cannot be blank", "BlankValue")
    if not given.get("actions"):
        raise invalid("actions", "Trigger must have at least one action")
    for action in given["actions"]:
        if action["field"] == "notification_webhook":
            _webhook(action["value"][0])
    rest = {"title": given["title"], "active": given.get("active", True), "actions": given["actions"]}
    return {**rest, "conditions": {"all": conditions.get("all", []), "any": conditions.get("any", [])}}
