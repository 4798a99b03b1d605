"""Zendesk's JSON: records as the API shows them (key sets as recorded) and its two kinds of pages."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sandbox import markup, sla
from sandbox.desk import Desk
from sandbox.records import Attachment, Audit, Comment, Group, Organization, Person, Ticket, iso, now
from sandbox.zendesk import API, url

JSON = dict[str, Any]
SLA_MINUTES = {"urgent": (15, 240), "high": (60, 1440), "normal": (240, 4320), "low": (1440, 10080)}
SLA_METRICS = ("first_reply_time", "requester_wait_time")
# what this account never sets on a ticket, but every answer has
TICKET_REST: JSON = {
    "external_id": None,
    "recipient": None,
    "collaborator_ids": [],
    "follower_ids": [],
    "email_cc_ids": [],
    "forum_topic_id": None,
    "problem_id": None,
    "has_incidents": False,
    "due_at": None,
    "sharing_agreement_ids": [],
    "custom_status_id": 6130830355738,
    "followup_ids": [],
    "ticket_form_id": 6130830344474,
    "brand_id": 6130830354842,
    "allow_channelback": False,
    "allow_attachments": True,
}
# the same for a user
USER_REST: JSON = {
    "time_zone": "Europe/London",
    "iana_time_zone": "Europe/London",
    "phone": None,
    "shared_phone_number": None,
    "photo": None,
    "locale_id": 1,
    "locale": "en-US",
    "verified": True,
    "external_id": None,
    "tags": [],
    "alias": None,
    "active": True,
    "shared": False,
    "shared_agent": False,
    "two_factor_auth_enabled": None,
    "signature": None,
    "details": None,
    "notes": None,
    "only_private_comments": False,
    "suspended": False,
    "default_group_id": None,
    "user_fields": {},
}


def via(channel: str) -> JSON:
    """Describe a channel."""
    return {"channel": channel, "source": {"from": {}, "to": {}, "rel": None}}


def ticket(desk: Desk, one: Ticket) -> JSON:
    """Show a ticket."""
    fields = [{"id": int(key), "value": one.custom_fields.get(key)} for key in desk.field_tags()]
    requester_comment = one.comments[0]
    return {
        **TICKET_REST,
        "url": url(f"{API}/tickets/{one.id}.json"),
        "id": one.id,
        "via": via(one.channel),
        "created_at": iso(one.created_at),
        "updated_at": iso(one.updated_at),
        "type": one.type,
        "subject": one.subject,
        "raw_subject": one.subject,
        "description": markup.to_text(requester_comment.html),
        "priority": one.priority,
        "status": "deleted" if one.deleted else one.status,
        "requester_id": one.requester_id,
        "submitter_id": one.requester_id,
        "assignee_id": one.assignee_id,
        "organization_id": one.organization_id,
        "group_id": one.group_id,
        "is_public": any(comment.public for comment in one.comments),
        "tags": list(one.tags),
        "satisfaction_rating": rating(one),
        "custom_fields": fields,
        "fields": fields,
        "from_messaging_channel": one.channel == "chat",
    }


def rating(one: Ticket) -> JSON | None:
    """Show what the customer said of the help they got; null where nobody asked them."""
    return {"id": one.rating.id, "score": one.rating.score, "comment": ""} if one.rating else None


def sideloads(desk: Desk, tickets: list[Ticket], wanted: set[str]) -> JSON:
    """Show the people, groups and organizations that `tickets` name, each once."""
    shown: JSON = {}
    if "users" in wanted:
        people = dict.fromkeys(n for one in tickets for n in (one.requester_id, one.assignee_id) if n)
        shown["users"] = [user(desk.people[number]) for number in people]
    if "groups" in wanted:
        groups = dict.fromkeys(one.group_id for one in tickets if one.group_id)
        shown["groups"] = [group(desk.groups[number]) for number in groups]
    if "organizations" in wanted:
        companies = dict.fromkeys(one.organization_id for one in tickets if one.organization_id)
        shown["organizations"] = [organization(desk.organizations[number]) for number in companies]
    return shown


def comment(one: Comment) -> JSON:
    """Show a comment of the comments list."""
    return {
        "id": one.id,
        "type": "Comment",
        "author_id": one.author_id,
        **_bodies(one),
        "public": one.public,
        "attachments": [attachment(file) for file in one.attachments],
        "audit_id": one.audit_id,
        "via": via(one.channel),
        "created_at": iso(one.created_at),
        "metadata": _metadata(one.metadata),
    }


def audit(one: Audit) -> JSON:
    """Show what one write did."""
    events: list[JSON] = []
    if said := one.comment:
        events.append(
            {
                "id": said.id,
                "type": "Comment",
                "author_id": said.author_id,
                **_bodies(said),
                "public": said.public,
                "attachments": [attachment(file) for file in said.attachments],
                "audit_id": one.id,
            }
        )
    return {
        "id": one.id,
        "ticket_id": one.ticket_id,
        "created_at": iso(one.created_at),
        "author_id": one.author_id,
        "metadata": _metadata(one.metadata),
        "events": events + one.changes,
        "via": via(one.channel),
    }


def attachment(file: Attachment) -> JSON:
    """Show an attachment; its content does not exist."""
    where = url(f"/attachments/token/sandbox{file.id}/?name={file.name}")
    return {
        "url": url(f"{API}/attachments/{file.id}.json"),
        "id": file.id,
        "file_name": file.name,
        "content_url": where,
        "mapped_content_url": where,
        "content_type": "application/octet-stream",
        "size": 1024,
        "width": None,
        "height": None,
        "inline": False,
        "deleted": False,
        "malware_access_override": False,
        "malware_scan_result": "not_scanned",
        "thumbnails": [],
    }


def user(one: Person) -> JSON:
    """Show a user."""
    staff = one.role != "end-user"
    return {
        **USER_REST,
        "id": one.id,
        "url": url(f"{API}/users/{one.id}.json"),
        "name": one.name,
        "email": one.email,
        "created_at": iso(one.created_at),
        "updated_at": iso(one.created_at),
        "organization_id": one.organization_id,
        "role": one.role,
        "last_login_at": iso(one.created_at) if staff else None,
        "role_type": 4 if one.role == "admin" else None,
        "custom_role_id": 6130869137434 if staff else None,
        "moderator": staff,
        "ticket_restriction": None if staff else "requested",
        "restricted_agent": not staff,
        "report_csv": staff,
    }


def organization(one: Organization) -> JSON:
    """Show an organization; tier, plan and revenue are organization fields."""
    return {
        "url": url(f"{API}/organizations/{one.id}.json"),
        "id": one.id,
        "name": one.name,
        "shared_tickets": False,
        "shared_comments": False,
        "external_id": None,
        "created_at": iso(one.created_at),
        "updated_at": iso(one.created_at),
        "domain_names": [],
        "details": None,
        "notes": None,
        "group_id": None,
        "tags": [],
        "organization_fields": {
            "tier": one.tier,
            "plan": one.plan,
            "mrr": one.mrr,
            "renewal_date": one.renewal.isoformat() if one.renewal else None,
            **one.more,
        },
    }


def group(one: Group) -> JSON:
    """Show a group."""
    return {
        "url": url(f"{API}/groups/{one.id}.json"),
        "id": one.id,
        "is_public": True,
        "name": one.name,
        "description": "",
        "default": False,
        "deleted": False,
        "created_at": iso(one.created_at),
        "updated_at": iso(one.created_at),
    }


def metric_set(desk: Desk, one: Ticket) -> JSON:
    """Show the metrics of a ticket; reply times are null until a public agent comment (recorded)."""
    replies = [c for c in one.comments if c.public and desk.people[c.author_id].role != "end-user"]
    minutes = int((replies[0].created_at - one.created_at).total_seconds() // 60) if replies else None
    empty = {"calendar": None, "business": None}
    latest = one.comments[-1].created_at
    return {
        "url": url(f"{API}/ticket_metrics/{one.id}.json"),
        "id": 9861847681551 + one.id,
        "ticket_id": one.id,
        "created_at": iso(one.created_at),
        "updated_at": iso(one.updated_at),
        "group_stations": int(bool(one.group_id)),
        "assignee_stations": int(bool(one.assignee_id)),
        "reopens": 0,
        "replies": len(replies),
        "requester_updated_at": iso(one.created_at),
        "status_updated_at": iso(one.status_at),
        "latest_comment_added_at": iso(latest),
        "reply_time_in_minutes": {"calendar": minutes, "business": minutes},
        "first_resolution_time_in_minutes": empty,
        "full_resolution_time_in_minutes": empty,
        "agent_wait_time_in_minutes": empty,
        "requester_wait_time_in_minutes": empty,
        "on_hold_time_in_minutes": {"calendar": 0, "business": 0},
        "custom_status_updated_at": iso(one.status_at),
    }


def sla_metrics(desk: Desk, one: Ticket) -> list[JSON]:
    """List the SLA metrics of a ticket with a priority; a breached one stays `active` with its time in the past."""
    if not one.priority:
        return []
    respond, resolve = SLA_MINUTES[one.priority]
    answered, waiting = bool(sla.replies(desk, one)), sla.waiting_since(desk, one)
    done, paused = one.status in sla.DONE, sla.is_paused(one)
    shown = [_sla_metric(one, "first_reply_time", one.created_at, respond, met=answered, paused=False)]
    if waiting:
        shown.append(_sla_metric(one, "next_reply_time", waiting, respond, met=done, paused=False))
    shown.append(_sla_metric(one, "requester_wait_time", one.created_at, resolve, met=done, paused=paused))
    return shown


def _sla_metric(one: Ticket, metric: str, start: datetime, minutes: int, *, met: bool, paused: bool) -> JSON:
    breach = (
        sla.due(one, start, minutes * 60) if metric == "requester_wait_time" else start + timedelta(minutes=minutes)
    )
    if paused and not met:
        return {"metric": metric, "stage": "paused", "breach_at": None}
    left = int((breach - now()).total_seconds() // 60)
    return {"metric": metric, "stage": "achieved" if met else "active", "breach_at": iso(breach), "minutes": left}


def _bodies(one: Comment) -> JSON:
    text = markup.to_text(one.html)
    wrapped = f'<div class="zd-comment" dir="auto">{markup.zendesk(one.html)}</div>'
    return {"body": text, "html_body": wrapped, "plain_body": text.replace("\n", " \n")}


def _metadata(custom: JSON) -> JSON:
    system = {"client": "sandbox", "ip_address": "127.0.0.1", "location": None, "latitude": None, "longitude": None}
    return {"system": system, "custom": custom}
