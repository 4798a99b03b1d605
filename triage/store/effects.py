"""Effects: every write to a helpdesk, recorded before it is sent and again when its outcome is known."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, RowMapping, select, update

from triage.store.engine import insert_into, reader_of
from triage.store.tables import effects

PLANNED, SENT, CONFIRMED, FAILED, UNDONE = "planned", "sent", "confirmed", "failed", "undone"
NOTE, FIELDS, TAGS = "note", "fields", "tags"


@dataclass(frozen=True)
class Effect:
    """One write: what was meant, how it stands, the values before and after, what the helpdesk refused."""

    id: int
    run_id: int
    kind: str
    state: str
    intent: dict[str, Any]
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    refused: dict[str, str] | None
    note_id: str
    created_at: float
    sent_at: float | None
    confirmed_at: float | None
    undo: dict[str, Any] | None = None


def _effect(row: RowMapping) -> Effect:
    return Effect(**row)


class Effects:
    """Reads and writes effects."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = reader_of(engine)

    def plan(self, run_id: int, kind: str, intent: dict[str, Any], now: float) -> Effect:
        """Record the intent, or return the effect an earlier attempt has recorded."""
        mine = effects.c.run_id == run_id, effects.c.kind == kind
        with self._engine.begin() as connection:
            connection.execute(
                insert_into(self._engine, effects)
                .values(run_id=run_id, kind=kind, state=PLANNED, intent=intent, created_at=now)
                .on_conflict_do_nothing(index_elements=["run_id", "kind"])
            )
            return _effect(connection.execute(select(effects).where(*mine)).mappings().one())

    def sent(self, effect: Effect, now: float, intent: dict[str, Any] | None = None) -> None:
        """Record that the call is about to leave; from here on only the helpdesk knows whether it took effect."""
        self._update(effect, state=SENT, sent_at=now, intent=effect.intent if intent is None else intent)

    def confirm(
        self,
        effect: Effect,
        now: float,
        *,
        before: dict[str, Any] | None = None,
        after: dict[str, Any] | None = None,
        refused: dict[str, str] | None = None,
        note_id: str = "",
    ) -> None:
        """Record the outcome the helpdesk confirmed."""
        self._update(
            effect,
            state=CONFIRMED,
            confirmed_at=now,
            before=before or {},
            after=after or {},
            refused=refused or {},
            note_id=note_id,
        )

    def fail(self, effect: Effect, refused: dict[str, str]) -> None:
        """Record that the helpdesk refused this write for good."""
        self._update(effect, state=FAILED, refused=refused)

    def of_run(self, run_id: int) -> list[Effect]:
        """Return the effects of one run in the order they were planned."""
        query = select(effects).where(effects.c.run_id == run_id).order_by(effects.c.id)
        with self._reader.connect() as connection:
            return [_effect(row) for row in connection.execute(query).mappings()]

    def of_runs(self, run_ids: Collection[int]) -> dict[int, list[Effect]]:
        """Return run id -> its effects, for those of the runs that have any."""
        query = select(effects).where(effects.c.run_id.in_(list(run_ids))).order_by(effects.c.id)
        found: dict[int, list[Effect]] = {}
        with self._reader.connect() as connection:
            for row in connection.execute(query).mappings():
                found.setdefault(row["run_id"], []).append(_effect(row))
        return found

    def refusals(self, run_ids: Collection[int]) -> dict[int, dict[str, str]]:
        """Return what the helpdesk refused, value by value, for those of the runs where it did."""
        query = select(effects.c.run_id, effects.c.refused).where(effects.c.run_id.in_(list(run_ids)))
        found: dict[int, dict[str, str]] = {}
        with self._reader.connect() as connection:
            for row in connection.execute(query):
                if row.refused:
                    found.setdefault(row.run_id, {}).update(row.refused)
        return found

    def _update(self, effect: Effect, **values: Any) -> None:
        with self._engine.begin() as connection:
            connection.execute(update(effects).where(effects.c.id == effect.id).values(values))
