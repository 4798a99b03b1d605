"""The tickets of customers whose list was read once, kept up from the catch-up list and from what is read anyway.

A customer's list is given out only while it is whole: read within TRUSTED_DAYS, every page of changed tickets since
then taken in, and the newest of them not older than FRESH_SECONDS. What a helpdesk does not list as changed (a ticket
that was deleted) is put right when the list is read again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, and_, delete, exists, select

from triage.store.engine import insert_into, one_at_a_time, reader_of
from triage.store.marks import FOLLOWED
from triage.store.tables import cursors, customer_tickets, customers
from triage.ticket import CustomerTicket, EarlierTicket, Status

DAY_SECONDS = 86_400.0
TRUSTED_DAYS = 7
# Three looks at the changed tickets, as often as they are by default.
FRESH_SECONDS = 900.0
# A ticket this young may be missing in a list that was asked for in the same moment.
YOUNG_SECONDS = 60.0
# What is kept of the pages for lists that are on their way right now.
UNLISTED_SECONDS = 3600.0


class Customers:
    """Keeps and gives out lists of tickets by customer."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = reader_of(engine)

    def tickets_of(self, desk: str, requester_id: str, now: float) -> tuple[CustomerTicket, ...] | None:
        """Return every ticket of a customer; None where they are not known to be all, and as they are."""
        row = customer_tickets.c
        with self._reader.connect() as connection:
            if not _is_whole(connection, desk, requester_id, now):
                return None
            mine = select(customer_tickets).where(row.desk == desk, row.requester_id == requester_id)
            return tuple(_ticket(one) for one in connection.execute(mine))

    def listed(self, desk: str, requester_id: str, tickets: Sequence[CustomerTicket], asked_at: float) -> None:
        """Take in a customer's whole list, asked for at `asked_at`; what it no longer holds goes."""
        row = customer_tickets.c
        with self._engine.begin() as connection:
            one_at_a_time(connection, "customers", desk)
            connection.execute(
                delete(customer_tickets).where(
                    row.desk == desk,
                    row.requester_id == requester_id,
                    row.updated_at < asked_at - YOUNG_SECONDS,
                    row.ticket_id.not_in([one.ticket.id for one in tickets]),
                )
            )
            self._put(connection, desk, tickets)
            new = insert_into(self._engine, customers).values(desk=desk, requester_id=requester_id, listed_at=asked_at)
            connection.execute(
                new.on_conflict_do_update(
                    index_elements=["desk", "requester_id"],
                    set_={"listed_at": new.excluded.listed_at},
                    where=new.excluded.listed_at > customers.c.listed_at,
                )
            )

    def seen(self, desk: str, tickets: Sequence[CustomerTicket]) -> None:
        """Take in tickets as just shown: the newest state of each counts, under the customer it then has."""
        if not tickets:
            return
        with self._engine.begin() as connection:
            one_at_a_time(connection, "customers", desk)
            self._put(connection, desk, tickets)

    def gone(self, desk: str, ticket_id: str) -> None:
        """Leave out a ticket that was deleted or is spam."""
        row = customer_tickets.c
        with self._engine.begin() as connection:
            connection.execute(delete(customer_tickets).where(row.desk == desk, row.ticket_id == ticket_id))

    def followed(self, desk: str, now: float) -> None:
        """Note that everything that had changed before `now` was taken in."""
        new = insert_into(self._engine, cursors).values(desk=desk, name=FOLLOWED, value=str(now), updated_at=now)
        with self._engine.begin() as connection:
            connection.execute(
                new.on_conflict_do_update(index_elements=["desk", "name"], set_={"updated_at": new.excluded.updated_at})
            )

    def broken(self, desk: str, since: float) -> None:
        """Trust no list of a desk that was asked for before `since`: changes may have been missed."""
        values = {"value": str(since), "updated_at": since}
        new = insert_into(self._engine, cursors).values(desk=desk, name=FOLLOWED, **values)
        with self._engine.begin() as connection:
            connection.execute(new.on_conflict_do_update(index_elements=["desk", "name"], set_=values))

    def drop(self, now: float) -> int:
        """Forget customers whose list is old, and tickets of customers without one; returns how many rows."""
        row = customer_tickets.c
        listed = exists().where(customers.c.desk == row.desk, customers.c.requester_id == row.requester_id)
        steps = (
            delete(customers).where(customers.c.listed_at < now - TRUSTED_DAYS * DAY_SECONDS),
            delete(customer_tickets).where(~listed, row.updated_at < now - UNLISTED_SECONDS),
        )
        dropped = 0
        for step in steps:
            with self._engine.begin() as connection:
                dropped += connection.execute(step).rowcount
        return dropped

    def _put(self, connection: Connection, desk: str, tickets: Sequence[CustomerTicket]) -> None:
        newest: dict[str, CustomerTicket] = {}
        for one in sorted(tickets, key=lambda one: one.updated_at):
            newest[one.ticket.id] = one
        if not newest:
            return
        new = insert_into(self._engine, customer_tickets).values([_row(desk, one) for one in newest.values()])
        values = {column.name: column for column in new.excluded if not column.primary_key}
        connection.execute(
            new.on_conflict_do_update(
                index_elements=["desk", "ticket_id"],
                set_=values,
                where=new.excluded.updated_at >= customer_tickets.c.updated_at,
            )
        )


def _is_whole(connection: Connection, desk: str, requester_id: str, now: float) -> bool:
    mark = and_(cursors.c.desk == customers.c.desk, cursors.c.name == FOLLOWED)
    query = select(customers.c.listed_at, cursors.c.value, cursors.c.updated_at).join(cursors, mark)
    mine = customers.c.desk == desk, customers.c.requester_id == requester_id
    found = connection.execute(query.where(*mine)).one_or_none()
    if found is None:
        return False
    since = max(float(found.value), now - TRUSTED_DAYS * DAY_SECONDS)
    return bool(found.listed_at >= since and found.updated_at >= now - FRESH_SECONDS)


def _row(desk: str, one: CustomerTicket) -> dict[str, Any]:
    ticket = one.ticket
    return {
        "desk": desk,
        "ticket_id": ticket.id,
        "requester_id": one.requester_id,
        "subject": ticket.subject,
        "status": ticket.status.value,
        "tags": list(ticket.tags),
        "created_at": ticket.created_at.timestamp(),
        "updated_at": one.updated_at.timestamp(),
    }


def _ticket(row: Any) -> CustomerTicket:
    created, updated = (datetime.fromtimestamp(at, UTC) for at in (row.created_at, row.updated_at))
    ticket = EarlierTicket(row.ticket_id, row.subject, Status(row.status), created, tuple(row.tags))
    return CustomerTicket(row.requester_id, ticket, updated)
