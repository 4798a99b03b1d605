"""Feedback: what agents said of a note by its links. One vote each on triage and draft; a later one replaces it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, case, distinct, func, select, update

from triage.store.engine import insert_into, reader_of
from triage.store.tables import feedback

TRIAGE, DRAFT = "triage", "draft"
REASON_LENGTH = 500
LABEL_LENGTH = 200
# More agents than ever look at one ticket: beyond it somebody makes up voters, which a link's holder can.
VOTERS_PER_RUN = 50


@dataclass(frozen=True)
class Vote:
    """What one agent says of one note."""

    run_id: int
    desk: str
    ticket_id: str
    voter: str
    """Stands for one browser; never its cookie itself."""
    about: str
    """TRIAGE or DRAFT."""
    verdict: str
    label: str = ""
    """Which team or priority is right; empty where they do not say."""
    reason: str = ""
    created_at: float = 0.0


@dataclass(frozen=True)
class Tally:
    """Votes of a period."""

    verdicts: dict[str, int]
    """verdict -> votes."""
    reasons: int
    """Votes that came with a reason."""
    notes: int
    """Notes that have a vote."""

    def share(self, verdict: str, *others: str) -> float | None:
        """Return the share of `verdict` among it and `others`, None where nobody voted."""
        whole = sum(self.verdicts.get(one, 0) for one in (verdict, *others))
        return self.verdicts.get(verdict, 0) / whole if whole else None


COLUMNS = [feedback.c[name] for name in Vote.__dataclass_fields__]


class Feedback:
    """Reads and writes votes."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = reader_of(engine)

    def vote(self, vote: Vote) -> bool:
        """Store `vote` in place of the same agent's earlier one; False where the note has too many voters already."""
        values = {name: getattr(vote, name) for name in Vote.__dataclass_fields__}
        values |= {"reason": vote.reason[:REASON_LENGTH], "label": vote.label[:LABEL_LENGTH]}
        insert = insert_into(self._engine, feedback).values(values)
        kept = {name: insert.excluded[name] for name in ("verdict", "label", "reason", "created_at")}
        with self._engine.begin() as connection:
            if self._is_full(connection, vote):
                return False
            connection.execute(insert.on_conflict_do_update(index_elements=["run_id", "voter", "about"], set_=kept))
        return True

    def _is_full(self, connection: Connection, vote: Vote) -> bool:
        others = select(func.count(distinct(feedback.c.voter))).where(
            feedback.c.run_id == vote.run_id, feedback.c.voter != vote.voter
        )
        return int(connection.execute(others).scalar_one()) >= VOTERS_PER_RUN

    def of_run(self, run_id: int) -> list[Vote]:
        """Return the votes on one note, oldest first."""
        query = select(*COLUMNS).where(feedback.c.run_id == run_id).order_by(feedback.c.created_at, feedback.c.id)
        with self._reader.connect() as connection:
            return [Vote(**row) for row in connection.execute(query).mappings()]

    def of_voter(self, run_id: int, voter: str) -> dict[str, Vote]:
        """Return TRIAGE and DRAFT -> what one agent has said of a note so far."""
        return {vote.about: vote for vote in self.of_run(run_id) if vote.voter == voter}

    def tally(self, since: float, until: float, desks: Sequence[str] = ()) -> Tally:
        """Return the votes cast in [since, until), on `desks` or on all."""
        wanted = [feedback.c.created_at >= since, feedback.c.created_at < until]
        wanted += [feedback.c.desk.in_(list(desks))] if desks else []
        counts = (
            select(feedback.c.verdict, func.count(), func.sum(case((feedback.c.reason != "", 1), else_=0)))
            .where(*wanted)
            .group_by(feedback.c.verdict)
            .order_by(feedback.c.verdict)
        )
        notes = select(func.count(distinct(feedback.c.run_id))).where(*wanted)
        with self._reader.connect() as connection:
            rows = connection.execute(counts).all()
            voted = int(connection.execute(notes).scalar_one())
        return Tally({row[0]: row[1] for row in rows}, sum(int(row[2]) for row in rows), voted)

    def reasons(self, desk: str, since: float, limit: int) -> list[Vote]:
        """Return the newest votes of `desk` that came with a reason; agents' own words, to be escaped when shown."""
        query = (
            select(*COLUMNS)
            .where(feedback.c.desk == desk, feedback.c.created_at >= since, feedback.c.reason != "")
            .order_by(feedback.c.created_at.desc(), feedback.c.id.desc())
            .limit(limit)
        )
        with self._reader.connect() as connection:
            return [Vote(**row) for row in connection.execute(query).mappings()]

    def counts(self) -> dict[tuple[str, str], int]:
        """Return how many votes there are by desk and verdict."""
        by = feedback.c.desk, feedback.c.verdict
        with self._reader.connect() as connection:
            return {(row[0], row[1]): row[2] for row in connection.execute(select(*by, func.count()).group_by(*by))}

    def drop_reasons(self, before: float, limit: int = 1000) -> int:
        """Forget the reasons of votes cast before `before`; returns how many. The votes stay."""
        old = select(feedback.c.id).where(feedback.c.created_at < before, feedback.c.reason != "").limit(limit)
        with self._engine.begin() as connection:
            forget = update(feedback).where(feedback.c.id.in_(old)).values(reason="")
            return int(connection.execute(forget).rowcount)
