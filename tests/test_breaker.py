"""An endpoint that fails is left alone, and asked again by itself."""

from __future__ import annotations

import pytest

from tests.llm_server import answers, fails, running, says
from tests.test_llm import classifier, ticket
from triage.classify.breaker import FAILURES, FIRST_PAUSE, LONGEST_PAUSE, Breaker
from triage.errors import ModelError


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def is_open(breaker: Breaker) -> bool:
    try:
        breaker.check()
    except ModelError:
        return True
    return False


def opened(clock: Clock) -> Breaker:
    breaker = Breaker(clock)
    for _ in range(FAILURES):
        assert not is_open(breaker)
        breaker.failed("HTTP 500")
    assert is_open(breaker)
    return breaker


def test_only_failures_in_a_row_count(clock: Clock) -> None:
    breaker = Breaker(clock)
    for _ in range(5 * FAILURES):
        breaker.failed("HTTP 500")
        breaker.succeeded()
    assert not is_open(breaker)


def test_one_question_at_a_time_goes_through_after_the_pause(clock: Clock) -> None:
    breaker = opened(clock)
    clock.now += FIRST_PAUSE
    assert [is_open(breaker) for _ in range(3)] == [False, True, True]
    breaker.succeeded()
    assert [is_open(breaker) for _ in range(3)] == [False] * 3


def test_the_pause_doubles_up_to_a_limit(clock: Clock) -> None:
    breaker, pause = opened(clock), FIRST_PAUSE
    for _ in range(8):
        clock.now += pause
        assert not is_open(breaker)
        breaker.failed("HTTP 500")
        pause = min(2 * pause, LONGEST_PAUSE)
        clock.now += pause - 0.1
        assert is_open(breaker)
        clock.now += 0.1
    assert pause == LONGEST_PAUSE


def test_a_question_that_never_comes_back_does_not_hold_the_others_for_ever(clock: Clock) -> None:
    breaker = opened(clock)
    clock.now += FIRST_PAUSE
    assert not is_open(breaker)
    clock.now += FIRST_PAUSE
    assert not is_open(breaker)


def test_failures_of_what_was_under_way_do_not_lengthen_the_pause(clock: Clock) -> None:
    breaker = opened(clock)
    for _ in range(20):
        breaker.failed("HTTP 500")
    clock.now += FIRST_PAUSE
    assert not is_open(breaker)


def test_an_endpoint_may_ask_to_be_left_alone(clock: Clock) -> None:
    breaker = Breaker(clock)
    breaker.failed("HTTP 429", 120.0)
    clock.now += 119
    with pytest.raises(ModelError, match="asked to be left alone for 120 s: HTTP 429"):
        breaker.check()
    clock.now += 1
    assert not is_open(breaker)


def test_an_endpoint_that_is_down_is_no_longer_asked() -> None:
    with running() as server:
        server.queue(fails(503, headers={"Retry-After": "0"}))
        model = classifier(server, breaker=Breaker())
        for _ in range(10):
            with pytest.raises(ModelError, match="HTTP 503"):
                model.classify(ticket())
        assert len(server.calls) == FAILURES


@pytest.mark.parametrize(
    "bad", [fails(400, "too long"), says("no json"), answers(priority="P9"), says(None, refusal="no")]
)
def test_a_ticket_that_cannot_be_answered_says_nothing_of_the_endpoint(bad: object) -> None:
    with running() as server:
        server.queue(bad)  # type: ignore[arg-type]
        model = classifier(server, breaker=Breaker())
        for _ in range(FAILURES + 1):
            with pytest.raises(ModelError):
                model.classify(ticket())
        server.queue(answers())
        assert model.classify(ticket()).primary_team == "billing"


def test_a_refused_ticket_is_an_answer_and_ends_the_pause(clock: Clock) -> None:
    breaker = opened(clock)
    clock.now += FIRST_PAUSE
    with running() as server:
        model = classifier(server, breaker=breaker)
        server.queue(fails(400, "too long"))
        with pytest.raises(ModelError, match="HTTP 400"):
            model.classify(ticket())
        server.queue(answers())
        assert model.classify(ticket()).primary_team == "billing"
