"""Learn one field from a desk's own tickets: choose by cross-validation, test on what was held out, refit on all.

Nothing that is reported was chosen on the tickets it is reported on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from triage.classification import NO_TEAM
from triage.classify.calibration import (
    Coverage,
    Scores,
    calibration_error,
    chances,
    coverage,
    fit_weights,
    threshold_for,
    thresholds,
)
from triage.classify.choosing import Chosen, choose, fit
from triage.classify.encoder import Vectors
from triage.classify.head import LearnedHead, fingerprint
from triage.classify.learned_features import Features
from triage.classify.measures import macro_f1
from triage.classify.novelty import Novelty
from triage.classify.splits import Rows, split, untaught
from triage.classify.views import Truth
from triage.errors import TandemError

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
    untaught: dict[str, int]
    """Labels that only the test has, with its tickets: the figures count these as wrong."""
    test_rows: Rows
    """Rows of the material; `truth` and `said` are the right and the given labels of these."""
    truth: tuple[str, ...]
    said: tuple[str, ...]

    def of_rows(self, rows: Rows) -> Lesson:
        """Return the lesson with its test rows numbered as the tickets that the material's `rows` were taken from."""
        return replace(self, test_rows=rows[self.test_rows])


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
    chosen = choose(features.part(train), truth[train], groups[train], len(labels))
    tested = fit(features.part(train), truth[train], len(labels), chosen).scores(features.part(test))
    doubt, near = _novelty(material.field, features.part(train), groups[train])
    near_test = doubt.nearest(features.vectors[test]) if doubt else near
    answers = _answers(tested, doubt, near_test)
    # The final model answers tickets like both parts, so both set its temperature and its thresholds.
    both, right = np.vstack([chosen.scores, tested]), np.append(truth[train], truth[test])
    final = fit_weights([both], right)[0]
    known = thresholds(*_confidence(_answers(both * final, doubt, np.append(near, near_test)), right))
    model = fit(features, truth, len(labels), chosen).times(final)
    novelty, _ = _novelty(material.field, features, groups)
    seen = frozenset(map(fingerprint, features.texts))
    said = answers.argmax(axis=1)
    names = [*labels, NO_TEAM]
    return Lesson(
        field=material.field,
        head=LearnedHead(labels, encoder, model.nearness, model.wording, novelty, known, seen),
        figures=_figures(answers, truth[test], _answers(chosen.scores, doubt, near), truth[train]),
        recipe=str(chosen),
        split=how,
        curve=_curve(features, truth, (train, test), len(labels), chosen, said),
        confused=_confused(names, truth[test], said),
        rare=rare,
        untaught=untaught(named, train, test),
        test_rows=kept[test],
        truth=tuple(labels[column] for column in truth[test]),
        said=tuple(names[column] for column in said),
    )


def _novelty(field: str, features: Features, groups: Rows) -> tuple[Novelty | None, Vectors]:
    """Return what is new to the desk; of a ticket's team alone can be said that it is none of those known."""
    if field != "primary_team":
        return None, np.empty(0, np.float32)
    return Novelty.fit(features.vectors, groups)


def _answers(scores: Scores, novelty: Novelty | None, nearest: Vectors) -> Scores:
    """Return probabilities as `LearnedHead` gives them; "none of these", where there is such, is the last column."""
    return novelty.doubted(chances(scores), nearest) if novelty else chances(scores)


def _confidence(answers: Scores, truth: Truth) -> tuple[Scores, NDArray[np.bool_]]:
    return answers.max(axis=1), answers.argmax(axis=1) == truth


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
    chosen: Chosen,
    said: Truth,
) -> tuple[tuple[int, float], ...]:
    train, test = parts
    asked = features.part(test)
    shuffled = np.random.default_rng(0).permutation(train)
    names = truth[test].tolist()
    points = []
    for share in (4, 2):
        rows = shuffled[: len(train) // share]
        if len(set(truth[rows])) >= 2:
            scores = fit(features.part(rows), truth[rows], labels, chosen).scores(asked)
            points.append((len(rows), macro_f1(names, scores.argmax(axis=1).tolist())))
    return (*points, (len(train), macro_f1(names, said.tolist())))


def _confused(labels: Sequence[str], truth: Truth, said: Truth) -> tuple[tuple[str, str, int], ...]:
    wrong = Counter((labels[one], labels[other]) for one, other in zip(truth, said, strict=True) if one != other)
    return tuple((one, other, count) for (one, other), count in wrong.most_common(PAIRS))
