"""How Tandem and its helpdesks stand, for the console: the checks of /readyz, and what the worker found out last."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from triage.environment import Environment
from triage.store import Store
from triage.store.marks import HEALTH
from webhooks.shown import Tile
from workers import health
from workers.health import Finding, State

LEVELS = {State.OK: "ok", State.WARNING: "warning", State.BROKEN: "bad"}


@dataclass(frozen=True)
class Helpdesk:
    """What was found about one desk's helpdesk, and when; nothing where nobody has looked."""

    findings: list[Finding]
    at: float | None = None

    @property
    def level(self) -> str:
        """Return ok, warning or bad."""
        return LEVELS[health.worst(self.findings)]

    @property
    def word(self) -> str:
        """Return which check is worst; empty where all is well."""
        state = health.worst(self.findings)
        return "" if state is State.OK else next(one.what for one in self.findings if one.state is state)


def own(store: Store, environment: Environment, now: float) -> list[Finding]:
    """Return how everything on our own side stands. Not the broker: a hung one would hold the page up."""
    return [*health.database(store, now), health.disk(environment)]


def helpdesk(store: Store, desk: str) -> Helpdesk:
    """Return what the worker found out about a desk's helpdesk."""
    kept = store.cursors.get(desk, HEALTH)
    return Helpdesk(_read(kept[0]), kept[1]) if kept else Helpdesk([])


def tile(findings: Iterable[Finding]) -> Tile:
    """Return all findings as one tile."""
    found = [one for one in findings if one.state is not State.OK]
    if not found:
        return Tile("Health", "ok", "ok", "all checks", page="desks")
    worst = health.worst(found)
    first = next(one for one in found if one.state is worst)
    more = f", {len(found) - 1} more" if len(found) > 1 else ""
    return Tile("Health", str(worst), LEVELS[worst], f"{first.what}: {first.text}{more}", page="desks")


def _read(text: str) -> list[Finding]:
    """Return findings as they were kept; what another version has kept otherwise is left out."""
    try:
        rows = json.loads(text)
        return [
            Finding(str(one["what"]), State(one["state"]), str(one["text"]), str(one.get("remedy", ""))) for one in rows
        ]
    except (ValueError, KeyError, TypeError, AttributeError):
        return []
