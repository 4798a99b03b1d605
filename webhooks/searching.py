"""Reads a search from a page's address, and writes it back: nothing in it is trusted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from triage.store.browse import Key, Wanted

LONGEST = 200
DAY_SECONDS = 86_400.0


def text(given: Mapping[str, str], name: str) -> str:
    """Return one field of a search, without what no column holds: NUL is an error on PostgreSQL."""
    return given.get(name, "").replace("\0", "").strip()[:LONGEST]


def day(given: Mapping[str, str], name: str) -> float | None:
    """Return the beginning of a day written 2026-11-30, in UTC; None for anything else."""
    try:
        moment = datetime.strptime(given.get(name, ""), "%Y-%m-%d").replace(tzinfo=UTC).timestamp()
    except (ValueError, OverflowError):
        return None
    return moment


def wanted(given: Mapping[str, str], desks: tuple[str, ...]) -> Wanted:
    """Return what is looked for among `desks`."""
    until = day(given, "until")
    desk, ticket_id = text(given, "desk"), text(given, "ticket").lstrip("#")
    return Wanted(
        desks=(desk,) if desk else desks if ticket_id else (),
        ticket_id=ticket_id,
        reference=text(given, "reference").upper(),
        state=text(given, "state"),
        event=text(given, "event"),
        classifier=text(given, "classifier"),
        team=text(given, "team"),
        priority=text(given, "priority"),
        since=day(given, "since"),
        # The last day is looked through to its end.
        until=None if until is None else until + DAY_SECONDS,
    )


def key(given: str) -> Key | None:
    """Return where a page goes on; None for what is no key."""
    at, _, row_id = given.partition("_")
    try:
        found = float(at), int(row_id)
    except ValueError:
        return None
    # Else the database would be asked about what is no number of its own.
    return found if abs(found[0]) < 1e12 and 0 <= found[1] < 2**63 else None


def key_text(key: Key | None) -> str:
    """Return a key as `key` reads it, empty for the end."""
    return "" if key is None else f"{key[0]!r}_{key[1]}"
