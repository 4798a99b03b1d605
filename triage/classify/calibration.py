"""How far probabilities can be trusted: measured, mended and turned into thresholds. Pure numbers in and out.

Scores are log-odds, one row per ticket and one column per label; `truth` holds the column that was right;
`confidence` is the probability of the label that was chosen and `right` says whether it was the right one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Scores = NDArray[np.float64]
Columns = NDArray[np.int64]
Mask = NDArray[np.bool_]

BINS = 10
START = 2.0
WEIGHTS = (1e-3, 60.0)
PULL = 1e-3
"""Keeps the weights finite where the held-out tickets are all answered right."""
TARGETS = tuple(round(0.5 + step / 100, 2) for step in range(50))
"""The precisions an admin can ask for, 0.50 to 0.99, for which a model remembers its threshold."""
SURELY = 0.999
"""No model is certain: a probability of 1 would promise that it is never wrong."""
LEAST_SUPPORT = 10
"""So few answers above a threshold prove nothing about it."""


@dataclass(frozen=True)
class Coverage:
    """What a threshold does: the share of tickets it answers and the share of these that is right."""

    threshold: float
    share: float
    precision: float


@dataclass(frozen=True)
class Bin:
    """The answers whose probability is between `start` and the next bin's."""

    start: float
    tickets: int
    confidence: float
    """The mean probability they claimed."""
    right: float
    """The share that was right."""


def softmax(scores: Scores) -> Scores:
    """Return the probabilities of each row."""
    shifted = np.exp(scores - scores.max(axis=-1, keepdims=True))
    result: Scores = shifted / shifted.sum(axis=-1, keepdims=True)
    return result


def chances(scores: Scores) -> Scores:
    """Return the probabilities of each row as they are shown: none is ever 1."""
    result: Scores = SURELY * softmax(scores) + (1 - SURELY) / scores.shape[1]
    return result


def log_loss(scores: Scores, truth: Columns) -> float:
    """Return the mean surprise, in nats, at the right labels."""
    top = scores.max(axis=1)
    total = top + np.log(np.exp(scores - top[:, None]).sum(axis=1))
    return float((total - scores[np.arange(len(truth)), truth]).mean())


def fit_weights(views: Sequence[Scores], truth: Columns) -> tuple[float, ...]:
    """Return one weight per view, so that the weighted sum of held-out scores makes the truth most likely.

    With one view this is temperature scaling (the weight is 1 / temperature); with several it also mixes them.
    """

    def loss(logs: NDArray[np.float64]) -> float:
        mixed = sum(weight * view for weight, view in zip(np.exp(logs), views, strict=True))
        return log_loss(np.asarray(mixed), truth) + PULL * float(np.square(logs).sum())

    bounds = [(float(np.log(WEIGHTS[0])), float(np.log(WEIGHTS[1])))] * len(views)
    found = minimize(loss, np.log([START] * len(views)), bounds=bounds, method="L-BFGS-B")
    return tuple(float(weight) for weight in np.exp(found.x))


def reliability(confidence: Scores, right: Mask) -> list[Bin]:
    """Return what the answers of each of BINS equal bins of confidence came to, empty bins left out."""
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    return [
        Bin(
            float(one / BINS),
            int((bins == one).sum()),
            float(confidence[bins == one].mean()),
            float(right[bins == one].mean()),
        )
        for one in np.unique(bins)
    ]


def calibration_error(confidence: Scores, right: Mask) -> float:
    """Return the expected calibration error over BINS equal bins: 0 is honest, 1 is always sure and never right."""
    gaps = [one.tickets * abs(one.confidence - one.right) for one in reliability(confidence, right)]
    return sum(gaps) / max(1, len(confidence))


def coverage(confidence: Scores, right: Mask, threshold: float) -> Coverage:
    """Return what `threshold` does; the precision of no answer at all counts as 1."""
    answered = confidence >= threshold
    precision = float(right[answered].mean()) if answered.any() else 1.0
    return Coverage(threshold, float(answered.mean()) if len(answered) else 0.0, precision)


def threshold_for(precision: float, confidence: Scores, right: Mask) -> float:
    """Return the lowest threshold whose answers are right with `precision`; 1.0 (never sure) where there is none.

    One standard error is taken off what was seen, so that the promise also holds for the next tickets.
    """
    order = np.argsort(-confidence, kind="stable")
    count = np.arange(1, len(order) + 1)
    seen = np.cumsum(right[order]) / count
    # Never taken for certain, however few there are and however right all of them were.
    spread = np.sqrt(np.maximum(seen * (1 - seen), precision * (1 - precision) * (seen >= 1)) / count)
    last_of_its_value = np.append(np.diff(confidence[order]) != 0, True)
    good = np.flatnonzero((seen - spread >= precision) & (count >= LEAST_SUPPORT) & last_of_its_value)
    if not len(good):
        return 1.0
    lowest = float(confidence[order][good[-1]])
    # Where all answers seen were good enough, nothing is known against one a little less sure.
    return min(lowest, precision) if good[-1] == len(order) - 1 else lowest


def thresholds(confidence: Scores, right: Mask) -> dict[str, float]:
    """Return target precision ("0.95") -> threshold for all of TARGETS."""
    return {f"{target:.2f}": threshold_for(target, confidence, right) for target in TARGETS}
