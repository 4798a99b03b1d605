"""Deletes rows whose days are over, a batch at a time so that nobody waits for a lock.

What a row said goes earlier, by its own store (`workers/sweep.py`): here it is whole rows.

`RULES` and `KEPT` together name every table; docs/privacy.md says the same in words.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import ColumnElement, Engine, Table, delete, exists, select

from triage.settings import Retention as Days
from triage.store.tables import (
    alarms,
    audit,
    deliveries,
    effects,
    exchanges,
    feedback,
    outcomes,
    questions,
    runs,
    watches,
)

DAY_SECONDS = 86_400.0
BATCH = 500
# One hour's share; what is left has the next hour.
SECONDS = 120.0
RULES = {
    "deliveries": "delivery_bodies, then deliveries",
    "runs": "run_details, then runs",
    "effects": "with their run",
    "outcomes": "probabilities run_details, the rest with their run",
    "exchanges": "run_details",
    "questions": "texts run_details, the rest with their run",
    "feedback": "reasons run_details, the rest with their run",
    "watches": "run_details after the last look, when no clock is open",
    "clocks": "with their watch",
    "acts": "with their watch",
    "backtests": "run_details",
    "backtest_tickets": "with their backtest",
    "knowledge_documents": "their source, and knowledge.tickets_days",
    "knowledge_passages": "with their document",
    "alarms": "alarms",
    "answered": "a day",
    "customers": "a week after their list was read",
    "customer_tickets": "with their customer, an hour without one",
    "audit": "audit",
}
KEPT = {
    "cursors": "one row for each desk and fact, and one id for each ticket that was forgotten",
    "controls": "one row for each switch",
    "day_counts": "numbers of the last 92 days",
    "models": "the last five lessons per field",
    "calibrations": "the last thirty fits per classifier and field",
    "knowledge_rounds": "one row for each desk and kind of source",
    "alembic_version": "one row",
}
# In this order: the database lets nothing go that others point to.
OF_RUN = (outcomes, exchanges, questions, feedback, effects)


class Retention:
    """Keeps the tables that grow within their days."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def apply(self, days: Days, now: float, clock: Callable[[], float] = time.monotonic) -> int:
        """Delete what is over, for at most SECONDS; returns how many rows."""
        end = clock() + SECONDS
        steps: tuple[Callable[[], int], ...] = (
            lambda: self._drop(alarms, alarms.c.created_at < now - days.alarms * DAY_SECONDS),
            lambda: self._drop(audit, audit.c.at < now - days.audit * DAY_SECONDS),
            lambda: self._deliveries(now - days.deliveries * DAY_SECONDS),
            lambda: self._runs(now - days.runs * DAY_SECONDS),
        )
        dropped = 0
        for step in steps:
            while clock() < end and (some := step()):
                dropped += some
        return dropped

    def _drop(self, table: Table, *where: ColumnElement[bool]) -> int:
        with self._engine.begin() as connection:
            ids = list(connection.execute(select(table.c.id).where(*where).limit(BATCH)).scalars())
            return int(connection.execute(delete(table).where(table.c.id.in_(ids))).rowcount) if ids else 0

    def _deliveries(self, before: float) -> int:
        """Delete closed rows; a call that is repeated after so long finds the ticket's run, and does nothing."""
        return self._drop(deliveries, deliveries.c.received_at < before, deliveries.c.due_at.is_(None))

    def _runs(self, before: float) -> int:
        """Delete runs with all that belongs to them; not of a ticket whose clocks are kept, for it may come back."""
        followed = exists().where(watches.c.desk == runs.c.desk, watches.c.ticket_id == runs.c.ticket_id)
        old = select(runs.c.id).where(runs.c.finished_at < before, ~followed).limit(BATCH)
        with self._engine.begin() as connection:
            ids = list(connection.execute(old).scalars())
            for table in OF_RUN if ids else ():
                connection.execute(delete(table).where(table.c.run_id.in_(ids)))
            return int(connection.execute(delete(runs).where(runs.c.id.in_(ids))).rowcount) if ids else 0
