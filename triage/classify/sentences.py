"""Split cleaned text into the customer's sentences, word for word, within bounds."""

from __future__ import annotations

import re
import textwrap

MAX_SENTENCES = 40
MAX_SENTENCE = 300
MAX_SCAN = 20_000
"""Characters of one text that are split; what comes later is no longer the matter of a ticket."""
WRAPPED_AT = 60
"""A line this long without a full stop was wrapped by the mail program: the sentence goes on in the next line."""

_END = re.compile(r"(?<=[.!?…])[\"')\]]*\s+|(?<=[。！？])")
_WORD = re.compile(r"\w", re.UNICODE)


def split_sentences(text: str) -> list[str]:
    """Return the sentences of `text` in order, white space collapsed, bare punctuation left out."""
    found: list[str] = []
    for line in _unwrap(text[:MAX_SCAN]):
        for piece in _END.split(line):
            # People who write no full stops still get every word read.
            for sentence in textwrap.wrap(piece, MAX_SENTENCE):
                if _WORD.search(sentence):
                    found.append(sentence)
                if len(found) == MAX_SENTENCES:
                    return found
    return found


def _unwrap(text: str) -> list[str]:
    lines: list[str] = []
    open_ended = False
    for raw in text.splitlines():
        line = raw.strip()
        if open_ended and line[:1].islower():
            lines[-1] += " " + line
        elif line:
            lines.append(line)
        open_ended = len(line) >= WRAPPED_AT and line[-1:] not in ".!?:"
    return lines
