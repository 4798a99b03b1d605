"""The classifier protocol: one ticket in, one `Classification` out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from triage.classification import Classification
from triage.errors import ModelError
from triage.ticket import Ticket


class Classifier(Protocol):
    """Answers every ticket it is given, empty or hostile ones too; only a model behind a network may fail."""

    name: str

    def classify(self, ticket: Ticket) -> Classification:
        """Return the classification of `ticket`. Raises ModelError where a remote model gave nothing usable."""


def learned_from(classifier: Classifier, ticket: Ticket) -> list[str]:
    """Return the fields that `classifier` answers by a model which has learned from this very ticket."""
    seen: Callable[[Ticket], list[str]] | None = getattr(classifier, "learned_from", None)
    return seen(ticket) if seen else []


class PaidModelError(ModelError):
    """The model gave nothing usable and still has to be paid."""

    def __init__(self, reason: str, tokens_in: int, tokens_out: int, cost_usd: float) -> None:
        super().__init__(reason)
        self.tokens_in = tokens_in
        self.tokens_out = tokens_out
        self.cost_usd = cost_usd
