"""How the console words and draws things: filters and globals of its templates."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from triage.clean_html import html_to_text

DAY_SECONDS = 86_400
FIELD_NAMES = {
    "primary_team": "Team",
    "priority": "Priority",
    "sentiment": "Sentiment",
    "churn_risk": "Churn risk",
}
SPEAKERS = {
    "silent": "nobody: silent, without a note",
    "note": "a person, with our note",
    "safe": "a person; our note says “safe to send”",
    "reply": "Tandem, in public",
}
# What a chart is drawn in; the style sheet scales it.
CHART_WIDTH, CHART_HEIGHT = 320, 80


def utc(seconds: float) -> str:
    """Return a time as people read it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def iso(seconds: float) -> str:
    """Return a time as programs read it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def age(seconds: float) -> str:
    """Return a rough age in its largest unit."""
    for size, unit in ((DAY_SECONDS, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def duration(seconds: float) -> str:
    """Return how long something took."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def usd(amount: float) -> str:
    """Return an amount of money; small ones with the digits that matter."""
    if not amount:
        return "$0"
    return f"${amount:,.4f}" if amount < 1 else f"${amount:,.2f}"


def plain(label: object) -> str:
    """Return a label for people: P1_high is P1 high."""
    return str(label).replace("_", " ")


def field_name(field: str) -> str:
    """Return the name of a decided field."""
    return FIELD_NAMES.get(field, plain(field))


def value(given: Any) -> str:
    """Return a stored value on one line: lists with commas, nothing as a dash."""
    if given in (None, "", [], {}):
        return "–"
    if isinstance(given, dict):
        return "; ".join(f"{plain(name)}: {value(one)}" for name, one in given.items())
    if isinstance(given, list):
        return ", ".join(value(one) for one in given)
    return str(given)


def pretty(text: str) -> str:
    """Return JSON indented, and any other text as it is."""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:
        return text


def messages(sent: str) -> list[tuple[str, str]]:
    """Return (role, text) of what was sent to a model; one nameless text where it is not what we know."""
    try:
        given = json.loads(sent)
    except ValueError:
        return [("", sent)]
    if isinstance(given, dict):
        given = given.get("messages", given)
    if not isinstance(given, list):
        return [("", pretty(sent))]
    return [
        (str(one.get("role", "")), _content(one.get("content"))) if isinstance(one, dict) else ("", str(one))
        for one in given
    ]


def readable(html: str) -> str:
    """Return a note's text without its markup."""
    return html_to_text(html).strip() or html


def speaker(level: str) -> str:
    """Return who spoke about a ticket."""
    return SPEAKERS.get(level, level or "–")


def line(shares: Sequence[float | None]) -> str:
    """Return the points of a line over shares from 0 to 1, evenly spaced; gaps are left out."""
    step = CHART_WIDTH / max(1, len(shares) - 1)
    points = [(number * step, (1 - share) * CHART_HEIGHT) for number, share in enumerate(shares) if share is not None]
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def bars(values: Sequence[float]) -> list[tuple[float, float, float, float]]:
    """Return (x, y, width, height) of one bar for each value, the largest as high as the chart."""
    most, room = max(values, default=0.0) or 1.0, CHART_WIDTH / max(1, len(values))
    return [
        (round(number * room + room * 0.1, 1), round((1 - one / most) * CHART_HEIGHT, 1), round(room * 0.8, 1),
         round(one / most * CHART_HEIGHT, 1))
        for number, one in enumerate(values)
    ]  # fmt: skip


def _content(content: Any) -> str:
    return content if isinstance(content, str) else json.dumps(content, indent=2, ensure_ascii=False)


FILTERS: dict[str, Callable[..., object]] = {
    "age": age,
    "bars": bars,
    "duration": duration,
    "field_name": field_name,
    "iso": iso,
    "line": line,
    "messages": messages,
    "plain": plain,
    "pretty": pretty,
    "readable": readable,
    "speaker": speaker,
    "usd": usd,
    "utc": utc,
    "value": value,
}
