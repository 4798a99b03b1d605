"""The control API for tests and demos: make tickets, feed samples, act as an agent, set faults, read everything."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from sandbox import markup, samples
from sandbox.desk import Desk
from sandbox.records import VENDORS, Comment, NewComment, Ticket, iso
from sandbox.state import here

bp = Blueprint("control", __name__, url_prefix="/sandbox")
AGENT_PATH = {"zendesk": "/zendesk/agent/tickets/{id}", "freshdesk": "/freshdesk/a/tickets/{id}"}
ACTIONS = frozenset(
    [
        "reply",
        "note",
        "customer_reply",
        "html",
        "tags_add",
        "tags_remove",
        "priority",
        "group",
        "status",
        "deleted",
        "spam",
        "custom_fields",
        "notes_deleted",
    ]
)


@bp.errorhandler(ValueError)
def bad_request(error: ValueError) -> ResponseReturnValue:
    """Say what was wrong with a control call."""
    return jsonify(error=str(error)), 400


def given() -> dict[str, Any]:
    """Read a JSON object; nothing at all counts as an empty one."""
    if not request.get_data():
        return {}
    found = request.get_json(silent=True)
    if not isinstance(found, dict):
        raise ValueError("send a JSON object with Content-Type: application/json")
    return found


@bp.post("/tickets")
def add_ticket() -> ResponseReturnValue:
    """Make a ticket at one vendor or at both, and fire its webhook unless it is silent."""
    wanted = given()
    vendor = wanted.get("vendor", "both")
    if vendor not in (*VENDORS, "both"):
        raise ValueError("vendor is zendesk, freshdesk or both")
    made = {}
    for name in VENDORS if vendor == "both" else (vendor,):
        desk = here().desks[name]
        samples.open_earlier(desk, wanted)
        made[name] = samples.open_sample(desk, wanted, silent=bool(wanted.get("silent"))).id
    urls = {name: request.host_url.rstrip("/") + AGENT_PATH[name].format(id=number) for name, number in made.items()}
    answer: dict[str, Any] = {"tickets": made, "urls": urls}
    if vendor != "both":
        answer |= {"vendor": vendor, "id": made[vendor], "url": urls[vendor]}
    return jsonify(answer), 201


@bp.post("/feed")
def start_feed() -> ResponseReturnValue:
    """Start pushing the sample tickets; say which ticket ids they get."""
    wanted = given()
    every, limit = wanted.get("every"), wanted.get("limit")
    try:
        mapping = here().feed.start(None if every is None else float(every), limit)
    except RuntimeError as error:
        return jsonify(error=str(error)), 409
    return jsonify(samples=mapping, feed=here().feed.as_dict()), 202


@bp.get("/state")
def show_state() -> ResponseReturnValue:
    """Show every ticket as the two helpdesks hold it, the call counts and how far the feed is."""
    sandbox = here()
    shown: dict[str, Any] = {}
    accounts = {}
    for vendor, desk in sandbox.desks.items():
        with desk.lock:
            shown[vendor] = [ticket_state(desk, ticket) for _, ticket in sorted(desk.tickets.items())]
            accounts[vendor] = {
                "desk": desk.name,
                "bot_id": desk.bot.id,
                "agent_id": desk.agent.id,
                "groups": {group.name: group.id for group in desk.groups.values()},
                "fields": desk.field_ids
                if vendor == "zendesk"
                else {"sentiment": "cf_ai_sentiment", "churn_risk": "cf_ai_churn_risk"},
            }
    return jsonify({**shown, "accounts": accounts, "calls": sandbox.calls.as_dict(), "feed": sandbox.feed.as_dict()})


@bp.post("/agent/<vendor>/<int:ticket_id>")
def act(vendor: str, ticket_id: int) -> ResponseReturnValue:
    """Let a human agent (or, for `customer_reply`, the customer) do something to a ticket."""
    desk, ticket = find(vendor, ticket_id)
    if ticket is None:
        return jsonify(error="no such ticket"), 404
    wanted = given()
    if unknown := set(wanted) - ACTIONS:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(sorted(ACTIONS))}")
    apply(desk, ticket, wanted)
    with desk.lock:
        return jsonify(ticket_state(desk, ticket))


@bp.get("/calls")
def list_calls() -> ResponseReturnValue:
    """List the newest API calls, oldest first."""
    return jsonify(calls=here().calls.newest())


@bp.delete("/calls")
def forget_calls() -> ResponseReturnValue:
    """Set the call counts to zero."""
    here().calls.clear()
    return "", 204


@bp.get("/deliveries.json")
def list_deliveries() -> ResponseReturnValue:
    """List every webhook with its attempts, oldest first."""
    return jsonify(deliveries=here().sender.as_list())


@bp.post("/deliveries/<invocation_id>/again")
def send_again(invocation_id: str) -> ResponseReturnValue:
    """Send a webhook a second time, the same in everything but the signature's time."""
    if not here().sender.again(invocation_id):
        return jsonify(error="no such delivery"), 404
    return "", 202


@bp.post("/tokens/expire")
def expire_tokens() -> ResponseReturnValue:
    """End every OAuth token at once."""
    here().tokens.expire_all()
    return "", 204


@bp.post("/faults")
def set_faults() -> ResponseReturnValue:
    """Add faults: one object or a list of them."""
    wanted = request.get_json(silent=True)
    faults: list[Any] = wanted if isinstance(wanted, list) else [wanted]
    if not all(isinstance(one, dict) for one in faults):
        raise ValueError("send a fault or a list of faults as JSON")
    here().faults.add(faults)
    return jsonify(faults=here().faults.as_list()), 201


@bp.get("/faults")
def list_faults() -> ResponseReturnValue:
    """List the faults and how often each struck."""
    return jsonify(faults=here().faults.as_list())


@bp.delete("/faults")
def clear_faults() -> ResponseReturnValue:
    """Remove every fault."""
    here().faults.clear()
    return "", 204


def find(vendor: str, ticket_id: int) -> tuple[Desk, Ticket | None]:
    """Find a ticket by vendor and id."""
    if vendor not in VENDORS:
        raise ValueError("vendor is zendesk or freshdesk")
    desk = here().desks[vendor]
    return desk, desk.tickets.get(ticket_id)


def apply(desk: Desk, ticket: Ticket, wanted: dict[str, Any]) -> None:
    """Do what a person asked for, one write per comment."""
    with desk.lock:
        changes = changes_of(desk, ticket, wanted)
        for flag in ("deleted", "spam"):
            if flag in wanted:
                setattr(ticket, flag, bool(wanted[flag]))
                desk.touch(ticket)
        if wanted.get("notes_deleted"):
            ticket.comments[1:] = [one for one in ticket.comments[1:] if one.author_id != desk.bot.id]
            desk.touch(ticket)
        said = [
            NewComment(_html(wanted, key), key != "note", author, note=key == "note", incoming=key == "customer_reply")
            for key, author in (
                ("customer_reply", ticket.requester_id),
                ("reply", desk.agent.id),
                ("note", desk.agent.id),
            )
            if wanted.get(key)
        ]
        if moved := status_after(ticket, wanted):
            changes.setdefault("status", moved)
        if changes:
            desk.write(ticket, desk.agent.id, changes, said.pop(0) if said else None, channel="web")
        for comment in said:
            desk.write(ticket, comment.author_id, {}, comment, channel="web")


def status_after(ticket: Ticket, wanted: dict[str, Any]) -> str | None:
    """Say which status a message brings by itself: a customer's reply reopens, Zendesk's first answer opens."""
    if wanted.get("customer_reply") and ticket.status in ("pending", "solved", "resolved", "waiting on customer"):
        return "open"
    if wanted.get("reply") and ticket.status == "new":
        return "open"
    return None


def changes_of(desk: Desk, ticket: Ticket, wanted: dict[str, Any]) -> dict[str, Any]:
    """Translate an agent's wishes into field changes; group names must exist."""
    changes: dict[str, Any] = {}
    if "tags_add" in wanted or "tags_remove" in wanted:
        gone = set(wanted.get("tags_remove") or ())
        tags = [tag for tag in dict.fromkeys([*ticket.tags, *(wanted.get("tags_add") or ())]) if tag not in gone]
        changes["tags"] = sorted(tags) if desk.vendor == "zendesk" else tags
    if "group" in wanted:
        group = desk.group_named(str(wanted["group"])) if wanted["group"] else None
        if wanted["group"] and group is None:
            raise ValueError(f"no group named {wanted['group']}")
        changes["group_id"] = group.id if group else None
    if "status" in wanted:
        changes["status"] = samples.status_word(desk.vendor, str(wanted["status"]))
    if "priority" in wanted:
        changes["priority"] = samples.priority_word(desk.vendor, str(wanted["priority"]))
    changes |= {f"custom:{key}": value for key, value in (wanted.get("custom_fields") or {}).items()}
    return changes


def ticket_state(desk: Desk, ticket: Ticket) -> dict[str, Any]:
    """Describe a ticket in words both vendors share."""
    group = desk.groups.get(ticket.group_id or 0)
    requester = desk.people[ticket.requester_id]
    company = desk.organizations.get(ticket.organization_id or 0)
    return {
        "id": ticket.id,
        "sample_id": ticket.sample_id,
        "subject": ticket.subject,
        "status": ticket.status,
        "priority": ticket.priority,
        "group": group.name if group else None,
        "assignee_id": ticket.assignee_id,
        "type": ticket.type,
        "tags": list(ticket.tags),
        "custom_fields": dict(ticket.custom_fields),
        "channel": ticket.channel,
        "requester": {"id": requester.id, "name": requester.name, "email": requester.email},
        "organization": company.name if company else None,
        "created_at": iso(ticket.created_at),
        "updated_at": iso(ticket.updated_at),
        "deleted": ticket.deleted,
        "spam": ticket.spam,
        "comments": [comment_state(desk, comment) for comment in ticket.comments],
    }


def comment_state(desk: Desk, comment: Comment) -> dict[str, Any]:
    """Describe a comment; the role `bot` is the account the API calls act as."""
    person = desk.people[comment.author_id]
    role = "bot" if person is desk.bot else "customer" if person.role == "end-user" else "agent"
    return {
        "id": comment.id,
        "public": comment.public,
        "author_role": role,
        "author_id": person.id,
        "html": comment.html,
        "text": markup.to_text(comment.html),
        "created_at": iso(comment.created_at),
        "metadata": dict(comment.metadata),
    }


def _html(wanted: dict[str, Any], key: str) -> str:
    text = str(wanted[key])
    return markup.clean(text) if wanted.get("html") else markup.from_text(text)
