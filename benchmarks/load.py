"""Signed webhooks, and a sender that keeps many connections busy from one process."""

from __future__ import annotations

import json
import selectors
import socket
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context

from webhooks.zendesk import INVOCATION, SIGNATURE, TIMESTAMP, sign

CONNECTIONS = 32
BODY_BYTES = 2048
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Shot:
    """What became of many requests: answers by status, seconds of each, and what sending them cost this side."""

    statuses: Counter[int]
    latencies: list[float]
    seconds: float
    cpu: float
    ended_at: float
    """When the last answer was there, in UTC seconds."""

    @property
    def rate(self) -> float:
        """Return the requests answered in a second."""
        return len(self.latencies) / self.seconds

    def percentile(self, share: float) -> float:
        """Return the milliseconds below which that share of the answers came."""
        ordered = sorted(self.latencies)
        return 1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def failures(self) -> int:
        """Return how many answers were no success; a broken connection counts as status 0."""
        return sum(count for status, count in self.statuses.items() if not 200 <= status < 300)


def webhook(desk: str, secret: str, number: int, run: str) -> bytes:
    """Return the HTTP request of a Zendesk event of 2 KB about ticket `number`, signed now."""
    data = {
        "type": "zen:event-type:ticket.created",
        "id": f"{run}-{number}",
        "subject": f"zen:ticket:{number}",
        "time": "2026-01-01T00:00:00Z",
        "detail": {"id": str(number), "subject": "Charged twice", "description": ""},
    }
    missing = BODY_BYTES - len(json.dumps(data))
    data["detail"]["description"] = ("I was charged twice for March. " * 80)[:missing]  # type: ignore[index]
    body = json.dumps(data).encode()
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    headers = {
        "Host": "127.0.0.1",
        "User-Agent": "Zendesk Webhook",
        "Content-Type": "application/json",
        "Content-Length": len(body),
        "X-Zendesk-Account-Id": "123456",
        "X-Zendesk-Webhook-Id": "01GPZ7JY7F9P4CJD4XEZBYGQXS",
        INVOCATION: f"{run}-{number}",
        TIMESTAMP: stamp,
        SIGNATURE: sign(secret, stamp, body),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST /webhooks/zendesk/{desk} HTTP/1.1\r\n{head}\r\n".encode() + body


@contextmanager
def sender() -> Iterator[Sender]:
    """Yield a sender in a process of its own, so that nothing else here holds it up."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield Sender(pool)


class Sender:
    """Sends from another process."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool

    def fire(self, port: int, requests: Sequence[bytes], connections: int = CONNECTIONS) -> Shot:
        """Send all requests, each connection the next one as soon as it has its answer."""
        return self._pool.submit(_fire, port, requests, connections).result()


class _Connection:
    """One connection that is kept open, with the request it waits for."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.socket = self._open()
        self.begun = 0.0
        self.got = b""

    def _open(self) -> socket.socket:
        opened = socket.create_connection(("127.0.0.1", self.port), PATIENCE_SECONDS)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return opened

    def send(self, request: bytes) -> None:
        """Send a request; the server reads it whole, so this does not wait long."""
        self.got, self.begun = b"", time.perf_counter()
        self.socket.sendall(request)

    def status(self) -> int | None:
        """Read what is there and return the status of a whole answer, 0 where the connection broke."""
        try:
            some = self.socket.recv(65536)
        except OSError:
            return 0
        if not some:
            return 0
        self.got += some
        head, end, body = self.got.partition(b"\r\n\r\n")
        if not end:
            return None
        length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]
        return int(head[9:12]) if len(body) >= int(length or 0) else None


def _fire(port: int, requests: Sequence[bytes], connections: int) -> Shot:
    """Send `requests` from this process."""
    waiting = iter(requests)
    statuses: Counter[int] = Counter()
    latencies: list[float] = []
    with selectors.DefaultSelector() as ready:
        begin, used = time.perf_counter(), time.process_time()
        for request in (next(waiting, None) for _ in range(connections)):
            if request is not None:
                connection = _Connection(port)
                ready.register(connection.socket, selectors.EVENT_READ, connection)
                connection.send(request)
        while ready.get_map():
            events = ready.select(PATIENCE_SECONDS)
            if not events:
                raise TimeoutError(f"no answer for {PATIENCE_SECONDS:.0f} s")
            for key, _ in events:
                connection = key.data
                status = connection.status()
                if status is None:
                    continue
                statuses[status] += 1
                latencies.append(time.perf_counter() - connection.begun)
                following = next(waiting, None)
                if following is None or status == 0:
                    ready.unregister(connection.socket)
                    connection.socket.close()
                if following is not None:
                    if status == 0:
                        connection = _Connection(port)
                        ready.register(connection.socket, selectors.EVENT_READ, connection)
                    connection.send(following)
        ended_at = time.time()
        seconds, used = time.perf_counter() - begin, time.process_time() - used
    return Shot(statuses, latencies, seconds, used, ended_at)
