"""Freshdesk's webhooks: a shared secret (there is no signature) and bodies that admins write by hand.

https://support.freshdesk.com/support/solutions/articles/132589 and the recorded payloads in tests/payloads/freshdesk.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import parse_qs

from webhooks.base import Call, Kind, Knock, digest, plain, same_secret, ticket_id_of

SECRET_HEADER = "x-webhook-secret"  # noqa: S105 - a header's name
SECRET_PARAMETER = "token"  # noqa: S105 - a parameter's name
WRAPPER = "freshdesk_webhook"
# The same words about the same ticket later are another event: an answer minutes after our own note must reach the
# clocks. Freshdesk's own repeats come minutes later too, and cost one reading each.
REPEAT_WINDOW_SECONDS = 5
# In the event an admin writes into the rule for changes; such a ticket need not be one Tandem is to triage.
UPDATED = "updated"
# For the tag that asks for a fresh look.
ASKED = "asked"
TRAILING_COMMA = re.compile(r",(\s*[}\]])")
# A form sent by Rails' rules nests by brackets: freshdesk_webhook[ticket_id]=11.
NESTED = re.compile(r"freshdesk_webhook\[(\w{1,40})\]", re.ASCII)
# The whole number or nothing: a part of one would be another ticket.
LAST_RESORT = re.compile(r"\bticket_id[\s\"'\\:=>]{1,8}([0-9]{1,19})(?![\w.])", re.ASCII)
# Only the beginning is searched when nothing else could read the body.
LAST_RESORT_LENGTH = 65_536


def verify(call: Call, secrets: Sequence[str], _now: float) -> str:
    """Return why the call is refused, or an empty text when header, Basic password or `token` hold the secret."""
    given = [call.headers.get(SECRET_HEADER, ""), call.password, call.query.get(SECRET_PARAMETER, "")]
    if not any(given):
        return "no secret"
    return "" if any([same_secret(value, secrets) for value in given if value]) else "wrong secret"


def parse(call: Call, now: float) -> Knock:
    """Return what the call is about, reading the body in ever more forgiving steps."""
    text = call.body.decode("utf-8", "replace")
    for read in READERS:
        try:
            data = read(text)
        except (ValueError, RecursionError):
            continue
        for candidate in _objects(data):
            if ticket_id := ticket_id_of(candidate.get("ticket_id")):
                return _knock(ticket_id, candidate, call.body, now)
        if isinstance(data, dict) and data:
            # Read well and no ticket in it: what a customer wrote into some value is not searched for one.
            break
    return Knock(
        Kind.UNREADABLE,
        f"body:{digest(call.body)}",
        reason='the body names no ticket; use {"event":"ticket_created","ticket_id":"{{ticket.id}}"}',
    )


def _knock(ticket_id: str, data: dict[str, Any], body: bytes, now: float) -> Knock:
    triggered = plain(data.get("triggered_event"))
    event = plain(data.get("event")) or triggered or "ticket"
    created = "created" in event
    # Creation happens once. For the rest the sender gives no id: the same words within seconds are a repeat.
    window = "" if created else str(int(now // REPEAT_WINDOW_SECONDS))
    key = f"{ticket_id}:{digest(event, b'' if created else body, window)}"
    if not created and ASKED in event:
        return Knock(Kind.ASK, key, ticket_id, event)
    if not created and (triggered or UPDATED in event):
        return Knock(Kind.CLOCK, key, ticket_id, event)
    return Knock(Kind.WORK, key, ticket_id, event)


def _objects(data: Any) -> Iterator[dict[str, Any]]:
    """Yield the object that may hold `ticket_id`: the wrapped one, or the body itself."""
    if isinstance(data, dict):
        if isinstance(data.get(WRAPPER), dict):
            yield data[WRAPPER]
        yield data


def _form(text: str) -> dict[str, str]:
    fields = {NESTED.sub(r"\1", key): values[0] for key, values in parse_qs(text, max_num_fields=200).items()}
    # Any text with a "=" in it reads as a form; it is one only if it names the ticket.
    return fields if "ticket_id" in fields else {}


def _search(text: str) -> dict[str, str]:
    found = LAST_RESORT.search(text[:LAST_RESORT_LENGTH])
    return {"ticket_id": found[1]} if found else {}


# Strict JSON; raw line breaks inside strings; a comma after the last entry; a form; the id alone.
READERS: tuple[Callable[[str], Any], ...] = (
    json.loads,
    lambda text: json.loads(text, strict=False),
    lambda text: json.loads(TRAILING_COMMA.sub(r"\1", text), strict=False),
    _form,
    _search,
)
