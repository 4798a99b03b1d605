"""What outcomes taught about probabilities: one calibration by desk, classifier and field; at most one is applied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Engine, delete, select, text, update

from triage.store.engine import insert_into, one_at_a_time, reader_of
from triage.store.tables import calibrations

KEPT = 30
"""Calibrations kept per desk, classifier and field, so that an admin can see what changed; older ones are deleted."""


@dataclass(frozen=True)
class NewCalibration:
    """A calibration to apply from now on."""

    classifier: str
    field: str
    temperature: float | None
    """None leaves probabilities as they are."""
    thresholds: Mapping[str, float]
    """Target precision ("0.95") -> probability; empty leaves the classifier's own."""
    metrics: Mapping[str, Any]
    tickets: int


@dataclass(frozen=True)
class StoredCalibration:
    """A calibration that is applied."""

    id: int
    classifier: str
    field: str
    created_at: float
    temperature: float | None
    thresholds: Mapping[str, float]
    metrics: Mapping[str, Any]
    tickets: int


COLUMNS = [calibrations.c[name] for name in StoredCalibration.__dataclass_fields__]


class Calibrations:
    """Saves calibrations and knows which one is applied."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = reader_of(engine)

    def activate(self, desk: str, new: NewCalibration, now: float) -> None:
        """Apply `new` from now on; where another worker does the same at this moment, one of the two stands."""
        same = _same(desk, new.classifier, new.field)
        values = {**asdict(new), "desk": desk, "created_at": now, "active": True}
        with self._engine.begin() as connection:
            one_at_a_time(connection, "calibrations", desk, new.classifier, new.field)
            connection.execute(update(calibrations).where(*same).values(active=False))
            connection.execute(
                insert_into(self._engine, calibrations)
                .values(values)
                .on_conflict_do_nothing(index_elements=["desk", "classifier", "field"], index_where=text("active"))
            )
            old = select(calibrations.c.id).where(*same, calibrations.c.active.is_(False))
            ids = connection.execute(old.order_by(calibrations.c.id.desc()).offset(KEPT).limit(100)).scalars().all()
            connection.execute(delete(calibrations).where(calibrations.c.id.in_(ids)))

    def retire(self, desk: str, classifier: str, field: str) -> None:
        """Apply none from now on."""
        with self._engine.begin() as connection:
            connection.execute(update(calibrations).where(*_same(desk, classifier, field)).values(active=False))

    def active_ids(self, desk: str) -> tuple[int, ...]:
        """Return the ids of those applied: cheap, and different as soon as anything changed."""
        query = select(calibrations.c.id).where(calibrations.c.desk == desk, calibrations.c.active)
        with self._reader.connect() as connection:
            return tuple(connection.execute(query.order_by(calibrations.c.id)).scalars())

    def active(self, desk: str) -> list[StoredCalibration]:
        """Return those applied on `desk`, one per classifier and field at most."""
        query = select(*COLUMNS).where(calibrations.c.desk == desk, calibrations.c.active)
        with self._reader.connect() as connection:
            return [
                StoredCalibration(**row) for row in connection.execute(query.order_by(calibrations.c.id)).mappings()
            ]


def _same(desk: str, classifier: str, field: str) -> tuple[Any, ...]:
    return (
        calibrations.c.desk == desk,
        calibrations.c.classifier == classifier,
        calibrations.c.field == field,
    )
