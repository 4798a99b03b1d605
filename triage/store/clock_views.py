"""What the views ask about all clocks at once, answered from indexes; what would take long is kept for some minutes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Engine, Select, func, select

from triage.sla_report import OpenClock, Outcome, Reply, Standing, monday_of, week_of
from triage.store.engine import reader_of
from triage.store.marks import Cursors
from triage.store.tables import clocks
from triage.work_list import Learned

BREACHED, MET = "breached", "met"
ATTAINED, LEARNED = "sla_attained", "sla_learned"
REPLIES = ("first_response", "next_response")
GROUP = (clocks.c.desk, clocks.c.team, clocks.c.priority, clocks.c.metric)
SHOWN = [clocks.c[name] for name in OpenClock.__dataclass_fields__]


class ClockViews:
    """Reads clocks in numbers."""

    def __init__(self, engine: Engine) -> None:
        self._reader = reader_of(engine)
        self._cursors = Cursors(engine)

    def standings(self, desk: str = "") -> list[Standing]:
        """Return how many open clocks stand alike, of `desk` or of all."""
        columns = (*GROUP, clocks.c.stage, clocks.c.source)
        query = select(*columns, func.count()).where(clocks.c.ended_at.is_(None)).group_by(*columns)
        with self._reader.connect() as connection:
            return [Standing(*row) for row in connection.execute(_of(desk, query))]

    def outcomes(self, since: float, now: float) -> list[Outcome]:
        """Return how clocks ended week by week from `since` on; late ones that are still open count as missed."""
        found: list[Outcome] = []
        for week in range(week_of(since), week_of(now) + 1):
            begin, end = max(since, monday_of(week)), monday_of(week + 1)
            found += self._of_week(week, begin, min(end, now))
        return found

    def _of_week(self, week: int, begin: float, end: float) -> list[Outcome]:
        late = clocks.c.stage == BREACHED
        in_week = clocks.c.ended_at >= begin, clocks.c.ended_at < end, clocks.c.state == MET
        ended = select(*GROUP, late, func.count()).where(*in_week).group_by(*GROUP, late)
        open_in_week = clocks.c.ended_at.is_(None), clocks.c.due_at >= begin, clocks.c.due_at < end, late
        still_open = select(*GROUP, func.count()).where(*open_in_week).group_by(*GROUP)
        with self._reader.connect() as connection:
            rows = [(*row[:4], week, not row[4], row[5]) for row in connection.execute(ended)]
            rows += [(*row[:4], week, False, row[4]) for row in connection.execute(still_open)]
        return [Outcome(*row) for row in rows]

    def learned(self, desks: Iterable[str]) -> dict[tuple[str, str], Learned]:
        """Return what is known of the teams of `desks`, by (desk, team)."""
        kept = {desk: self._cursors.get(desk, LEARNED) for desk in desks}
        return {
            (desk, team): Learned.from_json(one)
            for desk, row in kept.items()
            for team, one in (json.loads(row[0]) if row else {}).items()
        }

    def learned_at(self, desk: str) -> float | None:
        """Return when the teams of a desk were last learned."""
        known = self._cursors.get(desk, LEARNED)
        return known[1] if known else None

    def keep_learned(self, desk: str, teams: Mapping[str, Learned], now: float) -> None:
        """Keep what is known of the teams of a desk."""
        self._cursors.set(desk, LEARNED, json.dumps({team: one.as_json() for team, one in teams.items()}), now)

    def keep_outcomes(self, since: float, now: float) -> list[Outcome]:
        """Count the outcomes and keep them for `kept_outcomes`."""
        found = self.outcomes(since, now)
        rows = [[one.desk, one.team, one.priority, one.metric, one.week, one.is_met, one.count] for one in found]
        self._cursors.set("*", ATTAINED, json.dumps({"since": since, "rows": rows}), now)
        return found

    def kept_outcomes(self, since: float, now: float, max_age: float) -> tuple[list[Outcome], float]:
        """Return the outcomes and when they were counted: kept ones if they are young and go back far enough."""
        known = self._cursors.get("*", ATTAINED)
        if known and now - known[1] < max_age:
            kept = json.loads(known[0])
            if week_of(kept["since"]) <= week_of(since):
                return [Outcome(*row) for row in kept["rows"] if row[4] >= week_of(since)], known[1]
        return self.keep_outcomes(since, now), now

    def due_next(self, now: float, limit: int, desk: str = "", metrics: Iterable[str] = ()) -> list[OpenClock]:
        """Return the running clocks that are due next, the first one first."""
        return self._due((clocks.c.due_at > now, clocks.c.due_at.asc()), limit, desk, metrics)

    def overdue(self, now: float, limit: int, desk: str = "", metrics: Iterable[str] = ()) -> list[OpenClock]:
        """Return the open clocks whose time is up, the latest first: these may still be saved from getting worse."""
        return self._due((clocks.c.due_at <= now, clocks.c.due_at.desc()), limit, desk, metrics)

    def replies(self, desk: str, since: float, limit: int) -> list[Reply]:
        """Return the newest answers of a desk since `since`, newest first."""
        query = select(*[clocks.c[name] for name in Reply.__dataclass_fields__]).where(
            clocks.c.ended_at >= since, clocks.c.state == MET, _is(desk), clocks.c.metric.in_(REPLIES)
        )
        with self._reader.connect() as connection:
            rows = connection.execute(query.order_by(clocks.c.ended_at.desc()).limit(limit)).mappings()
            return [Reply(**row) for row in rows]

    def due_before(self, clock: OpenClock, now: float) -> int:
        """Return how many tickets of the same team wait for an answer that is due before that of `clock`."""
        ahead = clocks.c.ended_at.is_(None), clocks.c.due_at > now, clocks.c.due_at < clock.due_at
        query = select(func.count()).where(*ahead, _is(clock.desk), clocks.c.metric.in_(REPLIES))
        with self._reader.connect() as connection:
            return connection.execute(query.where(clocks.c.team == clock.team)).scalar_one()

    def _due(self, which: tuple[Any, Any], limit: int, desk: str, metrics: Iterable[str]) -> list[OpenClock]:
        query = select(*SHOWN).where(clocks.c.ended_at.is_(None), clocks.c.due_at.isnot(None), which[0])
        if wanted := tuple(metrics):
            query = query.where(clocks.c.metric.in_(wanted))
        query = query.where(_is(desk)) if desk else query
        query = query.order_by(which[1], clocks.c.id).limit(limit)
        with self._reader.connect() as connection:
            return [OpenClock(*row) for row in connection.execute(query).all()]


def _is(desk: str) -> Any:
    # As an expression: SQLite would rather read all clocks of the desk than walk the index of times.
    return func.coalesce(clocks.c.desk, "") == desk


def _of(desk: str, query: Select[Any]) -> Select[Any]:
    return query.where(clocks.c.desk == desk) if desk else query
