"""What each process holds at rest and after many tickets: memory, open files, threads; and what Redis keeps.

Web, worker, beat and Redis as in production, tickets as signed webhooks; helpdesk and model are stubs that answer at
once, so that a hundred thousand tickets take an hour and not a day. `TICKETS=100000 make bench NAME=memory`.
"""

from __future__ import annotations

import http.client
import os
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis import Redis
from sqlalchemy import func, select

from benchmarks.knock import knock
from benchmarks.plant import DESK, SETTINGS, Plant, control, memory_of, opened
from benchmarks.result import Figure, Result
from commands.stack import Process, answers, free_port
from connectors.budget import connect
from triage.store.deliveries import DONE
from triage.store.tables import deliveries

TICKETS, SHORT_TICKETS = 20_000, 120
VARIABLE = "TICKETS"
# Caches are full and every thread has worked by then.
WARM_TICKETS = 2_000
SHARES = (0.2, 0.5, 1.0)
GROWTH_PERCENT = 10.0
SENDERS = 4
# Webhooks wait in the inbox only as long as the workers keep up: what is measured is steady work, not a burst.
AHEAD = 200
CONCURRENCY = 20
PATIENCE_SECONDS = 120.0
MIB = 1024 * 1024


@dataclass(frozen=True)
class Held:
    """What one process, with its children, holds."""

    memory: float
    """MiB, its share of what is shared (PSS)."""
    files: int
    threads: int


@dataclass(frozen=True)
class Sample:
    """Everything at one moment."""

    tickets: int
    held: Mapping[str, Held]
    redis_keys: int
    redis_memory: float
    """MiB."""


def family(pid: int) -> list[int]:
    """Return the processes of the session that `pid` leads."""
    found = []
    for one in Path("/proc").iterdir():
        if one.name.isdigit():
            try:
                fields = (one / "stat").read_text("ascii").rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == pid:
                found.append(int(one.name))
    return found


def held(process: Process) -> Held:
    """Return what `process` holds."""
    pids = family(process.popen.pid)
    files = sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in pids)
    threads = sum(len(list(Path(f"/proc/{pid}/task").iterdir())) for pid in pids)
    return Held(sum(memory_of(pid) for pid in pids), files, threads)


class Loaded:
    """A whole Tandem between stubs."""

    def __init__(self, plant: Plant) -> None:
        self.plant, self.port = plant, free_port()
        stack = plant.stack
        stack.environment["PORT"] = str(self.port)
        stack.manage("web")
        schedule = str(plant.folder / "beat-schedule")
        stack.start("beat", [sys.executable, "manage.py", "beat", "--schedule", schedule])
        plant.start(1, CONCURRENCY)
        stack.wait_for("web", lambda: answers(f"http://127.0.0.1:{self.port}/readyz"))
        self.redis: Redis = connect(stack.environment["REDIS_URL"])
        self.refused = 0
        self._done = 0
        self.sent = 0
        self._lock = threading.Lock()

    def sample(self) -> Sample:
        """Return what everything holds now."""
        named = {one.name: one for one in self.plant.stack.processes if one.name in ("web", "worker", "beat")}
        about: Any = self.redis.info("memory")
        keys: Any = self.redis.dbsize()
        return Sample(
            self.sent, {name: held(one) for name, one in named.items()}, int(keys), about["used_memory"] / MIB
        )

    def work(self, upto: int) -> None:
        """Send webhooks until `upto` have been sent in all, and wait until their tickets are done."""
        threads = [threading.Thread(target=self._send, args=(upto,)) for _ in range(SENDERS)]
        for thread in threads:
            thread.start()
        until = time.monotonic() + PATIENCE_SECONDS
        done = before = self.done()
        while done < upto and time.monotonic() < until:
            time.sleep(0.25)
            done = self.done()
            if done > before:
                before, until = done, time.monotonic() + PATIENCE_SECONDS
        for thread in threads:
            thread.join(PATIENCE_SECONDS)

    def done(self) -> int:
        """Return how many tickets are done."""
        counted = select(func.count()).where(deliveries.c.state == DONE)
        with self.plant.store.engine.connect().execution_options(reads_only=True) as connection:
            self._done = int(connection.execute(counted).scalar_one())
        return self._done

    def _send(self, upto: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        secret = str(SETTINGS["webhook_secrets"][0])  # type: ignore[index]
        while True:
            with self._lock:
                if self.sent >= upto:
                    break
                self.sent += 1
                number = self.sent
            while number > self._done + AHEAD:
                time.sleep(0.05)
            body, headers = knock("zendesk", str(number), secret)
            connection.request("POST", f"/webhooks/zendesk/{DESK}", body, headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 202:
                self.refused += 1
        connection.close()


def run(short: bool = False) -> Result:
    """Sample at rest, after the warm-up, and at the given shares of all tickets."""
    tickets = SHORT_TICKETS if short else int(os.environ.get(VARIABLE) or TICKETS)
    warm = min(max(WARM_TICKETS, tickets // 50), tickets // 4)
    stops = sorted({warm, *(int(share * tickets) for share in SHARES if share * tickets > warm)})
    with opened() as plant:
        loaded = Loaded(plant)
        time.sleep(2)
        samples = [loaded.sample()]
        begun = time.monotonic()
        for stop in stops:
            loaded.work(stop)
            samples.append(loaded.sample())
            _tell(samples[-1], time.monotonic() - begun)
        told = control(plant.outside, "/told")
        figures = _figures(samples, short)
        figures += [
            Figure("webhooks refused", loaded.refused, "", 0, counted=True),
            Figure("tickets not done", tickets - loaded.done(), "", 0, counted=True),
            Figure("tickets with two notes", told["twice"], "", 0, counted=True),
        ]
        loaded.redis.close()
    return Result("memory", figures, _lines(samples))


def _tell(sample: Sample, seconds: float) -> None:
    memory = ", ".join(f"{name} {one.memory:.0f}" for name, one in sample.held.items())
    print(f"  {sample.tickets:,} tickets after {seconds:.0f} s: {memory} MiB", file=sys.stderr, flush=True)


def _figures(samples: Sequence[Sample], short: bool) -> list[Figure]:
    rest, warm, last = samples[0], samples[1], samples[-1]
    figures = []
    for name in rest.held:
        grown = 100 * (last.held[name].memory / warm.held[name].memory - 1)
        figures.append(Figure(f"{name}: at rest", rest.held[name].memory, "MiB"))
        figures.append(Figure(f"{name}: after {last.tickets:,}", last.held[name].memory, "MiB"))
        # A short run ends before anything is warm.
        figures.append(Figure(f"{name}: growth since {warm.tickets:,}", grown, "%", None if short else GROWTH_PERCENT))
    figures.append(Figure("Redis: growth", last.redis_memory - warm.redis_memory, "MiB"))
    return figures


def _lines(samples: Sequence[Sample]) -> list[str]:
    lines = ["tickets: MiB/open files/threads of each; keys and MiB in Redis"]
    for one in samples:
        parts = [f"{name} {two.memory:.0f}/{two.files}/{two.threads}" for name, two in one.held.items()]
        lines.append(f"{one.tickets:>7,}: {', '.join(parts)}; {one.redis_keys}, {one.redis_memory:.1f}")
    return lines
