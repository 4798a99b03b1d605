"""HTML as the helpdesks treat it: cleaned on the way in, turned to text on the way out."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

import nh3

TAGS = set(
    [
        "a",
        "b",
        "blockquote",
        "br",
        "code",
        "dd",
        "del",
        "div",
        "dl",
        "dt",
        "em",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "i",
        "img",
        "li",
        "ol",
        "p",
        "pre",
        "s",
        "small",
        "span",
        "strong",
        "sub",
        "sup",
        "table",
        "tbody",
        "td",
        "th",
        "thead",
        "tr",
        "u",
        "ul",
    ]
)
ATTRIBUTES = {"a": {"href", "title"}, "img": {"src", "alt", "width", "height"}, "*": {"dir"}}
BLOCKS = frozenset(
    ["p", "div", "br", "li", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "hr", "ul", "ol", "table"]
)
SCHEMES = {"http", "https", "mailto"}


def clean(markup: str) -> str:
    """Keep an allow-list of tags; comments, styles, classes, scripts and data attributes go, as at the vendors."""
    return nh3.clean(markup, tags=TAGS, attributes=ATTRIBUTES, url_schemes=SCHEMES, strip_comments=True).strip()


def zendesk(markup: str) -> str:
    """Clean and mark paragraphs the way Zendesk returns them (recorded: `<p dir="auto">`)."""
    fixed = {"p": {"dir": "auto"}, "h1": {"dir": "auto"}, "h2": {"dir": "auto"}, "h3": {"dir": "auto"}}
    return nh3.clean(
        markup, tags=TAGS, attributes=ATTRIBUTES, url_schemes=SCHEMES, set_tag_attribute_values=fixed
    ).strip()


def from_text(text: str) -> str:
    """Turn plain text into paragraphs and line breaks."""
    paragraphs = [part for part in re.split(r"\n\s*\n", text.replace("\r\n", "\n").strip()) if part.strip()]
    return "\n\n".join(
        "<p>" + html.escape(part.strip(), quote=False).replace("\n", "\n<br>") + "</p>" for part in paragraphs
    )


def to_text(markup: str) -> str:
    """Turn HTML into text, one line per block."""
    reader = _Reader()
    reader.feed(markup)
    reader.close()
    lines = [re.sub(r"[ \t\xa0]+", " ", line).strip() for line in "".join(reader.parts).split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


class _Reader(HTMLParser):
    """Collect the text of a page with a line break around blocks."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        """Break the line before a block."""
        if tag in BLOCKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        """Break the line after a block."""
        if tag in BLOCKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        """Keep text; line ends in the source are spaces."""
        self.parts.append(re.sub(r"\s+", " ", data))
