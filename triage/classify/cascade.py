"""The language model where it helps, our own classifier always: a ticket is never left without an answer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from typing import Any, Literal

from triage.classification import DECIDED_FIELDS, NO_TEAM, Classification, abstained
from triage.classify.base import Classifier, PaidModelError, learned_from
from triage.classify.context import context_of
from triage.classify.escalation import escalated
from triage.clean import clean_ticket
from triage.errors import ModelError
from triage.settings import Settings
from triage.ticket import Ticket

Ask = Literal["always", "unsure", "never"]

NOBODYS_FROM = 0.9
"""Probability of `none` from which no model is asked for a team."""

log = logging.getLogger(__name__)


class Cascade:
    """Implements `Classifier`: asks the model as often as `ask` says and answers by itself when the model cannot.

    `own` is the embedded classifier, with what the desk has taught over it where it has taught something; `taught`
    are the fields it learned. A model knows less of those than the desk's own history. Asked where we are unsure, the
    model answers the unsure fields alone: our sure ones stand.
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

    @property
    def llm(self) -> Classifier | None:
        """Return the language model that may be asked."""
        return None if self._ask == "never" else self._llm

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
        unsure = self._unsure(own, ticket)
        if self._ask == "unsure" and not unsure:
            return own
        return self._asked(self._llm, ticket, own, unsure)

    def learned_from(self, ticket: Ticket) -> list[str]:
        """Return the fields whose learned model, of our own classifier, has learned from this very ticket."""
        return learned_from(self._own, ticket)

    def _unsure(self, own: Classification, ticket: Ticket) -> list[str]:
        """Return the fields of our own answer that a model may know better."""
        if own.primary_team == NO_TEAM and clean_ticket(ticket).automatic:
            return []
        # By the same rule that decides later: what it would leave to a person goes to the model first.
        needed = self._settings.thresholds_of(ticket.desk).model_dump()
        if own.primary_team == NO_TEAM:
            # It leaves every `none` to a person; only plain spam and thanks are not worth asking about.
            own = own.model_copy(update={"thresholds": {**own.thresholds, "primary_team": NOBODYS_FROM}})
        return abstained(own, needed)

    def _asked(
        self, llm: Classifier, ticket: Ticket, own: Classification | None, unsure: Collection[str] = ()
    ) -> Classification:
        try:
            said = llm.classify(ticket)
        except ModelError as error:
            log.warning("ticket %s: our own classifier answers: %s", ticket.id, error)
            return _fallen_back(own or self._own.classify(ticket), error)
        if own is None:
            return said
        stand = [name for name in DECIDED_FIELDS if self._stands(own, said, name, unsure)]
        if not stand:
            return said
        context = context_of(ticket, clean_ticket(ticket))
        return escalated(_keeping(said, own, stand, self._helper(own, stand)), self._settings.teams, context)

    def _stands(self, own: Classification, said: Classification, name: str, unsure: Collection[str]) -> bool:
        """Say whether our own answer stands: it is sure, or learned and the model's is no label of the desk's.

        A model that is always asked gives way to what the desk has taught alone.
        """
        if name not in self._taught:
            return self._ask == "unsure" and name not in unsure
        return name not in unsure or getattr(said, name) not in {*own.probabilities[name], NO_TEAM}

    def _helper(self, own: Classification, stand: Collection[str]) -> str:
        """Return who answered the fields that stand: what was learned, or our own classifier as it names itself."""
        return "learned" if set(stand) <= set(self._taught) else own.classifier


def _keeping(said: Classification, own: Classification, names: Collection[str], helper: str) -> Classification:
    """Return what the model `said` with the fields `names` as our own classifier, `helper`, answered them."""
    update: dict[str, Any] = {name: getattr(own, name) for name in names}
    update["probabilities"] = said.probabilities | {name: own.probabilities[name] for name in names}
    update["thresholds"] = said.thresholds | {name: own.thresholds[name] for name in names if name in own.thresholds}
    for about in ("temperatures", "probability_sources"):  # of the model's probabilities, not of ours
        update[about] = {name: value for name, value in getattr(said, about).items() if name not in names}
    update["classifier"] = f"{said.classifier}+{helper}"
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
