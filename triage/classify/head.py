"""A learned model of one field: views added up, in arrays and plain JSON. Nothing in it can run code."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from triage.classification import NO_TEAM
from triage.classify.calibration import Scores, chances
from triage.classify.head_file import Arrays, read_arrays
from triage.classify.learned_features import BUCKETS, VERSION, Features
from triage.classify.nearness import SIZE, Nearness
from triage.classify.novelty import Novelty
from triage.classify.views import Linear, Wording
from triage.errors import TandemError

UNREADABLE = (
    "the stored model cannot be read ({reason}) and is not used; teach it again: python manage.py learn --desk DESK"
)
FOREIGN = (
    "the stored model was made by another version of Tandem ({found}; this one has {wanted}) and is not used; "
    "teach it again: python manage.py learn --desk DESK"
)
MOST_SHOWN = 100
"""Characters of what a stored model says of itself, in a message."""


class ForeignModelError(TandemError):
    """A stored model that this version cannot use; the message says to learn again."""


@dataclass(frozen=True)
class LearnedHead:
    """Labels with their weights; temperature and mix are folded into the numbers."""

    labels: tuple[str, ...]
    encoder: str
    """Who made the vectors: with others the weights mean nothing."""
    nearness: tuple[Nearness, Linear] | None
    wording: tuple[Wording, Linear] | None
    novelty: Novelty | None = None
    """Only where "none of these" is an answer."""
    thresholds: Mapping[str, float] = field(default_factory=dict)
    """Target precision ("0.95") -> probability from which answers are right that often; 1.0: never."""
    seen: frozenset[int] = frozenset()
    """Fingerprints of the texts it learned from: it cannot be tested on these."""

    def scores(self, features: Features) -> Scores:
        """Return calibrated log-odds, one row per ticket and one column per label."""
        return scores_of(features, self.nearness, self.wording)

    def probabilities(self, features: Features) -> list[dict[str, float]]:
        """Return label -> probability for each ticket; with NO_TEAM where a ticket resembles none it learned from."""
        rows = chances(self.scores(features))
        names: tuple[str, ...] = self.labels
        if self.novelty:
            rows = self.novelty.doubted(rows, self.novelty.nearest(features.vectors))
            names = (*names, NO_TEAM)
        found: list[dict[str, float]] = []
        for row in rows:
            one = dict.fromkeys(names, 0.0)
            for label, p in zip(names, row, strict=True):  # a desk may have taught NO_TEAM too
                one[label] += float(p)
            found.append(one)
        return found

    def threshold(self, precision: float) -> float | None:
        """Return the probability from which answers are right with `precision`, None where that is not known."""
        known = sorted((float(target), value) for target, value in self.thresholds.items())
        return next((value for target, value in known if target >= precision - 1e-9), None)

    def to_bytes(self) -> bytes:
        """Return the head as a compressed npz file; `from_bytes` reads it back."""
        arrays: dict[str, NDArray[Any]] = {}
        if self.nearness:
            near, linear = self.nearness
            arrays |= {"middle": near.middle, "spread": near.spread}
            arrays |= {"nearness": linear.weights.astype(np.float16), "nearness_bias": linear.bias}
        if self.wording:
            words, linear = self.wording
            arrays |= {"columns": words.columns, "idf": words.idf}
            arrays |= {"wording": linear.weights.astype(np.float16), "wording_bias": linear.bias}
        if self.novelty:
            limits = [self.novelty.strange, self.novelty.doubtful, self.novelty.usual]
            arrays |= {"examples": self.novelty.examples, "limits": np.asarray(limits, np.float64)}
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
    def from_bytes(cls, stored: bytes, encoder: str, dim: int | None = None) -> LearnedHead:
        """Return the head of `stored`. Raises ForeignModelError where it is damaged or of another encoder.

        `dim` is the length of the encoder's vectors, where it is known.
        """
        try:
            # Without pickle a file holds numbers only, whoever wrote it.
            arrays = read_arrays(stored)
            about = json.loads(arrays["about"].tobytes())
            found = f"{about['encoder']}, features {about['features']}"
            if (about["encoder"], about["features"]) != (encoder, VERSION):
                wanted = f"{encoder}, features {VERSION}"
                raise ForeignModelError(FOREIGN.format(found=found[:MOST_SHOWN], wanted=wanted))
            return cls._read(about, arrays, dim)
        except ForeignModelError:
            raise
        except Exception as error:  # numpy and zipfile raise whatever the damage makes them
            raise ForeignModelError(UNREADABLE.format(reason=type(error).__name__)) from None

    @classmethod
    def _read(cls, about: Mapping[str, Any], arrays: Arrays, dim: int | None) -> LearnedHead:
        labels = _labels(about["labels"])
        nearness, wording = _nearness(arrays, len(labels)), _wording(arrays, len(labels))
        if not (nearness or wording):
            raise ValueError("views")
        novelty = Novelty.read(arrays["examples"], arrays["limits"], dim) if "examples" in arrays else None
        if arrays["seen"].dtype != np.uint64:
            raise ValueError("seen")
        seen = frozenset(arrays["seen"].ravel().tolist())
        return cls(labels, about["encoder"], nearness, wording, novelty, _thresholds(about["thresholds"]), seen)


def _labels(found: Any) -> tuple[str, ...]:
    if not isinstance(found, list) or not found or len(set(found)) != len(found):
        raise ValueError("labels")
    if any(type(label) is not str or not label for label in found):
        raise ValueError("labels")
    return tuple(found)


def _thresholds(found: Any) -> dict[str, float]:
    numbers = {float(target): value for target, value in found.items()}
    if any(type(value) not in (int, float) or not 0 <= value <= 1 for value in numbers.values()):
        raise ValueError("thresholds")
    if not all(0 < target <= 1 for target in numbers):
        raise ValueError("thresholds")
    return dict(found)


def _linear(weights: NDArray[Any], bias: NDArray[Any], shape: tuple[int, int]) -> Linear:
    if weights.dtype.kind != "f" or bias.dtype.kind != "f" or (weights.shape, bias.shape) != (shape, shape[1:]):
        raise ValueError("weights")
    return Linear(weights.astype(np.float32), bias)


def _nearness(arrays: Arrays, labels: int) -> tuple[Nearness, Linear] | None:
    if "nearness" not in arrays:
        return None
    linear = _linear(arrays["nearness"], arrays["nearness_bias"], (SIZE, labels))
    return Nearness.read(arrays["middle"], arrays["spread"]), linear


def _wording(arrays: Arrays, labels: int) -> tuple[Wording, Linear] | None:
    if "columns" not in arrays:
        return None
    columns, idf = arrays["columns"], arrays["idf"]
    linear = _linear(arrays["wording"], arrays["wording_bias"], (len(columns), labels))
    if columns.dtype.kind not in "iu" or columns.ndim != 1 or columns.min() < 0 or columns.max() >= BUCKETS:
        raise ValueError("columns")
    # In order and each once: words are told from letters by where they stand.
    if (np.diff(columns.astype(np.int64)) <= 0).any() or idf.dtype.kind != "f" or idf.shape != columns.shape:
        raise ValueError("columns")
    return Wording(columns, idf), linear


def fingerprint(text: str) -> int:
    """Return a number of 64 bits that stands for `text`."""
    return int.from_bytes(blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "big")


def scores_of(
    features: Features, nearness: tuple[Nearness, Linear] | None, wording: tuple[Wording, Linear] | None
) -> Scores:
    """Return the sum of both views, one row per ticket and one column per label."""
    total = np.zeros((1, 1))
    if nearness:
        near, linear = nearness
        total = total + linear.scores(near.apply(features.vectors, features.shapes))
    if wording:
        words, linear = wording
        total = total + linear.scores(words.apply(features.counts))
    return total
