"""Fitting and features without the encoder: figures that can be checked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from triage.classify import kernel
from triage.classify.features import MOST, SCALE, peaks, surface
from triage.classify.fitting import fitted
from triage.classify.heads import Examples, Head, against_rest, softmax

STEP = Head(("yes", "no"), np.asarray([[2.0, 0.0]]), np.zeros(2))
"""Log-odds of "yes": twice the only component."""


def examples() -> Examples:
    draw = np.random.default_rng(1)
    vectors = np.vstack([draw.normal((1, 0), 0.3, (30, 2)), draw.normal((0, 1), 0.3, (10, 2))]).astype(np.float32)
    return Examples(vectors, ["a"] * 30 + ["b"] * 10, [f"g{row % 5}" for row in range(40)])


def test_fitted_head_separates_and_ignores_how_often_labels_occur() -> None:
    labels, weights, bias = fitted(examples(), transfer=1.0)
    chances = softmax(np.asarray([[1, 0], [0, 1], [0.5, 0.5]]) @ weights + bias)
    assert labels == ("a", "b")
    assert chances[0, 0] > 0.9
    assert chances[1, 1] > 0.9
    assert chances[2, 0] == pytest.approx(0.5, abs=0.25)


def test_transfer_draws_probabilities_in_and_base_rates_shift_them() -> None:
    point = np.asarray([[1.0, 0.0]])
    near, far = (softmax(Head.fit(examples(), transfer=each).scores(point))[0, 0] for each in (1.0, 3.0))
    rare = softmax(Head.fit(examples(), {"a": 0.01, "b": 0.99}, 3.0).scores(point))[0, 0]
    assert near > far > rare


def test_against_rest_is_the_log_odds_of_softmax() -> None:
    scores = np.asarray([[1.0, 2.0, 0.5], [0.0, -3.0, 4.0]])
    chance = softmax(scores)[:, 1]
    assert against_rest(scores, 1) == pytest.approx(np.log(chance / (1 - chance)))


def test_peaks_name_the_strongest_two_strongest_mean_and_last() -> None:
    vectors = np.asarray([[1.0], [-1.0], [0.5]], np.float32)
    assert peaks(STEP, "yes", vectors) == pytest.approx([2 / SCALE, 1.5 / SCALE, 1 / 3 / SCALE, 1 / SCALE])
    assert peaks(STEP, "yes", np.asarray([[99.0]], np.float32))[0] == MOST / SCALE
    assert peaks(STEP, "yes", np.empty((0, 1), np.float32)) == [-MOST / SCALE] * 4


def test_surface_hears_shouting_in_any_language_and_no_abbreviations() -> None:
    calm = surface(["The API and the CRM use SSO."])
    loud = surface(["WARUM GEHT DAS NICHT???", "Hilfe!!"])
    assert calm[:4] == [0.0, 0.0, 0.0, 0.0]
    assert all(value > 0 for value in loud[:4])
    assert surface(["Danke 😊"])[7] == 1.0
    assert len(surface([])) == len(calm)


def circle(*angles: float) -> np.ndarray:
    return np.asarray([[np.cos(angle), np.sin(angle)] for angle in np.radians(angles)], np.float32)


def test_likeness_is_one_for_the_same_direction_and_falls_with_the_angle() -> None:
    alike = kernel.likeness(circle(0), circle(0, 60, 180))[0]
    assert alike == pytest.approx(np.exp([0.0, -1.0, -4.0]), rel=1e-5)


def test_kernel_head_bends_where_a_straight_line_cannot() -> None:
    angles = (0, 10, 90, 100, 180, 190, 270, 280)
    labels = ["a", "a", "b", "b"] * 2  # opposite directions mean the same
    head = kernel.fit(Examples(circle(*angles), labels, ["g"] * 8), {}, sharpness=10.0)
    scores = head.scores(kernel.likeness(circle(5, 95, 185, 275), circle(*angles)))
    assert [head.labels[row] for row in scores.argmax(axis=1)] == ["a", "b", "a", "b"]


def test_kernel_head_reads_extras_and_base_rates() -> None:
    vectors, extras = circle(0, 0, 0, 0), np.asarray([[9.0], [8.0], [-9.0], [-8.0]])
    told = Examples(vectors, ["a", "a", "b", "b"], ["g"] * 4)
    even, rare = (kernel.fit(told, rates, extras=extras, sharpness=5.0) for rates in ({}, {"a": 0.01, "b": 0.99}))
    row = np.concatenate([kernel.likeness(circle(0), vectors)[0], [9.0]])[None, :]
    assert softmax(even.scores(row))[0, 0] > 0.9
    assert softmax(rare.scores(row))[0, 0] < softmax(even.scores(row))[0, 0]


def test_few_examples_find_their_own_sharpness() -> None:
    clear = Examples(circle(0, 1, 2, 90, 91, 92), ["a"] * 3 + ["b"] * 3, ["1", "2", "3"] * 2)
    mixed = Examples(circle(0, 1, 2, 3, 4, 5), ["a", "b"] * 3, ["1", "2", "3"] * 2)
    sure, unsure = (
        softmax(kernel.fit(each, {}).scores(kernel.likeness(circle(0), each.vectors)))[0].max()
        for each in (clear, mixed)
    )
    assert sure > 0.9
    assert unsure < 0.7
