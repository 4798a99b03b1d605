"""Bad days on demand: errors, slow answers, lost answers and broken ones."""

from __future__ import annotations

import json
import re
import socket
import struct
import threading
import time
from typing import Any

from flask import Response, g, request

ACTIONS = frozenset({"status", "body", "headers", "apply_then", "delay", "html", "make_public", "truncate", "seconds"})
ACTION_KEYS = frozenset({"status", "apply_then", "delay", "html", "make_public", "truncate"})
HTML_ERROR = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
BAD_FAULT = 'a fault is {"match": {"method"?, "path"?}, "do": {...}, "times"?}; "do" knows ' + ", ".join(
    sorted(ACTIONS)
)
LOST_AFTER = 60.0  # seconds an "apply_then": "timeout" holds the connection before it is cut


class Fault:
    """One bad habit for the calls it matches, a number of times."""

    def __init__(self, given: dict[str, Any]) -> None:
        match = given.get("match", {})
        do = given.get("do")
        if not isinstance(match, dict) or not isinstance(do, dict) or set(do) - ACTIONS or not set(do) & ACTION_KEYS:
            raise ValueError(BAD_FAULT)
        self.method = str(match.get("method", "")).upper()
        self.path = re.compile(str(match.get("path", "")))
        self.do = do
        times = given.get("times", 1)
        self.left = -1 if times is None else int(times)
        self.used = 0

    def matches(self, method: str, path: str) -> bool:
        """Say whether this fault is due for a call."""
        return self.left != 0 and self.method in ("", method) and bool(self.path.search(path))

    def as_dict(self) -> dict[str, Any]:
        """Show the fault and how often it struck; `left` -1 means always."""
        match = {"method": self.method, "path": self.path.pattern}
        return {"match": match, "do": self.do, "left": self.left, "used": self.used}


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
    if "apply_then" in do:
        return None
    if "status" in do:
        body = do.get("body", "")
        kind = "application/json; charset=utf-8" if not isinstance(body, str) else "text/plain; charset=utf-8"
        text = body if isinstance(body, str) else json.dumps(body)
        answer = Response(text, status=int(do["status"]), content_type=kind)
        for name, value in do.get("headers", {}).items():
            answer.headers[name] = str(value)
        return answer
    if do.get("html"):
        return Response(HTML_ERROR, status=502, content_type="text/html")
    return None


def after(do: dict[str, Any], answer: Response) -> Response:
    """Do what happens after the helpdesk acted: lose the answer, replace it or cut it short."""
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
    return answer


def hang_up() -> None:
    """Cut the connection without an answer."""
    line = request.environ.get("werkzeug.socket")
    if isinstance(line, socket.socket):
        # With a linger time of 0 the close sends a reset; shutdown makes the pending write fail quietly.
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        line.shutdown(socket.SHUT_RDWR)
