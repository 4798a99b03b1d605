"""Priority, sentiment and churn risk from sentence vectors: shipped examples, base rates, one head per field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from triage.classify.encoder import Encoder
from triage.classify.heads import ALWAYS_TRAIN, TRANSFER, Examples, Head, Scores, softmax
from triage.classify.reading import Reading
from triage.classify.seeds import Seed, field_seeds, team_seeds
from triage.settings import Priority

# Base rates: most customers are neutral and most of them stay. They lean towards the rare labels on purpose, because
# a missed outage or a lost customer costs more than a second look.
SENTIMENT_RATES = {"frustrated": 0.25, "neutral": 0.6, "positive": 0.15}
CHURN_RATES = {"high": 0.15, "medium": 0.2, "low": 0.65}
PRIORITY_RATES = {"P0_critical": 0.15, "P1_high": 0.28, "P2_medium": 0.32, "P3_low": 0.25}
SIGNALS = ("repeat_contact", "outage")
OTHER = "other"
SIGNAL_RATE = 0.3
CATEGORY_WEIGHT = 0.4
"""A category's usual priority says less than a sentence written to show one."""
TONE_TRANSFER = 3.0
"""Moods are worded more freely than matters, so less is made of a likeness (see heads.TRANSFER)."""
PEAK_SHARE = 0.7
"""One sentence can carry the mood or the threat to leave; the rest of the text holds against it."""


class FieldHeads:
    """Reads each field's log-odds from a ticket."""

    def __init__(self, encoder: Encoder, priorities: Mapping[str, Priority]) -> None:
        self.priority = _fit(encoder, _priority_seeds(priorities), PRIORITY_RATES)
        self.sentiment = _fit(encoder, field_seeds("sentiment"), SENTIMENT_RATES, TONE_TRANSFER)
        # Polite phrases are no sign of leaving; they are no sign of a mood either way and stay out of that head.
        polite = [Seed(seed.text, "low", seed.group) for seed in field_seeds("noise") if seed.label == "boilerplate"]
        self.churn = _fit(encoder, [*field_seeds("churn"), *polite], CHURN_RATES)
        self._signals = {name: _fit_signal(encoder, name) for name in SIGNALS}

    def priority_scores(self, reading: Reading) -> Scores:
        """Return the log-odds of the priorities, read from what matters: venting and greetings are left out."""
        scores: Scores = self.priority.scores(reading.focus[None, :])[0]
        return scores

    def sentiment_scores(self, reading: Reading) -> Scores:
        """Return the log-odds of the moods, the newest message before the older ones."""
        newest = reading.felt & reading.newest
        rows = newest if newest.any() else reading.felt
        return _peak_and_mean(self.sentiment, self.sentiment.scores(reading.vectors[rows]), "neutral")

    def churn_scores(self, reading: Reading) -> Scores:
        """Return the log-odds of the churn risks, read from all messages."""
        return _peak_and_mean(self.churn, self.churn.scores(reading.vectors[reading.felt]), "low")

    def signal(self, name: str, reading: Reading) -> float:
        """Return the probability that some sentence says `name` (one of SIGNALS)."""
        head = self._signals[name]
        chances = softmax(head.scores(reading.vectors[reading.felt]))[:, head.index(name)]
        return float(chances.max(initial=0.0))


def _peak_and_mean(head: Head, scores: Scores, usual: str) -> Scores:
    """Mix the sentence that differs most from the usual label with the mean of all."""
    if not len(scores):
        return head.bias
    others = np.delete(scores, head.index(usual), axis=1).max(axis=1)
    peak = scores[int((others - scores[:, head.index(usual)]).argmax())]
    mixed: Scores = PEAK_SHARE * peak + (1 - PEAK_SHARE) * scores.mean(axis=0)
    return mixed


def _priority_seeds(priorities: Mapping[str, Priority]) -> list[Seed]:
    described = [Seed(body.description, name, ALWAYS_TRAIN) for name, body in priorities.items()]
    usual = [Seed(seed.text, seed.priority, seed.group, seed.category) for seed in team_seeds() if seed.priority]
    return [*field_seeds("priority"), *described, *usual]


def _fit_signal(encoder: Encoder, name: str) -> Head:
    meant = [seed for seed in field_seeds("signals") if seed.label == name]
    rest = [*field_seeds("noise"), *field_seeds("sentiment"), *team_seeds(), *field_seeds("priority")]
    if name == "outage":  # critical situations are near enough to an outage to teach nothing against it
        rest = [seed for seed in rest if "P0_critical" not in (seed.label, seed.priority)]
    others = [Seed(seed.text, OTHER, seed.group) for seed in rest]
    return _fit(encoder, [*meant, *others], {name: SIGNAL_RATE, OTHER: 1 - SIGNAL_RATE})


def _fit(encoder: Encoder, seeds: Sequence[Seed], rates: Mapping[str, float], transfer: float = TRANSFER) -> Head:
    weights = [CATEGORY_WEIGHT if seed.category else 1.0 for seed in seeds]
    labels, groups = [seed.label for seed in seeds], [seed.group for seed in seeds]
    return Head.fit(Examples(encoder.encode([seed.text for seed in seeds]), labels, groups, weights), rates, transfer)
