"""What was found in a text: a kind and its place. The kinds are the words of the placeholders."""

from __future__ import annotations

from dataclasses import dataclass

EMAIL, PHONE, IP, URL = "EMAIL", "PHONE", "IP", "URL"
CARD, IBAN, ID = "CARD", "IBAN", "ID"
SECRET, NAME = "SECRET", "NAME"
LITERAL = "LITERAL"
"""What already looked like a placeholder, so that a text cannot pass its own off as ours."""
KINDS = (LITERAL, URL, SECRET, EMAIL, IBAN, ID, CARD, IP, PHONE, NAME)
"""In the order they are looked for: what was found first keeps its place."""


@dataclass(frozen=True)
class Span:
    """One find: `text[start:end]` is of this kind."""

    kind: str
    start: int
    end: int
