"""Freshdesk's other endpoints: agents, contacts, companies, groups, fields, SLA policies and settings."""

from __future__ import annotations

from typing import Any

from flask import jsonify, request
from flask.typing import ResponseReturnValue

from sandbox import freshdesk_shapes as shapes
from sandbox.freshdesk import NO_FEATURE, Refusal, desk, moment, route
from sandbox.freshdesk_solutions import languages
from sandbox.records import Person, iso

# name, label, type, required for agents: the vendor's default fields as recorded
DEFAULT_FIELDS = (
    ("requester", "Search a requester", "default_requester", True),
    ("subject", "Subject", "default_subject", True),
    ("ticket_type", "Type", "default_ticket_type", False),
    ("source", "Source", "default_source", False),
    ("status", "Status", "default_status", True),
    ("priority", "Priority", "default_priority", True),
    ("group", "Group", "default_group", False),
    ("agent", "Agent", "default_agent", False),
    ("description", "Description", "default_description", True),
)
STATUS_LABELS = {
    "2": ["Open", "Being Processed"],
    "3": ["Pending", "Awaiting your Reply"],
    "4": ["Resolved", "This ticket has been Resolved"],
    "5": ["Closed", "This ticket has been Closed"],
    "6": ["Waiting on Customer", "Awaiting your Reply"],
    "7": ["Waiting on Third Party", "Being Processed"],
}
SOURCES = {"Email": 1, "Portal": 2, "Phone": 3, "Chat": 7, "Feedback Widget": 9, "Outbound Email": 10}
WORKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday")


@route("/agents/me")
def show_me() -> ResponseReturnValue:
    """Show whose key this is."""
    return jsonify(shapes.agent(desk(), desk().bot))


@route("/agents")
def list_agents() -> ResponseReturnValue:
    """List the agents."""
    return shapes.listing(_staff(), lambda one: shapes.agent(desk(), one, listed=True))


@route("/agents/<int:agent_id>")
def show_agent(agent_id: int) -> ResponseReturnValue:
    """Show an agent."""
    return jsonify(shapes.agent(desk(), _person(agent_id, staff=True)))


@route("/contacts/<int:contact_id>")
def show_contact(contact_id: int) -> ResponseReturnValue:
    """Show a contact; an agent's id is not one."""
    return jsonify(shapes.contact(_person(contact_id, staff=False)))


@route("/contacts")
def list_contacts() -> ResponseReturnValue:
    """List the contacts."""
    contacts = [person for person in desk().people.values() if person.role == "end-user"]
    return shapes.listing(contacts, shapes.contact)


@route("/companies")
def list_companies() -> ResponseReturnValue:
    """List the companies."""
    return shapes.listing(list(desk().organizations.values()), shapes.company)


@route("/companies/<int:company_id>")
def show_company(company_id: int) -> ResponseReturnValue:
    """Show a company."""
    if company_id not in desk().organizations:
        raise Refusal(404)
    return jsonify(shapes.company(desk().organizations[company_id]))


@route("/surveys/satisfaction_ratings")
def list_ratings() -> ResponseReturnValue:
    """List the ratings since `created_since`, newest first; not in every plan."""
    if not desk().config.freshdesk_ratings:
        raise Refusal(403, {**NO_FEATURE, "message": NO_FEATURE["message"].format(name="Surveys")})
    since = moment("created_since", request.args.get("created_since", "1970-01-01T00:00:00Z"))
    rated = [(one.rating, one) for one in desk().tickets.values() if one.rating and one.rating.created_at >= since]
    rated.sort(key=lambda pair: pair[0].created_at, reverse=True)
    return shapes.listing([one for _, one in rated], shapes.rating)


@route("/groups")
def list_groups() -> ResponseReturnValue:
    """List the groups."""
    return shapes.listing(sorted(desk().groups.values(), key=lambda one: one.name), shapes.group)


@route("/groups/<int:group_id>")
def show_group(group_id: int) -> ResponseReturnValue:
    """Show a group with its agents."""
    if group_id not in desk().groups:
        raise Refusal(404)
    return jsonify(shapes.group(desk().groups[group_id], [person.id for person in _staff()]))


@route("/ticket_fields")
def list_fields() -> ResponseReturnValue:
    """List the ticket fields; `choices` has three shapes at this vendor."""
    choices: dict[str, Any] = {
        "ticket_type": list(shapes.TYPES),
        "source": SOURCES,
        "status": STATUS_LABELS,
        "priority": {"Low": 1, "Medium": 2, "High": 3, "Urgent": 4},
        "group": {group.name: group.id for group in desk().groups.values()},
        "agent": {person.name: person.id for person in _staff()},
    }
    fields = [_field(place, *row) for place, row in enumerate(DEFAULT_FIELDS, 1)]
    for name, options in shapes.CUSTOM_FIELDS.items():
        label = name.removeprefix("cf_").replace("_", " ").capitalize().replace("Ai ", "AI ")
        fields.append({**_field(len(fields) + 1, name, label, "custom_dropdown", False), "default": False})
        choices[name] = list(options)
    return jsonify([{**one, "choices": choices[one["name"]]} if one["name"] in choices else one for one in fields])


@route("/sla_policies")
def list_sla_policies() -> ResponseReturnValue:
    """List the one default SLA policy, in seconds (admins); not in every plan."""
    if not desk().config.freshdesk_slas:
        raise Refusal(403, {**NO_FEATURE, "message": NO_FEATURE["message"].format(name="SLA Management")})
    targets = {
        f"priority_{shapes.PRIORITY[name]}": {
            "respond_within": respond,
            "resolve_within": resolve,
            "next_respond_within": respond,
            "business_hours": False,
            "escalation_enabled": True,
        }
        for name, (respond, resolve) in shapes.SLA_SECONDS.items()
    }
    made = iso(desk().bot.created_at)
    return jsonify(
        [
            {
                "id": 67000039537,
                "name": "Default SLA Policy",
                "description": "default policy",
                "active": True,
                "sla_target": targets,
                "applicable_to": {},
                "is_default": True,
                "position": 1,
                "created_at": made,
                "updated_at": made,
                "escalation": {},
            }
        ]
    )


@route("/business_hours")
def list_business_hours() -> ResponseReturnValue:
    """List one calendar in a Rails time zone (admins)."""
    made = iso(desk().bot.created_at)
    day = {"start_time": "8:00 am", "end_time": "5:00 pm"}
    return jsonify(
        [
            {
                "id": 67000039282,
                "name": "Default",
                "is_default": True,
                "description": "Default Business Calendar",
                "business_hours": {name: day for name in WORKDAYS},
                "time_zone": "Eastern Time (US & Canada)",
                "created_at": made,
                "updated_at": made,
            }
        ]
    )


@route("/settings/helpdesk")
def show_settings() -> ResponseReturnValue:
    """Show the languages."""
    main, *others = languages()
    return jsonify(primary_language=main, supported_languages=others, portal_languages=others, help_widget_languages=[])


def _staff() -> list[Person]:
    return [person for person in desk().people.values() if person.role != "end-user"]


def _person(number: int, *, staff: bool) -> Person:
    person = desk().people.get(number)
    if person is None or (person.role != "end-user") != staff:
        raise Refusal(404)
    return person


def _field(place: int, name: str, label: str, kind: str, required: bool) -> dict[str, Any]:
    made = iso(desk().bot.created_at)
    return {
        "id": 67000439403 + place,
        "name": name,
        "label": label,
        "description": label,
        "position": place,
        "required_for_closure": False,
        "required_for_agents": required,
        "type": kind,
        "default": True,
        "customers_can_edit": False,
        "customers_can_filter": False,
        "label_for_customers": label,
        "required_for_customers": required,
        "displayed_to_customers": False,
        "created_at": made,
        "updated_at": made,
    }
