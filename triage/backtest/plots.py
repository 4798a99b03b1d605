"""Plots as SVG: pure functions from plain data to text. No script, no style attribute, every label escaped.

Colours come from the page's classes, so light and dark are one drawing.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, sqrt
from typing import Any

from markupsafe import Markup, escape

WIDTH, HEIGHT = 360, 240
LEFT, RIGHT, TOP, BOTTOM = 54, 18, 10, 38
CELL, LETTER = 32, 6.2
LABEL_LENGTH = 20
BIGGEST_DOT = 11.0
# `format` of a Markup escapes what is put in.
HEAD = Markup('<svg viewBox="0 0 {w:.0f} {h:.0f}" width="{w:.0f}" height="{h:.0f}" role="img"><title>{title}</title>')
POLYLINE = Markup('<polyline class="curve" points="{}"/>')
NOW = Markup('<circle class="now" cx="{:.1f}" cy="{:.1f}" r="5"/>')
DOT = Markup('<circle class="dot" cx="{:.1f}" cy="{:.1f}" r="{:.1f}"><title>{}</title></circle>')
LINE = Markup('<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>')
TEXT = Markup('<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>')
TURNED = Markup('<text class="small" x="{x:.0f}" y="{y}" transform="rotate(-55 {x:.0f} {y})">{label}</text>')
UPRIGHT = Markup(
    '<text class="small" x="{x}" y="{y:.0f}" text-anchor="middle" transform="rotate(-90 {x} {y:.0f})">{label}</text>'
)
SQUARE = Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}" fill-opacity="{:.2f}"><title>{}</title></rect>')
Json = dict[str, Any]


def curve(points: Sequence[Json], target: float, now: Json, title: str) -> Markup:
    """Return precision over coverage, with the wanted precision as a line and today's thresholds as a dot."""
    shown = [now["precision"]] if now["precision"] is not None else []
    # A handful of tickets at the left end jumps between 0 and 1 and would squeeze all the rest.
    steady = [point["precision"] for point in points if point["share"] >= 0.05] or [1.0]
    lowest = min([*steady, *shown, target]) - 0.02
    # A whole step of the axis: tenths from 50 % up, fifths where it must go lower.
    bottom = floor(lowest * 10) / 10 if lowest >= 0.5 else max(0.0, floor(lowest * 5) / 5)
    path = " ".join(f"{_x(point['share']):.1f},{_y(max(point['precision'], bottom), bottom):.1f}" for point in points)
    parts = [_axes(bottom, "share of tickets answered", "share of these right")]
    parts.append(_line(0, target, 1, target, bottom, "wanted"))
    parts.append(_text(_x(1) - 2, _y(target, bottom) - 4, f"wanted {target:.0%}", "end", "small"))
    parts.append(POLYLINE.format(path))
    if shown:
        x, y = _x(now["share"]), _y(max(shown[0], bottom), bottom)
        parts.append(NOW.format(x, y))
        left = now["share"] > 0.7
        parts.append(_text(x + (-9 if left else 9), y + 13, "today", "end" if left else "start", "small"))
    return _svg(WIDTH, HEIGHT, title, parts)


def reliability(bins: Sequence[Json], title: str) -> Markup:
    """Return the share that was right over the probability claimed; a dot's area is its number of tickets."""
    parts = [_axes(0.0, "probability claimed", "share right"), _line(0, 0, 1, 1, 0.0, "wanted")]
    most = max((one["n"] for one in bins), default=1)
    for one in bins:
        x, y = _x(one["claimed"]), _y(one["right"], 0.0)
        radius = max(2.0, BIGGEST_DOT * sqrt(one["n"] / most))
        tip = f"{one['n']} tickets claimed {one['claimed']:.2f}, {one['right']:.2f} were right"
        parts.append(DOT.format(x, y, radius, tip))
    return _svg(WIDTH, HEIGHT, title, parts)


def heat(labels: Sequence[str], rows: Sequence[Sequence[int]], title: str) -> Markup:
    """Return the confusion table: a row per label of people, a column per label of Tandem, shaded by share of row."""
    parts = []
    widest = LETTER * max(len(_short(label)) for label in labels)
    # The names over the columns are turned by 55 degrees: 0.82 of their length goes up, 0.57 to the right.
    left, top = round(widest + 14), round(0.82 * widest + 14)
    for column, label in enumerate(labels):
        x = left + column * CELL + CELL / 2 + 4
        parts.append(TURNED.format(x=x, y=top - 6, label=_short(label)))
    for row, label in enumerate(labels):
        y = top + row * CELL
        parts.append(_text(left - 8, y + CELL / 2 + 4, _short(label), "end", "small"))
        total = sum(rows[row])
        for column, count in enumerate(rows[row]):
            share = count / total if total else 0.0
            kind = "hit" if row == column else "miss"
            tip = f"{count} x {label} read as {labels[column]}"
            x = left + column * CELL
            parts.append(SQUARE.format(kind, x, y, CELL - 2, CELL - 2, 0.06 + 0.84 * share, tip))
            if count:
                tone = "small on" if share > 0.55 else "small"
                parts.append(_text(x + CELL / 2 - 1, y + CELL / 2 + 3, str(count), "middle", tone))
    size = len(labels) * CELL
    return _svg(left + size + 0.57 * widest, top + size + 4, title, parts)


def _svg(width: float, height: float, title: str, parts: Sequence[Markup]) -> Markup:
    return HEAD.format(w=width, h=height, title=title) + Markup("").join(parts) + Markup("</svg>")


def _axes(bottom: float, below: str, beside: str) -> Markup:
    parts = []
    step = 0.2 if bottom < 0.5 else 0.1
    for number in range(round(bottom / step), round(1 / step) + 1):
        value = number * step
        parts.append(_line(0, value, 1, value, bottom, "grid"))
        parts.append(_text(LEFT - 6, _y(value, bottom) + 4, f"{value:.0%}", "end", "small"))
    for share in (0, 0.2, 0.4, 0.6, 0.8, 1):
        parts.append(_text(_x(share), HEIGHT - BOTTOM + 14, f"{share:.0%}", "middle", "small"))
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, below, "middle", "small"))
    parts.append(UPRIGHT.format(x=12, y=(TOP + HEIGHT - BOTTOM) / 2, label=beside))
    return Markup("").join(parts)


def _line(x1: float, y1: float, x2: float, y2: float, bottom: float, kind: str) -> Markup:
    places = _x(x1), _y(y1, bottom), _x(x2), _y(y2, bottom)
    return LINE.format(kind, *places)


def _text(x: float, y: float, text: str, anchor: str, kind: str) -> Markup:
    return TEXT.format(kind, x, y, anchor, text)


def _short(label: str) -> Markup:
    return escape(label if len(label) <= LABEL_LENGTH else label[: LABEL_LENGTH - 1] + "…")


def _x(share: float) -> float:
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _y(value: float, bottom: float) -> float:
    return TOP + (1 - value) / (1 - bottom) * (HEIGHT - TOP - BOTTOM)
