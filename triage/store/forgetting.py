"""Deletes what is held of single tickets, and finds whose tables name somebody."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Table,
    Text,
    and_,
    cast,
    delete,
    func,
    null,
    or_,
    select,
    update,
)

from triage.sources import TICKET
from triage.store.deliveries import DONE, OPEN_STATES
from triage.store.engine import reader_of
from triage.store.runs import DEAD, RUNNING, SKIPPED, WAITING
from triage.store.runs import DONE as RUN_DONE
from triage.store.tables import (
    acts,
    alarms,
    answered,
    backtest_tickets,
    backtests,
    clocks,
    customer_tickets,
    customers,
    deliveries,
    effects,
    exchanges,
    feedback,
    knowledge_documents,
    knowledge_passages,
    outcomes,
    questions,
    runs,
    watches,
)

FORGOTTEN = "forgotten"
BATCH = 500
# Rows that go with a run, and rows that name the ticket themselves.
OF_RUN = (outcomes, exchanges, questions, feedback, answered)
OF_TICKET = (acts, clocks, watches, alarms, customer_tickets)
DETAILS = ("classification", "decision", "draft", "sources")
# Where a person may be named: column -> how its row names the ticket.
TEXTS: tuple[tuple[Any, Table], ...] = (
    *((runs.c[name], runs) for name in (*DETAILS, "reason")),
    (deliveries.c.reason, deliveries),
    *((effects.c[name], runs) for name in ("intent", "before", "after", "refused", "undo")),
    (exchanges.c.sent, runs),
    (exchanges.c.answer, runs),
    (exchanges.c.problem, runs),
    *((questions.c[name], runs) for name in ("text", "options", "answer", "answered_by")),
    *((feedback.c[name], runs) for name in ("label", "reason")),
    *((outcomes.c[name], runs) for name in ("ours", "theirs")),
    *((acts.c[name], acts) for name in ("before", "after", "refused", "undo", "reason")),
    *((watches.c[name], watches) for name in ("held", "escalated")),
    (clocks.c.reason, clocks),
    (alarms.c.text, alarms),
    *((customer_tickets.c[name], customer_tickets) for name in ("subject", "tags")),
)

Key = tuple[str, str]
"""Desk and ticket id."""


class Forgetting:
    """Reads and deletes by ticket; helpdesks are asked elsewhere."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = reader_of(engine)

    def naming(self, text: str, desk: str = "") -> set[Key]:
        """Return the tickets in whose rows `text` (an e-mail address) stands somewhere; looks through everything."""
        found: set[Key] = set()
        with self._reader.connect() as connection:
            for column, table in TEXTS:
                query = select(table.c.desk, table.c.ticket_id).where(_holds(column, text)).distinct()
                if column.table is not table:
                    query = query.join_from(column.table, table)
                found |= {(row[0], row[1]) for row in connection.execute(query)}
            document = knowledge_documents.c
            query = (
                select(document.desk, document.key)
                .join_from(knowledge_documents, knowledge_passages)
                .where(
                    document.kind == TICKET, or_(_holds(knowledge_passages.c.text, text), _holds(document.title, text))
                )
            )
            found |= {(row[0], row[1]) for row in connection.execute(query)}
            found |= set(_in_bodies(connection, text))
        return {one for one in found if one[1] and desk in ("", one[0])}

    def held(self, desk: str, ticket_id: str) -> dict[str, int]:
        """Return table -> rows that say something of the ticket; bare ids and states are not counted."""
        mine = runs.c.desk == desk, runs.c.ticket_id == ticket_id
        of_run = select(runs.c.id).where(*mine)
        said = or_(*(runs.c[name].is_not(null()) for name in DETAILS))
        wrote = or_(cast(effects.c.intent, Text) != "{}", effects.c.before.is_not(null()))
        counts = {
            "deliveries": _count(deliveries, _same(deliveries, desk, ticket_id), deliveries.c.body.is_not(null())),
            "runs": _count(runs, *mine, said),
            "effects": _count(effects, effects.c.run_id.in_(of_run), wrote),
            "backtest_tickets": _count(backtest_tickets, _in_backtests(desk, ticket_id)),
            "knowledge_documents": _count(knowledge_documents, _document(desk, ticket_id)),
        }
        counts |= {table.name: _count(table, table.c.run_id.in_(of_run)) for table in OF_RUN}
        counts |= {table.name: _count(table, _same(table, desk, ticket_id)) for table in OF_TICKET}
        with self._reader.connect() as connection:
            found = {name: int(connection.execute(query).scalar_one()) for name, query in counts.items()}
        return {name: number for name, number in found.items() if number}

    def forget(self, desk: str, ticket_id: str, now: float, *, with_ids: bool = False) -> None:
        """Delete what is held of a ticket, in one transaction.

        A bare row of each delivery and run stays, so that the ticket is not triaged a second time; `with_ids` deletes
        those too. The knowledge index is not told: `Knowledge.drop` does that.
        """
        mine = runs.c.desk == desk, runs.c.ticket_id == ticket_id
        of_run = select(runs.c.id).where(*mine)
        with self._engine.begin() as connection:
            for table in OF_RUN:
                connection.execute(delete(table).where(table.c.run_id.in_(of_run)))
            connection.execute(delete(customers).where(_is_asker(desk, ticket_id)))
            for table in OF_TICKET:
                connection.execute(delete(table).where(_same(table, desk, ticket_id)))
            connection.execute(delete(backtest_tickets).where(_in_backtests(desk, ticket_id)))
            if with_ids:
                connection.execute(delete(effects).where(effects.c.run_id.in_(of_run)))
                connection.execute(delete(runs).where(*mine))
                connection.execute(delete(deliveries).where(_same(deliveries, desk, ticket_id)))
            else:
                _empty(connection, desk, ticket_id, now)


def _empty(connection: Connection, desk: str, ticket_id: str, now: float) -> None:
    """Take every value out of the rows that stay, and close what is open."""
    mine = runs.c.desk == desk, runs.c.ticket_id == ticket_id
    of_run = select(runs.c.id).where(*mine)
    nothing = {name: null() for name in ("before", "after", "refused", "undo")}
    connection.execute(update(effects).where(effects.c.run_id.in_(of_run)).values(intent={}, **nothing))
    details = {name: null() for name in DETAILS}
    connection.execute(update(runs).where(*mine).values(policy="", reason=FORGOTTEN, **details))
    waiting = runs.c.state.in_((WAITING, RUNNING, SKIPPED, DEAD))
    connection.execute(update(runs).where(*mine, waiting).values(state=RUN_DONE, owner="", finished_at=now))
    of_ticket = _same(deliveries, desk, ticket_id)
    connection.execute(update(deliveries).where(of_ticket).values(body=None, reason=FORGOTTEN))
    is_open = deliveries.c.state.in_(OPEN_STATES)
    closed = {"state": DONE, "due_at": None, "finished_at": now}
    connection.execute(update(deliveries).where(of_ticket, is_open).values(closed))


def _same(table: Table, desk: str, ticket_id: str) -> ColumnElement[bool]:
    return and_(table.c.desk == desk, table.c.ticket_id == ticket_id)


def _is_asker(desk: str, ticket_id: str) -> ColumnElement[bool]:
    asked = select(customer_tickets.c.requester_id).where(_same(customer_tickets, desk, ticket_id))
    return and_(customers.c.desk == desk, customers.c.requester_id.in_(asked))


def _document(desk: str, ticket_id: str) -> ColumnElement[bool]:
    document = knowledge_documents.c
    return and_(document.desk == desk, document.kind == TICKET, document.key == ticket_id)


def _in_backtests(desk: str, ticket_id: str) -> ColumnElement[bool]:
    of_desk = select(backtests.c.id).where(backtests.c.desk == desk)
    return and_(backtest_tickets.c.backtest_id.in_(of_desk), backtest_tickets.c.ticket_id == ticket_id)


def _count(table: Table, *where: ColumnElement[bool]) -> Any:
    return select(func.count()).select_from(table).where(*where)


def _holds(column: Any, text: str) -> ColumnElement[bool]:
    return or_(*(func.lower(cast(column, Text)).contains(one, autoescape=True) for one in _spellings(text)))


def _spellings(text: str) -> set[str]:
    """Return how `text` may stand where letters were made small: JSON has its own way with others than ASCII, and
    SQLite makes only ASCII letters small."""
    upper = "".join(char.lower() if char.isascii() else char for char in text.upper())
    return {text.lower(), upper, *(json.dumps(one)[1:-1].lower() for one in (text.lower(), text.upper()))}


def _in_bodies(connection: Connection, text: str) -> Iterator[Key]:
    """Yield the tickets of deliveries whose raw body holds `text`; bodies are bytes, and read by pieces."""
    wanted = {one.encode() for one in _spellings(text)}
    last = 0
    columns = deliveries.c.id, deliveries.c.desk, deliveries.c.ticket_id, deliveries.c.body
    while True:
        query = select(*columns).where(deliveries.c.id > last, deliveries.c.body.is_not(null()))
        rows = connection.execute(query.order_by(deliveries.c.id).limit(BATCH)).all()
        for row in rows:
            if any(one in bytes(row.body).lower() for one in wanted):
                yield row.desk, row.ticket_id
        if len(rows) < BATCH:
            return
        last = rows[-1].id
