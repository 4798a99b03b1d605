"""How good Tandem is: agreement with agents over time, calibration, confusions, votes, drafts, cost per ticket.

Read from the day counts, so that a million runs cost no more than a hundred. Labels only: no customer text.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from flask import Blueprint

from triage.store import Store
from triage.store.calibrations import StoredCalibration
from triage.store.days import AGREED, DRAFTS, MODELS, PAIRS, RUNS, Count, day_of
from triage.store.feedback import Tally
from webhooks.frame import Console
from webhooks.words import DAY_SECONDS, FIELD_NAMES

WEEKS = 13
PAIRS_SHOWN = 15
# 1970 began on a Thursday.
MONDAY_OFFSET = 3
DONE = "done"


@dataclass(frozen=True)
class Agreement:
    """How often people left one field of one desk as Tandem had it, week by week."""

    desk: str
    field: str
    n: int
    agreed: int
    weeks: list[float | None]

    @property
    def share(self) -> float:
        """Return the share over all weeks."""
        return self.agreed / self.n


@dataclass(frozen=True)
class Confusion:
    """A label of ours that people replaced by one of theirs."""

    field: str
    ours: str
    theirs: str
    count: int


@dataclass(frozen=True)
class Week:
    """What one week took."""

    begins: float
    runs: int
    cost: float

    @property
    def per_ticket(self) -> float:
        """Return the US dollars per run that was done."""
        return self.cost / self.runs if self.runs else 0.0


@dataclass(frozen=True)
class Quality:
    """Everything on the page."""

    agreement: list[Agreement]
    pairs: list[Confusion]
    votes: Tally
    drafts: dict[str, int]
    weeks: list[Week]
    calibrations: list[tuple[str, StoredCalibration]]
    counted_at: float | None


def look(store: Store, desks: Iterable[str], desk: str, now: float) -> Quality:
    """Return the page for `desk`, or for all where it is empty."""
    store.days.catch_up(now)
    last = week_of(day_of(now))
    begin, today = monday_of(last - WEEKS + 1), day_of(now)

    def counts(name: str) -> list[Count]:
        return store.days.of(name, begin, today, desk)

    drafts = Counter[str]()
    for one in counts(DRAFTS):
        drafts[one.key] += one.count
    return Quality(
        agreement=agreement(counts(AGREED), last),
        pairs=confusions(counts(PAIRS)),
        votes=store.feedback.tally(begin * float(DAY_SECONDS), now + 1, [desk] if desk else []),
        drafts=dict(drafts),
        weeks=weeks(counts(RUNS), counts(MODELS), last),
        calibrations=[(name, one) for name in desks if desk in ("", name) for one in store.calibrations.active(name)],
        counted_at=store.days.counted_at(now),
    )


def week_of(day: int) -> int:
    """Return the week of a day, counted in Mondays since 1970."""
    return (day + MONDAY_OFFSET) // 7


def monday_of(week: int) -> int:
    """Return the day a week begins with."""
    return week * 7 - MONDAY_OFFSET


def agreement(counts: Iterable[Count], last: int) -> list[Agreement]:
    """Return one line for each desk and field that is known of, to the week `last`."""
    found: dict[tuple[str, str], dict[int, tuple[int, float]]] = defaultdict(dict)
    for one in counts:
        weeks = found[one.desk, one.key]
        n, agreed = weeks.get(week_of(one.day), (0, 0.0))
        weeks[week_of(one.day)] = n + one.count, agreed + one.amount
    order = list(FIELD_NAMES)
    lines = []
    for (desk, field), weeks in sorted(found.items(), key=lambda pair: (pair[0][0], order.index(pair[0][1]))):
        shares = [
            weeks[week][1] / weeks[week][0] if week in weeks else None for week in range(last - WEEKS + 1, last + 1)
        ]
        n, agreed = sum(one[0] for one in weeks.values()), sum(one[1] for one in weeks.values())
        lines.append(Agreement(desk, field, n, int(agreed), shares))
    return lines


def confusions(counts: Iterable[Count]) -> list[Confusion]:
    """Return what is mistaken for what, the most frequent first."""
    pairs: Counter[tuple[str, ...]] = Counter()
    for one in counts:
        pairs[tuple(one.key.split("\t", 2))] += one.count
    return [Confusion(*key, count) for key, count in pairs.most_common(PAIRS_SHOWN) if len(key) == 3]


def weeks(runs: Iterable[Count], models: Iterable[Count], last: int) -> list[Week]:
    """Return runs done and what models cost, week by week."""
    done: Counter[int] = Counter()
    cost: dict[int, float] = defaultdict(float)
    for one in runs:
        done[week_of(one.day)] += one.count if one.key == DONE else 0
    for one in models:
        cost[week_of(one.day)] += one.amount
    return [
        Week(float(monday_of(week) * DAY_SECONDS), done[week], cost[week]) for week in range(last - WEEKS + 1, last + 1)
    ]


def week_name(begins: float) -> str:
    """Return the Monday a week begins with."""
    return datetime.fromtimestamp(begins, UTC).strftime("%d %b")


def register(routes: Blueprint, console: Console) -> None:
    """Add the routes."""

    def quality() -> str:
        now, desk = time.time(), console.desk_asked_for()
        desks = sorted(console.settings.desks)
        return console.show(
            "quality",
            now,
            page=look(console.store, desks, desk, now),
            desk=desk,
            desks=desks,
            week_name=week_name,
            total=WEEKS,
        )

    console.page(routes, "quality", "quality", quality, label="Quality")
