"""The client against a real socket: what the network can do to a call, and what the caller is told."""

from __future__ import annotations

import json
import logging
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.utils import formatdate
from pathlib import Path

import pytest

from connectors import http as http_module
from connectors.budget import ACCOUNT, Budget, Need, Seen
from connectors.http import Client, StaticCredential
from connectors.verdict import Call, Problem, Reply, Usage
from triage.errors import (
    DeskLocked,
    FeatureOff,
    Forbidden,
    Gone,
    Refused,
    Retry,
    Stop,
    TandemError,
    UnknownOutcome,
    Wait,
)

SECRET = "Bearer very-secret"
TICKET = "/tickets/{id}"
Talk = Callable[[socket.socket], None]


class PlainDialect:
    """A vendor without words of its own."""

    usage_of_429 = Usage((Need(ACCOUNT, 1),))

    def problem(self, reply: Reply) -> Problem:
        """Say what the body says."""
        body = reply.data if isinstance(reply.data, dict) else {}
        return Problem(str(body.get("error", "")), body.get("fields", {}))

    def usage(self, call: Call, reply: Reply | None) -> Usage:
        """Charge one call."""
        return self.usage_of_429


class SpyBudget(Budget):
    """A budget that notes what it is told."""

    def __init__(self) -> None:
        super().__init__("", "test", 100)
        self.charged: list[float] = []

    def charge(self, spent: object, seen: object = (), closed_for: float = 0.0, now: float | None = None) -> None:  # type: ignore[override]
        """Note for how long the account is closed."""
        self.charged.append(closed_for)

    def charge_soon(self, spent: object, seen: object = ()) -> None:  # type: ignore[override]
        """Note the same of a call that is told of later."""
        self.charged.append(0.0)


class Server:
    """A server that says to each connection what it is told to."""

    def __init__(self, talk: Talk) -> None:
        self.talk = talk
        self.requests: list[bytes] = []
        self.connections = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.connections += 1
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while request := connection.recv(65536):
                self.requests.append(request)
                self.talk(connection)


@contextmanager
def served(talk: Talk | bytes) -> Iterator[Server]:
    """Run a server that sends `talk` after each request."""
    server = Server(talk if callable(talk) else lambda connection: connection.sendall(talk))
    try:
        yield server
    finally:
        server.listener.close()


def answer(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """Return a whole HTTP answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Content-Type: application/json", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def client(root: str, budget: Budget | None = None) -> Client:
    """Return a client of `root`."""
    return Client(root, StaticCredential(SECRET), PlainDialect(), budget or Budget("", "test", 100))


def outcome(server: Server, method: str = "GET", path: str = TICKET) -> TandemError:
    """Return the error one call ends in."""
    with pytest.raises(TandemError) as raised:
        client(server.url).call(Call(method, path, ("22",) if "{" in path else ()))
    return raised.value


def cut_off(connection: socket.socket) -> None:
    """Reset the connection instead of answering."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class TestNetwork:
    def test_a_good_answer_is_decoded(self) -> None:
        with served(answer(b'{"id": 9223372036854775807}')) as server:
            assert client(server.url).get(TICKET, "22") == {"id": 9223372036854775807}
        assert server.requests[0].startswith(b"GET /tickets/22 HTTP/1.1")
        assert SECRET.encode() in server.requests[0]

    def test_connections_are_used_again(self) -> None:
        with served(answer(b"{}")) as server:
            one = client(server.url)
            for _ in range(5):
                one.get("/me")
        assert server.connections == 1

    def test_nothing_listening_is_worth_a_retry_even_for_a_write(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(Retry) as raised:
            client(url).send("POST", "/tickets/{id}/notes", "22", body={"body": "x"})
        assert type(raised.value) is Retry

    @pytest.mark.parametrize(("method", "expected"), [("GET", Retry), ("PUT", UnknownOutcome)])
    @pytest.mark.parametrize(
        "talk",
        [
            cut_off,
            b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
            b"no http at all\r\n\r\n",
            answer(b"<html>busy</html>", "503 Busy"),
        ],
        ids=["reset", "short", "short chunk", "bad gzip", "no http", "503"],
    )
    def test_a_spoilt_answer(self, talk: Talk | bytes, method: str, expected: type[TandemError]) -> None:
        def once(connection: socket.socket) -> None:
            if callable(talk):
                talk(connection)
            else:
                connection.sendall(talk)
                connection.shutdown(socket.SHUT_WR)

        with served(once) as server:
            assert type(outcome(server, method)) is expected

    def test_a_write_that_may_be_repeated_is_simply_retried(self) -> None:
        with served(cut_off) as server, pytest.raises(Retry) as raised:
            client(server.url).send("PUT", "/tickets/{id}/tags", "22", repeatable=True)
        assert type(raised.value) is Retry

    def test_silence_ends(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(http_module, "READ_LIMITS", (0.2, 60.0))
        monkeypatch.setattr(http_module, "WRITE_LIMITS", (0.2, 60.0))
        with served(lambda _: time.sleep(5)) as server:
            started = time.monotonic()
            assert "ReadTimeout" in str(outcome(server))
            assert time.monotonic() - started < 2

    @pytest.mark.parametrize(
        ("head", "piece"),
        [
            (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x"),
            (b"HTTP/1.1 200 OK\r\nX-Long: ", b"x"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
            (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        ],
        ids=["body", "head", "length of a chunk", "continue"],
    )
    def test_a_dripping_answer_ends(self, monkeypatch: pytest.MonkeyPatch, head: bytes, piece: bytes) -> None:
        monkeypatch.setattr(http_module, "READ_LIMITS", (30.0, 0.4))
        monkeypatch.setattr(http_module, "WRITE_LIMITS", (15.0, 0.4))

        def drip(connection: socket.socket) -> None:
            connection.sendall(head)
            for _ in range(100):
                connection.sendall(piece)
                time.sleep(0.05)

        with served(drip) as server:
            started = time.monotonic()
            assert type(outcome(server, "PUT")) is UnknownOutcome
            assert time.monotonic() - started < 2

    def test_time_is_given_to_each_call_anew(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(http_module, "READ_LIMITS", (30.0, 0.6))

        def late(connection: socket.socket) -> None:
            time.sleep(0.35)
            connection.sendall(answer(b"{}"))

        with served(late) as server:
            one = client(server.url)
            for _ in range(3):
                one.get("/me")
        assert server.connections == 1

    def test_an_endless_answer_ends(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(http_module, "MAX_BYTES", 100_000)

        def pour(connection: socket.socket) -> None:
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                connection.sendall(b"x" * 65536)

        with served(pour) as server:
            assert "100000 bytes" in str(outcome(server))

    def test_a_redirect_is_not_followed(self) -> None:
        with served(answer(b'{"stolen": 1}')) as thief:
            moved = answer(b"", "302 Found", f"Location: {thief.url}/tickets/22")
            with served(moved) as server:
                assert "redirect" in str(outcome(server))
            assert thief.requests == []

    def test_cookies_are_not_kept(self) -> None:
        with served(answer(b"{}", "200 OK", "Set-Cookie: session=somebody; Path=/")) as server:
            one = client(server.url)
            one.get("/me")
            one.get("/me")
        assert not [request for request in server.requests if b"cookie:" in request.lower()]

    def test_netrc_does_not_sign_for_us(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "netrc").write_text("machine 127.0.0.1 login eve password eve\n")
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        with served(answer(b"{}")) as server:
            client(server.url).get("/me")
            Client(server.url, StaticCredential(""), PlainDialect(), Budget("", "test", 1)).get("/me")
        assert SECRET.encode() in server.requests[0]
        assert b"authorization" not in server.requests[1].lower()


class TestStatus:
    @pytest.mark.parametrize(
        ("status", "path", "expected"),
        [
            (400, TICKET, Refused),
            (401, TICKET, DeskLocked),
            (403, TICKET, Forbidden),
            (403, "/groups", DeskLocked),
            (404, TICKET, Gone),
            (404, "/groups", Stop),
            (405, TICKET, Stop),
            (408, TICKET, Retry),
            (410, TICKET, Gone),
            (422, TICKET, Refused),
            (429, TICKET, Wait),
            (500, TICKET, Retry),
            (301, TICKET, Retry),
        ],
    )
    def test_table(self, status: int, path: str, expected: type[TandemError]) -> None:
        with served(answer(b"{}", f"{status} Whatever")) as server:
            assert type(outcome(server, path=path)) is expected

    @pytest.mark.parametrize("status", [400, 403, 404, 405, 422])
    def test_an_optional_part_is_switched_off(self, status: int) -> None:
        with served(answer(b"{}", f"{status} No")) as server:
            with pytest.raises(FeatureOff):
                client(server.url).get("/surveys", optional=True)
            assert client(server.url).get_if_possible("/surveys") is None

    def test_an_optional_part_does_not_hide_a_locked_desk(self) -> None:
        with served(answer(b"{}", "401 No")) as server, pytest.raises(DeskLocked):
            client(server.url).get_if_possible("/surveys")

    def test_a_refusal_names_its_fields(self) -> None:
        body = json.dumps({"error": "no", "fields": {"group_id": "unknown"}}).encode()
        with served(answer(body, "422 No")) as server:
            error = outcome(server)
        assert isinstance(error, Refused)
        assert error.fields == {"group_id": "unknown"}
        assert "GET /tickets/{id} answered 422: no" in str(error)

    def test_what_the_vendor_says_is_cut_short(self) -> None:
        body = json.dumps({"error": "x" * 5000}).encode()
        with served(answer(body, "422 No")) as server:
            assert len(str(outcome(server))) < 300

    def test_a_busy_server_says_when_to_come_back(self) -> None:
        with served(answer(b"", "503 Busy", "Retry-After: 90")) as server:
            error = outcome(server)
        assert isinstance(error, Retry)
        assert error.after == 90


class TestPatience:
    @pytest.mark.parametrize(
        ("header", "least", "most"),
        [
            ("Retry-After: 34", 34, 38),
            ("Retry-After: IN_TEN_MINUTES", 560, 640),
            (f"Retry-After: {formatdate(0, usegmt=True)}", 1, 4),
            ("Retry-After: soon", 60, 66),
            ("X-Nothing: 1", 60, 66),
            ("Retry-After: 999999", 3600, 3800),
            ("Retry-After: -5", 1, 4),
        ],
        ids=["seconds", "date", "past date", "words", "missing", "very long", "negative"],
    )
    def test_a_429_waits_as_told(self, header: str, least: float, most: float) -> None:
        budget = SpyBudget()
        # Not in the table: that is made long before this runs.
        header = header.replace("IN_TEN_MINUTES", formatdate(time.time() + 600, usegmt=True))
        with served(answer(b"{}", "429 Slow down", header)) as server, pytest.raises(Wait) as raised:
            client(server.url, budget).get("/me")
        assert least <= raised.value.seconds <= most
        assert [least - 2 <= closed <= most for closed in budget.charged] == [True]

    def test_a_limit_of_one_ticket_does_not_close_the_account(self, monkeypatch: pytest.MonkeyPatch) -> None:
        usage = Usage((Need(ACCOUNT, 1),), (Seen(ACCOUNT, 100, 50),), one_ticket_only=True)
        monkeypatch.setattr(PlainDialect, "usage_of_429", usage)
        budget = SpyBudget()
        with served(answer(b"{}", "429 Slow down", "Retry-After: 500")) as server, pytest.raises(Wait):
            client(server.url, budget).get("/me")
        assert budget.charged == [0.0]


class TestCounting:
    def test_every_call_is_charged(self) -> None:
        budget = SpyBudget()
        with served(cut_off) as server:
            one = client(server.url, budget)
            with pytest.raises(Retry):
                one.get(TICKET, "22")
            server.talk = lambda connection: connection.sendall(answer(b"{}"))
            one.get(TICKET, "23")
        assert len(budget.charged) == 2

    def test_logs_hold_no_secret(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        with served(answer(b"{}", "500 Oops")) as server:
            outcome(server)
        assert "very-secret" not in caplog.text
