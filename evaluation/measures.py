"""Figures from probabilities and truth, each with a bootstrap interval over groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ROUNDS = 1000
BINS = 10
TARGET = 0.95
"""The precision at which coverage is reported."""
ALARMS = 0.15
"""The share of false alarms at which the recall of urgent tickets is compared."""
LEAVING = "high"
URGENT = ("P0_critical", "P1_high")

Weights = NDArray[np.float64]


@dataclass(frozen=True)
class Outcome:
    """What one field's predictions came to: parallel columns, one entry per ticket."""

    truth: Sequence[str]
    chances: Sequence[dict[str, float]]
    groups: Sequence[str]
    also_right: Sequence[str]

    @property
    def chosen(self) -> list[str]:
        """Return the most probable label of each ticket."""
        return [max(chance, key=lambda label: chance[label]) for chance in self.chances]

    def right(self) -> NDArray[np.bool_]:
        """Return where the chosen label is the annotator's."""
        return np.asarray([a == b for a, b in zip(self.truth, self.chosen, strict=True)])

    def right_or_second(self) -> NDArray[np.bool_]:
        """Return where the chosen label is the annotator's first or second."""
        second = np.asarray([a == b for a, b in zip(self.also_right, self.chosen, strict=True)])
        either: NDArray[np.bool_] = self.right() | second
        return either

    def certainty(self) -> Weights:
        """Return the probability of each chosen label."""
        return np.asarray([max(chance.values()) for chance in self.chances])


@dataclass(frozen=True)
class Figure:
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def text(self) -> str:
        """Return the number and its interval as they stand in a table."""
        return f"{self.value:.2f} ({self.low:.2f}-{self.high:.2f})"


def with_interval(outcome: Outcome, measure: Callable[[Weights], float]) -> Figure:
    """Return `measure` of unit weights, and its 2.5 % and 97.5 % points when groups are drawn with replacement."""
    _, index = np.unique(np.asarray(outcome.groups), return_inverse=True)
    draw = np.random.default_rng(1)
    count = int(index.max()) + 1
    values = []
    for _ in range(ROUNDS):
        times = np.bincount(draw.integers(0, count, count), minlength=count)
        values.append(measure(times[index].astype(np.float64)))
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return Figure(measure(np.ones(len(outcome.truth))), float(low), float(high))


def accuracy(right: NDArray[np.bool_]) -> Callable[[Weights], float]:
    """Return the weighted share of right answers as a function of the weights."""
    return lambda weights: float((right * weights).sum() / weights.sum())


def macro_f1(outcome: Outcome) -> Callable[[Weights], float]:
    """Return the mean F1 over the labels that occur in the truth."""
    truth, chosen = np.asarray(outcome.truth), np.asarray(outcome.chosen)
    masks = [(truth == label, chosen == label) for label in sorted(set(outcome.truth))]

    def measure(weights: Weights) -> float:
        scores = []
        for is_true, is_chosen in masks:
            total = weights[is_true].sum() + weights[is_chosen].sum()
            if weights[is_true].sum():
                scores.append(2 * weights[is_true & is_chosen].sum() / total)
        return float(np.mean(scores))

    return measure


def calibration_error(outcome: Outcome) -> float:
    """Return the expected calibration error of the chosen labels, in ten equal bins."""
    certain, right = outcome.certainty(), outcome.right()
    bins = np.minimum((certain * BINS).astype(int), BINS - 1)
    gaps = [abs(right[bins == b].mean() - certain[bins == b].mean()) * (bins == b).mean() for b in set(bins.tolist())]
    return float(sum(gaps))


def coverage(outcome: Outcome, target: float = TARGET) -> float:
    """Return the largest share of tickets, surest first, of which at least `target` are right."""
    order = np.argsort(-outcome.certainty(), kind="stable")
    precision = np.cumsum(outcome.right()[order]) / np.arange(1, len(order) + 1)
    enough = np.flatnonzero(precision >= target)
    return float((enough[-1] + 1) / len(order)) if len(enough) else 0.0


def urgent_recall_and_alarms(outcome: Outcome) -> tuple[float, float]:
    """Return the share of P0 and P1 tickets called so, and the share of the others called so too."""
    truth = np.isin(np.asarray(outcome.truth), URGENT)
    called = np.isin(np.asarray(outcome.chosen), URGENT)
    return float(called[truth].mean()) if truth.any() else float("nan"), float(called[~truth].mean())


def urgent_recall_at(outcome: Outcome, alarms: float = ALARMS) -> float:
    """Return the share of P0 and P1 tickets found where the bar lets `alarms` of the other tickets pass."""
    truth = np.isin(np.asarray(outcome.truth), URGENT)
    score = np.asarray([sum(chance[label] for label in URGENT) for chance in outcome.chances])
    if truth.all() or not truth.any():
        return float("nan")
    bar = np.quantile(score[~truth], 1 - alarms, method="higher")
    return float((score[truth] > bar).mean())


def beyond_accuracy(field: str, outcome: Outcome, baseline: Outcome | None = None) -> str:
    """Return what else is worth knowing about a field's answers, in words."""
    if field == "priority":
        recall, alarms = urgent_recall_and_alarms(outcome)
        at = urgent_recall_at(outcome)
        return f"P0/P1 recall {recall:.2f} at {alarms:.0%} false alarms; {at:.2f} with the bar at {ALARMS:.0%}"
    if field == "churn_risk":
        ours, base = average_precision(outcome, LEAVING)
        plain = f", TF-IDF {average_precision(baseline, LEAVING)[0]:.2f}" if baseline else ""
        return f"average precision {ours:.2f} (base rate {base:.2f}{plain})"
    if any(outcome.also_right):
        return f"counting the annotator's second choice {outcome.right_or_second().mean():.2f}"
    return ""


def average_precision(outcome: Outcome, label: str) -> tuple[float, float]:
    """Return average precision for `label` ranked by its probability, and the base rate it has to beat."""
    score = np.asarray([chance.get(label, 0.0) for chance in outcome.chances])
    hit = np.asarray(outcome.truth)[np.argsort(-score, kind="stable")] == label
    precision = np.cumsum(hit) / np.arange(1, len(hit) + 1)
    return (float(precision[hit].mean()) if hit.any() else float("nan")), float(hit.mean())
