"""A house whose helpdesks misbehave on demand, and whose tickets people work on at the same moment."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from random import Random
from threading import Timer
from typing import Any

from redis import Redis
from sqlalchemy import text

from commands.sandboxed import control
from connectors.budget import redis_url
from tests.chaos.house import TRIAGED, House, One

API = r"^/(zendesk|freshdesk)/(api|oauth)/"
DESKS = {"zendesk": "acme", "freshdesk": "globex"}
DOERS = 16
SEED = 7
Deed = Callable[[One, Random], None]


class Outside(House):
    """A house with faults outside of it: `each_desk` stands in both desks' settings."""

    def __init__(
        self,
        folder: Path,
        database_url: str = "",
        *,
        each_desk: str = "",
        variables: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(folder, database_url, **more)
        if each_desk:
            line = "    context_fields:"
            self.file.write_text(self.file.read_text().replace(line, f"    {each_desk}\n{line}"))
        self.stack.environment |= variables or {}
        self.unheard: list[One] = []
        self.unheard_at = 0.0
        self._on_ticket: Callable[[One], None] | None = None

    def ticket(self, vendor: str, *given: Any, **more: Any) -> str:
        """Make a ticket; people hear of it where they work at the same moment."""
        ticket_id = super().ticket(vendor, *given, **more)
        if self._on_ticket:
            self._on_ticket((vendor, ticket_id))
        return ticket_id

    @contextmanager
    def meanwhile(self, deed: Deed, within: float) -> Iterator[None]:
        """Have `deed` done to each ticket made in the block, at a random moment within so many seconds."""
        timers: list[Timer] = []
        done: list[Future[None]] = []
        with ThreadPoolExecutor(DOERS) as pool:

            def later(one: One) -> None:
                dice = Random(f"{SEED} {one}")
                timer = Timer(dice.uniform(0, within), lambda: done.append(pool.submit(deed, one, dice)))
                timers.append(timer)
                timer.start()

            self._on_ticket = later
            try:
                yield
            finally:
                self._on_ticket = None
                for timer in timers:
                    timer.join()
        for one in done:
            one.result()

    def fault(self, *faults: dict[str, Any]) -> None:
        """Have the helpdesks misbehave: `sandbox/faults.py` says how."""
        control(self.sandbox, "/sandbox/faults", list(faults))  # type: ignore[arg-type]

    def struck(self) -> list[int]:
        """Return how often each fault struck, in the order they were set."""
        return [one["used"] for one in control(self.sandbox, "/sandbox/faults")["faults"]]

    def mended(self) -> None:
        """Have the helpdesks behave again."""
        request = urllib.request.Request(f"{self.sandbox}/sandbox/faults", method="DELETE")
        urllib.request.urlopen(request, timeout=10).close()

    def asked(self, vendor: str, path: str = "") -> int:
        """Return how many calls a helpdesk has had, those alone whose endpoint holds `path`."""
        counted = control(self.sandbox, "/sandbox/state")["calls"]["endpoints"]
        return sum(times for name, times in counted.items() if name.startswith(vendor) and path in name)

    def lacking(self, ones: Iterable[One]) -> list[One]:
        """Return those of some tickets that are not triaged yet."""
        held = {(vendor, id_): ticket for vendor in DESKS for id_, ticket in self.tickets(vendor).items()}
        return [one for one in ones if TRIAGED not in held[one]["tags"]]

    def noted(self, ones: Iterable[One], seconds: float) -> float:
        """Wait until all of some tickets are triaged; return the seconds that took."""
        left = list(ones)

        def done() -> bool:
            left[:] = self.lacking(left)
            return not left

        return self.wait("notes", done, seconds)

    def rows(self, query: str, **values: Any) -> list[Any]:
        """Return what a query of Tandem's database finds."""
        with self.store.engine.connect() as connection:
            return list(connection.execute(text(query), values).mappings())

    def hurry(self) -> None:
        """Have what waits for its time be due now, as if hours had passed: pauses, closed budgets, looks at a desk."""
        now = time.time()
        with self.store.engine.begin() as connection:
            connection.execute(text("UPDATE deliveries SET due_at = :now WHERE due_at > :now"), {"now": now})
            connection.execute(text("UPDATE cursors SET updated_at = updated_at - 3600 WHERE name = 'polled'"))
            connection.execute(text("UPDATE alarms SET created_at = created_at - 3600"))
        with Redis.from_url(redis_url(self.stack.environment["REDIS_URL"])) as redis:
            for key in redis.scan_iter("tandem:budget:*"):
                redis.hdel(key, "closed")

    def calm(self, seconds: float, *, hurried: bool = True) -> float:
        """Wait until every ticket is over, with pauses cut short where `hurried`; return the seconds that took."""
        begun = time.monotonic()
        while True:
            try:
                self.quiet(8 if hurried else seconds)
            except AssertionError:
                if time.monotonic() - begun > seconds:
                    raise
                self.hurry()
            else:
                return time.monotonic() - begun

    def given_up(self) -> list[str]:
        """Return the reasons of what was given up: runs that are dead."""
        return [row["reason"] for row in self.rows("SELECT reason FROM runs WHERE state = 'dead'")]

    def worker_memory(self) -> float:
        """Return the worker's memory in MiB, at its highest so far."""
        status = Path(f"/proc/{self.process('worker').pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024
