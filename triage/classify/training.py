"""Learn one field from a desk's own tickets: choose by cross-validation, test on what was held out, refit on all.

Nothing that is reported was chosen on the tickets it is reported on.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from triage.classify.calibration import (
    Coverage,
    Scores,
    calibration_error,
    chances,
    coverage,
    fit_weights,
    log_loss,
    threshold_for,
    thresholds,
)
from triage.classify.head import LearnedHead, fingerprint, scores_of
from triage.classify.learned_features import Features
from triage.classify.measures import macro_f1
from triage.classify.splits import Rows, folds, split
from triage.classify.views import Linear, Recipe, Truth, Wording, fit_view
from triage.errors import TandemError

MEANING = (Recipe("meaning", 3), Recipe("meaning", 10), Recipe("meaning", 10, "balanced"))
WORDING = (
    Recipe("wording", 0.1),
    Recipe("wording", 0.3),
    Recipe("wording", 1),
    Recipe("wording", 0.3, "balanced"),
)
RATIOS = (Recipe("ratios", 1),)
MOST_LABELS_FOR_RATIOS = 30
"""The ratios are fitted label by label, and with many labels they add time and nothing else."""
SAMPLE = 3000
"""Tickets on which the recipes are compared; more would rank them alike and take minutes."""
FOLDS, FOLDS_OF_MANY = 5, 3
LEAST_EXAMPLES = 3
LEAST_TICKETS = 20
PRECISION = 0.95
PAIRS = 5
TOO_FEW = "{field}: {count} usable tickets with {labels} labels; learning needs {least} tickets and 2 labels"


class NothingToLearnError(TandemError):
    """The tickets of a field are too few or all alike; the message says how many are needed."""


@dataclass(frozen=True)
class Material:
    """The labelled tickets of one field, one row each."""

    field: str
    features: Features
    labels: Sequence[str]
    groups: Rows
    times: Sequence[float | None]


@dataclass(frozen=True)
class Figures:
    """How good the answers on the held-out tickets are."""

    tickets: int
    macro_f1: float
    accuracy: float
    error: float
    """Expected calibration error."""
    at_target: Coverage
    """At the threshold for PRECISION that was found on other tickets."""
    at_70: Coverage
    """At the threshold that answers 70 % of the tickets."""


@dataclass(frozen=True)
class Lesson:
    """What was learned about one field, and how that was tested."""

    field: str
    head: LearnedHead
    figures: Figures
    recipe: str
    split: str
    """"time" (the newest fifth was the test) or "random"."""
    curve: tuple[tuple[int, float], ...]
    """Tickets learned from and the macro-F1 on the same test tickets."""
    confused: tuple[tuple[str, str, int], ...]
    """Right label, label given, how often."""
    rare: dict[str, int]
    """Labels with too few tickets to learn them, with their number."""
    test_rows: Rows
    """Rows of the material; `truth` and `said` are the right and the given labels of these."""
    truth: tuple[str, ...]
    said: tuple[str, ...]

    def of_rows(self, rows: Rows) -> Lesson:
        """Return the lesson with its test rows numbered as the tickets that the material's `rows` were taken from."""
        return replace(self, test_rows=rows[self.test_rows])


@dataclass(frozen=True)
class _Chosen:
    recipes: tuple[Recipe, ...]
    mix: tuple[float, ...]
    scores: Scores
    """Of the tickets learned from, each by a model that had not seen it."""

    def __str__(self) -> str:
        return " + ".join(map(str, self.recipes))


def learn(material: Material, encoder: str) -> Lesson:
    """Return what the tickets of `material` teach. Raises NothingToLearnError where they are too few."""
    # The matrices are small: more threads only wait for each other, minutes long where the cores are shared.
    with threadpool_limits(1):
        return _learn(material, encoder)


def _learn(material: Material, encoder: str) -> Lesson:
    counted = Counter(material.labels)
    rare = {label: count for label, count in counted.items() if count < LEAST_EXAMPLES}
    kept = np.asarray([row for row, label in enumerate(material.labels) if label not in rare], np.int64)
    labels = tuple(sorted(set(counted) - set(rare)))
    if len(kept) < LEAST_TICKETS or len(labels) < 2:
        raise NothingToLearnError(
            TOO_FEW.format(field=material.field, count=len(kept), labels=len(labels), least=LEAST_TICKETS)
        )
    features, groups = material.features.part(kept), material.groups[kept]
    named = [material.labels[row] for row in kept]
    truth = np.asarray([labels.index(label) for label in named], np.int64)
    train, test, how = split(named, groups, [material.times[row] for row in kept])
    chosen = _choose(features.part(train), truth[train], groups[train], len(labels))
    tested = _fit(features.part(train), truth[train], len(labels), chosen).scores(features.part(test))
    both, right = np.vstack([chosen.scores, tested]), np.append(truth[train], truth[test])
    # The final model answers tickets like both parts, so both set its temperature and its thresholds.
    final = fit_weights([both], right)[0]
    confidence, hits = _confidence(both * final, right)
    known = thresholds(confidence, hits)
    head = _fit(features, truth, len(labels), chosen).head(labels, encoder, final, known, features.texts)
    said = tested.argmax(axis=1)
    return Lesson(
        field=material.field,
        head=head,
        figures=_figures(tested, truth[test], chosen.scores, truth[train]),
        recipe=str(chosen),
        split=how,
        curve=_curve(features, truth, (train, test), len(labels), chosen, tested),
        confused=_confused(labels, truth[test], said),
        rare=rare,
        test_rows=kept[test],
        truth=tuple(labels[column] for column in truth[test]),
        said=tuple(labels[column] for column in said),
    )


@dataclass(frozen=True)
class _Model:
    """The chosen views, fitted, each already weighed as in the mix."""

    meaning: Linear | None
    wording: tuple[Wording, Linear] | None

    def scores(self, features: Features) -> Scores:
        return scores_of(features, self.meaning, self.wording)

    def head(
        self, labels: tuple[str, ...], encoder: str, final: float, known: dict[str, float], texts: Sequence[str]
    ) -> LearnedHead:
        return LearnedHead(
            labels,
            encoder,
            self.meaning.times(final) if self.meaning else None,
            (self.wording[0], self.wording[1].times(final)) if self.wording else None,
            known,
            frozenset(map(fingerprint, texts)),
        )


def _fit(features: Features, truth: Truth, labels: int, chosen: _Chosen) -> _Model:
    words = Wording.fit(features.counts, labels)
    worded = words.apply(features.counts)
    parts = [
        (recipe.kind, fit_view(recipe, features, worded, truth, labels).times(weight))
        for recipe, weight in zip(chosen.recipes, chosen.mix, strict=True)
    ]
    meaning = [part for kind, part in parts if kind == "meaning"]
    wording = [part for kind, part in parts if kind != "meaning"]
    # Views of the same columns are one view: their weights add up.
    return _Model(
        meaning[0] if meaning else None,
        (words, reduce(Linear.plus, wording)) if wording else None,
    )


def _choose(features: Features, truth: Truth, groups: Rows, labels: int) -> _Chosen:
    """Return the recipes with the best macro-F1 on held-out folds, with their scores on all tickets."""
    kinds = [MEANING, WORDING, RATIOS if labels <= MOST_LABELS_FOR_RATIOS else ()]
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
        known, asked = features.part(inside), features.part(outside)
        words = Wording.fit(known.counts, labels)
        known_words, asked_words = words.apply(known.counts), words.apply(asked.counts)
        for recipe, scores in held.items():
            view = fit_view(recipe, known, known_words, truth[inside], labels)
            scores[outside] = view.scores(asked.vectors if recipe.kind == "meaning" else asked_words)
    return held


def _best(held: dict[Recipe, Scores], truth: Truth, choices: Sequence[tuple[Recipe, ...]]) -> _Chosen:
    tried = []
    for recipes in choices:
        views = [held[recipe] for recipe in recipes]
        mix = fit_weights(views, truth)
        mixed = np.asarray(sum(weight * view for weight, view in zip(mix, views, strict=True)))
        quality = macro_f1(truth.tolist(), mixed.argmax(axis=1).tolist())
        tried.append((round(quality, 4), -log_loss(mixed, truth), _Chosen(recipes, mix, mixed)))
    return max(tried, key=lambda entry: entry[:2])[2]


def _confidence(scores: Scores, truth: Truth) -> tuple[Scores, NDArray[np.bool_]]:
    return chances(scores).max(axis=1), scores.argmax(axis=1) == truth


def _figures(tested: Scores, truth: Truth, held: Scores, held_truth: Truth) -> Figures:
    confidence, right = _confidence(tested, truth)
    threshold = threshold_for(PRECISION, *_confidence(held, held_truth))
    return Figures(
        tickets=len(truth),
        macro_f1=macro_f1(truth.tolist(), tested.argmax(axis=1).tolist()),
        accuracy=float(right.mean()),
        error=calibration_error(confidence, right),
        at_target=coverage(confidence, right, threshold),
        at_70=coverage(confidence, right, float(np.quantile(confidence, 0.3))),
    )


def _curve(
    features: Features,
    truth: Truth,
    parts: tuple[Rows, Rows],
    labels: int,
    chosen: _Chosen,
    tested: Scores,
) -> tuple[tuple[int, float], ...]:
    train, test = parts
    asked = features.part(test)
    shuffled = np.random.default_rng(0).permutation(train)
    names = truth[test].tolist()
    points = []
    for share in (4, 2):
        rows = shuffled[: len(train) // share]
        if len(set(truth[rows])) >= 2:
            scores = _fit(features.part(rows), truth[rows], labels, chosen).scores(asked)
            points.append((len(rows), macro_f1(names, scores.argmax(axis=1).tolist())))
    return (*points, (len(train), macro_f1(names, tested.argmax(axis=1).tolist())))


def _confused(labels: Sequence[str], truth: Truth, said: Truth) -> tuple[tuple[str, str, int], ...]:
    wrong = Counter((labels[one], labels[other]) for one, other in zip(truth, said, strict=True) if one != other)
    return tuple((one, other, count) for (one, other), count in wrong.most_common(PAIRS))
