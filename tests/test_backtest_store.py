"""The tables of backtests, on both databases: who gets which ticket, what is counted once, what is forgotten."""

from __future__ import annotations

import threading

import pytest
from fakes import answer

from triage.backtest.replay import kept
from triage.store import Store
from triage.store.backtests import CHUNK, CONTEXT, MONTH_SECONDS, WAITING, Backtest, Found, place_of

NOW = 1_800_000_000.0
DAY = 86_400.0


def begun(store: Store, count: int = 0, **found: object) -> Backtest:
    """Return a backtest of so many tickets that is ready to be worked on."""
    book = store.backtests
    backtest = book.begin("acme", "helpdesk 90d", "policy", (NOW - 90 * DAY, NOW), NOW, None)
    book.add(backtest, [Found(str(number), NOW - DAY, **found) for number in range(count)], "1")  # type: ignore[arg-type]
    book.close_list(backtest.id, 10_000)
    again = book.get(backtest.id)
    assert again
    return again


def test_two_commands_at_once_begin_one_backtest(store: Store) -> None:
    made: list[Backtest] = []
    barrier = threading.Barrier(4)

    def begin() -> None:
        barrier.wait()
        made.append(store.backtests.begin("acme", "helpdesk 90d", "policy", (1.0, 2.0), NOW, None))

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({one.id for one in made}) == 1
    assert store.backtests.latest("acme", "helpdesk 90d") == made[0]
    # --restart: one more, after the one that is known.
    assert store.backtests.begin("acme", "helpdesk 90d", "policy", (1.0, 2.0), NOW, made[0]).serial == 2
    assert store.backtests.latest("acme", "other") is None


def test_a_page_is_taken_in_once_and_a_ticket_keeps_its_newest_truth(store: Store) -> None:
    book = store.backtests
    backtest = book.begin("acme", "a", "p", (0.0, NOW), NOW, None)
    assert book.add(backtest, [Found("7", 1.0, truth={"priority": "P3_low"})], "page 2")
    assert not book.add(backtest, [Found("8", 1.0)], "page 2 too")
    moved = book.get(backtest.id)
    assert moved
    assert moved.cursor == "page 2"
    assert book.add(moved, [Found("7", 1.0, truth={"priority": "P1_high"})], "page 3")
    book.close_list(backtest.id, 10)
    (todo,) = book.claim(backtest.id, "me", NOW, NOW + 60)
    book.finish_ticket(backtest.id, todo.ticket_id, "me", NOW, answer={})
    assert [one.truth for one in book.looked(backtest.id)] == [{"priority": "P1_high"}]


def test_the_limit_keeps_the_same_tickets_each_time(store: Store) -> None:
    book = store.backtests
    backtest = book.begin("acme", "a", "p", (0.0, NOW), NOW, None)
    book.add(backtest, [Found(str(number), 1.0, wanted=number < 50) for number in range(60)], "1")
    book.close_list(backtest.id, 12)
    book.close_list(backtest.id, 3)  # a second command comes too late to change it
    assert book.progress(backtest.id, NOW).states == {WAITING: 12, CONTEXT: 48}
    claimed = {todo.ticket_id for todo in book.claim(backtest.id, "me", NOW, NOW + 60)}
    assert claimed == set(sorted(map(str, range(50)), key=place_of)[:12])


def test_nobody_gets_a_ticket_that_another_one_has(store: Store) -> None:
    backtest = begun(store, 90)
    got: list[list[str]] = []
    barrier = threading.Barrier(6)

    def claim(owner: str) -> None:
        barrier.wait()
        got.append([todo.ticket_id for todo in store.backtests.claim(backtest.id, owner, NOW, NOW + 60)])

    threads = [threading.Thread(target=claim, args=(f"owner {number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    every = [ticket for chunk in got for ticket in chunk]
    assert len(every) == len(set(every))
    assert max(map(len, got)) == CHUNK
    progress = store.backtests.progress(backtest.id, NOW)
    assert progress.states["running"] == len(every)
    assert progress.wanted == 90


def test_a_lease_that_ran_out_is_anybodys_and_its_holder_writes_nothing(store: Store) -> None:
    book, backtest = store.backtests, begun(store, 1)
    assert book.claim(backtest.id, "first", NOW, NOW + 60)
    assert book.claim(backtest.id, "second", NOW + 30, NOW + 90) == []
    book.renew(backtest.id, "first", NOW + 100)
    assert book.claim(backtest.id, "second", NOW + 90, NOW + 150) == []
    (todo,) = book.claim(backtest.id, "second", NOW + 101, NOW + 161)
    assert todo.attempts == 2
    assert not book.finish_ticket(backtest.id, "0", "first", NOW, answer={"late": 1})
    assert book.finish_ticket(backtest.id, "0", "second", NOW, answer={"on": "time"})
    assert [one.answer for one in book.looked(backtest.id)] == [{"on": "time"}]


def test_what_is_given_back_counts_as_no_attempt(store: Store) -> None:
    book, backtest = store.backtests, begun(store, 3)
    book.claim(backtest.id, "me", NOW, NOW + 60)
    assert book.release(backtest.id, ["me"]) == 3
    assert [todo.attempts for todo in book.claim(backtest.id, "you", NOW, NOW + 60)] == [1, 1, 1]
    assert book.progress(backtest.id, NOW).owners == {"you"}
    assert book.progress(backtest.id, NOW + 61).owners == frozenset()


def test_a_customers_earlier_tickets_are_those_of_the_month_before(store: Store) -> None:
    book = store.backtests
    backtest = book.begin("acme", "a", "p", (0.0, NOW), NOW, None)
    times = {"now": 0.0, "yesterday": DAY, "last month": MONTH_SECONDS - 1, "long ago": MONTH_SECONDS + 1}
    found = [Found(name, NOW - ago, "ada", wanted=name == "now") for name, ago in times.items()]
    book.add(backtest, [*found, Found("later", NOW + 5, "ada", wanted=False), Found("bob's", NOW - 5, "bob")], "1")
    book.close_list(backtest.id, 10)
    todo = {one.ticket_id: one.earlier for one in book.claim(backtest.id, "me", NOW, NOW + 60)}
    assert todo == {"now": 2, "bob's": 0}


def test_what_tandem_wrote_itself_is_known(store: Store) -> None:
    run, _ = store.runs.claim("acme", "7", "created", owner="w", now=NOW, lease_until=NOW + 60)
    effect = store.effects.plan(run.id, "note", {"group": "Security"}, NOW)
    store.effects.confirm(effect, NOW, after={"group": "Security"})
    assert store.backtests.set_by_us("acme", ["7", "8"]) == {"7": {"group"}}
    assert store.backtests.set_by_us("globex", ["7"]) == {}


def test_it_is_done_when_it_was_begun_and_forgotten_when_it_is_old(store: Store) -> None:
    book, backtest = store.backtests, begun(store, 2, requester="ada")
    for todo in book.claim(backtest.id, "me", NOW, NOW + 60):
        plain = kept(answer(cost_usd=0.25, evidence=["my secret words"], auto_response_draft="Dear Ada"))
        assert "secret" not in str(plain)
        assert "Ada" not in str(plain)
        book.finish_ticket(backtest.id, todo.ticket_id, "me", NOW, answer=plain, cost_usd=0.25)
    book.finish(backtest.id, NOW + 1)
    done = book.get(backtest.id)
    assert done
    assert (done.state, done.finished_at) == ("done", NOW + 1)
    assert book.spent_since(NOW - 1) == pytest.approx(0.5)
    assert book.spent_since(NOW + 1) == 0
    assert book.in_period(done) == 2
    assert book.drop(NOW) == 0
    assert book.drop(NOW + 1) == 1
    assert book.get(backtest.id) is None
    assert book.looked(backtest.id) == []
