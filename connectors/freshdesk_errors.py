"""How Freshdesk speaks about errors and rate limits.

https://developers.freshdesk.com/api/#error and #ratelimit
"""

from __future__ import annotations

from connectors.budget import ACCOUNT, Need, Seen
from connectors.values import as_dict, number, rows, text
from connectors.verdict import Call, Problem, Reply, Usage
from triage.errors import DeskLocked, Gone, TandemError

LOCKED_CODES = {
    "account_suspended",
    "invalid_credentials",
    "password_expired",
    "password_lockout",
    "ssl_required",
}
# Sub-limits by plan that no header shows: calls per minute of the account -> ticket lists per minute.
LISTS_PER_MINUTE = ((2000, 400.0), (1000, 300.0), (700, 200.0), (400, 100.0), (0, 20.0))
UPDATE_SHARE = 0.4
LISTS = "tickets-list"
UPDATES = "tickets-update"


class FreshdeskDialect:
    """Read Freshdesk's error bodies and headers."""

    def __init__(self, per_minute: int) -> None:
        """Take the account's calls per minute until its headers say better."""
        self._per_minute = float(per_minute)
        self._told = False

    def problem(self, reply: Reply) -> Problem:
        """Return what the error body says: a list of fields, a code with a message, or nothing (404)."""
        body = as_dict(reply.data)
        errors = rows(body.get("errors"))
        fields = {text(one.get("field")): _said(text(one.get("message")), text(one.get("code"))) for one in errors}
        code = text(body.get("code"))
        general = [_said(text(body.get("description") or body.get("message")), code)]
        listed = [f"{name} {said}" for name, said in fields.items()]
        kind: type[TandemError] | None = None
        if code in LOCKED_CODES:
            kind = DeskLocked
        elif reply.status == 405:
            # A deleted or spam ticket only allows GET (changelog of April 2016).
            kind = Gone
        return Problem("; ".join(part for part in general + listed if part), fields, kind)

    def usage(self, call: Call, reply: Reply | None) -> Usage:
        """Return the credits of the call as the headers tell them, and what is left of the account's."""
        headers = reply.headers if reply else {}
        total = number(headers.get("X-RateLimit-Total"))
        left = number(headers.get("X-RateLimit-Remaining"))
        used = number(headers.get("X-RateLimit-Used-CurrentRequest"))
        if total:
            self._per_minute, self._told = total, True
        spent = [Need(ACCOUNT, 1.0 if used is None else used)]
        if (call.method, call.path) == ("GET", "/tickets"):
            spent.append(self.list_need())
        if (call.method, call.path) == ("PUT", "/tickets/{id}"):
            spent.append(self.update_need())
        seen = (Seen(ACCOUNT, total, left),) if total and left is not None else ()
        # A 429 with calls left comes from a sub-limit, but Freshdesk does not say which: the account pauses.
        return Usage(tuple(spent), seen)

    def list_need(self) -> Need:
        """Return the need of one ticket list, whose own limit is what a small plan meets first."""
        limit = next(lists for least, lists in LISTS_PER_MINUTE if self._per_minute >= least)
        return Need(LISTS, 1, limit, sure=self._told)

    def update_need(self) -> Need:
        """Return the need of one ticket update."""
        return Need(UPDATES, 1, self._per_minute * UPDATE_SHARE, sure=self._told)


def _said(message: str, code: str) -> str:
    return f"{message} ({code})" if message and code else message or code
