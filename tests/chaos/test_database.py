"""The database is locked, full, restarted, read-only or out of connections: a webhook is stored or asked for again.

Never 202 without a row, else 503 with Retry-After; nothing half written; it goes on by itself afterwards.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from tests.chaos.conftest import Scale, together
from tests.chaos.disk import Disk, small_disk
from tests.chaos.house import House, One
from tests.chaos.postgres import Postgres, own_postgres
from tests.chaos.sender import Sender
from triage.store.engine import reader_of
from webhooks.wsgi import PATIENCE_SECONDS

# A run that was under way has a lease of 30 s, and the sweep comes by every 5 s.
BACK_SECONDS = 60.0
LONG, SHORT = 20.0, 6.0
SQLITE_MEGABYTES, POSTGRES_MEGABYTES = 48, 220
LOCK = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
time.sleep(float(sys.argv[2]))
connection.execute("ROLLBACK")
"""
# What must never be found, wherever a statement or a commit was cut off.
HALF_WRITTEN = {
    "a run that is over and says nothing": "SELECT count(*) FROM runs WHERE state = 'done'"
    " AND (finished_at IS NULL OR classification IS NULL OR decision IS NULL OR lease_until IS NOT NULL)",
    "a run that is over with a write nobody has confirmed": "SELECT count(*) FROM effects JOIN runs"
    " ON runs.id = effects.run_id WHERE runs.state = 'done' AND effects.state IN ('planned', 'sent')",
    "a closed delivery that is due": "SELECT count(*) FROM deliveries"
    " WHERE state NOT IN ('received', 'queued') AND (due_at IS NOT NULL OR finished_at IS NULL)",
    "an open delivery nobody will look at": "SELECT count(*) FROM deliveries"
    " WHERE state IN ('received', 'queued') AND due_at IS NULL",
    "two runs of one occasion": "SELECT count(*) FROM (SELECT 1 FROM runs"
    " GROUP BY desk, ticket_id, occasion HAVING count(*) > 1) AS twice",
}


def locked(house: House, seconds: float) -> None:
    """Hold SQLite's only write lock in another process, for longer than a webhook waits."""
    seconds = max(seconds, 2 * PATIENCE_SECONDS)
    subprocess.run([sys.executable, "-c", LOCK, _file(house), str(seconds)], check=True)


def disk_full(house: House, disk: Disk, seconds: float) -> None:
    """Leave no room on SQLite's disk, nor in the log it has there."""
    with sqlite3.connect(_file(house), timeout=30) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    disk.fill()
    time.sleep(seconds)
    disk.clear()


def restarted(server: Postgres, seconds: float) -> None:
    """Have it crash, and come back."""
    server.crash()
    time.sleep(seconds / 2)
    server.start()


def dropped(server: Postgres, seconds: float) -> None:
    """End sessions at random, in the middle of whatever they do."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        server.drop_connections(share=0.3)
        time.sleep(0.2)


def deadlocked(server: Postgres, seconds: float) -> None:
    """Take the locks of clocks in the order in which we do not, until somebody must give in: us, every time."""
    query = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    end, (before,) = time.monotonic() + seconds, server.say(query)[0]
    with server.session() as session:
        session.execute("SET deadlock_timeout = '30s'")
        while time.monotonic() < end:
            with session.transaction():
                session.execute("LOCK TABLE clocks IN EXCLUSIVE MODE")
                time.sleep(0.5)
                session.execute("LOCK TABLE watches IN EXCLUSIVE MODE")
    time.sleep(1)
    assert server.say("SELECT pg_stat_clear_snapshot()", query)[0][0] > before, "nobody was in the way of anybody"


def no_connections(server: Postgres, seconds: float) -> None:
    """Leave no connection to be had."""
    with server.nothing_left():
        time.sleep(seconds)


def read_only(server: Postgres, seconds: float) -> None:
    """Take no writes, as a server does that has become a replica."""
    server.say("ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
    time.sleep(seconds)
    server.say("ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()")


def postgres_disk_full(server: Postgres, disk: Disk, seconds: float) -> None:
    """Leave no room, and start the server again where it gave up over that."""
    disk.fill()
    time.sleep(seconds)
    disk.clear()
    server.start()


SQLITE: dict[str, Callable[..., None]] = {"SQLite locked": locked, "SQLite's disk full": disk_full}
POSTGRES: dict[str, Callable[..., None]] = {
    "PostgreSQL restarted": restarted,
    "PostgreSQL drops sessions": dropped,
    "PostgreSQL deadlock": deadlocked,
    "PostgreSQL: pool empty": no_connections,
    "PostgreSQL read-only": read_only,
    "PostgreSQL's disk full": postgres_disk_full,
}
# Where a webhook can always be stored at the second try.
NEED_NOT_REFUSE = {"PostgreSQL drops sessions", "PostgreSQL deadlock"}
# /readyz writes into a row that is there already, for which there may be room when there is none for new ones.
UNTOLD = {"PostgreSQL's disk full"}
# A few rows find room in pages that are there already.
FULL_ONLY = {"PostgreSQL deadlock", "PostgreSQL read-only", "PostgreSQL's disk full"}


@pytest.mark.parametrize("faults", together(SQLITE))
def test_sqlite_is_in_trouble(
    faults: dict[str, Callable[..., None]], houses: Callable[..., House], scale: Scale, tell: Callable[..., None]
) -> None:
    with small_disk(SQLITE_MEGABYTES) as disk:
        house = houses(f"sqlite:///{disk.path}/tandem.db")
        rest = {name: (house, disk) if fault is disk_full else (house,) for name, fault in faults.items()}
        _all_happen({name: partial(fault, *rest[name]) for name, fault in faults.items()}, house, scale, tell)
        house.stop()


@pytest.mark.parametrize("faults", together(POSTGRES, full_only=FULL_ONLY))
def test_postgresql_is_in_trouble(
    faults: dict[str, Callable[..., None]], houses: Callable[..., House], scale: Scale, tell: Callable[..., None]
) -> None:
    with small_disk(POSTGRES_MEGABYTES) as disk, own_postgres(disk.path / "pg") as server:
        house = houses(server.url)
        rest = {name: (server, disk) if fault is postgres_disk_full else (server,) for name, fault in faults.items()}
        _all_happen({name: partial(fault, *rest[name]) for name, fault in faults.items()}, house, scale, tell)
        house.stop()


def _all_happen(
    faults: dict[str, Callable[[float], None]], house: House, scale: Scale, tell: Callable[..., None]
) -> None:
    sent: dict[str, list[One]] = {}
    recovered: dict[str, float] = {}
    for name, fault in faults.items():
        sender, seconds = Sender(house), SHORT if scale.short else LONG
        sent[name] = house.flood(scale.tickets // len(faults) + 4, silent=True)
        recovered[name] = sender.while_it_lasts(sent[name], partial(fault, seconds), seconds, within=150)
        answers = {answer.status for answer in sender.answers}
        assert answers <= {200, 202, 503}, f"{name}: {answers}"
        assert 503 in answers or name in NEED_NOT_REFUSE, f"{name}: it harmed nobody"
        assert "down" in sender.ready or name in NEED_NOT_REFUSE | UNTOLD, f"{name}: /readyz said {sender.ready}"
        assert not sender.broken_promises(), name
    house.quiet(300)
    house.audit()
    assert _half_written(house) == dict.fromkeys(HALF_WRITTEN, 0)
    for name in faults:
        tell(name, house.audit(of=sent[name]), recovered[name], BACK_SECONDS)
    assert not [line for line in house.lines if "started again" in line]


def _file(house: House) -> str:
    path = make_url(house.stack.environment["DATABASE_URL"]).database
    assert path
    return path


def _half_written(house: House) -> dict[str, int]:
    with reader_of(house.store.engine).connect() as connection:
        return {name: int(connection.execute(text(query)).scalar_one()) for name, query in HALF_WRITTEN.items()}
