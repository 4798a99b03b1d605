"""Zendesk: the one public comment Tandem may write, and finding it again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from connectors.base import Written
from connectors.values import as_dict, as_list, rows, text
from triage.errors import Conflict, Refused
from triage.ticket import Ticket

# https://developer.zendesk.com/api-reference/ticketing/tickets/ticket_comments/#comment-flags
AUTOMATIC_FLAG = 4
ANSWERED = "somebody has answered the ticket in public"
AUTOMATIC = "the ticket holds automatic mail"
KEPT_PRIVATE = "Zendesk kept the reply as a private note; no customer has seen it"


def check_unanswered(ticket: Ticket, comments: Iterable[dict[str, Any]]) -> None:
    """Raise Conflict unless every public comment is the requester's own and written by a person."""
    for comment in comments:
        if comment.get("public") is not False and text(comment.get("author_id")) != ticket.requester.id:
            raise Conflict(ANSWERED)
        if is_automatic(comment):
            raise Conflict(AUTOMATIC)


def is_automatic(comment: dict[str, Any]) -> bool:
    """Say whether Zendesk has flagged a comment as machine mail."""
    return AUTOMATIC_FLAG in as_list(as_dict(comment.get("metadata")).get("flags"))


def sent_reply(answer: dict[str, Any]) -> Written | None:
    """Return the public comment that the answer of a write shows, None where it shows none; Refused if private."""
    events = rows(as_dict(answer.get("audit")).get("events"))
    comment = next((event for event in events if event.get("type") == "Comment"), None)
    if comment is None:
        return None
    if comment.get("public") is False:
        raise Refused(KEPT_PRIVATE)
    return Written(text(comment.get("id")))


def found_reply(comments: Iterable[dict[str, Any]], reference: str, our_id: str) -> Written | None:
    """Return our public comment that carries `reference`; Refused if it is there and private."""
    for comment in comments:
        body = text(comment.get("html_body")) + text(comment.get("plain_body") or comment.get("body"))
        if reference in body and text(comment.get("author_id")) == our_id:
            if comment.get("public") is False:
                raise Refused(KEPT_PRIVATE)
            return Written(text(comment.get("id")))
    return None
