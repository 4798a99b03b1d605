"""Load the example sentences and tickets Tandem ships: our own words, in five languages."""

from __future__ import annotations

import hashlib
import json
import string
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from ruamel.yaml import YAML

from triage.classification import DECIDED_FIELDS

FOLDS = 5
NEIGHBOURS = 8
"""Groups numbered one after the other often tell variants of one case."""
LANGUAGES = ("en", "de", "fr", "es", "pt")
FILES = (
    "teams.yaml",
    "priority.yaml",
    "sentiment.yaml",
    "churn.yaml",
    "noise.yaml",
    "signals.yaml",
    "tickets.jsonl",
)


@dataclass(frozen=True)
class Seed:
    """One example sentence; `group` keeps sentences together that must not be split in cross-validation."""

    text: str
    label: str
    group: str
    category: str = ""
    priority: str = ""


@dataclass(frozen=True)
class TicketSeed:
    """One example ticket; translations of one ticket share its `group`."""

    id: str
    group: str
    language: str
    subject: str
    body: str
    labels: dict[str, str]
    """Decided field -> label."""


def fold_of(group: str) -> str:
    """Return the cross-validation fold of a ticket's group: neighbours were written in one go and stay together."""
    return f"fold{int(group.lstrip(string.ascii_letters)) // NEIGHBOURS % FOLDS}"


@cache
def ticket_seeds() -> tuple[TicketSeed, ...]:
    """Return the example tickets."""
    lines = _file("tickets.jsonl").decode("utf-8").splitlines()
    return tuple(
        TicketSeed(
            row["id"],
            row["group"],
            row["language"],
            row["subject"],
            row["body"],
            {name: row[name] for name in DECIDED_FIELDS},
        )
        for row in map(json.loads, lines)
    )


@cache
def fingerprint() -> str:
    """Return a short hash of everything in this folder that heads are fitted on."""
    return hashlib.sha256(b"".join(_file(name) for name in FILES)).hexdigest()[:16]


@cache
def team_seeds() -> tuple[Seed, ...]:
    """Return the examples of the default teams and of "none of the teams", with category and usual priority."""
    return tuple(
        Seed(text, team, language, category, str(body.get("priority", "")))
        for team, categories in _read("teams").items()
        for category, body in categories.items()
        for language, text in _sentences(body)
    )


@cache
def field_seeds(name: str) -> tuple[Seed, ...]:
    """Return the examples in `<name>.yaml` (priority, sentiment, churn, noise, signals): label, then language."""
    return tuple(
        Seed(text, label, language) for label, body in _read(name).items() for language, text in _sentences(body)
    )


@cache
def other_seeds() -> tuple[tuple[str, Seed], ...]:
    """Return the examples that tickets are compared with for a field of their own, as (field, example)."""
    files_of = {"priority": "priority", "churn_risk": "churn"}
    return tuple((field, seed) for field, name in files_of.items() for seed in field_seeds(name))


def _read(name: str) -> dict[str, dict[str, Any]]:
    loaded: dict[str, dict[str, Any]] = YAML(typ="safe").load(_file(f"{name}.yaml"))
    return loaded


def _file(name: str) -> bytes:
    return files(__name__).joinpath(name).read_bytes()


def _sentences(body: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for language, texts in body.items():
        if isinstance(texts, list):  # beside the languages stands the category's usual priority
            for text in texts:
                yield language, str(text)
