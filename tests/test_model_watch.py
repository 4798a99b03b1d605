"""An admin hears of a language model that has stopped answering, and of its return."""

from __future__ import annotations

from tests.fakes import answer
from triage.store import Store
from triage.store.marks import EVERY_DESK, MODEL_AWAY
from workers.model_watch import IN_A_ROW, TELL_EVERY_SECONDS, ModelWatch

WITHOUT = answer(fallback_reason="daily cap of 5.00 USD is reached")
WITH = answer(model="scripted")


def told(store: Store) -> str:
    return store.alarms.text(EVERY_DESK, MODEL_AWAY)


def test_one_odd_ticket_is_no_alarm(store: Store) -> None:
    watch = ModelWatch(store)
    for _ in range(3):
        for _ in range(IN_A_ROW - 1):
            watch.heard(WITHOUT)
        watch.heard(WITH)
    assert told(store) == ""


def test_the_alarm_says_why_and_goes_by_itself(store: Store) -> None:
    watch = ModelWatch(store)
    for _ in range(IN_A_ROW):
        watch.heard(WITHOUT)
    assert "daily cap of 5.00 USD is reached" in told(store)
    watch.heard(answer())
    assert told(store), "the embedded classifier was sure enough: that says nothing of the model"
    watch.heard(WITH)
    assert told(store) == ""


def test_a_new_process_takes_back_what_an_earlier_one_has_raised(store: Store) -> None:
    store.alarms.raise_(EVERY_DESK, MODEL_AWAY, "earlier", 1.0)
    ModelWatch(store).heard(WITH)
    assert told(store) == ""


def test_a_long_outage_costs_a_row_a_minute(store: Store) -> None:
    moments = iter(float(second) for second in range(1000, 1121))
    watch = ModelWatch(store, lambda: next(moments))
    raised = set()
    for _ in range(121):
        watch.heard(WITHOUT)
        raised.add(store.alarms.raised_at(EVERY_DESK, MODEL_AWAY))
    assert raised == {None, 1002.0, 1002.0 + TELL_EVERY_SECONDS}
