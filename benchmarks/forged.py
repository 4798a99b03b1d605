"""Forged webhooks beside good ones: what a good call waits while somebody floods the same web process.

The flood comes from a process of its own, the good calls by a clock, so that a slow answer does not make the next one
later.
"""

from __future__ import annotations

import os
import re
import selectors
import socket
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from benchmarks.result import Figure, Result
from commands.stack import Stack, answers, free_port
from triage.store import open_store
from webhooks.zendesk import SIGNATURE, TIMESTAMP, sign

DESK, SECRET = "acme", "only-for-the-flood-of-this-benchmark"
SETTINGS = f"""
desks:
  {DESK}:
    platform: zendesk
    url: https://acme.zendesk.com
    auth: {{email: bot@acme.example, api_token: x}}
    webhook_secrets: [{SECRET}]
"""
LARGEST = "as many as it takes"
FLOODS = {"no flood": 0, "300 forged/s": 300, "1,000 forged/s": 1000, LARGEST: 1_000_000}
"""Forged calls a second in each phase."""
ROUNDS, SECONDS, SHORT_SECONDS = 3, 10.0, 1.5
CONNECTIONS = 32
GOOD_PER_SECOND = 40
# As helpdesks do, on connections of their own: one slow answer holds up no other.
SENDERS = 8
STATUS = re.compile(rb"HTTP/1\.1 (\d{3})")
WHOLE = re.compile(rb"HTTP/1\.1 (\d{3}).*?Content-Length: (\d+).*?\r\n\r\n", re.DOTALL)
# What of a good call's 99th percentile is left as it was.
MOST_RATIO = 2.0


@dataclass(frozen=True)
class Phase:
    """What became of the good calls (milliseconds each, answers by status) and of the forged ones."""

    took: list[float]
    good: Counter[int]
    forged: Counter[int]
    seconds: float
    cpu: float
    """Seconds that the web process took."""

    def percentile(self, share: float) -> float:
        """Return the milliseconds below which that share of the good answers came."""
        return sorted(self.took)[min(len(self.took) - 1, int(share * len(self.took)))]


def webhook(number: int, secret: str) -> bytes:
    """Return a webhook of 2 KB, signed now."""
    body = b'{"type":"zen:event-type:ticket.created","id":"%d","detail":{"id":"%d","description":"%s"}}'
    body %= number, number, b"x" * 1950
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    lines = ["Host: tandem", f"Content-Length: {len(body)}", f"{TIMESTAMP}: {stamp}"]
    head = "\r\n".join([f"POST /webhooks/zendesk/{DESK} HTTP/1.1", *lines, f"{SIGNATURE}: {sign(secret, stamp, body)}"])
    return head.encode() + b"\r\n\r\n" + body


def flood(port: int, rate: int, seconds: float) -> Counter[int]:
    """Send forged calls on many connections for so long; return the answers by status."""
    forged, counted = webhook(1, "a-secret-somebody-has-made-up"), Counter[int]()
    selector, idle, sent, begun = selectors.DefaultSelector(), list[socket.socket](), 0, time.monotonic()
    for _ in range(CONNECTIONS if rate else 0):
        one = socket.create_connection(("127.0.0.1", port))
        selector.register(one, selectors.EVENT_READ)
        idle.append(one)
    while (now := time.monotonic() - begun) < seconds and rate:
        while idle and sent < rate * now:
            idle.pop().sendall(forged)
            sent += 1
        for key, _ in selector.select(0.005):
            # Its head and its body may come apart.
            if found := STATUS.search(key.fileobj.recv(65_536)):  # type: ignore[union-attr]
                counted[int(found[1])] += 1
                idle.append(key.fileobj)  # type: ignore[arg-type]
    for key in list(selector.get_map().values()):
        key.fileobj.close()  # type: ignore[union-attr]
    return counted


def good(port: int, first: int, seconds: float) -> tuple[list[float], Counter[int]]:
    """Send good calls on a clock; return the milliseconds each took since its time, and the answers by status."""
    begun = time.monotonic() + 0.1
    with ThreadPoolExecutor(SENDERS) as pool:
        shares = [range(sender, int(seconds * GOOD_PER_SECOND), SENDERS) for sender in range(SENDERS)]
        answered = [
            call for share in pool.map(lambda share: _calls(port, first, share, begun), shares) for call in share
        ]
    return [took for took, _ in answered], Counter(status for _, status in answered)


def _calls(port: int, first: int, numbers: range, begun: float) -> list[tuple[float, int]]:
    """Send the calls of one connection, each at its own time; return the milliseconds and the status of each."""
    answered = []
    with socket.create_connection(("127.0.0.1", port)) as one:
        for number in numbers:
            due = begun + number / GOOD_PER_SECOND
            time.sleep(max(0.0, due - time.monotonic()))
            one.sendall(webhook(first + number, SECRET))
            status = _status(one)
            answered.append((1000 * (time.monotonic() - due), status))
    return answered


def _status(one: socket.socket) -> int:
    """Read one whole answer and return its status."""
    heard = b""
    while not (found := WHOLE.match(heard)) or len(heard) < found.end() + int(found[2]):
        if not (part := one.recv(65_536)):
            raise ConnectionError("the web process hung up")
        heard += part
    return int(found[1])


@contextmanager
def web() -> Iterator[tuple[int, str, int]]:
    """Run a web process; yield its port, its database and its process number."""
    with tempfile.TemporaryDirectory(prefix="tandem-bench-") as name:
        folder, port = Path(name), free_port()
        (folder / "tandem.yaml").write_text(SETTINGS, "utf-8")
        url = f"sqlite:///{folder}/tandem.db"
        values = {"PORT": str(port), "DATABASE_URL": url, "TANDEM_CONFIG": str(folder / "tandem.yaml")}
        stack = Stack({**os.environ, **values}, lambda *_: None)
        try:
            stack.environment["REDIS_URL"] = stack.start_broker(folder / "redis")
            stack.run("migrate")
            process = stack.manage("web")
            stack.wait_for("web", lambda: answers(f"http://127.0.0.1:{port}/healthz"))
            yield port, url, process.popen.pid
        finally:
            stack.stop()


def _cpu(pid: int) -> float:
    """Return the seconds of processor time a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run(short: bool) -> Result:
    """Measure each flood in turn, round by round."""
    seconds, phases = SHORT_SECONDS if short else SECONDS, {name: list[Phase]() for name in FLOODS}
    first = 1
    with web() as (port, url, pid), ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        good(port, 10**9, 1.0)
        for _ in range(1 if short else ROUNDS):
            for name, rate in FLOODS.items():
                before = _cpu(pid)
                flooding = pool.submit(flood, port, rate, seconds)
                took, counted = good(port, first, seconds)
                phases[name].append(Phase(took, counted, flooding.result(), seconds, _cpu(pid) - before))
                first += len(took)
        store = open_store(url)
        stored = sum(store.deliveries.counts().values())
        store.engine.dispose()
    return Result("forged", figures(phases, stored - GOOD_PER_SECOND), [f"one web process, {CONNECTIONS} connections"])


def figures(phases: dict[str, list[Phase]], stored: int) -> Sequence[Figure]:
    """Return what a good call waits in each phase, against the quiet one of the same round."""
    quiet, found = phases["no flood"], list[Figure]()
    for name, rounds in phases.items():
        found.append(Figure(f"{name}: good call, p50", _middle([one.percentile(0.5) for one in rounds]), "ms"))
        found.append(Figure(f"{name}: good call, p99", _middle([one.percentile(0.99) for one in rounds]), "ms"))
        if rounds is quiet:
            continue
        refused = _middle([one.forged.total() / one.seconds for one in rounds])
        found.append(Figure(f"{name}: refused", refused, "calls/s"))
        ratio = _middle([one.percentile(0.99) / calm.percentile(0.99) for one, calm in zip(rounds, quiet, strict=True)])
        # More than a process can answer holds up everybody: said, not aimed at.
        aim = MOST_RATIO if FLOODS[name] <= 1000 else None
        found.append(Figure(f"{name}: p99 to quiet", ratio, "times", aim))
    each = _middle([one.cpu / len(one.took) for one in quiet])
    flooded = zip(phases[LARGEST], quiet, strict=True)
    spent = _middle([(one.cpu - calm.cpu) / one.forged.total() for one, calm in flooded])
    every = [one for rounds in phases.values() for one in rounds]
    sent = sum(one.good.total() for one in every)
    return [
        *found,
        Figure("CPU of a good call", 1e6 * each, "us"),
        Figure("CPU of a forged call", 1e6 * spent, "us"),
        Figure("good calls not accepted", sent - sum(one.good[202] for one in every), "calls", 0, counted=True),
        Figure("forged calls not refused", _others(every), "calls", 0, counted=True),
        Figure("rows more or less than good calls", abs(stored - sent), "rows", 0, counted=True),
    ]


def _others(phases: Sequence[Phase]) -> int:
    return sum(one.forged.total() - one.forged[401] for one in phases)


def _middle(values: Sequence[float]) -> float:
    return statistics.median(values)
