"""Does a ticket resemble anything the desk has taught? Nearest example, with limits found on tickets held out.

The certainty of a label cannot tell: it says which of the known labels fits best, also where none fits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triage.classify.encoder import Vectors

MOST_EXAMPLES = 2000
"""Of 8,000 examples these find out-of-scope texts nearly as well as all (AUROC 0.960 and 0.966 on CLINC150)."""
STRANGE, DOUBTFUL, USUAL = (0.003, 2.75, 0.3), (0.05, 1.64, 0.45), (0.5, 0.0, 0.8)
"""Each limit: the share of the desk's own tickets that are further away; the same in standard deviations from the
middle; and the cosine which the limits of a small desk do not exceed."""
ENOUGH = 500
"""Fewer tickets (near-duplicates counted once) have not shown all that a desk gets."""
LEAST_TRUST = 0.45
"""What is left of a probability right above the limit of the strange: too little to be written."""
STEPS = 127
SEED = 20260601


Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Novelty:
    """Examples in 8 bits, shape (m, dim), and cosines below which a ticket is strange, doubtful or less than usual."""

    examples: NDArray[np.int8]
    strange: float
    doubtful: float
    usual: float

    @classmethod
    def fit(cls, vectors: Vectors, groups: NDArray[np.int64]) -> tuple[Novelty, Vectors]:
        """Return what tickets teach, and the cosine of each with the nearest of another group.

        Those of one group are near-duplicates and say nothing about how far a new ticket may be.
        """
        chosen = np.sort(np.random.default_rng(SEED).permutation(len(vectors))[:MOST_EXAMPLES])
        examples = np.rint(vectors[chosen] * STEPS).astype(np.int8)
        cosines = _cosines(vectors, examples)
        cosines[groups[:, None] == groups[chosen][None, :]] = -1
        nearest: Vectors = cosines.max(axis=1)
        small = len(set(groups)) < ENOUGH
        return cls(examples, *(_limit(nearest, rule, small) for rule in (STRANGE, DOUBTFUL, USUAL))), nearest

    @classmethod
    def read(cls, examples: NDArray[np.int8], limits: Numbers, dim: int | None) -> Novelty:
        """Return what was stored. Raises ValueError where it is none, or not of `dim` numbers per example."""
        if examples.dtype != np.int8 or examples.ndim != 2 or not 1 <= len(examples) <= MOST_EXAMPLES:
            raise ValueError("examples")
        if examples.shape[1] != (dim or examples.shape[1]) or limits.shape != (3,):
            raise ValueError("examples")
        return cls(examples, *map(float, limits))

    def nearest(self, vectors: Vectors) -> Vectors:
        """Return the cosine of each ticket with its nearest example."""
        found: Vectors = _cosines(vectors, self.examples).max(axis=1)
        return found

    def doubted(self, probabilities: Numbers, nearest: Vectors) -> Numbers:
        """Return `probabilities` with one more column, "none of these", drawn in the further a ticket is away.

        A doubtful ticket keeps its order of labels and loses certainty; of a strange one, none is the likeliest.
        """
        between = (nearest - self.strange) / max(self.doubtful - self.strange, 1e-9)
        trust = LEAST_TRUST + (1 - LEAST_TRUST) * np.clip(between, 0, 1).astype(np.float64)[:, None]
        known = np.hstack([probabilities, np.zeros((len(probabilities), 1))])
        even = np.full_like(known, 1 / known.shape[1])
        none = np.eye(known.shape[1])[[-1]]
        rest = np.where((nearest < self.strange)[:, None], none, even)
        return np.asarray(trust * known + (1 - trust) * rest, np.float64)


def _limit(nearest: Vectors, rule: tuple[float, float, float], small: bool) -> float:
    share, deviations, most = rule
    # A few dozen tickets do not show the far end: there the deviations say where it is.
    limit = min(float(np.quantile(nearest, share)), float(nearest.mean() - deviations * nearest.std()))
    return min(limit, most) if small else limit


def _cosines(vectors: Vectors, examples: NDArray[np.int8]) -> Vectors:
    return np.asarray(vectors @ (examples.astype(np.float32).T / STEPS), np.float32)
