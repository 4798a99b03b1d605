"""Bad days on demand: errors, slow answers, lost answers and broken ones."""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode

from flask import Response, g, request

ACTION_KEYS = frozenset(
    [
        "status",
        "apply_then",
        "delay",
        "html",
        "make_public",
        "truncate",
        "hang_up",
        "cut",
        "drip",
        "endless",
        "megabytes",
        "content_type",
    ]
)
ACTIONS = ACTION_KEYS | {"body", "headers", "seconds", "pause"}
HTML_ERROR = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
BAD_FAULT = (
    'a fault is {"match": {"method"?, "path"?}, "do": {...}, "times"?, "share"?, "seed"?}; "share" is from 0 to 1, '
    '"drip" is head or body, "endless" is same or new; "do" knows ' + ", ".join(sorted(ACTIONS))
)
LOST_AFTER = 60.0  # seconds an "apply_then": "timeout" holds the connection before it is cut
DRIP_PAUSE = 1.0  # seconds between two bytes of a "drip", where "pause" says nothing else
DRIP_BYTES = 600  # of a dripping head: nobody has this much patience
# Which query names say where a page begins; an endless list begins anew each time.
PLACES = frozenset({"page", "page[after]", "cursor"})


class Fault:
    """One bad habit for the calls it matches, a number of times."""

    def __init__(self, given: dict[str, Any]) -> None:
        match = given.get("match", {})
        do = given.get("do")
        if not isinstance(match, dict) or not isinstance(do, dict) or set(do) - ACTIONS or not set(do) & ACTION_KEYS:
            raise ValueError(BAD_FAULT)
        self.share = float(given.get("share", 1.0))
        kinds = do.get("drip", "body") in ("head", "body"), do.get("endless", "new") in ("same", "new")
        if not 0 <= self.share <= 1 or not all(kinds):
            raise ValueError(BAD_FAULT)
        self._dice = random.Random(given.get("seed", 0))  # noqa: S311 - the same bad day each time
        self.method = str(match.get("method", "")).upper()
        self.path = re.compile(str(match.get("path", "")))
        self.do = do
        times = given.get("times", 1)
        self.left = -1 if times is None else int(times)
        self.used = 0

    def matches(self, method: str, path: str) -> bool:
        """Say whether this fault is due for a call."""
        here = self.left != 0 and self.method in ("", method) and bool(self.path.search(path))
        return here and (self.share == 1 or self._dice.random() < self.share)

    def as_dict(self) -> dict[str, Any]:
        """Show the fault and how often it struck; `left` -1 means always."""
        match = {"method": self.method, "path": self.path.pattern}
        return {"match": match, "do": self.do, "share": self.share, "left": self.left, "used": self.used}


class Faults:
    """Hold the faults that are set; the first that matches strikes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, given: list[dict[str, Any]]) -> None:
        """Add faults; a wrong one raises ValueError and adds none."""
        fresh = [Fault(one) for one in given]
        with self._lock:
            self._faults.extend(fresh)

    def clear(self) -> None:
        """Return to good behaviour."""
        with self._lock:
            self._faults.clear()

    def as_list(self) -> list[dict[str, Any]]:
        """Show every fault that was set."""
        with self._lock:
            return [fault.as_dict() for fault in self._faults]

    def take(self, method: str, path: str) -> dict[str, Any] | None:
        """Use up one strike of the first matching fault."""
        with self._lock:
            for fault in self._faults:
                if fault.matches(method, path):
                    fault.used += 1
                    if fault.left > 0:
                        fault.left -= 1
                    return fault.do
        return None


def before(do: dict[str, Any]) -> Response | None:
    """Do what happens before the helpdesk acts; an answer here means that it never acted."""
    if "delay" in do:
        time.sleep(float(do["delay"]))
    if do.get("make_public"):
        g.make_public = True
    if "endless" in do:
        _begin_anew()
    if "apply_then" in do:
        return None
    if do.get("hang_up"):
        hang_up()
        return Response("")
    if do.get("html"):
        return Response(HTML_ERROR, status=int(do.get("status", 502)), content_type="text/html")
    if "status" in do:
        body = do.get("body", "")
        kind = "application/json; charset=utf-8" if not isinstance(body, str) else "text/plain; charset=utf-8"
        text = body if isinstance(body, str) else json.dumps(body)
        answer = Response(text, status=int(do["status"]), content_type=kind)
        for name, value in do.get("headers", {}).items():
            answer.headers[name] = str(value)
        return answer
    if "megabytes" in do:
        return _heap(int(do["megabytes"]))
    return None


def after(do: dict[str, Any], answer: Response) -> Response:
    """Do what happens after the helpdesk acted: lose the answer, replace it, cut it short or let it drip."""
    lost = do.get("apply_then")
    if lost in ("timeout", "reset"):
        if lost == "timeout":
            time.sleep(float(do.get("seconds", LOST_AFTER)))
        hang_up()
        return answer
    if lost is not None:
        return Response(HTML_ERROR, status=int(lost), content_type="text/html")
    if do.get("truncate"):
        text = answer.get_data()
        answer.set_data(text[: len(text) // 2])
    if do.get("content_type"):
        answer.content_type = str(do["content_type"])
    if "endless" in do:
        _go_on(answer, new=do["endless"] == "new")
    if do.get("cut"):
        _send_half(answer)
    if "drip" in do:
        _drip(answer, do["drip"], float(do.get("pause", DRIP_PAUSE)))
    return answer


def hang_up() -> None:
    """Cut the connection without an answer."""
    if line := _line():
        # With a linger time of 0 the close sends a reset; shutdown makes the pending write fail quietly.
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with contextlib.suppress(OSError):  # the caller was faster
            line.shutdown(socket.SHUT_RDWR)


def _line() -> socket.socket | None:
    line = request.environ.get("werkzeug.socket")
    return line if isinstance(line, socket.socket) else None


def _heap(megabytes: int) -> Response:
    """Return an answer of many megabytes: the beginning of a JSON list."""
    piece = b"[" + b" " * 65_535
    return Response(itertools.repeat(piece, megabytes * 16), content_type="application/json")


def _send_half(answer: Response) -> None:
    """Send the head and half of the body, then cut the connection."""
    body = answer.get_data()
    head = f"HTTP/1.1 {answer.status}\r\nContent-Type: {answer.content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    if line := _line():
        with contextlib.suppress(OSError):
            line.sendall(head.encode() + body[: len(body) // 2])
            time.sleep(0.05)  # a reset would overtake what was sent
    hang_up()


def _drip(answer: Response, part: str, pause: float) -> None:
    """Send the body one byte at a time; or a head that goes on and on, and then nothing."""
    if part == "body":
        body = answer.get_data()
        answer.response = _slowly(body, pause)
        answer.headers["Content-Length"] = str(len(body))
        return
    if line := _line():
        with contextlib.suppress(OSError):  # the caller had enough
            line.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            for piece in _slowly(b"x" * DRIP_BYTES, pause):
                line.sendall(piece)
    hang_up()


def _slowly(body: bytes, pause: float) -> Iterator[bytes]:
    for place in range(len(body)):
        yield body[place : place + 1]
        time.sleep(pause)


def _begin_anew() -> None:
    """Forget which page was asked for."""
    asked = [(name, value) for name, value in parse_qsl(request.query_string.decode()) if name not in PLACES]
    if request.path.endswith(("/cursor", "/cursor.json")) and "start_time" not in dict(asked):
        asked.append(("start_time", "1"))
    request.query_string = urlencode(asked).encode()


def _go_on(answer: Response, *, new: bool) -> None:
    """Say that another page follows: at a place that is `new` each time, or always the same."""
    place = f"place-{time.monotonic_ns()}" if new else "again"
    link = f"{request.host_url.rstrip('/')}{request.path}?page={place}"
    answer.headers["Link"] = f'<{link}>; rel="next"'
    found = answer.get_json(silent=True)
    if not isinstance(found, dict):
        return
    if isinstance(found.get("meta"), dict):
        found["meta"] |= {"has_more": True, "after_cursor": place}
        found["links"] = {"next": link}
    if "end_of_stream" in found:
        found |= {"end_of_stream": False, "after_cursor": place, "after_url": link}
    if "next_page" in found:
        found["next_page"] = link
    answer.set_data(json.dumps(found))
