"""Choose how to learn one field by cross-validation: which views, how strongly held back, mixed in which shares."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from triage.classify.calibration import Scores, fit_weights, log_loss
from triage.classify.head import scores_of
from triage.classify.learned_features import Features
from triage.classify.measures import macro_f1
from triage.classify.nearness import Nearness
from triage.classify.splits import Rows, folds
from triage.classify.views import NEAR, Lens, Linear, Recipe, Truth, Wording, fit_view

NEARNESS = (Recipe("meaning", 1), Recipe("meaning", 3), Recipe("meaning", 10), Recipe("shape", 1), Recipe("shape", 3))
WORDING = (
    Recipe("wording", 0.1),
    Recipe("wording", 0.3),
    Recipe("wording", 1),
    Recipe("wording", 0.3, "balanced"),
)
FEW_LABELS = (Recipe("ratios", 1), Recipe("words", 10))
MOST_LABELS_FOR_ALL = 30
"""The ratios are fitted label by label and the words slowly: with many labels they add time and nothing else."""
SAMPLE = 3000
"""Tickets on which the recipes are compared; more would rank them alike and take minutes."""
FOLDS, FOLDS_OF_MANY = 5, 3
COMPARED = 2
"""Digits of macro-F1 that are compared: the third is chance, and what makes the truth likelier decides instead."""


@dataclass(frozen=True)
class Chosen:
    """The recipes that did best together."""

    recipes: tuple[Recipe, ...]
    mix: tuple[float, ...]
    scores: Scores
    """Of the tickets learned from, each by a model that had not seen it."""

    def __str__(self) -> str:
        return " + ".join(map(str, self.recipes))


@dataclass(frozen=True)
class Model:
    """The chosen views, fitted, each already weighed as in the mix."""

    nearness: tuple[Nearness, Linear] | None
    wording: tuple[Wording, Linear] | None

    def scores(self, features: Features) -> Scores:
        """Return log-odds, one row per ticket and one column per label."""
        return scores_of(features, self.nearness, self.wording)

    def times(self, factor: float) -> Model:
        """Return the model whose scores are `factor` times these."""
        near, words = self.nearness, self.wording
        return Model(
            (near[0], near[1].times(factor)) if near else None, (words[0], words[1].times(factor)) if words else None
        )


def fit(features: Features, truth: Truth, labels: int, chosen: Chosen) -> Model:
    """Return what the tickets teach by the chosen recipes."""
    lens = Lens.fit(features, labels, [recipe.kind for recipe in chosen.recipes])
    inputs = lens.apply(features)
    parts = [
        (recipe.kind, fit_view(recipe, lens, inputs, truth, labels).times(weight))
        for recipe, weight in zip(chosen.recipes, chosen.mix, strict=True)
    ]
    near = [(lens.nearness[kind], part) for kind, part in parts if kind in NEAR]
    worded = [part for kind, part in parts if kind not in NEAR]
    # Views of the same inputs are one view: their weights add up. Of nearness there is one at most.
    return Model(
        near[0] if near else None,
        (lens.wording, reduce(Linear.plus, worded)) if worded else None,
    )


def choose(features: Features, truth: Truth, groups: Rows, labels: int) -> Chosen:
    """Return the recipes with the best macro-F1 on held-out folds, with their scores on all tickets."""
    kinds = [NEARNESS, WORDING, *((one,) for one in FEW_LABELS if labels <= MOST_LABELS_FOR_ALL)]
    recipes = [recipe for kind in kinds for recipe in kind]
    choices = [tuple(one for one in pick if one) for pick in itertools.product(*[(None, *kind) for kind in kinds])]
    sample = np.arange(len(truth))
    if len(truth) > SAMPLE:
        sample = np.sort(np.random.default_rng(0).permutation(len(truth))[:SAMPLE])
    held = _held_out(features.part(sample), truth[sample], groups[sample], labels, recipes)
    best = _best(held, truth[sample], [choice for choice in choices if choice])
    if len(sample) == len(truth):
        return best
    return _best(_held_out(features, truth, groups, labels, best.recipes), truth, [best.recipes])


def _held_out(
    features: Features, truth: Truth, groups: Rows, labels: int, recipes: Sequence[Recipe]
) -> dict[Recipe, Scores]:
    """Return, per recipe, the scores of every ticket by a model that has not seen it."""
    count = FOLDS if len(truth) <= SAMPLE // 2 else FOLDS_OF_MANY
    fold = folds([str(column) for column in truth], groups, count)
    held = {recipe: np.zeros((len(truth), labels)) for recipe in recipes}
    for one in range(count):
        inside, outside = np.flatnonzero(fold != one), np.flatnonzero(fold == one)
        if not len(outside) or len(set(truth[inside])) < 2:
            continue
        known = features.part(inside)
        lens = Lens.fit(known, labels, [recipe.kind for recipe in recipes])
        inputs, asked = lens.apply(known), lens.apply(features.part(outside))
        for recipe, scores in held.items():
            view = fit_view(recipe, lens, inputs, truth[inside], labels)
            scores[outside] = view.scores(asked.of(recipe.kind))
    return held


def _best(held: dict[Recipe, Scores], truth: Truth, choices: Sequence[tuple[Recipe, ...]]) -> Chosen:
    tried = []
    for recipes in choices:
        views = [held[recipe] for recipe in recipes]
        mix = fit_weights(views, truth)
        mixed = np.asarray(sum(weight * view for weight, view in zip(mix, views, strict=True)))
        quality = macro_f1(truth.tolist(), mixed.argmax(axis=1).tolist())
        tried.append((round(quality, COMPARED), -log_loss(mixed, truth), Chosen(recipes, mix, mixed)))
    return max(tried, key=lambda entry: entry[:2])[2]
