"""Numbers over all clocks: counted right on both databases, by team and priority and week, at little cost."""

from __future__ import annotations

from typing import Any

import pytest
from sla_data import DAY, clock, ended, put
from sqlalchemy import event

from triage.sla_report import WEEK, WEEKS, Line, monday_of, report, week_of
from triage.store import Store

NOW = monday_of(week_of(1_795_350_000.0)) + 2.5 * DAY  # a Wednesday


def shown(store: Store, desk: str = "") -> Any:
    since = monday_of(week_of(NOW) - WEEKS + 1)
    outcomes = [one for one in store.clock_views.outcomes(since, NOW) if desk in ("", one.desk)]
    return report(store.clock_views.standings(desk), outcomes, NOW, since, NOW)


def test_weeks_begin_on_monday() -> None:
    assert week_of(monday_of(2956)) == 2956
    assert week_of(monday_of(2956) - 1) == 2955
    assert monday_of(0) == 4 * DAY  # 5 January 1970


def test_counts_what_is_open_and_what_has_ended(store: Store) -> None:
    put(
        store,
        [
            clock(1, NOW),
            clock(2, NOW, stage="at_risk", team="security", source="helpdesk"),
            clock(3, NOW, stage="breached", state="breached", due_at=NOW - 60, team="security"),
            clock(4, NOW, state="paused", due_at=None, desk="globex", metric="resolution"),
            ended(5, NOW, NOW - DAY),
            ended(6, NOW, NOW - DAY, late=True, priority="P0_critical"),
            ended(7, NOW, NOW - WEEK, team=""),
            clock(8, NOW, state="cancelled", ended_at=NOW - DAY, stage="breached"),
            ended(9, NOW, NOW - 20 * WEEK),
        ],
    )
    found = shown(store)
    assert found.total == Line("all", on_time=2, at_risk=1, breached=1, met=2, missed=2)
    assert found.total.attainment == 0.5
    # Breached and at risk come first.
    assert [line.name for line in found.teams] == ["security", "billing", "no team"]
    assert found.teams[0] == Line("security", at_risk=1, breached=1, missed=1)
    assert {line.name: line.missed for line in found.priorities} == {"P0_critical": 1, "P2_medium": 1}
    assert [(line.met, line.missed) for line in found.weeks[-2:]] == [(1, 0), (1, 2)]
    assert len(found.weeks) == WEEKS
    assert found.sources == {"policy": 3, "helpdesk": 1}
    assert shown(store, "globex").total == Line("all", on_time=1)


def test_nothing_at_all(store: Store) -> None:
    found = shown(store)
    assert found.total == Line("all")
    assert found.total.attainment is None
    assert found.teams == []
    assert store.clock_views.due_next(NOW, 5) == []


def test_a_late_clock_counts_once_in_the_week_it_broke(store: Store) -> None:
    put(store, [clock(1, NOW, stage="breached", state="breached", due_at=NOW - WEEK)])
    assert [line.missed for line in shown(store).weeks[-2:]] == [1, 0]
    put(store, [ended(2, NOW, NOW - 60, late=True)])
    assert shown(store).total.missed == 2


def test_who_is_due_next_and_who_is_late(store: Store) -> None:
    put(
        store,
        [
            clock(1, NOW, due_at=NOW + 300),
            clock(2, NOW, due_at=NOW + 100, metric="resolution"),
            clock(3, NOW, due_at=NOW - 100, desk="globex"),
            clock(4, NOW, due_at=NOW - 300),
            clock(5, NOW, due_at=None),
            ended(6, NOW, NOW - 50),
        ],
    )
    views = store.clock_views
    assert [one.ticket_id for one in views.due_next(NOW, 9)] == ["1002", "1001"]
    assert [one.ticket_id for one in views.due_next(NOW, 1)] == ["1002"]
    assert [one.ticket_id for one in views.due_next(NOW, 9, metrics=("first_response",))] == ["1001"]
    assert [one.ticket_id for one in views.overdue(NOW, 9)] == ["1003", "1004"]
    assert [one.ticket_id for one in views.overdue(NOW, 9, "globex")] == ["1003"]
    [first] = views.due_next(NOW, 1, metrics=("first_response",))
    assert views.due_before(first, NOW) == 0
    put(store, [clock(7, NOW, due_at=NOW + 200), clock(8, NOW, due_at=NOW + 200, team="security")])
    assert views.due_before(first, NOW) == 1


def test_outcomes_are_kept_for_a_while(store: Store) -> None:
    views, since = store.clock_views, monday_of(week_of(NOW) - 3)
    put(store, [ended(1, NOW, NOW - DAY)])
    first = views.kept_outcomes(since, NOW, 900)
    put(store, [ended(2, NOW, NOW - DAY)])
    assert views.kept_outcomes(since, NOW + 600, 900) == first
    assert [one.count for one in views.kept_outcomes(since, NOW + 901, 900)[0]] == [2]
    # Further back than what is kept: counted afresh; less far: cut.
    assert views.kept_outcomes(since - 5 * WEEK, NOW + 902, 900)[1] == NOW + 902
    assert views.kept_outcomes(since + 3 * WEEK, NOW + 903, 900)[1] == NOW + 902


@pytest.mark.parametrize("many", [500])
def test_views_read_an_index_and_no_row_twice(sqlite_store: Store, many: int) -> None:
    """With 1,000,000 clocks a page must not read the table: that the planner keeps to the indexes is checked here."""
    put(sqlite_store, [clock(number, NOW) for number in range(many)])
    put(sqlite_store, [ended(many + number, NOW, NOW - number * 600) for number in range(many)])
    plans: list[str] = []

    def explain(connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT") and "FROM clocks" in statement:
            raw = connection.connection.cursor()
            raw.execute("EXPLAIN QUERY PLAN " + statement, parameters)
            plans.extend(row[-1] for row in raw.fetchall() if "clocks" in row[-1])

    event.listen(sqlite_store.engine, "before_cursor_execute", explain)
    views = sqlite_store.clock_views
    views.standings()
    views.outcomes(NOW - DAY, NOW)
    [first] = views.due_next(NOW, 1, "acme", ("first_response",))
    views.overdue(NOW, 20, "acme")
    views.replies("acme", NOW - 8 * WEEK, 100)
    views.due_before(first, NOW)
    assert len(plans) >= 7
    assert not [plan for plan in plans if "ix_clocks_" not in plan], plans
