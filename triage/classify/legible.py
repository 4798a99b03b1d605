"""Whether the sentence encoder can read a text at all: its language, its script, and whether it holds words.

A vector comes out of every text; one of noise, or of a language the encoder has never seen, means nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from triage.language import UNDETERMINED

READS = frozenset(["ar", "de", "en", "es", "fr", "it", "ja", "ko", "nl", "pl", "pt", "ru", "th", "tr", "zh"])
"""Languages of the encoder (its 16th is Chinese in traditional characters, which is `zh` too)."""
CERTAIN_FROM = 20
"""Letters from which the language is known: of shorter texts one in ten is taken for another language."""
_UNREAD_SCRIPT = re.compile(
    r"[\u0370-\u03ff\u0530-\u05ff\u0700-\u074f\u0780-\u07ff\u0900-\u0dff\u0e80-\u109f\u10a0-\u10ff\u1200-\u139f\u1780-\u17ff\u1f00-\u1fff]"
)
"""Greek, Armenian, Hebrew, Syriac, the scripts of India, Lao, Tibetan, Burmese, Georgian, Ethiopic, Khmer."""
_WORD = re.compile(r"(?<![^\W_])[^\W\d_]{2,}(?![^\W_])")
"""Letters alone: neither a number nor the digits of a hash."""
_ALONE = re.compile(r"[\u0600-\u06ff\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
"""Letters of scripts whose words have no spaces, or no written vowels, between them."""
_DEBRIS = re.compile("[\x80-\x9f¢¤¦¨©¬®¯±²³µ¶¸¹¼½¾×÷\ufffd]")
"""What bytes that are no text turn into; signs that people write by themselves are left out."""
DEBRIS_SHARE, DEBRIS_LEAST = 0.05, 5
_UNSAYABLE = re.compile(r"[bcdfghjklmnpqrstvwxz]{5}|^[^aeiouyæøœıаеёиоуыэюяєії]+$")
LONG, LONG_WORDS = 4, 3
"""Letters of a word, and number of such words, from which it shows whether they can be spoken."""


def legible(text: str, language: str) -> bool:
    """Say whether the encoder can read `text`; `language` is what `detect_language` says of it.

    In doubt it is legible: a short text, a lone error code and words of a trade are read as they are.
    """
    letters = sum(map(str.isalpha, text))
    if 2 * len(_UNREAD_SCRIPT.findall(text)) > letters:
        return False
    if language not in READS and language != UNDETERMINED and letters >= CERTAIN_FROM:
        return False
    words = _WORD.findall(text)
    if not words and not _ALONE.search(text):
        return False
    debris = len(_DEBRIS.findall(text))
    if debris >= max(DEBRIS_LEAST, DEBRIS_SHARE * len("".join(text.split()))):
        return False
    return not _gibberish([_plain(word) for word in words if len(word) >= LONG and not _ALONE.search(word)])


def _gibberish(words: Sequence[str]) -> bool:
    return len(words) >= LONG_WORDS and 2 * sum(bool(_UNSAYABLE.search(word)) for word in words) >= len(words)


def _plain(word: str) -> str:
    """Return `word` in small letters without accents."""
    parts = unicodedata.normalize("NFKD", word.casefold())
    return "".join(part for part in parts if not unicodedata.combining(part))
