"""What an admin has set up at Zendesk: ticket fields, SLA policies and schedules."""

from __future__ import annotations

from typing import Any

from flask import jsonify
from flask.typing import ResponseReturnValue

from sandbox import zendesk_shapes as shapes
from sandbox.config import SandboxConfig
from sandbox.desk import Desk
from sandbox.records import iso
from sandbox.state import here
from sandbox.zendesk import API, NO_ENDPOINT, Refusal, desk, route, url

JSON = dict[str, Any]
# the settings no custom field of this account uses
FIELD_REST: JSON = {
    "active": True,
    "required": False,
    "collapsed_for_agents": False,
    "regexp_for_validation": None,
    "visible_in_portal": False,
    "editable_in_portal": False,
    "required_in_portal": False,
    "tag": None,
    "removable": True,
    "key": None,
    "agent_description": None,
}

HOLIDAYS = [
    {"id": 8811, "name": "New Year", "start_date": "2030-01-01", "end_date": "2030-01-01"},
    {"id": 8812, "name": "Works outing", "start_date": "2030-06-05", "end_date": "2030-06-07"},
]


@route("/ticket_fields")
def list_fields() -> ResponseReturnValue:
    """List the custom ticket fields with their options."""
    fields = ticket_fields(desk(), here().config)
    return jsonify(ticket_fields=fields, next_page=None, previous_page=None, count=len(fields))


@route("/slas/policies")
def list_sla_policies() -> ResponseReturnValue:
    """List the SLA policies (admins); without the feature the list is empty."""
    policies = []
    if here().config.zendesk_slas:
        metrics = [
            {
                "priority": priority,
                "metric": metric,
                "target": target,
                "business_hours": False,
                "target_in_seconds": target * 60,
            }
            for priority, targets in shapes.SLA_MINUTES.items()
            for metric, target in zip(shapes.SLA_METRICS, targets, strict=True)
        ]
        made = iso(desk().bot.created_at)
        policies.append(
            {
                "url": url(f"{API}/slas/policies/360001110696.json"),
                "id": 360001110696,
                "title": "Default",
                "description": "Sandbox policy",
                "position": 1,
                "filter": {"all": [], "any": []},
                "policy_metrics": metrics,
                "created_at": made,
                "updated_at": made,
            }
        )
    return jsonify(sla_policies=policies, next_page=None, previous_page=None, count=len(policies))


@route("/business_hours/schedules")
def list_schedules() -> ResponseReturnValue:
    """List one schedule, Monday to Friday from nine to five, in a Rails time zone name; a feature of larger plans."""
    if not here().config.zendesk_schedules:
        raise Refusal(404, NO_ENDPOINT)
    made = iso(desk().bot.created_at)
    days = [{"start_time": day * 1440 + 540, "end_time": day * 1440 + 1020} for day in range(1, 6)]
    schedule = {
        "id": 4567312249615,
        "name": "Office hours",
        "time_zone": "London",
        "created_at": made,
        "updated_at": made,
        "intervals": days,
    }
    return jsonify(schedules=[schedule], url=url(f"{API}/business_hours/schedules.json"))


@route("/business_hours/schedules/<int:schedule_id>/holidays")
def list_holidays(**_: int) -> ResponseReturnValue:
    """List a holiday of one day and one of three."""
    return jsonify(holidays=HOLIDAYS)


def ticket_fields(account: Desk, config: SandboxConfig) -> list[JSON]:
    """List the custom ticket fields."""
    made = iso(account.bot.created_at)
    sentiment, churn = account.field_ids["sentiment"], account.field_ids["churn_risk"]
    return [
        _tagger(sentiment, "AI sentiment", config.zendesk_sentiments, 9991, made),
        _tagger(churn, "AI churn risk", config.zendesk_churn_risks, 9992, made),
    ]


def _tagger(number: int, title: str, options: tuple[str, ...], place: int, made: str | None) -> JSON:
    texts = ("title", "raw_title", "description", "raw_description", "title_in_portal", "raw_title_in_portal")
    choices = []
    for at, value in enumerate(options, 1):
        name = value.capitalize()
        choices.append({"id": number + at, "name": name, "raw_name": name, "value": value, "default": False})
    return {
        **dict.fromkeys(texts, title),
        **FIELD_REST,
        "url": url(f"{API}/ticket_fields/{number}.json"),
        "id": number,
        "type": "tagger",
        "position": place,
        "created_at": made,
        "updated_at": made,
        "custom_field_options": choices,
    }
