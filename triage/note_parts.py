"""The parts a note is made of, and how they are shown: as the small HTML both helpdesks keep, or as text.

Texts of customers and models are escaped here and nowhere else.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

from triage.defang import defanged, unclosed

QUOTE_LENGTH = 200
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


@dataclass(frozen=True)
class Part:
    """One part of the note: a line, a list under a line, or quoted text."""

    line: str
    items: tuple[str | Link, ...] = ()
    quote: str = ""
    strong: bool = False


def render_html(parts: list[Part]) -> str:
    """Return the note as the small HTML both helpdesks keep: p, b, ul, li, a, blockquote, br."""
    return "".join(_part_html(part) for part in parts)


def render_text(parts: list[Part]) -> str:
    """Return the note for a terminal."""
    lines: list[str] = []
    for part in parts:
        lines.append(clean(part.line))
        lines += [f"  - {clean(_item_text(item))}" for item in part.items]
        lines += [f"  | {line}" for line in clean(part.quote).splitlines()]
    return "\n".join(lines)


def _part_html(part: Part) -> str:
    line = _escape(part.line)
    out = f"<p><b>{line}</b></p>" if part.strong else f"<p>{line}</p>"
    if part.items:
        out += "<ul>" + "".join(f"<li>{_item_html(item)}</li>" for item in part.items) + "</ul>"
    if part.quote:
        out += "<blockquote>" + "<br>".join(_escape(line) for line in part.quote.splitlines()) + "</blockquote>"
    return out


def _item_html(item: str | Link) -> str:
    if isinstance(item, str) or not item.url:
        return _escape(_item_text(item))
    return f'<a href="{html.escape(clean(item.url), quote=True)}">{_escape(item.text)}</a>'


def _item_text(item: str | Link) -> str:
    if isinstance(item, str):
        return item
    return f"{item.text} {item.url}".strip()


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
    """Return `text` on one line, cut at `length` characters."""
    flat = " ".join(clean(text).split())
    return flat if len(flat) <= length else flat[: length - 1].rstrip() + "…"
