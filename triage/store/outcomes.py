"""Outcomes: what people made of each field Tandem had decided; one row per run and field, the newest look holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from sqlalchemy import Engine, case, delete, func, null, select, update

from triage.store.engine import insert_into, reader_of
from triage.store.tables import outcomes, runs

LONGEST_LABEL = 200
# A database takes only so many parameters in one statement.
CHUNK = 500


@dataclass(frozen=True)
class Outcome:
    """One field of one run: `ours` is the label we chose, `theirs` what people ended with."""

    desk: str
    ticket_id: str
    run_id: int
    field: str
    ours: str
    theirs: str
    agreed: bool
    written: bool
    """We had set or tagged it, not only watched."""
    probability: float
    probabilities: Mapping[str, float] | None
    """Label -> probability before any temperature; None when the retention days are over."""
    classifier: str
    final: bool
    """The ticket is solved or closed."""
    observed_at: float
    """When the ticket changed to what was seen, by the helpdesk's clock."""
    default_temperature: float = 1.0
    """The temperature these probabilities are shown with where none was fitted."""


@dataclass(frozen=True)
class Agreement:
    """How often people left a field as Tandem had it, on tickets that are solved or closed."""

    n: int
    agreed: int
    by_classifier: Mapping[str, Agreement] = field(default_factory=dict)

    @property
    def overridden(self) -> int:
        """Return how many they had otherwise."""
        return self.n - self.agreed

    @property
    def share(self) -> float:
        """Return the share that agreed, 0 where there is none."""
        return self.agreed / self.n if self.n else 0.0


COLUMNS = [outcomes.c[name] for name in Outcome.__dataclass_fields__]


class Outcomes:
    """Reads and writes outcomes. A look at an older state of the ticket never replaces one at a newer."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = reader_of(engine)

    def save(self, found: Sequence[Outcome]) -> None:
        """Store what was seen, in place of what was seen before."""
        if not found:
            return
        # Always in one order, so that two observers of one page do not wait for each other in a circle.
        ordered = sorted(found, key=lambda one: (one.run_id, one.field))
        insert = insert_into(self._engine, outcomes).values([_values(one) for one in ordered])
        kept = {name: insert.excluded[name] for name in Outcome.__dataclass_fields__ if name not in ("run_id", "field")}
        newer = outcomes.c.observed_at <= insert.excluded.observed_at
        with self._engine.begin() as connection:
            connection.execute(insert.on_conflict_do_update(index_elements=["run_id", "field"], set_=kept, where=newer))

    def withdraw(self, gone: Mapping[tuple[int, str], float]) -> None:
        """Delete the overrides of (run id, field) that people have taken back by the time given; final rows stay."""
        # Nearly always there are none: reading first spares every look at an open ticket a write.
        mine = outcomes.c.run_id.in_({run_id for run_id, _ in gone}), outcomes.c.final.is_(False)
        columns = outcomes.c.id, outcomes.c.run_id, outcomes.c.field, outcomes.c.observed_at
        with self._reader.connect() as connection:
            open_ = connection.execute(select(*columns).where(*mine)).all()
        ids = [row.id for row in open_ if row.observed_at <= gone.get((row.run_id, row.field), 0.0)]
        if ids:
            with self._engine.begin() as connection:
                connection.execute(delete(outcomes).where(outcomes.c.id.in_(ids), outcomes.c.final.is_(False)))

    def supersede(self, newest: Mapping[str, int], desk: str) -> None:
        """Forget what was seen of the runs before these (ticket id -> run id): a ticket counts once, by its last."""
        for ticket_id, run_id in newest.items():
            older = runs.c.desk == desk, runs.c.ticket_id == ticket_id, outcomes.c.run_id < run_id
            found = select(outcomes.c.id).join(runs, runs.c.id == outcomes.c.run_id).where(*older)
            with self._reader.connect() as connection:
                ids = list(connection.execute(found).scalars())
            if ids:
                with self._engine.begin() as connection:
                    connection.execute(delete(outcomes).where(outcomes.c.id.in_(ids)))

    def of_run(self, run_id: int) -> dict[str, Outcome]:
        """Return field -> outcome of one run."""
        query = select(*COLUMNS).where(outcomes.c.run_id == run_id)
        with self._reader.connect() as connection:
            return {row["field"]: Outcome(**row) for row in connection.execute(query).mappings()}

    def of_runs(self, run_ids: Sequence[int]) -> dict[int, list[Outcome]]:
        """Return run id -> its outcomes, for those of the runs that have any."""
        found: dict[int, list[Outcome]] = {}
        with self._reader.connect() as connection:
            for start in range(0, len(run_ids), CHUNK):
                query = select(*COLUMNS).where(outcomes.c.run_id.in_(list(run_ids[start : start + CHUNK])))
                for row in connection.execute(query).mappings():
                    found.setdefault(row["run_id"], []).append(Outcome(**row))
        return found

    def final(self, desk: str, name: str, classifier: str, since: float, limit: int) -> list[Outcome]:
        """Return the newest `limit` final outcomes of field `name` that still hold probabilities, oldest first.

        `since` is when their tickets were triaged, at the earliest.
        """
        query = (
            select(*COLUMNS)
            .join(runs, runs.c.id == outcomes.c.run_id)
            .where(
                outcomes.c.desk == desk,
                outcomes.c.field == name,
                outcomes.c.classifier == classifier,
                outcomes.c.final,
                runs.c.created_at >= since,
                outcomes.c.probabilities.is_not(null()),
            )
            .order_by(outcomes.c.observed_at.desc(), outcomes.c.id.desc())
            .limit(limit)
        )
        with self._reader.connect() as connection:
            return [Outcome(**row) for row in connection.execute(query).mappings()][::-1]

    def settled(self, desk: str, since: float) -> dict[int, list[Outcome]]:
        """Return run id -> final outcomes of `desk` observed from `since` on, in the order they were observed."""
        query = (
            select(*COLUMNS)
            .where(outcomes.c.desk == desk, outcomes.c.final, outcomes.c.observed_at >= since)
            .order_by(outcomes.c.observed_at, outcomes.c.id)
        )
        found: dict[int, list[Outcome]] = {}
        with self._reader.connect() as connection:
            for row in connection.execute(query).mappings():
                found.setdefault(row["run_id"], []).append(Outcome(**row))
        return found

    def agreement(self, desk: str, since: float, until: float) -> dict[str, Agreement]:
        """Return field -> agreement on the tickets of `desk` solved or closed in [since, until), in all and by whom.

        Overrides on tickets still open are left out: what people agree with shows only at the end, so counting these
        alone would make Tandem look worse than it is.
        """
        query = (
            select(
                outcomes.c.field,
                outcomes.c.classifier,
                func.count(),
                func.sum(case((outcomes.c.agreed, 1), else_=0)),
            )
            .where(
                outcomes.c.desk == desk,
                outcomes.c.final,
                outcomes.c.observed_at >= since,
                outcomes.c.observed_at < until,
            )
            .group_by(outcomes.c.field, outcomes.c.classifier)
            .order_by(outcomes.c.field, outcomes.c.classifier)
        )
        found: dict[str, dict[str, Agreement]] = {}
        with self._reader.connect() as connection:
            for name, classifier, n, agreed in connection.execute(query):
                found.setdefault(name, {})[classifier] = Agreement(int(n), int(agreed))
        return {
            name: Agreement(sum(one.n for one in each.values()), sum(one.agreed for one in each.values()), each)
            for name, each in found.items()
        }

    def counts(self) -> dict[tuple[str, str, bool], int]:
        """Return how many outcomes there are by desk, field and whether people agreed, open tickets included."""
        by = outcomes.c.desk, outcomes.c.field, outcomes.c.agreed
        with self._reader.connect() as connection:
            rows = connection.execute(select(*by, func.count()).group_by(*by)).all()
        return {(row[0], row[1], bool(row[2])): row[3] for row in rows}

    def kinds(self, desk: str) -> list[tuple[str, str]]:
        """Return the (classifier, field) pairs of which `desk` has final outcomes."""
        pair = outcomes.c.classifier, outcomes.c.field
        query = select(*pair).where(outcomes.c.desk == desk, outcomes.c.final).distinct().order_by(*pair)
        with self._reader.connect() as connection:
            return [(row[0], row[1]) for row in connection.execute(query)]

    def drop_probabilities(self, before: float, limit: int = 1000) -> int:
        """Forget the probabilities of outcomes observed before `before`; returns how many. The labels stay."""
        old = (
            select(outcomes.c.id)
            .where(outcomes.c.observed_at < before, outcomes.c.probabilities.is_not(null()))
            .limit(limit)
        )
        with self._engine.begin() as connection:
            forget = update(outcomes).where(outcomes.c.id.in_(old)).values(probabilities=null())
            return int(connection.execute(forget).rowcount)


def _values(one: Outcome) -> dict[str, object]:
    values = asdict(one)
    return values | {"ours": one.ours[:LONGEST_LABEL], "theirs": one.theirs[:LONGEST_LABEL]}
