"""Histories to learn from: labelled tickets of one desk each, with their own labels and, where known, their dates."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from evaluation.sources import read_rows

OUT_OF_SCOPE = "oos"
TOPICS = {
    "fix-problems", "customize", "privacy-and-security", "websites",
    "bookmarks", "download-and-install", "sync", "tabs",
}  # fmt: skip
"""What SUMO's askers choose among; "other" and "tips" say nothing about a ticket."""


@dataclass(frozen=True)
class Past:
    """One labelled ticket in the shape of `learn --file`."""

    row: dict[str, Any]
    label: str
    time: float | None = None


@dataclass(frozen=True)
class HistorySource:
    """One desk's history."""

    name: str
    aim: float
    """The macro-F1 it is to exceed."""
    load: Callable[[Path], list[Past]]


def _past(number: int, subject: str | None, body: str | None, label: str, time: float | None = None) -> Past:
    return Past({"id": str(number), "subject": subject or "", "body": body or ""}, label, time)


def _banking77(data: Path) -> list[Past]:
    rows = read_rows(data / "banking77/train.jsonl.gz")
    return [_past(number, "", row["text"], row["intent"]) for number, row in enumerate(rows)]


def _nlbse(data: Path) -> list[Past]:
    rows = read_rows(data / "nlbse2024-issues/train.jsonl.gz")
    return [_past(number, row["title"], row["body"], row["label"]) for number, row in enumerate(rows)]


def _endava(data: Path) -> list[Past]:
    rows = enumerate(read_rows(data / "endava-it-tickets/tickets.jsonl.gz"))
    return [_past(number, row["title"], row["body"], row["topic_group"]) for number, row in rows if row["topic_group"]]


def _sumo(data: Path) -> list[Past]:
    rows = enumerate(read_rows(data / "sumo-firefox-2019/tickets.jsonl.gz"))
    return [
        _past(number, row["title"], row["text"], row["topic"], datetime.fromisoformat(row["created"][:19]).timestamp())
        for number, row in rows
        if row["locale"] == "en-US" and row["topic"] in TOPICS
    ]


def clinc150(data: Path, *splits: str) -> list[Past]:
    """Return the sentences of `splits` with their domain, or OUT_OF_SCOPE."""
    domains: dict[str, Sequence[str]] = json.loads((data / "clinc150/domains.json").read_text("utf-8"))
    domain_of = {intent: domain for domain, intents in domains.items() for intent in intents}
    rows = enumerate(read_rows(data / "clinc150/train_val.jsonl.gz"))
    return [
        _past(number, "", row["text"], domain_of.get(row["intent"], OUT_OF_SCOPE))
        for number, row in rows
        if row["split"] in splits
    ]


HISTORIES = (
    HistorySource("banking77", 0.92, _banking77),  # questions to a bank, 77 intents
    HistorySource("nlbse", 0.80, _nlbse),  # GitHub issues of five projects: bug, feature, question
    HistorySource("sumo-topic", 0.66, _sumo),  # Firefox support in English, 8 topics the askers chose
    HistorySource("endava-topic", 0.85, _endava),  # IT help desk of one firm, 8 groups
)
