"""Zendesk's ticket endpoints: show, update, tags, comments and audits."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from flask import g, jsonify, request
from flask.typing import ResponseReturnValue

from sandbox import markup
from sandbox import zendesk_paging as paging
from sandbox import zendesk_shapes as shapes
from sandbox.records import NewComment, Ticket, now
from sandbox.state import here
from sandbox.zendesk import NOT_FOUND, Refusal, body, desk, invalid, route

STATUSES = ("new", "open", "pending", "hold", "solved", "closed")
PRIORITIES = ("low", "normal", "high", "urgent")
TYPES = ("problem", "incident", "question", "task")
# `description` may be sent but changes nothing (recorded); every other key is dropped and named in a header
KEYS = frozenset(
    [
        "comment",
        "priority",
        "status",
        "group_id",
        "assignee_id",
        "assignee_email",
        "custom_fields",
        "tags",
        "metadata",
        "updated_stamp",
        "safe_update",
        "subject",
        "description",
        "type",
        "external_id",
        "due_at",
        "problem_id",
        "ticket_form_id",
        "brand_id",
        "custom_status_id",
        "requester_id",
        "organization_id",
    ]
)
COMMENT_KEYS = frozenset(["body", "html_body", "public", "author_id", "uploads"])
CONFLICT = {
    "error": "UpdateConflict",
    "description": "Safe Update prevented the update due to outdated ticket data.",
}


@route("/tickets/count")
def count_tickets() -> ResponseReturnValue:
    """Count the tickets."""
    alive = sum(not ticket.deleted for ticket in desk().tickets.values())
    return jsonify(count={"value": alive, "refreshed_at": now().isoformat()})


@route("/tickets/<int:ticket_id>")
def show_ticket(ticket_id: int) -> ResponseReturnValue:
    """Show a ticket with its sideloads as top-level arrays; `slas` is ignored unless this account brings it."""
    ticket = _find(ticket_id)
    account = desk()
    shown: dict[str, Any] = {"ticket": shapes.ticket(account, ticket)}
    wanted = set(request.args.get("include", "").split(","))
    if "comment_count" in wanted:
        shown["ticket"]["comment_count"] = len(ticket.comments)
    shown |= shapes.sideloads(account, [ticket], wanted)
    if "metric_sets" in wanted:
        shown["metric_sets"] = [shapes.metric_set(account, ticket)]
    if "slas" in wanted and here().config.zendesk_slas and here().config.zendesk_sla_sideload:
        shown["ticket"]["slas"] = {"policy_metrics": shapes.sla_metrics(account, ticket)}
    return jsonify(shown)


@route("/tickets/<int:ticket_id>", "PUT")
def update_ticket(ticket_id: int) -> ResponseReturnValue:
    """Change a ticket: fields and at most one comment in one audit."""
    given = body()
    wanted = given.get("ticket")
    dropped: list[str] = []
    try:
        if not isinstance(wanted, dict):
            raise Refusal(400, {"error": "ParameterMissing", "description": "Parameter ticket is required"})
        dropped = [f"ticket.{key}" for key in wanted if key not in KEYS]
        ticket = _find(ticket_id)
        _guard(ticket, wanted)
        comment = _comment(ticket, wanted["comment"], dropped) if "comment" in wanted else None
        changes = _changes(wanted)
        metadata = wanted.get("metadata") if isinstance(wanted.get("metadata"), dict) else None
        audit = desk().write(ticket, g.user_id, changes, comment, metadata=metadata)
        answer = jsonify(ticket=shapes.ticket(desk(), ticket), audit=shapes.audit(audit))
    except Refusal as refusal:
        answer = jsonify(refusal.body)
        answer.status_code = refusal.status
    if dropped:
        keys = ", ".join(f'"{key}"' for key in dropped)
        answer.headers["x-zendesk-api-warn"] = (
            '{:allowed_parameters=>{:controller=>"tickets", :action=>"update", '
            f":unpermitted_keys=>[{keys}], :invalid_values=>[]}}}}"
        )
    return answer


@route("/tickets/<int:ticket_id>/tags")
def list_tags(ticket_id: int) -> ResponseReturnValue:
    """List a ticket's tags."""
    return jsonify(tags=_find(ticket_id).tags)


@route("/tickets/<int:ticket_id>/tags", "PUT")
def add_tags(ticket_id: int) -> ResponseReturnValue:
    """Add tags; the rest stays."""
    ticket = _find(ticket_id)
    return jsonify(tags=_write_tags(ticket, lambda old, new: old | new))


@route("/tickets/<int:ticket_id>/tags", "POST")
def set_tags(ticket_id: int) -> ResponseReturnValue:
    """Replace all tags: POST is not "add" at this vendor."""
    ticket = _find(ticket_id)
    return jsonify(tags=_write_tags(ticket, lambda _, new: new)), 201


@route("/tickets/<int:ticket_id>/tags", "DELETE")
def remove_tags(ticket_id: int) -> ResponseReturnValue:
    """Remove tags."""
    _write_tags(_find(ticket_id), lambda old, new: old - new)
    return "", 204


@route("/tickets/<int:ticket_id>/comments")
def list_comments(ticket_id: int) -> ResponseReturnValue:
    """List comments, oldest first unless `sort=-created_at`."""
    ticket = _find(ticket_id)
    comments = list(ticket.comments)
    if request.args.get("sort") == "-created_at" or request.args.get("sort_order") == "desc":
        comments.reverse()
    shown = paging.page(comments, "comments", shapes.comment)
    if "users" in request.args.get("include", "").split(","):
        authors = dict.fromkeys(item["author_id"] for item in shown["comments"])
        shown["users"] = [shapes.user(desk().people[number]) for number in authors]
    return jsonify(shown)


@route("/tickets/<int:ticket_id>/comments/<int:comment_id>/make_private", "PUT")
def make_private(ticket_id: int, comment_id: int) -> ResponseReturnValue:
    """Hide a comment from the customer."""
    ticket = _find(ticket_id)
    comment = next((one for one in ticket.comments if one.id == comment_id), None)
    if comment is None:
        raise Refusal(404, NOT_FOUND)
    comment.public = False
    desk().touch(ticket)
    return "", 200


@route("/tickets/<int:ticket_id>/audits")
def list_audits(ticket_id: int) -> ResponseReturnValue:
    """List what was done to a ticket."""
    return jsonify(paging.page(_find(ticket_id).audits, "audits", shapes.audit))


@route("/tickets/<int:ticket_id>/metrics")
def show_metrics(ticket_id: int) -> ResponseReturnValue:
    """Show a ticket's metrics."""
    return jsonify(ticket_metric=shapes.metric_set(desk(), _find(ticket_id)))


@route("/tickets/<int:ticket_id>/slas/policy_metrics")
def show_sla(ticket_id: int) -> ResponseReturnValue:
    """Show a ticket's SLA metrics; 404 without an SLA, the usual case."""
    metrics = shapes.sla_metrics(desk(), _find(ticket_id))
    if not here().config.zendesk_slas or not metrics:
        raise Refusal(404, NOT_FOUND)
    return jsonify(policy_metrics=metrics)


def _find(ticket_id: int) -> Ticket:
    ticket = desk().visible(ticket_id)
    if ticket is None:
        raise Refusal(404, NOT_FOUND)
    return ticket


def _guard(ticket: Ticket, wanted: dict[str, Any]) -> None:
    """Refuse writes to closed tickets, and stale ones when a safe update is asked for (any value of the flag asks)."""
    if ticket.status == "closed":
        raise invalid("status", "Status closed prevents ticket update")
    if "safe_update" not in wanted:
        return
    try:
        stamp = datetime.fromisoformat(str(wanted.get("updated_stamp")).replace("Z", "+00:00"))
        fresh = stamp == ticket.updated_at
    except (ValueError, TypeError):
        fresh = False
    if not fresh:
        raise Refusal(409, CONFLICT)


def _comment(ticket: Ticket, wanted: Any, dropped: list[str]) -> NewComment:
    if not isinstance(wanted, dict):
        raise invalid("comment", "Comment: is invalid", "InvalidValue")
    dropped.extend(f"ticket.comment.{key}" for key in wanted if key not in COMMENT_KEYS)
    if wanted.get("body") and wanted.get("html_body"):
        raise invalid("base", "Only one of body and html_body may be given")
    html = markup.clean(str(wanted.get("html_body") or "")) or markup.from_text(str(wanted.get("body") or ""))
    if not html:
        raise invalid("comment", "Comment: cannot be blank", "BlankValue")
    public = wanted.get("public")
    if not isinstance(public, bool):
        # The vendor has no fixed default: on an e-mail ticket a forgotten flag goes to the customer.
        public = ticket.channel == "email" or ticket.comments[-1].public
    author = wanted.get("author_id", g.user_id)
    if author not in desk().people:
        raise invalid("comment", "Author: is invalid", "InvalidValue")
    return NewComment(html, public or bool(g.get("make_public")), author)


def _changes(wanted: dict[str, Any]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for key, words in (("status", STATUSES), ("priority", PRIORITIES), ("type", TYPES)):
        if key in wanted:
            if wanted[key] not in words and not (wanted[key] is None and key != "status"):
                raise invalid(key, f"{key.capitalize()}: {wanted[key]} is not valid", "InvalidValue")
            changes[key] = wanted[key]
    if "subject" in wanted:
        changes["subject"] = str(wanted["subject"])
    if "group_id" in wanted:
        if wanted["group_id"] is not None and wanted["group_id"] not in desk().groups:
            raise invalid("group", "Group: is invalid", "InvalidValue")
        changes["group_id"] = wanted["group_id"]
    if "assignee_id" in wanted:
        person = desk().people.get(wanted["assignee_id"])
        if wanted["assignee_id"] is not None and (person is None or person.role == "end-user"):
            raise invalid("assignee", "Assignee: is invalid", "InvalidValue")
        changes["assignee_id"] = wanted["assignee_id"]
    if "tags" in wanted:
        changes["tags"] = sorted(_tags(wanted["tags"]))
    changes.update(_custom(wanted.get("custom_fields") or []))
    return changes


def _custom(given: Any) -> dict[str, Any]:
    """Read custom field values; ids of no field are ignored, values of no option refused."""
    if not isinstance(given, list) or not all(isinstance(one, dict) and "id" in one for one in given):
        raise invalid("custom_fields", "Custom fields: is invalid", "InvalidValue")
    changes = {}
    options = desk().field_tags()
    for one in given:
        key, value = str(one["id"]), one.get("value") or None
        if key not in options:
            continue
        if value is not None and value not in options[key]:
            raise invalid("base", f"Field {key}: '{value}' is not a valid option", "InvalidFieldValue")
        changes[f"custom:{key}"] = value
    return changes


def _tags(given: Any) -> set[str]:
    """Read tags as the vendor does: lower case, blanks separate, a text counts as a list."""
    if isinstance(given, str):
        given = [given]
    if not isinstance(given, list):
        raise Refusal(400, {"error": "ParameterMissing", "description": "Parameter tags is required"})
    return {tag for item in given for tag in re.split(r"[\s,]+", str(item).lower()) if tag}


def _write_tags(ticket: Ticket, merge: Any) -> list[str]:
    given = body()
    _guard(ticket, given)
    tags = sorted(merge(set(ticket.tags), _tags(given.get("tags"))))
    desk().write(ticket, g.user_id, {"tags": tags})
    return ticket.tags
