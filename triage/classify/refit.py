"""Fits temperature and thresholds anew from outcomes, and says whether that helps. Pure numbers in and out.

Every fit starts from what the classifier said, before any temperature, so fits do not pile up. It is tested as it
will be used: fitted on the older four fifths, judged on the newest fifth, and used only if the log-loss there falls by
more than its own standard error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from triage.classify.calibration import Columns, Mask, Scores, calibration_error, thresholds
from triage.classify.recalibrate import apply

LEAST = 50
"""So many outcomes make a fit; fewer are left to the classifier's own calibration."""
LEAST_FOR_THRESHOLDS = 200
"""So many make thresholds where no temperature helps; fewer leave the model's own, tested on more tickets."""
COOLEST, HOTTEST = 0.5, 8.0
SPREAD = 0.5
"""How far temperatures lie from the default, in standard deviations of their logarithm, before any outcome is seen:
with few outcomes the fit stays near it, and 50 that speak clearly outweigh it."""
MOST_TEMPERATURE = 100.0
"""No classifier is stored with more; what is beyond was damaged."""
TESTED = 0.2
FLOOR = 1e-9


@dataclass(frozen=True)
class Seen:
    """One outcome: what the classifier said, what it chose, what people ended with (one of the labels)."""

    probabilities: Mapping[str, float]
    ours: str
    theirs: str
    default_temperature: float = 1.0


def is_sound(one: Seen) -> bool:
    """Say whether `one` holds probabilities that can be computed with; a single NaN would spoil a whole fit."""
    numbers = [one.default_temperature, *one.probabilities.values()]
    if any(isinstance(number, bool) or not isinstance(number, int | float) for number in numbers):
        return False
    if not 0 < one.default_temperature <= MOST_TEMPERATURE or one.theirs not in one.probabilities:
        return False
    return all(0 <= p <= 1 for p in one.probabilities.values()) and any(one.probabilities.values())


@dataclass(frozen=True)
class Quality:
    """How honest probabilities are: mean log-loss in nats and expected calibration error."""

    log_loss: float
    error: float


@dataclass(frozen=True)
class Refit:
    """The fit; `temperature` is None where none helps.

    `before` and `after` compare what people see with the temperature of the older four fifths: the log-loss on the
    newest fifth, the calibration error on all, for a fifth has too few tickets in a bin.
    """

    tickets: int
    fitted: float
    temperature: float | None
    thresholds: Mapping[str, float]
    before: Quality
    after: Quality
    accuracy: float

    @property
    def is_useful(self) -> bool:
        """Say whether there is anything to apply."""
        return self.temperature is not None or bool(self.thresholds)


def refit(seen: Sequence[Seen]) -> Refit | None:
    """Return the fit on `seen`, oldest first, or None where there are too few."""
    if len(seen) < LEAST:
        return None
    cut = len(seen) - round(len(seen) * TESTED)
    older, newest = seen[:cut], seen[cut:]
    trial = fit_temperature(older)
    gain = _losses(newest, None) - _losses(newest, trial)
    helps = float(gain.mean()) > _standard_error(gain)
    fitted = fit_temperature(seen)
    temperature = fitted if helps else None
    enough = helps or len(seen) >= LEAST_FOR_THRESHOLDS
    return Refit(
        tickets=len(seen),
        fitted=fitted,
        temperature=temperature,
        thresholds=thresholds(_confidence(seen, temperature), _right(seen)) if enough else {},
        before=_quality(seen, newest, None),
        after=_quality(seen, newest, trial),
        accuracy=float(_right(seen).mean()),
    )


def fit_temperature(seen: Sequence[Seen]) -> float:
    """Return the temperature that makes the right labels most likely, drawn towards the default where few say so."""
    logs, columns = _table(seen)
    rows = np.arange(len(seen))
    centre = float(np.log([one.default_temperature for one in seen]).mean())

    def loss(log_temperature: float) -> float:
        scaled = logs / np.exp(log_temperature)
        total = np.log(np.exp(scaled - scaled.max(axis=1, keepdims=True)).sum(axis=1)) + scaled.max(axis=1)
        pull = ((log_temperature - centre) / SPREAD) ** 2 / 2
        return float((total - scaled[rows, columns]).sum() + pull)

    found = minimize_scalar(loss, bounds=(np.log(COOLEST), np.log(HOTTEST)), method="bounded")
    return float(np.exp(found.x))


def _table(seen: Sequence[Seen]) -> tuple[Scores, Columns]:
    """Return log-probabilities, one row each and as many columns as the widest needs, and the right columns."""
    logs = np.full((len(seen), max(len(one.probabilities) for one in seen)), -np.inf)
    columns = np.zeros(len(seen), np.int64)
    for row, one in enumerate(seen):
        logs[row, : len(one.probabilities)] = np.log(np.maximum(list(one.probabilities.values()), FLOOR))
        columns[row] = list(one.probabilities).index(one.theirs)
    return logs, columns


def _shown(one: Seen, temperature: float | None) -> Mapping[str, float]:
    """Return the probabilities as people see them, with `temperature` or with the default one."""
    return apply({"": one.probabilities}, {"": temperature or one.default_temperature})[""]


def _losses(seen: Sequence[Seen], temperature: float | None) -> Scores:
    return np.asarray([-np.log(max(_shown(one, temperature)[one.theirs], FLOOR)) for one in seen], np.float64)


def _confidence(seen: Sequence[Seen], temperature: float | None) -> Scores:
    return np.asarray([_shown(one, temperature).get(one.ours, 0.0) for one in seen], np.float64)


def _right(seen: Sequence[Seen]) -> Mask:
    return np.asarray([one.ours == one.theirs for one in seen], np.bool_)


def _quality(seen: Sequence[Seen], newest: Sequence[Seen], temperature: float | None) -> Quality:
    error = calibration_error(_confidence(seen, temperature), _right(seen))
    return Quality(float(_losses(newest, temperature).mean()), error)


def _standard_error(values: Scores) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("inf")
