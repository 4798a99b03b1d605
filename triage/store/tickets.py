"""Everything that is kept of one ticket, for its page in the console. Rows of another desk are never among it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, Table, select

from triage.store.deliveries import COLUMNS as DELIVERY_COLUMNS
from triage.store.deliveries import Delivery
from triage.store.effects import Effect
from triage.store.engine import reader_of
from triage.store.exchanges import Exchange
from triage.store.feedback import Vote
from triage.store.questions import Question
from triage.store.runs import Run
from triage.store.tables import acts, deliveries, effects, exchanges, feedback, outcomes, questions, runs

MOST_RUNS = 20
MOST_DELIVERIES = 100
MOST_OF_A_RUN = 50
Row = dict[str, Any]


@dataclass(frozen=True)
class OneRun:
    """A run and what belongs to it."""

    run: Run
    effects: list[Effect]
    exchanges: list[Exchange]
    questions: list[Question]
    votes: list[Vote]
    outcomes: list[Row]


@dataclass(frozen=True)
class Record:
    """One ticket: runs and deliveries, the newest first, and what was done about its SLA."""

    runs: list[OneRun]
    deliveries: list[Delivery]
    acts: list[Row]


class Tickets:
    """Reads records."""

    def __init__(self, engine: Engine) -> None:
        self._reader = reader_of(engine)

    def record(self, desk: str, ticket_id: str) -> Record:
        """Return what is kept of a ticket; an empty record where there is nothing."""
        mine = {"desk": desk, "ticket_id": ticket_id}
        with self._reader.connect() as connection:
            query = select(runs).filter_by(**mine).order_by(runs.c.id.desc()).limit(MOST_RUNS)
            found = [Run(**row) for row in connection.execute(query).mappings()]
            came = select(*DELIVERY_COLUMNS).filter_by(**mine).order_by(deliveries.c.id.desc())
            arrived = [Delivery(**row) for row in connection.execute(came.limit(MOST_DELIVERIES)).mappings()]
            done = select(acts).filter_by(**mine).order_by(acts.c.id.desc()).limit(MOST_OF_A_RUN)
            about_sla = [dict(row) for row in connection.execute(done).mappings()]
        ids = [run.id for run in found]
        parts = {table.name: self._of_runs(table, ids) for table in (effects, exchanges, questions, feedback, outcomes)}
        return Record(
            [
                OneRun(
                    run,
                    [Effect(**row) for row in parts["effects"].get(run.id, [])],
                    [Exchange(**row) for row in parts["exchanges"].get(run.id, [])],
                    [Question(**row) for row in parts["questions"].get(run.id, [])],
                    [_vote(row) for row in parts["feedback"].get(run.id, [])],
                    parts["outcomes"].get(run.id, []),
                )
                for run in found
            ],
            arrived,
            about_sla,
        )

    def body(self, desk: str, delivery_id: int) -> tuple[Delivery, bytes | None] | None:
        """Return a delivery of `desk` with its body as received, None where the desk has no such delivery."""
        query = select(*DELIVERY_COLUMNS, deliveries.c.body).filter_by(id=delivery_id, desk=desk)
        with self._reader.connect() as connection:
            row = connection.execute(query).mappings().one_or_none()
        if row is None:
            return None
        values = dict(row)
        body = values.pop("body")
        return Delivery(**values), None if body is None else bytes(body)

    def _of_runs(self, table: Table, ids: list[int]) -> dict[int, list[Row]]:
        found: dict[int, list[Row]] = {}
        with self._reader.connect() as connection:
            query = select(table).where(table.c.run_id.in_(ids)).order_by(table.c.id)
            for row in connection.execute(query).mappings():
                found.setdefault(row["run_id"], []).append(dict(row))
        return found


def _vote(row: Row) -> Vote:
    return Vote(**{name: row[name] for name in Vote.__dataclass_fields__})
