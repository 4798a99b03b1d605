"""One desk's documents in memory, and the search: sentence vectors and BM25 together.

A document has rows of up to three parts: title, body, answer (of a solved ticket). A part counts with its best row, a
document with the mean of its parts; `evaluation/retrieval.py` measures the weights.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from triage.knowledge.bm25 import Bm25
from triage.knowledge.terms import Counts, Terms, terms_of
from triage.knowledge.vectors import Bytes, Vectors, cosines

TITLE, BODY, ANSWER = 0, 1, 2
PARTS = 3
WORDS_WEIGHT = 1.0
"""What the share of the question's words weighs beside the cosine."""
FEW_WORDS = 80.0
"""Rarity added to every question, so that one word of a short one is not most of it."""
SHARED_CLOSENESS = 0.5
"""What the best share of the words adds to the best cosine when it is asked whether anything is shown at all."""
EXAMINED = 50
"""Of the best documents; what comes later is not close either."""
SAME_LANGUAGE = 0.05
"""Added for a document in the ticket's language: of two that say the same, the readable one."""
QUERY_WORDS = 200
_NOWHERE = -9.0

Encode = Callable[[Sequence[str]], Vectors]


@dataclass(frozen=True)
class Entry:
    """A document without its text."""

    id: int
    kind: str
    key: str
    group: str
    """Translations of one article share it."""
    language: str
    title: str
    path: str


@dataclass(frozen=True)
class Rows:
    """The passages of all documents, in the order of documents and parts; all of the same length."""

    documents: NDArray[np.int64]
    """Position of the document in the entries."""
    parts: NDArray[np.int8]
    passages: NDArray[np.int64]
    """The passage's id in the database."""
    vectors: Bytes
    scales: Vectors
    words: Sequence[tuple[Terms, Counts]]


@dataclass(frozen=True)
class Query:
    """A question as the index reads it."""

    vector: Vectors
    terms: Terms
    language: str

    @classmethod
    def of(cls, subject: str, text: str, language: str, encode: Encode) -> Query:
        """Return the question of a cleaned ticket: its subject weighs as much as all of it together."""
        whole = f"{subject}\n{' '.join(text.split()[:QUERY_WORDS])}".strip()
        vectors = encode([subject, whole] if subject else [whole])
        mean = vectors.mean(axis=0)
        return cls(mean / max(float(np.linalg.norm(mean)), 1e-9), terms_of(whole)[0], language[:2])


@dataclass(frozen=True)
class Hit:
    """A document that fits, and the passage of it that fits best (for a ticket: of its answer)."""

    entry: Entry
    score: float
    closeness: float
    passage: int


class Index:
    """Searches one desk's documents; built once, then only read, by any number of threads."""

    def __init__(self, entries: Sequence[Entry], rows: Rows) -> None:
        self.entries = entries
        self.size = len(rows.documents)
        self._bm25 = Bm25(rows.words)
        # The words are in there now, sorted: once is enough.
        self._rows = replace(rows, words=())
        # Where each (document, part) begins: the rows are in that order.
        key = rows.documents * PARTS + rows.parts
        self._starts = np.flatnonzero(np.diff(key, prepend=-1)) if self.size else np.empty(0, np.int64)
        self._cells = key[self._starts]
        self._languages = np.asarray([entry.language[:2] for entry in entries], "<U2")
        self._kinds = np.asarray([entry.kind for entry in entries])
        self._groups: dict[tuple[str, str], list[int]] = {}
        for place in np.unique(rows.documents):
            entry = entries[place]
            self._groups.setdefault((entry.kind, entry.group), []).append(int(place))

    def search(self, query: Query, kinds: Collection[str], most: int, least: float) -> list[Hit]:
        """Return at most `most` documents of these kinds that are at least as close as `least`, best first.

        The score orders; closeness says whether a document is about the question at all. Of an article's translations
        only one is returned: that in the question's language if there is one.
        """
        if not self.size:
            return []
        near = cosines(self._rows.vectors, self._rows.scales, query.vector)
        found, rarity = self._bm25.scores(query.terms)
        shared = found / np.float32(rarity + FEW_WORDS)
        scores = self._by_document(near, shared) + SAME_LANGUAGE * (self._languages == query.language)
        scores[~np.isin(self._kinds, list(kinds))] = _NOWHERE
        hits: list[Hit] = []
        taken: set[tuple[str, str]] = set()
        for place in np.argsort(-scores, kind="stable")[: max(EXAMINED, most)]:
            if scores[place] < 0:  # of another kind, without words, or about the opposite
                break
            entry = self.entries[place]
            rows = self._rows_of(int(place))
            closeness = float(near[rows].max() + SHARED_CLOSENESS * shared[rows].max())
            if closeness < least or (entry.kind, entry.group) in taken:
                continue
            taken.add((entry.kind, entry.group))
            shown = self._in_language(int(place), query.language)
            best = self._best_passage(shown, near + WORDS_WEIGHT * shared)
            hits.append(Hit(self.entries[shown], float(scores[place]), closeness, best))
            if len(hits) == most:
                break
        return hits

    def _by_document(self, near: Vectors, shared: Vectors) -> Vectors:
        """Return each document's score; one without rows stays out of reach."""
        size = len(self.entries)
        nearest = np.full((size, PARTS), np.nan, np.float32)
        nearest.reshape(-1)[self._cells] = np.maximum.reduceat(near, self._starts)
        words = np.full((size, PARTS), np.nan, np.float32)
        words.reshape(-1)[self._cells] = np.maximum.reduceat(shared, self._starts)
        # A title's words count in the body, where they stand too.
        words[:, TITLE] = np.nan
        scores = _mean(nearest) + WORDS_WEIGHT * np.nan_to_num(_mean(words))
        return np.nan_to_num(scores, nan=_NOWHERE).astype(np.float32)

    def _in_language(self, place: int, language: str) -> int:
        """Return the position of the same document in `language`, else `place`."""
        entry = self.entries[place]
        if entry.language[:2] == language:
            return place
        others = self._groups[entry.kind, entry.group]
        return next((other for other in others if self.entries[other].language[:2] == language), place)

    def _rows_of(self, place: int) -> slice:
        return slice(*np.searchsorted(self._rows.documents, [place, place + 1]))

    def _best_passage(self, place: int, close: Vectors) -> int:
        """Return the closest row of the document's last part: the answer of a ticket, the body of an article."""
        rows = self._rows_of(place)
        last = self._rows.parts[rows] == self._rows.parts[rows].max()
        best = int(np.where(last, close[rows], _NOWHERE).argmax())
        return int(self._rows.passages[rows][best])


def _mean(parts: Vectors) -> Vectors:
    """Return the mean of each row's numbers, NaN where there is none."""
    there = ~np.isnan(parts)
    counted = there.sum(axis=1)
    total = np.where(there, parts, 0).sum(axis=1)
    return np.where(counted > 0, total / np.maximum(counted, 1), np.nan).astype(np.float32)
