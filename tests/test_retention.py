"""Every table that grows has its days, and what is needed for "never twice" outlives the ticket."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import func, select
from test_forgetting import NOW, fill

from triage.settings import Retention as Days
from triage.settings import Settings
from triage.store import Store
from triage.store.clocks import Clocks
from triage.store.retention import BATCH, DAY_SECONDS, KEPT, RULES
from triage.store.runs import DONE
from triage.store.tables import (
    alarms,
    audit,
    deliveries,
    effects,
    exchanges,
    feedback,
    metadata,
    outcomes,
    questions,
    runs,
)
from workers.sweep import forget

PRIVACY = Path(__file__).parent.parent / "docs" / "privacy.md"
OF_RUN = (runs, effects, outcomes, exchanges, questions, feedback)


def count(store: Store, *tables: object) -> dict[str, int]:
    with store.engine.connect() as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()  # type: ignore[attr-defined, arg-type]
            for table in tables
        }


def test_every_table_has_a_rule_or_a_reason_and_is_in_the_docs() -> None:
    names = {table.name for table in metadata.sorted_tables}
    assert names == (set(RULES) | set(KEPT)) - {"alembic_version"}
    assert not set(RULES) & set(KEPT)
    stored = PRIVACY.read_text().split("## What is stored")[1].split("\n## ")[0]
    told = set(re.findall(r"`([a-z_]+)`", "\n".join(line.split("|")[1] for line in stored.splitlines() if "|" in line)))
    assert names <= told


@pytest.mark.parametrize("name", ["delivery_bodies", "run_details", *Days.model_fields])
def test_the_docs_name_the_days_that_are_set(name: str) -> None:
    assert f"`retention.{name}`" in PRIVACY.read_text()


def test_each_table_in_its_time(store: Store) -> None:
    fill(store, "acme", "7", "said")
    with store.engine.begin() as connection:
        connection.execute(questions.update().values(state="answered"))
        connection.execute(deliveries.update().values(state=DONE, due_at=None))
    store.audit.record("a", "mode", NOW)
    settings = Settings()

    def after(days: float) -> dict[str, int]:
        forget(settings, store, NOW + days * DAY_SECONDS)
        return count(store, *OF_RUN, alarms, audit, deliveries)

    everything = dict.fromkeys((table.name for table in (*OF_RUN, alarms, audit, deliveries)), 1)
    assert after(1) == everything
    assert after(91) == everything | {"alarms": 0}
    assert after(181) == everything | {"alarms": 0, "exchanges": 0, "questions": 0}
    with store.engine.connect() as connection:
        assert connection.execute(select(feedback.c.reason)).scalar_one() == ""
        assert connection.execute(select(runs.c.classification)).scalar_one() is None
    assert after(401)["deliveries"] == 0
    # The ticket's clocks still run: it may come back, so its run stays.
    assert after(1101) == everything | dict.fromkeys(("alarms", "exchanges", "questions", "deliveries", "audit"), 0)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE clocks SET state = 'met'")
    assert isinstance(store.clocks, Clocks)
    assert set(after(1102).values()) == {0}


def test_what_is_open_stays(store: Store) -> None:
    fill(store, "acme", "7", "said")
    forget(Settings(), store, NOW + 500 * DAY_SECONDS)
    # An unanswered question, and a delivery nobody has worked on.
    assert count(store, questions, deliveries) == {"questions": 1, "deliveries": 1}


def test_batch_by_batch_and_not_for_ever(store: Store) -> None:
    with store.engine.begin() as connection:
        rows = [{"at": NOW, "actor": "a", "action": "b", "detail": {}} for _ in range(2 * BATCH + 10)]
        connection.execute(audit.insert(), rows)
    ticks = iter(range(0, 1000, 70))
    # One batch and the time is over; the next hour goes on.
    dropped = store.retention.apply(Days(), NOW + 2000 * DAY_SECONDS, lambda: float(next(ticks)))
    assert dropped == 0 or dropped % BATCH == 0
    assert count(store, audit)["audit"] == 2 * BATCH + 10 - dropped
    assert store.retention.apply(Days(), NOW + 2000 * DAY_SECONDS) == 2 * BATCH + 10 - dropped
    assert count(store, audit)["audit"] == 0
