"""What a desk has taught answers before everybody else: learned heads over the classifier that runs anyway."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from triage.classification import NO_TEAM, Classification
from triage.classify.base import Classifier
from triage.classify.context import context_of
from triage.classify.encoder import Encoder
from triage.classify.escalation import escalated
from triage.classify.head import LearnedHead, fingerprint
from triage.classify.learned_features import Features, read_features, text_of
from triage.clean import CleanTicket, clean_ticket
from triage.settings import Team
from triage.ticket import Ticket

LEARNED = "learned"
SECOND_TEAM_FROM = 0.2


class LearnedClassifier:
    """Implements `Classifier`: the fields of `heads` are answered by them, all others by `base`."""

    def __init__(
        self,
        base: Classifier,
        heads: Mapping[str, LearnedHead],
        encoder: Encoder,
        teams: Mapping[str, Team],
        target_precision: float | None = None,
    ) -> None:
        self.name = f"{base.name}+{LEARNED}"
        self._base = base
        self._heads = dict(heads)
        self._encoder = encoder
        self._teams = dict(teams)
        self._target = target_precision

    def classify(self, ticket: Ticket) -> Classification:
        """Return the answer of `base` with the learned fields in place of its own."""
        answer = self._base.classify(ticket)
        clean = clean_ticket(ticket)
        if not (clean.subject or clean.text):
            return answer.model_copy(update=self._unread(answer))
        features = read_features([ticket], self._encoder)
        learned = {name: head.probabilities(features)[0] for name, head in self._heads.items()}
        if answer.primary_team == NO_TEAM and self._nobodys(clean, features):
            del learned["primary_team"]
        return self._replaced(answer, learned, ticket, clean)

    def learned_from(self, ticket: Ticket) -> list[str]:
        """Return the fields whose model has learned from a ticket with this very text."""
        text = fingerprint(text_of(clean_ticket(ticket)))
        return [name for name, head in self._heads.items() if text in head.seen]

    def _nobodys(self, clean: CleanTicket, features: Features) -> bool:
        """Say whether an automatic mail is nobody's: some desks give the alerts of their machines to a team."""
        head = self._heads.get("primary_team")
        if not clean.automatic or not head or not head.novelty:
            return False
        return float(head.novelty.nearest(features.vectors)[0]) < head.novelty.usual

    def _replaced(
        self, answer: Classification, learned: Mapping[str, dict[str, float]], ticket: Ticket, clean: CleanTicket
    ) -> Classification:
        update: dict[str, Any] = {name: max(chances, key=chances.__getitem__) for name, chances in learned.items()}
        update["probabilities"] = {**answer.probabilities, **learned}
        update["classifier"] = f"{answer.classifier}+{LEARNED}"
        update["thresholds"] = self._thresholds()
        update["probability_sources"] = _without(answer.probability_sources, learned)
        update["temperatures"] = _without(answer.temperatures, learned)
        if "primary_team" in learned:
            update["secondary_team"] = _second(learned["primary_team"])
            if update["primary_team"] != answer.primary_team:
                # Both were said about another team.
                update |= {"issue_category": "", "evidence": []}
        return escalated(answer.model_copy(update=update), self._teams, context_of(ticket, clean))

    def _thresholds(self) -> dict[str, float]:
        if self._target is None:
            return {}
        known = {name: head.threshold(self._target) for name, head in self._heads.items()}
        return {name: threshold for name, threshold in known.items() if threshold is not None}

    def _unread(self, answer: Classification) -> dict[str, Any]:
        """Return an even spread over the desk's own labels: there is no word to go by."""
        spread = {name: dict.fromkeys(head.labels, 1 / len(head.labels)) for name, head in self._heads.items()}
        if answer.primary_team == NO_TEAM and "primary_team" in spread:
            chance = answer.probability("primary_team")
            rest = {label: (1 - chance) * p for label, p in spread["primary_team"].items() if label != NO_TEAM}
            spread["primary_team"] = {NO_TEAM: 1 - sum(rest.values()), **rest}
        chosen = {name: max(chances, key=chances.__getitem__) for name, chances in spread.items()}
        return {
            **chosen,
            "probabilities": {**answer.probabilities, **spread},
            "classifier": f"{answer.classifier}+{LEARNED}",
            "thresholds": self._thresholds(),
            "probability_sources": _without(answer.probability_sources, spread),
            "temperatures": _without(answer.temperatures, spread),
        }


def _without(known: Mapping[str, Any], replaced: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in known.items() if name not in replaced}


def _second(chances: Mapping[str, float]) -> str | None:
    """Return the runner-up where much speaks for it."""
    ranked = sorted(chances, key=lambda team: -chances[team])
    others = [team for team in ranked[1:] if team != NO_TEAM and chances[team] >= SECOND_TEAM_FROM]
    return others[0] if others and ranked[0] != NO_TEAM else None
