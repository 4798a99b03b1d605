"""Freshdesk's search language: `"(status:2 OR status:3) AND due_by:<'2026-11-23'"`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

Match = Callable[[dict[str, Any]], bool]
TOKEN = re.compile(r"\s*(?:(\()|(\))|(AND|OR)\b|([a-z_][a-z0-9_]*):([<>]?)(null|true|false|'[^']*'|-?[\d.]+))")
DATES = frozenset({"due_by", "fr_due_by", "created_at", "updated_at"})
PLAIN = {"agent_id": "responder_id", "group_id": "group_id", "priority": "priority", "status": "status", "type": "type"}
LONGEST = 512


class QueryError(ValueError):
    """Say why a query cannot be read."""


def parse(query: str) -> Match:
    """Read a query in double quotes."""
    if len(query) < 2 or query[0] != '"' or query[-1] != '"':
        raise QueryError("The query has to be enclosed in double quotes")
    if len(query) > LONGEST:
        raise QueryError(f"The query has more than {LONGEST} characters")
    reader = _Reader(query[1:-1])
    match = reader.either()
    if reader.left():
        raise QueryError(f"Invalid query near: {reader.rest()[:20]}")
    return match


class _Reader:
    """Read the query term by term; AND binds closer than OR."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def rest(self) -> str:
        """Give what is not read yet."""
        return self.text[self.at :]

    def left(self) -> bool:
        """Say whether anything is left to read."""
        return bool(self.rest().strip())

    def either(self) -> Match:
        """Read terms joined by OR."""
        match = self.both()
        while self._word("OR"):
            match = _any(match, self.both())
        return match

    def both(self) -> Match:
        """Read terms joined by AND."""
        match = self._one()
        while self._word("AND"):
            match = _all(match, self._one())
        return match

    def _word(self, word: str) -> bool:
        found = TOKEN.match(self.text, self.at)
        if found and found.group(3) == word:
            self.at = found.end()
            return True
        return False

    def _one(self) -> Match:
        found = TOKEN.match(self.text, self.at)
        if not found or found.group(2) or found.group(3):
            raise QueryError(f"Invalid query near: {self.rest()[:20]}")
        self.at = found.end()
        if not found.group(1):
            return _term(found.group(4), found.group(5), found.group(6))
        inner = self.either()
        closing = TOKEN.match(self.text, self.at)
        if not closing or not closing.group(2):
            raise QueryError("A bracket is not closed")
        self.at = closing.end()
        return inner


def _any(one: Match, other: Match) -> Match:
    return lambda ticket: one(ticket) or other(ticket)


def _all(one: Match, other: Match) -> Match:
    return lambda ticket: one(ticket) and other(ticket)


def _term(field: str, operator: str, text: str) -> Match:
    """Build one comparison; dates compare by day and `>`, `<` include equality, as the vendor documents."""
    wanted = None if text == "null" else text.strip("'")

    def compare(value: Any) -> bool:
        if wanted is None or value is None:
            return value is None and wanted is None and not operator
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            value, other = float(value), float(wanted)
            return bool(value >= other if operator == ">" else value <= other if operator == "<" else value == other)
        shown = str(value).lower() if isinstance(value, bool) else str(value)
        return shown >= wanted if operator == ">" else shown <= wanted if operator == "<" else shown == wanted

    if field == "tag":
        return lambda ticket: (not ticket["tags"]) if wanted is None else wanted in ticket["tags"]
    if field in DATES:
        return lambda ticket: compare(ticket[field][:10] if ticket[field] else None)
    if field in PLAIN:
        if field in ("priority", "status", "agent_id", "group_id") and text.startswith("'"):
            raise QueryError(f"{field}: It should be a/an Integer")
        return lambda ticket: compare(ticket[PLAIN[field]])
    if field.startswith("cf_"):
        return lambda ticket: compare(ticket["custom_fields"].get(field))
    raise QueryError(f"{field}: Unexpected/invalid field in request")
