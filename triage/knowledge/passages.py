"""Cut a text into passages of 120 to 200 words, at headings first, then between sentences."""

from __future__ import annotations

import re
from dataclasses import dataclass

WANTED_WORDS = 160
MOST_WORDS = 200
LEAST_WORDS = 40
"""A shorter rest goes to the passage before it, where there is room."""
MAX_PASSAGES = 60
"""Of one document: some 10,000 words. What stands later is not an answer but a manual."""

_HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$")
_END = re.compile(r"(?<=[.!?…:])\s+|(?<=[。！？])")
# Scripts without spaces: two characters stand for a word.
_DENSE = re.compile(r"[\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


@dataclass(frozen=True)
class Passage:
    """A piece of a document; `heading` is that of the part it stands in, "" before the first."""

    heading: str
    text: str


def split(text: str) -> list[Passage]:
    """Return the passages of `text`, whose headings are lines that begin with `#`."""
    found: list[Passage] = []
    for heading, body in _parts(text):
        for piece in _pieces(body):
            if found and found[-1].heading == heading and count(piece) < LEAST_WORDS and _fits(found[-1].text, piece):
                found[-1] = Passage(heading, f"{found[-1].text}\n{piece}")
            else:
                found.append(Passage(heading, piece))
    return found[:MAX_PASSAGES]


def count(text: str) -> int:
    """Return how many words `text` has."""
    dense = len(_DENSE.findall(text))
    return len(text.split()) + dense // 2


def _fits(text: str, more: str) -> bool:
    return count(text) + count(more) <= MOST_WORDS


def _parts(text: str) -> list[tuple[str, str]]:
    """Return (heading, body) of each part with a body."""
    parts: list[tuple[str, list[str]]] = [("", [])]
    for line in text.splitlines():
        if heading := _HEADING.match(line.strip()):
            parts.append((heading[1], []))
        else:
            parts[-1][1].append(line.strip())
    joined = [(heading, "\n".join(lines).strip()) for heading, lines in parts]
    return [(heading, body) for heading, body in joined if body]


def _pieces(body: str) -> list[str]:
    """Return `body` in pieces of about WANTED_WORDS, each whole sentences."""
    pieces: list[str] = []
    held = ""
    for line in body.splitlines():
        for position, sentence in enumerate(_sentences(line)):
            joint = " " if position else "\n"
            if held and (count(held) >= WANTED_WORDS or not _fits(held, sentence)):
                pieces.append(held)
                held = sentence
            else:
                held = f"{held}{joint}{sentence}".strip()
    return [*pieces, held] if held else pieces


def _sentences(line: str) -> list[str]:
    found = []
    for sentence in _END.split(line):
        while count(sentence) > MOST_WORDS:
            # Not a sentence but a table or a log: cut by length, so that no passage is longer than the encoder reads.
            found.append(sentence[: 6 * MOST_WORDS])
            sentence = sentence[6 * MOST_WORDS :]
        if sentence.strip():
            found.append(sentence.strip())
    return found
