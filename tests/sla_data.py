"""Clocks by the hundred for the tests of the views."""

from __future__ import annotations

import random
from typing import Any

from sqlalchemy import insert

from triage.store import Store
from triage.store.tables import clocks

DAY = 86_400.0


def clock(number: int, now: float, **changes: Any) -> dict[str, Any]:
    """Return a row: by default an open first response, one hour old, due in an hour."""
    row: dict[str, Any] = {
        "desk": "acme",
        "ticket_id": str(1000 + number),
        "metric": "first_response",
        "cycle": 0,
        "state": "running",
        "stage": "ok",
        "source": "policy",
        "priority": "P2_medium",
        "team": "billing",
        "tier": "",
        "calendar": "always",
        "started_at": now - 3600,
        "target": 120.0,
        "remaining": 60.0,
        "at_risk_at": now + 1800,
        "due_at": now + 3600,
        "next_check_at": None,
        "ended_at": None,
        "failures": 0,
        "reason": "",
        "updated_at": now,
    }
    return row | changes


def ended(number: int, now: float, at: float, *, late: bool = False, **changes: Any) -> dict[str, Any]:
    """Return a clock that ended at `at`, in time or an hour late."""
    due_at = at - 3600 if late else at + 3600
    values = {"state": "met", "stage": "breached" if late else "ok", "ended_at": at, "due_at": due_at}
    return clock(number, now, **(values | {"started_at": due_at - 7200} | changes))


def put(store: Store, rows: list[dict[str, Any]]) -> None:
    """Store rows."""
    with store.engine.begin() as connection:
        connection.execute(insert(clocks), rows)


def history(
    now: float, team: str = "billing", weeks: int = 4, per_day: int = 12, seed: int = 1
) -> list[dict[str, Any]]:
    """Return `weeks` of a team that answers within two hours by day and too late by night."""
    rng, rows = random.Random(1), []
    for number in range(weeks * 7 * per_day):
        started = now - rng.random() * weeks * 7 * DAY
        hour = started % DAY / 3600
        wait = rng.uniform(0.1, 1.5) if 8 <= hour < 17 else rng.uniform(4, 9)
        at = started + wait * 3600
        if at < now:
            rows.append(
                ended(10_000 + number, now, at, late=wait > 2, started_at=started, due_at=started + 7200, team=team)
            )
    return rows
