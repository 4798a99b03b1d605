"""The views of a ticket that a learned model adds up, each linear in its inputs: nearness and hashed TF-IDF."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from triage.classify.calibration import Scores
from triage.classify.learned_features import WORD_BUCKETS, Counts, Features
from triage.classify.nearness import Nearness, ridge

LEAST_TICKETS = 2
"""A hash that one ticket alone holds is a name or a number, and teaches nothing."""
MAX_CELLS = 20_000_000
"""Columns times labels of the wording view: 40 MB stored at most, with hundreds of labels too."""
STEPS = 200
CLOSE_ENOUGH = 1e-2
"""For the support vectors; more exact ones take twice the time and answer alike."""
FLAT = 1e-4
"""For the regression: with many labels its slope starts near 1e-2, so with that it would not start at all."""

UNSEEN = 1.0
"""How far below the others a label starts that the tickets of a fold do not show."""

SMOOTH = 1.0
Kind = Literal["meaning", "shape", "wording", "words", "ratios"]
NEAR: tuple[Kind, ...] = ("meaning", "shape")
Weighting = Literal["balanced"] | None
Truth = NDArray[np.int64]


@dataclass(frozen=True)
class Recipe:
    """How one view is fitted: `c` is the inverse of the regularization; `balanced` makes rare labels count more.

    `meaning` and `shape` are ridge regression by nearness, in meaning only or in both; `wording` support vectors on
    TF-IDF; `words` logistic regression on whole words only; `ratios` the support vectors with each column weighed by
    how much more often the label has it (NB-SVM: Wang and Manning, ACL 2012).
    """

    kind: Kind
    c: float
    weighting: Weighting = None

    def __str__(self) -> str:
        return f"{self.kind} C={self.c:g}" + (" balanced" if self.weighting else "")


@dataclass(frozen=True)
class Linear:
    """Weights of shape (inputs, labels) and one bias per label."""

    weights: NDArray[Any]
    bias: NDArray[Any]

    def scores(self, inputs: Any) -> Scores:
        """Return the scores, one row per row of `inputs` (dense or CSR)."""
        scores: Scores = np.asarray(inputs @ self.weights, np.float64) + self.bias
        return scores

    def times(self, factor: float) -> Linear:
        """Return the view whose scores are `factor` times these."""
        return Linear(self.weights * np.float32(factor), self.bias * np.float32(factor))

    def plus(self, other: Linear) -> Linear:
        """Return the view whose scores are the sum of both; they read the same inputs."""
        return Linear(self.weights + other.weights, self.bias + other.bias)


@dataclass(frozen=True)
class Wording:
    """Which hashes are looked at (`columns`, sorted) and how rare each is (`idf`)."""

    columns: NDArray[np.int32]
    idf: NDArray[np.float32]

    @classmethod
    def fit(cls, counts: Counts, labels: int) -> Wording:
        """Learn the columns from `counts`; the commonest ones where all would make too big a model."""
        present = np.bincount(counts.indices, minlength=counts.shape[1])
        columns = np.flatnonzero(present >= min(LEAST_TICKETS, counts.shape[0]))
        most = max(1, MAX_CELLS // labels)
        if len(columns) > most:
            columns = np.sort(columns[np.argsort(-present[columns], kind="stable")[:most]])
        idf = np.log((1 + counts.shape[0]) / (1 + present[columns])) + 1
        return cls(columns.astype(np.int32), idf.astype(np.float32))

    def apply(self, counts: Counts) -> Counts:
        """Return TF-IDF rows; words and letters have length 1 each, so that neither drowns the other."""
        found = counts[:, self.columns]
        found.data = 1 + np.log(found.data)
        found = found.multiply(self.idf).tocsr()
        is_word = found.indices < np.searchsorted(self.columns, WORD_BUCKETS)
        rows = np.repeat(np.arange(found.shape[0]), np.diff(found.indptr))
        squares = np.zeros((found.shape[0], 2))
        np.add.at(squares, (rows, is_word.astype(int)), np.square(found.data))
        found.data = found.data / np.sqrt(squares)[rows, is_word.astype(int)]
        return found


@dataclass(frozen=True)
class Inputs:
    """What the views read: random features (dense) and TF-IDF rows (CSR), one row per ticket."""

    near: Mapping[Kind, NDArray[np.float32]]
    worded: Counts

    def of(self, kind: Kind) -> Any:
        """Return the rows that a view of this kind reads."""
        return self.near[kind] if kind in NEAR else self.worded


@dataclass(frozen=True)
class Lens:
    """Turns the features of tickets into the inputs of the views, the way the desk's own tickets taught it."""

    nearness: Mapping[Kind, Nearness]
    wording: Wording

    @classmethod
    def fit(cls, features: Features, labels: int, kinds: Collection[Kind]) -> Lens:
        """Learn what is usual and which words matter, for views of `kinds`."""
        nearness = {kind: Nearness.fit(features.shapes, by_shape=kind == "shape") for kind in NEAR if kind in kinds}
        return cls(nearness, Wording.fit(features.counts, labels))

    def apply(self, features: Features) -> Inputs:
        """Return the inputs, one row per ticket."""
        near = {kind: one.apply(features.vectors, features.shapes) for kind, one in self.nearness.items()}
        return Inputs(near, self.wording.apply(features.counts))


def fit_view(recipe: Recipe, lens: Lens, inputs: Inputs, truth: Truth, labels: int) -> Linear:
    """Return one view, fitted on `inputs`, which `lens` has made."""
    if recipe.kind in NEAR:
        return Linear(*ridge(inputs.of(recipe.kind), truth, labels, 1 / recipe.c))
    worded = inputs.worded.astype(np.float64)
    if recipe.kind == "wording":
        return _fitted(_support(recipe), worded, truth, labels)
    if recipe.kind == "words":
        is_word = lens.wording.columns < WORD_BUCKETS
        regression: Any = LogisticRegression(C=recipe.c, max_iter=STEPS, tol=FLAT)
        view = _fitted(regression, worded[:, is_word], truth, labels)
        weights = np.zeros((len(is_word), labels), np.float32)
        weights[is_word] = view.weights
        return Linear(weights, view.bias)
    columns = [_ratio_column(recipe, worded, truth == label) for label in range(labels)]
    return Linear(np.stack([weights for weights, _ in columns], axis=1), np.asarray([bias for _, bias in columns]))


def _support(recipe: Recipe) -> Any:
    return LinearSVC(C=recipe.c, max_iter=STEPS, tol=CLOSE_ENOUGH, class_weight=recipe.weighting, random_state=0)


def _ratio_column(recipe: Recipe, inputs: Counts, is_label: NDArray[np.bool_]) -> tuple[NDArray[np.float32], float]:
    """Return weights and bias of one label against the others."""
    if not is_label.any():
        return np.zeros(inputs.shape[1], np.float32), -UNSEEN
    inside, outside = (SMOOTH + np.asarray(inputs[rows].sum(axis=0)).ravel() for rows in (is_label, ~is_label))
    ratio = np.log((inside / inside.sum()) / (outside / outside.sum()))
    weighed = inputs.copy()
    weighed.data = weighed.data * ratio[weighed.indices]
    view = _fitted(_support(recipe), weighed, is_label.astype(np.int64), 2)
    return (2 * view.weights[:, 1] * ratio).astype(np.float32), float(2 * view.bias[1])


def _fitted(model: Any, inputs: Any, truth: Truth, labels: int) -> Linear:
    """Fit `model` and spread its columns over all labels; one it has not seen gets the lowest bias of all."""
    with warnings.catch_warnings():
        # An optimizer that stops early is as good here: how good is measured on tickets held out.
        warnings.simplefilter("ignore", ConvergenceWarning)
        # Many teams with few tickets each are what some desks have.
        warnings.filterwarnings("ignore", "The number of unique classes")
        model.fit(inputs, truth)
    weights, bias = model.coef_.T, model.intercept_
    if weights.shape[1] == 1:  # two labels: scikit-learn keeps the second one's column only
        weights, bias = np.hstack([-weights, weights]) / 2, np.append(-bias, bias) / 2
    all_weights = np.zeros((weights.shape[0], labels), np.float32)
    all_bias = np.full(labels, bias.min() - UNSEEN, np.float32)
    all_weights[:, model.classes_], all_bias[model.classes_] = weights, bias
    return Linear(all_weights, all_bias)
