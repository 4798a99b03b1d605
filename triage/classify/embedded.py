"""The classifier that needs no key and no network: sentence vectors, small heads, plain context rules."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from triage.classification import CHURN_RISKS, NO_TEAM, PRIORITIES, SENTIMENTS, Classification
from triage.classify.context import Context, churn_push, context_of, facts, priority_push
from triage.classify.encoder import Encoder, UseEncoder, Vectors
from triage.classify.escalation import escalated
from triage.classify.fields import FieldHeads
from triage.classify.legible import legible
from triage.classify.reading import Reader, Reading
from triage.classify.seeds import team_seeds, ticket_seeds
from triage.classify.teams import TeamHead
from triage.classify.weights import Weights, shipped
from triage.clean import CleanTicket, clean_ticket
from triage.settings import Priority, Team
from triage.ticket import Ticket

EVIDENCE = 2
EVIDENCE_LEAD = 1.0
"""Log-odds a sentence must have over the average team to be quoted."""
AUTOMATIC = "Automatic mail: no customer is waiting for an answer."
NO_WORDS = "The ticket holds no words to read."
ILLEGIBLE = "The text is in a language that the built-in classifier does not read, or holds no words."
STRANGE = "The text is like nothing the built-in classifier knows."
SURE, UNSURE = 0.9, 0.4
"""What is said of automatic mail, and of a ticket nobody could read: below every sensible threshold."""
LIKE_NOTHING_TO_DO = 0.4
"""Similarity to an example of spam, advertising or thanks from which a ticket is one of these, not just strange."""


class EmbeddedClassifier:
    """Implements `Classifier`; answers every text, thread-safe, the same text always the same way."""

    name = "embedded"

    def __init__(
        self,
        teams: Mapping[str, Team],
        priorities: Mapping[str, Priority],  # noqa: ARG002
        encoder: Encoder | None = None,
        weights: Weights | None = None,
    ) -> None:
        self._teams = dict(teams)
        encoder, weights = encoder or UseEncoder(), weights or shipped()
        self._model = encoder.model_id
        self._reader = Reader(encoder, weights.heads["noise"])
        self._team_head = TeamHead(encoder, teams, weights)
        self._heads = FieldHeads(weights.heads, weights.points)
        self._nobodys = _nobodys(weights)

    def classify(self, ticket: Ticket) -> Classification:
        """Return the classification of `ticket`; a ticket with nothing to read belongs to no team."""
        clean = clean_ticket(ticket)
        if clean.automatic:
            return self._unread(clean, SURE, AUTOMATIC)
        reading = self._reader.read(clean)
        if reading is None:
            return self._unread(clean, UNSURE, NO_WORDS)
        if not legible(f"{clean.subject}\n{clean.text}", clean.language):
            return self._unread(clean, UNSURE, ILLEGIBLE)
        answer = self._answer(reading, clean, context_of(ticket, clean))
        return _doubted(answer) if answer.primary_team == NO_TEAM and self._strange(reading) else answer

    def _answer(self, reading: Reading, clean: CleanTicket, context: Context) -> Classification:
        repeats, outage = (self._heads.signal(name, reading) for name in ("repeat_contact", "outage"))
        verdict = self._team_head.judge(reading)
        sentiment = self._heads.sentiment(reading)
        priority = self._heads.priority(reading, priority_push(context, repeats, outage))
        churn = self._heads.churn(reading, churn_push(context, repeats, sentiment["frustrated"]))
        answer = Classification.model_validate(
            {
                "primary_team": verdict.team,
                "secondary_team": verdict.second,
                "priority": _best(priority),
                "issue_category": verdict.category,
                "sentiment": _best(sentiment),
                "churn_risk": _best(churn),
                "language": clean.language,
                "context_for_agent": facts(context, repeats, outage),
                "probabilities": {
                    "primary_team": verdict.probabilities,
                    "priority": priority,
                    "sentiment": sentiment,
                    "churn_risk": churn,
                },
                "classifier": self.name,
                "model": self._model,
                "evidence": self._evidence(verdict.team, reading),
            }
        )
        return escalated(answer, self._teams, context)

    def _strange(self, reading: Reading) -> bool:
        """Say whether a ticket for no team is so because it is far from everything, not because it is near spam."""
        return float((self._nobodys @ np.stack([reading.focus, reading.gist]).T).max()) < LIKE_NOTHING_TO_DO

    def _evidence(self, team: str, reading: Reading) -> list[str]:
        """Return the customer's sentences that speak most for `team`, strongest first."""
        if team == NO_TEAM:
            return []
        lead = np.where(reading.matters, self._team_head.support(team, reading.vectors), -np.inf)
        rows = [int(row) for row in np.argsort(-lead, kind="stable")[:EVIDENCE] if lead[row] >= EVIDENCE_LEAD]
        return [reading.sentences[row] for row in rows]

    def _unread(self, clean: CleanTicket, sure: float, why: str) -> Classification:
        labels = {
            "primary_team": (NO_TEAM, [NO_TEAM, *self._teams]),
            "priority": ("P3_low", PRIORITIES),
            "sentiment": ("neutral", SENTIMENTS),
            "churn_risk": ("low", CHURN_RISKS),
        }
        chosen = {name: label for name, (label, _) in labels.items()}
        spread = {name: _spread(label, list(every), sure) for name, (label, every) in labels.items()}
        return Classification.model_validate(
            {
                **chosen,
                "language": clean.language,
                "context_for_agent": why,
                "probabilities": spread,
                "classifier": self.name,
                "model": self._model,
            }
        )


def _nobodys(weights: Weights) -> Vectors:
    """Return the vectors of all shipped examples of what is for no team."""
    sentences = [row for row, seed in enumerate(team_seeds()) if seed.label == NO_TEAM]
    labels = {ticket.id: ticket.labels["primary_team"] for ticket in ticket_seeds()}
    tickets = [row for row, name in enumerate(weights.tickets) if labels[name] == NO_TEAM]
    return np.vstack([weights.team_seeds[sentences], weights.ticket_gists[tickets]])


def _doubted(answer: Classification) -> Classification:
    """Return `answer` with the same labels and no field above UNSURE: nothing that is known speaks for them."""
    probabilities = {name: _flattened(chances) for name, chances in answer.probabilities.items()}
    told = f"{STRANGE} {answer.context_for_agent}".rstrip()
    return answer.model_copy(update={"probabilities": probabilities, "context_for_agent": told})


def _flattened(chances: Mapping[str, float]) -> dict[str, float]:
    """Return `chances` moved towards equal ones until the largest is UNSURE, or a little over its even share."""
    even, top = 1.0 / len(chances), max(chances.values())
    most = max(UNSURE, 1.1 * even)
    keep = min(1.0, (most - even) / (top - even)) if top > even else 1.0
    return {label: even + keep * (p - even) for label, p in chances.items()}


def _best(probabilities: Mapping[str, float]) -> str:
    return max(probabilities, key=lambda label: probabilities[label])


def _spread(chosen: str, labels: list[str], sure: float) -> dict[str, float]:
    """Give `chosen` the probability `sure`, or a little over its even share, and the others the rest in equal parts."""
    sure = max(sure, 1.1 / len(labels))
    rest = (1.0 - sure) / (len(labels) - 1)
    return {label: sure if label == chosen else rest for label in labels}
