"""A whole Tandem under load: floods of tickets, faults, and the count of what the helpdesk holds afterwards."""

from __future__ import annotations

import json
import re
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from sqlalchemy import text

from commands.sandboxed import SAMPLES, control
from commands.stack import Process, Stack, answers
from tests.running import VENDORS, Tandem
from triage.store.engine import reader_of
from triage.store.marks import EVERY_DESK, WORKER

TRIAGED = "ai_triaged"
MARK = re.compile(r"Tandem · ref (TDM-\w+)")
# Nothing that is asked for is refused for its number: the rate limits have tests of their own.
CALLS_PER_MINUTE = 10_000_000
# How many tickets are made at once, and how often quiet is looked for.
MAKERS = 4
CUSTOMERS = 997
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
    """With more notes of ours than runs to write one, with the same note twice, or with two public replies."""
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


@dataclass
class Surroundings(Stack):
    """Processes of which each may have variables of its own."""

    own: dict[str, dict[str, str]] = field(default_factory=dict)
    """By the process's name."""

    def start(self, name: str, command: list[str], extra: Mapping[str, str] | None = None) -> Process:
        """Start one child with its own variables over the others."""
        return super().start(name, command, {**(extra or {}), **self.own.get(name, {})})


class House(Tandem):
    """Tandem under load."""

    stack: Surroundings

    def __init__(self, folder: Path, database_url: str = "", **more: Any) -> None:
        super().__init__(folder, database_url, **{"calls_per_minute": CALLS_PER_MINUTE} | more)
        self.stack = Surroundings(self.stack.environment, self.stack.on_line, folder=self.stack.folder)
        self.sent: list[One] = []
        self.samples: list[dict[str, str]] = []
        """What is written, subject and body, in the place of the sandbox's sample tickets."""
        self.people: dict[One, Person] = {}

    def flood(
        self, count: int, *, silent: bool = False, makers: int = MAKERS, vendors: Sequence[str] = VENDORS
    ) -> list[One]:
        """Make `count` tickets of many customers, as many at each helpdesk; `silent` ones send no webhook."""
        samples = self.samples or [json.loads(line) for line in SAMPLES.read_text().splitlines()]
        both = zip(cycle(vendors), cycle(s for s in samples for _ in vendors))
        made = len(self.sent)
        wanted = enumerate(islice(both, made, made + count), made)

        def make(given: tuple[int, tuple[str, dict[str, Any]]]) -> One:
            number, (vendor, sample) = given
            customer = {"name": "Ada Example", "email": f"ada{number % CUSTOMERS}@customer.example"}
            more = {"subject": sample["subject"], "requester": customer, "silent": silent}
            return vendor, self.ticket(vendor, sample["body"], **more)

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
        shown = self.act(one, **wanted)
        done = self.people.setdefault(one, Person())
        added, removed = set(wanted.get("tags_add", ())), set(wanted.get("tags_remove", ()))
        done.tags = (done.tags | added) - removed
        done.without = (done.without | removed) - added
        # The sandbox keeps its vendor's own words for what was asked for.
        done.values |= {name: shown[name] for name in ("priority", "group") if name in wanted}

    def replied(self) -> set[str]:
        """Return the references of the public replies that were meant to be sent."""
        with self.store.engine.connect() as connection:
            rows = connection.execute(text("SELECT intent FROM effects WHERE kind = 'reply'")).scalars()
            return {(json.loads(row) if isinstance(row, str) else row)["reference"] for row in rows}

    def warned(self) -> set[str]:
        """Return the references of the notes of SLA clocks, which a long flood brings along: one a stage."""
        with self.store.engine.connect() as connection:
            return set(connection.execute(text("SELECT reference FROM acts WHERE kind = 'note'")).scalars())

    def slow(self, seconds: float) -> None:
        """Have the helpdesks think for so long before every answer."""
        control(self.sandbox, "/sandbox/faults", {"match": {}, "do": {"delay": seconds}, "times": None})

    def well(self) -> None:
        """Have the helpdesks behave again."""
        self.call("DELETE", "/sandbox/faults")

    def call(self, method: str, path: str) -> None:
        """Call the sandbox's control where no answer is wanted."""
        request = urllib.request.Request(self.sandbox + path, method=method)
        urllib.request.urlopen(request, timeout=10).close()

    def answers(self) -> bool:
        """Say whether web answers."""
        return answers(f"{self.url}/healthz")

    def webhooks(self) -> list[dict[str, Any]]:
        """Return every webhook the sandbox has sent, with its attempts, oldest first."""
        found: list[dict[str, Any]] = control(self.sandbox, "/sandbox/deliveries.json")["deliveries"]
        return found

    def beat_command(self, schedule: Path | None = None) -> tuple[str, list[str]]:
        """Return name and command line of beat as the house started it, or with notes of its own."""
        path = schedule or self.folder / "beat-schedule"
        return "beat", [sys.executable, "manage.py", "beat", "--schedule", str(path)]

    def worker_since(self) -> float:
        """Return when a worker last said that it takes tickets."""
        return (self.store.cursors.get(EVERY_DESK, WORKER) or ("", 0.0))[1]

    def received(self) -> int:
        """Return how many webhooks are in the inbox."""
        return sum(self.store.deliveries.counts().values())

    def in_flight(self) -> list[int]:
        """Return the ids of the runs somebody holds now."""
        with reader_of(self.store.engine).connect() as connection:
            return list(connection.execute(text("SELECT id FROM runs WHERE state = 'running'")).scalars())

    def ended(self, runs: Iterable[int]) -> bool:
        """Say whether all of these runs are over."""
        return not set(runs) & set(self._open_runs())

    def finished(self) -> int:
        """Return how many tickets were triaged, skipped or given up."""
        with reader_of(self.store.engine).connect() as connection:
            query = "SELECT count(*) FROM runs WHERE occasion = 'created' AND state IN ('done', 'skipped', 'dead')"
            return int(connection.execute(text(query)).scalar_one())

    def _open_runs(self) -> list[int]:
        with reader_of(self.store.engine).connect() as connection:
            query = "SELECT id FROM runs WHERE state IN ('running', 'waiting')"
            return list(connection.execute(text(query)).scalars())

    def goes_on(self, what: str, seconds: float) -> float:
        """Wait until a run that begins from now on is over; return the seconds that took: the time to recover."""
        since = time.time()
        query = text("SELECT count(*) FROM runs WHERE started_at >= :since AND finished_at IS NOT NULL")

        def begun_and_over() -> bool:
            with reader_of(self.store.engine).connect() as connection:
                return bool(connection.execute(query, {"since": since}).scalar_one())

        return self.wait(what, begun_and_over, seconds)

    def quiet(
        self, seconds: float, also: Callable[[], bool] = lambda: True, why: Callable[[], object] = lambda: ""
    ) -> float:
        """Wait until every ticket sent has a run that is over and no delivery waits; return the seconds that took.

        `also` is waited for too; where that takes too long, `why` says what is missing.
        """

        def calm() -> bool:
            time.sleep(LOOK_SECONDS)
            return self.finished() >= len(self.sent) and self.settled() and not self._open_runs() and also()

        try:
            return self.wait("quiet", calm, seconds)
        except AssertionError as error:
            error.add_note(f"{self.finished()} of {len(self.sent)} over, {self._open_runs()} open, missing: {why()}")
            raise

    def audit(
        self,
        expected: Callable[[One], bool] = lambda _one: True,
        most: Callable[[One], int] = lambda _one: 1,
        *,
        of: Sequence[One] | None = None,
    ) -> Audit:
        """Count what the helpdesks hold.

        `expected` says of which tickets a note is to be there at all, `most` how many there may be: one a run.
        `of` these tickets: of some of them, once the house is known to be quiet; else of all that were sent.
        """
        if of is None:
            time.sleep(SETTLE_SECONDS)
        sent = self.sent if of is None else of
        held = {(vendor, id_): ticket for vendor in VENDORS for id_, ticket in self.tickets(vendor).items()}
        replies, warnings = self.replied(), self.warned()
        lost, second, public, overwritten = [], [], [], []
        for one in sent:
            ticket = held[one]
            marked = [(found[1], comment) for comment in ticket["comments"] if (found := MARK.search(comment["html"]))]
            private = [(mark, comment) for mark, comment in marked if mark not in replies]
            ours = [mark for mark, _ in private if mark not in warnings]
            if expected(one) and (not ours or TRIAGED not in ticket["tags"]):
                lost.append(one)
            answers = len(marked) - len(private)
            if len({mark for mark, _ in marked}) < len(marked) or len(ours) > most(one) or answers > 1:
                second.append(one)
            if any(comment["public"] for _, comment in private):
                public.append(one)
            if (person := self.people.get(one)) and not _stands(person, ticket):
                overwritten.append(one)
        return Audit(len(sent), lost, second, public, overwritten)


def _stands(person: Person, ticket: dict[str, Any]) -> bool:
    tags = set(ticket["tags"])
    values = all(ticket[name] == value for name, value in person.values.items())
    return values and person.tags <= tags and not person.without & tags
