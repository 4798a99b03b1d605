"""Freshdesk's automation rules: read by admins through the API, clicked together on a page.

https://developers.freshdesk.com/api/#automations
"""

from __future__ import annotations

from typing import Any

from flask import jsonify, redirect, render_template, request
from flask.typing import ResponseReturnValue

from sandbox.freshdesk import Refusal, desk, route
from sandbox.hooks import CREATION, UPDATES, Rule, headers_of
from sandbox.pages import bp
from sandbox.records import iso, now
from sandbox.state import here

KINDS = {CREATION: "Ticket creation", 3: "Hourly triggers", UPDATES: "Ticket updates"}
PAGE = "/freshdesk/a/automations"


@route("/automations/<int:kind>/rules")
def list_rules(kind: int) -> ResponseReturnValue:
    """List the rules of a kind in their order."""
    if kind not in KINDS:
        raise Refusal(404)
    rules = [one for one in here().hooks.rules.values() if one.kind == kind]
    return jsonify([shown(one, place) for place, one in enumerate(rules, 1)])


@bp.route(PAGE, methods=["GET", "POST"])
def automations() -> ResponseReturnValue:
    """Show the rules, and let the visitor make one as an admin would."""
    problem = ""
    if request.method == "POST":
        try:
            add(request.form.to_dict())
        except ValueError as error:
            problem = str(error)
        else:
            return redirect(PAGE, 303)
    with desk().lock:
        rules = [(one, KINDS[one.kind]) for one in here().hooks.rules.values()]
    return render_template("automations.html", rules=rules, problem=problem, form=request.form)


@bp.post(f"{PAGE}/<int:rule_id>")
def change_rule(rule_id: int) -> ResponseReturnValue:
    """Switch a rule on or off, or take it away."""
    with desk().lock:
        rules = here().hooks.rules
        if rule_id in rules and request.form.get("do") == "remove":
            del rules[rule_id]
        elif rule_id in rules:
            rules[rule_id].active = not rules[rule_id].active
    return redirect(PAGE, 303)


def add(given: dict[str, str]) -> Rule:
    """Make a rule from the form's values; ValueError when one is missing or wrong."""
    url, content = given.get("url", "").strip(), given.get("content", "").strip()
    if not url.startswith(("http://", "https://")):
        raise ValueError("The URL must begin with https:// (or http:// on this machine).")
    if not content:
        raise ValueError("The content is empty.")
    try:
        headers = headers_of(given.get("headers", ""))
    except ValueError:
        raise ValueError("The custom headers are no JSON object.") from None
    with desk().lock:
        number = here().hooks.new_id("rule")
        kind = UPDATES if given.get("kind") == str(UPDATES) else CREATION
        name = given.get("name", "").strip() or f"Rule {number}"
        rule = Rule(number, kind, iso(now()) or "", name, url, headers, content)
        here().hooks.rules[number] = rule
    return rule


def shown(one: Rule, place: int) -> dict[str, Any]:
    """Show a rule as the API does."""
    webhook = {
        "field_name": "trigger_webhook",
        "request_type": "POST",
        "content_type": "JSON",
        "content_layout": "2",
        "url": one.url,
        "content": one.content,
        "custom_headers": one.headers,
    }
    updates = {"performer": {"type": 3}, "events": [{"field_name": "status", "from": "--", "to": "--"}]}
    sources = {"field_name": "source", "operator": "in", "value": [1, 2, 3, 7, 9, 10]}
    return {
        "id": one.id,
        "name": one.name,
        "position": place,
        "active": one.active,
        "automation_type_id": one.kind,
        **(updates if one.kind == UPDATES else {}),
        "conditions": [
            {"name": "condition_set_1", "match_type": "any", "properties": [{"resource_type": "ticket", **sources}]}
        ],
        "actions": [webhook],
        "created_at": one.made,
        "updated_at": one.made,
    }
