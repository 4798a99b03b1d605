"""How many webhooks the web process takes, against a bare Flask route under the same server, in turn.

The whole way is measured: signature, row in the inbox, wake-up in the queue. Beside it what a repeated webhook costs,
the same with ten times the rows and twenty desks, and how soon an idle worker begins.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from redis import Redis
from sqlalchemy import text

from benchmarks.load import CONNECTIONS, Sender, Shot, sender, webhook
from benchmarks.result import Figure, Result
from benchmarks.servers import NO_POSTGRESQL, SECRET, Web, databases, stack, start_bare, start_web, wait_for
from commands.stack import Stack
from triage.store import Store, open_store
from triage.store.deliveries import RECEIVED
from triage.store.marks import EVERY_DESK, WORKER
from triage.store.migrate import migrate

ROUNDS, REQUESTS = 7, 3000
SHORT_ROUNDS, SHORT_REQUESTS = 1, 150
ROWS, SHORT_ROWS = 100_000, 1000
DESKS = 20
SINGLES, SHORT_SINGLES = 200, 8
QUIET_SECONDS = 30.0
# Filling takes statements longer than any of Tandem's own.
PATIENCE_SECONDS = 900.0
SHARE, P99_RATIO, P99_MS, DUPLICATE, START_P50_MS, START_P99_MS = 0.40, 3.0, 250.0, 0.8, 25.0, 100.0
# What ten times the rows may cost; an index of ten times the rows is one step deeper at most.
GROWTH = 1.5
NUMBERS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count) SELECT {} FROM n",
    "postgresql": "SELECT {} FROM generate_series(1, :count) AS n(i)",
}


@dataclass
class Side:
    """One of the servers that are compared, and what was measured of it by round."""

    web: Web
    desks: Sequence[str]
    shots: list[Shot] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    """Microseconds a request."""

    def fire(self, sending: Sender, requests: Sequence[bytes]) -> None:
        """Send these and write down what it took."""
        used = self.web.cpu()
        self.shots.append(sending.fire(self.web.port, requests))
        self.cpu.append(1e6 * (self.web.cpu() - used) / len(requests))

    def requests(self, turn: int, count: int) -> list[bytes]:
        """Return signed webhooks of which none came before, over all desks."""
        numbers = range(1 + turn * count, 1 + (turn + 1) * count)
        return [webhook(self.desks[number % len(self.desks)], SECRET, number, "new") for number in numbers]


def run(short: bool) -> Result:
    """Measure on each database that can be had here."""
    rounds, requests = (SHORT_ROUNDS, SHORT_REQUESTS) if short else (ROUNDS, REQUESTS)
    figures: list[Figure] = []
    busy: list[float] = []
    with databases("few", "many") as found, sender() as sending:
        for name, (few, many) in found.items():
            rows = SHORT_ROWS if short else ROWS
            for url, count in ((few, rows), (many, 10 * rows)):
                _fill(url, count)
            figures += _measured(name, few, many, sending, rounds, requests, busy)
        figures += _starts(found["SQLite"][0], sending, SHORT_SINGLES if short else SINGLES)
    notes = [
        f"{CONNECTIONS} connections, 2 KB signed bodies; {rounds} rounds of {requests}, servers in turn,",
        "medians of the rounds' ratios; processor time is the web process's alone;",
        f"the sender was busy for at most {max(busy):.0%} of the time",
    ]
    return Result("ingest", figures, notes if "PostgreSQL" in found else [*notes, NO_POSTGRESQL])


def _measured(
    name: str, few: str, many: str, sending: Sender, rounds: int, requests: int, busy: list[float]
) -> list[Figure]:
    with stack(DESKS) as running:
        bare = Side(start_bare(running), ["a"])
        full = Side(start_web(running, few), ["a"])
        large = Side(start_web(running, many), [f"a{number or ''}" for number in range(DESKS)])
        again = Side(full.web, ["a"])
        wait_for(running, bare.web, full.web, large.web)
        store, other = open_store(few), open_store(many)
        before = _rows(store)
        queue = Redis(unix_socket_path=running.environment["REDIS_URL"].removeprefix("redis+socket://"))
        messages = 0
        for turn in range(rounds + 1):
            for side in (bare, full, large):
                side.fire(sending, side.requests(turn, requests))
            for one in (store, other):
                wait_until_told(one)
            waiting = int(queue.llen("triage"))
            again.fire(sending, full.requests(turn, requests))
            time.sleep(0.5)
            messages += int(queue.llen("triage")) - waiting
            if turn == 0:
                # The first round warms up.
                for side in (bare, full, large, again):
                    side.shots.clear()
                    side.cpu.clear()
        stored = _rows(store) - before
        for one in (store, other):
            one.engine.dispose()
        queue.close()
    shots = [shot for side in (bare, full, large, again) for shot in side.shots]
    busy += [shot.cpu / shot.seconds for shot in shots]
    return [
        *_figures(name, bare, full, large, again),
        Figure(f"{name}: answers that are not 2xx", sum(shot.failures() for shot in shots), "", 0, counted=True),
        Figure(f"{name}: webhooks without a row", (rounds + 1) * requests - stored, "", 0, counted=True),
        Figure(f"{name}: messages for duplicates", messages, "", 0, counted=True),
    ]


def _figures(name: str, bare: Side, full: Side, large: Side, again: Side) -> list[Figure]:
    def ratio(mine: Sequence[float], others: Sequence[float]) -> float:
        return median(one / other for one, other in zip(mine, others, strict=True))

    def rates(side: Side) -> list[float]:
        return [shot.rate for shot in side.shots]

    def late(side: Side) -> list[float]:
        return [shot.percentile(0.99) for shot in side.shots]

    return [
        Figure(f"{name}: bare route", median(rates(bare)), "req/s"),
        Figure(f"{name}: ingest", median(rates(full)), "req/s"),
        Figure(f"{name}: ingest to bare, rate", ratio(rates(full), rates(bare)), "", SHARE, at_least=True),
        Figure(f"{name}: bare route, CPU", median(bare.cpu), "us"),
        Figure(f"{name}: ingest, CPU", median(full.cpu), "us"),
        Figure(f"{name}: ingest to bare, CPU", ratio(full.cpu, bare.cpu), "x"),
        Figure(f"{name}: bare route, p99", median(late(bare)), "ms"),
        Figure(f"{name}: ingest, p50", median(shot.percentile(0.5) for shot in full.shots), "ms"),
        Figure(f"{name}: ingest, p99", median(late(full)), "ms", P99_MS),
        Figure(f"{name}: ingest to bare, p99", ratio(late(full), late(bare)), "x", P99_RATIO),
        Figure(f"{name}: duplicate to new, CPU", ratio(again.cpu, full.cpu), "x", DUPLICATE),
        Figure(f"{name}: 10 x rows, {DESKS} desks, rate", ratio(rates(large), rates(full)), "x"),
        Figure(f"{name}: 10 x rows, {DESKS} desks, CPU", ratio(large.cpu, full.cpu), "x", GROWTH),
    ]


def _starts(url: str, sending: Sender, count: int) -> list[Figure]:
    """Measure the time from the answer to a webhook until an idle worker has claimed its run, one at a time."""
    took = []
    with stack() as running:
        running.environment["DATABASE_URL"] = url
        begun = time.time()
        web, store = start_web(running, url), open_store(url)
        running.manage("worker")
        wait_for(running, web)
        running.wait_for("worker", lambda: (store.cursors.get(EVERY_DESK, WORKER) or ("", 0.0))[1] >= begun)
        # The first one opens connections on both sides.
        for number in range(count + 1):
            ticket = 10_000_000 + number
            shot = sending.fire(web.port, [webhook("a", SECRET, ticket, "single")], 1)
            if shot.failures():
                raise RuntimeError("a single webhook was refused")
            started = _started_at(running, store, str(ticket))
            took.append(1000 * (started - shot.ended_at))
        store.engine.dispose()
    ordered = sorted(took[1:])
    return [
        Figure("accepted to started, idle, p50", median(ordered), "ms", START_P50_MS),
        Figure("accepted to started, idle, p99", ordered[int(0.99 * len(ordered))], "ms", START_P99_MS),
    ]


def _started_at(running: Stack, store: Store, ticket: str) -> float:
    running.wait_for("the run", lambda: store.runs.of_ticket("a", ticket) is not None, 30)
    run = store.runs.of_ticket("a", ticket)
    assert run and run.started_at
    return run.started_at


def wait_until_told(store: Store) -> None:
    """Wait for the wake-ups that are still on their way."""
    end = time.monotonic() + QUIET_SECONDS
    while store.deliveries.counts(RECEIVED).get(RECEIVED):
        if time.monotonic() > end:
            raise RuntimeError(f"deliveries were stored {QUIET_SECONDS:.0f} s ago and are not queued")
        time.sleep(0.05)


def _rows(store: Store) -> int:
    return sum(store.deliveries.counts().values())


def _fill(url: str, count: int) -> None:
    """Make the tables, and store that many closed deliveries of the last 30 days."""
    store, now = open_store(url, PATIENCE_SECONDS), time.time()
    migrate(store.engine)
    number = "CAST(i AS VARCHAR(40))"
    columns = "desk, key, ticket_id, event, state, reason, attempts, wakeups, received_at, finished_at"
    at = f"{now} - ({count} - i) * {30 * 86_400 / count}"
    values = f"'a', 'old:' || {number}, {number}, 'created', 'done', '', 1, 0, {at}, {at} + 2"
    with store.engine.begin() as connection:
        statement = f"INSERT INTO deliveries ({columns}) {NUMBERS[store.engine.dialect.name].format(values)}"
        connection.execute(text(statement), {"count": count})
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")
    store.engine.dispose()
