"""Fit a linear head in milliseconds from a handful of examples per label.

Logistic regression over description + examples, with one temperature, beat everything else measured at this size
(FACTS/embedded.md, section 3): its raw probabilities are badly under-confident with few examples.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression

from triage.classify.heads import ALWAYS_TRAIN, Examples, Scores, softmax

REGULARIZATION = 3.0
NO_FOLDS_TEMPERATURE = 0.5
"""Where no example can be spared for cross-validation."""
TEMPERATURES = (0.1, 2.0)


def fitted(examples: Examples, transfer: float) -> tuple[tuple[str, ...], Scores, Scores]:
    """Return labels, weights and biases; probabilities are calibrated for labels that are equally frequent."""
    labels, weights, bias = _regress(examples)
    temperature = transfer * _temperature(examples, labels)
    return labels, weights / temperature, bias / temperature


def _regress(examples: Examples) -> tuple[tuple[str, ...], Scores, Scores]:
    model: Any = LogisticRegression(C=REGULARIZATION, max_iter=1000, class_weight="balanced")
    model.fit(examples.vectors.astype(np.float64), list(examples.labels), sample_weight=examples.weights)
    weights, bias = np.asarray(model.coef_, np.float64).T, np.asarray(model.intercept_, np.float64)
    if weights.shape[1] == 1:  # two labels: scikit-learn keeps the second one's column only
        weights, bias = np.hstack([np.zeros_like(weights), weights]), np.append(0.0, bias)
    return tuple(str(label) for label in model.classes_), weights, bias


def _temperature(examples: Examples, labels: tuple[str, ...]) -> float:
    """Return the temperature that makes out-of-fold probabilities most likely; a fold is a group of examples."""
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
    # Balanced like the regression itself: the base rates of real tickets are added afterwards.
    share = 1.0 / np.bincount(truth, minlength=len(labels))[truth]

    def loss(temperature: float) -> float:
        chosen = softmax(scores / temperature)[np.arange(len(truth)), truth]
        return float(-(share * np.log(np.maximum(chosen, 1e-12))).sum() / share.sum())

    return float(minimize_scalar(loss, bounds=TEMPERATURES, method="bounded").x)
