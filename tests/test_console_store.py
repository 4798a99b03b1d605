"""What the console asks the database, on both kinds: pages by key, day counts, and that no search reads everything."""

from __future__ import annotations

import time

import pytest
from console_data import fill
from sqlalchemy import event, text
from test_console import FakeWakeup, bury, receive, run_of

from benchmarks import console as benchmark
from triage.environment import Environment
from triage.settings import Settings
from triage.store import Store, audit, browse
from triage.store.audit import Sought
from triage.store.browse import Wanted
from triage.store.days import AGREED, DRAFTS, KEPT_DAYS, MODELS, PAIRS, RUNS, day_of
from triage.store.deliveries import DEAD
from webhooks.app import create_app
from webhooks.login import User
from webhooks.words import bars, line, messages, pretty, usd, value

NOW = 1_800_000_000.0
# Tables that grow with every ticket: none of them may be read as a whole.
LARGE = ("deliveries", "runs", "outcomes", "effects", "audit", "clocks")


class TestBrowse:
    def test_pages_go_on_where_the_last_one_ended(self, store: Store) -> None:
        fill(store, NOW, 60)
        seen, after = [], None
        while True:
            page = store.browse.deliveries(Wanted(), after, limit=7)
            seen += [row.id for row in page.rows]
            after = page.further
            if after is None:
                break
        assert seen == sorted(seen, reverse=True)
        assert len(seen) == 60

    def test_rows_of_one_moment_are_neither_lost_nor_twice(self, store: Store) -> None:
        ids = [
            store.deliveries.receive("acme", str(number), ticket_id="1", event="e", body=b"", now=NOW).id
            for number in range(5)
        ]
        first = store.browse.deliveries(Wanted(desks=("acme",)), limit=2)
        second = store.browse.deliveries(Wanted(desks=("acme",)), first.further, limit=9)
        assert [row.id for row in (*first.rows, *second.rows)] == ids[::-1]

    def test_a_search_ends_and_says_how_far_it_came(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(browse, "SCANNED", 10)
        fill(store, NOW, 35)
        store.deliveries.receive("globex", "old", ticket_id="1", event="e", body=b"", now=1.0)
        seen, after, pages = [], None, 0
        while True:
            page = store.browse.deliveries(Wanted(desks=("globex",)), after)
            seen += [row.key for row in page.rows]
            pages, after = pages + 1, page.further
            if after is None:
                break
            assert page.looked_back_to is not None
        assert seen == ["old"]
        assert pages == 4

    def test_wildcards_of_the_database_are_letters(self, store: Store) -> None:
        receive(store, "a")
        assert store.browse.deliveries(Wanted(event="%")).rows == []
        assert len(store.browse.deliveries(Wanted(event="crea")).rows) == 1
        assert store.browse.runs(Wanted(classifier="_")).rows == []

    def test_a_sample_is_spread_over_the_period(self, store: Store) -> None:
        ids = fill(store, NOW, 100)
        found = [run.id for run in store.browse.sample("acme", NOW - 7 * 86_400, 10)]
        assert len(found) in range(8, 11)
        assert found[0] >= ids[49]
        assert found[-1] - found[0] > 35
        assert store.browse.sample("globex", 0, 10) == []
        assert store.browse.sample("acme", NOW + 1, 10) == []


class TestRecord:
    def test_holds_what_belongs_to_the_ticket_alone(self, store: Store) -> None:
        fill(store, NOW, 50)
        fill(store, NOW, 50, "globex")
        record = store.tickets.record("acme", "70045")
        assert [(one.run.desk, one.run.ticket_id) for one in record.runs] == [("acme", "70045")]
        assert [row.ticket_id for row in record.deliveries] == ["70045"]
        one = record.runs[0]
        assert {effect.kind for effect in one.effects} == {"note", "tags"}
        assert [row.purpose for row in one.exchanges] == ["classify"]
        assert [row.answer for row in one.questions] == ["Yes"]
        assert {row.verdict for row in one.votes} >= {"right"}
        assert store.tickets.record("nobody", "70045").runs == []

    def test_a_body_is_the_desks_own(self, store: Store) -> None:
        row = store.deliveries.receive("acme", "k", ticket_id="7", event="e", body=b"raw", now=NOW)
        found = store.tickets.body("acme", row.id)
        assert found is not None
        assert found[1] == b"raw"
        assert store.tickets.body("globex", row.id) is None


class TestDays:
    def test_count_what_the_rows_say(self, store: Store) -> None:
        fill(store, NOW, 140)
        store.days.refresh(NOW)
        first, today = day_of(NOW) - 20, day_of(NOW)

        def total(name: str) -> dict[str, tuple[int, float]]:
            return {one.key: (one.count, round(one.amount, 6)) for one in store.days.total(name, first, today)}

        runs = store.runs.recent(500)
        done = [run for run in runs if run.state == "done"]
        assert total(RUNS)["done"][0] == len(done)
        cost = sum(run.cost_usd for run in runs)
        assert sum(amount for _, amount in total(MODELS).values()) == pytest.approx(cost, abs=1e-6)
        texts = [run for run in done if (run.draft or {}).get("text")]
        withheld = [run for run in done if (run.draft or {}).get("withheld")]
        assert (total(DRAFTS)["ready"][0], total(DRAFTS)["withheld"][0]) == (len(texts), len(withheld))
        agreement = store.outcomes.agreement("acme", 0, NOW + 1)
        assert total(AGREED) == {name: (one.n, float(one.agreed)) for name, one in agreement.items()}
        assert sum(count for count, _ in total(PAIRS).values()) == sum(one.overridden for one in agreement.values())

    def test_counting_again_changes_nothing(self, store: Store) -> None:
        fill(store, NOW, 30)
        store.days.refresh(NOW)
        before = store.days.of(RUNS, 0, day_of(NOW))
        store.days.refresh(NOW + 300)
        assert store.days.of(RUNS, 0, day_of(NOW)) == before

    def test_an_old_day_is_counted_again_in_its_turn(self, store: Store) -> None:
        store.days.refresh(NOW)
        run_of(store, "1")
        with store.engine.begin() as connection:
            connection.execute(text("UPDATE runs SET created_at = :at"), {"at": NOW - 40 * 86_400})
        for number in range(KEPT_DAYS):
            store.days.refresh(NOW + 1 + number)
        assert [(one.day, one.count) for one in store.days.of(RUNS, 0, day_of(NOW))] == [(day_of(NOW) - 40, 1)]

    def test_who_reads_counts_only_what_the_worker_has_not(self, store: Store) -> None:
        fill(store, NOW, 30)
        store.days.catch_up(NOW, seconds=60)
        assert sum(one.count for one in store.days.total(RUNS, 0, day_of(NOW))) == 30
        run_of(store, "1")
        with store.engine.begin() as connection:
            connection.execute(text("UPDATE runs SET created_at = :at WHERE ticket_id = '1'"), {"at": NOW})
        store.days.catch_up(NOW + 60)
        assert sum(one.count for one in store.days.total(RUNS, 0, day_of(NOW))) == 30
        store.days.catch_up(NOW + 1000)
        assert sum(one.count for one in store.days.total(RUNS, 0, day_of(NOW))) == 31


class TestAudit:
    def test_a_search_ends_and_can_go_on(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(audit, "SCANNED", 4)
        for number in range(10):
            store.audit.record("link" if number == 0 else "console:admin", "vote", NOW + number)
        found, further = store.audit.search(Sought(actor="link"), 5)
        pages = 1
        while further is not None:
            more, further = store.audit.search(Sought(actor="link"), 5, further)
            found, pages = [*found, *more], pages + 1
        assert [entry.at for entry in found] == [NOW]
        assert pages == 3


class TestPlans:
    """No page may read a whole table; on PostgreSQL small tables are always read whole, so SQLite's plans tell."""

    def test_no_page_reads_a_table_from_end_to_end(self, sqlite_store: Store, settings: Settings) -> None:
        benchmark.fill(sqlite_store, 2000, 500, time.time())
        bury(sqlite_store, "x")
        environment = Environment.model_validate({"console_password": "a-good-password", "secret_key": "k" * 32})
        desks = {"a": settings.desks["acme"], "b": settings.desks["globex"]}
        known = settings.model_copy(update={"desks": desks})
        client = create_app(environment, known, sqlite_store, FakeWakeup()).test_client()
        with client.session_transaction(base_url="http://localhost/console/") as session:
            session |= {"id": "x", "since": time.time(), "name": User("admin", "admin").name, "role": "admin"}
        sqlite_store.days.refresh(time.time())
        asked: list[tuple[str, object]] = []
        event.listen(sqlite_store.engine, "before_cursor_execute", lambda *given: asked.append((given[2], given[3])))
        for page in benchmark.PAGES.values():
            path = page.format(ticket=1000, far=time.time(), day="2026-11-01")
            assert client.get(path).status_code == 200, path
        assert len(asked) > 40
        scans = set()
        with sqlite_store.engine.connect() as connection:
            for statement, parameters in set(map(_hashable, asked)):
                if not statement.lstrip().upper().startswith("SELECT"):
                    continue
                plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
                scans |= {(row[3], statement) for row in plan if _reads_all(row[3])}
        assert scans == set()


def _hashable(asked: tuple[str, object]) -> tuple[str, tuple[object, ...]]:
    return asked[0], tuple(asked[1])  # type: ignore[call-overload]


def _reads_all(step: str) -> bool:
    """Say whether a step of a plan walks a whole large table; through an index of all it needs, a LIMIT ends it."""
    words = step.split()
    return words[0] == "SCAN" and words[1] in LARGE and "INDEX" not in words


class TestWords:
    def test_values_are_on_one_line(self) -> None:
        assert value({"tags": ["a", "b"], "group_id": None}) == "tags: a, b; group id: –"
        assert (value(None), value(0), value(False)) == ("–", "0", "False")

    def test_money_shows_the_digits_that_matter(self) -> None:
        assert (usd(0), usd(0.00214), usd(1234.5)) == ("$0", "$0.0021", "$1,234.50")

    def test_what_was_sent_is_told_apart_by_role(self) -> None:
        assert messages('[{"role": "user", "content": "hi"}]') == [("user", "hi")]
        assert messages('{"messages": [{"role": "system", "content": ["a"]}]}') == [("system", '[\n  "a"\n]')]
        assert messages("no json") == [("", "no json")]
        assert pretty("no json") == "no json"

    def test_charts(self) -> None:
        assert line([1.0, None, 0.5]) == "0.0,0.0 320.0,40.0"
        assert bars([0.0, 2.0]) == [(16.0, 80.0, 128.0, 0.0), (176.0, 0.0, 128.0, 80.0)]
        assert bars([]) == []


def test_dead_letters_are_grouped_over_one_desk_or_all(store: Store) -> None:
    bury(store, "a", "one")
    bury(store, "b", "two")
    assert sorted(store.deliveries.reasons(DEAD, "", 10)) == ["one", "two"]
    assert store.deliveries.reasons(DEAD, "globex", 10) == []
    assert store.deliveries.newest_of("acme") is not None
    assert store.deliveries.newest_of("globex") is None
