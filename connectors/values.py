"""Read single values out of vendor JSON, where anything may be null, a string or missing."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from triage.settings import CustomerFields
from triage.ticket import Organization

YEARS = range(1970, 9000)
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


def records(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a list that have an id: what has none cannot be spoken of."""
    return [item for item in rows(value) if ident(item.get("id"))]


def text(value: Any) -> str:
    """Return `value` as text, null as empty."""
    return "" if value is None else str(value)


def ident(value: Any) -> str | None:
    """Return an id as text, or None for the vendors' ways to say "none" (null, "" and 0)."""
    return None if value in (None, "", 0, "0") else str(value)


def when(value: Any) -> datetime | None:
    """Return the UTC time of an ISO 8601 text, or None; also for one that no sum could be done with."""
    if not isinstance(value, str) or not value:
        return None
    try:
        found = datetime.fromisoformat(value)
        found = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
        return found if found.year in YEARS else None
    except (ValueError, OverflowError):
        return None


def number(value: Any) -> float | None:
    """Return the number in `1200`, `"1200.50"` or `"$1,200 / month"`, or None; never infinite and never NaN."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        found = NUMBER.search(value)
        value = float(re.sub(r"[,' ]", "", found[0])) if found else None
    try:
        return float(value) if isinstance(value, int | float) and math.isfinite(value) else None
    except OverflowError:
        return None


def organization(
    company_id: Any, company: Mapping[str, Any], names: CustomerFields, sources: Sequence[Mapping[str, Any]]
) -> Organization:
    """Return the organization, each of its values from the first of `sources` that holds it."""
    renewal = when(text(first(names.renewal, sources)))
    return Organization(
        text(company_id),
        text(company.get("name")),
        text(first(names.tier, sources)),
        text(first(names.plan, sources)),
        number(first(names.mrr, sources)),
        when(company.get("created_at")),
        renewal.date() if renewal else None,
    )


def facts(wanted: Mapping[str, str | int], sources: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, str], ...]:
    """Return label and value of the `wanted` fields (label -> name), each from the first source that holds it."""
    found = ((label, words(first(str(name), sources))) for label, name in wanted.items())
    return tuple((label, value) for label, value in found if value)


def first(name: str, sources: Iterable[Mapping[str, Any]]) -> Any:
    """Return the first value of field `name` that is not empty, or None."""
    # Freshdesk prefixes custom field names with `cf_`, but for companies; an admin may write either.
    bare = name.removeprefix("cf_")
    values = (source.get(key) for source in sources for key in (name, f"cf_{name}", bare))
    return next((value for value in values if value not in (None, "", [])), None)


def words(value: Any) -> str:
    """Return a field's value as an agent would read it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(text(one) for one in value)
    return "" if isinstance(value, dict) else text(value)
