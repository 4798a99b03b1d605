"""What several pages show alike: tiles, runs with their verdicts, the helpdesk's page of a ticket."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from triage.settings import Settings
from triage.store import Store
from triage.store.runs import Run

AGENT_PAGES = {"zendesk": "{url}/agent/tickets/{ticket}", "freshdesk": "{url}/a/tickets/{ticket}"}
SHOWN_FIELDS = ("primary_team", "priority")


@dataclass(frozen=True)
class Tile:
    """One number; `level` is ok, warning, bad or nothing, and `word` says it without colour."""

    label: str
    value: str
    level: str = ""
    word: str = ""
    page: str = ""
    """The endpoint that shows more."""


@dataclass(frozen=True)
class Verdict:
    """One decided field of a run."""

    label: str
    probability: float | None
    is_sure: bool


@dataclass(frozen=True)
class RunRow:
    """One run with its verdicts, how long its steps took and what the helpdesk refused of it."""

    run: Run
    verdicts: list[Verdict]
    seconds: float | None
    refused: dict[str, str]


def run_rows(store: Store, runs: Sequence[Run]) -> list[RunRow]:
    """Return runs as tables show them."""
    refused = store.effects.refusals([run.id for run in runs])
    return [RunRow(run, verdicts_of(run), seconds_of(run), refused.get(run.id, {})) for run in runs]


def verdicts_of(run: Run) -> list[Verdict]:
    """Return team and priority of a run; rows of older versions may lack anything."""
    answer: dict[str, Any] = run.classification or {}
    abstained = (run.decision or {}).get("abstained", [])
    found = []
    for field in SHOWN_FIELDS:
        if label := answer.get(field):
            probability = answer.get("probabilities", {}).get(field, {}).get(label)
            found.append(Verdict(label, probability, field not in abstained))
    return found


def seconds_of(run: Run) -> float | None:
    """Return how long the steps of a run took together."""
    return sum(run.timings.values()) if run.timings else None


def ticket_url(settings: Settings, desk: str, ticket_id: str) -> str:
    """Return the agent's page of a ticket, or an empty text when the desk is no longer configured."""
    known = settings.desks.get(desk)
    if known is None or not ticket_id:
        return ""
    return AGENT_PAGES[known.platform].format(url=known.url, ticket=quote(ticket_id, safe=""))
