"""Runs: one triage of one ticket, claimed by one worker at a time under a lease."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, and_, bindparam, exists, func, null, or_, select, update

from triage.store.effects import UPDATE
from triage.store.engine import insert_into, reader_of
from triage.store.tables import effects, runs

WAITING, RUNNING, DONE, SKIPPED, DEAD = "waiting", "running", "done", "skipped", "dead"
# No 0/O, 1/I/L: agents read references to each other over the phone. 31^10 of them.
ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
REASON_LENGTH = 500
# Statements of every ticket are made once, the values come with each: making them takes longer than carrying them out.
_OTHERS = runs.alias("others")
_TICKET = and_(runs.c.desk == bindparam("of_desk"), runs.c.ticket_id == bindparam("of_ticket"))
_THIS = and_(_TICKET, runs.c.occasion == bindparam("of_occasion"))
_FREE = or_(
    runs.c.state.in_((WAITING, SKIPPED, DEAD)), and_(runs.c.state == RUNNING, runs.c.lease_until < bindparam("at"))
)
_OTHER_HELD = exists().where(
    _OTHERS.c.desk == bindparam("of_desk"),
    _OTHERS.c.ticket_id == bindparam("of_ticket"),
    _OTHERS.c.occasion != bindparam("of_occasion"),
    _OTHERS.c.state == RUNNING,
    _OTHERS.c.lease_until >= bindparam("at"),
)
CLAIM = (
    update(runs)
    .where(_THIS, _FREE, ~_OTHER_HELD)
    .values(
        state=RUNNING,
        owner=bindparam("by"),
        lease_until=bindparam("until"),
        attempts=runs.c.attempts + 1,
        started_at=bindparam("at"),
        reason="",
    )
    .returning(*runs.c)
)
BY_OCCASION = select(runs).where(_THIS)
BY_ID = select(runs).where(runs.c.id == bindparam("this"))
DONE_OF = (
    select(runs)
    .where(
        runs.c.desk == bindparam("of_desk"),
        runs.c.ticket_id.in_(bindparam("of_tickets", expanding=True)),
        runs.c.state == DONE,
    )
    .order_by(runs.c.id)
)
HELD = update(runs).where(
    runs.c.id == bindparam("held_id"), runs.c.owner == bindparam("held_by"), runs.c.state == RUNNING
)


@dataclass(frozen=True)
class Spending:
    """What the answers of one classifier took; where another was asked first and failed, its cost is in here."""

    classifier: str
    model: str
    runs: int
    tokens_in: int
    tokens_out: int
    cost_usd: float


@dataclass(frozen=True)
class Pace:
    """How long one run took: from its first attempt to its end, and each of its steps; seconds."""

    whole: float
    steps: dict[str, float]


@dataclass(frozen=True)
class Run:
    """One row; `classification` and `decision` are the plain data of their models."""

    id: int
    desk: str
    ticket_id: str
    occasion: str
    reference: str
    state: str
    owner: str
    lease_until: float | None
    attempts: int
    created_at: float
    started_at: float | None
    finished_at: float | None
    reason: str
    policy: str
    classification: dict[str, Any] | None
    decision: dict[str, Any] | None
    classifier: str
    model: str
    tokens_in: int
    tokens_out: int
    cost_usd: float
    timings: dict[str, float] | None
    sources: dict[str, Any] | None
    draft: dict[str, Any] | None
    drafted: str
    speech: str
    heard: str | None
    team: str
    priority: str


@dataclass(frozen=True)
class Triaged:
    """What a report counts of a run."""

    desk: str
    ticket_id: str
    occasion: str
    state: str
    created_at: float
    classification: dict[str, Any] | None
    decision: dict[str, Any] | None
    classifier: str
    cost_usd: float
    drafted: str


def new_reference() -> str:
    """Return a fresh `TDM-XXXXXXXXXX`."""
    return "TDM-" + "".join(secrets.choice(ALPHABET) for _ in range(10))


def _run(row: RowMapping) -> Run:
    return Run(**row)


class Runs:
    """Reads and writes runs. Every write by a worker names its owner and fails quietly when the lease was lost."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = reader_of(engine)
        unique = ["desk", "ticket_id", "occasion"]
        self._open = insert_into(engine, runs).on_conflict_do_nothing(index_elements=unique)

    def claim(
        self,
        desk: str,
        ticket_id: str,
        occasion: str,
        *,
        owner: str,
        now: float,
        lease_until: float,
        within: Connection | None = None,
    ) -> tuple[Run, bool]:
        """Return the run of this occasion and whether it is now ours; it is not when done or held by a live lease.

        Nor while a worker holds another run of the ticket: one at a time. A skipped run may be claimed again: the
        ticket may be open again, or the desk switched on. `within` is as for `save`.
        """
        this = {"of_desk": desk, "of_ticket": ticket_id, "of_occasion": occasion}
        with nullcontext(within) if within else self._engine.begin() as connection:
            if self._engine.dialect.name == "postgresql":
                # Two occasions are two rows: without this lock each claim would look past the other. SQLite writes
                # one at a time anyway.
                name = func.hashtextextended(f"{desk} {ticket_id}", 0)
                connection.execute(select(func.pg_advisory_xact_lock(name)))
            identity = {"desk": desk, "ticket_id": ticket_id, "occasion": occasion}
            connection.execute(
                self._open, identity | {"reference": new_reference(), "state": WAITING, "created_at": now}
            )
            claim = this | {"by": owner, "until": lease_until, "at": now}
            if claimed := connection.execute(CLAIM, claim).mappings().one_or_none():
                return _run(claimed), True
            return _run(connection.execute(BY_OCCASION, this).mappings().one()), False

    def renew(self, run_ids: Iterable[int], owner: str, lease_until: float) -> None:
        """Lengthen the leases this owner holds."""
        with self._engine.begin() as connection:
            connection.execute(
                update(runs)
                .where(runs.c.id.in_(list(run_ids)), runs.c.owner == owner, runs.c.state == RUNNING)
                .values(lease_until=lease_until)
            )

    def save(self, run: Run, *, within: Connection | None = None, **values: Any) -> bool:
        """Store `values` while the run is ours; False when another worker took it over.

        `within` is a transaction of the caller's: what else it stores and this are kept both or neither.
        """
        if answer := values.get("classification"):
            # To be searched by; as long as the columns.
            values["team"] = str(answer.get("primary_team", ""))[:80]
            values["priority"] = str(answer.get("priority", ""))[:40]
        with nullcontext(within) if within else self._engine.begin() as connection:
            return connection.execute(HELD, values | {"held_id": run.id, "held_by": run.owner}).rowcount == 1

    def finish(
        self, run: Run, state: str, now: float, reason: str = "", within: Connection | None = None, **values: Any
    ) -> bool:
        """Close the run as done, skipped or dead, and store `values` with it; `within` is as for `save`."""
        ended: dict[str, Any] = {
            "state": state,
            "finished_at": now,
            "lease_until": None,
            "reason": reason[:REASON_LENGTH],
        }
        return self.save(run, within=within, **ended, **values)

    def release(self, run: Run, reason: str) -> bool:
        """Hand the run back for a later attempt."""
        return self.save(run, state=WAITING, lease_until=None, reason=reason[:REASON_LENGTH])

    def get(self, run_id: int) -> Run | None:
        """Return one run."""
        with self._reader.connect() as connection:
            row = connection.execute(BY_ID, {"this": run_id}).mappings().one_or_none()
        return _run(row) if row else None

    def by_reference(self, reference: str) -> Run | None:
        """Return the run whose note carries `reference`."""
        with self._reader.connect() as connection:
            row = connection.execute(select(runs).where(runs.c.reference == reference)).mappings().one_or_none()
        return _run(row) if row else None

    def of_ticket(self, desk: str, ticket_id: str) -> Run | None:
        """Return the newest run of a ticket."""
        newest = select(runs).where(runs.c.desk == desk, runs.c.ticket_id == ticket_id).order_by(runs.c.id.desc())
        with self._reader.connect() as connection:
            row = connection.execute(newest.limit(1)).mappings().one_or_none()
        return _run(row) if row else None

    def all_of(self, desk: str, ticket_id: str) -> list[Run]:
        """Return every run of a ticket, oldest first."""
        query = select(runs).where(runs.c.desk == desk, runs.c.ticket_id == ticket_id).order_by(runs.c.id)
        with self._reader.connect() as connection:
            return [_run(row) for row in connection.execute(query).mappings()]

    def done_of(self, desk: str, ticket_ids: Collection[str]) -> dict[str, Run]:
        """Return ticket id -> its newest run that was done, for those of `ticket_ids` that have one."""
        these = {"of_desk": desk, "of_tickets": list(ticket_ids)}
        with self._reader.connect() as connection:
            return {row["ticket_id"]: _run(row) for row in connection.execute(DONE_OF, these).mappings()}

    def recent(self, limit: int) -> list[Run]:
        """Return the newest runs first."""
        with self._reader.connect() as connection:
            query = select(runs).order_by(runs.c.created_at.desc()).limit(limit)
            return [_run(row) for row in connection.execute(query).mappings()]

    def begun_between(self, since: float, until: float, desk: str = "") -> list[Triaged]:
        """Return the runs that began in a period, of one desk or of all."""
        columns = [runs.c[name] for name in Triaged.__dataclass_fields__]
        wanted = [runs.c.created_at >= since, runs.c.created_at < until, *([runs.c.desk == desk] if desk else [])]
        with self._reader.connect() as connection:
            query = select(*columns).where(*wanted).order_by(runs.c.created_at)
            return [Triaged(**row) for row in connection.execute(query).mappings()]

    def counts(self) -> dict[str, int]:
        """Return how many runs are in each state."""
        with self._reader.connect() as connection:
            return {row[0]: row[1] for row in connection.execute(select(runs.c.state, func.count()).group_by("state"))}

    def spending(self) -> list[Spending]:
        """Return, per classifier and model, how many runs it answered and what that took."""
        sums = [func.sum(column) for column in (runs.c.tokens_in, runs.c.tokens_out, runs.c.cost_usd)]
        query = (
            select(runs.c.classifier, runs.c.model, func.count(), *sums)
            .where(runs.c.classifier != "")
            .group_by(runs.c.classifier, runs.c.model)
        )
        with self._reader.connect() as connection:
            return [Spending(*row) for row in connection.execute(query)]

    def paces(self, since: float, limit: int) -> list[Pace]:
        """Return how long the newest runs took that were done since then."""
        done = runs.c.finished_at >= since, runs.c.state == DONE
        query = select(runs.c.created_at, runs.c.finished_at, runs.c.timings).where(*done)
        with self._reader.connect() as connection:
            rows = connection.execute(query.order_by(runs.c.finished_at.desc()).limit(limit))
            return [Pace(row.finished_at - row.created_at, row.timings or {}) for row in rows]

    def drafts(self) -> dict[tuple[str, str], int]:
        """Return (desk, what the draft came to) -> how many runs."""
        query = select(runs.c.desk, runs.c.drafted, func.count()).where(runs.c.drafted != "")
        with self._reader.connect() as connection:
            return {(row[0], row[1]): row[2] for row in connection.execute(query.group_by(runs.c.desk, runs.c.drafted))}

    def speeches(self) -> dict[tuple[str, str], int]:
        """Return (desk, how far it was let speak) -> how many runs."""
        query = select(runs.c.desk, runs.c.speech, func.count()).where(runs.c.speech != "")
        with self._reader.connect() as connection:
            return {(row[0], row[1]): row[2] for row in connection.execute(query.group_by(runs.c.desk, runs.c.speech))}

    def done_since(self, since: float) -> int:
        """Return how many runs have been done since then."""
        query = select(func.count()).where(runs.c.finished_at >= since, runs.c.state == DONE)
        with self._reader.connect() as connection:
            return int(connection.execute(query).scalar_one())

    def known(self, desk: str, ticket_ids: Collection[str]) -> set[str]:
        """Return those of `ticket_ids` that have a run already."""
        query = select(runs.c.ticket_id).where(runs.c.desk == desk, runs.c.ticket_id.in_(list(ticket_ids)))
        with self._reader.connect() as connection:
            return set(connection.execute(query).scalars())

    def drop_details(self, before: float, limit: int = 1000) -> int:
        """Forget what was said of tickets in runs that ended before `before`; returns how many."""
        # One that was given up may have said something before it had a policy.
        says = or_(
            runs.c.policy != "", *(runs.c[name].is_not(null()) for name in ("classification", "decision", "draft"))
        )
        old = select(runs.c.id).where(runs.c.finished_at < before, says).limit(limit)
        nothing = {name: null() for name in ("classification", "decision", "draft")}
        with self._engine.begin() as connection:
            ids = list(connection.execute(old).scalars())
            # A note that was replaced is kept as it was, so that it can be put back.
            texts = effects.c.run_id.in_(ids), effects.c.kind == UPDATE
            connection.execute(update(effects).where(*texts).values(before=null(), after=null()))
            forget = update(runs).where(runs.c.id.in_(ids)).values(policy="", **nothing)
            return int(connection.execute(forget).rowcount)

    def spent_since(self, since: float) -> float:
        """Return the US dollars that runs begun since then have cost."""
        query = select(func.coalesce(func.sum(runs.c.cost_usd), 0.0)).where(runs.c.created_at >= since)
        with self._reader.connect() as connection:
            return float(connection.execute(query).scalar_one())
