"""What a desk already knows about a ticket: help-centre articles and solved tickets worth reading.

Titles and texts are what others wrote and are hostile until escaped. Addresses are ours: the desk's own, put together
from numbers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

ARTICLE, TICKET, FILE = "article", "ticket", "file"
"""Where a document came from: the helpdesk's help centre, its solved tickets, a folder of Markdown files."""
SHOWN = 3
"""Of each kind, at most."""
_PATH = re.compile(r"/[A-Za-z0-9/_-]{1,250}")


@dataclass(frozen=True)
class Source:
    """One document found for a ticket."""

    kind: str
    key: str
    """The helpdesk's id (`<article>:<language>` for articles), or the file's path in its folder."""
    title: str
    url: str
    """On the desk's own host, or empty."""
    language: str
    score: float
    close: bool
    """Close enough to be shown in a note."""
    passage: str
    """What answers best: a piece of the article, or the public reply that solved the ticket, masked."""


@dataclass(frozen=True)
class Sources:
    """What was found, best first; empty where nothing was relevant enough."""

    articles: tuple[Source, ...] = ()
    """Help-centre articles and Markdown files."""
    tickets: tuple[Source, ...] = ()

    def numbered(self) -> list[tuple[int, Source]]:
        """Return what a note shows with the number by which a draft cites it: solved tickets first."""
        return list(enumerate((*self.tickets[:SHOWN], *self.articles[:SHOWN]), start=1))

    def ids(self) -> dict[str, list[dict[str, object]]]:
        """Return kind, key and score of each, for the record: no text."""
        return {
            name: [{"kind": one.kind, "key": one.key, "score": round(one.score, 3)} for one in found]
            for name, found in (("articles", self.articles), ("tickets", self.tickets))
        }


def url_of(desk_url: str, path: str) -> str:
    """Return the address of `path` on the desk's own host; empty for anything that is not a plain path."""
    return desk_url + path if _PATH.fullmatch(path) and not path.startswith("//") else ""
