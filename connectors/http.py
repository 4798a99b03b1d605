"""The one door to a helpdesk's API: bounded calls to one address, and errors that say what to do next.

Nothing here sleeps or retries (but once after a fresh token): a ticket that must wait goes back to the queue. URLs
inside answers are never followed, pages are asked for by cursor or number, so no answer can send our credential
to another host.
"""

from __future__ import annotations

import json
import logging
import math
import os
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

import requests
from requests.utils import default_headers, get_environ_proxies
from urllib3.exceptions import HTTPError, NewConnectionError

from connectors.budget import Budget, spread
from connectors.verdict import Call, Dialect, Problem, Reply, Usage, doubt, judge
from triage.deadline import DeadlineAdapter, until
from triage.errors import FeatureOff, Retry, Stop, TandemError, Wait
from triage.traces import span

log = logging.getLogger(__name__)

CONNECT_SECONDS = 5.0
# Seconds of silence between two bytes, and for the whole answer.
READ_LIMITS = (30.0, 60.0)
# Shorter than a lease: when another worker may take the run over, a note under way must have been given up.
WRITE_LIMITS = (10.0, 18.0)
# A write whose answer never came is not sent again before this.
LATE_SECONDS = 120.0
MAX_BYTES = 16 * 1024 * 1024
CHUNK = 64 * 1024
CONNECTIONS = 100
DEFAULT_WAIT = 60.0
MAX_WAIT = 3600.0
# A number, or a ULID as Zendesk's webhooks have it.
PLAIN_ID = re.compile(r"\d{1,20}|[0-9A-HJKMNP-TV-Z]{26}", re.ASCII)
PLACEHOLDER = re.compile(r"\{\w+\}")


class Credential(Protocol):
    """What signs a call."""

    def header(self) -> str:
        """Return the Authorization header."""

    def renew(self, refused: str, /) -> bool:
        """Get a new one after `refused` was answered 401; False if there is none to get."""


class StaticCredential:
    """A credential that never changes."""

    def __init__(self, header: str) -> None:
        self._header = header

    def header(self) -> str:
        """Return the Authorization header."""
        return self._header

    def renew(self, _refused: str, /) -> bool:
        """Say no: there is no other one."""
        return False


Guard = Callable[[], None]
"""Called right before each write; raises `Wait` while nothing may be written."""


class TooLong(Exception):
    """An answer passed the size cap."""


class Client:
    """Calls to one helpdesk account; safe to share between threads."""

    def __init__(
        self,
        root: str,
        credential: Credential,
        dialect: Dialect,
        budget: Budget,
        guard: Guard = lambda: None,
    ) -> None:
        """Take the address all paths start from, the budget that the calls use up, and who may hold up a write."""
        self._root = root
        self._credential = credential
        self._dialect = dialect
        self._budget = budget
        self._guard = guard
        # No session of `requests`: it keeps cookies, which could sign in a call that our credential should not, reads
        # ~/.netrc, and goes through every environment variable for each call, which costs as much as the call.
        self._adapter = DeadlineAdapter(pool_connections=2, pool_maxsize=CONNECTIONS, max_retries=0)
        self._headers = {**default_headers(), "User-Agent": "Tandem/0.1", "Accept": "application/json"}
        self._proxies = get_environ_proxies(root)
        self._verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
        self.clock_skew: float | None = None
        """Seconds by which our clock is ahead, by the last answer's Date; it counts whole seconds."""

    def get(self, path: str, *ids: str, query: Mapping[str, str] | None = None, optional: bool = False) -> Any:
        """Return the decoded answer of a read; FeatureOff where `optional` and not to be had."""
        return self.call(Call("GET", path, ids, query=query or {}, optional=optional)).data

    def get_if_possible(self, path: str, *ids: str, query: Mapping[str, str] | None = None) -> Any:
        """Return the answer of a read Tandem can do without, or None; only a rate limit still asks to wait."""
        try:
            return self.get(path, *ids, query=query, optional=True)
        except (FeatureOff, Retry) as error:
            log.info("%s: going on without: %s", self._budget.account, error)
            return None

    def send(
        self, method: str, path: str, *ids: str, body: Any = None, repeatable: bool = False, urgent: bool = False
    ) -> Any:
        """Return the decoded answer of a write; UnknownOutcome where it may have taken effect unseen."""
        return self.call(Call(method, path, ids, body=body, repeatable=repeatable, urgent=urgent)).data

    def call(self, call: Call) -> Reply:
        """Return the good answer to `call`, or raise what to do next."""
        if call.method != "GET" and not call.urgent:
            self._guard()
        # The template of the path: ids stay out of the name, so that calls of a kind stand together.
        with span(f"{call.method} {call.path}", account=self._budget.account):
            return self._answered(call)

    def _answered(self, call: Call) -> Reply:
        header = self._credential.header()
        reply = self._exchange(call, header)
        if reply.status == 401 and self._credential.renew(header):
            reply = self._exchange(call, self._credential.header())
        if reply.ok:
            return reply
        raise self._error(call, reply)

    def _error(self, call: Call, reply: Reply) -> TandemError:
        if reply.status == 429:
            return Wait(f"{call.method} {call.path} answered 429", spread(_patience(reply.headers)))
        after = _retry_after(reply.headers)
        problem = self._dialect.problem(reply) if not reply.garbled else Problem()
        return judge(call, reply, problem, after)

    def _exchange(self, call: Call, header: str) -> Reply:
        reply: Reply | None = None
        try:
            reply = self._send(call, header)
        except (requests.RequestException, HTTPError, TooLong) as error:
            # `from None`: the library's text may hold the whole URL, ours names the endpoint only.
            raise _transport_error(call, error) from None
        finally:
            self._account_for(call, reply)
        return reply

    def _send(self, call: Call, header: str) -> Reply:
        silence, whole = READ_LIMITS if call.method == "GET" else WRITE_LIMITS
        signed = self._headers | ({"Authorization": header} if header else {})
        address = self._root + _fill(call.path, call.ids)
        request = requests.Request(call.method, address, signed, params=call.query, json=call.body).prepare()
        with (
            until(time.monotonic() + whole),
            # The adapter follows no redirect.
            self._adapter.send(
                request, stream=True, timeout=(CONNECT_SECONDS, silence), verify=self._verify, proxies=self._proxies
            ) as response,
        ):
            if (sent_at := _date(response.headers.get("Date", ""))) is not None:
                self.clock_skew = time.time() - sent_at.timestamp()
            return _decode(response.status_code, response.headers, _drain(response))

    def _account_for(self, call: Call, reply: Reply | None) -> None:
        usage: Usage = self._dialect.usage(call, reply)
        limited = reply is not None and reply.status == 429 and not usage.one_ticket_only
        closed_for = _patience(reply.headers) if reply is not None and limited else 0.0
        if reply is not None and reply.ok:
            self._budget.charge_soon(usage.spent, usage.seen)
        else:
            self._budget.charge(usage.spent, usage.seen, closed_for)


def _fill(path: str, ids: tuple[str, ...]) -> str:
    """Put `ids` into the template; only digits and ULIDs may stand in a path, whatever a webhook sent us as an id."""
    for one in ids:
        if not PLAIN_ID.fullmatch(one):
            raise Stop(f"an id for {path} is not a number")
    remaining = iter(ids)
    return PLACEHOLDER.sub(lambda _: next(remaining), path)


def _drain(response: requests.Response) -> bytes:
    parts, size = [], 0
    while part := response.raw.read1(CHUNK, decode_content=True):
        parts.append(part)
        size += len(part)
        if size > MAX_BYTES:
            raise TooLong(f"an answer of more than {MAX_BYTES} bytes")
    return b"".join(parts)


def _decode(status: int, headers: Mapping[str, str], body: bytes) -> Reply:
    if not body.strip():
        return Reply(status, headers)
    try:
        return Reply(status, headers, json.loads(body))
    except (ValueError, RecursionError):
        return Reply(status, headers, garbled=True)


def _transport_error(call: Call, error: Exception) -> TandemError:
    reason = f"{call.method} {call.path}: {error if isinstance(error, TooLong) else type(error).__name__}"
    cause = getattr(error.args[0] if error.args else None, "reason", None)
    if isinstance(error, requests.ConnectTimeout) or isinstance(cause, NewConnectionError):
        return Retry(reason)
    # What was cut off may still arrive: a note is looked for only when it must have landed or be lost.
    return doubt(call, reason, LATE_SECONDS if call.doubtful else None)


def _patience(headers: Mapping[str, str]) -> float:
    """Return how long a 429 asks us to wait."""
    after = _retry_after(headers)
    return DEFAULT_WAIT if after is None else min(max(after, 1.0), MAX_WAIT)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds of a Retry-After header, which holds a number or an HTTP date."""
    value = headers.get("Retry-After", "").strip()
    if not value:
        return None
    try:
        seconds = float(value)
        return seconds if math.isfinite(seconds) else None
    except ValueError:
        pass
    until = _date(value)
    return None if until is None else (until - datetime.now(UTC)).total_seconds()


def _date(header: str) -> datetime | None:
    """Return an HTTP date."""
    try:
        found = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    return found.replace(tzinfo=found.tzinfo or UTC)
