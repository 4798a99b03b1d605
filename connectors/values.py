"""Read single values out of vendor JSON, where anything may be null, a string or missing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from triage.settings import CustomerFields

NUMBER = re.compile(r"-?\d[\d,' ]*(?:\.\d+)?")


def as_dict(value: Any) -> dict[str, Any]:
    """Return `value` if it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def as_list(value: Any) -> list[Any]:
    """Return `value` if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def rows(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a list, leaving out anything else."""
    return [item for item in as_list(value) if isinstance(item, dict)]


def text(value: Any) -> str:
    """Return `value` as text, null as empty."""
    return "" if value is None else str(value)


def ident(value: Any) -> str | None:
    """Return an id as text, or None for the vendors' ways to say "none" (null, "" and 0)."""
    return None if value in (None, "", 0, "0") else str(value)


def when(value: Any) -> datetime | None:
    """Return the UTC time of an ISO 8601 text, or None."""
    if not isinstance(value, str) or not value:
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


def number(value: Any) -> float | None:
    """Return the number in `1200`, `"1200.50"` or `"$1,200 / month"`, or None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    found = NUMBER.search(value) if isinstance(value, str) else None
    return float(re.sub(r"[,' ]", "", found[0])) if found else None


def customer_value(names: CustomerFields, sources: Iterable[Mapping[str, Any]]) -> tuple[str, str, float | None]:
    """Return tier, plan and MRR from the first of `sources` that holds each."""
    found = [dict(source) for source in sources]

    def first(name: str) -> Any:
        # Freshdesk prefixes custom field names with `cf_`; an admin may write either.
        values = (source.get(key) for source in found for key in (name, f"cf_{name}"))
        return next((value for value in values if value not in (None, "")), None)

    return text(first(names.tier)), text(first(names.plan)), number(first(names.mrr))
