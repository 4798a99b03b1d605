"""Every delivery and every run, searched page by page."""

from __future__ import annotations

import time
from dataclasses import dataclass

from flask import Blueprint, request

from triage.settings import Settings
from triage.store import Store
from triage.store.browse import Key, Page, Wanted
from triage.store.deliveries import DEAD, DONE, IGNORED, OPEN_STATES, UNREADABLE, Delivery
from triage.store.runs import DEAD as RUN_DEAD
from triage.store.runs import DONE as RUN_DONE
from triage.store.runs import RUNNING, SKIPPED, WAITING, Run
from webhooks.frame import Console
from webhooks.searching import key, key_text, text, wanted
from webhooks.shown import RunRow, run_rows

REFRESH_SECONDS = 10
DELIVERIES, RUNS = "deliveries", "runs"
STATES = {
    DELIVERIES: (*OPEN_STATES, DONE, IGNORED, UNREADABLE, DEAD),
    RUNS: (WAITING, RUNNING, RUN_DONE, SKIPPED, RUN_DEAD),
}
FIELDS = ("desk", "ticket", "reference", "state", "event", "classifier", "team", "priority", "since", "until")


@dataclass(frozen=True)
class Activity:
    """Everything on the page."""

    show: str
    """DELIVERIES or RUNS."""
    given: dict[str, str]
    """The search, as it was given."""
    found: Page[Delivery] | Page[Run]
    rows: list[RunRow]
    """The runs among `found`, as tables show them."""
    further: str
    """Where the next page goes on; empty at the end."""


def look(store: Store, show: str, given: dict[str, str], sought: Wanted, after: Key | None) -> Activity:
    """Return the page."""
    if show == RUNS:
        runs = store.browse.runs(sought, after)
        return Activity(show, given, runs, run_rows(store, runs.rows), key_text(runs.further))
    deliveries = store.browse.deliveries(sought, after)
    return Activity(show, given, deliveries, [], key_text(deliveries.further))


def choices(settings: Settings) -> dict[str, list[str]]:
    """Return what the search's lists offer."""
    return {
        "desk": sorted(settings.desks),
        "team": sorted([*settings.teams, "none"]),
        "priority": [str(name) for name in settings.priorities],
    }


def register(routes: Blueprint, console: Console) -> None:
    """Add the routes."""

    def activity() -> str:
        asked = request.args
        show = RUNS if asked.get("show") == RUNS else DELIVERIES
        given = {name: one for name in FIELDS if (one := text(asked, name))}
        sought, after = wanted(given, tuple(console.settings.desks)), key(asked.get("after", ""))
        return console.show(
            "activity",
            time.time(),
            page=look(console.store, show, given, sought, after),
            after=asked.get("after", "") if after else "",
            live=asked.get("live") == "1" and not after,
            seconds=REFRESH_SECONDS,
            states=STATES,
            choices=choices(console.settings),
        )

    console.page(routes, "activity", "activity", activity, label="Activity")
