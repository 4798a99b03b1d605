"""Freshdesk's ticket JSON as our Ticket."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from connectors.base import Changed, Past
from connectors.ticket_rows import Others, changed, customer_ticket
from connectors.values import as_dict, as_list, facts, ident, organization, rows, text, when
from triage.errors import Gone, Retry
from triage.settings import Desk
from triage.ticket import Author, Background, Message, Rating, Requester, Status, Ticket

# Numbers from 8 on are the account's own statuses; they map to UNKNOWN and are triaged like open ones.
STATUSES = {
    2: Status.OPEN,
    3: Status.PENDING,
    4: Status.SOLVED,
    5: Status.CLOSED,
    6: Status.PENDING,
    7: Status.HOLD,
}
# Low is what Freshdesk gives every new ticket, so it says nothing about anybody's choice.
PRIORITIES = {2: "normal", 3: "high", 4: "urgent"}
DEFAULT_PRIORITY = 1
SOURCES = {
    "1": "email",
    "2": "portal",
    "3": "phone",
    "4": "forum",
    "5": "twitter",
    "6": "facebook",
    "7": "chat",
    "8": "mobihelp",
    "9": "feedback_widget",
    "10": "outbound_email",
    "11": "ecommerce",
    "12": "bot",
    "13": "whatsapp",
}
OUTBOUND_EMAIL = 10
SURVEY = 6
NOTHING = Others()
HALF_AN_ANSWER = "the helpdesk answered without a ticket"


def status(raw: dict[str, Any]) -> Status:
    """Return where the ticket stands."""
    if raw.get("deleted"):
        return Status.DELETED
    if raw.get("spam"):
        return Status.SPAM
    number = raw.get("status")
    return STATUSES.get(number, Status.UNKNOWN) if isinstance(number, int) else Status.UNKNOWN


def living(raw: Any) -> dict[str, Any]:
    """Return the ticket of an answer; Gone if nothing is left to do on it."""
    ticket = existing(raw)
    if status(ticket) is Status.CLOSED:
        raise Gone(f"ticket {ticket['id']} is {Status.CLOSED}")
    return ticket


def existing(raw: Any) -> dict[str, Any]:
    """Return the ticket of an answer, a closed one too; Gone if it is deleted or spam."""
    ticket = as_dict(raw)
    if not ident(ticket.get("id")):
        raise Retry(HALF_AN_ANSWER)
    stands = status(ticket)
    if stands in (Status.DELETED, Status.SPAM):
        raise Gone(f"ticket {ticket['id']} is {stands}")
    return ticket


def priority(raw: dict[str, Any]) -> str | None:
    """Return our priority word, None for the vendor's default."""
    number = raw.get("priority")
    return PRIORITIES.get(number) if isinstance(number, int) else None


def messages(raw: dict[str, Any], conversations: Iterable[dict[str, Any]]) -> list[Message]:
    """Return description and conversations, oldest first; one that is on two pages is said once."""
    said = {text(one.get("id")): one for one in conversations if not one.get("deleted")}
    return [_description(raw), *(message(one, text(raw.get("requester_id"))) for one in said.values())]


def _description(raw: dict[str, Any]) -> Message:
    outbound = raw.get("source") == OUTBOUND_EMAIL
    body, plain = text(raw.get("description")), text(raw.get("description_text"))
    return Message(
        id="",
        author=Author.AGENT if outbound else Author.CUSTOMER,
        body=body or plain,
        # Some channels put plain text into `description` (recorded); as HTML its line breaks would be lost.
        html=bool(body) and body != plain,
        author_id=text(raw.get("responder_id") if outbound else raw.get("requester_id")),
        created_at=when(raw.get("created_at")),
        attachments=_file_names(raw),
    )


def message(one: dict[str, Any], requester_id: str) -> Message:
    """Return one conversation entry of a ticket that `requester_id` asked for."""
    body = text(one.get("body"))
    author_id = text(one.get("user_id"))
    customer = bool(one.get("incoming")) or (author_id != "" and author_id == requester_id)
    return Message(
        id=text(one.get("id")),
        author=Author.CUSTOMER if customer else Author.AGENT,
        body=body or text(one.get("body_text")),
        html=bool(body),
        public=one.get("private") is not True,
        author_id=author_id,
        created_at=when(one.get("created_at")),
        automatic=bool(one.get("auto_response") or one.get("automation_id")) or one.get("source") == SURVEY,
        attachments=_file_names(one),
    )


def _file_names(raw: dict[str, Any]) -> tuple[str, ...]:
    return tuple(text(one.get("name")) for one in rows(raw.get("attachments")))


def normalize(
    name: str,
    desk: Desk,
    raw: dict[str, Any],
    conversations: Iterable[dict[str, Any]],
    customer: tuple[dict[str, Any], dict[str, Any]],
    groups: Mapping[str, str],
    others: Others = NOTHING,
    rated: Rating | None = None,
) -> Ticket:
    """Return our Ticket; `customer` holds company and contact, either may be empty; `groups` names by id."""
    ticket_id = text(raw["id"])
    company, contact = customer
    # Tier and renewal date are fields of every company; an admin's own of these names go before them.
    built_in = {"tier": company.get("account_tier")} | company
    fields = as_dict(company.get("custom_fields")), built_in, as_dict(contact.get("custom_fields"))
    told = facts(desk.context_fields, (custom_fields(raw), *fields))
    return Ticket(
        desk=name,
        id=ticket_id,
        subject=text(raw.get("subject")),
        status=status(raw),
        priority=priority(raw),
        group_id=ident(raw.get("group_id")),
        assignee_id=ident(raw.get("responder_id")),
        tags=tags(raw),
        fields=custom_fields(raw),
        channel=SOURCES.get(text(raw.get("source")), ""),
        created_at=when(raw.get("created_at")),
        updated_at=when(raw.get("updated_at")),
        stamp=text(raw.get("updated_at")),
        url=f"{desk.url}/a/tickets/{ticket_id}",
        requester=_requester(raw, contact),
        organization=organization(raw.get("company_id"), company, desk.customer_fields, fields),
        messages=tuple(messages(raw, conversations)),
        earlier=others.recent,
        ticket_count_30d=len(others.recent),
        group=groups.get(text(raw.get("group_id")), ""),
        brand=ident(raw.get("product_id")) or "",
        status_since=when(as_dict(raw.get("stats")).get("status_updated_at")),
        background=Background(others.open, others.newest, rated, told),
    )


def custom_fields(raw: dict[str, Any]) -> dict[str, Any]:
    """Return custom field values by name."""
    return as_dict(raw.get("custom_fields"))


def tags(raw: dict[str, Any]) -> tuple[str, ...]:
    """Return the ticket's tags."""
    return tuple(text(tag) for tag in as_list(raw.get("tags")))


def _requester(raw: dict[str, Any], contact: dict[str, Any]) -> Requester:
    person = contact | as_dict(raw.get("requester"))
    return Requester(
        id=text(raw.get("requester_id")),
        name=text(person.get("name")),
        email=text(person.get("email")),
        created_at=when(contact.get("created_at")),
    )


def listed(raw: dict[str, Any], groups: Mapping[str, str]) -> Changed:
    """Return one row of a list; "low" is told from a choice by `priority_is_default`."""
    default = raw.get("priority") == DEFAULT_PRIORITY
    word = "low" if default else priority(raw)
    mine = customer_ticket(raw, status) if ident(raw.get("requester_id")) else None
    return replace(changed(raw, status, groups), priority=word, priority_is_default=default, asked=mine)


def past(name: str, desk: Desk, raw: dict[str, Any], company: dict[str, Any], groups: Mapping[str, str]) -> Past:
    """Return one ticket of a list that includes descriptions; `company` may be empty."""
    ticket = normalize(name, desk, raw, (), (company, {}), groups)
    return Past(ticket, groups.get(ticket.group_id or "", ""))
