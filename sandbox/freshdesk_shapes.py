"""Freshdesk's JSON: records as the API shows them, key sets as recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from flask import Response, jsonify, request

from sandbox import markup, sla
from sandbox.config import CHURN_RISKS, SENTIMENTS
from sandbox.desk import Desk
from sandbox.freshdesk import page_bounds
from sandbox.records import Attachment, Comment, Group, Organization, Person, Ticket, iso, now

JSON = dict[str, Any]
STATUS = {"open": 2, "pending": 3, "resolved": 4, "closed": 5, "waiting on customer": 6, "waiting on third party": 7}
STATUS_NAMES = {number: name for name, number in STATUS.items()}
PRIORITY = {"low": 1, "medium": 2, "high": 3, "urgent": 4}
PRIORITY_NAMES = {number: name for name, number in PRIORITY.items()}
SOURCE = {"email": 1, "web": 2, "api": 2, "chat": 7}
TYPES = ("Question", "Incident", "Problem", "Feature Request", "Refund")
CUSTOM_FIELDS = {"cf_ai_sentiment": SENTIMENTS, "cf_ai_churn_risk": CHURN_RISKS}
SLA_SECONDS = {"urgent": (900, 14400), "high": (3600, 86400), "medium": (14400, 259200), "low": (86400, 604800)}
# what this account never sets on a ticket, but every answer has
TICKET_REST: JSON = {
    "cc_emails": [],
    "fwd_emails": [],
    "reply_cc_emails": [],
    "ticket_cc_emails": [],
    "email_config_id": None,
    "association_type": None,
    "to_emails": None,
    "product_id": None,
    "associated_tickets_count": None,
}
# the same for a reply or note
CONVERSATION_REST: JSON = {
    "to_emails": [],
    "cc_emails": [],
    "bcc_emails": None,
    "email_failure_count": None,
    "outgoing_failures": None,
    "thread_id": None,
    "thread_message_id": None,
    "last_edited_user_id": None,
    "automation_id": None,
    "automation_type_id": None,
    "auto_response": False,
    "source_additional_info": None,
}


def ticket(desk: Desk, one: Ticket, *, description: bool = True) -> JSON:
    """Show a ticket; lists leave the description out."""
    due, fr_due, nr_due = due_times(desk, one)
    running = one.status not in sla.DONE and not sla.is_paused(one)
    replied = _first_reply(desk, one)
    shown: JSON = {
        **TICKET_REST,
        "fr_escalated": bool(fr_due and running and not replied and fr_due < now()),
        "spam": one.spam,
        "group_id": one.group_id,
        "priority": PRIORITY[one.priority or "low"],
        "requester_id": one.requester_id,
        "responder_id": one.assignee_id,
        "source": SOURCE.get(one.channel, 1),
        "company_id": one.organization_id,
        "status": STATUS[one.status],
        "subject": one.subject,
        "support_email": f"support@{desk.name}.freshdesk.com" if one.channel == "email" else None,
        "id": one.id,
        "type": one.type,
        "due_by": iso(due),
        "fr_due_by": iso(fr_due),
        "nr_due_by": iso(nr_due),
        "nr_escalated": bool(nr_due and running and nr_due < now()),
        "is_escalated": bool(due and running and due < now()),
        "custom_fields": {name: one.custom_fields.get(name) for name in CUSTOM_FIELDS},
        "created_at": iso(one.created_at),
        "updated_at": iso(one.updated_at),
        "tags": list(one.tags),
    }
    if one.deleted:
        shown["deleted"] = True
    return {**shown, **_description(one)} if description else shown


def due_times(desk: Desk, one: Ticket) -> tuple[datetime | None, datetime | None, datetime | None]:
    """Give when resolution, first and next response are due: none at first, old ones for seconds after a change.

    They move on when a ticket stops waiting for the customer, not before.
    """
    desk.settle_sla(one)
    if one.sla_priority is None or not desk.config.freshdesk_slas:
        return None, None, None
    respond, resolve = SLA_SECONDS[one.sla_priority]
    waiting = sla.waiting_since(desk, one)
    next_due = sla.due(one, waiting, respond) if waiting else None
    return sla.due(one, one.created_at, resolve), one.created_at + timedelta(seconds=respond), next_due


def conversation(one: Comment, ticket_id: int, desk: Desk) -> JSON:
    """Show a reply (source 0, category 3), a note (2, 2) or a customer's message (0, 1)."""
    person = desk.people[one.author_id]
    note = one.note or not one.public
    support = f"support@{desk.name}.freshdesk.com"
    return {
        **CONVERSATION_REST,
        "body": f"<div>{one.html}</div>",
        "body_text": markup.to_text(one.html),
        "id": one.id,
        "incoming": one.incoming,
        "private": not one.public,
        "user_id": one.author_id,
        "support_email": None if note else support,
        "source": 2 if note else 0,
        "category": 2 if note else 1 if one.incoming else 3,
        "from_email": None if note else person.email if one.incoming else support,
        "created_at": iso(one.created_at),
        "updated_at": iso(one.updated_at),
        "last_edited_at": iso(one.updated_at) if one.updated_at > one.created_at else None,
        "attachments": [attachment(file) for file in one.attachments],
        "ticket_id": ticket_id,
    }


def attachment(file: Attachment) -> JSON:
    """Show an attachment; its content does not exist."""
    where = f"{request.host_url}freshdesk/attachments/{file.id}/original/{file.name}?X-Amz-Expires=300"
    return {
        "id": file.id,
        "name": file.name,
        "content_type": "application/octet-stream",
        "size": 1024,
        "created_at": iso(file.created_at),
        "updated_at": iso(file.created_at),
        "attachment_url": where,
        "thumb_url": where,
    }


def stats(desk: Desk, one: Ticket) -> JSON:
    """Show when things first and last happened to a ticket."""
    staff = [c for c in one.comments if c.public and desk.people[c.author_id].role != "end-user"]
    customer = [c for c in one.comments[1:] if c.incoming]
    return {
        "agent_responded_at": iso(staff[-1].created_at) if staff else None,
        "requester_responded_at": iso(customer[-1].created_at) if customer else None,
        "first_responded_at": iso(_first_reply(desk, one)),
        "status_updated_at": iso(one.status_at),
        "reopened_at": None,
        "resolved_at": iso(one.status_at) if one.status in ("resolved", "closed") else None,
        "closed_at": iso(one.status_at) if one.status == "closed" else None,
        "pending_since": iso(one.status_at) if sla.is_paused(one) else None,
    }


def requester(one: Person) -> JSON:
    """Show a requester as embedded in a ticket."""
    return {"id": one.id, "name": one.name, "email": one.email, "mobile": None, "phone": None}


def contact(one: Person) -> JSON:
    """Show a contact."""
    return {
        "active": False,
        "address": None,
        "company_id": one.organization_id,
        "view_all_tickets": False,
        "description": None,
        "email": one.email,
        "id": one.id,
        "contact_type": "contact",
        "job_title": None,
        "language": "en",
        "mobile": None,
        "name": one.name,
        "phone": None,
        "time_zone": "London",
        "twitter_id": None,
        "social_handler": [],
        "other_emails": [],
        "other_companies": [],
        "created_at": iso(one.created_at),
        "updated_at": iso(one.created_at),
        "custom_fields": {},
        "tags": [],
        "avatar": None,
        "facebook_id": None,
        "csat_rating": None,
        "preferred_source": "email",
        "unique_external_id": None,
    }


def agent(desk: Desk, one: Person, *, listed: bool = False) -> JSON:
    """Show an agent; the list has no group, role and skill ids (recorded)."""
    made = iso(one.created_at)
    shown: JSON = {
        "available": False,
        "occasional": False,
        "id": one.id,
        "ticket_scope": 1,
        "signature": None,
        "available_since": None,
        "type": "support_agent",
        "created_at": made,
        "updated_at": made,
        "contact": {
            "active": True,
            "email": one.email,
            "job_title": None,
            "language": "en",
            "mobile": None,
            "name": one.name,
            "phone": None,
            "time_zone": "London",
            "created_at": made,
            "updated_at": made,
            "last_login_at": made,
        },
    }
    if listed:
        shown["last_active_at"] = None
    else:
        shown |= {"group_ids": sorted(desk.groups), "role_ids": [80000198826], "skill_ids": []}
    return shown


def company(one: Organization) -> JSON:
    """Show a company; plan and revenue are custom fields."""
    return {
        "id": one.id,
        "name": one.name,
        "description": None,
        "note": None,
        "domains": [],
        "created_at": iso(one.created_at),
        "updated_at": iso(one.created_at),
        "custom_fields": {"plan": one.plan, "mrr": one.mrr, **one.more},
        "health_score": None,
        "account_tier": one.tier,
        "renewal_date": iso(one.renewal),
        "industry": None,
    }


def rating(one: Ticket) -> JSON:
    """Show what a customer answered to the survey after a ticket."""
    assert one.rating
    answer = {"good": 103, "bad": -103}[one.rating.score]
    return {
        "id": one.rating.id,
        "survey_id": 67000004242,
        "user_id": one.requester_id,
        "agent_id": one.assignee_id,
        "feedback": None,
        "group_id": one.group_id,
        "ticket_id": one.id,
        "created_at": iso(one.rating.created_at),
        "updated_at": iso(one.rating.created_at),
        "ratings": {"default_question": answer},
    }


def group(one: Group, agents: list[int] | None = None) -> JSON:
    """Show a group; only a single one has `agent_ids`."""
    shown: JSON = {
        "id": one.id,
        "name": one.name,
        "description": one.name,
        "escalate_to": None,
        "unassigned_for": None,
        "business_hour_id": None,
        "group_type": "support_agent_group",
        "created_at": iso(one.created_at),
        "updated_at": iso(one.created_at),
        "auto_ticket_assign": 0,
    }
    return shown if agents is None else {**shown, "agent_ids": agents}


def listing(items: Sequence[Any], show: Callable[[Any], JSON]) -> Response:
    """Answer with one page of a list and a Link to the next."""
    number, size = page_bounds()
    first = (number - 1) * size
    answer = jsonify([show(item) for item in items[first : first + size]])
    if first + size < len(items):
        rest = {**request.args.to_dict(), "page": str(number + 1)}
        answer.headers["Link"] = f'<{request.base_url}?{urlencode(rest)}>; rel="next"'
    return answer


def _description(one: Ticket) -> JSON:
    first = one.comments[0]
    text = markup.to_text(first.html)
    return {
        "description": f"<div>{first.html}</div>",
        "description_text": text,
        "form_id": 298,
        "structured_description": {"description_contents": [{"type": "text", "data": {"content": text}}]},
        "sentiment_score": None,
        "attachments": [attachment(file) for file in first.attachments],
    }


def _first_reply(desk: Desk, one: Ticket) -> Any:
    replies = (c.created_at for c in one.comments if c.public and desk.people[c.author_id].role != "end-user")
    return next(replies, None)
