"""The shape of what is measured: one labelled ticket, and the sources it may come from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

PER_SOURCE = 600
"""Rows of one source that are measured: enough for intervals of four points, few enough for minutes."""


class Role(StrEnum):
    """What a source may be used for; fixed before the first measurement and never changed for a better figure."""

    DEV = "dev"
    """Looked at while choosing examples, heads and constants."""
    TEST = "test"
    """Only reported on; docs/quality.md names the days it was looked at."""


@dataclass(frozen=True)
class Item:
    """One labelled ticket in the batch contract's shape."""

    id: str
    group: str
    """Rows of one group (template, duplicate text, translation) never part company."""
    row: dict[str, Any]
    labels: dict[str, str]
    """Field -> label, for the fields the source speaks about."""
    also_right: dict[str, str] = field(default_factory=dict)
    """Field -> a second label the annotator would have accepted."""

    @property
    def text(self) -> str:
        """Return subject and body as one text, for the baselines."""
        return f"{self.row.get('subject', '')}\n{self.row['body']}"


@dataclass(frozen=True)
class Source:
    """One data set and how to read it."""

    name: str
    role: Role
    load: Callable[[Path], list[Item]]


def group_of(text: str) -> str:
    """Return a key that is the same for texts which differ in case, digits and white space only."""
    letters = "".join(character for character in text.casefold() if character.isalpha())
    return hashlib.sha256(letters.encode("utf-8", "replace")).hexdigest()[:12]


def sample(items: Sequence[Item], most: int = PER_SOURCE) -> list[Item]:
    """Return at most `most` items, each text once, chosen by hash: the same ones on every machine."""
    once = {group_of(item.text): item for item in reversed(items)}
    ranked = sorted(once.values(), key=lambda item: hashlib.sha256(item.id.encode()).hexdigest())
    return ranked[:most]
