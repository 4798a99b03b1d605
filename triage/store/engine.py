"""Opens the database: SQLite in WAL mode by default, PostgreSQL when outgrown."""

from __future__ import annotations

import math
import sqlite3
import threading
import time
import zlib
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, DisconnectionError

from triage.errors import SettingsError

PATIENCE_SECONDS = 30.0
READ, WRITE = "BEGIN", "BEGIN IMMEDIATE"
# Any fixed number: the space of our advisory locks in PostgreSQL.
LOCKS = 7305142
# Within this a connection to PostgreSQL is taken to be alive: asking costs as much as what is asked afterwards.
FRESH_SECONDS = 1.0
DEFAULT_FOLDER = Path("data")
NO_FOLDER = "DATABASE_URL: the folder {folder} does not exist; create it, or correct the path"


def open_engine(url: str, patience: float = PATIENCE_SECONDS) -> Engine:
    """Return an engine for `url` that waits at most `patience` seconds for a lock or a statement.

    Connects only when first used. Creates the default folder of a SQLite file; raises SettingsError where another one
    is missing, for a mistyped path would begin an empty database somewhere.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        if parsed.database:
            _check_folder(Path(parsed.database).parent)
        # As many as by default, but more of them kept: opening one costs as much as several transactions.
        # The one used last comes first: what it has read is still in its memory, unless others have written meanwhile.
        is_file = bool(parsed.database) and parsed.database != ":memory:"
        pool: dict[str, Any] = {"pool_size": 10, "max_overflow": 5, "pool_use_lifo": True} if is_file else {}
        how = {"timeout": patience, "factory": _InTurn} if is_file else {"timeout": patience}
        engine = create_engine(parsed, connect_args=how, hide_parameters=True, **pool)
        event.listen(engine, "connect", _prepare_sqlite)
        if is_file:
            assert parsed.database
            watch, turn = _Watch(Path(parsed.database)), threading.Lock()
            event.listen(engine, "connect", watch.opened)
            event.listen(engine, "connect", lambda connection, _record: connection.queue_at(turn, patience))
            event.listen(engine, "checkout", watch.check)
        event.listen(engine, "begin", _begin)
        return engine
    engine = create_engine(
        parsed.set(drivername="postgresql+psycopg"),
        pool_size=10,
        max_overflow=30,
        pool_use_lifo=True,
        pool_timeout=patience,
        # An error's text must not hold what was to be stored.
        hide_parameters=True,
        connect_args={"connect_timeout": 5, "options": f"-c statement_timeout={int(patience * 1000)}"},
    )
    ping = _Ping(engine)
    event.listen(engine, "checkin", ping.back)
    event.listen(engine, "checkout", ping.check)
    return engine


def _check_folder(folder: Path) -> None:
    if folder == DEFAULT_FOLDER:
        folder.mkdir(exist_ok=True)
    elif not folder.is_dir():
        raise SettingsError(NO_FOLDER.format(folder=folder))


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # We issue BEGIN ourselves, see below.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    # Four times what it is by itself: each time all waits for the disk, and pages written often are copied once.
    cursor.execute("PRAGMA wal_autocheckpoint=4000")
    # Else an UPDATE of many rows makes a file of its own and deletes it.
    cursor.execute("PRAGMA temp_store=MEMORY")
    cursor.close()


class _InTurn(sqlite3.Connection):
    """A connection whose writing waits in line behind the other threads of this process.

    SQLite itself has no line: who finds it busy sleeps, up to a tenth of a second at a time, and whoever wakes at the
    right moment is next. With 100 threads they slept for longer than they wrote.
    """

    _is_mine = False

    def queue_at(self, turn: threading.Lock, patience: float) -> None:
        """Take the lock of the line, and how many seconds to stand in it."""
        self._turn, self._patience = turn, patience

    def begin_writing(self) -> None:
        """Begin a transaction that may write; raises sqlite3.OperationalError where its turn does not come."""
        if not self._turn.acquire(timeout=self._patience):
            raise sqlite3.OperationalError("database is locked")
        self._is_mine = True
        try:
            self.execute(WRITE)
        except BaseException:
            self._pass_on()
            raise

    def commit(self) -> None:
        """End the transaction; one that could not be is still under way, and rolled back next."""
        super().commit()
        self._pass_on()

    def rollback(self) -> None:
        """End the transaction without a trace."""
        try:
            super().rollback()
        finally:
            self._pass_on()

    def close(self) -> None:
        """Close, whatever was under way."""
        try:
            super().close()
        finally:
            self._pass_on()

    def _pass_on(self) -> None:
        if self._is_mine:
            self._is_mine = False
            self._turn.release()


class _Watch:
    """Notices that the database's file was deleted or replaced: an open connection would go on writing into nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def opened(self, _connection: Any, record: Any) -> None:
        record.info["file"] = self._identity()

    def check(self, _connection: Any, record: Any, _proxy: Any) -> None:
        if record.info.get("file") != self._identity():
            raise DisconnectionError("the database's file is not the one that was opened")

    def _identity(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino


class _Ping:
    """Asks a connection of PostgreSQL whether it lives before it is used, unless it was in use a moment ago."""

    def __init__(self, engine: Engine) -> None:
        self._dialect = engine.dialect

    def back(self, _connection: Any, record: Any) -> None:
        record.info["back"] = time.monotonic()

    def check(self, connection: Any, record: Any, _proxy: Any) -> None:
        if time.monotonic() - record.info.get("back", math.inf) < FRESH_SECONDS:
            return
        try:
            self._dialect.do_ping(connection)
        except self._dialect.loaded_dbapi.Error as error:
            raise DisconnectionError("the database has closed the connection") from error


def _begin(connection: Connection) -> None:
    # A plain BEGIN takes a read snapshot and cannot be turned into a write while others write: with eight writers
    # four of five transactions fail with "database is locked", whatever the busy time-out.
    reads = connection.get_execution_options().get("reads_only", False)
    begin = READ if reads else WRITE
    try:
        # Past SQLAlchemy, which takes longer over this word than SQLite over the whole transaction.
        driver = connection.connection.driver_connection
        assert driver is not None
        if isinstance(driver, _InTurn) and not reads:
            driver.begin_writing()
        else:
            driver.execute(begin)
    except sqlite3.Error as error:
        # As SQLAlchemy would have raised it.
        raise DBAPIError.instance(begin, None, error, sqlite3.Error) from error


def reader_of(engine: Engine) -> Engine:
    """Return the same database for reading: its transactions wait for no writer."""
    return engine.execution_options(reads_only=True)


def single_of(engine: Engine) -> Engine:
    """Return the same database for what is one statement: PostgreSQL commits it by itself, in one round trip of three.

    A second statement sees what others have stored meanwhile.
    """
    return engine.execution_options(isolation_level="AUTOCOMMIT") if engine.dialect.name == "postgresql" else engine


def one_at_a_time(connection: Connection, *names: str) -> None:
    """Let only one transaction with these `names` go on, until it ends: others' rows are then not locked crosswise."""
    if connection.dialect.name == "postgresql":  # SQLite has one writer at a time by itself
        key = zlib.crc32("\0".join(names).encode())
        connection.execute(text("SELECT pg_advisory_xact_lock(:space, :key)"), {"space": LOCKS, "key": key - 2**31})


def insert_into(engine: Engine, table: Table) -> Any:
    """Return the dialect's INSERT, which knows ON CONFLICT."""
    return (sqlite.insert if engine.dialect.name == "sqlite" else postgresql.insert)(table)
