"""Refits probabilities from outcomes: once a day on beat, or by hand with `python manage.py calibrate`."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from sqlalchemy.exc import SQLAlchemyError

from triage.classify.refit import Refit, Seen, is_sound, refit
from triage.store import Store
from triage.store.calibrations import NewCalibration
from triage.store.marks import CALIBRATED
from triage.store.outcomes import Outcome
from workers.corrections import LEARNED, taught_since

logger = logging.getLogger(__name__)
DAY_SECONDS = 86_400
NEWEST = 2000
"""Outcomes a fit looks at: enough for two digits, and few enough to follow a desk that changes."""
# Agents seldom correct these tags, so one that was left alone is no agreement to learn from.
SEEN_BY_TAG = ("sentiment", "churn_risk")
APPLIED, THRESHOLDS, NOT_APPLIED, TOO_FEW = "applied", "thresholds", "not applied", "too few"
FAILED = "failed"
"""Something unforeseen; the log names its kind, and the other fields are refitted all the same."""


@dataclass(frozen=True)
class Verdict:
    """What became of one classifier's field on one desk."""

    desk: str
    classifier: str
    field: str
    outcomes: int
    refit: Refit | None
    result: str


def calibrate_due(desks: Iterable[str], store: Store, now: float) -> None:
    """Refit each desk that has not been for a day; one desk's trouble does not hold up the others."""
    for desk in desks:
        try:
            last = store.cursors.get(desk, CALIBRATED)
            if last and now - last[1] < DAY_SECONDS:
                continue
            store.cursors.set(desk, CALIBRATED, "", now)
            calibrate(desk, store, now)
        except SQLAlchemyError as error:
            logger.error("calibrate: desk=%s: database failed (%s)", desk, type(error).__name__)
        except Exception as error:
            logger.error("calibrate: desk=%s: failed (%s)", desk, type(error).__name__)


def calibrate(desk: str, store: Store, now: float, *, dry_run: bool = False) -> list[Verdict]:
    """Refit each classifier's fields on `desk`; apply what helps and take back what no longer does.

    One field's failure does not hold up the others. Where outcomes are too few, a calibration from when
    there were enough stays. It may run twice at once.
    """
    taught = taught_since(store, desk)
    verdicts = []
    for classifier, field in store.outcomes.kinds(desk):
        # What an earlier model said tells nothing about this one.
        since = taught.get(field, 0.0) if LEARNED in classifier else 0.0
        found = []
        try:
            found = evidence(store.outcomes.final(desk, field, classifier, since, NEWEST))
            new = refit(found)
            if new and not dry_run:
                _keep(desk, classifier, field, new, store, now)
            verdicts.append(Verdict(desk, classifier, field, len(found), new, _result(new)))
        except SQLAlchemyError:
            raise
        except Exception as error:
            logger.error("calibrate: desk=%s %s of %s failed (%s)", desk, field, classifier, type(error).__name__)
            verdicts.append(Verdict(desk, classifier, field, len(found), None, FAILED))
    return verdicts


def evidence(outcomes: Iterable[Outcome]) -> list[Seen]:
    """Return what can be learned from, in the order given.

    A mood or churn tag of ours that nobody touched is left out, and so is one that somebody did: those alone would say
    that Tandem is always wrong. So is a group that no team stands for: on a desk whose tickets all lie in one "Support"
    it would say the same. Rows whose numbers make no sense are left out too.
    """
    seen = (
        Seen(one.probabilities, one.ours, one.theirs, one.default_temperature)
        for one in outcomes
        if isinstance(one.probabilities, dict) and not (one.written and one.field in SEEN_BY_TAG)
    )
    return [one for one in seen if is_sound(one)]


def _result(new: Refit | None) -> str:
    if new is None:
        return TOO_FEW
    if new.temperature is not None:
        return APPLIED
    return THRESHOLDS if new.thresholds else NOT_APPLIED


def _keep(desk: str, classifier: str, field: str, new: Refit, store: Store, now: float) -> None:
    if not new.is_useful:
        store.calibrations.retire(desk, classifier, field)
        return
    metrics = {"before": asdict(new.before), "after": asdict(new.after), "accuracy": new.accuracy}
    store.calibrations.activate(
        desk,
        NewCalibration(classifier, field, new.temperature, new.thresholds, metrics, new.tickets),
        now,
    )
    logger.info(
        "calibrate: desk=%s %s of %s: temperature %s from %d outcomes, error %.3f before, %.3f after",
        desk, field, classifier, "as it is" if new.temperature is None else f"{new.temperature:.2f}",
        new.tickets, new.before.error, new.after.error,
    )  # fmt: skip
