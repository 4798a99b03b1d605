"""Webhooks as the helpdesks send them, signed, and what each was answered."""

from __future__ import annotations

import http.client
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import text

from sandbox.sender import sign_zendesk, ulid
from tests.chaos.house import House, One
from triage.store.engine import reader_of

DESKS = {"zendesk": "acme", "freshdesk": "globex"}
# Zendesk hangs up after 12 s, Freshdesk a little later.
PATIENCE_SECONDS = 12.0
# What stands for the 30 s of our Retry-After, and for the minutes both wait after a call without an answer.
REPEAT_SECONDS = 1.0
SENDERS = 8


@dataclass(frozen=True)
class Answer:
    """What one call was answered; status 0 for none."""

    one: One
    status: int
    seconds: float
    said: str = ""
    delivery: int = 0
    retry_after: str = ""


@dataclass
class Sender:
    """Sends webhooks about tickets of a house, as both helpdesks would, and keeps every answer."""

    house: House
    ahead: float = 0.0
    """Seconds by which the helpdesks' clocks differ from ours."""
    answers: list[Answer] = field(default_factory=list)
    ready: set[str] = field(default_factory=set)
    """What /readyz said while a fault lasted."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _local: threading.local = field(default_factory=threading.local)

    def send(self, one: One, event: str = "", id_: str = "") -> Answer:
        """Send one webhook once: about a new ticket, or `event` as Zendesk calls it; `id_` is the event's own."""
        body, headers = _freshdesk(one, event) if one[0] == "freshdesk" else _zendesk(one, event, id_)
        return self.post(one, body, headers | self.proof(one[0], body))

    def proof(self, vendor: str, body: bytes) -> dict[str, str]:
        """Return the headers by which a vendor proves itself."""
        values = self.house.stack.environment
        if vendor == "freshdesk":
            return {"X-Webhook-Secret": values["SANDBOX_FRESHDESK_WEBHOOK_SECRET"]}
        stamp = datetime.fromtimestamp(time.time() + self.ahead, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        signature = sign_zendesk(values["SANDBOX_ZENDESK_WEBHOOK_SECRET"], stamp, body)
        return {"X-Zendesk-Webhook-Signature": signature, "X-Zendesk-Webhook-Signature-Timestamp": stamp}

    def post(self, one: One, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send these bytes about a ticket."""
        start = time.monotonic()
        try:
            connection = self._connection()
            path = f"/webhooks/{one[0]}/{DESKS[one[0]]}"
            connection.request("POST", path, body, {"Content-Type": "application/json", **headers})
            response = connection.getresponse()
            said = response.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            self._local.connection.close()
            answer = Answer(one, 0, time.monotonic() - start, type(error).__name__)
        else:
            values = json.loads(said)
            named = int(values.get("delivery", 0))
            again = response.getheader("Retry-After") or ""
            answer = Answer(one, response.status, time.monotonic() - start, said.strip(), named, again)
        with self._lock:
            self.answers.append(answer)
        return answer

    def insist(self, one: One, seconds: float = 120.0) -> None:
        """Send about a new ticket until it is taken, as a helpdesk does on 503 with Retry-After and on silence."""
        end, id_ = time.monotonic() + seconds, ulid()
        while (answer := self.send(one, id_=id_)).status in (0, 503) and time.monotonic() < end:
            assert answer.status == 0 or answer.retry_after, "a helpdesk repeats a 503 only where it names a time"
            time.sleep(REPEAT_SECONDS)
        assert answer.status in (200, 202), answer

    def insist_on(self, ones: Iterable[One], *, at_once: int = SENDERS, pause: float = 0.0) -> None:
        """Send about many tickets, `pause` seconds between two of one sender."""

        def one_after_the_other(one: One) -> None:
            self.insist(one)
            time.sleep(pause)

        with ThreadPoolExecutor(at_once) as pool:
            list(pool.map(one_after_the_other, ones))

    def while_it_lasts(
        self, ones: Sequence[One], fault: Callable[[], None], seconds: float, within: float = 90
    ) -> float:
        """Have a fault of so many seconds happen while webhooks about `ones` come.

        Returns how long after its end a ticket was done that came after it.
        """
        before, (last, *first) = self.house.received(), ones
        at_once = min(SENDERS, len(first) // 3)
        with ThreadPoolExecutor(1) as pool:
            # So that they go on coming until the fault is over.
            pause = 1.2 * seconds * at_once / len(first)
            sending = pool.submit(self.insist_on, first, at_once=at_once, pause=pause)
            self.house.wait("first webhooks", lambda: self.house.received() > before)
            with self.watching():
                fault()
            self.insist(last)
            recovered = self.house.goes_on("a run after it", within)
            sending.result()
        return recovered

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Ask /readyz every second how it says things are, until the block ends."""
        over = threading.Event()

        def watch() -> None:
            while not over.wait(1):
                try:
                    with urllib.request.urlopen(f"{self.house.url}/readyz", timeout=PATIENCE_SECONDS) as page:
                        self.ready.add(json.load(page)["status"])
                except urllib.error.HTTPError as refused:
                    self.ready.add(json.load(refused)["status"])

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()

    def slowest(self) -> float:
        """Return the seconds of the answer that took longest."""
        return max((answer.seconds for answer in self.answers), default=0.0)

    def broken_promises(self) -> list[Answer]:
        """Return the calls that were accepted and of which the inbox has no row of this ticket."""
        with reader_of(self.house.store.engine).connect() as connection:
            rows = connection.execute(text("SELECT id, ticket_id FROM deliveries"))
            held = {row.id: row.ticket_id for row in rows}
        accepted = [answer for answer in self.answers if answer.status == 202]
        return [answer for answer in accepted if held.get(answer.delivery) != answer.one[1]]

    def _connection(self) -> http.client.HTTPConnection:
        if not hasattr(self._local, "connection"):
            self._local.connection = http.client.HTTPConnection("127.0.0.1", self.house.port, timeout=PATIENCE_SECONDS)
        kept: http.client.HTTPConnection = self._local.connection
        return kept


def _zendesk(one: One, event: str, id_: str) -> tuple[bytes, dict[str, str]]:
    id_ = id_ or ulid()
    body = {
        "type": f"zen:event-type:ticket.{event or 'created'}",
        "account_id": 22129848,
        "id": id_,
        "subject": f"zen:ticket:{one[1]}",
        "detail": {"id": one[1], "actor_id": "8447388090494"},
        "event": {},
    }
    return json.dumps(body).encode(), {"X-Zendesk-Webhook-Invocation-Id": id_}


def _freshdesk(one: One, event: str) -> tuple[bytes, dict[str, str]]:
    return json.dumps({"event": event or "ticket_created", "ticket_id": one[1]}).encode(), {}
