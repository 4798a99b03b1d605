"""The figures that learn, backtest and eval share: by hand, and beside scikit-learn where it has the same one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score

from triage.classify import measures
from triage.classify.calibration import calibration_error, reliability

RANDOM = np.random.default_rng(11)
TRUTH = [str(label) for label in RANDOM.choice(["a", "b", "c"], 300, p=[0.6, 0.3, 0.1])]
CHOSEN = [one if RANDOM.random() < 0.7 else "b" for one in TRUTH]
RIGHT = np.asarray([one == other for one, other in zip(TRUTH, CHOSEN, strict=True)])


def test_macro_f1_is_that_of_scikit_learn() -> None:
    for chosen in (CHOSEN, ["d", *CHOSEN[1:]]):
        wanted = f1_score(TRUTH, chosen, labels=sorted(set(TRUTH)), average="macro", zero_division=0.0)
        assert measures.macro_f1(TRUTH, chosen) == pytest.approx(wanted)
    assert measures.macro_f1([0, 1, 1], [0, 1, 0]) == pytest.approx((2 / 3 + 2 / 3) / 2)


def test_a_weight_counts_a_ticket_so_often() -> None:
    weights = np.asarray(RANDOM.integers(0, 4, 300), np.float64)
    again = [place for place, times in enumerate(weights) for _ in range(int(times))]
    twice = [TRUTH[place] for place in again], [CHOSEN[place] for place in again]
    assert measures.weighted_macro_f1(TRUTH, CHOSEN)(weights) == pytest.approx(measures.macro_f1(*twice))
    assert measures.weighted_accuracy(RIGHT)(weights) == pytest.approx(RIGHT[again].mean())


def test_intervals_hold_the_value_nineteen_times_of_twenty() -> None:
    hits = 0
    for _ in range(60):
        right = RANDOM.random(80) < 0.7
        figure = measures.with_interval(measures.weighted_accuracy(right), range(80))
        hits += figure.low <= 0.7 <= figure.high
    assert hits >= 50


def test_tickets_of_one_group_are_drawn_together() -> None:
    measure = measures.weighted_accuracy(RIGHT)
    alone = measures.with_interval(measure, range(300))
    together = measures.with_interval(measure, [place // 30 for place in range(300)])
    same = measures.with_interval(measures.weighted_accuracy(np.repeat(RIGHT[:10], 30)), [p // 30 for p in range(300)])
    assert alone.value == together.value == pytest.approx(RIGHT.mean())
    assert same.high - same.low > 3 * (alone.high - alone.low)


def test_the_curve_takes_the_surest_first_and_ties_together() -> None:
    points = measures.curve(np.asarray([0.5, 0.9, 0.5, 0.7]), np.asarray([False, True, True, True]))
    assert [(one.threshold, one.share, one.precision) for one in points] == [
        (0.9, 0.25, 1),
        (0.7, 0.5, 1),
        (0.5, 1, 0.75),
    ]
    assert measures.curve(np.empty(0), np.empty(0, bool)) == []
    assert measures.best_share(np.asarray([0.9, 0.8]), np.asarray([False, True]), 0.5) == 1.0
    assert measures.best_share(np.asarray([0.9, 0.8]), np.asarray([False, False]), 0.5) == 0.0


def test_average_precision_is_that_of_scikit_learn() -> None:
    score, hit = RANDOM.random(200), RANDOM.random(200) < 0.2
    assert measures.average_precision(score, hit) == pytest.approx(average_precision_score(hit, score))
    assert math.isnan(measures.average_precision(score, np.zeros(200, bool)))


def test_recall_and_alarms_of_nothing_are_not_a_number() -> None:
    yes, no = np.ones(3, bool), np.zeros(3, bool)
    assert measures.recall_and_alarms(np.asarray([True, True, False]), np.asarray([True, False, True])) == (0.5, 1.0)
    assert math.isnan(measures.recall_and_alarms(no, yes)[0])
    assert math.isnan(measures.recall_and_alarms(yes, yes)[1])


def test_the_reliability_table_adds_up_to_the_calibration_error() -> None:
    confidence, right = np.asarray([0.95, 0.92, 0.4, 1.0]), np.asarray([True, False, False, True])
    bins = reliability(confidence, right)
    assert [(one.start, one.tickets) for one in bins] == [(0.4, 1), (0.9, 3)]
    assert bins[1].right == pytest.approx(2 / 3)
    assert calibration_error(confidence, right) == pytest.approx((0.4 + 3 * abs(2.87 / 3 - 2 / 3)) / 4)
