"""The batch contract: rows of JSON in, rows of JSON out, for `manage.py classify` and anyone who scores us."""

from __future__ import annotations

from typing import Any

from triage.classification import DECIDED_FIELDS, Classification, abstained
from triage.settings import Thresholds
from triage.ticket import Author, Message, Organization, Ticket

DIGITS = 9
"""Enough for rounded probabilities to sum to 1 within a millionth."""
NEEDS_ID = "row without 'id'; give each row a string or a number"
WRONG_TYPE = "row {row}: '{key}' must be {wanted}, not {found}"
WRONG_AUTHOR = "row {row}: conversation[{index}]: 'author' must be customer or agent"
TEXT, NUMBER, COUNT, LIST = "a string", "a number", "a whole number of 0 or more", "a list of objects"


def ticket_from_row(row: dict[str, Any]) -> Ticket:
    """Return the ticket of one input row; raises ValueError naming row and key where the row is wrong."""
    name = _row_id(row)
    body = _text(row, "body", name)
    mrr = row.get("mrr")
    if mrr is not None and (isinstance(mrr, bool) or not isinstance(mrr, int | float)):
        raise _wrong(name, "mrr", NUMBER, mrr)
    count = row.get("ticket_count_30d") or 0
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise _wrong(name, "ticket_count_30d", COUNT, count)
    talk = _conversation(row, name)
    # Some exports repeat the body as the first message of the conversation.
    repeated = bool(talk) and talk[0].body.strip() == body.strip()
    first = (Message("body", Author.CUSTOMER, body),) if body and not repeated else ()
    return Ticket(
        desk="",
        id=name,
        subject=_text(row, "subject", name),
        organization=Organization(tier=_text(row, "tier", name), mrr=None if mrr is None else float(mrr)),
        messages=first + talk,
        ticket_count_30d=count,
    )


def row_from(classification: Classification, row_id: Any, thresholds: Thresholds) -> dict[str, Any]:
    """Return the output row; `abstained` names the fields whose probability is below what they need.

    `primary_team` may be `none`: "none of the teams". Said surely it is an answer, not an abstention, though nothing
    can be routed by it; where nothing was understood it is unsure, so it stands in `abstained`.
    """
    return {
        "id": row_id,
        "primary_team": classification.primary_team,
        "secondary_team": classification.secondary_team,
        "priority": classification.priority,
        "sentiment": classification.sentiment,
        "churn_risk": classification.churn_risk,
        "language": classification.language,
        "abstained": abstained(classification, thresholds.model_dump()),
        "probabilities": {
            name: {label: round(p, DIGITS) for label, p in classification.probabilities[name].items()}
            for name in DECIDED_FIELDS
        },
        "classifier": classification.classifier,
    }


def _row_id(row: dict[str, Any]) -> str:
    given = row.get("id")
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        raise ValueError(NEEDS_ID)
    return str(given)


def _text(row: dict[str, Any], key: str, name: str) -> str:
    value = row.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _wrong(name, key, TEXT, value)
    return value


def _conversation(row: dict[str, Any], name: str) -> tuple[Message, ...]:
    """Return the messages of the row's conversation, oldest first; the body comes before them."""
    entries = row.get("conversation") or []
    if not isinstance(entries, list):
        raise _wrong(name, "conversation", LIST, entries)
    messages = []
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise _wrong(name, f"conversation[{index}]", "an object", entry)
        if entry.get("author") not in (Author.CUSTOMER, Author.AGENT):
            raise ValueError(WRONG_AUTHOR.format(row=name, index=index))
        text = _text(entry, "body", f"{name}, conversation[{index}]")
        messages.append(Message(f"conversation-{index}", Author(entry["author"]), text))
    return tuple(messages)


def _wrong(row: str, key: str, wanted: str, found: Any) -> ValueError:
    return ValueError(WRONG_TYPE.format(row=row, key=key, wanted=wanted, found=type(found).__name__))
