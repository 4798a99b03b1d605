"""The language model where it helps, the embedded classifier always: a ticket is never left without an answer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Literal

from triage.classification import DECIDED_FIELDS, Classification
from triage.classify.base import Classifier, PaidModelError
from triage.errors import ModelError
from triage.settings import Thresholds
from triage.ticket import Ticket

Ask = Literal["always", "unsure", "never"]

log = logging.getLogger(__name__)


class Cascade:
    """Implements `Classifier`: asks the model as often as `ask` says and answers by itself when the model cannot."""

    name = "cascade"

    def __init__(
        self, embedded: Classifier, llm: Classifier | None, ask: Ask, thresholds_of: Callable[[str], Thresholds]
    ) -> None:
        self._embedded = embedded
        self._llm = llm
        self._ask = ask
        self._thresholds_of = thresholds_of

    def classify(self, ticket: Ticket) -> Classification:
        """Return the model's answer or the embedded one; `fallback_reason` says why the model's is missing."""
        if self._llm is None or self._ask == "never":
            return self._embedded.classify(ticket)
        if self._ask == "always":
            return self._asked(self._llm, ticket, None)
        own = self._embedded.classify(ticket)
        return self._asked(self._llm, ticket, own) if self._unsure(own, ticket.desk) else own

    def _asked(self, llm: Classifier, ticket: Ticket, own: Classification | None) -> Classification:
        try:
            return llm.classify(ticket)
        except ModelError as error:
            log.warning("ticket %s: the embedded classifier answers: %s", ticket.id, error)
            return fallen_back(own or self._embedded.classify(ticket), error)

    def _unsure(self, answer: Classification, desk: str) -> bool:
        thresholds = self._thresholds_of(desk)
        return any(answer.probability(name) < getattr(thresholds, name) for name in DECIDED_FIELDS)


def fallen_back(answer: Classification, error: ModelError) -> Classification:
    """Return `answer` with the reason, and with what the model cost although it gave nothing."""
    update: dict[str, object] = {"fallback_reason": str(error)}
    if isinstance(error, PaidModelError):
        update |= {"tokens_in": error.tokens_in, "tokens_out": error.tokens_out, "cost_usd": error.cost_usd}
    return answer.model_copy(update=update)
