"""Small linear classifiers over sentence vectors, and their probabilities; `fitting.py` makes them from examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module

import numpy as np
from numpy.typing import NDArray

from triage.classify.encoder import Vectors

Scores = NDArray[np.float64]

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
        # scikit-learn costs a second at start, which a desk with shipped weights never has to pay.
        labels, weights, bias = import_module("triage.classify.fitting").fitted(examples, transfer)
        prior = np.log([(base_rates or {}).get(label, 1.0) for label in labels])
        return cls(labels, weights, bias + prior)

    def scores(self, vectors: Vectors | Scores) -> Scores:
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


def against_rest(scores: Scores, column: int) -> Scores:
    """Return the log-odds of one column against all the others together, row by row."""
    others = np.delete(scores, column, axis=1)
    most = others.max(axis=1)
    result: Scores = scores[:, column] - most - np.log(np.exp(others - most[:, None]).sum(axis=1))
    return result


def unit(vector: Vectors) -> Vectors:
    """Return `vector` at length 1; a zero vector stays as it is."""
    length = float(np.linalg.norm(vector))
    return vector / np.float32(length) if length else vector
