"""Priority, sentiment and churn risk of a ticket, from its gist and its strongest sentences.

Two steps each: a head over single sentences finds the telling ones, a head over whole tickets weighs them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from triage.classification import PRIORITIES
from triage.classify.encoder import Vectors
from triage.classify.features import beside, newest, peaks, picked, surface
from triage.classify.heads import Head, Scores, softmax
from triage.classify.kernel import likeness
from triage.classify.reading import Reading

# Base rates. Moods are those of our own example tickets: most customers are neutral, also when they report trouble.
SENTIMENT_RATES = {"frustrated": 0.17, "neutral": 0.73, "positive": 0.10}
# Likeness favours what is common among the examples, so these lean the other way. With the churn rates held-out answers
# are as sure as they are right; priority leans further: a missed outage costs more than a second look.
CHURN_RATES = {"high": 0.33, "medium": 0.44, "low": 0.23}
AT_LEAST_RATES = {"P0_critical": 0.4, "P1_high": 0.75, "P2_medium": 0.8}
"""How readily a ticket is called at least this pressing; one calm ticket of eight is called urgent with these."""
SIGNALS = ("repeat_contact", "outage")
YES, NO = "yes", "no"
GIST_WEIGHT = 0.5
"""Moods and plans to leave are worded freely: the strongest sentences say more about them than the gist."""
LEAST = 1e-3
"""No priority is ever impossible."""


class FieldHeads:
    """Reads each field's probabilities from a ticket."""

    def __init__(self, heads: Mapping[str, Head], points: Vectors) -> None:
        self._heads = heads
        self._points = points

    def signal(self, name: str, reading: Reading) -> float:
        """Return the probability that some sentence says `name` (one of SIGNALS)."""
        head = self._heads[name]
        chances = softmax(head.scores(reading.vectors[reading.felt]))[:, head.index(name)]
        return float(chances.max(initial=0.0))

    def priority(self, reading: Reading, push: Mapping[str, float]) -> dict[str, float]:
        """Return the probability of each priority; `push` is added to the log-odds of "at least this pressing"."""
        row = self._beside_likeness(reading, self.urgency_extras(reading))
        odds = [self._yes(name, row) + push.get(name, 0.0) for name in PRIORITIES[:-1]]
        # The heads are fitted apart, so "at least P1" might come out rarer than "at least P0".
        at_least = np.maximum.accumulate(1.0 / (1.0 + np.exp(-np.asarray(odds))))
        chances = np.maximum(np.diff(np.concatenate([[0.0], at_least, [1.0]])), LEAST)
        return {name: float(p) for name, p in zip(PRIORITIES, chances / chances.sum(), strict=True)}

    def sentiment(self, reading: Reading) -> dict[str, float]:
        """Return the probability of each mood; the newest message goes before the older ones."""
        head = self._heads["sentiment"]
        row = beside(GIST_WEIGHT * self.mood(reading), self.mood_extras(reading))
        return head.named(head.scores(row[None, :])[0])

    def churn(self, reading: Reading, push: Mapping[str, float]) -> dict[str, float]:
        """Return the probability of each churn risk; `push` is added to its log-odds."""
        head = self._heads["churn"]
        row = self._beside_likeness(reading, self.leaving_extras(reading))
        return head.named(head.scores(row)[0] + np.asarray([push[label] for label in head.labels]))

    def mood(self, reading: Reading) -> Vectors:
        """Return the mean of the sentences that show today's mood."""
        mean: Vectors = reading.vectors[newest(reading)].mean(axis=0)
        return mean

    def mood_extras(self, reading: Reading) -> list[float]:
        """Return what single sentences and punctuation say about the mood."""
        rows, head = newest(reading), self._heads["tone"]
        return [
            *peaks(head, "frustrated", reading.vectors[rows]),
            *peaks(head, "positive", reading.vectors[rows]),
            *surface(picked(reading, rows)),
        ]

    def urgency_extras(self, reading: Reading) -> list[float]:
        """Return what single sentences say about how pressing the matter is; venting and greetings are left out."""
        vectors, head = reading.vectors[reading.matters], self._heads["urgency"]
        told = [value for label in PRIORITIES for value in peaks(head, label, vectors)[::2]]
        return [*told, *(self.signal(name, reading) for name in SIGNALS)]

    def leaving_extras(self, reading: Reading) -> list[float]:
        """Return what single sentences say about leaving."""
        vectors, head = reading.vectors[reading.felt], self._heads["leaving"]
        told = [value for label in ("high", "medium") for value in peaks(head, label, vectors)]
        mood = peaks(self._heads["tone"], "frustrated", vectors)[::2]
        return [*told, *mood, self.signal("repeat_contact", reading)]

    def _beside_likeness(self, reading: Reading, extras: Sequence[float]) -> Scores:
        return beside(likeness(reading.gist[None, :], self._points)[0], extras)[None, :]

    def _yes(self, priority: str, row: Scores) -> float:
        head = self._heads[f"at_least_{priority}"]
        scores = head.scores(row)[0]
        return float(scores[head.index(YES)] - scores[head.index(NO)])
