"""The audit log: who changed what, and when. Ids and values, never a customer's words, never a secret."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Engine, func, insert, select

from triage.store.engine import reader_of
from triage.store.tables import audit

PIECE = 1000
SCANNED = 50_000
"""Entries looked at for one page."""


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


@dataclass(frozen=True)
class Sought:
    """Which entries are looked for; empty is all. `actor`, `action` and `subject` by how they begin."""

    actor: str = ""
    action: str = ""
    desk: str = ""
    subject: str = ""
    since: float | None = None
    until: float | None = None


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

    def search(self, sought: Sought, limit: int, before: int | None = None) -> tuple[list[Entry], int | None]:
        """Return the newest entries that fit, first those with an id below `before`, and where to go on from.

        Looks at SCANNED entries at most, so there may be fewer than `limit` and more to come; None at the end.
        """
        with self._reader.connect() as connection:
            if before is None:
                before = int(connection.execute(select(func.coalesce(func.max(audit.c.id), 0))).scalar_one()) + 1
            floor = before - SCANNED
            query = select(audit).where(audit.c.id < before, audit.c.id >= floor, *_fits(sought))
            rows = connection.execute(query.order_by(audit.c.id.desc()).limit(limit + 1)).mappings()
            found = [Entry(**row) for row in rows]
        if len(found) > limit:
            return found[:limit], found[limit - 1].id
        return found, floor if floor > 1 else None


def _fits(sought: Sought) -> list[ColumnElement[bool]]:
    fits: list[ColumnElement[bool]] = [
        audit.c[name].startswith(text, autoescape=True)
        for name in ("actor", "action", "subject")
        if (text := getattr(sought, name))
    ]
    # As expressions: the rows are walked by their id.
    fits += [func.coalesce(audit.c.desk, "") == sought.desk] if sought.desk else []
    fits += [func.coalesce(audit.c.at, 0.0) >= sought.since] if sought.since is not None else []
    fits += [func.coalesce(audit.c.at, 0.0) < sought.until] if sought.until is not None else []
    return fits
