"""A learned model of one field: two linear views added up, in arrays and plain JSON. Nothing in it can run code."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triage.classify.calibration import Scores, chances
from triage.classify.learned_features import BUCKETS, VERSION, Features
from triage.classify.views import Linear, Wording
from triage.errors import TandemError

UNREADABLE = "the stored model cannot be read ({reason}); learn again"
FOREIGN = "the stored model was made with other vectors ({found}); learn again"


class ForeignModelError(TandemError):
    """A stored model that this version cannot use; the message says to learn again."""


@dataclass(frozen=True)
class LearnedHead:
    """Labels with their weights; temperature and mix are folded into the numbers."""

    labels: tuple[str, ...]
    encoder: str
    """Who made the vectors: with others the weights mean nothing."""
    meaning: Linear | None
    wording: tuple[Wording, Linear] | None
    thresholds: Mapping[str, float] = field(default_factory=dict)
    """Target precision ("0.95") -> probability from which answers are right that often; 1.0: never."""
    seen: frozenset[int] = frozenset()
    """Fingerprints of the texts it learned from: it cannot be tested on these."""

    def scores(self, features: Features) -> Scores:
        """Return calibrated log-odds, one row per ticket and one column per label."""
        return scores_of(features, self.meaning, self.wording)

    def probabilities(self, features: Features) -> list[dict[str, float]]:
        """Return label -> probability for each ticket."""
        rows = chances(self.scores(features))
        return [{label: float(p) for label, p in zip(self.labels, row, strict=True)} for row in rows]

    def threshold(self, precision: float) -> float | None:
        """Return the probability from which answers are right with `precision`, None where that is not known."""
        known = sorted((float(target), value) for target, value in self.thresholds.items())
        return next((value for target, value in known if target >= precision - 1e-9), None)

    def to_bytes(self) -> bytes:
        """Return the head as a compressed npz file; `from_bytes` reads it back."""
        arrays: dict[str, NDArray[Any]] = {}
        if self.meaning:
            arrays |= {"meaning": self.meaning.weights.astype(np.float32), "meaning_bias": self.meaning.bias}
        if self.wording:
            words, linear = self.wording
            arrays |= {"columns": words.columns, "idf": words.idf}
            arrays |= {"wording": linear.weights.astype(np.float16), "wording_bias": linear.bias}
        about = {
            "features": VERSION,
            "encoder": self.encoder,
            "labels": list(self.labels),
            "thresholds": dict(self.thresholds),
        }
        arrays["seen"] = np.asarray(sorted(self.seen), np.uint64)
        arrays["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
        file = io.BytesIO()
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
        return file.getvalue()

    @classmethod
    def from_bytes(cls, stored: bytes, encoder: str) -> LearnedHead:
        """Return the head of `stored`. Raises ForeignModelError where it is damaged or of another encoder."""
        try:
            # Without pickle a file holds numbers only, whoever wrote it.
            with np.load(io.BytesIO(stored), allow_pickle=False) as arrays:
                about = json.loads(arrays["about"].tobytes())
                found = f"{about['encoder']}, features {about['features']}"
                if (about["encoder"], about["features"]) != (encoder, VERSION):
                    raise ForeignModelError(FOREIGN.format(found=found))
                return cls._read(about, arrays)
        except ForeignModelError:
            raise
        except Exception as error:  # numpy and zipfile raise whatever the damage makes them
            raise ForeignModelError(UNREADABLE.format(reason=type(error).__name__)) from None

    @classmethod
    def _read(cls, about: Mapping[str, Any], arrays: Any) -> LearnedHead:
        labels = tuple(str(label) for label in about["labels"])
        meaning = wording = None
        if "meaning" in arrays:
            meaning = Linear(arrays["meaning"], arrays["meaning_bias"])
        if "columns" in arrays:
            columns = arrays["columns"]
            linear = Linear(arrays["wording"].astype(np.float32), arrays["wording_bias"])
            wording = (Wording(columns, arrays["idf"]), linear)
            if len(columns) != len(linear.weights) or len(columns) != len(arrays["idf"]) or max(columns) >= BUCKETS:
                raise ValueError("columns")
        for view in (meaning, wording[1] if wording else None):
            if view and (view.weights.shape[1], view.bias.shape) != (len(labels), (len(labels),)):
                raise ValueError("labels")
        seen = frozenset(int(one) for one in arrays["seen"])
        return cls(labels, about["encoder"], meaning, wording, dict(about["thresholds"]), seen)


def fingerprint(text: str) -> int:
    """Return a number of 64 bits that stands for `text`."""
    return int.from_bytes(blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "big")


def scores_of(features: Features, meaning: Linear | None, wording: tuple[Wording, Linear] | None) -> Scores:
    """Return the sum of both views, one row per ticket and one column per label."""
    total = np.zeros((1, 1))
    if meaning:
        total = total + meaning.scores(features.vectors)
    if wording:
        words, linear = wording
        total = total + linear.scores(words.apply(features.counts))
    return total
