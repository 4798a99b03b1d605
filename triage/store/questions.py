"""Questions: one fact a note asks a person for. open -> answered / dropped; the first answer holds."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Engine, and_, bindparam, func, select, update

from triage.store.deliveries import Deliveries, Received
from triage.store.engine import insert_into, reader_of
from triage.store.tables import questions

OPEN, ANSWERED, DROPPED = "open", "answered", "dropped"
# Asked for every note, so made once.
OF_TICKET = (
    select(questions)
    .where(questions.c.desk == bindparam("of_desk"), questions.c.ticket_id == bindparam("of_ticket"))
    .order_by(questions.c.id)
)
BY_LINK = "link"
TEXT_LENGTH = 300
OPTION_LENGTH = 60
# One digit in a link.
MOST_OPTIONS = 6
ANSWER_LENGTH = 500
EVENT = "answer"
OCCASION = "answer:{}"


@dataclass(frozen=True)
class Question:
    """One row; texts are a model's, an admin's or an agent's and are to be escaped."""

    id: int
    run_id: int
    desk: str
    ticket_id: str
    text: str
    options: list[str]
    state: str
    answer: str
    answered_by: str
    """BY_LINK, or the occasion of the run that a private note has caused."""
    created_at: float
    answered_at: float | None


class Questions:
    """Reads and writes questions."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = reader_of(engine)
        self._deliveries = Deliveries(engine)

    def open(
        self, run_id: int, desk: str, ticket_id: str, text: str, options: Sequence[str], now: float
    ) -> Question | None:
        """Return the question that the note of run `run_id` is to ask, None where its ticket has answered it before.

        Asked a second time by the same run, the first text holds: its links may be in the note already. What an
        earlier note asks in the same words stays open and is returned; the ticket's other open ones are dropped.
        """
        text = text[:TEXT_LENGTH]
        with self._engine.begin() as connection:
            earlier = self._of_ticket(connection, desk, ticket_id)
            mine = [one for one in earlier if one.run_id == run_id]
            if mine:
                return mine[0] if mine[0].state == OPEN else None
            same = [one for one in earlier if one.text == text and one.state != DROPPED]
            if same:
                return same[-1] if same[-1].state == OPEN else None
            self._drop(connection, desk, [ticket_id])
            connection.execute(
                insert_into(self._engine, questions)
                .values(
                    run_id=run_id,
                    desk=desk,
                    ticket_id=ticket_id,
                    text=text,
                    options=[option[:OPTION_LENGTH] for option in options[:MOST_OPTIONS]],
                    state=OPEN,
                    created_at=now,
                )
                .on_conflict_do_nothing(index_elements=["run_id"])
            )
            row = connection.execute(select(questions).where(questions.c.run_id == run_id)).mappings().one()
        return Question(**row)

    def answer(self, question_id: int, answer: str, by: str, now: float) -> bool:
        """Record the first answer; False when there is one, or the question was dropped."""
        with self._engine.begin() as connection:
            return self._answer(connection, question_id, answer, by, now)

    def answer_and_resume(self, question: Question, answer: str, by: str, now: float) -> Received | None:
        """Record the first answer and the delivery that resumes the run, both or neither; None as in `answer`."""
        with self._engine.begin() as connection:
            if not self._answer(connection, question.id, answer, by, now):
                return None
            occasion = OCCASION.format(question.id)
            return self._deliveries.receive(
                question.desk,
                # SQLite gives the id of a deleted row again.
                f"{occasion}:{question.created_at}",
                ticket_id=question.ticket_id,
                event=EVENT,
                body=b"",
                now=now,
                occasion=occasion,
                within=connection,
            )

    def of_run(self, run_id: int) -> Question | None:
        """Return the question of one note."""
        with self._reader.connect() as connection:
            row = connection.execute(select(questions).where(questions.c.run_id == run_id)).mappings().one_or_none()
        return Question(**row) if row else None

    def open_of(self, desk: str, ticket_id: str) -> Question | None:
        """Return the question a ticket waits with."""
        return next((one for one in self.of_ticket(desk, ticket_id) if one.state == OPEN), None)

    def of_ticket(self, desk: str, ticket_id: str) -> list[Question]:
        """Return every question of a ticket, oldest first."""
        with self._reader.connect() as connection:
            return self._of_ticket(connection, desk, ticket_id)

    def drop(self, desk: str, ticket_ids: Collection[str]) -> int:
        """Close the open questions of tickets that are over; returns how many."""
        # Nearly always there are none: reading first spares every look at a solved ticket a write.
        query = select(func.count()).where(*self._open(desk, ticket_ids))
        with self._reader.connect() as connection:
            if not connection.execute(query).scalar_one():
                return 0
        with self._engine.begin() as connection:
            return self._drop(connection, desk, ticket_ids)

    def drop_of_run(self, run_id: int) -> None:
        """Close the question of a note that is not written after all."""
        mine = questions.c.run_id == run_id, questions.c.state == OPEN
        with self._engine.begin() as connection:
            connection.execute(update(questions).where(*mine).values(state=DROPPED))

    def counts(self) -> dict[tuple[str, str], int]:
        """Return how many questions there are by desk and state."""
        by = questions.c.desk, questions.c.state
        with self._reader.connect() as connection:
            return {(row[0], row[1]): row[2] for row in connection.execute(select(*by, func.count()).group_by(*by))}

    def drop_texts(self, before: float, limit: int = 1000) -> int:
        """Forget what was asked and answered before `before`, and close what is still open; returns how many."""
        old = select(questions.c.id).where(questions.c.created_at < before, questions.c.text != "").limit(limit)
        nothing = {"text": "", "options": [], "answer": "", "answered_by": ""}
        with self._engine.begin() as connection:
            close = and_(questions.c.created_at < before, questions.c.state == OPEN)
            connection.execute(update(questions).where(close).values(state=DROPPED))
            forget = update(questions).where(questions.c.id.in_(old)).values(nothing)
            return int(connection.execute(forget).rowcount)

    def _answer(self, connection: Connection, question_id: int, answer: str, by: str, now: float) -> bool:
        still_open = questions.c.id == question_id, questions.c.state == OPEN
        values = {"answer": answer[:ANSWER_LENGTH], "answered_by": by[:80], "answered_at": now}
        return connection.execute(update(questions).where(*still_open).values(state=ANSWERED, **values)).rowcount == 1

    def _of_ticket(self, connection: Connection, desk: str, ticket_id: str) -> list[Question]:
        rows = connection.execute(OF_TICKET, {"of_desk": desk, "of_ticket": ticket_id}).mappings()
        return [Question(**row) for row in rows]

    def _open(self, desk: str, ticket_ids: Collection[str]) -> list[ColumnElement[bool]]:
        return [questions.c.desk == desk, questions.c.ticket_id.in_(list(ticket_ids)), questions.c.state == OPEN]

    def _drop(self, connection: Connection, desk: str, ticket_ids: Collection[str]) -> int:
        close = update(questions).where(*self._open(desk, ticket_ids)).values(state=DROPPED)
        return int(connection.execute(close).rowcount)
