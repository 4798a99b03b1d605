"""What the console's first page shows, read with a handful of bounded queries. Ids only: no customer text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from triage.draft import NONE, QUOTED, READY, WITHHELD
from triage.environment import Environment
from triage.links import DRAFT_USED
from triage.settings import Settings
from triage.store import Store
from triage.store.days import AGREED, DRAFTS, MODELS, Count, day_of
from triage.store.deliveries import DEAD, OPEN_STATES, Delivery
from triage.store.marks import DESK_LOCKED, Alarm
from webhooks import checks
from webhooks.checks import Helpdesk
from webhooks.shown import RunRow, Tile, run_rows
from webhooks.words import DAY_SECONDS, FIELD_NAMES, age, usd

ROWS = 10
# The age of the oldest open delivery: until here green, until there yellow, then red.
SLOW_SECONDS = 120.0
STUCK_SECONDS = 900.0
PERIOD_DAYS = 30
TILE_FIELDS = ("primary_team", "priority")
# Of the day's cap.
NEARLY_SPENT = 0.8
# Alarms that do not keep tickets waiting.
MILD = {"catch_up_off", "model_away", "sla_act", "webhook_failing", "settings_file", "restart_needed"}


@dataclass(frozen=True)
class DeskRow:
    """One desk at a glance."""

    name: str
    platform: str
    mode: str
    exceptions: list[str]
    level: str
    word: str
    last_delivery: Delivery | None


@dataclass(frozen=True)
class Overview:
    """Everything on the page."""

    alarms: list[Alarm]
    tiles: list[Tile]
    runs: list[RunRow]
    desks: list[DeskRow]

    @property
    def is_calm(self) -> bool:
        """Say whether no number is red."""
        return all(tile.level != "bad" for tile in self.tiles)

    @property
    def is_grave(self) -> bool:
        """Say whether one of the alarms keeps tickets waiting."""
        return any(alarm.kind not in MILD for alarm in self.alarms)


def look(store: Store, settings: Settings, environment: Environment, held: frozenset[str], now: float) -> Overview:
    """Return the page at `now`; `held` are the desks that are paused, with `*` where everything is stopped."""
    helpdesks = {name: checks.helpdesk(store, name) for name in sorted(settings.desks)}
    store.days.catch_up(now)
    alarms = store.alarms.recent()
    counts = store.deliveries.counts(*OPEN_STATES, DEAD)
    waiting, dead = sum(counts.get(each, 0) for each in OPEN_STATES), counts.get(DEAD, 0)
    return Overview(
        alarms=alarms,
        tiles=[
            Tile("Triaged today", f"{store.runs.done_since(now - now % DAY_SECONDS):,}", page="activity"),
            _oldest(store.deliveries.oldest_open(), waiting, now),
            Tile("Dead letters", f"{dead:,}", *(("bad", "need you") if dead else ("ok", "none")), page="dead"),
            _sla(store),
            checks.tile(
                [*checks.own(store, environment, now), *(one for each in helpdesks.values() for one in each.findings)]
            ),
            *_agreement(store, now),
            *_cost(store, settings, now),
            *_drafts(store, now),
        ],
        runs=run_rows(store, store.runs.recent(ROWS)),
        desks=[_desk(store, settings, name, alarms, held, helpdesks[name]) for name in helpdesks],
    )


def exceptions(settings: Settings, desk: str) -> list[str]:
    """Return the modes a desk has per field and team."""
    known = settings.desks[desk]
    return [f"{FIELD_NAMES.get(key, key)}: {mode}" for key, mode in [*known.fields.items(), *known.teams.items()]]


def _desk(
    store: Store, settings: Settings, name: str, alarms: Iterable[Alarm], held: frozenset[str], helpdesk: Helpdesk
) -> DeskRow:
    known = settings.desks[name]
    kinds = {alarm.kind for alarm in alarms if alarm.desk == name}
    level, word = "ok", "working"
    if "*" in held:
        level, word = "bad", "stopped"
    elif DESK_LOCKED in kinds:
        level, word = "bad", "locked out"
    elif helpdesk.level == "bad":
        level, word = "bad", f"broken: {helpdesk.word}"
    elif name in held:
        level, word = "warning", "paused"
    elif kinds:
        level, word = "warning", "has an alert"
    elif helpdesk.word:
        level, word = "warning", f"check: {helpdesk.word}"
    newest = store.deliveries.newest_of(name)
    return DeskRow(name, known.platform, known.mode, exceptions(settings, name), level, word, newest)


def _oldest(received_at: float | None, waiting: int, now: float) -> Tile:
    label = "Oldest of the queue"
    if received_at is None:
        return Tile(label, "–", "ok", "nothing waits")
    waited, count = now - received_at, f"{waiting:,} open"
    if waited < SLOW_SECONDS:
        return Tile(label, age(waited), "ok", f"on time, {count}")
    return Tile(label, age(waited), *(("warning", "slow") if waited < STUCK_SECONDS else ("bad", f"stuck, {count}")))


def _sla(store: Store) -> Tile:
    stages = {"at_risk": 0, "breached": 0}
    for one in store.clock_views.standings():
        stages[one.stage] = stages.get(one.stage, 0) + one.count
    if late := stages["breached"]:
        return Tile("SLA clocks late", f"{late:,}", "bad", f"{stages['at_risk']:,} more at risk", page="sla")
    if risky := stages["at_risk"]:
        return Tile("SLA clocks at risk", f"{risky:,}", "warning", "none late", page="sla")
    return Tile("SLA clocks late", "0", "ok", "none at risk", page="sla")


def _period(store: Store, name: str, now: float) -> list[Count]:
    today = day_of(now)
    return store.days.total(name, today - PERIOD_DAYS + 1, today)


def _agreement(store: Store, now: float) -> list[Tile]:
    """Return how often agents left team and priority as Tandem had them; no tile where nothing is known yet."""
    tiles, counts = [], _period(store, AGREED, now)
    for field in TILE_FIELDS:
        mine = [one for one in counts if one.key == field]
        if n := sum(one.count for one in mine):
            share = sum(one.amount for one in mine) / n
            tiles.append(Tile(f"{FIELD_NAMES[field]} agreed, 30 days", f"{share:.0%}", "", f"of {n:,}", page="quality"))
    return tiles


def _cost(store: Store, settings: Settings, now: float) -> list[Tile]:
    today = store.runs.spent_since(now - now % DAY_SECONDS)
    period = sum(one.amount for one in _period(store, MODELS, now))
    cap = settings.llm.daily_cap_usd
    if cap is None:
        return [Tile("Model cost today", usd(today), "", f"{usd(period)} in 30 days", page="quality")]
    words = f"of {usd(cap)} a day"
    level = "bad" if today >= cap else "warning" if today >= NEARLY_SPENT * cap else "ok"
    return [
        Tile("Model cost today", usd(today), level, f"{words}, cap reached" if level == "bad" else words),
        Tile("Model cost, 30 days", usd(period), page="quality"),
    ]


def _drafts(store: Store, now: float) -> list[Tile]:
    kinds: Counter[str] = Counter()
    for one in _period(store, DRAFTS, now):
        kinds[one.key] += one.count
    if not kinds.keys() - {NONE}:
        return []
    since = (day_of(now) - PERIOD_DAYS + 1) * float(DAY_SECONDS)
    used = store.feedback.tally(since, now + 1).verdicts.get(DRAFT_USED, 0)
    words = f"{kinds[QUOTED]:,} quoted instead, {kinds[WITHHELD]:,} withheld; {used:,} said used"
    return [Tile("Drafts ready, 30 days", f"{kinds[READY]:,}", "", words, page="quality")]
