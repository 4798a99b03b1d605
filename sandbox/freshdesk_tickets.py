"""Freshdesk's ticket endpoints: view, list, search, update, notes and conversations."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Response, g, jsonify, request
from flask.typing import ResponseReturnValue

from sandbox import freshdesk_rules as rules
from sandbox import freshdesk_shapes as shapes
from sandbox import markup
from sandbox.freshdesk import (
    LIST_INCLUDES,
    VIEW_INCLUDES,
    Refusal,
    body,
    desk,
    includes,
    invalid,
    moment,
    page_bounds,
    problem,
    route,
)
from sandbox.freshdesk_query import QueryError, parse
from sandbox.records import Comment, NewComment, Ticket, now
from sandbox.state import here

LAST_PAGE = 300
TOO_DEEP = "You cannot access tickets beyond the 300th page. Please provide a smaller page number."
EMBEDDED = 10
LIST_KEYS = frozenset(
    [
        "updated_since",
        "order_by",
        "order_type",
        "include",
        "per_page",
        "page",
        "requester_id",
        "email",
        "company_id",
        "filter",
        "unique_external_id",
    ]
)
ORDERS = ("created_at", "due_by", "updated_at", "status")


@route("/tickets/<int:ticket_id>")
def view_ticket(ticket_id: int) -> ResponseReturnValue:
    """Show a ticket; `include=conversations` brings the ten oldest only."""
    wanted = includes(VIEW_INCLUDES)
    ticket = _find(ticket_id)
    shown = shapes.ticket(desk(), ticket)
    if "conversations" in wanted:
        shown["conversations"] = [shapes.conversation(c, ticket.id, desk()) for c in ticket.comments[1 : EMBEDDED + 1]]
    return jsonify(_embed(shown, ticket, wanted))


@route("/tickets/<int:ticket_id>", "PUT")
def update_ticket(ticket_id: int) -> ResponseReturnValue:
    """Change a ticket; `tags` replaces the list."""
    ticket = _writable(ticket_id)
    changed = rules.changes(body(), ticket, desk(), here().config)
    desk().write(ticket, desk().bot.id, changed)
    return jsonify(shapes.ticket(desk(), ticket))


@route("/tickets/<int:ticket_id>/notes", "POST")
def add_note(ticket_id: int) -> ResponseReturnValue:
    """Add a note, private unless `private` says otherwise."""
    ticket = _writable(ticket_id)
    given = body()
    rules.note(given, desk())
    public = not given.get("private", True) or bool(g.get("make_public"))
    author = given.get("user_id", desk().bot.id)
    html = markup.clean(given["body"])
    new = NewComment(html, public, author, note=True, incoming=bool(given.get("incoming", False)))
    comment = desk().write(ticket, author, {}, new).comment
    assert comment is not None
    shown = shapes.conversation(comment, ticket.id, desk())
    answer = jsonify({**shown, "notified_to": given["notify_emails"]} if given.get("notify_emails") else shown)
    answer.status_code = 201
    answer.headers["Location"] = f"{request.host_url}freshdesk/api/v2/conversations/{comment.id}"
    return answer


@route("/tickets/<int:ticket_id>/reply", "POST")
def add_reply(ticket_id: int) -> ResponseReturnValue:
    """Answer the customer; the answer to the call says nothing of privacy, and names whom it went to."""
    ticket = _writable(ticket_id)
    given = body()
    rules.reply(given, desk())
    author = given.get("user_id", desk().bot.id)
    comment = desk().write(ticket, author, {}, NewComment(markup.clean(given["body"]), True, author)).comment
    assert comment is not None
    shown = shapes.conversation(comment, ticket.id, desk())
    left = ("private", "incoming", "source", "category", "support_email", "last_edited_at")
    answer = jsonify({key: value for key, value in shown.items() if key not in left} | {"replied_to": _to(ticket)})
    answer.status_code = 201
    return answer


def _to(ticket: Ticket) -> list[str | None]:
    return [desk().people[ticket.requester_id].email]


@route("/tickets/<int:ticket_id>/conversations")
def list_conversations(ticket_id: int) -> ResponseReturnValue:
    """List everything said after the description, oldest first."""
    ticket = _find(ticket_id)
    return shapes.listing(ticket.comments[1:], lambda c: shapes.conversation(c, ticket.id, desk()))


@route("/conversations/<int:conversation_id>", "PUT")
def update_conversation(conversation_id: int) -> ResponseReturnValue:
    """Change the text of a note."""
    ticket, comment = _note(conversation_id)
    given = body()
    wrong = rules.unknown_keys(given, frozenset({"body", "attachments"}))
    if wrong or not isinstance(given.get("body"), str):
        raise invalid(*(wrong or [problem("body", "It should be a/an String", "datatype_mismatch")]))
    comment.html = markup.clean(given["body"])
    comment.updated_at = now()
    desk().touch(ticket)
    return jsonify(shapes.conversation(comment, ticket.id, desk()))


@route("/conversations/<int:conversation_id>", "DELETE")
def delete_conversation(conversation_id: int) -> ResponseReturnValue:
    """Delete a note."""
    ticket, comment = _note(conversation_id)
    ticket.comments.remove(comment)
    desk().touch(ticket)
    return Response(status=204)


@route("/tickets")
def list_tickets() -> ResponseReturnValue:
    """List tickets: created in the last 30 days unless `updated_since` is given, newest first unless told otherwise."""
    if wrong := [key for key in request.args if key not in LIST_KEYS]:
        raise invalid(*(problem(key, rules.UNKNOWN, "invalid_field") for key in wrong))
    wanted = includes(LIST_INCLUDES)
    number, _ = page_bounds()
    if number > LAST_PAGE:
        raise invalid(problem("page", TOO_DEEP, "invalid_value"))
    tickets = [ticket for ticket in desk().tickets.values() if _listed(ticket)]
    tickets.sort(key=_order(), reverse=request.args.get("order_type", "desc") == "desc")
    return shapes.listing(
        tickets, lambda t: _embed(shapes.ticket(desk(), t, description="description" in wanted), t, wanted)
    )


@route("/search/tickets")
def search_tickets() -> ResponseReturnValue:
    """Find tickets by a query in double quotes: 30 a page, ten pages, no requester and no free text."""
    query, page = request.args.get("query", ""), request.args.get("page", "1")
    if not page.isdigit() or not 1 <= int(page) <= 10:
        raise invalid(problem("page", "It should be a Positive Integer less than or equal to 10", "invalid_value"))
    try:
        matches = parse(query)
    except QueryError as error:
        raise invalid(problem("query", str(error), "invalid_value")) from None
    alive = [t for t in desk().tickets.values() if not t.deleted and not t.spam]
    found = [t for t in alive if matches(shapes.ticket(desk(), t))]
    found.sort(key=lambda t: t.created_at, reverse=True)
    first = (int(page) - 1) * 30
    return jsonify(total=len(found), results=[shapes.ticket(desk(), t) for t in found[first : first + 30]])


def _find(ticket_id: int) -> Ticket:
    """Find a ticket, a deleted one too: it can still be viewed."""
    ticket = desk().tickets.get(ticket_id)
    if ticket is None:
        raise Refusal(404)
    return ticket


def _writable(ticket_id: int) -> Ticket:
    ticket = _find(ticket_id)
    if ticket.deleted or ticket.spam:
        text = f"{request.method} method is not allowed. It should be one of these method(s): GET"
        raise Refusal(405, {"message": text}, {"Allow": "GET"})
    return ticket


def _note(conversation_id: int) -> tuple[Ticket, Comment]:
    for ticket in desk().tickets.values():
        for comment in ticket.comments[1:]:
            if comment.id == conversation_id:
                if not comment.note:
                    raise invalid(problem("id", "Only notes can be changed", "invalid_value"))
                return _writable(ticket.id), comment
    raise Refusal(404)


def _embed(shown: dict[str, Any], ticket: Ticket, wanted: list[str]) -> dict[str, Any]:
    if "requester" in wanted:
        shown["requester"] = shapes.requester(desk().people[ticket.requester_id])
    if "company" in wanted:
        company = desk().organizations.get(ticket.organization_id or 0)
        shown["company"] = shapes.company(company) if company else {}
    if "stats" in wanted:
        shown["stats"] = shapes.stats(desk(), ticket)
    return shown


def _listed(ticket: Ticket) -> bool:
    view = request.args.get("filter", "")
    if view not in ("", "new_and_my_open", "watching", "spam", "deleted", "all_tickets"):
        raise invalid(
            problem(
                "filter", "It should be one of these values: 'new_and_my_open,watching,spam,deleted'", "invalid_value"
            )
        )
    if (ticket.deleted, ticket.spam) != (view == "deleted", view == "spam"):
        return False
    since = request.args.get("updated_since")
    if since is None and ticket.created_at < now() - timedelta(days=30):
        return False
    if since is not None and ticket.updated_at < moment("updated_since", since):
        return False
    person = desk().people[ticket.requester_id]
    asked = (("requester_id", str(person.id)), ("email", person.email), ("company_id", str(ticket.organization_id)))
    return all(request.args.get(key, value) == value for key, value in asked)


def _order() -> Any:
    by = request.args.get("order_by", "created_at")
    if by not in ORDERS or request.args.get("order_type", "desc") not in ("asc", "desc"):
        raise invalid(problem("order_by", f"It should be one of these values: '{','.join(ORDERS)}'", "invalid_value"))
    if by == "due_by":
        return lambda ticket: (ticket.created_at, ticket.id)
    return lambda ticket: (getattr(ticket, by), ticket.id)
