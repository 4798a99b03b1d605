"""What is corrected of a desk's answers now: the fits in the database, without those of a model that is replaced."""

from __future__ import annotations

from triage.classify.base import Classifier
from triage.classify.correction import Corrected, Correction, Corrections
from triage.settings import Settings
from triage.store import Store

LEARNED = "learned"
"""In the name of every classifier that answers with what a desk has taught."""


def with_corrections(base: Classifier, store: Store, settings: Settings, desk: str) -> Classifier:
    """Return `base` with what outcomes taught on `desk` around it."""
    corrections = corrections_of(store, desk)
    return Corrected(base, corrections, settings.target_precision_of(desk)) if corrections else base


def taught_since(store: Store, desk: str) -> dict[str, float]:
    """Return field -> when the model that answers it on `desk` was activated."""
    return {model.field: model.created_at for model in store.models.active(desk)}


def corrections_of(store: Store, desk: str) -> Corrections:
    """Return the corrections in force on `desk`."""
    taught = taught_since(store, desk)
    return {
        (one.classifier, one.field): Correction(one.temperature, one.thresholds)
        for one in store.calibrations.active(desk)
        if LEARNED not in one.classifier or one.created_at >= taught.get(one.field, 0.0)
    }
