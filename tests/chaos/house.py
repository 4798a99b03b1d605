"""A whole Tandem under load: floods of tickets, faults, and the count of what the helpdesk holds afterwards."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from sqlalchemy import text

from commands.sandboxed import SAMPLES
from tests.running import REFERENCE, VENDORS, Tandem

TRIAGED = "ai_triaged"
# Nothing that is asked for is refused for its number: the rate limits have tests of their own.
CALLS_PER_MINUTE = 10_000_000
# How many tickets are made at once, and how often quiet is looked for.
MAKERS = 4
LOOK_SECONDS = 0.5
# One more round of the sweep: whatever would write twice has the time to.
SETTLE_SECONDS = 6.0

One = tuple[str, str]
"""Vendor and ticket id."""


@dataclass(frozen=True)
class Audit:
    """What the helpdesks hold of the tickets sent, counted from their side: all but `tickets` should be empty."""

    tickets: int
    lost: list[One]
    """Without note or tags."""
    second: list[One]
    """With more than one note of ours."""
    public: list[One]
    """With a note of ours that the customer can see."""
    overwritten: list[One]
    """Where something a person did no longer stands."""

    @property
    def clean(self) -> bool:
        """Say whether nothing was lost, doubled, published or overwritten."""
        return not (self.lost or self.second or self.public or self.overwritten)

    def counts(self) -> dict[str, int]:
        """Return the numbers, for the table."""
        bad = {"lost": self.lost, "second": self.second, "public": self.public, "replaced": self.overwritten}
        return {"tickets": self.tickets} | {name: len(found) for name, found in bad.items()}


@dataclass
class Person:
    """What a person did to a ticket last, and what must therefore stand."""

    tags: set[str] = field(default_factory=set)
    without: set[str] = field(default_factory=set)
    values: dict[str, str] = field(default_factory=dict)
    """`priority` and `group` as the sandbox shows them."""


class House(Tandem):
    """Tandem under load."""

    def __init__(self, folder: Path, database_url: str = "", **more: Any) -> None:
        super().__init__(folder, database_url, **{"calls_per_minute": CALLS_PER_MINUTE} | more)
        self.sent: list[One] = []
        self.people: dict[One, Person] = {}

    def flood(self, count: int, *, silent: bool = False, makers: int = MAKERS) -> list[One]:
        """Make `count` tickets, half at each helpdesk, some at once; `silent` ones send no webhook."""
        samples = [json.loads(line) for line in SAMPLES.read_text().splitlines()]
        wanted = list(islice(zip(cycle(VENDORS), cycle(s for s in samples for _ in VENDORS)), count))

        def make(one: tuple[str, dict[str, Any]]) -> One:
            vendor, sample = one
            return vendor, self.ticket(vendor, sample["body"], subject=sample["subject"], silent=silent)

        with ThreadPoolExecutor(makers) as pool:
            sent = list(pool.map(make, wanted))
        self.sent += sent
        return sent

    @contextmanager
    def flowing(self, count: int) -> Iterator[None]:
        """Have `count` tickets made in the background while the block does its worst."""
        with ThreadPoolExecutor(1) as pool:
            made = pool.submit(self.flood, count)
            yield
            made.result()

    def person(self, one: One, **wanted: Any) -> None:
        """Have an agent change a ticket, and remember what must stand afterwards."""
        self.act(one, **wanted)
        done = self.people.setdefault(one, Person())
        added, removed = set(wanted.get("tags_add", ())), set(wanted.get("tags_remove", ()))
        done.tags = (done.tags | added) - removed
        done.without = (done.without | removed) - added
        # The sandbox keeps its vendor's own words for what was asked for.
        shown = self.tickets(one[0])[one[1]]
        done.values |= {name: shown[name] for name in ("priority", "group") if name in wanted}

    def received(self) -> int:
        """Return how many webhooks are in the inbox."""
        return sum(self.store.deliveries.counts().values())

    def in_flight(self) -> list[int]:
        """Return the ids of the runs somebody holds now."""
        with self.store.engine.connect() as connection:
            return list(connection.execute(text("SELECT id FROM runs WHERE state = 'running'")).scalars())

    def ended(self, runs: Iterable[int]) -> bool:
        """Say whether all of these runs are over."""
        return not set(runs) & set(self._open_runs())

    def finished(self) -> int:
        """Return how many runs are over."""
        with self.store.engine.connect() as connection:
            query = "SELECT count(*) FROM runs WHERE state IN ('done', 'skipped', 'dead')"
            return int(connection.execute(text(query)).scalar_one())

    def _open_runs(self) -> list[int]:
        with self.store.engine.connect() as connection:
            query = "SELECT id FROM runs WHERE state IN ('running', 'waiting')"
            return list(connection.execute(text(query)).scalars())

    def goes_on(self, what: str, seconds: float) -> float:
        """Wait until a run that begins from now on is over; return the seconds that took: the time to recover."""
        since = time.time()
        query = text("SELECT count(*) FROM runs WHERE started_at >= :since AND finished_at IS NOT NULL")

        def begun_and_over() -> bool:
            with self.store.engine.connect() as connection:
                return bool(connection.execute(query, {"since": since}).scalar_one())

        return self.wait(what, begun_and_over, seconds)

    def quiet(self, seconds: float, also: Callable[[], bool] = lambda: True) -> float:
        """Wait until every ticket sent has a run that is over and no delivery waits; return the seconds that took."""

        def calm() -> bool:
            time.sleep(LOOK_SECONDS)
            return self.finished() >= len(self.sent) and self.settled() and not self._open_runs() and also()

        return self.wait("quiet", calm, seconds)

    def audit(self, expected: Callable[[One], bool] = lambda _one: True) -> Audit:
        """Count what the helpdesks hold; `expected` says of which tickets a note is to be there at all."""
        time.sleep(SETTLE_SECONDS)
        held = {(vendor, id_): ticket for vendor in VENDORS for id_, ticket in self.tickets(vendor).items()}
        lost, second, public, overwritten = [], [], [], []
        for one in self.sent:
            ticket = held[one]
            ours = [comment for comment in ticket["comments"] if REFERENCE in comment["html"]]
            if expected(one) and (not ours or TRIAGED not in ticket["tags"]):
                lost.append(one)
            if len(ours) > 1:
                second.append(one)
            if any(comment["public"] for comment in ours):
                public.append(one)
            if (person := self.people.get(one)) and not _stands(person, ticket):
                overwritten.append(one)
        return Audit(len(self.sent), lost, second, public, overwritten)


def _stands(person: Person, ticket: dict[str, Any]) -> bool:
    tags = set(ticket["tags"])
    values = all(ticket[name] == value for name, value in person.values.items())
    return values and person.tags <= tags and not person.without & tags
