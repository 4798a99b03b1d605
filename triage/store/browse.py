"""Searches deliveries and runs page by page, newest first: bounded work however many rows there are.

Pages go on from a key (time and id), never from a count. A search looks at so many rows at most and says how far it
has come, so a filter that fits nothing among a million rows costs as little as one that fits all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Column, ColumnElement, Engine, and_, func, or_, select

from triage.store.deliveries import COLUMNS as DELIVERY_COLUMNS
from triage.store.deliveries import Delivery
from triage.store.engine import reader_of
from triage.store.runs import DONE, Run
from triage.store.tables import deliveries, runs

ROWS = 50
SCANNED = 50_000
"""Rows looked at for one page."""
# A database takes only so many parameters in one statement.
CHUNK = 500
Row = TypeVar("Row")
Key = tuple[float, int]
"""Where a page ends: time and id of its last row."""
Filter = ColumnElement[bool]


@dataclass(frozen=True)
class Wanted:
    """What is looked for; empty is everything."""

    desks: tuple[str, ...] = ()
    """Must name some where a ticket is looked for."""
    ticket_id: str = ""
    reference: str = ""
    """Of a run; its ticket's deliveries fit, too."""
    state: str = ""
    event: str = ""
    """How it begins, of a delivery."""
    classifier: str = ""
    """How it begins, of a run; as team and priority."""
    team: str = ""
    priority: str = ""
    since: float | None = None
    until: float | None = None


@dataclass(frozen=True)
class Page(Generic[Row]):
    """Some rows; the next page goes on from `further`, None at the end."""

    rows: list[Row]
    further: Key | None = None
    looked_back_to: float | None = None
    """Where the search stopped before the page was full; older rows may fit, too."""


@dataclass(frozen=True)
class Decided:
    """What a done run was told and came to; rows of older versions may lack anything."""

    id: int
    ticket_id: str
    reference: str
    classification: dict[str, Any] | None
    decision: dict[str, Any] | None


class Browse:
    """Reads pages."""

    def __init__(self, engine: Engine) -> None:
        self._reader = reader_of(engine)

    def deliveries(self, wanted: Wanted, after: Key | None = None, limit: int = ROWS) -> Page[Delivery]:
        """Return a page of the deliveries that fit."""
        at, columns = deliveries.c.received_at, deliveries.c
        period = _period(at, columns.id, wanted, after)
        if wanted.reference:
            owner = self._ticket_of(wanted)
            fits = [columns.desk == owner[0], columns.ticket_id == owner[1]] if owner else [columns.id == -1]
            page = self._keys(at, columns.id, [*period, *fits, *_same(columns, state=wanted.state)], limit)
        elif wanted.ticket_id:
            fits = [columns.ticket_id == wanted.ticket_id, columns.desk.in_(wanted.desks)]
            page = self._keys(at, columns.id, [*period, *fits, *_same(columns, state=wanted.state)], limit)
        elif wanted.state and not wanted.desks and not wanted.event:
            page = self._keys(at, columns.id, [*period, columns.state == wanted.state], limit)
        else:
            fits = [*_same(columns, state=wanted.state), *_any(columns.desk, wanted.desks)]
            fits += _begins(columns.event, wanted.event)
            page = self._search(at, columns.id, period, fits, limit)
        query = select(*DELIVERY_COLUMNS).where(columns.id.in_(page.rows))
        with self._reader.connect() as connection:
            found = [Delivery(**row) for row in connection.execute(query).mappings()]
        newest = sorted(found, key=lambda row: (row.received_at, row.id), reverse=True)
        return Page(newest, page.further, page.looked_back_to)

    def runs(self, wanted: Wanted, after: Key | None = None, limit: int = ROWS) -> Page[Run]:
        """Return a page of the runs that fit."""
        at, columns = runs.c.created_at, runs.c
        period = _period(at, columns.id, wanted, after)
        said = {name: getattr(wanted, name) for name in ("state", "team", "priority")}
        fits = [*_same(columns, **said), *_begins(columns.classifier, wanted.classifier)]
        if wanted.reference:
            fits += [columns.reference == wanted.reference, *_any(columns.desk, wanted.desks)]
            page = self._keys(at, columns.id, [*period, *fits], limit)
        elif wanted.ticket_id:
            fits += [columns.ticket_id == wanted.ticket_id, columns.desk.in_(wanted.desks)]
            page = self._keys(at, columns.id, [*period, *fits], limit)
        else:
            page = self._search(at, columns.id, period, [*fits, *_any(columns.desk, wanted.desks)], limit)
        with self._reader.connect() as connection:
            rows = connection.execute(select(runs).where(columns.id.in_(page.rows))).mappings()
            found = [Run(**row) for row in rows]
        newest = sorted(found, key=lambda row: (row.created_at, row.id), reverse=True)
        return Page(newest, page.further, page.looked_back_to)

    def among(self, ids: Sequence[int], state: str, desk: str = "") -> list[int]:
        """Return those of the deliveries `ids` (CHUNK at most) that are in `state`, of one desk or of all."""
        query = select(deliveries.c.id).where(deliveries.c.id.in_(ids), deliveries.c.state == state)
        query = query.where(deliveries.c.desk == desk) if desk else query
        with self._reader.connect() as connection:
            return list(connection.execute(query.order_by(deliveries.c.id)).scalars())

    def sample(self, desk: str, since: float, limit: int) -> list[Decided]:
        """Return about `limit` done runs of `desk` begun since then, spread evenly, oldest first."""
        # From both ends of the index of times: the smallest id of a period would be looked for in all of its rows.
        begun = select(runs.c.id).where(runs.c.created_at >= since).limit(1)
        with self._reader.connect() as connection:
            first = connection.execute(begun.order_by(runs.c.created_at, runs.c.id)).scalar()
            last = connection.execute(begun.order_by(runs.c.created_at.desc(), runs.c.id.desc())).scalar()
            if first is None or last is None:
                return []
            step = max(1, (last - first + 1) // limit)
            ids = range(first, last + 1, step)
            found: list[Decided] = []
            # Not their drafts and sources: those are most of a row.
            columns = [runs.c[name] for name in Decided.__dataclass_fields__]
            for start in range(0, len(ids), CHUNK):
                query = select(*columns).where(
                    runs.c.id.in_(ids[start : start + CHUNK]), runs.c.desk == desk, runs.c.state == DONE
                )
                found += [Decided(**row) for row in connection.execute(query.order_by(runs.c.id)).mappings()]
        return found[:limit]

    def _ticket_of(self, wanted: Wanted) -> tuple[str, str] | None:
        query = select(runs.c.desk, runs.c.ticket_id).where(runs.c.reference == wanted.reference)
        with self._reader.connect() as connection:
            row = connection.execute(query.where(*_any(runs.c.desk, wanted.desks))).one_or_none()
        return (row.desk, row.ticket_id) if row else None

    def _search(
        self, at: Column[Any], row_id: Column[Any], period: list[Filter], fits: list[Filter], limit: int
    ) -> Page[int]:
        """Return the ids of one page among the newest SCANNED rows of the period."""
        floor = self._floor(at, row_id, period) if fits else None
        page = self._keys(at, row_id, [*period, *fits, *([at >= floor] if floor is not None else [])], limit)
        if page.further or floor is None:
            return page
        # Everything from `floor` on was looked at.
        return Page(page.rows, (floor, 0), floor)

    def _floor(self, at: Column[Any], row_id: Column[Any], period: list[Filter]) -> float | None:
        newest = select(at).where(*period).order_by(at.desc(), row_id.desc()).limit(SCANNED).subquery()
        with self._reader.connect() as connection:
            count, floor = connection.execute(select(func.count(), func.min(newest.c[0]))).one()
        return floor if count == SCANNED else None

    def _keys(self, at: Column[Any], row_id: Column[Any], fits: list[Filter], limit: int) -> Page[int]:
        query = select(at, row_id).where(*fits).order_by(at.desc(), row_id.desc()).limit(limit + 1)
        with self._reader.connect() as connection:
            found = [(row[0], row[1]) for row in connection.execute(query)]
        ids = [row[1] for row in found[:limit]]
        return Page(ids, found[limit - 1] if len(found) > limit else None)


def _period(at: Column[Any], row_id: Column[Any], wanted: Wanted, after: Key | None) -> list[Filter]:
    limits: list[Filter] = []
    if wanted.since is not None:
        limits.append(at >= wanted.since)
    if wanted.until is not None:
        limits.append(at < wanted.until)
    if after is not None:
        # The first condition is what the index is entered by.
        limits += [at <= after[0], or_(at < after[0], and_(at == after[0], row_id < after[1]))]
    return limits


def _same(columns: Any, **values: str) -> list[Filter]:
    return [_plain(columns[name]) == value for name, value in values.items() if value]


def _any(column: Column[Any], values: tuple[str, ...]) -> list[Filter]:
    return [_plain(column).in_(values)] if values else []


def _begins(column: Column[Any], text: str) -> list[Filter]:
    return [_plain(column).startswith(text, autoescape=True)] if text else []


def _plain(column: Column[Any]) -> ColumnElement[Any]:
    # As an expression: SQLite would rather read all rows of a desk than walk the index of times.
    return func.coalesce(column, "")
