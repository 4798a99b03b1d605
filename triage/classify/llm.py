"""The language model as a classifier: one call per ticket, on any OpenAI-compatible endpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from triage.classification import Classification
from triage.classify.api import Api
from triage.classify.asking import Asker, Bill
from triage.classify.breaker import Breaker
from triage.classify.question import LLM, Questionnaire
from triage.settings import Llm, Priority, Team
from triage.ticket import Ticket


class LlmClassifier:
    """Implements `Classifier`; raises ModelError where the model gave nothing usable."""

    name = LLM

    def __init__(
        self, *, base_url: str, api_key: str, model: str, settings: Llm, teams: Mapping[str, Team],
        priorities: Mapping[str, Priority], spent_today: Callable[[], float],
        breaker: Breaker | None = None,
    ) -> None:  # fmt: skip
        self.model, self.settings = model, settings
        self.questionnaire = Questionnaire(teams, priorities)
        self.api = Api(base_url, api_key)
        self._asker = Asker(
            self.api, model, settings, spent_today,
            purpose="classify", schemas=self.questionnaire.schemas, logprobs=True, breaker=breaker,
        )  # fmt: skip
        self.endpoint = self._asker.endpoint

    def classify(self, ticket: Ticket) -> Classification:
        """Return the model's classification of `ticket`, at most `timeout_seconds` later."""
        self._asker.check_cap()
        question = self.questionnaire.question(ticket)
        verdict, bill = self._asker.ask(question.messages, partial(self.questionnaire.verdict, question))
        return self.questionnaire.classification(question, verdict, self.used(bill))

    def used(self, bill: Bill, share: float = 1.0) -> dict[str, Any]:
        """Return model, tokens and cost as a classification holds them."""
        return bill.used(self.model, self.settings, share)
