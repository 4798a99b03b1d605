"""Zendesk's other endpoints: people, organizations, groups, fields, search, SLA policies and the incremental export."""

from __future__ import annotations

import base64
import re
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from flask import g, jsonify, request
from flask.typing import ResponseReturnValue

from sandbox import markup
from sandbox import zendesk_paging as paging
from sandbox import zendesk_shapes as shapes
from sandbox.records import Ticket
from sandbox.zendesk import API, Refusal, desk, route, url

ANONYMOUS = {"user": {"id": None, "name": "Anonymous user", "email": "invalid@example.com", "role": "end-user"}}
START_MARGIN = 60  # seconds a start time must lie in the past
TOO_RECENT = {"error": "InvalidValue", "description": "Too recent start_time. Use a start_time older than 1 minute"}
BAD_SEARCH = {"error": "invalid", "description": "Invalid search: {why}"}
STATUS_ORDER = ("new", "open", "pending", "hold", "solved", "closed")
TERM = re.compile(r'(-?)([a-z_]+)(>=|<=|:|>|<)("[^"]*"|\S+)|"([^"]+)"|(\S+)')


@route("/users/me")
def show_me() -> ResponseReturnValue:
    """Show who calls; without a credential that is a nameless somebody, with status 200."""
    if "user_id" not in g:
        return jsonify(ANONYMOUS)
    return jsonify(user={**shapes.user(desk().people[g.user_id]), "authenticity_token": "sandbox"})


@route("/users/search")
def search_users() -> ResponseReturnValue:
    """Find people by `email:"..."`."""
    wanted = request.args.get("query", "").removeprefix("email:").strip('"').casefold()
    people = [one for one in desk().people.values() if wanted and wanted in (one.email or "").casefold()]
    found = [shapes.user(one) for one in people]
    return jsonify(users=found, count=len(found), next_page=None, previous_page=None)


@route("/users/<int:user_id>")
def show_user(user_id: int) -> ResponseReturnValue:
    """Show a user."""
    return jsonify(user=shapes.user(paging.find(desk().people, user_id)))


@route("/users/<int:user_id>/tickets/requested")
def list_requested(user_id: int) -> ResponseReturnValue:
    """List the tickets a user asked for, oldest first unless `sort_order=desc` or a `sort` with a minus."""
    paging.find(desk().people, user_id)
    tickets = [t for t in _alive() if t.requester_id == user_id]
    if request.args.get("sort", "").startswith("-") or request.args.get("sort_order") == "desc":
        tickets.reverse()
    return jsonify(paging.page(tickets, "tickets", lambda one: shapes.ticket(desk(), one)))


@route("/tickets")
def list_tickets() -> ResponseReturnValue:
    """List tickets by id."""
    tickets = _alive()
    if request.args.get("sort") == "-id":
        tickets.reverse()
    return jsonify(paging.page(tickets, "tickets", lambda one: shapes.ticket(desk(), one)))


@route("/users/show_many")
def show_users() -> ResponseReturnValue:
    """Show the users named by `ids`; unknown ones are left out."""
    return jsonify(users=[shapes.user(desk().people[number]) for number in _ids() if number in desk().people])


@route("/tickets/show_many")
def show_tickets() -> ResponseReturnValue:
    """Show the tickets named by `ids`; unknown ones are left out."""
    found = [ticket for number in _ids() if (ticket := desk().visible(number))]
    shown = [shapes.ticket(desk(), ticket) for ticket in found]
    return jsonify(tickets=shown, count=len(found), **shapes.sideloads(desk(), found, _included()))


@route("/organizations/<int:organization_id>")
def show_organization(organization_id: int) -> ResponseReturnValue:
    """Show an organization."""
    return jsonify(organization=shapes.organization(paging.find(desk().organizations, organization_id)))


@route("/organizations/<int:organization_id>/tickets")
def list_organization_tickets(organization_id: int) -> ResponseReturnValue:
    """List an organization's tickets."""
    paging.find(desk().organizations, organization_id)
    tickets = [t for t in _alive() if t.organization_id == organization_id]
    return jsonify(paging.page(tickets, "tickets", lambda one: shapes.ticket(desk(), one)))


@route("/groups")
def list_groups() -> ResponseReturnValue:
    """List groups by name."""
    groups = sorted(desk().groups.values(), key=lambda one: one.name)
    return jsonify(paging.page(groups, "groups", shapes.group))


@route("/groups/<int:group_id>")
def show_group(group_id: int) -> ResponseReturnValue:
    """Show a group."""
    return jsonify(group=shapes.group(paging.find(desk().groups, group_id)))


@route("/incremental/tickets/cursor")
def export_tickets() -> ResponseReturnValue:
    """Export changed tickets in order of change, deleted ones too; the same ticket comes again after each change."""
    after, last = _export_position()
    size = request.args.get("per_page", "1000")
    limit = min(int(size), 1000) if size.isdigit() and int(size) else 1000
    changed = sorted(
        (t for t in desk().tickets.values() if (t.touched, t.id) > (after, last)), key=lambda t: (t.touched, t.id)
    )
    shown = changed[:limit]
    if shown:
        after, last = shown[-1].touched, shown[-1].id
    cursor = base64.b64encode(f"{after!r}||{last}".encode()).decode()
    where = url(f"{API}/incremental/tickets/cursor.json")
    return jsonify(
        tickets=[{**shapes.ticket(desk(), t), "generated_timestamp": int(t.touched)} for t in shown],
        after_url=f"{where}?cursor={cursor}",
        before_url=None,
        after_cursor=cursor,
        before_cursor=None,
        end_of_stream=len(changed) <= limit,
        **shapes.sideloads(desk(), shown, _included()),
    )


def _included() -> set[str]:
    return set(request.args.get("include", "").split(","))


def _export_position() -> tuple[float, int]:
    try:
        if cursor := request.args.get("cursor"):
            moment, number = base64.b64decode(cursor).decode().split("||")
            return float(moment), int(number)
        start = float(request.args["start_time"])
    except (ValueError, KeyError):
        wrong = {"error": "ParameterMissing", "description": "Parameter start_time is required"}
        raise Refusal(400, wrong) from None
    if start > time.time() - START_MARGIN:
        raise Refusal(422, TOO_RECENT)
    return start, -1


@route("/search")
def search() -> ResponseReturnValue:
    """Search tickets: type, requester, organization, group, status, priority, tags, created, updated and words."""
    if "page[size]" in request.args:
        raise Refusal(400, {"error": "invalid", "description": "page[size] is not supported here"})
    number, size = int(request.args.get("page", 1)), min(int(request.args.get("per_page", 100)), 100)
    if number * size > 1000:
        raise Refusal(
            422, {"error": "invalid", "description": "Requested response size was greater than Search Response Limits"}
        )
    found = [ticket for ticket in _alive() if _matches(ticket, request.args.get("query", ""))]
    newest_first = request.args.get("sort_order", "desc") == "desc"
    if (by := request.args.get("sort_by", "created_at")) in ("created_at", "updated_at"):
        found.sort(key=lambda ticket: (getattr(ticket, by), ticket.id), reverse=newest_first)
    shown = paging.offset_page(found, "results", lambda t: {**shapes.ticket(desk(), t), "result_type": "ticket"})
    return jsonify({**shown, "facets": None})


@route("/search/count")
def count_found() -> ResponseReturnValue:
    """Count the tickets a search finds."""
    return jsonify(count=sum(_matches(ticket, request.args.get("query", "")) for ticket in _alive()))


@route("/tags")
def list_tags() -> ResponseReturnValue:
    """List the tags in use, the most used first."""
    uses = Counter(tag for ticket in _alive() for tag in ticket.tags)
    found = [{"name": name, "count": count} for name, count in uses.most_common(100)]
    return jsonify(tags=found, meta={"has_more": False}, links={})


@route("/users")
def list_users() -> ResponseReturnValue:
    """List the users."""
    return jsonify(paging.page(list(desk().people.values()), "users", shapes.user))


@route("/organizations")
def list_organizations() -> ResponseReturnValue:
    """List the organizations."""
    return jsonify(paging.page(list(desk().organizations.values()), "organizations", shapes.organization))


@route("/satisfaction_ratings")
def list_ratings() -> ResponseReturnValue:
    """List no ratings: nobody is asked here."""
    return jsonify(paging.page([], "satisfaction_ratings", dict))


def _ids() -> list[int]:
    numbers = [int(part) for part in request.args.get("ids", "").split(",") if part.strip().isdigit()]
    if len(numbers) > 100:
        raise Refusal(400, {"error": "TooManyValues", "description": "No more than 100 values for ids"})
    return numbers


def _alive() -> list[Ticket]:
    return [ticket for _, ticket in sorted(desk().tickets.items()) if not ticket.deleted]


def _matches(ticket: Ticket, query: str) -> bool:
    text = f"{ticket.subject}\n{markup.to_text(ticket.comments[0].html)}".lower()
    for minus, key, operator, value, phrase, word in TERM.findall(query):
        free = (phrase or word).lower().strip("*")
        hit = _term(ticket, key, operator, value.strip('"')) if key else free in text
        if hit == bool(minus):
            return False
    return True


def _term(ticket: Ticket, key: str, operator: str, value: str) -> bool:
    if key in ("created", "updated", "solved"):
        moment = ticket.updated_at if key == "updated" else ticket.created_at
        return _compare(moment, _date(value), operator, whole_day=len(value) == 10)
    if key == "status" and value in STATUS_ORDER:
        return _compare(STATUS_ORDER.index(ticket.status), STATUS_ORDER.index(value), operator)
    if key == "requester":
        person = desk().people[ticket.requester_id]
        return value in (str(person.id), person.email, person.name) or (value == "me" and person is desk().bot)
    group = desk().groups.get(ticket.group_id or 0)
    facts: dict[str, tuple[Any, ...]] = {
        "type": ("ticket", ticket.type),
        "organization": (str(ticket.organization_id),),
        "group": (str(ticket.group_id), group.name if group else "none"),
        "assignee": (str(ticket.assignee_id) if ticket.assignee_id else "none",),
        "priority": (ticket.priority or "none",),
        "tags": tuple(ticket.tags),
    }
    if key not in facts:
        raise Refusal(422, {**BAD_SEARCH, "description": f"Invalid search: unknown keyword {key}"})
    return value in facts[key]


def _date(value: str) -> datetime:
    try:
        moment = datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError:
        raise Refusal(422, {**BAD_SEARCH, "description": f"Invalid search: {value} is not a date"}) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _compare(left: Any, right: Any, operator: str, whole_day: bool = False) -> bool:
    end = right + timedelta(days=1) if whole_day else right
    if operator == ":":
        return bool(right <= left < end) if whole_day else bool(left == right)
    answers = {">": left >= end if whole_day else left > right, ">=": left >= right, "<": left < right}
    return bool(answers.get(operator, left < end if whole_day else left <= right))
