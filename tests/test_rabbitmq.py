"""RabbitMQ as the broker by URL alone (`make test-rabbitmq`; needs Debian's rabbitmq-server)."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands.sandboxed import start_sandbox, start_tandem
from commands.stack import free_port
from tests.running import VENDORS, Tandem

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
pytestmark = [
    pytest.mark.rabbitmq,
    pytest.mark.skipif(not SERVER.exists(), reason="rabbitmq-server is not installed"),
]


@pytest.fixture
def rabbitmq_url() -> Iterator[str]:
    """Return the URL of a RabbitMQ server of our own."""
    folder = Path(tempfile.mkdtemp(prefix="tandem-rabbit-"))
    port, distribution, epmd = free_port(), free_port(), free_port()
    values = os.environ | {
        "HOME": str(folder),
        "RABBITMQ_NODENAME": f"tandem{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(distribution),
        "ERL_EPMD_PORT": str(epmd),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_MNESIA_BASE": str(folder / "db"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_CONFIG_FILE": str(folder / "none"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
    }
    log = folder / "out"
    with log.open("w") as out:
        server = subprocess.Popen([str(SERVER)], env=values, stdout=out, stderr=out, start_new_session=True)
    try:
        end = time.monotonic() + 90
        while "Server startup complete" not in log.read_text():
            assert server.poll() is None and time.monotonic() < end, log.read_text()[-2000:]
            time.sleep(0.3)
        yield f"amqp://guest:guest@127.0.0.1:{port}//"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(60)
        subprocess.run(["epmd", "-port", str(epmd), "-kill"], env=values, capture_output=True, check=False)
        shutil.rmtree(folder, ignore_errors=True)


def test_tickets_get_their_note_over_rabbitmq(tmp_path: Path, rabbitmq_url: str) -> None:
    tandem = Tandem(tmp_path)
    try:
        tandem.stack.environment["REDIS_URL"] = tandem.stack.start_broker(tmp_path / "redis")
        tandem.stack.environment["BROKER_URL"] = rabbitmq_url
        start_sandbox(tandem.stack, int(tandem.sandbox.rsplit(":", 1)[1]), tandem.url, 0)
        start_tandem(tandem.stack, tandem.port, tmp_path)
        sent = [(vendor, tandem.ticket(vendor)) for vendor in VENDORS for _ in range(5)]
        tandem.wait("notes", lambda: all(tandem.has_tags(*one) for one in sent) and tandem.settled(), 60)
        assert [tandem.notes(*one) for one in sent] == [1] * 10
        # Without a sweep having helped: the broker itself carried every wake-up.
        assert {delivery.wakeups for delivery in tandem.store.deliveries.recent(50)} == {0}
        tandem.end("worker")
        lost = [(vendor, tandem.ticket(vendor)) for vendor in VENDORS]
        tandem.stack.manage("worker")
        tandem.wait("notes after a killed worker", lambda: all(tandem.has_tags(*one) for one in lost), 60)
        assert [tandem.notes(*one) for one in lost] == [1, 1]
    finally:
        tandem.stop()
