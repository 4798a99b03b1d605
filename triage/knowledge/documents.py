"""A document as it is read, and as it is kept: title, passages, vectors and words."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from triage.clean import html_to_text
from triage.knowledge import passages, terms
from triage.knowledge.index import ANSWER, BODY, TITLE, Encode
from triage.knowledge.vectors import pack
from triage.language import detect_language

MAX_TITLE = 300
# Raise it whenever the same document gives other passages: all are then made again.
VERSION = 1
_HEADING = re.compile(r"<(/?)h[1-6]\b[^>]*>", re.IGNORECASE)
_LANGUAGE = re.compile(r"[a-z]{2}\b", re.IGNORECASE)


@dataclass(frozen=True)
class Document:
    """What is to be indexed, in plain text with `# ` before headings."""

    kind: str
    key: str
    group: str
    language: str
    title: str
    path: str
    """Of its page on the desk's host, empty where it has none."""
    body: str
    answer: str = ""
    """The public reply that solved a ticket."""
    stamp: str = ""
    """When the source last changed it, in the source's own words."""
    created_at: float = 0.0

    def fingerprint(self, encoder: str) -> str:
        """Return a hash of everything that decides what is kept: the same means that nothing is to be done."""
        parts = [self.group, self.language, self.title, self.path, self.body, self.answer]
        text = "\0".join([encoder, str(VERSION), str(terms.VERSION), *parts])
        return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


@dataclass(frozen=True)
class Kept:
    """One row of a document: a passage with its vector (int8 bytes, times `scale`) and its words."""

    part: int
    text: str
    vector: bytes
    scale: float
    words: bytes


def storable(text: str) -> str:
    """Return `text` without what a database refuses: zero bytes and halves of characters."""
    return text.replace("\0", "").encode("utf-8", "replace").decode("utf-8")


def of_html(html: str) -> str:
    """Return an article's HTML as plain text that keeps its headings."""
    return html_to_text(_HEADING.sub(lambda tag: "</p>" if tag[1] else "<p># ", html))


def language_of(said: str, text: str) -> str:
    """Return the two letters of a vendor's locale like `en-us`, else what the text itself looks like."""
    found = _LANGUAGE.match(said)
    return found[0].lower() if found else detect_language(text)


def keep(document: Document, encode: Encode) -> list[Kept]:
    """Return the rows of `document`, none where it has no words."""
    found = [(BODY, piece) for piece in passages.split(document.body)]
    found += [(ANSWER, piece) for piece in passages.split(document.answer)]
    if not found:
        return []
    # A passage is read with what it stands under; its title has a row of its own.
    texts = [document.title] + [f"{piece.heading}\n{piece.text}".strip() for _, piece in found]
    packed, scales = pack(encode(texts))
    rows = [Kept(TITLE, document.title, packed[0].tobytes(), float(scales[0]), b"")] if document.title else []
    for place, (part, piece) in enumerate(found, 1):
        counted = terms.to_bytes(*terms.terms_of(_counted(document.title, part, piece)))
        rows.append(Kept(part, piece.text, packed[place].tobytes(), float(scales[place]), counted))
    return rows


def _counted(title: str, part: int, piece: passages.Passage) -> str:
    """Return the text whose words count: the title stands for every passage of the body."""
    return "\n".join([title] * (part == BODY) + [piece.heading, piece.text])
