"""What to work on first: learned from the clocks in the database, cut to what a team can do."""

from __future__ import annotations

import json
import re
import time
from dataclasses import replace

import pytest
from sla_data import DAY, clock, ended, history, put
from test_sla_sweep import Bench

from triage.foresight import FIRST_MONDAY, HOUR, WEEK, Habits, Pace, Rates
from triage.settings import Settings
from triage.sla_report import OpenClock
from triage.store import Store
from triage.work_list import NOT_ENOUGH, Learned, work_lists
from webhooks.sla_page import how
from workers.foresight import LEARN_EVERY_SECONDS, LEAST_REPLIES, chance, learn, refresh

NOW = FIRST_MONDAY + 2960 * WEEK + 10 * HOUR  # a Monday, 10:00
KNOWN = Learned(Pace(Rates((3.0,) * 168)), Habits(), 500, NOW - 8 * WEEK)


def waiting(name: str, hours_left: float, priority: str = "P2_medium", team: str = "billing") -> OpenClock:
    row = clock(0, NOW, ticket_id=name, due_at=NOW + hours_left * HOUR, priority=priority, team=team)
    return OpenClock(**{key: row[key] for key in OpenClock.__dataclass_fields__})


def names(rows: tuple[object, ...]) -> list[str]:
    return [row.clock.ticket_id for row in rows]  # type: ignore[attr-defined]


class TestLists:
    def test_cut_to_what_the_team_can_do(self) -> None:
        queue = [waiting(str(number), 5 + number) for number in range(8)]
        [found] = work_lists(queue, {("acme", "billing"): KNOWN}, NOW)
        assert names(found.first) == ["0", "1", "2"]
        assert (found.later, found.capacity, found.lost) == (5, 3.0, ())
        assert how(found) == "about 3 answers to expect in this time"
        assert all(one.probability is not None and 0 < one.probability < 1 for one in found.first)

    def test_gives_up_what_costs_least(self) -> None:
        queue = [waiting(str(number), 1) for number in range(4)] + [waiting("urgent", 1, "P0_critical")]
        [found] = work_lists(queue, {("acme", "billing"): KNOWN}, NOW)
        assert "urgent" in names(found.first)
        assert len(found.too_many) == 2
        assert "urgent" not in names(found.too_many)

    def test_late_ones_are_named_apart(self) -> None:
        queue = [waiting("late", -1), waiting("ok", 5)]
        [found] = work_lists(queue, {("acme", "billing"): KNOWN}, NOW)
        assert (names(found.first), names(found.late), names(found.too_many)) == (["ok"], ["late"], [])
        assert found.late[0].probability == 1.0

    @pytest.mark.parametrize("known", [{}, {("acme", "billing"): KNOWN}])
    def test_of_the_late_ones_the_most_important_come_first(self, known: dict[tuple[str, str], Learned]) -> None:
        queue = [waiting("P2 long", -9), waiting("P2", -1), waiting("P0", -4, "P0_critical"), waiting("P3", -5, "P3")]
        [found] = work_lists(queue, known, NOW)
        assert names(found.late) == ["P0", "P2 long", "P2", "P3"]

    def test_without_a_past_the_clock_decides_and_says_so(self) -> None:
        queue = [waiting("b", 2), waiting("a", 1, "P3_low"), waiting("late", -1)]
        [found] = work_lists(queue, {}, NOW)
        assert (names(found.first), names(found.late)) == (["a", "b"], ["late"])
        assert how(found) == NOT_ENOUGH == "not enough history: clock order"
        assert {one.probability for one in found.first} == {None}

    def test_each_team_has_its_own(self) -> None:
        queue = [waiting("1", 1), waiting("2", 1, team="security"), replace(waiting("3", 1), desk="globex")]
        assert {(one.desk, one.team) for one in work_lists(queue, {}, NOW)} == {
            ("acme", "billing"),
            ("acme", "security"),
            ("globex", "billing"),
        }


class TestLearning:
    def test_what_is_learned_is_kept(self, store: Store) -> None:
        put(store, history(NOW))
        teams = learn(store, "acme", NOW)
        kept = store.clock_views.learned(["acme", "other"])
        assert set(kept) == {("acme", "billing")}
        pace = kept["acme", "billing"].pace.replies
        assert pace.hourly == pytest.approx(teams["billing"].pace.replies.hourly, abs=1e-4)
        # Twelve a day.
        assert pace.expected(NOW, NOW + WEEK) == pytest.approx(84, rel=0.15)

    def test_a_breach_in_the_night_is_foreseen(self, store: Store) -> None:
        put(store, history(NOW, weeks=6, per_day=40))
        learn(store, "acme", NOW)
        by_day = chance(store, waiting("x", 1.5), NOW)
        evening = NOW + 9.5 * HOUR
        by_night = chance(store, replace(waiting("x", 11), started_at=evening - HOUR / 2), evening)
        assert by_day is not None and by_night is not None
        assert by_day < 0.35 < 0.6 < by_night

    def test_a_longer_queue_is_more_dangerous(self, store: Store) -> None:
        put(store, history(NOW))
        learn(store, "acme", NOW)
        one = waiting("x", 1.5)
        alone = chance(store, one, NOW)
        put(store, [clock(number, NOW, due_at=NOW + 1800) for number in range(30)])
        crowded = chance(store, one, NOW)
        assert alone is not None and crowded is not None
        assert alone < crowded

    def test_a_short_past_teaches_nothing(self, store: Store) -> None:
        put(store, [ended(number, NOW, NOW - number * HOUR) for number in range(1, LEAST_REPLIES)])
        assert learn(store, "acme", NOW) == {}
        # Enough answers, but of two days only.
        put(store, [ended(1000 + number, NOW, NOW - number * HOUR / 2) for number in range(1, 90)])
        assert learn(store, "acme", NOW) == {}
        assert chance(store, waiting("x", 1), NOW) is None

    def test_who_waits_for_ever_counts_as_late(self, sqlite_store: Store) -> None:
        put(sqlite_store, history(NOW))
        before = learn(sqlite_store, "acme", NOW)["billing"]
        rows = [
            clock(n, NOW, started_at=NOW - n * DAY / 8, due_at=NOW - n * DAY / 8 + 7200, stage="breached")
            for n in range(2, 80)
        ]
        put(sqlite_store, rows)
        after = learn(sqlite_store, "acme", NOW)["billing"]
        signs = (0.0, 0.0, 2.0, 1.0)
        assert after.habits.probability(signs) > before.habits.probability(signs)

    def test_refresh_learns_once_an_hour(self, sqlite_store: Store, settings: Settings) -> None:
        put(sqlite_store, history(NOW))
        refresh(settings, sqlite_store, NOW)
        refresh(settings, sqlite_store, NOW + 300)
        assert sqlite_store.clock_views.learned_at("acme") == NOW
        refresh(settings, sqlite_store, NOW + LEARN_EVERY_SECONDS)
        assert sqlite_store.clock_views.learned_at("acme") == NOW + LEARN_EVERY_SECONDS
        assert sqlite_store.clock_views.learned_at("nobody") is None

    def test_only_answers_have_a_chance(self, sqlite_store: Store) -> None:
        put(sqlite_store, history(NOW))
        learn(sqlite_store, "acme", NOW)
        assert chance(sqlite_store, replace(waiting("x", 1), metric="resolution"), NOW) is None
        assert chance(sqlite_store, waiting("x", -1), NOW) is None

    def test_what_is_kept_is_plain_text(self) -> None:
        back = Learned.from_json(json.loads(json.dumps(KNOWN.as_json())))
        assert back == KNOWN


class TestWarnings:
    """Message and note name the chance, and only where it is known."""

    def warned(self, store: Store) -> tuple[str, str]:
        bench = Bench(store, mode="note")
        bench.add(50)
        bench.due()
        bench.sweep()
        [(_, _, message)] = bench.phone.sent
        [note] = bench.desk.tickets["7"].notes
        return message, note.html

    def test_with_a_past(self, store: Store) -> None:
        now = time.time()
        put(store, history(now, team=""))
        learn(store, "acme", now)
        for said in self.warned(store):
            found = re.search(r"usual pace: (\d+)%", said)
            assert found
            assert 0 < int(found[1]) < 100

    def test_without(self, store: Store) -> None:
        for said in self.warned(store):
            assert "usual pace" not in said
