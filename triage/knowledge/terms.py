"""The words of a text as BM25 counts them: folded, cut into pairs where a script has no spaces, kept as numbers."""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections import Counter

import numpy as np
from numpy.typing import NDArray

VERSION = 1
"""Raise it whenever the same text gives other terms: what is stored is then read again."""
MAX_TEXT = 8000
"""Characters of one text that are counted; a passage is far shorter."""
MAX_COUNT = 255

_WORD = re.compile(r"[^\W_]+")
# Scripts written without spaces: Thai to Khmer, kana, ideographs, Hangul.
_DENSE = re.compile(r"[\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
_PLURAL_LEAST = 4

Terms = NDArray[np.uint32]
Counts = NDArray[np.uint8]


def words_of(text: str) -> list[str]:
    """Return the terms of `text` in order, accents and case folded, English plurals as their singular."""
    found = []
    for word in _WORD.findall(_folded(text[:MAX_TEXT])):
        for part in _parts(word):
            found += _pairs(part) if _DENSE.match(part) else [_singular(part)]
    return found


def terms_of(text: str) -> tuple[Terms, Counts]:
    """Return the distinct terms of `text` as sorted 32-bit numbers, and how often each comes (255 at most)."""
    counted = Counter(zlib.crc32(word.encode("utf-8", "replace")) for word in words_of(text))
    numbers = sorted(counted)
    counts = [min(counted[number], MAX_COUNT) for number in numbers]
    return np.asarray(numbers, np.uint32), np.asarray(counts, np.uint8)


def to_bytes(terms: Terms, counts: Counts) -> bytes:
    """Return terms and counts as bytes: five for each term, in the same order on every machine."""
    return terms.astype("<u4").tobytes() + counts.tobytes()


def from_bytes(blob: bytes) -> tuple[Terms, Counts]:
    """Return what `to_bytes` was given."""
    size = len(blob) // 5
    return np.frombuffer(blob, "<u4", size), np.frombuffer(blob, np.uint8, size, offset=4 * size)


def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.casefold())
    # Marks of Latin, Greek and Cyrillic go; those of other scripts are vowels. Hangul and kana are put together again.
    return unicodedata.normalize("NFC", "".join(one for one in plain if not "\u0300" <= one <= "\u036f"))


def _parts(word: str) -> list[str]:
    """Split `word` where dense and spaced scripts meet."""
    parts, end = [], 0
    for match in _DENSE.finditer(word):
        parts += [word[end : match.start()], match[0]]
        end = match.end()
    return [part for part in [*parts, word[end:]] if part]


def _pairs(run: str) -> list[str]:
    return [run[at : at + 2] for at in range(len(run) - 1)] or [run]


def _singular(word: str) -> str:
    if len(word) < _PLURAL_LEAST or not word.isascii() or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    return word[:-3] + "y" if word.endswith("ies") and len(word) > _PLURAL_LEAST else word[:-1]
