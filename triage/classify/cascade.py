"""The language model where it helps, our own classifier always: a ticket is never left without an answer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from typing import Any, Literal

from triage.classification import DECIDED_FIELDS, NO_TEAM, Classification
from triage.classify.base import Classifier, PaidModelError, learned_from
from triage.classify.context import context_of
from triage.classify.escalation import escalated
from triage.clean import clean_ticket
from triage.errors import ModelError
from triage.settings import Settings
from triage.ticket import Ticket

Ask = Literal["always", "unsure", "never"]

log = logging.getLogger(__name__)


class Cascade:
    """Implements `Classifier`: asks the model as often as `ask` says and answers by itself when the model cannot.

    `own` is the embedded classifier, with what the desk has taught over it where it has taught something; `taught`
    are the fields it learned. A model knows less of those than the desk's own history.
    """

    name = "cascade"

    def __init__(
        self, own: Classifier, llm: Classifier | None, ask: Ask, settings: Settings, taught: Collection[str] = ()
    ) -> None:
        self._own = own
        self._llm = llm
        self._ask = ask
        self._settings = settings
        self._taught = tuple(taught)

    def over(self, learned: Callable[[Classifier], Classifier], fields: Collection[str]) -> Cascade:
        """Return this cascade with what `learned` makes of its own classifier in that one's place."""
        return Cascade(learned(self._own), self._llm, self._ask, self._settings, fields)

    def classify(self, ticket: Ticket) -> Classification:
        """Return the model's answer or our own; `fallback_reason` says why the model's is missing."""
        if self._llm is None or self._ask == "never":
            return self._own.classify(ticket)
        if self._ask == "always" and not self._taught:
            return self._asked(self._llm, ticket, None)
        own = self._own.classify(ticket)
        ask = self._ask == "always" or any(self._unsure(own, name, ticket.desk) for name in DECIDED_FIELDS)
        return self._asked(self._llm, ticket, own) if ask else own

    def learned_from(self, ticket: Ticket) -> list[str]:
        """Return the fields whose learned model, of our own classifier, has learned from this very ticket."""
        return learned_from(self._own, ticket)

    def _asked(self, llm: Classifier, ticket: Ticket, own: Classification | None) -> Classification:
        try:
            said = llm.classify(ticket)
        except ModelError as error:
            log.warning("ticket %s: our own classifier answers: %s", ticket.id, error)
            return _fallen_back(own or self._own.classify(ticket), error)
        if own is None:
            return said
        stands = [name for name in self._taught if self._stands(own, said, name, ticket.desk)]
        if not stands:
            return said
        context = context_of(ticket, clean_ticket(ticket))
        return escalated(_keeping(said, own, stands), self._settings.teams, context)

    def _stands(self, own: Classification, said: Classification, name: str, desk: str) -> bool:
        """Say whether a learned answer stands: it is sure, or the model's is no label of the desk's."""
        return not self._unsure(own, name, desk) or getattr(said, name) not in {*own.probabilities[name], NO_TEAM}

    def _unsure(self, answer: Classification, name: str, desk: str) -> bool:
        # By the same rule that decides later: what it would leave to a person goes to the model first.
        return answer.probability(name) < answer.needed(name, getattr(self._settings.thresholds_of(desk), name))


def _keeping(said: Classification, own: Classification, names: Collection[str]) -> Classification:
    """Return what the model `said` with the fields `names` as our own classifier answered them."""
    update: dict[str, Any] = {name: getattr(own, name) for name in names}
    update["probabilities"] = said.probabilities | {name: own.probabilities[name] for name in names}
    update["thresholds"] = said.thresholds | {name: own.thresholds[name] for name in names if name in own.thresholds}
    for about in ("temperatures", "probability_sources"):  # of the model's probabilities, not of ours
        update[about] = {name: value for name, value in getattr(said, about).items() if name not in names}
    update["classifier"] = f"{said.classifier}+learned"
    if "primary_team" in names:
        update["secondary_team"] = own.secondary_team
        if own.primary_team != said.primary_team:
            # Both were said about another team.
            update |= {"issue_category": own.issue_category, "evidence": own.evidence}
    return said.model_copy(update=update)


def _fallen_back(answer: Classification, error: ModelError) -> Classification:
    """Return `answer` with the reason, and with what the model cost although it gave nothing."""
    update: dict[str, object] = {"fallback_reason": str(error)}
    if isinstance(error, PaidModelError):
        update |= {"tokens_in": error.tokens_in, "tokens_out": error.tokens_out, "cost_usd": error.cost_usd}
    return answer.model_copy(update=update)
