"""The rate-limit budget on a real Redis-protocol server, with the time handed in."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import pytest

from connectors import budget as budget_module
from connectors.budget import ACCOUNT, BULK_SPARE, MOST_ASIDE, SPARE, Budget, Need, Seen, connect
from connectors.budget import redis_url as spelt
from triage.errors import Wait

NOW = 1_700_000_000.0
TICKET = [Need(ACCOUNT, 5)]


@pytest.fixture
def account() -> str:
    """Return an account nobody else has counted on."""
    return uuid.uuid4().hex


@pytest.fixture
def budget(redis_url: str, account: str) -> Budget:
    """Return a fresh budget of 100 calls a minute."""
    return Budget(redis_url, account, 100)


def admitted(budget: Budget, now: float, most: int = 1000, needs: list[Need] = TICKET) -> int:
    """Return how many tickets get in at `now`."""
    for count in range(most):
        try:
            budget.admit(needs, now)
        except Wait:
            return count
    return most


def waits(budget: Budget, now: float, needs: list[Need] = TICKET) -> float:
    """Return the seconds a ticket is told to wait."""
    with pytest.raises(Wait) as raised:
        budget.admit(needs, now)
    return raised.value.seconds


class TestAdmit:
    def test_leaves_a_fifth_to_other_apps(self, budget: Budget) -> None:
        assert admitted(budget, NOW) * 5 == 100 * (1 - SPARE)

    def test_bulk_work_leaves_half_to_new_tickets(self, budget: Budget) -> None:
        for _ in range(2):
            budget.admit([Need(ACCOUNT, 20)], NOW, spare=BULK_SPARE)
        with pytest.raises(Wait):
            budget.admit([Need(ACCOUNT, 20)], NOW, spare=BULK_SPARE)
        assert admitted(budget, NOW) * 5 == 100 * (1 - SPARE) - 40

    def test_waits_until_the_window_ends(self, budget: Budget) -> None:
        sure = [Need(ACCOUNT, 5, 100, sure=True)]
        admitted(budget, NOW, needs=sure)
        assert 20 <= waits(budget, NOW + 40, sure) <= 25
        assert admitted(budget, NOW + 60, needs=sure) == 16

    def test_a_guessed_limit_is_asked_about_again_soon(self, budget: Budget) -> None:
        admitted(budget, NOW)
        assert 3 <= waits(budget, NOW) < 5
        budget.charge([Need(ACCOUNT, 1)], [Seen(ACCOUNT, 700, 699, 50)], now=NOW)
        assert admitted(budget, NOW) > 16

    def test_a_refused_ticket_costs_nothing(self, budget: Budget) -> None:
        admitted(budget, NOW)
        for _ in range(50):
            waits(budget, NOW + 1)
        assert admitted(budget, NOW + 60) == 16

    def test_calls_made_replace_the_promise(self, budget: Budget) -> None:
        for _ in range(4):
            budget.admit(TICKET, NOW)
            for _ in range(5):
                budget.charge([Need(ACCOUNT, 1)], now=NOW)
        assert admitted(budget, NOW) == 16 - 4

    def test_calls_put_aside_are_counted_with_the_next_question(self, redis_url: str, budget: Budget) -> None:
        budget.admit([Need(ACCOUNT, 3)])
        another = Budget(redis_url, budget.account, 100)
        for _ in range(3):
            budget.charge_soon([Need(ACCOUNT, 1)])
        # Still promised, so that nobody else gets them; another process does not see more than that.
        assert another.headroom(time.time()) == (100, 100)
        budget.admit([Need(ACCOUNT, 1)])
        assert another.headroom(time.time()) == (97, 100)

    def test_many_put_aside_wait_for_no_question(self, redis_url: str, budget: Budget) -> None:
        for _ in range(MOST_ASIDE):
            budget.charge_soon([Need(ACCOUNT, 1)])
        assert Budget(redis_url, budget.account, 100).headroom(time.time()) == (100 - MOST_ASIDE, 100)

    def test_where_little_is_left_others_learn_it_at_once(self, redis_url: str, budget: Budget) -> None:
        budget.charge_soon([Need(ACCOUNT, 1)], [Seen(ACCOUNT, 100, 40, 50)])
        assert Budget(redis_url, budget.account, 100).headroom(time.time()) == (40, 100)

    def test_a_begun_ticket_is_only_charged(self, budget: Budget) -> None:
        for _ in range(200):
            budget.charge([Need(ACCOUNT, 1)], now=NOW)
        assert waits(budget, NOW) > 0

    def test_a_tiny_account_gets_its_ticket(self, redis_url: str, account: str) -> None:
        tiny = Budget(redis_url, account, 4)
        assert admitted(tiny, NOW) == 1
        assert admitted(tiny, NOW + 60) == 1

    def test_the_scarcest_bucket_decides(self, budget: Budget) -> None:
        needs = [Need(ACCOUNT, 5), Need("tickets-update", 2, 20)]
        assert admitted(budget, NOW, needs=needs) == 8
        assert admitted(budget, NOW) == 16 - 8

    def test_accounts_do_not_share(self, redis_url: str, budget: Budget) -> None:
        admitted(budget, NOW)
        assert admitted(Budget(redis_url, "another" + budget.account, 100), NOW) == 16


class TestCorrection:
    def test_headers_replace_the_configured_limit(self, budget: Budget) -> None:
        budget.charge([Need(ACCOUNT, 1)], [Seen(ACCOUNT, 700, 560, 24)], now=NOW)
        assert admitted(budget, NOW) * 5 == 560 - 140
        assert 24 <= waits(budget, NOW) < 28
        assert admitted(budget, NOW + 24) * 5 == 560

    def test_what_other_apps_use_is_seen(self, budget: Budget) -> None:
        budget.charge([Need(ACCOUNT, 1)], [Seen(ACCOUNT, 100, 99, 50)], now=NOW)
        budget.charge([Need(ACCOUNT, 1)], [Seen(ACCOUNT, 100, 22, 40)], now=NOW + 10)
        assert waits(budget, NOW + 10) > 0

    def test_a_late_answer_does_not_bring_calls_back(self, budget: Budget) -> None:
        budget.charge([Need(ACCOUNT, 1)], [Seen(ACCOUNT, 100, 30, 40)], now=NOW)
        budget.charge([Need(ACCOUNT, 1)], [Seen(ACCOUNT, 100, 90, 40)], now=NOW)
        assert admitted(budget, NOW) <= 2

    def test_a_new_window_of_the_vendor_is_taken_over(self, budget: Budget) -> None:
        budget.charge([Need(ACCOUNT, 1)], [Seen(ACCOUNT, 100, 0, 5)], now=NOW)
        budget.charge([Need(ACCOUNT, 1)], [Seen(ACCOUNT, 100, 99, 60)], now=NOW + 5)
        assert admitted(budget, NOW + 5) == 15

    def test_headers_without_a_reset_are_believed(self, budget: Budget) -> None:
        budget.charge([Need(ACCOUNT, 3)], [Seen(ACCOUNT, 400, 90)], now=NOW)
        assert admitted(budget, NOW) == (90 - 80) // 5
        assert admitted(budget, NOW + 61) == 320 // 5

    def test_an_endpoints_own_limit_is_kept_apart(self, budget: Budget) -> None:
        budget.charge([Need(ACCOUNT, 1)], [Seen("tickets-update", 100, 20, 41)], now=NOW)
        assert 41 <= waits(budget, NOW, [Need("tickets-update", 2, 100)]) < 45
        assert admitted(budget, NOW) > 10

    def test_a_worker_that_only_guesses_does_not_lower_what_another_was_told(self, budget: Budget) -> None:
        guess, told = [Need("tickets-update", 1, 40)], [Need("tickets-update", 1, 280, sure=True)]
        # Both ways round: the one that has just begun may be the first of a minute.
        assert admitted(budget, NOW, most=10, needs=guess) == 10
        assert admitted(budget, NOW, needs=told) == 280 * (1 - SPARE) - 10
        assert admitted(budget, NOW + 60, most=100, needs=guess) == 100
        assert admitted(budget, NOW + 60, needs=told) == 280 * (1 - SPARE) - 100

    def test_a_limit_that_was_lowered_counts_at_once(self, budget: Budget) -> None:
        assert admitted(budget, NOW, most=50, needs=[Need("tickets-list", 1, 100, sure=True)]) == 50
        assert waits(budget, NOW, [Need("tickets-list", 1, 20, sure=True)]) >= 60

    def test_credits_count_as_the_vendor_says(self, budget: Budget) -> None:
        budget.charge([Need(ACCOUNT, 50)], now=NOW)
        assert admitted(budget, NOW) == 6


class TestClosed:
    def test_a_429_closes_the_account_for_everybody(self, redis_url: str, budget: Budget) -> None:
        budget.charge([Need(ACCOUNT, 1)], closed_for=34, now=NOW)
        somebody = Budget(redis_url, budget.account, 100)
        assert 24 <= waits(somebody, NOW + 10) < 28
        assert admitted(somebody, NOW + 34) > 0

    def test_a_shorter_one_does_not_open_it(self, budget: Budget) -> None:
        budget.charge([Need(ACCOUNT, 1)], closed_for=300, now=NOW)
        budget.charge([Need(ACCOUNT, 1)], closed_for=5, now=NOW)
        assert waits(budget, NOW + 100) >= 200


class TestShared:
    def test_threads_do_not_overspend(self, redis_url: str, account: str) -> None:
        counts: list[int] = []
        budgets = [Budget(redis_url, account, 100) for _ in range(8)]
        threads = [threading.Thread(target=lambda one=one: counts.append(admitted(one, NOW))) for one in budgets]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(counts) == 16

    def test_processes_do_not_overspend(self, redis_url: str, account: str) -> None:
        script = (
            "import sys; sys.path[:0] = ['.', 'tests']; from test_budget import *;"
            f"print(admitted(Budget({redis_url!r}, {account!r}, 100), NOW))"
        )
        root = Path(__file__).parents[1]
        running = [subprocess.Popen([sys.executable, "-c", script], cwd=root, stdout=subprocess.PIPE) for _ in range(2)]
        assert sum(int(one.communicate(timeout=60)[0]) for one in running) == 16

    def test_what_is_kept_expires(self, redis_url: str, budget: Budget) -> None:
        budget.admit(TICKET, NOW)
        assert 0 < connect(redis_url).ttl(f"tandem:budget:{budget.account}") <= budget_module.KEEP_SECONDS


class TestWithoutRedis:
    def test_no_url_counts_nothing(self, account: str) -> None:
        assert admitted(Budget("", account, 1), NOW, most=50) == 50

    def test_an_absent_one_lets_everybody_in_and_complains_once(
        self, tmp_path: Path, account: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        budget = Budget(f"redis+socket://{tmp_path}/none.sock", account, 100)
        for _ in range(50):
            budget.admit(TICKET, NOW)
            budget.charge([Need(ACCOUNT, 1)], now=NOW)
        assert [record.levelno for record in caplog.records] == [logging.WARNING]

    def test_a_hung_one_costs_a_second_and_not_one_per_call(self, account: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            budget = Budget(f"redis://127.0.0.1:{silent.getsockname()[1]}/0", account, 100)
            started = time.monotonic()
            for _ in range(20):
                budget.admit(TICKET, NOW)
            assert time.monotonic() - started < 3

    def test_it_counts_again_when_redis_is_back(
        self, redis_url: str, account: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(budget_module, "BLIND_SECONDS", 0.05)
        budget = Budget(redis_url, account, 100)
        budget._go_blind(OSError())
        assert admitted(budget, NOW, most=20) == 20
        time.sleep(0.06)
        assert admitted(budget, NOW) == 16


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("redis+socket:///tmp/r.sock", "unix:///tmp/r.sock"),
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("rediss://:secret@host/1", "rediss://:secret@host/1"),
    ],
)
def test_celerys_url_is_spelt_for_redis(given: str, expected: str) -> None:
    assert spelt(given) == expected


class TestHeadroom:
    def test_tells_what_is_left_of_this_minute(self, budget: Budget) -> None:
        assert budget.headroom(NOW) is None
        budget.charge(TICKET, now=NOW)
        assert budget.headroom(NOW + 1) == (95, 100)
        assert budget.headroom(NOW + 120) == (100, 100)

    def test_a_redis_that_is_away_tells_nothing(self) -> None:
        assert Budget("redis://127.0.0.1:1/0", "acme", 100).headroom(NOW) is None
        assert Budget("", "acme", 100).headroom(NOW) is None
