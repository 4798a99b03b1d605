"""What a ticket looks like to the heads that judge it whole: its gist, its strongest sentences, its punctuation."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from triage.classify.encoder import Vectors
from triage.classify.heads import Head, Scores, against_rest
from triage.classify.reading import Mask, Reading

MOST = 6.0
"""Log-odds beyond this say no more."""
SCALE = 3.0
"""Brings log-odds near the size of the other features, so that one regularization suits all."""
LOUD_FROM = 4
"""Letters from which a word in capitals is shouted; shorter ones are abbreviations."""
_WORD = re.compile(r"[^\W\d_]{2,}")
_DOUBLED = re.compile(r"[!?]{2,}")
_TRAILING = re.compile(r"\.\.\.|…")
_GLAD = re.compile(r"[🙂😀😊😃👍❤🎉😍🙏]|[:;]-?\)")
_CROSS = re.compile(r"[😡🤬😠👎😤🙄😞]|:-?\(")


def peaks(head: Head, label: str, vectors: Vectors) -> list[float]:
    """Return the strongest, the two strongest, the mean and the last sentence's log-odds for `label`."""
    odds = np.clip(against_rest(head.scores(vectors), head.index(label)), -MOST, MOST) / SCALE
    if not len(odds):
        return [-MOST / SCALE] * 4
    return [float(odds.max()), float(np.sort(odds)[-2:].mean()), float(odds.mean()), float(odds[-1])]


def surface(sentences: Sequence[str]) -> list[float]:
    """Return how loudly the sentences are written, in any language."""
    text = " ".join(sentences)
    words = _WORD.findall(text)
    loud = sum(len(word) >= LOUD_FROM and word.isupper() for word in words)
    return [
        min(text.count("!"), 4) / 4,
        float(bool(_DOUBLED.search(text))),
        min(1.0, 3 * loud / max(1, len(words))),
        float(loud >= 2),
        min(text.count("?"), 4) / 4,
        float(np.log1p(len(words))) / 5,
        float(bool(_TRAILING.search(text))),
        float(bool(_GLAD.search(text))),
        float(bool(_CROSS.search(text))),
    ]


def newest(reading: Reading) -> Mask:
    """Return the sentences that show today's mood: of the newest message where it shows any."""
    rows = reading.felt & reading.newest
    return rows if rows.any() else reading.felt


def picked(reading: Reading, rows: Mask) -> list[str]:
    """Return the sentences of `rows`."""
    return [sentence for sentence, keep in zip(reading.sentences, rows, strict=True) if keep]


def beside(vector: Vectors | Scores, extras: Sequence[float]) -> Scores:
    """Return one feature row: the vector and the extras behind it."""
    return np.concatenate([vector.astype(np.float64), np.asarray(extras, np.float64)])
