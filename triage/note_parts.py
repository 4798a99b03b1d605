"""The parts a note is made of, how many of them there is room for, and how they are shown: as HTML or as text.

Texts of customers and models are escaped here and nowhere else.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from triage.defang import defanged, unclosed

QUOTE_LENGTH = 200
WORD_LENGTH = 20
BETWEEN = " · "
# Characters on one line where an agent reads the note: about 900 pixels.
LINE_LENGTH = 125
# Not U+200C and U+200D: Persian, Hindi and composed emoji are spelt with them.
CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]"
)
# As companies, tiers and plans are called: at most five words, no colon and no dot between lines of ours.
NAME = re.compile(r"[^\W_][\w&+'’.,/()-]{0,30}(?: [\w&+'’.,/()-]{1,30}){0,4}")


@dataclass(frozen=True)
class Link:
    """A line of a list that leads somewhere; an empty address makes it plain text."""

    text: str
    url: str = ""
    secret: bool = False
    """Whoever knows the address may act by it, so it is not printed."""


@dataclass(frozen=True)
class Part:
    """One part of the note: a line, a list under a line, or quoted text."""

    line: str
    items: tuple[str | Link, ...] = ()
    """A list under the line, one line each."""
    quote: str = ""
    strong: bool = False
    label: str = ""
    """What the line begins with, in bold."""
    links: tuple[Link, ...] = ()
    """On the line itself, after its words."""
    rank: int = 0
    """How easily it can be done without where room is short; 0 never."""
    kin: str = ""
    """Parts of one kin share a line where room is short."""
    also: tuple[Part, ...] = ()
    """Parts that share its line."""


def fit(parts: Sequence[Part], room: int) -> list[Part]:
    """Return `parts` on `room` lines at most: first kin share lines, then what is ranked highest goes."""
    kept = list(parts)
    while sum(map(lines_of, kept)) > room and (fewer := _shared(kept) or _without_one(kept)):
        kept = fewer
    return kept


def lines_of(part: Part) -> int:
    """Return how many lines `part` takes where an agent reads it in a window of the usual width."""
    return sum(map(_wrapped, (_shown(part), *map(_label, part.items), *part.quote.splitlines())))


def _wrapped(text: str) -> int:
    return max(math.ceil(len(text) / LINE_LENGTH), 1)


def _shown(part: Part) -> str:
    links = BETWEEN.join(link.text for link in part.links)
    words = " ".join(one for one in (part.label, part.line, links) if one)
    return BETWEEN.join((words, *map(_shown, part.also)))


def _label(item: str | Link) -> str:
    return item if isinstance(item, str) else item.text


def _shared(parts: list[Part]) -> list[Part]:
    """Return `parts` with the last two kin on one line, or nothing where no kin is left."""
    for place in range(len(parts) - 1, 0, -1):
        first, second = parts[place - 1], parts[place]
        if first.kin and first.kin == second.kin:
            together = replace(first, also=(*first.also, second), rank=min(first.rank, second.rank))
            return [*parts[: place - 1], together, *parts[place + 1 :]]
    return []


def _without_one(parts: list[Part]) -> list[Part]:
    """Return `parts` without the highest ranked, of equals the last one; of kin on one line the last one goes.

    Nothing where all that is left is ranked 0.
    """
    goes = max(range(len(parts)), key=lambda place: (parts[place].rank, place))
    if not parts[goes].rank:
        return []
    shorter = [replace(parts[goes], also=parts[goes].also[:-1])] if parts[goes].also else []
    return [*parts[:goes], *shorter, *parts[goes + 1 :]]


def render_html(parts: list[Part]) -> str:
    """Return the note as the small HTML both helpdesks keep: p, b, ul, li, a, blockquote, br."""
    return "".join(_part_html(part) for part in parts)


def render_text(parts: list[Part]) -> str:
    """Return the note for a terminal."""
    lines: list[str] = []
    for part in parts:
        lines.append(_line_text(part))
        lines += [f"  - {clean(_item_text(item))}" for item in part.items]
        lines += [f"  | {line}" for line in clean(part.quote).splitlines()]
    return "\n".join(lines)


def _part_html(part: Part) -> str:
    out = f"<p>{_line_html(part)}</p>"
    if part.items:
        out += "<ul>" + "".join(f"<li>{_item_html(item)}</li>" for item in part.items) + "</ul>"
    if part.quote:
        out += "<blockquote>" + "<br>".join(_escape(line) for line in part.quote.splitlines()) + "</blockquote>"
    return out


def _line_html(part: Part) -> str:
    line = f"<b>{_escape(part.line)}</b>" if part.strong else _escape(part.line)
    label = f"<b>{_escape(part.label)}</b>" if part.label else ""
    words = " ".join(one for one in (label, line, BETWEEN.join(_item_html(link) for link in part.links)) if one)
    return BETWEEN.join((words, *(_line_html(one) for one in part.also)))


def _line_text(part: Part) -> str:
    links = BETWEEN.join(clean(_item_text(link)) for link in part.links)
    words = " ".join(one for one in (clean(part.label), clean(part.line), links) if one)
    return BETWEEN.join((words, *(_line_text(one) for one in part.also)))


def _item_html(item: str | Link) -> str:
    if isinstance(item, str) or not item.url:
        return _escape(_item_text(item))
    return f'<a href="{html.escape(clean(item.url), quote=True)}">{_escape(item.text)}</a>'


def _item_text(item: str | Link) -> str:
    if isinstance(item, str):
        return item
    return item.text if item.secret else f"{item.text} {item.url}".strip()


def _escape(text: str) -> str:
    # Everything that is shown: a link of ours is a Link, any other address is somebody else's.
    return html.escape(defanged(clean(text)), quote=True)


def clean(text: str) -> str:
    """Return `text` without control and direction characters, which can make a line read as something else."""
    return CONTROL.sub("", text.encode("utf-8", "replace").decode("utf-8"))


def quoted(text: str, length: int = QUOTE_LENGTH) -> str:
    """Return somebody else's words on one line, in quotation marks that they cannot close."""
    return f"“{unclosed(short(text, length))}”"


def named(text: str, length: int = QUOTE_LENGTH) -> str:
    """Return a name or a field's value as it is; in quotation marks what is more than a few plain words."""
    flat = short(text, length)
    return flat if NAME.fullmatch(flat) else quoted(text, length)


def short(text: str, length: int = QUOTE_LENGTH) -> str:
    """Return `text` on one line, cut at `length` characters."""
    flat = " ".join(clean(text).split())
    if len(flat) <= length:
        return flat
    # Between words, where one ends near enough.
    end = flat.rfind(" ", max(length - WORD_LENGTH, 0), length)
    return flat[: length - 1 if end <= 0 else end].rstrip() + "…"
