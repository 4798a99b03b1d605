"""BM25 over term numbers, in memory: Robertson and Zaragoza, "The Probabilistic Relevance Framework" (2009)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from triage.knowledge.terms import Counts, Terms

K1 = 1.2
B = 0.75
MAX_QUERY_TERMS = 48
"""The rarest terms of a question decide; the others cost time and add next to nothing."""

Scores = NDArray[np.float32]


class Bm25:
    """Scores passages against a question; built once, then only read."""

    def __init__(self, passages: Sequence[tuple[Terms, Counts]]) -> None:
        """Take terms and counts of each passage."""
        lengths = np.asarray([int(counts.sum(dtype=np.int64)) for _, counts in passages], np.float32)
        sizes = [len(terms) for terms, _ in passages]
        terms = np.concatenate([terms for terms, _ in passages]) if passages else np.empty(0, np.uint32)
        counts = np.concatenate([counts for _, counts in passages]) if passages else np.empty(0, np.uint8)
        rows = np.repeat(np.arange(len(passages), dtype=np.int32), sizes)
        order = np.argsort(terms, kind="stable")
        self.size = len(passages)
        self._terms, starts = np.unique(terms[order], return_index=True)
        self._starts = np.append(starts, len(order)).astype(np.int64)
        self._rows = rows[order]
        how_often = counts[order].astype(np.float32)
        # Titles have a row for their vector and no words: they must not make the others look long.
        mean = float(lengths[lengths > 0].mean()) if (lengths > 0).any() else 1.0
        norm = K1 * (1 - B + B * lengths / max(mean, 1.0))
        # What one occurrence adds without the rarity of its term: kept in half precision, which is exact enough.
        self._weights = (how_often * (K1 + 1) / (how_often + norm[self._rows])).astype(np.float16)

    def scores(self, terms: Terms) -> tuple[Scores, float]:
        """Return the score of each passage for a question's distinct `terms`, and the sum of their rarities."""
        found = np.zeros(self.size, np.float32)
        if not self.size or not len(terms):
            return found, 0.0
        places = np.searchsorted(self._terms, terms)
        known = places < len(self._terms)
        known[known] = self._terms[places[known]] == terms[known]
        inside = places[known]
        frequency = self._starts[inside + 1] - self._starts[inside]
        rarity = np.log1p((self.size - frequency + 0.5) / (frequency + 0.5))
        # Terms that no passage holds count in the sum: a question about something else must not look answered.
        unknown = int((~known).sum()) * float(np.log1p((self.size + 0.5) / 0.5))
        for place in np.argsort(-rarity, kind="stable")[:MAX_QUERY_TERMS]:
            start, end = self._starts[inside[place]], self._starts[inside[place] + 1]
            # A term comes once in a passage's list, so plain indexing adds every occurrence.
            found[self._rows[start:end]] += self._weights[start:end] * np.float32(rarity[place])
        return found, float(rarity.sum()) + unknown
