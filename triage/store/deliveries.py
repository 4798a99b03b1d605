"""The inbox: one row per webhook call (or caught-up ticket), stored before anything is answered or queued.

received -> queued -> done / ignored / unreadable / dead. `due_at` says when the sweep looks at a row again; the queue's
message is only a wake-up, so a lost one costs a little time and nothing else.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, Select, bindparam, case, false, func, or_, select, update

from triage.store.arrivals import ASK as ASK
from triage.store.arrivals import CLOCK as CLOCK
from triage.store.arrivals import CREATED as CREATED
from triage.store.arrivals import DEAD as DEAD
from triage.store.arrivals import DONE as DONE
from triage.store.arrivals import IGNORED as IGNORED
from triage.store.arrivals import MESSAGE_SECONDS as MESSAGE_SECONDS
from triage.store.arrivals import OPEN_STATES as OPEN_STATES
from triage.store.arrivals import QUEUED as QUEUED
from triage.store.arrivals import REASON_LENGTH, Arrival, Arrivals, can_be_joined
from triage.store.arrivals import RECEIVED as RECEIVED
from triage.store.arrivals import UNQUEUED_SECONDS as UNQUEUED_SECONDS
from triage.store.arrivals import UNREADABLE as UNREADABLE
from triage.store.arrivals import Received as Received
from triage.store.engine import reader_of, single_of
from triage.store.marks import EVERY_DESK
from triage.store.tables import deliveries

# A queued row nobody took is sent again after this: with the sweep's own 5 s a lost message costs less than a minute.
UNCLAIMED_SECONDS = 40.0
# The same of a row somebody had begun with: it is late already, and there are few of them.
UNRESUMED_SECONDS = 15.0
# From then on after twice as long each time: a long queue is not a lost one, and must not fill up with repeats.
PROMPT_WAKEUPS = 3
LONGEST_WAKEUP_SECONDS = 900.0
LOOKED_BACK = 5000


@dataclass(frozen=True)
class Delivery:
    """One row of the inbox without its body."""

    id: int
    desk: str
    key: str
    ticket_id: str
    event: str
    occasion: str
    state: str
    reason: str
    attempts: int
    wakeups: int
    received_at: float
    due_at: float | None
    finished_at: float | None


COLUMNS = [deliveries.c[name] for name in Delivery.__dataclass_fields__]
# Statements of every delivery are made once: that takes longer than carrying them out.
BY_ID = select(*COLUMNS).where(deliveries.c.id == bindparam("this"))
OPEN_ONE = update(deliveries).where(deliveries.c.id == bindparam("this"), deliveries.c.state.in_(OPEN_STATES))
# Its message has arrived: how often the sweep had to send it until then says nothing of the next one.
BEGIN = {"state": QUEUED, "attempts": deliveries.c.attempts + 1, "wakeups": 0, "due_at": bindparam("until")}
ATTEMPT = OPEN_ONE.values(BEGIN).returning(deliveries.c.attempts)


def _delivery(row: RowMapping) -> Delivery:
    return Delivery(**row)


class Deliveries:
    """Reads and writes the inbox."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = reader_of(engine)
        self._single = single_of(engine)
        self._arrivals = Arrivals(engine)
        self._mark = (
            update(deliveries)
            .where(deliveries.c.id.in_(bindparam("ids", expanding=True)), deliveries.c.state == RECEIVED)
            .values(state=QUEUED, due_at=bindparam("until"))
        )

    def receive(
        self,
        desk: str,
        key: str,
        *,
        ticket_id: str,
        event: str,
        body: bytes,
        now: float,
        state: str = RECEIVED,
        reason: str = "",
        occasion: str = CREATED,
        within: Connection | None = None,
    ) -> Received:
        """Store one call, or find the row it repeats. The sweep queues those that can wait, some seconds later.

        `within` is a transaction of the caller's: what it stores and the call are kept both or neither.
        """
        arrival = Arrival(desk, key, ticket_id, event, body, now, state, reason, occasion)
        with nullcontext(within) if within else self._engine.begin() as connection:
            return self._arrivals.take(connection, [arrival])[0]

    def receive_all(self, arrivals: Sequence[Arrival]) -> list[Received]:
        """Store calls, all or none, and return what became of them in the order given."""
        engine = self._engine if any(can_be_joined(one) for one in arrivals) else self._single
        with engine.begin() as connection:
            return self._arrivals.take(connection, arrivals)

    def mark_queued(self, delivery_id: int, now: float) -> None:
        """Record that a wake-up was sent; a row a worker has finished meanwhile stays as it is."""
        self.mark_all_queued([delivery_id], now)

    def mark_all_queued(self, delivery_ids: Sequence[int], now: float) -> None:
        """Record the same of several, in one statement."""
        with self._single.begin() as connection:
            connection.execute(self._mark, {"ids": list(delivery_ids), "until": now + UNCLAIMED_SECONDS})

    def claim_due(self, now: float, limit: int, held: Collection[str] = ()) -> list[int]:
        """Return ids whose time has come and push each ahead, so that no other sweeper sends it too.

        Of desks that are `held` ("*" is all) only those about clocks, which write nothing.
        """
        columns = [deliveries.c[name] for name in ("id", "wakeups", "attempts")]
        query = select(*columns).where(deliveries.c.due_at <= now)
        if held:
            free = false() if EVERY_DESK in held else deliveries.c.desk.notin_(held)
            query = query.where(or_(deliveries.c.occasion == CLOCK, free))
        due = query.order_by(deliveries.c.due_at).limit(limit).with_for_update(skip_locked=True)
        with self._engine.begin() as connection:
            rows = connection.execute(due).all()
            for row in rows:
                patience = UNRESUMED_SECONDS if row.attempts else UNCLAIMED_SECONDS
                pause = min(patience * 2 ** max(0, row.wakeups - PROMPT_WAKEUPS), LONGEST_WAKEUP_SECONDS)
                connection.execute(
                    update(deliveries)
                    .where(deliveries.c.id == row.id)
                    .values(state=QUEUED, due_at=now + pause, wakeups=row.wakeups + 1)
                )
        return [row.id for row in rows]

    def give_back(self, ids: Sequence[int], due_at: float) -> None:
        """Take back a claim whose wake-up could not be sent: the rows are due again at `due_at`."""
        fewer = case((deliveries.c.wakeups > 0, deliveries.c.wakeups - 1), else_=0)
        with self._engine.begin() as connection:
            connection.execute(
                update(deliveries)
                .where(deliveries.c.id.in_(list(ids)), deliveries.c.state.in_(OPEN_STATES))
                .values(due_at=due_at, wakeups=fewer)
            )

    def not_before(self, delivery_id: int, due_at: float) -> None:
        """Look at this row again at `due_at`; later where whoever had it last asked for that."""
        # What the sweep has pushed ahead asks for nothing: else a killed worker's ticket waits through that push, too.
        pushed = or_(deliveries.c.due_at < due_at, deliveries.c.wakeups > 0)
        again = deliveries.c.id == delivery_id, deliveries.c.due_at.isnot(None), pushed
        with self._engine.begin() as connection:
            connection.execute(update(deliveries).where(*again).values(due_at=due_at))

    def start_attempt(self, delivery_id: int, lease_until: float, within: Connection | None = None) -> int:
        """Count an attempt and return its number; the sweep looks again when the lease has run out."""
        with nullcontext(within) if within else self._engine.begin() as connection:
            return int(connection.execute(ATTEMPT, {"this": delivery_id, "until": lease_until}).scalar_one())

    def postpone(self, delivery_id: int, due_at: float, reason: str = "", *, uncount: bool = False) -> None:
        """Look at this row again at `due_at`; `uncount` gives the attempt back."""
        # Queued, also where a worker was faster than the web process's own mark, which would push it ahead.
        values: dict[str, Any] = {"state": QUEUED, "due_at": due_at, "reason": reason[:REASON_LENGTH], "wakeups": 0}
        if uncount:
            values["attempts"] = case((deliveries.c.attempts > 0, deliveries.c.attempts - 1), else_=0)
        with self._engine.begin() as connection:
            connection.execute(
                update(deliveries)
                .where(deliveries.c.id == delivery_id, deliveries.c.state.in_(OPEN_STATES))
                .values(values)
            )

    def finish(
        self, delivery_id: int, state: str, now: float, reason: str = "", within: Connection | None = None
    ) -> None:
        """Close the row as done, ignored, unreadable or dead; `within` is as for `receive`."""
        values = {"state": state, "reason": reason[:REASON_LENGTH], "due_at": None, "finished_at": now}
        with nullcontext(within) if within else self._engine.begin() as connection:
            connection.execute(OPEN_ONE, values | {"this": delivery_id})

    def revive(self, ids: Sequence[int], now: float) -> list[int]:
        """Open closed rows again for a replay and return their ids; rows still open are left alone."""
        with self._engine.begin() as connection:
            rows = connection.execute(
                update(deliveries)
                .where(deliveries.c.id.in_(ids), deliveries.c.state.in_((DEAD, DONE)), deliveries.c.ticket_id != "")
                .values(state=RECEIVED, reason="", attempts=0, wakeups=0, due_at=now, finished_at=None)
                .returning(deliveries.c.id)
            )
            return sorted(row.id for row in rows)

    def get(self, delivery_id: int) -> Delivery | None:
        """Return one row."""
        with self._reader.connect() as connection:
            row = connection.execute(BY_ID, {"this": delivery_id}).mappings().one_or_none()
        return _delivery(row) if row else None

    def recent(self, limit: int, state: str = "") -> list[Delivery]:
        """Return the newest rows first."""
        query = select(*COLUMNS).order_by(deliveries.c.received_at.desc()).limit(limit)
        return self._read(query.where(deliveries.c.state == state) if state else query)

    def newest_of(self, desk: str) -> Delivery | None:
        """Return the newest delivery of a desk among the last few thousand of all, None where it has none there."""
        newest = deliveries.c.received_at.desc(), deliveries.c.id.desc()
        few = select(deliveries.c.id, deliveries.c.desk).order_by(*newest).limit(LOOKED_BACK).subquery()
        query = select(few.c.id).where(few.c.desk == desk).limit(1)
        with self._reader.connect() as connection:
            found = connection.execute(query).scalar_one_or_none()
        return None if found is None else self.get(found)

    def called_at(self, desk: str) -> float | None:
        """Return when a helpdesk last called for a desk, as far as bodies and the last few thousand rows tell."""
        newest = deliveries.c.received_at.desc(), deliveries.c.id.desc()
        columns = deliveries.c.desk, deliveries.c.received_at, func.length(deliveries.c.body).label("size")
        few = select(*columns).order_by(*newest).limit(LOOKED_BACK).subquery()
        # What we find by asking, and what people ask for, has no body.
        query = select(func.max(few.c.received_at)).where(few.c.desk == desk, few.c.size > 0)
        with self._reader.connect() as connection:
            found: float | None = connection.execute(query).scalar_one()
        return found

    def with_state(self, state: str, desk: str = "", limit: int | None = None) -> list[int]:
        """Return the ids of every row in `state` (or the first `limit` of them), oldest first."""
        query = select(deliveries.c.id).where(deliveries.c.state == state).order_by(deliveries.c.received_at)
        query = query.limit(limit)
        with self._reader.connect() as connection:
            return list(connection.execute(query.where(deliveries.c.desk == desk) if desk else query).scalars())

    def reasons(self, state: str, desk: str, limit: int) -> list[str]:
        """Return the reasons of the newest `limit` rows in `state`, of one desk or of all."""
        query = select(deliveries.c.reason).where(deliveries.c.state == state)
        query = query.where(func.coalesce(deliveries.c.desk, "") == desk) if desk else query
        with self._reader.connect() as connection:
            return list(connection.execute(query.order_by(deliveries.c.received_at.desc()).limit(limit)).scalars())

    def between(self, since: float, until: float, states: Sequence[str], desk: str = "") -> list[int]:
        """Return the ids of rows in `states` that were received in [since, until), oldest first."""
        wanted = [deliveries.c.received_at >= since, deliveries.c.received_at < until, deliveries.c.state.in_(states)]
        wanted += [deliveries.c.desk == desk] if desk else []
        with self._reader.connect() as connection:
            query = select(deliveries.c.id).where(*wanted).order_by(deliveries.c.received_at)
            return list(connection.execute(query).scalars())

    def counts(self, *states: str) -> dict[str, int]:
        """Return how many rows are in each state, or in each of `states`: few rows are counted fast among millions."""
        query = select(deliveries.c.state, func.count()).group_by(deliveries.c.state)
        query = query.where(deliveries.c.state.in_(states)) if states else query
        with self._reader.connect() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def told(self, desk: str, ticket_ids: Collection[str]) -> set[str]:
        """Return those of `ticket_ids` that wait for their first triage."""
        row = deliveries.c
        query = select(row.ticket_id).where(row.desk == desk, row.ticket_id.in_(list(ticket_ids)))
        with self._reader.connect() as connection:
            waiting = query.where(row.occasion == CREATED, row.state.in_(OPEN_STATES))
            return set(connection.execute(waiting).scalars())

    def oldest_open(self) -> float | None:
        """Return when the oldest row that is still open was received."""
        # One step in the index for each state; asking for both at once reads every open row.
        oldest = [
            select(func.min(deliveries.c.received_at)).where(deliveries.c.state == state) for state in OPEN_STATES
        ]
        with self._reader.connect() as connection:
            found = connection.execute(select(*(query.scalar_subquery() for query in oldest))).one()
        return min((received_at for received_at in found if received_at is not None), default=None)

    def drop_bodies(self, before: float, limit: int = 1000) -> int:
        """Forget the bodies of closed rows received before `before`; returns how many."""
        old = (
            select(deliveries.c.id)
            .where(deliveries.c.received_at < before, deliveries.c.body.isnot(None), deliveries.c.due_at.is_(None))
            .limit(limit)
        )
        with self._engine.begin() as connection:
            forget = update(deliveries).where(deliveries.c.id.in_(old)).values(body=None)
            return int(connection.execute(forget).rowcount)

    def _read(self, query: Select[Any]) -> list[Delivery]:
        with self._reader.connect() as connection:
            return [_delivery(row) for row in connection.execute(query).mappings()]
