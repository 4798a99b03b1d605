"""How good answers are: the one way `learn`, `backtest` and `make eval` compute a figure. Pure numbers in and out.

`truth` and `chosen` hold one label per ticket, `confidence` the probability of the chosen one, `right` whether it is
the right one. How far a probability can be trusted is in `calibration.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triage.classify.calibration import Coverage, Mask, Scores

ROUNDS = 1000
SEED = 1

Weights = NDArray[np.float64]
Labels = Sequence[str] | Sequence[int]
Measure = Callable[[Weights], float]
"""A figure as a function of how often each ticket counts: what the bootstrap needs."""


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


def weighted_accuracy(right: Mask) -> Measure:
    """Return the weighted share of right answers."""
    return lambda weights: float((right * weights).sum() / weights.sum())


def macro_f1(truth: Labels, chosen: Labels) -> float:
    """Return the mean F1 over the labels that occur in the truth."""
    return plain(weighted_macro_f1(truth, chosen), len(truth))


def weighted_macro_f1(truth: Labels, chosen: Labels) -> Measure:
    """Return the mean F1 over the labels that occur in the truth."""
    labels = {label: place for place, label in enumerate(sorted({*truth, *chosen}))}
    size = len(labels)
    cells = np.asarray([labels[one] * size + labels[other] for one, other in zip(truth, chosen, strict=True)], np.int64)

    def measure(weights: Weights) -> float:
        table = np.bincount(cells, weights, size * size).reshape(size, size)
        occurs = table.sum(axis=1) > 0
        return float((2 * table.diagonal() / np.maximum(table.sum(axis=0) + table.sum(axis=1), 1e-12))[occurs].mean())

    return measure


def plain(measure: Measure, tickets: int) -> float:
    """Return `measure` with every ticket counted once."""
    return measure(np.ones(tickets))


def with_interval(measure: Measure, groups: Sequence[Hashable]) -> Figure:
    """Return `measure`, and its 2.5 % and 97.5 % points when groups are drawn with replacement."""
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    index = np.asarray([numbers[group] for group in groups], np.int64)
    draw = np.random.default_rng(SEED)
    values = []
    for _ in range(ROUNDS):
        times = np.bincount(draw.integers(0, len(numbers), len(numbers)), minlength=len(numbers))
        values.append(measure(times[index].astype(np.float64)))
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return Figure(plain(measure, len(groups)), float(low), float(high))


def curve(confidence: Scores, right: Mask) -> list[Coverage]:
    """Return what each possible threshold does, from the highest to the lowest."""
    order = np.argsort(-confidence, kind="stable")
    count = np.arange(1, len(order) + 1)
    precision = np.cumsum(right[order]) / count
    last_of_its_value = np.append(np.diff(confidence[order]) != 0, True) if len(order) else np.zeros(0, bool)
    return [
        Coverage(float(confidence[order][row]), float(count[row] / len(order)), float(precision[row]))
        for row in np.flatnonzero(last_of_its_value)
    ]


def best_share(confidence: Scores, right: Mask, target: float) -> float:
    """Return the largest share of tickets, surest first, of which at least `target` are right.

    It is chosen on the tickets it is told of, so it flatters; `calibration.threshold_for` makes a promise.
    """
    return max((point.share for point in curve(confidence, right) if point.precision >= target), default=0.0)


def recall_and_alarms(truth: Mask, called: Mask) -> tuple[float, float]:
    """Return the share of true tickets called so, and the share of the others called so too; nan for none."""
    recall = float(called[truth].mean()) if truth.any() else float("nan")
    return recall, float(called[~truth].mean()) if (~truth).any() else float("nan")


def average_precision(score: Scores, hit: Mask) -> float:
    """Return the average precision of `hit` ranked by `score`, nan where nothing is to be found."""
    ranked = hit[np.argsort(-score, kind="stable")]
    precision = np.cumsum(ranked) / np.arange(1, len(ranked) + 1)
    return float(precision[ranked].mean()) if ranked.any() else float("nan")
