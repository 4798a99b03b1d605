"""Ten thousand webhooks at once, then a worker that has them all to do: none lost, none done twice.

The helpdesk answers at once that it has no such ticket: what is left is the inbox, the queue and the runs. No beat
runs, so the sweep puts nothing right that a lost message has left behind.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from re import fullmatch

from sqlalchemy import func, select

from benchmarks.ingest import wait_until_told
from benchmarks.load import Sender, sender, webhook
from benchmarks.result import Figure, Result
from benchmarks.servers import NO_POSTGRESQL, SECRET, databases, stack, start_web, wait_for
from triage.store import open_store
from triage.store.deliveries import DONE
from triage.store.migrate import migrate
from triage.store.tables import runs

WEBHOOKS, SHORT_WEBHOOKS = 10_000, 300
CONNECTIONS = 200
# So that the budget holds nobody up.
LIMITS = {
    "x-rate-limit": "10000000",
    "x-rate-limit-remaining": "10000000",
    "zendesk-ratelimit-tickets-update": "total=10000000; remaining=10000000; resets=60",
}
PATIENCE_SECONDS = 600.0


class Helpdesk(ThreadingHTTPServer):
    """A Zendesk without tickets, which remembers how often it was asked for each."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.asked: Counter[str] = Counter()
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        """Return its address."""
        return f"http://127.0.0.1:{self.server_port}"


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Helpdesk

    def do_GET(self) -> None:
        """Count a look at a ticket, and answer that there is none."""
        if ticket := fullmatch(r"/api/v2/tickets/(\d+)(?:\.json)?(?:\?.*)?", self.path):
            with self.server.lock:
                self.server.asked[ticket[1]] += 1
        body = json.dumps({"error": "RecordNotFound", "description": "Not found"}).encode()
        self.send_response(404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in LIMITS.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def _helpdesk() -> Iterator[Helpdesk]:
    with Helpdesk() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield server
        server.shutdown()


def run(short: bool) -> Result:
    """Measure on each database that can be had here."""
    count = SHORT_WEBHOOKS if short else WEBHOOKS
    figures: list[Figure] = []
    with databases("burst") as found, sender() as sending:
        for name, (url,) in found.items():
            figures += _measured(name, url, sending, count)
    notes = [f"{count:,} webhooks over {CONNECTIONS} connections; the worker starts when all are queued"]
    return Result("burst", figures, notes if "PostgreSQL" in found else [*notes, NO_POSTGRESQL])


def _measured(name: str, url: str, sending: Sender, count: int) -> list[Figure]:
    store = open_store(url)
    migrate(store.engine)
    with _helpdesk() as helpdesk, stack(helpdesk=helpdesk.url) as running:
        running.environment["DATABASE_URL"] = url
        web = start_web(running, url)
        wait_for(running, web)
        shot = sending.fire(
            web.port, [webhook("a", SECRET, 1 + number, "burst") for number in range(count)], CONNECTIONS
        )
        stored = sum(store.deliveries.counts().values())
        wait_until_told(store)
        begin = time.monotonic()
        running.manage("worker")
        running.wait_for("every run", lambda: store.deliveries.counts(DONE).get(DONE, 0) >= stored, PATIENCE_SECONDS)
        seconds = time.monotonic() - begin
    with store.engine.connect() as connection:
        done = connection.execute(select(func.count()).select_from(runs)).scalar_one()
    store.engine.dispose()
    return [
        Figure(f"{name}: taken", shot.rate, "req/s"),
        Figure(f"{name}: the last answer's wait", 1000 * max(shot.latencies), "ms"),
        Figure(f"{name}: worker started and all done", seconds, "s"),
        Figure(f"{name}: answers that are not 2xx", shot.failures(), "", 0, counted=True),
        Figure(f"{name}: rows", stored, "", count, at_least=True, counted=True),
        Figure(f"{name}: runs", done, "", count, at_least=True, counted=True),
        Figure(f"{name}: tickets read", len(helpdesk.asked), "", count, at_least=True, counted=True),
        Figure(f"{name}: tickets read twice", sum(n > 1 for n in helpdesk.asked.values()), "", 0, counted=True),
    ]
