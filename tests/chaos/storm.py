"""Kill -9 at random while tickets flow and go on, and how long whatever was cut off takes to be over."""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

from sqlalchemy import text

from tests.chaos.house import House, One

DESKS = {"zendesk": "acme", "freshdesk": "globex"}
WORKERS = ("worker", "worker2")
# In each round of six kills, in an order by chance.
VICTIMS = (*WORKERS, *WORKERS, "web", "beat")
# A worker is killed with tickets in its hands, if it takes some within this time: one that is still starting loses
# nothing, and without end no worker would ever be there to recover anything.
AT_WORK_SECONDS = 40.0
IDLE_SECONDS = 3.0
# Before every answer of the helpdesks, so that what flows is in somebody's hands for a while.
THINK_SECONDS = 0.2
# In the short storm: its few tickets are to be under way while its few kills happen.
THINK_LONG_SECONDS = 1.0
# Webhooks that were lost while web was dead are found within a minute. The helpdesks' limits are no part of this.
OF_DESK = "    mode: write\n    reconcile_every: 1\n    rate_limit: 100000\n"
# How many tickets may wait: all through the storm some come in, and no queue hides what recovering takes.
WAITING = 120
CHUNK = 12
# Of the tickets: some customers write on, some agents do something.
WRITE_ON, ACT = 0.06, 0.08
WORDS = (
    "Hello, one more thing: it happens on my colleague's computer too.",
    "This is the third time I write and nobody answers! We lose money every minute. Fix it today or we cancel.",
    "Thank you, that has solved it for us.",
)
DEEDS = (
    {"priority": "urgent"},
    {"priority": "low"},
    {"group": "Finance & Billing"},
    {"tags_add": ["seen_by_a_person"]},
)


class Storm:
    """Kills processes of a house while tickets flow through it; `seed` says which, when and what `people` do."""

    def __init__(self, house: House, seed: int, tickets: int, kills: int, *, people: bool = True) -> None:
        self.house = house
        self.people = people
        self.tickets = tickets
        self.kills = kills
        self.killed: Counter[str] = Counter()
        self.written: dict[One, str] = {}
        """Where a customer wrote on: the id of that message."""
        self.hit: dict[int, float] = {}
        """Run -> when the worker that held it was killed, for the last time."""
        self._random = random.Random(seed)
        self._people = random.Random(seed + 1)
        rounds = [self._random.sample(VICTIMS, len(VICTIMS)) for _ in range(kills)]
        self._victims = [name for one in rounds for name in one][:kills]
        self._at = sorted(self._random.uniform(0.02, 0.95) * tickets for _ in range(kills))

    def rage(self, seconds: float, *, in_haste: bool = False) -> None:
        """Let it rage until every kill is done and every ticket is over; `in_haste` reconciles at once afterwards."""
        if in_haste:
            # Web last: what it loses is found by the reconciliation only, and would keep the few workers idle.
            self._victims.sort(key="web".__eq__)
        start_second_worker(self.house)
        self.house.slow(THINK_LONG_SECONDS if in_haste else THINK_SECONDS)
        stop = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            flow = pool.submit(self._flow, stop)
            try:
                self.house.wait("the storm", self._blow, seconds)
                self.house.wait("the rest", flow.done, seconds)
            finally:
                stop.set()
                self.house.well()
            flow.result()
        if in_haste:
            look_for_lost(self.house)
        self.house.quiet(240, also=lambda: not self.unheard(), why=self.unheard)

    def _blow(self) -> bool:
        """Kill what is due by now; say whether that was all."""
        done = sum(self.killed.values())
        if done < self.kills and self.house.finished() >= self._at[done]:
            self._kill(self._victims[done])
            # Not all at the same moment, however fast they flow.
            time.sleep(self._random.uniform(0.2, 1.5))
        return done == self.kills

    def _kill(self, name: str) -> None:
        # It is us who end it so often: whoever looks after the processes need not give up.
        self.house.stack.revived.clear()
        since = time.monotonic()
        process = self.house.process(name)
        self.house.wait("work in hand", lambda: self._is_at_work(name, process.pid, since), 2 * AT_WORK_SECONDS)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
        now = time.time()
        self.killed[name] += 1
        self.hit |= dict.fromkeys(held_by(self.house, process.pid), now)

    def _is_at_work(self, name: str, pid: int, since: float) -> bool:
        """Say whether a worker holds tickets, or there are none to wait for; the others may be killed at any time."""
        waited = time.monotonic() - since
        is_idle = waited > IDLE_SECONDS and self.house.settled()
        return name not in WORKERS or bool(held_by(self.house, pid)) or is_idle or waited > AT_WORK_SECONDS

    def _flow(self, stop: threading.Event) -> None:
        """Make tickets, never too many ahead, and let people do things to them."""
        house = self.house
        while len(house.sent) < self.tickets and not stop.is_set():
            if len(house.sent) - house.finished() > WAITING:
                time.sleep(0.2)
                continue
            for one in house.flood(min(CHUNK, self.tickets - len(house.sent))):
                chance = self._people.random() if self.people else 1.0
                if chance < WRITE_ON:
                    self._write_on(self._people.choice(house.sent))
                elif chance < WRITE_ON + ACT:
                    self._act(self._people.choice(house.sent), one)

    def _write_on(self, one: One) -> None:
        if one not in self.house.people:
            shown = self.house.act(one, customer_reply=self._people.choice(WORDS))
            said = [comment for comment in shown["comments"] if comment["author_role"] == "customer"]
            self.written[one] = str(said[-1]["id"])

    def _act(self, one: One, fresh: One) -> None:
        # Freshdesk cannot refuse a write that comes milliseconds after a person's: there, nobody is to be at it.
        one = one if one[0] == "zendesk" else one if self._is_over(one) else ("", "")
        if not one[0]:
            one = fresh if fresh[0] == "zendesk" else one
        if one[0] and one not in self.written:
            self.house.person(one, **self._people.choice(DEEDS))

    def _is_over(self, one: One) -> bool:
        runs = self.house.store.runs.all_of(DESKS[one[0]], one[1])
        return bool(runs) and all(run.finished_at for run in runs)

    def unheard(self) -> list[One]:
        """Return the tickets on which a customer wrote something that no run has read."""
        return [one for one, message in self.written.items() if not self._is_heard(one, message)]

    def _is_heard(self, one: One, message: str) -> bool:
        runs = self.house.store.runs.all_of(DESKS[one[0]], one[1])
        return any(run.finished_at and run.heard and int(run.heard) >= int(message) for run in runs)

    def recoveries(self) -> dict[int, float]:
        """Return run -> the seconds from the kill that cut it off, the last one of them, until it was over."""
        with self.house.store.engine.connect() as connection:
            ended = {row[0]: row[1] for row in connection.execute(text("SELECT id, finished_at FROM runs"))}
        return {run: ended[run] - at for run, at in self.hit.items()}

    def told(self, seed: int) -> str:
        """Return what happened in one line."""
        by_name = ", ".join(f"{name} {self.killed[name]}" for name in dict.fromkeys(VICTIMS))
        by_run = self.recoveries() or {0: 0.0}
        longest = max(by_run, key=by_run.__getitem__)
        return (
            f"seed {seed}: {sum(self.killed.values())} kills ({by_name}), {len(self.hit)} runs cut off, over after "
            f"{median(by_run.values()):.1f} s (median), {by_run[longest]:.1f} s (longest, run {longest}); "
            f"{len(self.written)} customers wrote on, {len(self.house.people)} tickets changed by agents"
        )


def start_second_worker(house: House, name: str = "worker2") -> None:
    """Start another worker beside the first one and wait until it takes tickets."""
    begun = time.time()
    house.stack.start(name, [sys.executable, "manage.py", "worker"])
    house.wait("the second worker", lambda: house.worker_since() >= begun, 120)


def look_for_lost(house: House) -> None:
    """Have the next tick reconcile each desk, as if its interval had passed."""
    with house.store.engine.begin() as connection:
        connection.execute(text("UPDATE cursors SET updated_at = updated_at - 600 WHERE name = 'polled'"))


def held_by(house: House, pid: int) -> Sequence[int]:
    """Return the runs that the worker process `pid` holds, or held when it died."""
    query = text("SELECT id FROM runs WHERE state = 'running' AND owner LIKE :owner")
    with house.store.engine.connect() as connection:
        return list(connection.execute(query, {"owner": f"%:{pid}:%"}).scalars())


def repeated_runs(house: House) -> int:
    """Return how many occasions have more than one run, and tickets more or less than one first run."""
    twice = text(
        "SELECT count(*) FROM (SELECT 1 FROM runs GROUP BY desk, ticket_id, occasion HAVING count(*) > 1) AS t"
    )
    first = text("SELECT desk, ticket_id FROM runs WHERE occasion = 'created' AND state = 'done'")
    with house.store.engine.connect() as connection:
        repeated = int(connection.execute(twice).scalar_one())
        found = Counter(tuple(row) for row in connection.execute(first))
    wanted = Counter((DESKS[vendor], id_) for vendor, id_ in house.sent)
    return repeated + sum(((found - wanted) + (wanted - found)).values())


def left_over(house: House) -> list[int]:
    """Return the processes of a house that are still there: its settings file is in their environment."""
    mark = str(house.file).encode()
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                if mark in (folder / "environ").read_bytes():
                    found.append(int(folder.name))
            except OSError:
                continue
    return found
