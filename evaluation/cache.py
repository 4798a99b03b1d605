"""Keep sentence vectors on disk between runs: measuring again takes seconds."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from triage.classify.encoder import Encoder, Vectors, clean

CACHE = Path(tempfile.gettempdir()) / "tandem-evaluation" / "vectors.sqlite"
CHUNK = 256


class CachedEncoder:
    """An encoder that asks another one only for texts it has not seen."""

    def __init__(self, encoder: Encoder, path: Path) -> None:
        self._encoder = encoder
        self.model_id, self.dim = encoder.model_id, encoder.dim
        path.parent.mkdir(parents=True, exist_ok=True)
        self._store = sqlite3.connect(path, check_same_thread=False)
        self._store.execute(
            "create table if not exists vectors (model text, text text, vector blob, primary key (model, text))"
        )
        self._known: dict[str, Vectors] = {
            text: np.frombuffer(vector, np.float32)
            for text, vector in self._store.execute("select text, vector from vectors where model = ?", [self.model_id])
        }

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return one row per text."""
        cleaned = [clean(text) for text in texts]
        fresh = [text for text in dict.fromkeys(cleaned) if text not in self._known]
        for start in range(0, len(fresh), CHUNK):
            self._learn(fresh[start : start + CHUNK])
        return np.stack([self._known[text] for text in cleaned]) if cleaned else np.empty((0, self.dim), np.float32)

    def _learn(self, texts: list[str]) -> None:
        vectors = np.ascontiguousarray(self._encoder.encode(texts), np.float32)
        rows = [(self.model_id, text, vector.tobytes()) for text, vector in zip(texts, vectors, strict=True)]
        with self._store:
            self._store.executemany("insert or ignore into vectors values (?, ?, ?)", rows)
        self._known.update(zip(texts, vectors, strict=True))
