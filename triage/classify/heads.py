"""Small classifiers over sentence vectors: fitted in milliseconds from a handful of examples per label.

Logistic regression over description + examples, with one temperature, beat everything else measured at this size
(FACTS/embedded.md, section 3): its raw probabilities are badly under-confident with few examples.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression

from triage.classify.encoder import Vectors

Scores = NDArray[np.float64]

REGULARIZATION = 3.0
NO_FOLDS_TEMPERATURE = 0.5
"""Where no example can be spared for cross-validation."""
TEMPERATURES = (0.1, 2.0)
TRANSFER = 1.7
"""Customers' words are further from the examples than the examples from each other, so probabilities are drawn in.

Found on texts by other authors that no figure is reported on."""
ALWAYS_TRAIN = "description"
"""The group of label descriptions: never held out, so that every fold knows every label."""


@dataclass(frozen=True)
class Examples:
    """Vectors with their labels, cross-validation groups and weights."""

    vectors: Vectors
    labels: Sequence[str]
    groups: Sequence[str]
    weights: Sequence[float] | None = None

    def part(self, keep: NDArray[np.bool_]) -> Examples:
        """Return the rows where `keep` is true."""
        rows = [int(row) for row in np.flatnonzero(keep)]
        weights = None if self.weights is None else [self.weights[row] for row in rows]
        return Examples(
            self.vectors[rows], [self.labels[row] for row in rows], [self.groups[row] for row in rows], weights
        )


@dataclass(frozen=True)
class Head:
    """A linear classifier with a temperature and the base rates of its labels."""

    labels: tuple[str, ...]
    weights: Scores
    bias: Scores

    @classmethod
    def fit(cls, examples: Examples, base_rates: Mapping[str, float] | None = None, transfer: float = TRANSFER) -> Head:
        """Fit a head on at least two labels; `base_rates` says how often each label is true of real tickets."""
        labels, weights, bias = _regress(examples)
        temperature = transfer * _temperature(examples, labels)
        prior = np.log([(base_rates or {}).get(label, 1.0) for label in labels])
        return cls(labels, weights / temperature, bias / temperature + prior)

    def scores(self, vectors: Vectors) -> Scores:
        """Return log-odds, one row per vector and one column per label."""
        scores: Scores = vectors.astype(np.float64) @ self.weights + self.bias
        return scores

    def index(self, label: str) -> int:
        """Return the column of `label`."""
        return self.labels.index(label)

    def named(self, scores: Scores) -> dict[str, float]:
        """Return label -> probability for one row of scores."""
        return {label: float(p) for label, p in zip(self.labels, softmax(scores), strict=True)}


def softmax(scores: Scores) -> Scores:
    """Return the probabilities of a row, or of each row, of log-odds."""
    shifted = np.exp(scores - scores.max(axis=-1, keepdims=True))
    result: Scores = shifted / shifted.sum(axis=-1, keepdims=True)
    return result


def unit(vector: Vectors) -> Vectors:
    """Return `vector` at length 1; a zero vector stays as it is."""
    length = float(np.linalg.norm(vector))
    return vector / np.float32(length) if length else vector


def _regress(examples: Examples) -> tuple[tuple[str, ...], Scores, Scores]:
    model: Any = LogisticRegression(C=REGULARIZATION, max_iter=1000, class_weight="balanced")
    model.fit(examples.vectors.astype(np.float64), list(examples.labels), sample_weight=examples.weights)
    weights, bias = np.asarray(model.coef_, np.float64).T, np.asarray(model.intercept_, np.float64)
    if weights.shape[1] == 1:  # two labels: scikit-learn keeps the second one's column only
        weights, bias = np.hstack([np.zeros_like(weights), weights]), np.append(0.0, bias)
    return tuple(str(label) for label in model.classes_), weights, bias


def _temperature(examples: Examples, labels: tuple[str, ...]) -> float:
    """Return the temperature that makes out-of-fold probabilities most likely; a fold is a group, here a language."""
    groups = np.asarray(examples.groups)
    held_scores, held_truth = [], []
    for group in sorted(set(examples.groups) - {ALWAYS_TRAIN}):
        train = examples.part(groups != group)
        if set(train.labels) != set(labels):
            continue
        _, weights, bias = _regress(train)
        held = examples.part(groups == group)
        held_scores.append(held.vectors.astype(np.float64) @ weights + bias)
        held_truth += [labels.index(label) for label in held.labels]
    if not held_truth:
        return NO_FOLDS_TEMPERATURE
    scores, truth = np.vstack(held_scores), np.asarray(held_truth)

    def loss(temperature: float) -> float:
        chosen = softmax(scores / temperature)[np.arange(len(truth)), truth]
        return float(-np.log(np.maximum(chosen, 1e-12)).mean())

    return float(minimize_scalar(loss, bounds=TEMPERATURES, method="bounded").x)
