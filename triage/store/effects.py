"""Effects: every write to a helpdesk, recorded before it is sent and again when its outcome is known."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, RowMapping, bindparam, select, update

from triage.store.engine import insert_into, reader_of
from triage.store.tables import effects, runs

PLANNED, SENT, CONFIRMED, FAILED, UNDONE = "planned", "sent", "confirmed", "failed", "undone"
THIS = update(effects).where(effects.c.id == bindparam("this"))
NOTE, UPDATE, FIELDS, TAGS, REPLY = "note", "update", "fields", "tags", "reply"


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
        once = insert_into(engine, effects).on_conflict_do_nothing(index_elements=["run_id", "kind"])
        self._plan = once.returning(*effects.c)

    def plan(
        self,
        run_id: int,
        kind: str,
        intent: dict[str, Any],
        now: float,
        within: Connection | None = None,
        *,
        leaving: bool = False,
    ) -> Effect:
        """Record the intent, or return the effect an earlier attempt has recorded.

        `leaving` records a new one as sent at once, for a call that follows the transaction. `within` is a transaction
        of the caller's, here and below: it and this are kept both or neither.
        """
        row: dict[str, Any] = {"run_id": run_id, "kind": kind, "intent": intent, "created_at": now}
        row |= {"state": SENT, "sent_at": now} if leaving else {"state": PLANNED, "sent_at": None}
        with nullcontext(within) if within else self._engine.begin() as connection:
            if new := connection.execute(self._plan, row).mappings().one_or_none():
                return _effect(new)
            mine = effects.c.run_id == run_id, effects.c.kind == kind
            return _effect(connection.execute(select(effects).where(*mine)).mappings().one())

    def sent(
        self, effect: Effect, now: float, intent: dict[str, Any] | None = None, within: Connection | None = None
    ) -> None:
        """Record that the call is about to leave; from here on only the helpdesk knows whether it took effect."""
        meant = effect.intent if intent is None else intent
        self._update(effect, within, state=SENT, sent_at=now, intent=meant)

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
            None,
            state=CONFIRMED,
            confirmed_at=now,
            before=before or {},
            after=after or {},
            refused=refused or {},
            note_id=note_id,
        )

    def fail(self, effect: Effect, refused: dict[str, str]) -> None:
        """Record that the helpdesk refused this write for good."""
        self._update(effect, None, state=FAILED, refused=refused)

    def of_run(self, run_id: int) -> list[Effect]:
        """Return the effects of one run in the order they were planned."""
        query = select(effects).where(effects.c.run_id == run_id).order_by(effects.c.id)
        with self._reader.connect() as connection:
            return [_effect(row) for row in connection.execute(query).mappings()]

    def of_ticket(self, desk: str, ticket_id: str) -> list[Effect]:
        """Return the effects of every run of a ticket, oldest first."""
        return self.of_tickets(desk, [ticket_id]).get(ticket_id, [])

    def of_tickets(self, desk: str, ticket_ids: Collection[str]) -> dict[str, list[Effect]]:
        """Return ticket id -> the effects of all its runs, oldest first."""
        query = select(runs.c.ticket_id.label("of_ticket"), effects).join(runs, runs.c.id == effects.c.run_id)
        query = query.where(runs.c.desk == desk, runs.c.ticket_id.in_(list(ticket_ids))).order_by(effects.c.id)
        found: dict[str, list[Effect]] = {}
        with self._reader.connect() as connection:
            for row in connection.execute(query).mappings():
                values = dict(row)
                found.setdefault(values.pop("of_ticket"), []).append(Effect(**values))
        return found

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

    def _update(self, effect: Effect, within: Connection | None, **values: Any) -> None:
        with nullcontext(within) if within else self._engine.begin() as connection:
            connection.execute(THIS, values | {"this": effect.id})
