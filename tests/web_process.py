"""A real web process of two desks, its memory, and a socket to say to it what no HTTP library would."""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from commands.stack import Stack, answers, free_port
from tests.desks import SETTINGS, VARIABLES, ZENDESK_SECRET
from triage.store import Store, open_store
from webhooks.zendesk import sign

ZENDESK, FRESHDESK = "/webhooks/zendesk/acme", "/webhooks/freshdesk/globex"
STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
SECONDS = 15.0


@dataclass
class Web:
    """One running web process."""

    port: int
    pid: int
    store: Store
    lines: list[str] = field(default_factory=list)

    def connect(self) -> socket.socket:
        """Open a connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS)

    def say(self, *pieces: bytes, wait: float = 0.0) -> bytes:
        """Send `pieces`, with `wait` seconds between, and return all that comes back until the server hangs up."""
        heard = b""
        with self.connect() as one:
            try:
                for piece in pieces:
                    one.sendall(piece)
                    time.sleep(wait)
                one.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # It has heard enough; what it says about that is still to be read.
            try:
                while part := one.recv(65_536):
                    heard += part
            except OSError:
                pass
        return heard

    def statuses(self, *pieces: bytes, wait: float = 0.0) -> list[int]:
        """Return the status of each answer to `pieces`."""
        return [int(one) for one in STATUS.findall(self.say(*pieces, wait=wait))]

    def resident(self) -> int:
        """Return the bytes of memory in use."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text("ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def peak(self) -> int:
        """Return the most bytes of memory that were in use since `reset_peak`."""
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text("ascii"))
        assert found
        return int(found[1]) * 1024

    def reset_peak(self) -> None:
        """Begin to measure the peak anew."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5", "ascii")

    def rows(self) -> int:
        """Return how many deliveries are stored."""
        return sum(self.store.deliveries.counts().values())

    def is_well(self) -> bool:
        """Say whether a good webhook is taken."""
        body = event()
        return self.statuses(request(body, signed(body))) == [202]


def event() -> bytes:
    """Return an event that was never sent before."""
    return b'{"type":"zen:event-type:ticket.created","id":"%d","detail":{"id":"5158"}}' % time.monotonic_ns()


def signed(body: bytes) -> dict[str, str]:
    """Return the headers of a good signature."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    signature = sign(ZENDESK_SECRET, stamp, body)
    return {"X-Zendesk-Webhook-Signature": signature, "X-Zendesk-Webhook-Signature-Timestamp": stamp}


def request(
    body: bytes = b"", headers: dict[str, str] | None = None, *, to: str = ZENDESK, method: str = "POST"
) -> bytes:
    """Return one whole request, to be answered and hung up on."""
    lines = {"Host": "tandem", "Connection": "close", "Content-Length": str(len(body))} | (headers or {})
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {to} HTTP/1.1\r\n{head}\r\n".encode() + body


@contextmanager
def running_web(folder: Path) -> Iterator[Web]:
    """Run a web process with its own database and broker."""
    (folder / "tandem.yaml").write_text(SETTINGS, "utf-8")
    port, lines = free_port(), list[str]()
    values = dict(os.environ) | VARIABLES | {"PORT": str(port), "TANDEM_CONFIG": str(folder / "tandem.yaml")}
    values |= {"DATABASE_URL": f"sqlite:///{folder}/tandem.db", "SECRET_KEY": "s" * 40, "CONSOLE_PASSWORD": "p" * 20}
    stack = Stack(values, lambda name, line: lines.append(f"{name}: {line}"))
    try:
        stack.environment["REDIS_URL"] = stack.start_broker(folder / "redis")
        stack.run("migrate")
        web = stack.manage("web")
        stack.wait_for("web", lambda: answers(f"http://127.0.0.1:{port}/healthz"))
        store = open_store(values["DATABASE_URL"])
        yield Web(port, web.popen.pid, store, lines)
        store.engine.dispose()
    finally:
        stack.stop()
