"""Small facts about a desk: cursors (where polling stands, who we are) and alarms (what an admin must see)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Engine, bindparam, delete, func, select

from triage.controlled import EVERY_DESK as EVERY_DESK
from triage.store.engine import insert_into, reader_of
from triage.store.tables import alarms, cursors

POLL, POLLED, FOLLOWED, BOT, BEAT, WORKER, READY = "poll", "polled", "followed", "bot", "beat", "worker", "ready"
CALIBRATED, SLA_SWEPT, HEADROOM = "calibrated", "sla_swept", "headroom"
HEALTH, CHECKED, RIGHTS = "health", "checked", "rights"
"""What the last checks of a desk found, as JSON: workers/health.py."""
SETUP = "setup"
"""How connecting a desk in the console stands, as JSON without any secret."""
PUBLIC_NOTE, DESK_LOCKED, CATCH_UP_OFF = "public_note", "desk_locked", "catch_up_off"
SLA_STUCK, SLA_ACT = "sla_stuck", "sla_act"
WEBHOOK_FAILING, MODEL_AWAY = "webhook_failing", "model_away"
FORGOTTEN = "forgotten:"
SETTINGS_FILE, RESTART_NEEDED = "settings_file", "restart_needed"


# Asked for every ticket, so made once.
RAISED_AT = select(alarms.c.created_at).where(
    alarms.c.desk == bindparam("of_desk"), alarms.c.kind == bindparam("of_kind"), alarms.c.ticket_id == ""
)


@dataclass(frozen=True)
class Alarm:
    """Something an admin must see; the newest of its kind per desk and ticket."""

    desk: str
    kind: str
    ticket_id: str
    text: str
    created_at: float


class Cursors:
    """One text value per desk and name."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = reader_of(engine)

    def get(self, desk: str, name: str) -> tuple[str, float] | None:
        """Return the value and when it was set."""
        query = select(cursors.c.value, cursors.c.updated_at).where(cursors.c.desk == desk, cursors.c.name == name)
        with self._reader.connect() as connection:
            row = connection.execute(query).one_or_none()
        return (row.value, row.updated_at) if row else None

    def among(self, desk: str, names: Collection[str]) -> set[str]:
        """Return those of `names` that are set."""
        query = select(cursors.c.name).where(cursors.c.desk == desk, cursors.c.name.in_(list(names)))
        with self._reader.connect() as connection:
            return set(connection.execute(query).scalars())

    def set(self, desk: str, name: str, value: str, now: float) -> None:
        """Set the value."""
        new = {"value": value, "updated_at": now}
        with self._engine.begin() as connection:
            connection.execute(
                insert_into(self._engine, cursors)
                .values(desk=desk, name=name, **new)
                .on_conflict_do_update(index_elements=["desk", "name"], set_=new)
            )

    def all_named(self, name: str) -> dict[str, tuple[str, float]]:
        """Return desk -> value and when it was set, of every desk that has one."""
        query = select(cursors.c.desk, cursors.c.value, cursors.c.updated_at).where(cursors.c.name == name)
        with self._reader.connect() as connection:
            return {row.desk: (row.value, row.updated_at) for row in connection.execute(query)}


class Alarms:
    """Raised once per desk, kind and ticket; raising again renews the text and the time."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = reader_of(engine)

    def raise_(self, desk: str, kind: str, text: str, now: float, ticket_id: str = "") -> None:
        """Record an alarm."""
        new = {"text": text, "created_at": now}
        with self._engine.begin() as connection:
            connection.execute(
                insert_into(self._engine, alarms)
                .values(desk=desk, kind=kind, ticket_id=ticket_id, **new)
                .on_conflict_do_update(index_elements=["desk", "kind", "ticket_id"], set_=new)
            )

    def raised_at(self, desk: str, kind: str) -> float | None:
        """Return when the desk's alarm of this kind was last raised, or None while there is none."""
        with self._reader.connect() as connection:
            found: float | None = connection.execute(RAISED_AT, {"of_desk": desk, "of_kind": kind}).scalar_one_or_none()
        return found

    def text(self, desk: str, kind: str) -> str:
        """Return what the desk's alarm of this kind says, nothing while there is none."""
        query = select(alarms.c.text).where(alarms.c.desk == desk, alarms.c.kind == kind, alarms.c.ticket_id == "")
        with self._reader.connect() as connection:
            return connection.execute(query).scalar_one_or_none() or ""

    def clear(self, desk: str, kind: str, ticket_id: str = "") -> None:
        """Take an alarm back: its cause is gone, or an admin has seen it."""
        same = alarms.c.desk == desk, alarms.c.kind == kind, alarms.c.ticket_id == ticket_id
        with self._engine.begin() as connection:
            connection.execute(delete(alarms).where(*same))

    def counts(self) -> dict[str, int]:
        """Return how many alarms of each kind there are."""
        query = select(alarms.c.kind, func.count()).group_by(alarms.c.kind)
        with self._reader.connect() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def recent(self, limit: int = 20) -> list[Alarm]:
        """Return the newest alarms first."""
        columns = alarms.c.desk, alarms.c.kind, alarms.c.ticket_id, alarms.c.text, alarms.c.created_at
        query = select(*columns).order_by(alarms.c.created_at.desc()).limit(limit)
        with self._reader.connect() as connection:
            return [Alarm(**row) for row in connection.execute(query).mappings()]
