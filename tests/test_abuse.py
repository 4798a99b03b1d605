"""What an HTTP client may do to the real web process: it refuses, stays small, and goes on taking good webhooks."""

from __future__ import annotations

import gzip
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from commands.web import CONNECTIONS, HEADER_BYTES, OTHER_FILES, connections
from tests.desks import FRESHDESK_SECRET
from tests.web_process import FRESHDESK, STATUS, ZENDESK, Web, event, request, running_web, signed

pytestmark = pytest.mark.e2e
MIB = 1024 * 1024
SILENT = 1200
# What one body may cost at its worst, read twice and decoded; a bomb would cost hundreds.
MOST_MEMORY = 60 * MIB
CHUNKED = {"Transfer-Encoding": "chunked"}


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    with running_web(tmp_path_factory.mktemp("web")) as running:
        yield running


@pytest.fixture
def stays_well(web: Web) -> Iterator[None]:
    """Hold the process to its memory and to a good webhook afterwards."""
    assert web.is_well()
    web.reset_peak()
    before = web.resident()
    yield
    assert web.is_well()
    assert web.peak() - before < MOST_MEMORY
    assert not [line for line in web.lines if "Traceback" in line]


def head(headers: dict[str, str], *more: str, to: str = ZENDESK) -> bytes:
    """Return the head of a request, word for word."""
    lines = [f"POST {to} HTTP/1.1", "Host: tandem", *(f"{name}: {value}" for name, value in headers.items()), *more]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def chunks(body: bytes, size: int = 65_536) -> bytes:
    """Return `body` as a chunked one."""
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


@pytest.mark.usefixtures("stays_well")
class TestBodies:
    @pytest.mark.parametrize("size", [MIB + 1, 10 * MIB])
    def test_one_too_large_is_refused(self, web: Web, size: int) -> None:
        body = b"x" * size
        assert web.statuses(request(body, signed(body))) == [413]

    def test_a_large_one_in_chunks_is_cut_off(self, web: Web) -> None:
        body = b"x" * (10 * MIB)
        assert web.statuses(head(signed(body) | CHUNKED), chunks(body)) == [413]

    @pytest.mark.parametrize(
        "rest", [b"2;" + b"a" * 3 * MIB, b"0\r\n" + b"a: b\r\n" * MIB], ids=["extension", "trailer"]
    )
    def test_what_belongs_to_chunks_is_counted_too(self, web: Web, rest: bytes) -> None:
        assert web.statuses(head(CHUNKED), rest) == [413]

    @pytest.mark.parametrize(
        ("body", "headers", "status"),
        [
            (b"[" * 1_000_000, {}, 400),
            (b'{"a":' * 100_000 + b"}" * 100_000, {}, 400),
            (gzip.compress(b"0" * 300 * MIB), {"Content-Encoding": "gzip"}, 400),
            (gzip.compress(event()), {"Content-Encoding": "gzip"}, 400),
            (b'{"ticket_id":NaN}', {}, 400),
            (b'{"ticket_id":1e999}', {}, 400),
            (b'{"ticket_id":' + b"9" * 900_000 + b"}", {}, 400),
            (b'{"ticket_id":"5","ticket_id":"\xff"}', {}, 400),
            (b'{"ticket_id":"6","ticket_id":"7"}', {"Content-Type": "text/plain; charset=utf-16"}, 202),
            (b"--B\r\n" * 200_000, {"Content-Type": "multipart/form-data; boundary=B"}, 400),
            (b"a=&" * 300_000, {"Content-Type": "application/x-www-form-urlencoded"}, 400),
        ],
        ids=["deep", "deep objects", "gzip bomb", "gzip", "nan", "infinite", "long", "utf-8", "twice", "parts", "form"],
    )
    def test_an_odd_one_is_answered_at_once(self, web: Web, body: bytes, headers: dict[str, str], status: int) -> None:
        start = time.monotonic()
        assert web.statuses(request(body, signed(body) | headers)) == [status]
        assert time.monotonic() - start < 5

    @pytest.mark.parametrize(("to", "status"), [("/console/login", 400), ("/feedback/not-a-link", 404)])
    @pytest.mark.parametrize(
        ("body", "kind"),
        [
            (
                b'--B\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n' * 18_000,
                "multipart/form-data; boundary=B",
            ),
            (b"a=&" * 300_000, "application/x-www-form-urlencoded"),
        ],
        ids=["parts", "fields"],
    )
    def test_forms_of_strangers_are_bounded(self, web: Web, to: str, status: int, body: bytes, kind: str) -> None:
        assert web.statuses(request(body, {"Content-Type": kind}, to=to)) == [status]


@pytest.mark.usefixtures("stays_well")
class TestHeaders:
    @pytest.mark.parametrize(
        "flood",
        [
            request(b"{}", {"X-Long": "a" * 100_000}),
            request(b"{}", {f"X-{number}": "a" for number in range(10_000)}),
            request(to="/" + "a" * 100_000),
            request(to=f"{FRESHDESK}?token=" + "a" * 100_000),
            # Without an end.
            b"POST / HTTP/1.1\r\nX-Long: " + b"a" * 2 * HEADER_BYTES,
        ],
        ids=["long", "many", "path", "query", "endless"],
    )
    def test_a_flood_is_cut_off(self, web: Web, flood: bytes) -> None:
        assert web.statuses(flood) == [431]

    def test_many_that_fit_are_a_forged_call_like_any_other(self, web: Web) -> None:
        assert web.statuses(request(b"{}", {f"X-{number}": "a" for number in range(3000)})) == [401]

    def test_a_signature_or_secret_sent_twice_is_refused(self, web: Web) -> None:
        body = event()
        headers = signed(body) | {"Content-Length": str(len(body)), "Connection": "close"}
        for name in signed(body):
            assert web.statuses(head(headers, f"{name}: {headers[name]}"), body) == [401]
        secret = f"X-Webhook-Secret: {FRESHDESK_SECRET}"
        ending = ("Content-Length: 2", "Connection: close")
        assert web.statuses(head({}, secret, secret, *ending, to=FRESHDESK), b"{}") == [401]
        # What another program in front may take for the same header.
        assert web.statuses(head({}, secret.replace("-", "_"), *ending, to=FRESHDESK), b"{}") == [401]
        assert web.statuses(head({}, secret, *ending, to=FRESHDESK), b"{}") == [400]

    @pytest.mark.parametrize("line", ["X-A: \0", "X-A : b", "X-A: b\nX-B: c", "no colon", ": b"])
    def test_a_malformed_one_is_refused(self, web: Web, line: str) -> None:
        body = event()
        stored = web.rows()
        assert web.statuses(head(signed(body), line, f"Content-Length: {len(body)}"), body) == [400]
        assert web.rows() == stored

    def test_the_host_sent_decides_nothing(self, web: Web) -> None:
        for to in ("/", "/console/", "//evil.example/console/"):
            heard = web.say(request(to=to, method="GET", headers={"Host": "evil.example"}))
            assert b"evil.example" not in heard, heard

    @pytest.mark.parametrize(
        "to", ["/console/static/../../app.py", "/console/static/%2e%2e/%2e%2e/app.py", "/console/static/%2fetc/passwd"]
    )
    def test_no_other_file_is_served(self, web: Web, to: str) -> None:
        heard = web.say(request(to=to, method="GET"))
        assert STATUS.findall(heard) in ([b"404"], [b"303"])
        assert b"root:" not in heard and b"import" not in heard


@pytest.mark.usefixtures("stays_well")
class TestFraming:
    """A call hidden in the body of another is no call, wherever a program in front may see the first one end."""

    def smuggled(self) -> bytes:
        body = event()
        return request(body, signed(body))

    @pytest.mark.parametrize("first", ["length", "chunks"])
    def test_two_lengths_are_one_too_many(self, web: Web, first: str) -> None:
        hidden = self.smuggled()
        body = b"0\r\n\r\n" + hidden if first == "length" else chunks(hidden)
        length = len(body) if first == "length" else 4
        stored = web.rows()
        assert web.statuses(head({}, f"Content-Length: {length}", "Transfer-Encoding: chunked"), body) == [400]
        assert web.rows() == stored

    @pytest.mark.parametrize(
        "length", ["5\r\nContent-Length: 6", "+5", "-5", "0x5", "5 5", "1_0", "", "5;5", "\xb2"], ids=ascii
    )
    def test_a_length_that_is_no_number_is_refused(self, web: Web, length: str) -> None:
        stored = web.rows()
        assert web.statuses(head({}, f"Content-Length: {length}"), self.smuggled()) == [400]
        assert web.rows() == stored

    @pytest.mark.parametrize(
        "coding", ["xchunked", "chunked, identity", "gzip, chunked", "chunked\r\nTransfer-Encoding: x"]
    )
    def test_a_coding_we_do_not_know_is_refused(self, web: Web, coding: str) -> None:
        stored = web.rows()
        assert web.statuses(head({}, f"Transfer-Encoding: {coding}"), b"0\r\n\r\n", self.smuggled()) == [501]
        assert web.rows() == stored

    def test_broken_chunks_are_refused(self, web: Web) -> None:
        stored = web.rows()
        assert web.statuses(head(CHUNKED), b"zz\r\nabc\r\n0\r\n\r\n", self.smuggled()) == [400]
        assert web.rows() == stored

    def test_two_calls_at_once_are_answered_one_after_the_other(self, web: Web) -> None:
        body = event()
        first = head(signed(body), f"Content-Length: {len(body)}")
        stored = web.rows()
        # The second one is the same: nobody has overtaken.
        assert web.statuses(first + body + request(body, signed(body))) == [202, 200]
        assert web.rows() == stored + 1


class TestConnections:
    @contextmanager
    def silent(self, web: Web, count: int) -> Iterator[None]:
        """Hold connections that begin to say something and do not go on."""
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(2 * count, hard), hard))
        held: list[socket.socket] = []
        try:
            for number in range(count):
                held.append(web.connect())
                held[-1].sendall(b"POST / HTTP/1.1\r\nX: " if number % 2 else head({}, "Content-Length: 9") + b"{")
            yield
        finally:
            for one in held:
                one.close()
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    def test_more_than_a_thousand_silent_ones_hold_up_nobody(self, web: Web) -> None:
        """Above file number 1023 select() would end the process."""
        before = web.resident()
        with self.silent(web, SILENT):
            for _ in range(3):
                start = time.monotonic()
                assert web.is_well()
                assert time.monotonic() - start < 5, "a silent connection is held for 20 s"
            assert web.resident() - before < MOST_MEMORY
        assert web.is_well()

    @pytest.mark.parametrize(
        ("files", "wanted", "held"),
        [
            ((100_000, 200_000), None, CONNECTIONS),
            ((1024, 200_000), (CONNECTIONS + OTHER_FILES, 200_000), CONNECTIONS),
            ((1024, -1), (CONNECTIONS + OTHER_FILES, -1), CONNECTIONS),
            ((1024, 1024), (1024, 1024), 1024 - OTHER_FILES),
            ((64, 64), (64, 64), 1),
            ((-1, -1), None, CONNECTIONS),
        ],
    )
    def test_there_are_never_more_than_the_system_has_files_for(
        self, monkeypatch: pytest.MonkeyPatch, files: tuple[int, int], wanted: tuple[int, int] | None, held: int
    ) -> None:
        asked: list[tuple[int, int]] = []
        monkeypatch.setattr(resource, "getrlimit", lambda _: files)
        monkeypatch.setattr(resource, "setrlimit", lambda _, limits: asked.append(limits))
        assert connections() == held
        assert asked == ([wanted] if wanted else [])
