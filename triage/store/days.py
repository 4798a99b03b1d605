"""What happened day by day, counted once and kept: what takes long over a million rows is read back in milliseconds.

Outcomes change for weeks after their ticket, so no day is ever counted for good: each refresh counts today, yesterday
and the day whose count is oldest again. Days are UTC.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Engine, and_, delete, func, select

from triage.store.engine import insert_into, reader_of
from triage.store.tables import day_counts, outcomes, runs

DAY_SECONDS = 86_400
KEPT_DAYS = 92
"""So far back the console looks."""
FRESH_SECONDS = 900.0
"""The worker counts every five minutes; who finds an older count of today counts by itself."""
COUNTED = "counted"
# Names, and what is in their key, count and amount.
RUNS = "runs"  # state; runs; US dollars
MODELS = "models"  # classifier; runs; US dollars
AGREED = "agreed"  # field; final outcomes; of them as we had it
PAIRS = "pairs"  # field, ours, theirs by tabs; final outcomes in which people had it otherwise
DRAFTS = "drafts"  # ready, withheld, quoted (passages in its place) or none; done runs
SPEECH = "speech"  # level; done runs
LONGEST_KEY = 450


@dataclass(frozen=True)
class Count:
    """Rows of one day (or of a period) that have the same key."""

    day: int
    """Days since 1970; 0 for a whole period."""
    desk: str
    key: str
    count: int
    amount: float


def day_of(moment: float) -> int:
    """Return the day of a time."""
    return int(moment // DAY_SECONDS)


class Days:
    """Counts days and reads the counts."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = reader_of(engine)

    def refresh(self, now: float) -> None:
        """Count today, yesterday, what was never counted, and the day whose count is oldest."""
        today, known = day_of(now), self._counted(now)
        missing = [day for day in range(today - KEPT_DAYS + 1, today - 1) if day not in known]
        oldest = sorted((day for day in known if day < today - 1), key=lambda day: known[day])[:1]
        for day in (today, today - 1, *missing, *oldest):
            self._count(day, now)
        with self._engine.begin() as connection:
            connection.execute(delete(day_counts).where(day_counts.c.day <= today - KEPT_DAYS))

    def catch_up(self, now: float, seconds: float = 0.1) -> None:
        """Count what the worker has not, the newest day first, for about so long: who reads waits for it."""
        today, known = day_of(now), self._counted(now)
        if now - known.get(today, 0.0) < FRESH_SECONDS:
            return
        end = time.perf_counter() + seconds
        for day in range(today, today - KEPT_DAYS, -1):
            if day in known and day < today - 1:
                continue
            self._count(day, now)
            if time.perf_counter() > end:
                return

    def of(self, name: str, since: int, until: int, desk: str = "") -> list[Count]:
        """Return the counts of the days in [since, until], day by day."""
        wanted = [day_counts.c.name == name, day_counts.c.day.between(since, until)]
        wanted += [day_counts.c.desk == desk] if desk else []
        columns = [day_counts.c[name] for name in Count.__dataclass_fields__]
        with self._reader.connect() as connection:
            rows = connection.execute(select(*columns).where(*wanted).order_by(day_counts.c.day)).mappings()
            return [Count(**row) for row in rows]

    def total(self, name: str, since: int, until: int, desk: str = "") -> list[Count]:
        """Return the sums over the days in [since, until]."""
        sums: dict[tuple[str, str], tuple[int, float]] = defaultdict(lambda: (0, 0.0))
        for one in self.of(name, since, until, desk):
            count, amount = sums[one.desk, one.key]
            sums[one.desk, one.key] = count + one.count, amount + one.amount
        return [Count(0, name, key, *both) for (name, key), both in sums.items()]

    def counted_at(self, now: float) -> float | None:
        """Return when today was last counted."""
        return self._counted(now).get(day_of(now))

    def _counted(self, now: float) -> dict[int, float]:
        first = day_of(now) - KEPT_DAYS
        query = select(day_counts.c.day, day_counts.c.amount).where(
            day_counts.c.name == COUNTED, day_counts.c.day > first
        )
        with self._reader.connect() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def _count(self, day: int, now: float) -> None:
        begin, end = float(day * DAY_SECONDS), float((day + 1) * DAY_SECONDS)
        with self._reader.connect() as connection:
            found = [
                *_runs(connection, begin, end),
                *_outcomes(connection, begin, end),
                (COUNTED, "*", "", 1, now),
            ]
        sums: dict[tuple[str, str, str], tuple[int, float]] = defaultdict(lambda: (0, 0.0))
        for name, desk, key, count, amount in found:
            known = sums[name, desk, key[:LONGEST_KEY]]
            sums[name, desk, key[:LONGEST_KEY]] = known[0] + count, known[1] + amount
        names = ("day", "name", "desk", "key", "count", "amount")
        rows = [dict(zip(names, (day, *key, *both), strict=True)) for key, both in sums.items()]
        with self._engine.begin() as connection:
            connection.execute(delete(day_counts).where(day_counts.c.day == day))
            # Of two who count one day at once, the rows of one stand.
            connection.execute(insert_into(self._engine, day_counts).on_conflict_do_nothing(), rows)


Found = Iterable[tuple[str, str, str, int, float]]


def _runs(connection: Connection, begin: float, end: float) -> Found:
    by = (runs.c.desk, runs.c.state, runs.c.classifier, runs.c.speech, runs.c.drafted)
    query = (
        select(*by, func.count(), func.sum(runs.c.cost_usd))
        .where(runs.c.created_at >= begin, runs.c.created_at < end)
        .group_by(*by)
    )
    for desk, state, classifier, speech, drafted, count, cost in connection.execute(query):
        yield RUNS, desk, state, count, cost
        if classifier:
            yield MODELS, desk, classifier, count, cost
        if state == "done":
            if drafted:
                yield DRAFTS, desk, drafted, count, 0.0
            if speech:
                yield SPEECH, desk, speech, count, 0.0


def _outcomes(connection: Connection, begin: float, end: float) -> Found:
    by = (outcomes.c.desk, outcomes.c.field, outcomes.c.ours, outcomes.c.theirs, outcomes.c.agreed)
    query = select(*by, func.count()).where(_between(outcomes.c.observed_at, begin, end), outcomes.c.final)
    for desk, field, ours, theirs, agreed, count in connection.execute(query.group_by(*by)):
        yield AGREED, desk, field, count, float(count) if agreed else 0.0
        if not agreed:
            yield PAIRS, desk, "\t".join((field, ours, theirs)), count, 0.0


def _between(column: ColumnElement[float], begin: float, end: float) -> ColumnElement[bool]:
    return and_(column >= begin, column < end)
