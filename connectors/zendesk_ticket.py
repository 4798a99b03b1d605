"""Zendesk's ticket JSON as our Ticket."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from connectors.base import Changed, Past
from connectors.ticket_rows import Others, changed
from connectors.values import as_dict, as_list, facts, ident, organization, rows, text, when
from connectors.zendesk_reply import is_automatic
from triage.errors import Gone, Retry
from triage.settings import Desk
from triage.ticket import Author, Background, Message, Rating, Requester, Status, Ticket

STATUSES = {
    "new": Status.NEW,
    "open": Status.OPEN,
    "pending": Status.PENDING,
    "hold": Status.HOLD,
    "solved": Status.SOLVED,
    "closed": Status.CLOSED,
    "archived": Status.CLOSED,
    "deleted": Status.DELETED,
    "scrubbed": Status.DELETED,
}
OVER = {Status.CLOSED: "is closed", Status.DELETED: "is deleted"}
MERGED_TAG = "closed_by_merge"
STAFF = {"agent", "admin"}
# Zendesk's id of "the system" as an author.
SYSTEM_ID = "-1"
MACHINE_CHANNELS = {"rule", "system"}
RATINGS = ("good", "bad")
NOTHING = Others()
HALF_AN_ANSWER = "the helpdesk answered without a ticket"

People = dict[str, dict[str, Any]]


def status(raw: dict[str, Any]) -> Status:
    """Return where the ticket stands; Zendesk's events write it in capitals, its API in small letters."""
    return STATUSES.get(text(raw.get("status")).lower(), Status.UNKNOWN)


def living(answer: Any) -> dict[str, Any]:
    """Return the ticket of an answer; Gone if nothing is left to do on it."""
    raw = existing(answer)
    if over := OVER.get(status(raw)):
        raise Gone(f"ticket {raw['id']} {over}")
    return raw


def existing(answer: Any) -> dict[str, Any]:
    """Return the ticket of an answer, a closed one too; Gone if it was deleted or merged into another one."""
    raw = as_dict(as_dict(answer).get("ticket"))
    if not ident(raw.get("id")):
        raise Retry(HALF_AN_ANSWER)
    if status(raw) is Status.DELETED:
        raise Gone(f"ticket {raw['id']} {OVER[Status.DELETED]}")
    if status(raw) is Status.CLOSED and MERGED_TAG in as_list(raw.get("tags")):
        raise Gone(f"ticket {raw['id']} was merged into another one")
    return raw


def finished(raw: dict[str, Any]) -> bool:
    """Say whether people are done with it; one merged into another ended in whatever group it was found."""
    return status(raw) in (Status.SOLVED, Status.CLOSED) and MERGED_TAG not in as_list(raw.get("tags"))


def people(*answers: Any) -> People:
    """Return the side-loaded users of `answers` by id."""
    return {text(user.get("id")): user for answer in answers for user in rows(as_dict(answer).get("users"))}


def description_is_all(raw: dict[str, Any], known: People) -> bool:
    """Say whether the ticket's description is the whole conversation, so that the comments need no call."""
    return raw.get("comment_count") == 1 and bool(raw.get("description")) and text(raw.get("submitter_id")) in known


def description(raw: dict[str, Any], known: People) -> Message:
    """Return the first comment as the ticket itself shows it: plain text, without attachments.

    The submitter is always the first comment's author (Zendesk's Tickets page, `submitter_id`).
    """
    author_id = text(raw.get("submitter_id"))
    return Message(
        id="",
        author=_author(author_id, raw, known, public=True),
        body=text(raw.get("description")),
        public=raw.get("is_public") is not False,
        author_id=author_id,
        created_at=when(raw.get("created_at")),
    )


def message(comment: dict[str, Any], raw: dict[str, Any], known: People) -> Message:
    """Return one comment; its HTML where there is some, because quotes are easier to see in it."""
    author_id = text(comment.get("author_id"))
    public = comment.get("public") is not False
    html = text(comment.get("html_body"))
    channel = text(as_dict(comment.get("via")).get("channel"))
    return Message(
        id=text(comment.get("id")),
        author=_author(author_id, raw, known, public),
        body=html or text(comment.get("plain_body") or comment.get("body")),
        html=bool(html),
        public=public,
        author_id=author_id,
        created_at=when(comment.get("created_at")),
        automatic=author_id == SYSTEM_ID or channel in MACHINE_CHANNELS or is_automatic(comment),
        attachments=tuple(text(one.get("file_name")) for one in rows(comment.get("attachments"))),
    )


def _author(author_id: str, raw: dict[str, Any], known: People, public: bool) -> Author:
    if author_id == SYSTEM_ID:
        return Author.SYSTEM
    if author_id == text(raw.get("requester_id")):
        return Author.CUSTOMER
    role = text(known.get(author_id, {}).get("role"))
    if not role:
        return Author.CUSTOMER if public else Author.AGENT
    return Author.AGENT if role in STAFF else Author.CUSTOMER


def custom_fields(raw: dict[str, Any]) -> dict[str, Any]:
    """Return custom field values by field id."""
    return {text(one.get("id")): one.get("value") for one in rows(raw.get("custom_fields"))}


def normalize(
    name: str,
    desk: Desk,
    answer: dict[str, Any],
    messages: Iterable[Message],
    others: Others = NOTHING,
    rated: Rating | None = None,
) -> Ticket:
    """Return our Ticket from a ticket answer with its sideloads."""
    raw = as_dict(answer.get("ticket"))
    ticket_id = text(raw.get("id"))
    requester = people(answer).get(text(raw.get("requester_id")), {})
    company = _company(answer, raw)
    fields = as_dict(company.get("organization_fields")), as_dict(requester.get("user_fields"))
    told = facts(desk.context_fields, (custom_fields(raw), *fields))
    return Ticket(
        desk=name,
        id=ticket_id,
        subject=text(raw.get("subject")),
        status=status(raw),
        priority=text(raw.get("priority")) or None,
        group_id=ident(raw.get("group_id")),
        assignee_id=ident(raw.get("assignee_id")),
        tags=tuple(text(tag) for tag in as_list(raw.get("tags"))),
        fields=custom_fields(raw),
        channel=text(as_dict(raw.get("via")).get("channel")),
        created_at=when(raw.get("created_at")),
        updated_at=when(raw.get("updated_at")),
        stamp=text(raw.get("updated_at")),
        url=f"{desk.url}/agent/tickets/{ticket_id}",
        requester=_requester(raw, requester),
        organization=organization(raw.get("organization_id"), company, desk.customer_fields, fields),
        messages=tuple(messages),
        earlier=others.recent,
        ticket_count_30d=len(others.recent),
        group=_group(answer, raw),
        brand=text(raw.get("brand_id")),
        status_since=_status_since(answer),
        background=Background(others.open, others.newest, rating((raw,)) or rated, told),
    )


def _group(answer: dict[str, Any], raw: dict[str, Any]) -> str:
    wanted = text(raw.get("group_id"))
    return next((text(one.get("name")) for one in rows(answer.get("groups")) if text(one.get("id")) == wanted), "")


def _status_since(answer: dict[str, Any]) -> datetime | None:
    metrics = next(iter(rows(answer.get("metric_sets"))), {})
    return when(metrics.get("status_updated_at"))


def _requester(raw: dict[str, Any], user: dict[str, Any]) -> Requester:
    return Requester(
        id=text(raw.get("requester_id")),
        name=text(user.get("name")),
        email=text(user.get("email")),
        created_at=when(user.get("created_at")),
    )


def _company(answer: dict[str, Any], raw: dict[str, Any]) -> dict[str, Any]:
    wanted = text(raw.get("organization_id"))
    return {text(one.get("id")): one for one in rows(answer.get("organizations"))}.get(wanted, {})


def rating(listed: Iterable[dict[str, Any]]) -> Rating | None:
    """Return the rating of the newest ticket that has one; offered and unanswered surveys are none."""
    rated = [(text(as_dict(one.get("satisfaction_rating")).get("score")), one) for one in listed]
    given = [(score, one) for score, one in rated if score in RATINGS]
    if not given:
        return None
    score, newest = max(given, key=lambda pair: text(pair[1].get("created_at")))
    return Rating(score, text(newest.get("id")))


def listed(raw: dict[str, Any], groups: Mapping[str, str]) -> Changed:
    """Return one row of the incremental export; a priority is only there where somebody gave it."""
    row = changed(raw, status, groups)
    return replace(row, priority=text(raw.get("priority")) or None, merged=MERGED_TAG in row.tags)


def past(
    name: str, desk: Desk, page: dict[str, Any], raw: dict[str, Any], known: People, groups: Mapping[str, str]
) -> Past:
    """Return one ticket of a page of tickets with sideloads, which holds the first comment as plain text."""
    # Of the page only what this ticket names: a page may have hundreds of each.
    user = known.get(text(raw.get("requester_id")))
    wanted = text(raw.get("organization_id"))
    companies = [one for one in rows(page.get("organizations")) if text(one.get("id")) == wanted]
    answer = {"ticket": raw, "users": [user] if user else [], "organizations": companies}
    ticket = normalize(name, desk, answer, (description(raw, known),))
    return Past(ticket, groups.get(ticket.group_id or "", ""))
