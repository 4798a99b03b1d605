"""The SLA sweep in trouble that is nobody's fault but the helpdesk's, the channel's or the clock's."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from test_sla_sweep import Bench

from triage.errors import DeskLocked, Forbidden, Gone, TandemError, UnknownOutcome, Wait
from triage.store import Store
from triage.store.marks import EVERY_DESK, SLA_ACT, SLA_SWEPT
from workers.sla_acts import carry_out
from workers.sla_sweep import sweep_due


@pytest.fixture
def bench(sqlite_store: Store) -> Bench:
    bench = Bench(sqlite_store)
    bench.add(70)
    return bench


@contextmanager
def unreadable(bench: Bench, error: TandemError) -> Iterator[None]:
    """Let the helpdesk answer every look at a ticket with `error`."""

    def look(ticket_id: str) -> None:
        raise error

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bench.desk, "look", look)
        yield


def test_a_ticket_that_may_not_be_read_for_a_while_gets_its_note_later(bench: Bench) -> None:
    bench.follow(bench.desk.tickets["7"].ticket, time.time())  # plans the acts, as a webhook does
    with unreadable(bench, Forbidden("403")):
        carry_out(bench.store.acts.claim_due(time.time() + 1, 100, time.time() + 90, messages=False), bench.tools())
    assert {state for _, kind, state in bench.acts() if kind != "message"} == {"planned"}
    bench.due()
    bench.sweep()
    assert len(bench.notes()) == 1
    assert "ai_sla_breached" in bench.tags()


@pytest.mark.parametrize("error", [Wait("budget", 5), DeskLocked("401")])
def test_a_busy_helpdesk_costs_a_message_no_attempt(bench: Bench, error: TandemError) -> None:
    bench.follow(bench.desk.tickets["7"].ticket, time.time())
    for _ in range(6):
        with unreadable(bench, error):
            bench.due()
            bench.sweep()
    bench.due()
    bench.sweep()
    assert (bench.phone.titles("ops"), bench.phone.titles("boss")) == (["SLA breached"], ["SLA breached"])


def test_a_message_about_a_deleted_ticket_is_dropped_without_an_alarm(bench: Bench) -> None:
    bench.follow(bench.desk.tickets["7"].ticket, time.time())
    with unreadable(bench, Gone("404")):
        bench.due()
        bench.sweep()
    assert {state for _, kind, state in bench.acts() if kind == "message"} == {"dropped"}
    assert SLA_ACT not in {one.kind for one in bench.store.alarms.recent()}


def test_a_message_that_may_have_arrived_is_not_sent_again(bench: Bench) -> None:
    bench.phone.broken["ops"] = UnknownOutcome("no answer in 15 s")
    bench.due()
    bench.sweep()
    bench.phone.broken.clear()
    for _ in range(3):
        bench.due()
        bench.sweep()
    assert (bench.phone.titles("ops"), bench.phone.titles("boss")) == ([], ["SLA breached"])
    assert SLA_ACT in {one.kind for one in bench.store.alarms.recent()}


def test_who_was_held_up_beyond_its_claim_has_no_say(bench: Bench) -> None:
    bench.follow(bench.desk.tickets["7"].ticket, time.time())
    acts = bench.store.acts
    (slow, *_) = acts.claim_due(time.time() + 1, 100, 0.0, messages=False)
    quick = next(
        one for one in acts.claim_due(time.time() + 1, 100, time.time() + 90, messages=False) if one.id == slow.id
    )
    acts.confirm(quick, time.time())
    acts.postpone(slow, time.time() - 1, "late")
    acts.drop(slow, "late")
    kept = next(one for one in acts.of_ticket("acme", "7") if one.id == slow.id)
    assert (kept.state, kept.try_at) == ("confirmed", None)


def test_a_clock_that_was_wrong_holds_up_no_sweep(bench: Bench) -> None:
    bench.store.cursors.set(EVERY_DESK, SLA_SWEPT, "", time.time() + 600)
    assert sweep_due(bench.tools(), time.time())
    assert not sweep_due(bench.tools(), time.time())
