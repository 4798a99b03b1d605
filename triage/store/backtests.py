"""Backtests: closed tickets and what the policy of today says of them, shared out to whoever works on them.

Any number of commands and workers take tickets by a conditional UPDATE under a lease; a row is written once. No text of
a customer is kept.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, and_, delete, func, or_, select, update

from triage.store.engine import insert_into, reader_of
from triage.store.tables import backtest_tickets as tickets
from triage.store.tables import backtests, effects, runs

READING, WORKING, DONE = "reading", "working", "done"
# A ticket is only counted as one of its customer's ("context"), waits, is worked on, or is over.
CONTEXT, WAITING, RUNNING, SKIPPED = "context", "waiting", "running", "skipped"
CHUNK = 20
"""Tickets claimed at once: seconds of work, so that new tickets never wait long behind a backtest."""
REASON_LENGTH = 300
MONTH_SECONDS = 30 * 86_400.0
BATCH = 500


@dataclass(frozen=True)
class Backtest:
    """One row."""

    id: int
    desk: str
    arguments: str
    serial: int
    policy: str
    state: str
    since: float
    until: float
    cursor: str
    created_at: float
    finished_at: float | None


@dataclass(frozen=True)
class Found:
    """A closed ticket as the list shows it."""

    ticket_id: str
    created_at: float | None = None
    requester: str = ""
    url: str = ""
    truth: dict[str, str] = field(default_factory=dict)
    """Field -> label that people gave."""
    wanted: bool = True
    """False: outside of the period, only counted as one of its customer's."""


@dataclass(frozen=True)
class Todo:
    """A ticket this owner is to look at."""

    ticket_id: str
    attempts: int
    earlier: int
    """Tickets of the same customer in the 30 days before."""


@dataclass(frozen=True)
class Looked:
    """A ticket that is over: `answer` is None where it was skipped, and `reason` says why."""

    ticket_id: str
    created_at: float | None
    requester: str
    url: str
    truth: dict[str, str]
    answer: dict[str, Any] | None
    seen: list[str]
    reason: str


@dataclass(frozen=True)
class Progress:
    """How many tickets are in each state, and who holds a live lease."""

    states: dict[str, int]
    owners: frozenset[str]

    @property
    def wanted(self) -> int:
        """Return how many tickets there are to look at, those that are over included."""
        return sum(count for state, count in self.states.items() if state != CONTEXT)

    @property
    def over(self) -> int:
        """Return how many tickets are over."""
        return self.states.get(DONE, 0) + self.states.get(SKIPPED, 0)


class Backtests:
    """Reads and writes backtests."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = reader_of(engine)

    def latest(self, desk: str, arguments: str) -> Backtest | None:
        """Return the newest backtest with these arguments."""
        same = backtests.c.desk == desk, backtests.c.arguments == arguments
        query = select(backtests).where(*same).order_by(backtests.c.serial.desc()).limit(1)
        with self._reader.connect() as connection:
            row = connection.execute(query).mappings().one_or_none()
        return Backtest(**row) if row else None

    def begin(
        self, desk: str, arguments: str, policy: str, period: tuple[float, float], now: float, after: Backtest | None
    ) -> Backtest:
        """Return the backtest that comes `after` the latest one the caller knows, whoever was first to begin it."""
        values = {
            "desk": desk,
            "arguments": arguments,
            "serial": after.serial + 1 if after else 1,
            "policy": policy,
            "state": READING,
            "since": period[0],
            "until": period[1],
            "created_at": now,
        }
        with self._engine.begin() as connection:
            new = insert_into(self._engine, backtests).values(values)
            connection.execute(new.on_conflict_do_nothing(index_elements=["desk", "arguments", "serial"]))
        found = self.latest(desk, arguments)
        assert found is not None
        return found

    def get(self, backtest_id: int) -> Backtest | None:
        """Return one backtest."""
        with self._reader.connect() as connection:
            row = connection.execute(select(backtests).where(backtests.c.id == backtest_id)).mappings().one_or_none()
        return Backtest(**row) if row else None

    def add(self, backtest: Backtest, found: Sequence[Found], cursor: str) -> bool:
        """Take a page of tickets in and move the cursor on; False when another command has done so already.

        A ticket that comes again has its newer truth.
        """
        moved = update(backtests).where(backtests.c.id == backtest.id, backtests.c.cursor == backtest.cursor)
        with self._engine.begin() as connection:
            if connection.execute(moved.values(cursor=cursor)).rowcount != 1:
                return False
            for start in range(0, len(found), BATCH):
                new = insert_into(self._engine, tickets).values(
                    [_row(backtest.id, one) for one in found[start : start + BATCH]]
                )
                again = {"truth": new.excluded.truth, "url": new.excluded.url}
                keys = ["backtest_id", "ticket_id"]
                connection.execute(new.on_conflict_do_update(index_elements=keys, set_=again))
        return True

    def close_list(self, backtest_id: int, limit: int) -> None:
        """End the listing; of more than `limit` tickets so many stay, chosen by chance but always the same ones."""
        mine = tickets.c.backtest_id == backtest_id, tickets.c.state == WAITING
        with self._engine.begin() as connection:
            listing = update(backtests).where(backtests.c.id == backtest_id, backtests.c.state == READING)
            if connection.execute(listing.values(state=WORKING)).rowcount != 1:
                return
            first_left_out = select(tickets.c.place).where(*mine).order_by(tickets.c.place).offset(limit).limit(1)
            place = connection.execute(first_left_out).scalar_one_or_none()
            if place is not None:
                connection.execute(update(tickets).where(*mine, tickets.c.place >= place).values(state=CONTEXT))

    def claim(self, backtest_id: int, owner: str, now: float, lease_until: float) -> list[Todo]:
        """Return at most CHUNK tickets that are now `owner`'s."""
        free = or_(tickets.c.state == WAITING, and_(tickets.c.state == RUNNING, tickets.c.lease_until < now))
        mine = tickets.c.backtest_id == backtest_id
        some = select(tickets.c.id).where(mine, free).order_by(tickets.c.place).limit(CHUNK)
        taken = {"state": RUNNING, "owner": owner, "lease_until": lease_until, "attempts": tickets.c.attempts + 1}
        with self._engine.begin() as connection:
            ids = list(connection.execute(some.with_for_update(skip_locked=True)).scalars())
            connection.execute(update(tickets).where(tickets.c.id.in_(ids), free).values(taken))
            held = select(tickets).where(tickets.c.id.in_(ids), tickets.c.owner == owner, tickets.c.state == RUNNING)
            rows = connection.execute(held.order_by(tickets.c.place)).all()
        times = self._times_of(backtest_id, {row.requester for row in rows if row.requester})
        return [Todo(row.ticket_id, row.attempts, _earlier(row.created_at, times[row.requester])) for row in rows]

    def _times_of(self, backtest_id: int, requesters: Collection[str]) -> dict[str, list[float]]:
        mine = tickets.c.backtest_id == backtest_id, tickets.c.requester.in_(list(requesters))
        times: dict[str, list[float]] = defaultdict(list)
        with self._reader.connect() as connection:
            for row in connection.execute(select(tickets.c.requester, tickets.c.created_at).where(*mine)):
                if row.created_at is not None:
                    times[row.requester].append(row.created_at)
        return times

    def finish_ticket(self, backtest_id: int, ticket_id: str, owner: str, now: float, **values: Any) -> bool:
        """Close a ticket as done, or as skipped where `reason` is given; False when it is no longer `owner`'s."""
        mine = self._held(backtest_id, owner)
        new = {"state": SKIPPED if values.get("reason") else DONE, "lease_until": None, "finished_at": now, **values}
        with self._engine.begin() as connection:
            return (
                connection.execute(update(tickets).where(mine, tickets.c.ticket_id == ticket_id).values(new)).rowcount
                == 1
            )

    def renew(self, backtest_id: int, owner: str, lease_until: float) -> None:
        """Lengthen the lease of what `owner` still holds."""
        with self._engine.begin() as connection:
            connection.execute(update(tickets).where(self._held(backtest_id, owner)).values(lease_until=lease_until))

    def release(self, backtest_id: int, owners: Collection[str]) -> int:
        """Let others have what `owners` hold, and take the attempt back."""
        mine = tickets.c.backtest_id == backtest_id, tickets.c.owner.in_(list(owners)), tickets.c.state == RUNNING
        free = {"state": WAITING, "lease_until": None, "attempts": tickets.c.attempts - 1}
        with self._engine.begin() as connection:
            return int(connection.execute(update(tickets).where(*mine).values(free)).rowcount)

    def progress(self, backtest_id: int, now: float) -> Progress:
        """Return how far it is."""
        mine = tickets.c.backtest_id == backtest_id
        alive = mine, tickets.c.state == RUNNING, tickets.c.lease_until >= now
        with self._reader.connect() as connection:
            rows = connection.execute(select(tickets.c.state, func.count()).where(mine).group_by(tickets.c.state)).all()
            owners = connection.execute(select(tickets.c.owner).where(*alive).distinct()).scalars()
            return Progress({state: count for state, count in rows}, frozenset(owners))

    def finish(self, backtest_id: int, now: float) -> None:
        """Close the backtest once every ticket is over."""
        open_ = backtests.c.id == backtest_id, backtests.c.state == WORKING
        with self._engine.begin() as connection:
            connection.execute(update(backtests).where(*open_).values(state=DONE, finished_at=now))

    def looked(self, backtest_id: int) -> list[Looked]:
        """Return the tickets that are over, always in the same order."""
        columns = [tickets.c[name] for name in Looked.__dataclass_fields__]
        over = tickets.c.backtest_id == backtest_id, tickets.c.state.in_((DONE, SKIPPED))
        with self._reader.connect() as connection:
            rows = connection.execute(select(*columns).where(*over).order_by(tickets.c.place)).mappings()
            return [Looked(**row) for row in rows]

    def in_period(self, backtest: Backtest) -> int:
        """Return how many closed tickets of the period were listed, those left out by the limit included."""
        mine = tickets.c.backtest_id == backtest.id
        inside = or_(tickets.c.created_at.is_(None), tickets.c.created_at.between(backtest.since, backtest.until))
        with self._reader.connect() as connection:
            return int(connection.execute(select(func.count()).where(mine, inside)).scalar_one())

    def set_by_us(self, desk: str, ticket_ids: Sequence[str]) -> dict[str, set[str]]:
        """Return which values of these tickets ("priority", "group", a custom field) Tandem itself has written."""
        found: dict[str, set[str]] = defaultdict(set)
        both = select(runs.c.ticket_id, effects.c.after).join(effects, effects.c.run_id == runs.c.id)
        with self._reader.connect() as connection:
            for start in range(0, len(ticket_ids), BATCH):
                some = ticket_ids[start : start + BATCH]
                for row in connection.execute(both.where(runs.c.desk == desk, runs.c.ticket_id.in_(some))):
                    found[row.ticket_id] |= set(row.after or {})
        return found

    def spent_since(self, since: float) -> float:
        """Return the US dollars that tickets looked at since then have cost."""
        query = select(func.coalesce(func.sum(tickets.c.cost_usd), 0.0)).where(tickets.c.finished_at >= since)
        with self._reader.connect() as connection:
            return float(connection.execute(query).scalar_one())

    def drop(self, before: float) -> int:
        """Forget backtests begun before `before`; returns how many."""
        old = select(backtests.c.id).where(backtests.c.created_at < before)
        with self._engine.begin() as connection:
            connection.execute(delete(tickets).where(tickets.c.backtest_id.in_(old)))
            return int(connection.execute(delete(backtests).where(backtests.c.created_at < before)).rowcount)

    @staticmethod
    def _held(backtest_id: int, owner: str) -> Any:
        return and_(tickets.c.backtest_id == backtest_id, tickets.c.owner == owner, tickets.c.state == RUNNING)


def place_of(ticket_id: str) -> float:
    """Return where the ticket stands in an order by chance that is always the same, from 0 to 1."""
    digest = hashlib.sha256(ticket_id.encode("utf-8", "replace")).digest()
    return int.from_bytes(digest[:6], "big") / 2**48


def _row(backtest_id: int, found: Found) -> dict[str, Any]:
    return {
        "backtest_id": backtest_id,
        "ticket_id": found.ticket_id,
        "state": WAITING if found.wanted else CONTEXT,
        "place": place_of(found.ticket_id),
        "created_at": found.created_at,
        "requester": found.requester,
        "url": found.url,
        "truth": found.truth,
        "seen": [],
    }


def _earlier(moment: float | None, times: Sequence[float]) -> int:
    return 0 if moment is None else sum(moment - MONTH_SECONDS <= time < moment for time in times)
