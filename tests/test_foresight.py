"""Foresight: queues whose end is known by hand, and properties that hold for every queue."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.foresight import (
    FIRST_MONDAY,
    HOUR,
    WEEK,
    Habits,
    Pace,
    Rates,
    Waiting,
    breach_probabilities,
    pace_of,
    plan,
    rates_of,
    signs_of,
)
from triage.habits import learn_habits

NOW = FIRST_MONDAY + 3000 * WEEK  # a Monday, 00:00
TWO_AN_HOUR = Pace(Rates((2.0,) * 168))
QUEUES = st.lists(
    st.tuples(st.floats(-50, 0), st.floats(-10, 60), st.sampled_from([1.0, 2.0, 8.0])), min_size=1, max_size=30
).map(lambda rows: [Waiting(str(n), NOW + o * HOUR, NOW + d * HOUR, w) for n, (o, d, w) in enumerate(rows)])


def waiting(name: str, hours_left: float, weight: float = 1.0, age: float = 1.0) -> Waiting:
    return Waiting(name, NOW - age * HOUR, NOW + hours_left * HOUR, weight)


def test_rates_know_the_hours_of_the_week() -> None:
    mondays_at_nine = [NOW + week * WEEK + 9 * HOUR + minute * 60 for week in range(8) for minute in range(0, 60, 10)]
    rates = rates_of(mondays_at_nine, NOW, NOW + 8 * WEEK)
    busy, quiet = rates.expected(NOW + 9 * HOUR, NOW + 10 * HOUR), rates.expected(NOW + 15 * HOUR, NOW + 16 * HOUR)
    assert 5 < busy < 6  # six were seen, drawn a little towards the average
    assert 0 < quiet < 0.01


def test_expected_adds_up_over_weeks() -> None:
    rates = Rates(tuple(float(hour % 7) for hour in range(168)))
    start, middle, end = NOW - 30.5 * HOUR, NOW + 400.25 * HOUR, NOW + 900 * HOUR
    whole = rates.expected(start, end)
    assert whole == pytest.approx(rates.expected(start, middle) + rates.expected(middle, end))
    assert rates.expected(start, start + 2 * WEEK) == pytest.approx(2 * sum(rates.hourly))
    assert rates.expected(end, start) == 0.0


def test_no_history_at_all_expects_nothing() -> None:
    pace = pace_of([], NOW, NOW + WEEK)
    assert pace.replies.expected(NOW, NOW + WEEK) == 0.0
    assert breach_probabilities([waiting("a", 2)], pace, Habits(), NOW)[0] > 0.5


def test_bursts_widen_the_spread() -> None:
    steady = [NOW + number * 0.5 * HOUR for number in range(8 * 336)]
    bursts = [NOW + (number // 96) * 2 * 24 * HOUR + number % 96 for number in range(28 * 96)]
    assert pace_of(bursts, NOW, NOW + 8 * WEEK).spread > 5 * pace_of(steady, NOW, NOW + 8 * WEEK).spread


def test_who_is_late_is_certain() -> None:
    assert breach_probabilities([waiting("late", -0.1)], TWO_AN_HOUR, Habits(), NOW) == [1.0]


def test_a_longer_queue_ahead_is_more_dangerous() -> None:
    short = [waiting("me", 3), waiting("a", 1)]
    long = [waiting("me", 3), *(waiting(str(number), 1) for number in range(12))]
    alone = breach_probabilities(short, TWO_AN_HOUR, Habits(), NOW)[0]
    crowded = breach_probabilities(long, TWO_AN_HOUR, Habits(), NOW)[0]
    assert alone < 0.5 < crowded


def test_the_same_time_left_is_worse_at_night() -> None:
    by_day = Pace(Rates(tuple(4.0 if 9 <= hour % 24 < 17 else 0.1 for hour in range(168))))
    day, night = NOW + 10 * HOUR, NOW + 20 * HOUR
    chances = [
        breach_probabilities([Waiting("a", now - HOUR, now + 3 * HOUR)], by_day, Habits(), now)[0]
        for now in (day, night)
    ]
    assert chances[0] < chances[1]


def test_habits_are_learned_and_a_short_past_changes_nothing() -> None:
    rng = random.Random(3)
    # A team that answers whoever wrote last: age decides, the queue does not.
    rows = [((rng.uniform(-3, 3), 1.0, rng.uniform(-2, 4), 1.0), False) for _ in range(600)]
    past = [(signs, signs[2] > 1) for signs, _ in rows]
    taught = learn_habits(past)
    assert taught.learned_from == 600
    assert taught.probability((0.0, 1.0, 3.0, 1.0)) > 0.9 > 0.1 > taught.probability((0.0, 1.0, -1.0, 1.0))
    assert learn_habits(past[:10]) == Habits()


def test_the_plan_gives_up_the_lightest_when_not_all_can_be_met() -> None:
    # One hour, two replies: of three that are due by then one is lost, and it is the light one.
    queue = [waiting("heavy", 1, 8), waiting("light", 0.9, 1), waiting("middle", 1, 4), waiting("later", 5, 1)]
    made = plan(queue, TWO_AN_HOUR, NOW)
    assert [each.ticket_id for each in made.first] == ["heavy", "middle"]
    assert [each.ticket_id for each in made.later] == ["later"]
    assert [each.ticket_id for each in made.lost] == ["light"]


def test_the_plan_spends_nothing_on_tickets_that_are_late() -> None:
    made = plan([waiting("late", -1, 8), waiting("due", 2, 1)], TWO_AN_HOUR, NOW)
    assert [each.ticket_id for each in (*made.first, *made.lost)] == ["due", "late"]


def test_a_team_that_never_answered_still_gets_a_first_ticket() -> None:
    made = plan([waiting("a", 1), waiting("b", 2)], Pace(Rates((0.0,) * 168)), NOW)
    assert len(made.first) == 1


@given(QUEUES)
def test_the_plan_loses_no_ticket_and_keeps_what_fits(queue: list[Waiting]) -> None:
    made = plan(queue, TWO_AN_HOUR, NOW)
    named = [each.ticket_id for each in (*made.first, *made.later, *made.lost)]
    assert sorted(named) == sorted(each.ticket_id for each in queue)
    kept = (*made.first, *made.later)
    assert [each.due_at for each in kept] == sorted(each.due_at for each in kept)
    for place, each in enumerate(kept[1:], start=2):  # one ticket may always be tried
        assert place <= TWO_AN_HOUR.replies.expected(NOW, each.due_at) + 1e-9


@given(QUEUES)
def test_probabilities_are_probabilities(queue: list[Waiting]) -> None:
    chances = breach_probabilities(queue, TWO_AN_HOUR, Habits(), NOW)
    assert all(0 < chance <= 1 for chance in chances)
    assert len(signs_of(queue, TWO_AN_HOUR, NOW)) == len(queue)
