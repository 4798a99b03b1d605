"""How deliveries get into the inbox: each once, by desk and key, many in one transaction where many come at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Engine, func, select

from triage.store.tables import deliveries

# What a delivery is for: to triage a new ticket, to look at one that is followed and has changed, to look at any ticket
# because somebody may have asked for it there, or a later run by its occasion (see triage/later.py).
CREATED, CLOCK, ASK = "created", "clock", "ask"
MESSAGE, TAG = "message:", "asked:tag:"
RECEIVED, QUEUED, DONE, IGNORED, UNREADABLE, DEAD = "received", "queued", "done", "ignored", "unreadable", "dead"
OPEN_STATES = (RECEIVED, QUEUED)
# A row the web process did not queue is queued by the sweep after this.
UNQUEUED_SECONDS = 5.0
# Clocks are in no such hurry: one update is often several events, and one reading serves them all.
CLOCK_SECONDS = 4.0
# Customers write in bursts: one later run takes what comes within this time.
MESSAGE_SECONDS = 10.0
JOINED = "one reading for several changes: delivery {}"
REASON_LENGTH = 500
COLUMNS = (
    "desk", "key", "ticket_id", "event", "occasion", "state", "reason",
    "attempts", "wakeups", "received_at", "due_at", "finished_at", "body",
)  # fmt: skip


@dataclass(frozen=True)
class Arrival:
    """One call as it is to be stored; `at` is when it came, in UTC seconds."""

    desk: str
    key: str
    ticket_id: str
    event: str
    body: bytes
    at: float
    state: str = RECEIVED
    reason: str = ""
    occasion: str = CREATED


@dataclass(frozen=True)
class Received:
    """What became of an incoming call: its row, and whether it is new or was never queued."""

    id: int
    is_new: bool
    needs_queueing: bool


@lru_cache(256)
def _patience(occasion: str) -> tuple[float, str]:
    """Return how long a delivery can wait, and the occasions it is joined with; none of them for what goes at once."""
    for kind, seconds in ((CLOCK, CLOCK_SECONDS), (ASK, 0.0), (MESSAGE, MESSAGE_SECONDS), (TAG, 0.0)):
        if occasion == kind or (kind.endswith(":") and occasion.startswith(kind)):
            return seconds, kind
    return UNQUEUED_SECONDS, ""


class Arrivals:
    """Stores calls within a transaction of the caller's."""

    def __init__(self, engine: Engine) -> None:
        self._mark = "?" if engine.dialect.name == "sqlite" else "%s"

    def take(self, connection: Connection, arrivals: Sequence[Arrival]) -> list[Received]:
        """Store each call, or find the row it repeats, and return what became of them in the order given."""
        # In the same order by whoever stores some: two that wait for each other's rows would wait for ever.
        order = sorted(range(len(arrivals)), key=lambda place: (arrivals[place].desk, arrivals[place].key))
        joined = [place for place in order if can_be_joined(arrivals[place])]
        plain = [place for place in order if not can_be_joined(arrivals[place])]
        found = dict(zip(plain, self._store(connection, [arrivals[place] for place in plain]), strict=True))
        # One by one: the second of a burst is joined with the first.
        found |= {place: self._join(connection, arrivals[place]) for place in joined}
        return [found[place] for place in range(len(arrivals))]

    def _join(self, connection: Connection, arrival: Arrival) -> Received:
        kind = _patience(arrival.occasion)[1]
        if other := _unread(connection, arrival, kind):
            if kind != CLOCK:
                # Not a call of a helpdesk's that an admin may look for: whoever reads the ticket next asks again.
                return Received(other, is_new=False, needs_queueing=False)
            arrival = replace(arrival, state=DONE, reason=JOINED.format(other))
        return self._store(connection, [arrival])[0]

    def _store(self, connection: Connection, arrivals: Sequence[Arrival]) -> list[Received]:
        if not arrivals:
            return []
        new = self._insert(connection, arrivals)
        old = self._known(connection, [one for one in arrivals if (one.desk, one.key) not in new])
        found = []
        for one in arrivals:
            waits = not _patience(one.occasion)[1]
            # Of a key that comes twice here the first one is the new one.
            if (new_id := new.pop((one.desk, one.key), None)) is not None:
                found.append(Received(new_id, is_new=True, needs_queueing=waits and one.state in OPEN_STATES))
                old[one.desk, one.key] = new_id, one.state
            else:
                known_id, state = old[one.desk, one.key]
                found.append(Received(known_id, is_new=False, needs_queueing=waits and state == RECEIVED))
        return found

    def _insert(self, connection: Connection, arrivals: Sequence[Arrival]) -> dict[tuple[str, str], int]:
        """Store those that are new, and return their ids."""
        # Past SQLAlchemy's compiler, and one statement for all: it takes longer over the rows than the database.
        row = f"({', '.join([self._mark] * len(COLUMNS))})"
        statement = (
            f"INSERT INTO deliveries ({', '.join(COLUMNS)}) VALUES {', '.join([row] * len(arrivals))} "  # noqa: S608
            "ON CONFLICT (desk, key) DO NOTHING RETURNING desk, key, id"
        )
        values = tuple(value for one in arrivals for value in _values(one))
        return {(desk, key): id_ for desk, key, id_ in connection.exec_driver_sql(statement, values)}

    def _known(self, connection: Connection, arrivals: Sequence[Arrival]) -> dict[tuple[str, str], tuple[int, str]]:
        """Return id and state of the rows these repeat."""
        known: dict[tuple[str, str], tuple[int, str]] = {}
        for desk, some in groupby(arrivals, key=lambda one: one.desk):
            keys = [one.key for one in some]
            marks = ", ".join([self._mark] * len(keys))
            statement = f"SELECT key, id, state FROM deliveries WHERE desk = {self._mark} AND key IN ({marks})"  # noqa: S608
            for key, id_, state in connection.exec_driver_sql(statement, (desk, *keys)):
                known[desk, key] = id_, state
        return known


def can_be_joined(arrival: Arrival) -> bool:
    """Say whether others are looked for that this one may be joined with."""
    return arrival.state in OPEN_STATES and bool(_patience(arrival.occasion)[1])


def _values(arrival: Arrival) -> tuple[Any, ...]:
    """Return the row, in the order of COLUMNS."""
    is_open = arrival.state in OPEN_STATES
    return (
        arrival.desk,
        arrival.key,
        arrival.ticket_id,
        arrival.event[:80],
        arrival.occasion,
        arrival.state,
        arrival.reason[:REASON_LENGTH],
        0,
        0,
        arrival.at,
        arrival.at + _patience(arrival.occasion)[0] if is_open else None,
        None if is_open else arrival.at,
        arrival.body,
    )


def _unread(connection: Connection, arrival: Arrival, kind: str) -> int | None:
    """Return the open delivery of this kind that nobody has begun with: its reading will see this change too."""
    query = select(func.min(deliveries.c.id)).where(
        deliveries.c.desk == arrival.desk,
        deliveries.c.ticket_id == arrival.ticket_id,
        deliveries.c.occasion.startswith(kind, autoescape=True),
        deliveries.c.state.in_(OPEN_STATES),
        deliveries.c.attempts == 0,
    )
    found: int | None = connection.execute(query).scalar_one()
    return found
