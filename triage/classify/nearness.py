"""The view of a ticket that knows how near it is to those the desk has taught, by meaning, and by shape if that helps.

Ridge regression over random Fourier features, which stand for the kernel exp(-WIDTH |a - b|²) (Rahimi and Recht, 2007):
curved borders at the price of one linear system, and no ticket has to be kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from triage.classify.encoder import Vectors
from triage.classify.shape import SIZE as SHAPES

SIZE = 3000
WIDTH = 0.5
SHAPE_WEIGHT = 0.18
"""What one standard deviation of one number of the shape counts beside a vector of length 1."""
MOST_SPREAD = 3.0
SEED = 20260601

Numbers = NDArray[np.float64]
Projected = NDArray[np.float32]


@dataclass(frozen=True)
class Nearness:
    """Middle and spread of each number of the shape, shape (SHAPES,), as the desk's tickets have them."""

    middle: Vectors
    spread: Vectors

    @classmethod
    def fit(cls, shapes: Vectors, *, by_shape: bool) -> Nearness:
        """Learn what is usual; not `by_shape`: look at the meaning only."""
        if not by_shape:
            return cls(np.zeros(SHAPES, np.float32), np.full(SHAPES, np.inf, np.float32))
        spread = shapes.std(axis=0)
        # What is the same in all tickets says nothing, and anything would be far from it.
        return cls(shapes.mean(axis=0), np.where(spread > 0, spread, np.inf).astype(np.float32))

    @classmethod
    def read(cls, middle: Vectors, spread: Vectors) -> Nearness:
        """Return what was stored. Raises ValueError where it is none; a spread may be infinite."""
        if (middle.shape, spread.shape) != ((SHAPES,), (SHAPES,)) or {middle.dtype.kind, spread.dtype.kind} != {"f"}:
            raise ValueError("shape")
        if not (spread > 0).all():
            raise ValueError("spread")
        return cls(middle, spread)

    def apply(self, vectors: Vectors, shapes: Vectors) -> Projected:
        """Return the random features, one row per ticket, shape (n, SIZE); rows have a length of about 1."""
        usual = np.clip((shapes - self.middle) / self.spread, -MOST_SPREAD, MOST_SPREAD)
        directions, phases = _directions(vectors.shape[1] + SHAPES)
        angles = np.hstack([vectors, usual * np.float32(SHAPE_WEIGHT)]).astype(np.float32) @ directions + phases
        projected: Projected = np.cos(angles, out=angles) * np.float32(np.sqrt(2 / SIZE))
        return projected


@cache
def _directions(inputs: int) -> tuple[Projected, Projected]:
    # RandomState, not a Generator: numpy promises that its numbers never change, and stored weights rely on them.
    random = np.random.RandomState(SEED)
    directions = random.standard_normal((inputs, SIZE)) * np.sqrt(2 * WIDTH)
    return directions.astype(np.float32), random.uniform(0, 2 * np.pi, SIZE).astype(np.float32)  # nosec B311


def ridge(projected: Projected, truth: NDArray[np.int64], labels: int, pull: float) -> tuple[Projected, Projected]:
    """Return weights (SIZE, labels) and biases (labels,) whose scores come closest to 1 for the truth and 0 else."""
    wanted = np.eye(labels)[truth] - 1 / labels
    middle, usual = projected.mean(axis=0), wanted.mean(axis=0)
    inputs, wanted = projected - middle, wanted - usual
    if len(inputs) <= SIZE:
        # As many unknowns as tickets: the same weights, and seconds saved for a small desk.
        weights = inputs.T @ _solved(inputs @ inputs.T, pull, wanted)
    else:
        weights = _solved(inputs.T @ inputs, pull, inputs.T @ wanted)
    return weights.astype(np.float32), (usual - middle @ weights).astype(np.float32)


def _solved(products: Projected, pull: float, right: Numbers) -> Numbers:
    square = products.astype(np.float64)
    square[np.diag_indices_from(square)] += pull
    found: Numbers = cho_solve(cho_factor(square, overwrite_a=True, check_finite=False), right, check_finite=False)
    return found
