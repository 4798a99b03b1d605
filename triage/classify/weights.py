"""The fitted heads Tandem ships: plain numbers in one file, so that nothing is trained at start.

`make heads DATA=...` rebuilds the file; docs/quality.md says what it was fitted on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np

from triage.classify.encoder import Vectors
from triage.classify.heads import Head

FILE = "weights.npz"
HEAD = "head:"
SAVED = np.float16


@dataclass(frozen=True)
class Weights:
    """Heads by name, and the vectors of the shipped examples for desks whose teams need a head of their own."""

    heads: Mapping[str, Head]
    team_seeds: Vectors
    """One row per `team_seeds()`."""
    other_seeds: Vectors
    """One row per `other_seeds()` of the examples: how pressing something is, and who is about to leave."""
    ticket_gists: Vectors
    """One row per ticket that `tickets` names."""
    tickets: tuple[str, ...]
    """Ids of the example tickets that were learned from; measuring leaves some out."""
    made_from: str
    """`seeds.fingerprint()` when the heads were fitted."""
    model_id: str

    @property
    def points(self) -> Vectors:
        """Return all shipped examples, which tickets are compared with: sentences, then tickets."""
        return np.vstack([self.team_seeds, self.other_seeds, self.ticket_gists])

    def save(self, path: Path) -> None:
        """Write everything to `path`; vectors lose the digits that change no answer."""
        arrays = {
            "team_seeds": self.team_seeds.astype(SAVED),
            "other_seeds": self.other_seeds.astype(SAVED),
            "ticket_gists": self.ticket_gists.astype(SAVED),
        }
        for name, head in self.heads.items():
            arrays[f"{HEAD}{name}"] = np.vstack([head.weights, head.bias]).astype(np.float32)
        facts = {
            "labels": {name: head.labels for name, head in self.heads.items()},
            "tickets": self.tickets,
            "made_from": self.made_from,
            "model_id": self.model_id,
        }
        with path.open("wb") as file:
            np.savez_compressed(file, facts=np.asarray(json.dumps(facts)), **arrays)  # type: ignore[arg-type]


def as_saved(vectors: Vectors) -> Vectors:
    """Return `vectors` as they are after saving: heads are fitted on the numbers they will meet."""
    return vectors.astype(SAVED).astype(np.float32)


def load(path: Path) -> Weights:
    """Return the weights saved at `path`."""
    with np.load(path, allow_pickle=False) as held:
        facts = json.loads(str(held["facts"]))
        heads = {name: _head(tuple(labels), held[f"{HEAD}{name}"]) for name, labels in facts["labels"].items()}
        names = ("team_seeds", "other_seeds", "ticket_gists")
        seeds, others, gists = (held[name].astype(np.float32) for name in names)
    return Weights(heads, seeds, others, gists, tuple(facts["tickets"]), facts["made_from"], facts["model_id"])


@cache
def shipped() -> Weights:
    """Return the weights that come with this version."""
    with as_file(files("triage.classify").joinpath(FILE)) as path:
        return load(path)


def _head(labels: tuple[str, ...], table: np.ndarray) -> Head:
    table = table.astype(np.float64)
    return Head(labels, table[:-1], table[-1])
