"""What a language model is asked about a ticket, and what its answer comes to; live calls and bulk work share it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from triage.classification import Classification
from triage.classify.answer import Verdict, parse_answer
from triage.classify.context import Context, context_of
from triage.classify.endpoint import SCHEMA, SCHEMA_WITH_LENGTHS
from triage.classify.escalation import escalated
from triage.classify.prompt import answer_schema, labels_of, system_prompt, ticket_prompt
from triage.classify.recalibrate import DEFAULTS, recalibrated
from triage.classify.reply import Messages, Reply
from triage.clean import CleanTicket, clean_ticket
from triage.redact import Masks
from triage.settings import Priority, Team
from triage.ticket import Ticket

LLM = "llm"


@dataclass(frozen=True)
class Question:
    """One ticket as the model is shown it."""

    clean: CleanTicket
    context: Context
    messages: Messages
    masks: Masks
    """What the placeholders in `messages` stand for."""


class Questionnaire:
    """One configuration's prompt, answer schema and labels."""

    def __init__(self, teams: Mapping[str, Team], priorities: Mapping[str, Priority]) -> None:
        self._teams = dict(teams)
        self.labels = labels_of(teams, priorities)
        self.system = system_prompt(teams, priorities)
        self.schemas = {
            SCHEMA_WITH_LENGTHS: answer_schema(teams, priorities, with_lengths=True),
            SCHEMA: answer_schema(teams, priorities, with_lengths=False),
        }

    def question(self, ticket: Ticket) -> Question:
        """Return what the model is asked about `ticket`."""
        clean = clean_ticket(ticket)
        context = context_of(ticket, clean)
        masks = Masks([ticket.requester.name])
        messages = [
            {"role": "system", "content": self.system},
            {"role": "user", "content": ticket_prompt(clean, context, masks)},
        ]
        return Question(clean, context, messages, masks)

    def verdict(self, question: Question, reply: Reply) -> Verdict:
        """Return the checked answer. Raises InvalidAnswer where it cannot be used."""
        told = f"{question.clean.subject}\n{question.clean.text}"
        return parse_answer(reply.text, self.labels, told, reply.tokens, question.masks)

    def classification(self, question: Question, verdict: Verdict, used: Mapping[str, Any]) -> Classification:
        """Return the classification; `used` holds model, tokens_in, tokens_out and cost_usd."""
        known = {} if question.clean.language == "und" else {"language": question.clean.language}
        answer = Classification.model_validate(
            verdict.fields
            | known
            | dict(used)
            | {"probabilities": verdict.probabilities, "probability_sources": verdict.sources, "classifier": LLM}
        )
        calibrated = recalibrated(answer, {name: DEFAULTS[source] for name, source in verdict.sources.items()})
        return escalated(calibrated, self._teams, question.context)
