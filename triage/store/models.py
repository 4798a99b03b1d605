"""What the desks have taught: one learned model per desk, field and lesson; at most one of them is active."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, delete, insert, select, update

from triage.store.engine import one_at_a_time, reader_of
from triage.store.tables import models

KEPT = 5
"""Lessons kept per desk and field, so that an admin can see what changed; older ones are deleted."""


@dataclass(frozen=True)
class NewModel:
    """A model to keep; `blob` is opaque here."""

    field: str
    kind: str
    labels: Sequence[str]
    metrics: Mapping[str, Any]
    thresholds: Mapping[str, float]
    encoder: str
    blob: bytes


@dataclass(frozen=True)
class StoredModel:
    """An active model."""

    id: int
    field: str
    created_at: float
    metrics: Mapping[str, Any]
    blob: bytes


class Models:
    """Saves models and knows which one answers."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = reader_of(engine)

    def activate(self, desk: str, new: NewModel, now: float) -> int:
        """Keep `new` as the active model of its field on `desk` and return its id; the one before is kept, asleep."""
        same = (models.c.desk == desk, models.c.field == new.field)
        with self._engine.begin() as connection:
            one_at_a_time(connection, "models", desk, new.field)
            connection.execute(update(models).where(*same).values(active=False))
            row = connection.execute(insert(models).values(desk=desk, created_at=now, active=True, **_columns(new)))
            old = select(models.c.id).where(*same).order_by(models.c.id.desc()).offset(KEPT).limit(100)
            ids = [one.id for one in connection.execute(old)]
            connection.execute(delete(models).where(models.c.id.in_(ids)))
        key = row.inserted_primary_key
        assert key is not None
        return int(key[0])

    def active_ids(self, desk: str) -> tuple[int, ...]:
        """Return the ids of the active models: cheap, and different as soon as one was activated."""
        query = select(models.c.id).where(models.c.desk == desk, models.c.active).order_by(models.c.id)
        with self._reader.connect() as connection:
            return tuple(int(row.id) for row in connection.execute(query))

    def active(self, desk: str) -> list[StoredModel]:
        """Return the active models of `desk`, one per field at most."""
        columns = (models.c.id, models.c.field, models.c.created_at, models.c.metrics, models.c.blob)
        query = select(*columns).where(models.c.desk == desk, models.c.active).order_by(models.c.id)
        with self._reader.connect() as connection:
            rows = connection.execute(query).all()
        return [StoredModel(row.id, row.field, row.created_at, row.metrics, bytes(row.blob)) for row in rows]


def _columns(new: NewModel) -> dict[str, Any]:
    return {
        "field": new.field,
        "kind": new.kind,
        "labels": list(new.labels),
        "metrics": dict(new.metrics),
        "thresholds": dict(new.thresholds),
        "encoder": new.encoder,
        "blob": new.blob,
    }
