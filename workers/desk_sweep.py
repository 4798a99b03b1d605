"""Looks at each desk every ten minutes, so that console, metrics and /readyz know how it stands without a call."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict
from typing import TYPE_CHECKING

from triage.errors import TandemError
from triage.store import Store
from triage.store.marks import CHECKED, RIGHTS, WEBHOOK_FAILING
from workers.desk_account import rights, webhook
from workers.desk_health import desk, knowledge
from workers.health import Finding, State, remember, restored

if TYPE_CHECKING:
    from workers.runtime import Runtime

logger = logging.getLogger(__name__)
EVERY_SECONDS = 600.0
# What our credential may changes seldom, and asking costs a call for each right.
RIGHTS_SECONDS = 86_400.0
# A beat that comes a moment early is this time's.
SLACK_SECONDS = 5.0


def check_due(runtime: Runtime, now: float) -> int:
    """Check each desk whose time has come, one desk's trouble apart from the others; returns how many."""
    checked = 0
    for name in runtime.settings.desks:
        last = runtime.store.cursors.get(name, CHECKED)
        if last and 0 <= now - last[1] < EVERY_SECONDS - SLACK_SECONDS:
            continue
        # Before the look, so that a desk in trouble is not asked at every tick.
        runtime.store.cursors.set(name, CHECKED, "", now)
        try:
            check(name, runtime, now)
            checked += 1
        except Exception as error:  # an answer nobody foresaw is that desk's trouble alone
            said = str(error) if isinstance(error, TandemError) else type(error).__name__
            logger.warning("health: desk=%s: %s", name, said)
    return checked


def check(name: str, runtime: Runtime, now: float) -> list[Finding]:
    """Look at one desk, write down what was found, and raise or clear the alarm about its webhook."""
    settings, store = runtime.settings.desks[name], runtime.store
    found = list(desk(name, settings, runtime, now))
    if found[0].state is State.OK:
        found += knowledge(name, runtime, now)
        found.append(_rights(name, runtime, now))
        hook = webhook(name, settings, runtime, now)
        found.append(hook)
        _tell(name, hook, store, now)
    remember(store, name, found, now)
    return found


def _rights(name: str, runtime: Runtime, now: float) -> Finding:
    """Return what the credential may, as it was found within a day."""
    store = runtime.store
    known = store.cursors.get(name, RIGHTS)
    if known and now - known[1] < RIGHTS_SECONDS:
        return restored(json.loads(known[0]))
    found = rights(name, runtime)
    if found.sure:
        store.cursors.set(name, RIGHTS, json.dumps(asdict(found)), now)
    return found


def _tell(name: str, hook: Finding, store: Store, now: float) -> None:
    """Raise the alarm about a webhook that is gone or fails, clear it when it is not; unsure changes nothing."""
    if hook.state is State.BROKEN:
        store.alarms.raise_(name, WEBHOOK_FAILING, f"{hook.text}; {hook.remedy}", now)
    elif hook.sure:
        store.alarms.clear(name, WEBHOOK_FAILING)
