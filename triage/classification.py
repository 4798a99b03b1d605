"""What Tandem says about a ticket: the fields of the contract, whoever filled them in.

The default teams, priorities and moods are the contract's; a desk may name its own teams.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

PRIORITIES = ("P0_critical", "P1_high", "P2_medium", "P3_low")
SENTIMENTS = ("frustrated", "neutral", "positive")
CHURN_RISKS = ("high", "medium", "low")
NO_TEAM = "none"
"""The team label that means "none of the teams": spam, automatic mail, thanks, empty text."""

DECIDED_FIELDS = ("primary_team", "priority", "sentiment", "churn_risk")
"""The fields that carry probabilities, thresholds and modes."""

Probabilities = dict[str, dict[str, float]]
"""field -> label -> calibrated probability; each inner mapping sums to 1."""


class KbArticle(BaseModel):
    """A help-centre article worth reading."""

    title: str
    url: str


class Classification(BaseModel):
    """One answer about one ticket; every decided field has its probabilities."""

    model_config = ConfigDict(extra="forbid")

    primary_team: str
    secondary_team: str | None = None
    priority: str
    """One of PRIORITIES, or a name of the desk's own where it has taught its own; sentiment and churn risk alike."""
    issue_category: str = ""
    sentiment: str
    churn_risk: str
    language: str = "und"
    """ISO 639-1 code, or `und` when there is too little text to tell."""
    suggested_kb_articles: list[KbArticle] = Field(default_factory=list)
    auto_resolution_possible: bool = False
    auto_response_draft: str = ""
    context_for_agent: str = ""
    escalation_needed: bool = False
    escalation_reason: str = ""

    probabilities: Probabilities
    thresholds: dict[str, float] = Field(default_factory=dict)
    """Field -> probability it needs, where a learned model knows which one keeps the target precision."""
    probability_sources: dict[str, str] = Field(default_factory=dict)
    """Field -> where a language model's probability came from: `logprobs` or `self_report`."""
    temperatures: dict[str, float] = Field(default_factory=dict)
    """Field -> temperature already in `probabilities` (see classify/recalibrate.py); 1 where none is named."""
    classifier: str
    """Who answered: `embedded`, `llm`; with a reason after it where another was asked first."""
    evidence: list[str] = Field(default_factory=list)
    """Sentences of the customer, quoted word for word, that speak for the answer."""
    model: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float = 0.0
    fallback_reason: str = ""
    """Why the classifier that was asked first did not answer; empty when it did."""

    def probability(self, name: str) -> float:
        """Return the probability of the label chosen for field `name`."""
        return self.probabilities[name].get(str(getattr(self, name)), 0.0)

    def needed(self, name: str, default: float) -> float:
        """Return the probability from which field `name` counts as decided; `default` is the settings'."""
        return self.thresholds.get(name, default)

    def runner_up(self, name: str) -> tuple[str, float] | None:
        """Return the second most probable label of field `name`, or None where there is no other."""
        chosen = str(getattr(self, name))
        others = [(label, p) for label, p in self.probabilities[name].items() if label != chosen]
        return max(others, key=lambda pair: pair[1]) if others else None

    def explain(self) -> dict[str, Any]:
        """Return label, probability and runner-up of each decided field, as plain data."""
        return {
            name: {
                "label": getattr(self, name),
                "probability": round(self.probability(name), 4),
                "runner_up": self.runner_up(name),
            }
            for name in DECIDED_FIELDS
        }


def abstained(answer: Classification, needed: Mapping[str, float], teams: Collection[str] | None = None) -> list[str]:
    """Return the decided fields of `answer` that are not sure enough to count, in the order of DECIDED_FIELDS.

    `needed` is the probability each field needs by the settings; the answer's own thresholds go before it. A sure
    `none` is an answer like any other: spam, thanks and automatic mail are for no team. Where `teams` are given, a
    team must be one of them to count, so `none` does not: who routes by the answer needs a place to put the ticket.
    """
    return [
        name
        for name in DECIDED_FIELDS
        # Not "less than": what is no number is not sure.
        if not answer.probability(name) >= answer.needed(name, needed[name])
        or (name == "primary_team" and teams is not None and answer.primary_team not in teams)
    ]
