"""Messages: sent to a real listener on this machine; a bad, dead or slow channel says so and shows no secret."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pydantic import SecretStr

from triage.errors import Refused, Retry, SettingsError, UnknownOutcome
from triage.settings import Settings
from workers.notify import check, check_channels, send


class Listener(ThreadingHTTPServer):
    """Keeps what it is sent; `status` and `delay` are what it does to it."""

    daemon_threads = True
    status = 200
    delay = 0.0

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.taken: list[dict[str, str]] = []

    def address(self) -> SecretStr:
        return SecretStr(f"json://127.0.0.1:{self.server_port}/secret-path")


class Handler(BaseHTTPRequestHandler):
    server: Listener

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(self.server.delay)
        self.server.taken.append(json.loads(body))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def listener() -> Iterator[Listener]:
    server = Listener()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_message_arrives_as_written(listener: Listener) -> None:
    send(
        {"ops": listener.address()}, "ops", "SLA at risk: <ticket> 7", "9 min left & more\nhttps://a.example/7?x=1&y=2"
    )
    [message] = listener.taken
    assert message["title"] == "SLA at risk: <ticket> 7"
    assert message["message"] == "9 min left & more\nhttps://a.example/7?x=1&y=2"


def test_a_channel_that_says_no_is_tried_again_later(listener: Listener, caplog: pytest.LogCaptureFixture) -> None:
    listener.status = 500
    with pytest.raises(Retry, match="channel 'ops' did not take the message"):
        send({"ops": listener.address()}, "ops", "t", "b")
    assert "secret-path" not in caplog.text


def test_nobody_there(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(Retry, match="did not take") as raised:
        send({"ops": SecretStr("json://127.0.0.1:9/secret-path")}, "ops", "t", "b")
    assert "secret-path" not in caplog.text + str(raised.value)


def test_a_slow_channel_is_left_alone_after_the_limit(listener: Listener) -> None:
    listener.delay = 3
    start = time.monotonic()
    with pytest.raises(UnknownOutcome, match="did not answer in 0 s; the message may have arrived"):
        send({"ops": listener.address()}, "ops", "t", "b", limit=0.3)
    assert time.monotonic() - start < 2


def test_a_channel_that_takes_its_time_gets_one_message(listener: Listener) -> None:
    listener.delay = 4.5  # longer than Apprise itself would wait
    send({"ops": listener.address()}, "ops", "t", "b")
    assert len(listener.taken) == 1


def test_addresses_nobody_knows_are_refused_without_being_shown() -> None:
    with pytest.raises(Refused, match="none that Apprise knows") as raised:
        send({"ops": SecretStr("nonsense://secret-path")}, "ops", "t", "b")
    assert "secret-path" not in str(raised.value)
    with pytest.raises(Refused):
        check({"ops": SecretStr("nonsense://secret-path")}, "ops")
    with pytest.raises(Refused, match="no longer in the settings"):
        send({}, "ops", "t", "b")


def test_a_worker_does_not_start_with_a_channel_that_cannot_work() -> None:
    channels = {"ops": "json://127.0.0.1:9/x", "boss": "nonsense://secret-path"}
    settings = Settings.model_validate({"sla": {"channels": channels}})
    with pytest.raises(SettingsError, match=r"tandem\.yaml: sla\.channels\.boss: the address .* none that") as raised:
        check_channels(settings, "tandem.yaml")
    assert "secret-path" not in str(raised.value)
    check_channels(Settings.model_validate({"sla": {"channels": {"ops": channels["ops"]}}}), "tandem.yaml")
