"""What people have switched while everything runs: modes, pauses, the stop. It goes before the settings file."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine, bindparam, delete, select

from triage.store.engine import insert_into, reader_of
from triage.store.tables import controls

# Asked before every write, so made once.
OF_DESKS = select(controls).where(controls.c.desk.in_(bindparam("of_desks", expanding=True)))


@dataclass(frozen=True)
class Control:
    """One switch, who has set it last, and when."""

    desk: str
    name: str
    value: str
    actor: str
    updated_at: float


class Controls:
    """Reads and writes switches, by desk ("*" for all) and name (`triage/controlled.py` has the names)."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = reader_of(engine)

    def set(self, desk: str, name: str, value: str, actor: str, now: float) -> None:
        """Set one switch."""
        new = {"value": value, "actor": actor[:80], "updated_at": now}
        with self._engine.begin() as connection:
            connection.execute(
                insert_into(self._engine, controls)
                .values(desk=desk, name=name, **new)
                .on_conflict_do_update(index_elements=["desk", "name"], set_=new)
            )

    def clear(self, desk: str, name: str) -> bool:
        """Take one switch back; say whether it was set."""
        same = controls.c.desk == desk, controls.c.name == name
        with self._engine.begin() as connection:
            return connection.execute(delete(controls).where(*same)).rowcount > 0

    def all(self) -> dict[str, dict[str, str]]:
        """Return desk -> name -> value."""
        found: dict[str, dict[str, str]] = {}
        for one in self.entries():
            found.setdefault(one.desk, {})[one.name] = one.value
        return found

    def entries(self) -> list[Control]:
        """Return every switch, in the order of desk and name."""
        query = select(controls).order_by(controls.c.desk, controls.c.name)
        with self._reader.connect() as connection:
            return [Control(**row) for row in connection.execute(query).mappings()]

    def of(self, *desks: str) -> list[Control]:
        """Return the switches of some desks."""
        with self._reader.connect() as connection:
            return [Control(**row) for row in connection.execute(OF_DESKS, {"of_desks": desks}).mappings()]
