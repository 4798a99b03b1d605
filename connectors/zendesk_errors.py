"""How Zendesk speaks about errors and rate limits.

https://developer.zendesk.com/api-reference/introduction/rate-limits/
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import Any

from connectors.budget import ACCOUNT, Need, Seen
from connectors.values import as_dict, as_list, ident, number, rows, text
from connectors.verdict import Call, Problem, Reply, Usage
from triage.errors import Gone, Stop

log = logging.getLogger(__name__)

# Which limit of its own an endpoint has, and calls per minute until the headers say better.
UPDATES = ("tickets-update", 100.0)
EXPORTS = ("incremental-exports", 10.0)
# Counted apart from the account's other calls, with headers of the same names.
HELP_CENTER = ("help-center", 200.0)
HELP_CENTER_PATH = "/help_center/"
BUCKETS = {
    ("PUT", "/tickets/{id}.json"): UPDATES,
    ("PUT", "/tickets/{id}/tags.json"): UPDATES,
    ("GET", "/incremental/tickets/cursor.json"): EXPORTS,
}
# Both spellings are on record, the first until 2024.
ENDPOINT_LIMIT = re.compile(r"^zendesk-rate-?limit-(.+)$", re.IGNORECASE)
FIGURE = re.compile(r"(\w+)=(\d+)")
PER_TICKET = "per-"
DROPPED_KEYS = re.compile(r":?unpermitted_keys(?:=>|: )\[([^\]]*)\]")
CLOSED = "closed prevents ticket update"


class ZendeskDialect:
    """Read Zendesk's error bodies and headers."""

    def problem(self, reply: Reply) -> Problem:
        """Return what the error body says; there are four shapes, so everything is looked through."""
        body = as_dict(reply.data)
        error = body.get("error")
        said = [text(error)] if isinstance(error, str) else _texts(as_dict(error), "title", "message")
        said += _texts(body, "description")
        for item in rows(body.get("errors")):
            said += _texts(item, "code", "title", "detail")
        fields = dict(_details(body.get("details")))
        said += fields.values()
        kind: type[Gone | Stop] | None = None
        if CLOSED in fields.get("status", "").casefold():
            kind = Gone
        elif error == "InvalidEndpoint":
            kind = Stop
        return Problem(": ".join(dict.fromkeys(said)), fields, kind)

    def usage(self, call: Call, reply: Reply | None) -> Usage:
        """Return one call of the account, one of the endpoint's own limit, and what the headers say is left."""
        in_help_center = call.path.startswith(HELP_CENTER_PATH)
        spent = [Need(HELP_CENTER[0], 1, HELP_CENTER[1]) if in_help_center else Need(ACCOUNT, 1)]
        if bucket := BUCKETS.get((call.method, call.path)):
            spent.append(Need(bucket[0], 1, bucket[1]))
        if reply is None:
            return Usage(tuple(spent))
        _log_dropped_keys(call, reply)
        endpoint = list(_endpoint_limits(reply))
        hot_ticket = any(one.name.startswith(PER_TICKET) and one.left <= 0 for one in endpoint)
        # A limit that counts per ticket says nothing about the account.
        seen = [
            *_account_limit(reply, HELP_CENTER[0] if in_help_center else ACCOUNT),
            *(one for one in endpoint if not one.name.startswith(PER_TICKET)),
        ]
        return Usage(tuple(spent), tuple(seen), one_ticket_only=hot_ticket and all(one.left > 0 for one in seen))


def _texts(body: dict[str, Any], *names: str) -> list[str]:
    return [text(body[name]) for name in names if body.get(name)]


def _details(details: Any) -> Iterator[tuple[str, str]]:
    for name, entries in as_dict(details).items():
        for entry in as_list(entries):
            one = as_dict(entry)
            said = text(one.get("description") or one.get("error")) if one else text(entry)
            yield ident(one.get("ticket_field_id")) or text(name), said


def _account_limit(reply: Reply, name: str) -> Iterator[Seen]:
    headers = reply.headers

    def first(*names: str) -> float | None:
        return next((found for name in names if (found := number(headers.get(name))) is not None), None)

    limit = first("x-rate-limit", "ratelimit-limit", "rate-limit")
    left = first("x-rate-limit-remaining", "ratelimit-remaining", "rate-limit-remaining")
    if limit and left is not None:
        yield Seen(name, limit, left, first("ratelimit-reset", "rate-limit-reset"))


def _endpoint_limits(reply: Reply) -> Iterator[Seen]:
    for header, value in reply.headers.items():
        if not (found := ENDPOINT_LIMIT.match(header)):
            continue
        figures = {name: float(figure) for name, figure in FIGURE.findall(value)}
        if figures.get("total") and "remaining" in figures:
            yield Seen(found[1].lower(), figures["total"], figures["remaining"], figures.get("resets"))


def _log_dropped_keys(call: Call, reply: Reply) -> None:
    """Log which of our keys Zendesk ignored; the header's other parts may hold values."""
    warning = reply.headers.get("X-Zendesk-API-Warn", "")
    keys = DROPPED_KEYS.search(warning)
    if warning:
        log.warning("Zendesk ignored keys of %s %s: %s", call.method, call.path, keys[1] if keys else "not named")
