"""A closed ticket as it was when new, and the answer to it as it is kept: nothing that people knew later, no text."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from itertools import takewhile
from typing import Any

from triage.classification import CHURN_RISKS, SENTIMENTS, Classification
from triage.people import priority_of, team_of
from triage.settings import Desk, Settings
from triage.ticket import Author, Status, Ticket

NO_CUSTOMER = "no customer wrote before an agent did"
# No quoted sentence, draft or reason: those hold what a customer wrote.
KEPT = frozenset(
    [
        "primary_team",
        "secondary_team",
        "priority",
        "sentiment",
        "churn_risk",
        "language",
        "escalation_needed",
        "probabilities",
        "thresholds",
        "probability_sources",
        "temperatures",
        "classifier",
        "model",
        "tokens_in",
        "tokens_out",
        "cost_usd",
    ]
)
FELL_BACK = "the language model gave no answer"
LABELLED = {"sentiment": SENTIMENTS, "churn_risk": CHURN_RISKS}


def as_new(ticket: Ticket, earlier: int) -> Ticket | None:
    """Return `ticket` as it was before people or Tandem touched it, None where no customer spoke first.

    Of its messages those of customers before an agent answered stay; notes, tags, fields, priority, group and assignee
    go. `earlier` tickets came from the same customer in the 30 days before.
    """
    before = takewhile(lambda message: not (message.author is Author.AGENT and message.public), ticket.messages)
    said = tuple(message for message in before if message.author is Author.CUSTOMER and message.public)
    if not said:
        return None
    return replace(
        ticket,
        status=Status.NEW,
        priority=None,
        group_id=None,
        assignee_id=None,
        tags=(),
        fields={},
        messages=said,
        earlier=(),
        ticket_count_30d=earlier,
    )


def truth_of(ticket: Ticket, group: str, settings: Settings, desk: Desk, ours: Collection[str]) -> dict[str, str]:
    """Return field -> label as people left it; what Tandem itself has set (`ours`) says nothing about people."""
    truth = {}
    if group and "group" not in ours:
        truth["primary_team"] = team_of(group, settings)
    if (priority := priority_of(ticket.priority, settings)) and "priority" not in ours:
        truth["priority"] = priority
    for field, key in desk.mapped_fields.items():
        value = ticket.fields.get(str(key))
        if field in LABELLED and value in LABELLED[field] and str(key) not in ours:
            truth[field] = str(value)
    return truth


def kept(answer: Classification) -> dict[str, Any]:
    """Return `answer` as plain data without a word of the ticket."""
    plain = answer.model_dump(include=set(KEPT))
    return plain | ({"fallback_reason": FELL_BACK} if answer.fallback_reason else {})


def answer_of(stored: dict[str, Any]) -> Classification:
    """Return the answer that was kept."""
    return Classification.model_validate(stored)
