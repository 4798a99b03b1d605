"""The audit log: who changed what, and when. Ids and values, never a customer's words, never a secret."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, insert, select

from triage.store.engine import reader_of
from triage.store.tables import audit

PIECE = 1000


@dataclass(frozen=True)
class Entry:
    """One row."""

    id: int
    at: float
    actor: str
    action: str
    desk: str
    subject: str
    detail: dict[str, Any]


class Audit:
    """Writes and reads the log; nothing in it is ever changed."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = reader_of(engine)

    def record(self, actor: str, action: str, now: float, *, desk: str = "", subject: str = "", **detail: Any) -> None:
        """Write down that `actor` (`console:NAME`, `command:USER`, `link`) did `action`; `detail` must be JSON."""
        row = {"actor": actor[:80], "action": action[:40], "desk": desk[:40], "subject": subject[:120]}
        with self._engine.begin() as connection:
            connection.execute(insert(audit).values(at=now, detail=detail, **row))

    def since(self, begin: float) -> Iterator[Entry]:
        """Yield the entries from `begin` on, oldest first, by pieces."""
        last = 0
        while True:
            query = select(audit).where(audit.c.id > last, audit.c.at >= begin).order_by(audit.c.id).limit(PIECE)
            with self._reader.connect() as connection:
                rows = [Entry(**row) for row in connection.execute(query).mappings()]
            yield from rows
            if len(rows) < PIECE:
                return
            last = rows[-1].id

    def recent(self, limit: int) -> list[Entry]:
        """Return the newest entries first."""
        with self._reader.connect() as connection:
            rows = connection.execute(select(audit).order_by(audit.c.id.desc()).limit(limit)).mappings()
            return [Entry(**row) for row in rows]
