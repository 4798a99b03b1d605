"""What outcomes taught, applied to an answer: the fitted temperature, and the threshold that goes with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from triage.classification import Classification
from triage.classify.base import Classifier, learned_from
from triage.classify.recalibrate import recalibrated
from triage.ticket import Ticket


@dataclass(frozen=True)
class Correction:
    """What is corrected of one field of one classifier."""

    temperature: float | None
    """None leaves probabilities as they are."""
    thresholds: Mapping[str, float]
    """Target precision ("0.95") -> probability; empty leaves the classifier's own."""


Corrections = Mapping[tuple[str, str], Correction]
"""(classifier, field) -> correction."""


def corrected(answer: Classification, corrections: Corrections, target: float | None) -> Classification:
    """Return `answer` with corrected probabilities and thresholds; the labels stay whatever the corrections.

    `target` is the precision the admin asks for, None where the settings' own thresholds count.
    """
    # As long as the column they are stored in.
    mine = {field: one for (name, field), one in corrections.items() if name == answer.classifier[:40]}
    if not mine:
        return answer
    thresholds = dict(answer.thresholds)
    for field, one in mine.items():
        if target is not None and (threshold := threshold_at(one.thresholds, target)) is not None:
            thresholds[field] = threshold
    temperatures = {field: one.temperature for field, one in mine.items() if one.temperature is not None}
    return recalibrated(answer.model_copy(update={"thresholds": thresholds}), temperatures)


def threshold_at(thresholds: Mapping[str, float], target: float) -> float | None:
    """Return the threshold known for `target` or the next precision above it, None where none is known."""
    known = sorted((float(precision), value) for precision, value in thresholds.items())
    return next((value for precision, value in known if precision >= target - 1e-9), None)


class Corrected:
    """Implements `Classifier`: the answers of `base`, corrected."""

    def __init__(self, base: Classifier, corrections: Corrections, target: float | None) -> None:
        self.name = base.name
        self._base = base
        self._corrections = corrections
        self._target = target

    def classify(self, ticket: Ticket) -> Classification:
        """Return the corrected answer of `base`."""
        return corrected(self._base.classify(ticket), self._corrections, self._target)

    def learned_from(self, ticket: Ticket) -> list[str]:
        """Return the fields whose learned model has learned from this very ticket."""
        return learned_from(self._base, ticket)
