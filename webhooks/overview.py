"""What the console's first page shows, read with a handful of bounded queries. Ids only: no customer text."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from triage.settings import Desk, Settings
from triage.store import Store
from triage.store.deliveries import DEAD, DONE, IGNORED, OPEN_STATES, UNREADABLE, Delivery
from triage.store.marks import Alarm
from triage.store.runs import Run

ROWS = 50
STATES = (*OPEN_STATES, DONE, IGNORED, UNREADABLE, DEAD)
DAY_SECONDS = 86_400
# The age of the oldest open delivery: until here green, until there yellow, then red.
SLOW_SECONDS = 120.0
STUCK_SECONDS = 900.0
AGENT_PAGES = {"zendesk": "{url}/agent/tickets/{ticket}", "freshdesk": "{url}/a/tickets/{ticket}"}
SHOWN_FIELDS = ("primary_team", "priority")
AGREEMENT_DAYS = 30
AGREEMENT_TILES = {"primary_team": "Team agreed, 30 days", "priority": "Priority agreed, 30 days"}


@dataclass(frozen=True)
class Tile:
    """One number; `level` is ok, warning, bad or nothing, and `word` says it without colour."""

    label: str
    value: str
    level: str = ""
    word: str = ""


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


@dataclass(frozen=True)
class DeskRow:
    """One desk; `exceptions` are the modes per field and team, `token_days` is set where an API token will end."""

    name: str
    platform: str
    url: str
    webhook: str
    mode: str
    exceptions: list[str]
    token_days: int | None


@dataclass(frozen=True)
class Overview:
    """Everything on the page."""

    alarms: list[Alarm]
    tiles: list[Tile]
    dead: list[Delivery]
    dead_count: int
    deliveries: list[Delivery]
    state: str
    states: tuple[str, ...]
    runs: list[RunRow]
    desks: list[DeskRow]
    links: dict[tuple[str, str], str]
    """(desk, ticket id) -> the agent's page of the ticket."""


def look(store: Store, settings: Settings, public: str, state: str, now: float) -> Overview:
    """Return the page at `now`; `public` is our own address, an unknown `state` shows all deliveries."""
    state = state if state in STATES else ""
    counts = store.deliveries.counts(*OPEN_STATES, DEAD)
    dead_count = counts.get(DEAD, 0)
    alarms, runs = store.alarms.recent(), store.runs.recent(ROWS)
    refused = store.effects.refusals([run.id for run in runs])
    dead, deliveries = store.deliveries.recent(ROWS, DEAD), store.deliveries.recent(ROWS, state)
    return Overview(
        alarms=alarms,
        tiles=[
            Tile("Deliveries open", f"{sum(counts.get(each, 0) for each in OPEN_STATES):,}"),
            Tile("Dead letters", f"{dead_count:,}", *(("bad", "need you") if dead_count else ("ok", "none"))),
            Tile("Runs done today", f"{store.runs.done_since(now - now % DAY_SECONDS):,}"),
            _oldest(store.deliveries.oldest_open(), now),
            *_agreement(store, settings, now),
        ],
        dead=dead,
        dead_count=dead_count,
        deliveries=deliveries,
        state=state,
        states=STATES,
        runs=[RunRow(run, verdicts_of(run), _seconds(run), refused.get(run.id, {})) for run in runs],
        desks=[_desk(name, desk, public, now) for name, desk in sorted(settings.desks.items())],
        links=_links(settings, [*alarms, *dead, *deliveries, *runs]),
    )


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


def ticket_url(settings: Settings, desk: str, ticket_id: str) -> str:
    """Return the agent's page of a ticket, or an empty text when the desk is no longer configured."""
    known = settings.desks.get(desk)
    if known is None or not ticket_id:
        return ""
    return AGENT_PAGES[known.platform].format(url=known.url, ticket=quote(ticket_id, safe=""))


def utc(seconds: float) -> str:
    """Return a time as people read it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def age(seconds: float) -> str:
    """Return a rough age in its largest unit."""
    for size, unit in ((DAY_SECONDS, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def duration(seconds: float) -> str:
    """Return how long something took."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def _oldest(received_at: float | None, now: float) -> Tile:
    label = "Oldest open"
    if received_at is None:
        return Tile(label, "–", "ok", "nothing waits")
    waited = now - received_at
    if waited < SLOW_SECONDS:
        return Tile(label, age(waited), "ok", "on time")
    return Tile(label, age(waited), *(("warning", "slow") if waited < STUCK_SECONDS else ("bad", "stuck")))


def _agreement(store: Store, settings: Settings, now: float) -> list[Tile]:
    """Return how often agents left team and priority as Tandem had them; no tile where nothing is known yet."""
    since = now - AGREEMENT_DAYS * DAY_SECONDS
    by_desk = [store.outcomes.agreement(desk, since, now) for desk in settings.desks]
    tiles = []
    for field, label in AGREEMENT_TILES.items():
        known = [each[field] for each in by_desk if field in each]
        if count := sum(one.n for one in known):
            share = sum(one.agreed for one in known) / count
            tiles.append(Tile(label, f"{share:.0%}", "", f"of {count:,}"))
    return tiles


def _seconds(run: Run) -> float | None:
    return sum(run.timings.values()) if run.timings else None


def _desk(name: str, desk: Desk, public: str, now: float) -> DeskRow:
    return DeskRow(
        name=name,
        platform=desk.platform,
        url=desk.url,
        webhook=f"{public}/webhooks/{desk.platform}/{name}",
        mode=desk.mode,
        exceptions=[f"{key}: {mode}" for key, mode in [*desk.fields.items(), *desk.teams.items()]],
        token_days=desk.token_days_left(datetime.fromtimestamp(now, UTC).date()),
    )


def _links(settings: Settings, rows: list[Alarm | Delivery | Run]) -> dict[tuple[str, str], str]:
    return {(row.desk, row.ticket_id): ticket_url(settings, row.desk, row.ticket_id) for row in rows}
