"""Freshdesk: the one public reply Tandem may send, and finding it again.

Freshdesk has no guarded write: who answers between our last look and our call, some tenths of a second, is not seen.
https://developers.freshdesk.com/api/#reply_ticket
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from connectors import freshdesk_ticket
from connectors.base import Written
from connectors.values import text
from triage.errors import Conflict, Refused
from triage.ticket import Author, Ticket

ANSWERED = "somebody has answered the ticket in public"
WRITTEN_AGAIN = "the customer has written again"
AUTOMATIC = "the ticket holds automatic mail"
KEPT_PRIVATE = "Freshdesk kept the reply as a private note; no customer has seen it"


def check_unanswered(ticket: Ticket, conversations: Iterable[dict[str, Any]]) -> None:
    """Raise Conflict unless every public entry is one of the requester's that were read, written by a person."""
    known = {message.id for message in ticket.messages}
    for raw in conversations:
        one = freshdesk_ticket.message(raw, ticket.requester.id)
        if one.public and (one.author is not Author.CUSTOMER or one.author_id != ticket.requester.id):
            raise Conflict(ANSWERED)
        if one.automatic:
            raise Conflict(AUTOMATIC)
        if one.public and one.id not in known:
            raise Conflict(WRITTEN_AGAIN)


def found_reply(conversations: Iterable[dict[str, Any]], reference: str, our_id: str) -> Written | None:
    """Return our public reply that carries `reference`; Refused if it is there and private."""
    for one in conversations:
        if reference in text(one.get("body")) + text(one.get("body_text")) and text(one.get("user_id")) == our_id:
            if one.get("private") is True:
                raise Refused(KEPT_PRIVATE)
            return Written(text(one.get("id")))
    return None
