"""Calibration: weights, errors and thresholds from known numbers."""

from __future__ import annotations

import numpy as np
import pytest

from triage.classify.calibration import (
    calibration_error,
    coverage,
    fit_weights,
    softmax,
    threshold_for,
    thresholds,
)

RANDOM = np.random.default_rng(7)


def drawn(scores: np.ndarray) -> np.ndarray:
    """Return truths drawn from the probabilities that `scores` give: scores that are calibrated by construction."""
    return np.asarray([RANDOM.choice(len(row), p=row) for row in softmax(scores)])


@pytest.mark.parametrize("temperature", [0.25, 1.0, 4.0])
def test_one_view_gets_its_temperature_back(temperature: float) -> None:
    scores = RANDOM.normal(size=(4000, 4)) * 2
    (weight,) = fit_weights([scores * temperature], drawn(scores))
    assert weight * temperature == pytest.approx(1.0, rel=0.1)


def test_a_view_of_noise_is_weighed_down() -> None:
    scores = RANDOM.normal(size=(3000, 3)) * 2
    good, noise = fit_weights([scores, RANDOM.normal(size=(3000, 3)) * 2], drawn(scores))
    assert good == pytest.approx(1.0, rel=0.15)
    assert noise < 0.1


def test_views_that_are_always_right_keep_finite_weights() -> None:
    (weight,) = fit_weights([np.eye(3)[[0, 1, 2] * 10]], np.asarray([0, 1, 2] * 10))
    assert 1 < weight <= 60.01


def test_calibration_error_of_honest_and_boasting_answers() -> None:
    confidence = np.full(1000, 0.8)
    right = np.arange(1000) < 800
    assert calibration_error(confidence, right) == pytest.approx(0.0, abs=1e-9)
    assert calibration_error(np.full(1000, 0.99), right) == pytest.approx(0.19, abs=1e-9)
    assert calibration_error(np.ones(10), np.zeros(10, bool)) == 1.0
    assert calibration_error(np.empty(0), np.empty(0, bool)) == 0.0


def test_errors_in_one_bin_do_not_hide_those_of_another() -> None:
    confidence = np.asarray([0.6] * 100 + [0.9] * 100)
    right = np.asarray([True] * 100 + [True] * 50 + [False] * 50)
    assert calibration_error(confidence, right) == pytest.approx(0.4)


def test_threshold_keeps_its_promise_on_new_tickets() -> None:
    confidence = RANDOM.uniform(0.3, 1, 6000)
    right = RANDOM.uniform(size=6000) < confidence
    threshold = threshold_for(0.9, confidence[:3000], right[:3000])
    met = coverage(confidence[3000:], right[3000:], threshold)
    assert met.precision >= 0.89
    assert met.share > 0.2  # the best possible is 2/7: confidence 0.8 to 1


def test_no_threshold_where_the_target_is_out_of_reach() -> None:
    confidence = RANDOM.uniform(0.3, 1, 500)
    assert threshold_for(0.95, confidence, np.zeros(500, bool)) == 1.0


def test_few_tickets_prove_no_high_precision() -> None:
    assert threshold_for(0.95, np.full(12, 0.9), np.ones(12, bool)) == 1.0
    assert threshold_for(0.95, np.full(40, 0.9), np.ones(40, bool)) == 0.9


def test_equal_confidences_are_answered_together_or_not_at_all() -> None:
    confidence = np.asarray([0.9] * 100 + [0.7] * 100)
    right = np.asarray([True] * 150 + [False] * 50)  # a cut inside the 0.7s would look good
    assert threshold_for(0.9, confidence, right) == 0.9


def test_thresholds_rise_with_the_target() -> None:
    confidence = RANDOM.uniform(0.3, 1, 3000)
    known = thresholds(confidence, RANDOM.uniform(size=3000) < confidence)
    assert next(iter(known)) == "0.50"
    assert list(known)[-1] == "0.99"
    assert list(known.values()) == sorted(known.values())


def test_coverage_counts_answers_and_right_ones() -> None:
    met = coverage(np.asarray([0.9, 0.8, 0.4, 0.2]), np.asarray([True, False, True, True]), 0.5)
    assert (met.share, met.precision) == (0.5, 0.5)
    assert coverage(np.asarray([0.1]), np.asarray([False]), 0.5).precision == 1.0
