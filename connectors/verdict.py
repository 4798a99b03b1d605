"""Turn a helpdesk's refusal into what to do next; a vendor only says how to read its error body and headers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from connectors.budget import Need, Seen
from triage.errors import (
    Conflict,
    DeskLocked,
    FeatureOff,
    Forbidden,
    Gone,
    Refused,
    Retry,
    Stop,
    TandemError,
    UnknownOutcome,
)

MAX_DETAIL = 200
TICKET_PATH = "/tickets/{id}"

# What a status means on a call about a ticket, unless the vendor's own code says better (`Problem.error`).
ON_A_TICKET: dict[int, type[TandemError]] = {
    400: Refused,
    401: DeskLocked,
    402: DeskLocked,
    403: Forbidden,
    404: Gone,
    409: Conflict,
    410: Gone,
    413: Refused,
    422: Refused,
}
# Elsewhere (groups, who am I) there is no ticket to be gone: our role or the address is wrong.
ELSEWHERE = ON_A_TICKET | {403: DeskLocked, 404: Stop, 410: Stop}
# A part we can do without: refused for good means "go on without it".
OPTIONAL_OFF = {400, 403, 404, 405, 410, 422}
PASSING = {408, 423, 425}


@dataclass(frozen=True)
class Call:
    """One call to make; `path` is a template, so that logs and counters group by endpoint."""

    method: str
    path: str
    ids: tuple[str, ...] = ()
    query: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    optional: bool = False
    """Tandem can do without the answer."""
    repeatable: bool = False
    """A write that may be sent twice without harm."""
    urgent: bool = False
    """Takes away what customers must not see: goes out even while writing is stopped."""

    @property
    def doubtful(self) -> bool:
        """Say whether a lost answer leaves open what happened."""
        return self.method != "GET" and not self.repeatable


@dataclass(frozen=True)
class Reply:
    """One answer, decoded."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    data: Any = None
    garbled: bool = False
    """The body is neither empty nor JSON: an HTML page or a cut-off answer."""

    @property
    def ok(self) -> bool:
        """Say whether the call took effect and its answer can be used."""
        return 200 <= self.status < 300 and not self.garbled


@dataclass(frozen=True)
class Problem:
    """What an error body says; `error` is set where the vendor's code tells more than the status."""

    text: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    error: type[TandemError] | None = None


@dataclass(frozen=True)
class Usage:
    """What one call cost, and what the answer's headers say is left."""

    spent: tuple[Need, ...] = ()
    seen: tuple[Seen, ...] = ()
    one_ticket_only: bool = False
    """A 429 of a limit that counts per ticket: it must not close the whole account."""


class Dialect(Protocol):
    """How one vendor speaks about errors and rate limits."""

    def problem(self, reply: Reply) -> Problem:
        """Return what the error body says."""

    def usage(self, call: Call, reply: Reply | None) -> Usage:
        """Return what the call cost; `reply` is None when no answer came."""


def doubt(call: Call, reason: str, after: float | None = None) -> Retry:
    """Return the error for a call whose outcome is open."""
    return UnknownOutcome(reason, after) if call.doubtful else Retry(reason, after)


def judge(call: Call, reply: Reply, problem: Problem, after: float | None) -> TandemError:
    """Return the error that says what to do about `reply` (429 is the client's own)."""
    reason = f"{call.method} {call.path} answered {reply.status}"
    if problem.text:
        reason += f": {problem.text[:MAX_DETAIL]}"
    if reply.status >= 500 or reply.status < 300:
        return doubt(call, reason if reply.status >= 500 else f"{reason} with a body that is no JSON", after)
    if reply.status < 400:
        return Retry(f"{reason}, a redirect; redirects are not followed: check the desk's `url`")
    if reply.status in PASSING:
        return Retry(reason, after)
    if reply.garbled and reply.status != 401:
        # A page from something in between (firewall, outage page, unknown subdomain): never a quiet "gone".
        return Retry(f"{reason} with a page instead of JSON; if it stays so, check the desk's `url`", after)
    return _verdict(call, reply.status, problem, reason)


def _verdict(call: Call, status: int, problem: Problem, reason: str) -> TandemError:
    table = ON_A_TICKET if call.path.startswith(TICKET_PATH) else ELSEWHERE
    kind = problem.error or table.get(status, Stop)
    if call.optional and status in OPTIONAL_OFF and problem.error is not DeskLocked:
        return FeatureOff(reason)
    if kind is Refused:
        return Refused(reason, dict(problem.fields))
    return kind(reason)
