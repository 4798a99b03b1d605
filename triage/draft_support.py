"""Whether a text says what another says, and in which language it is: by words, and by meaning where one is known."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Final

from triage.draft_rules import denials, meant, negated, sentences
from triage.draft_words import ALIKE
from triage.language import UNDETERMINED, detect_language

SHARED_WORDS = 0.6
"""Share of a sentence's words that stand in its source, from which it counts as supported."""
CLOSE = 0.5
"""Cosine of a sentence and the closest of its source, from which it counts as supported."""

CLAUSE_WORDS, CLAUSE_SHARED = 4, 0.3
"""Words that make a clause a claim, and the share of them that its source must have."""

Close = Callable[[Sequence[str], Sequence[str]], Sequence[float]]
"""Sentences and candidates -> for each sentence the cosine of the closest candidate."""

_CLAUSE: Final = re.compile(r"[:;]\s+|\s+[–—-]\s+")
_WORD: Final = re.compile(r"[^\W_]+")
_DENSE: Final = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff]")
_STOPWORDS: Final = """\
the and for you your with that this are can will from have not but our was per der die das und ist sie ihr ihre ihren
ein eine für mit auf den dem von nicht les des une est pour vous votre vos dans que sur los las una por para con del
sus más come sono gli che della nel uma seu sua dos das não het een van voor zijn dat
"""
_STOP: Final = frozenset(_STOPWORDS.split())


def nothing_close(texts: Sequence[str], _candidates: Sequence[str]) -> Sequence[float]:
    """Judge by words alone, where there is no encoder."""
    return [0.0] * len(texts)


def supported(text: str, texts: Sequence[str], close: Close) -> bool:
    """Say whether one of `texts` says what `text` says, by its words or by their meaning, and does not deny it."""
    # What follows a colon is a claim of its own, however well the rest of the sentence is covered.
    clauses = [one for one in _CLAUSE.split(text) if len(_content(one)) >= CLAUSE_WORDS]
    return _supported(text, texts, close) and (len(clauses) < 2 or all(_touched(one, texts, close) for one in clauses))


def _touched(clause: str, texts: Sequence[str], close: Close) -> bool:
    """Say whether some sentence of `texts` has a part of the words of `clause`, or its meaning."""
    told = [one for source in texts for one in sentences(source) if _WORD.search(one)]
    if any(shared_words(clause, one) >= CLAUSE_SHARED for one in told):
        return True
    return bool(told) and close([clause], told)[0] >= CLOSE


def _supported(text: str, texts: Sequence[str], close: Close) -> bool:
    for source in texts:
        told = [one for one in sentences(source) if _WORD.search(one)]
        windows = [*told, *(f"{one} {two}" for one, two in pairwise(told))]
        if not windows:
            continue
        shared = [shared_words(text, window) for window in windows]
        if max(shared) < SHARED_WORDS and close([text], windows)[0] < CLOSE:
            continue
        if not _denied(text, told, shared[: len(told)], source):
            return True
    return False


def _denied(text: str, told: Sequence[str], shared: Sequence[float], source: str) -> bool:
    """Say whether a sentence says the opposite of its source, as far as words like "not" tell."""
    best = max(range(len(told)), key=shared.__getitem__)
    if shared[best] >= SHARED_WORDS:
        return denials(text) % 2 != denials(told[best]) % 2
    return negated(text) and not negated(source)


def shared_words(text: str, source: str) -> float:
    """Return the share of the words of `text` that stand in `source`, by their beginnings."""
    wanted, there = _content(text), _content(source)
    return len(wanted & there) / len(wanted) if wanted else 0.0


def _content(text: str) -> set[str]:
    """Return the beginnings of the words that carry meaning; of scripts without spaces their pairs."""
    found = set()
    for word in words(text):
        if _DENSE.search(word):
            found |= {word[at : at + 2] for at in range(len(word) - 1)}
        elif (len(word) > 2 or word.isdigit()) and word not in _STOP:
            found.add(word[:5])
    return found


def words(text: str) -> list[str]:
    """Return the words of `text` as they are compared."""
    return _WORD.findall(meant(text).casefold())


def count(text: str) -> int:
    """Return how many words `text` has; two characters of a script without spaces are one."""
    return len(_DENSE.sub("", text).split()) + (len(_DENSE.findall(text)) + 1) // 2


def in_language(text: str, wanted: str, letters: int) -> bool:
    """Say whether `text` may be in the language `wanted`; too little of it may be in any."""
    if wanted == UNDETERMINED or sum(map(str.isalpha, text)) + 2 * len(_DENSE.findall(text)) < letters:
        return True
    found = detect_language(text)
    alike = any({found, wanted} <= group for group in ALIKE) and len(text) < 8 * letters
    return found in (wanted[:2], UNDETERMINED) or alike
