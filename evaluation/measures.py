"""The figures of one field's predictions, computed as the product computes them (`triage/classify/measures.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triage.classify import calibration, measures
from triage.classify.measures import Figure, Weights

TARGET = 0.95
"""The precision at which coverage is reported."""
ALARMS = 0.15
"""The share of false alarms at which the recall of urgent tickets is compared."""
LEAVING = "high"
URGENT = ("P0_critical", "P1_high")


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


def with_interval(outcome: Outcome, measure: measures.Measure) -> Figure:
    """Return `measure` with its interval when groups are drawn with replacement."""
    return measures.with_interval(measure, outcome.groups)


def accuracy(right: NDArray[np.bool_]) -> measures.Measure:
    """Return the weighted share of right answers as a function of the weights."""
    return measures.weighted_accuracy(right)


def macro_f1(outcome: Outcome) -> measures.Measure:
    """Return the mean F1 over the labels that occur in the truth."""
    return measures.weighted_macro_f1(outcome.truth, outcome.chosen)


def calibration_error(outcome: Outcome) -> float:
    """Return the expected calibration error of the chosen labels."""
    return calibration.calibration_error(outcome.certainty(), outcome.right())


def coverage(outcome: Outcome, target: float = TARGET) -> float:
    """Return the largest share of tickets, surest first, of which at least `target` are right."""
    return measures.best_share(outcome.certainty(), outcome.right(), target)


def urgent_recall_and_alarms(outcome: Outcome) -> tuple[float, float]:
    """Return the share of P0 and P1 tickets called so, and the share of the others called so too."""
    urgent = [np.isin(np.asarray(labels), URGENT) for labels in (outcome.truth, outcome.chosen)]
    return measures.recall_and_alarms(*urgent)


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
    hit = np.asarray(outcome.truth) == label
    return measures.average_precision(score, hit), float(hit.mean())
