"""SLA clocks: what is known of each watched ticket, and one row per clock of it.

Every change of a ticket's clocks goes through the version of its watch, in one transaction with the acts that follow
from it: so whatever workers do at once, each stage is decided once.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    RowMapping,
    and_,
    bindparam,
    delete,
    exists,
    func,
    select,
    tuple_,
    update,
)

from triage.store.engine import insert_into, reader_of
from triage.store.tables import acts, clocks, watches

RUNNING, PAUSED, BREACHED, MET, CANCELLED = "running", "paused", "breached", "met", "cancelled"
OPEN_STATES = (RUNNING, PAUSED, BREACHED)
REASON_LENGTH = 500


@dataclass(frozen=True)
class Watch:
    """What is known of one ticket; `version` is 0 for one that is not stored yet."""

    desk: str
    ticket_id: str
    created_at: float
    version: int = 0
    seen_at: float = 0.0
    """The ticket's own time of change when it was last read."""
    looked_at: float = 0.0
    status: str = ""
    priority: str = ""
    team: str = ""
    tier: str = ""
    judged_priority: str = ""
    judged_team: str = ""
    held: dict[str, Any] | None = None
    stage: str = "ok"
    episode: int = 0
    escalated: dict[str, Any] | None = None
    note_id: str = ""


@dataclass(frozen=True)
class Clock:
    """One clock as stored; see `tables.py` for the columns."""

    desk: str
    ticket_id: str
    metric: str
    cycle: int
    state: str
    stage: str
    source: str
    priority: str
    team: str
    tier: str
    calendar: str
    started_at: float
    target: float
    remaining: float
    at_risk_at: float | None
    due_at: float | None
    next_check_at: float | None
    ended_at: float | None
    updated_at: float
    failures: int = 0
    reason: str = ""

    @property
    def is_open(self) -> bool:
        """Say whether the clock has not ended."""
        return self.state in OPEN_STATES


@dataclass(frozen=True)
class NewAct:
    """Something to be done about a stage."""

    kind: str
    try_at: float
    channel: str = ""
    reference: str = ""


@dataclass(frozen=True)
class Due:
    """A clock that was claimed."""

    id: int
    desk: str
    ticket_id: str
    failures: int


WATCH_COLUMNS = [watches.c[name] for name in Watch.__dataclass_fields__]
CLOCK_COLUMNS = [clocks.c[name] for name in Clock.__dataclass_fields__]
# Statements of every ticket are made once: that takes longer than carrying them out.
_OF_WATCH = and_(watches.c.desk == bindparam("of_desk"), watches.c.ticket_id == bindparam("of_ticket"))
_OF_TICKET = and_(clocks.c.desk == bindparam("of_desk"), clocks.c.ticket_id == bindparam("of_ticket"))
WATCH = select(*WATCH_COLUMNS).where(_OF_WATCH)
CLOCKS = select(*CLOCK_COLUMNS).where(_OF_TICKET).order_by(clocks.c.id)
KEEP = update(watches).where(_OF_WATCH, watches.c.version == bindparam("as_read"))
CANCEL = (
    update(clocks)
    .where(
        _OF_TICKET,
        clocks.c.state.in_(OPEN_STATES),
        tuple_(clocks.c.metric, clocks.c.cycle).not_in(bindparam("kept", expanding=True)),
    )
    .values(
        state=CANCELLED,
        next_check_at=None,
        ended_at=bindparam("at"),
        updated_at=bindparam("at"),
        reason="no longer on the ticket",
    )
)


class Clocks:
    """Reads and writes watches and clocks."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = reader_of(engine)
        put, key = insert_into(engine, clocks), ("desk", "ticket_id", "metric", "cycle")
        news = {name: put.excluded[name] for name in Clock.__dataclass_fields__ if name not in key}
        begin = insert_into(engine, watches).on_conflict_do_nothing(index_elements=["desk", "ticket_id"])
        self._begin = begin.returning(watches.c.id)
        self._put = put.on_conflict_do_update(index_elements=key, set_=news)

    def watch(self, desk: str, ticket_id: str) -> Watch | None:
        """Return what is known of a ticket, None where nobody follows it."""
        with self._reader.connect() as connection:
            row = connection.execute(WATCH, {"of_desk": desk, "of_ticket": ticket_id}).mappings().one_or_none()
        return Watch(**row) if row else None

    def seen(self, desk: str, ticket_ids: Collection[str]) -> dict[str, float]:
        """Return those of `ticket_ids` that are followed, with the time of change they were last seen at."""
        query = select(watches.c.ticket_id, watches.c.seen_at)
        query = query.where(watches.c.desk == desk, watches.c.ticket_id.in_(list(ticket_ids)))
        with self._reader.connect() as connection:
            return {row.ticket_id: row.seen_at for row in connection.execute(query)}

    def of_ticket(self, desk: str, ticket_id: str) -> list[Clock]:
        """Return every clock of a ticket, oldest first."""
        with self._reader.connect() as connection:
            found = connection.execute(CLOCKS, {"of_desk": desk, "of_ticket": ticket_id})
            return [_clock(row) for row in found.mappings()]

    def save(self, watch: Watch, rows: Sequence[Clock], planned: Sequence[NewAct], now: float) -> bool:
        """Store a ticket's clocks and plan the acts of `watch.episode`; False when somebody was faster.

        Open clocks that are not among `rows` are cancelled: what they counted is gone from the ticket.
        """
        with self._engine.begin() as connection:
            if not self._save_watch(connection, watch):
                return False
            if rows:
                connection.execute(self._put, [vars(row) for row in rows])
            self._cancel_others(connection, watch, rows, now)
            for act in planned:
                connection.execute(
                    insert_into(self._engine, acts)
                    .values(
                        desk=watch.desk,
                        ticket_id=watch.ticket_id,
                        episode=watch.episode,
                        stage=watch.stage,
                        kind=act.kind,
                        channel=act.channel,
                        reference=act.reference,
                        state="planned",
                        created_at=now,
                        try_at=act.try_at,
                    )
                    .on_conflict_do_nothing()
                )
        return True

    def _save_watch(self, connection: Connection, watch: Watch) -> bool:
        values = vars(watch) | {"version": watch.version + 1}
        if watch.version == 0:
            return connection.execute(self._begin, values).scalar_one_or_none() is not None
        for name in ("note_id", "escalated", "created_at"):
            # Written by who carries out acts, without the version.
            del values[name]
        same = {"of_desk": watch.desk, "of_ticket": watch.ticket_id, "as_read": watch.version}
        return connection.execute(KEEP, values | same).rowcount == 1

    def _cancel_others(self, connection: Connection, watch: Watch, rows: Sequence[Clock], now: float) -> None:
        kept = [(row.metric, row.cycle) for row in rows]
        connection.execute(CANCEL, {"of_desk": watch.desk, "of_ticket": watch.ticket_id, "kept": kept, "at": now})

    def note_written(self, desk: str, ticket_id: str, note_id: str) -> None:
        """Remember the SLA note that later ones replace."""
        with self._engine.begin() as connection:
            connection.execute(update(watches).where(_same(watches, desk, ticket_id)).values(note_id=note_id))

    def escalated(self, desk: str, ticket_id: str, what: dict[str, Any]) -> None:
        """Remember what our escalation set, so that it is not taken for a person's choice."""
        with self._engine.begin() as connection:
            connection.execute(update(watches).where(_same(watches, desk, ticket_id)).values(escalated=what))

    def claim_due(self, now: float, limit: int, lease_until: float) -> list[Due]:
        """Return clocks whose time has come and push each ahead to `lease_until`: no other sweeper takes them too."""
        due = (
            select(clocks.c.id, clocks.c.desk, clocks.c.ticket_id, clocks.c.failures)
            .where(clocks.c.next_check_at <= now)
            .order_by(clocks.c.next_check_at)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        with self._engine.begin() as connection:
            claimed = [Due(*row) for row in connection.execute(due)]
            if claimed:
                mine = clocks.c.id.in_([one.id for one in claimed])
                connection.execute(update(clocks).where(mine).values(next_check_at=lease_until))
        return claimed

    def push_ahead(self, ids: Collection[int], until: float, reason: str, *, count: bool = True) -> None:
        """Look at these clocks again at `until`; `count` counts a failure."""
        values: dict[str, Any] = {"next_check_at": until, "reason": reason[:REASON_LENGTH]}
        if count:
            values["failures"] = clocks.c.failures + 1
        mine = and_(clocks.c.id.in_(list(ids)), clocks.c.next_check_at.isnot(None))
        with self._engine.begin() as connection:
            connection.execute(update(clocks).where(mine).values(values))

    def drop(self, before: float, limit: int = 1000) -> int:
        """Forget tickets without an open clock that were last read before `before`; returns how many."""
        still_open = exists().where(
            clocks.c.desk == watches.c.desk,
            clocks.c.ticket_id == watches.c.ticket_id,
            clocks.c.state.in_(OPEN_STATES),
        )
        old = select(watches.c.desk, watches.c.ticket_id).where(watches.c.looked_at < before, ~still_open).limit(limit)
        with self._engine.begin() as connection:
            found = connection.execute(old).all()
            for desk, ticket_id in found:
                for table in (acts, clocks, watches):
                    connection.execute(delete(table).where(_same(table, desk, ticket_id)))
        return len(found)

    def oldest_due(self) -> float | None:
        """Return the earliest moment at which a clock is to be looked at."""
        with self._reader.connect() as connection:
            query = select(func.min(clocks.c.next_check_at)).where(clocks.c.next_check_at.isnot(None))
            earliest: float | None = connection.execute(query).scalar_one()
        return earliest


def _same(table: Any, desk: str, ticket_id: str) -> Any:
    return and_(table.c.desk == desk, table.c.ticket_id == ticket_id)


def _clock(row: RowMapping) -> Clock:
    return Clock(**row)
