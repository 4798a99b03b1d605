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


@dataclass(frozen=True)
class Weights:
    """Heads by name, and the vectors of the shipped examples for desks whose teams need a head of their own."""

    heads: Mapping[str, Head]
    team_seeds: Vectors
    """One row per `team_seeds()`."""
    ticket_views: Vectors
    """The views of each ticket that `tickets` names, shape (n, 2, dim)."""
    tickets: tuple[str, ...]
    """Ids of the example tickets that were learned from; measuring leaves some out."""
    made_from: str
    """`seeds.fingerprint()` when the heads were fitted."""
    model_id: str

    def save(self, path: Path) -> None:
        """Write everything to `path`; vectors lose the digits that change no answer."""
        arrays = {
            "team_seeds": self.team_seeds.astype(np.float16),
            "ticket_views": self.ticket_views.astype(np.float16),
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


def load(path: Path) -> Weights:
    """Return the weights saved at `path`."""
    with np.load(path, allow_pickle=False) as held:
        facts = json.loads(str(held["facts"]))
        heads = {name: _head(tuple(labels), held[f"{HEAD}{name}"]) for name, labels in facts["labels"].items()}
        seeds, views = (held[name].astype(np.float32) for name in ("team_seeds", "ticket_views"))
    return Weights(heads, seeds, views, tuple(facts["tickets"]), facts["made_from"], facts["model_id"])


@cache
def shipped() -> Weights:
    """Return the weights that come with this version."""
    with as_file(files("triage.classify").joinpath(FILE)) as path:
        return load(path)


def _head(labels: tuple[str, ...], table: np.ndarray) -> Head:
    table = table.astype(np.float64)
    return Head(labels, table[:-1], table[-1])
