"""What a learned model sees of a ticket: the mean of its sentence vectors, its shape, hashed words and letters.

The meaning carries over to words never seen and to other languages, the words know the desk's own names and codes;
each alone is worse (see docs). Hashes, not words, are kept: no text of a customer is stored in a model.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, hstack, vstack
from sklearn.feature_extraction.text import HashingVectorizer

from triage.classify.context import context_of
from triage.classify.encoder import Encoder, Vectors
from triage.classify.heads import unit
from triage.classify.sentences import split_sentences
from triage.classify.shape import SIZE as SHAPES
from triage.classify.shape import shape_of
from triage.clean import CleanTicket, clean_ticket
from triage.ticket import Ticket

VERSION = 2
"""Stored with every model: raise it with any change to these numbers or to what is stored; old models are refused."""
WORD_BUCKETS, LETTER_BUCKETS = 2**17, 2**18
BUCKETS = WORD_BUCKETS + LETTER_BUCKETS
MAX_CHARS = 4000
"""Of a ticket's text for the counts; logs and long threads add time and no knowledge."""
MAX_WORDS = 220
CHUNK = 32
"""Tickets read at once: the encoder is half as fast again on many sentences, and its cache holds them all."""

Counts = Any
"""A scipy CSR matrix: scipy brings no types."""
_WORD = r"(?u)\b\w+\b"
_GLUE = re.compile(r"\W+")


@dataclass(frozen=True)
class Features:
    """The same tickets four ways, one row each."""

    texts: tuple[str, ...]
    vectors: Vectors
    shapes: Vectors
    counts: Counts

    def part(self, rows: Any) -> Features:
        """Return `rows` (indices) only."""
        return Features(
            tuple(self.texts[row] for row in rows), self.vectors[rows], self.shapes[rows], self.counts[rows]
        )


def read_features(
    tickets: Sequence[Ticket], encoder: Encoder, progress: Callable[[int], None] = lambda _done: None
) -> Features:
    """Return the features of `tickets`; `progress` hears how many were read since it was called last."""
    texts, vectors, shapes, counts = [], [], [], []
    for part in _chunks(tickets):
        cleaned = [clean_ticket(ticket) for ticket in part]
        texts += [text_of(clean) for clean in cleaned]
        vectors.append(_vectors(cleaned, encoder))
        shapes += [shape_of(clean.subject, clean.text) for clean in cleaned]
        counts.append(_counts(texts[-len(part) :], [_facts(*pair) for pair in zip(part, cleaned, strict=True)]))
        progress(len(part))
    if not tickets:
        return Features(
            (), np.empty((0, encoder.dim), np.float32), np.empty((0, SHAPES), np.float32), csr_matrix((0, BUCKETS))
        )
    return Features(tuple(texts), np.vstack(vectors), np.stack(shapes), vstack(counts, format="csr"))


def text_of(clean: CleanTicket) -> str:
    """Return the text of a ticket that is counted, and that stands for it where duplicates are looked for."""
    return f"{clean.subject}\n{clean.text}".strip()


def _chunks(tickets: Sequence[Ticket]) -> Iterator[Sequence[Ticket]]:
    for start in range(0, len(tickets), CHUNK):
        yield tickets[start : start + CHUNK]


def _vectors(cleaned: Sequence[CleanTicket], encoder: Encoder) -> Vectors:
    """Return the direction of all sentences of each ticket together; zeros where there is no word."""
    sentences = [_sentences(clean) for clean in cleaned]
    found = encoder.encode([one for every in sentences for one in every])
    rows, start = np.zeros((len(cleaned), encoder.dim), np.float32), 0
    for row, every in enumerate(sentences):
        if every:
            rows[row] = unit(found[start : start + len(every)].mean(axis=0))
        start += len(every)
    return rows


def _sentences(clean: CleanTicket) -> list[str]:
    """Return at most MAX_WORDS of subject, newest message and earlier ones: those the embedded classifier reads."""
    kept, words = [], 0
    for sentence in dict.fromkeys(
        one for text in (clean.subject, clean.latest, clean.text) for one in split_sentences(text)
    ):
        kept.append(sentence)
        words += len(sentence.split())
        if words >= MAX_WORDS:
            break
    return kept


def _facts(ticket: Ticket, clean: CleanTicket) -> str:
    """Return what is known besides the text, as words of their own: plan, size, and how often they wrote."""
    context = context_of(ticket, clean)
    tier = _GLUE.sub("", context.tier.casefold())
    facts = [f"tier{tier}"] if tier else []
    facts += [f"mrr{min(9, int(np.log2(1 + max(context.mrr, 0)) / 2))}"] if context.mrr is not None else []
    facts += [f"tickets{min(context.tickets_30d, 5)}"] if context.tickets_30d else []
    facts += [f"unanswered{min(context.unanswered, 4)}"] if context.unanswered > 1 else []
    return " ".join(f"xfact{fact}" for fact in facts)


def _counts(texts: Sequence[str], facts: Sequence[str]) -> Counts:
    words, letters = _hashers()
    short = [text[:MAX_CHARS] for text in texts]
    said = [f"{text}\n{fact}" for text, fact in zip(short, facts, strict=True)]
    return hstack([words.transform(said), letters.transform(short)], format="csr", dtype=np.float32)


@cache
def _hashers() -> tuple[Any, Any]:
    plain = {"alternate_sign": False, "norm": None, "dtype": np.float32, "strip_accents": "unicode"}
    return (
        HashingVectorizer(ngram_range=(1, 2), n_features=WORD_BUCKETS, token_pattern=_WORD, **plain),
        HashingVectorizer(analyzer="char_wb", ngram_range=(3, 5), n_features=LETTER_BUCKETS, **plain),
    )
