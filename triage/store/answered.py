"""Whom Tandem has answered in public by itself: no ticket twice, and nobody twice within a day."""

from __future__ import annotations

from sqlalchemy import Engine, delete, exists, select

from triage.store.effects import CONFIRMED, REPLY, SENT, UNDONE
from triage.store.engine import insert_into, reader_of
from triage.store.tables import answered, effects, runs

DAY_SECONDS = 86_400.0


class Answered:
    """Gives out turns to answer."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = reader_of(engine)

    def ticket(self, desk: str, ticket_id: str, run_id: int) -> bool:
        """Say whether another run has answered this ticket, or may have: its outcome counts while it is open."""
        mine = runs.c.desk == desk, runs.c.ticket_id == ticket_id, runs.c.id != run_id
        kind = effects.c.kind == REPLY, effects.c.state.in_((SENT, CONFIRMED, UNDONE))
        query = select(exists().where(effects.c.run_id == runs.c.id, *mine, *kind))
        with self._reader.connect() as connection:
            return bool(connection.execute(query).scalar_one())

    def drop(self, now: float) -> int:
        """Forget the turns that have come back; returns how many."""
        with self._engine.begin() as connection:
            return int(connection.execute(delete(answered).where(answered.c.at < now - DAY_SECONDS)).rowcount)

    def take_turn(self, desk: str, requester: str, run_id: int, now: float) -> bool:
        """Say whether this run may answer `requester` now; true for one run in a day, however often it asks.

        One statement decides between workers that ask at once.
        """
        with self._engine.begin() as connection:
            connection.execute(delete(answered).where(answered.c.at < now - DAY_SECONDS))
            connection.execute(
                insert_into(self._engine, answered)
                .values(desk=desk, requester=requester, run_id=run_id, at=now)
                .on_conflict_do_nothing(index_elements=["desk", "requester"])
            )
            same = answered.c.desk == desk, answered.c.requester == requester
            return bool(connection.execute(select(answered.c.run_id).where(*same)).scalar_one() == run_id)
