"""Temperatures: what they do to probabilities, and that they can be taken back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.classification import Classification
from triage.classify.recalibrate import apply, as_said, recalibrated

SAID = {"primary_team": {"billing": 0.9, "security": 0.08, "none": 0.02}, "priority": {"P0": 0.5, "P1": 0.5}}


def answer() -> Classification:
    return Classification(
        primary_team="billing", priority="P0", sentiment="neutral", churn_risk="low", classifier="llm",
        probabilities=SAID | {"sentiment": {"neutral": 1.0}, "churn_risk": {"low": 1.0}},
    )  # fmt: skip


def test_higher_is_less_sure_and_one_changes_nothing() -> None:
    shrunk = apply(SAID, {"primary_team": 2.0})
    assert shrunk["primary_team"]["billing"] == pytest.approx(0.691, abs=0.001)
    assert shrunk["priority"] == SAID["priority"]
    assert apply(SAID, {"primary_team": 0.5})["primary_team"]["billing"] > 0.98
    assert apply(SAID, {}) == SAID


@given(
    st.lists(st.floats(0.0, 1.0), min_size=2, max_size=10).filter(lambda chances: sum(chances) > 0.01),
    st.floats(0.05, 20),
)
def test_any_spread_stays_a_spread_in_the_same_order(chances: list[float], temperature: float) -> None:
    total = sum(chances)
    before = {str(place): chance / total for place, chance in enumerate(chances)}
    after = apply({"f": before}, {"f": temperature})["f"]
    assert sum(after.values()) == pytest.approx(1)
    assert all(after[a] >= after[b] - 1e-12 for a in before for b in before if before[a] >= before[b])


def test_new_temperatures_replace_the_old_ones() -> None:
    first = recalibrated(answer(), {"primary_team": 1.5, "unknown": 3.0})
    assert first.temperatures == {"primary_team": 1.5}
    second = recalibrated(first, {"primary_team": 3.0})
    directly = recalibrated(answer(), {"primary_team": 3.0})
    assert second.probabilities["primary_team"] == pytest.approx(directly.probabilities["primary_team"])
    assert second.temperatures == {"primary_team": 3.0}
    assert as_said(second)["primary_team"] == pytest.approx(SAID["primary_team"])
    assert second.probabilities["priority"] == SAID["priority"]
