"""Read the labelled data sets under DATA and say which are for development and which for reporting only."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from evaluation.items import Item, Role, Source, group_of
from triage.classification import PRIORITIES

LONGEST_SUBJECT = 150
"""A first line longer than this is no subject."""
PRIORITY = {name.split("_")[0]: name for name in PRIORITIES}
SENTIMENT = {"negative": "frustrated", "neutral": "neutral", "positive": "positive"}
SURE_TAGS = "high"


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSONL file, gzipped or not."""
    with path.open("rb") as file, gzip.open(file) if path.suffix == ".gz" else file as lines:
        for line in lines:
            yield json.loads(line)


@cache
def label_map(data: Path) -> dict[str, Any]:
    """Return the mapping from each source's labels to ours."""
    loaded: dict[str, Any] = json.loads((data / "unified-dev/label_map.json").read_text("utf-8"))
    return loaded


def goemotions(data: Path, held_out: bool) -> list[Item]:
    """Return the comments whose emotions all fall in one class; an eighth of the groups is held out of training."""
    moods = {name: mood for name, mood in label_map(data)["goemotions-sentiment"].items() if not name.startswith("_")}
    items = []
    for number, row in enumerate(read_rows(data / "goemotions/train.jsonl.gz")):
        found = {moods.get(label, "") for label in row["labels"]}
        if len(found) == 1 and "" not in found:
            item = _item(f"goemotions-{number}", "", row["text"], {"sentiment": found.pop()})
            if item.group.startswith(("0", "1")) == held_out:
                items.append(item)
    return items


def banking77(data: Path) -> list[Item]:
    """Return the bank's customers' questions that have a team of ours; a group is an intent."""
    teams = label_map(data)["banking77"]
    rows = enumerate(read_rows(data / "banking77/train.jsonl.gz"))
    return [
        Item(f"banking77-{number}", row["intent"], _row(f"banking77-{number}", "", row["text"]),
             {"primary_team": teams[row["intent"]][0]})
        for number, row in rows
        if row["intent"] in teams
    ]  # fmt: skip


def _unified(name: str, fields: tuple[str, ...]) -> Any:
    def load(data: Path) -> list[Item]:
        items = []
        for number, row in enumerate(read_rows(data / "unified-dev/unified.jsonl.gz")):
            labels = {
                "primary_team": row["team"] if row["team_conf"] != "low" else None,
                "priority": PRIORITY.get(row["priority"]) if row["priority_conf"] != "none" else None,
            }
            known = {key: label for key, label in labels.items() if label and key in fields}
            if row["source"] == name and known:
                items.append(_item(f"{name}-{number}", *_split(row["text"]), known))
        return items

    return load


def _sumo(data: Path) -> Iterator[tuple[dict[str, Any], dict[str, str] | None]]:
    with (data / "sumo-firefox-2019/dev_gold.csv").open(encoding="utf-8", newline="") as lines:
        gold = {row["id"]: row for row in csv.DictReader(lines)}
    for row in read_rows(data / "sumo-firefox-2019/tickets.jsonl.gz"):
        yield row, gold.get(str(row["id"]))


def _sumo_gold(data: Path) -> list[Item]:
    items = []
    for row, gold in _sumo(data):
        if gold:
            labels = {"primary_team": gold["team"], "priority": PRIORITY[gold["priority"]]}
            labels |= {"sentiment": gold["sentiment"], "churn_risk": gold["churn"]}
            also = {"primary_team": gold["team_alt"]} if gold["team_alt"] else {}
            items.append(_item(f"sumo-{row['id']}", row["title"], row["text"], labels, also))
    return items


def _sumo_tags(data: Path) -> list[Item]:
    sure = {tag: team for tag, (team, conf) in label_map(data)["sumo-tags"].items() if conf == SURE_TAGS}
    items = []
    for row, gold in _sumo(data):
        teams = {sure[tag] for tag in row["tags"] if tag in sure}
        if len(teams) == 1 and not gold:
            items.append(_item(f"sumo-{row['id']}", row["title"], row["text"], {"primary_team": teams.pop()}))
    return items


def _airline(data: Path) -> list[Item]:
    rows = enumerate(read_rows(data / "airline-tweets-sentiment/tweets.jsonl.gz"))
    return [
        _item(f"airline-{number}", "", row["text"], {"sentiment": SENTIMENT[row["sentiment"]]}) for number, row in rows
    ]


def _nlbse(data: Path) -> list[Item]:
    teams = label_map(data)["nlbse2024-issues"]
    rows = enumerate(read_rows(data / "nlbse2024-issues/train.jsonl.gz"))
    return [
        _item(f"nlbse-{number}", row["title"], row["body"] or "", {"primary_team": teams[row["label"]][0]})
        for number, row in rows
        if row["label"] in teams
    ]


def _churn(data: Path) -> list[Item]:
    rows = enumerate(read_rows(data / "churn-intent/churn.jsonl"))
    return [
        _item(f"churn-{number}", "", row["text"], {"churn_risk": "high" if int(row["churn"]) else "low"})
        for number, row in rows
    ]


def _held_out_moods(data: Path) -> list[Item]:
    return goemotions(data, held_out=True)


def _item(name: str, subject: str, body: str, labels: dict[str, str], also: dict[str, str] | None = None) -> Item:
    return Item(name, group_of(subject + body), _row(name, subject, body), labels, also or {})


def _row(name: str, subject: str, body: str) -> dict[str, Any]:
    return {"id": name, "subject": subject, "body": body}


def _split(text: str) -> tuple[str, str]:
    first, _, rest = text.partition("\n")
    return (first, rest) if rest.strip() and len(first) <= LONGEST_SUBJECT else ("", text)


SOURCES = (
    # LLM-written tickets, 5 languages, noisy labels.
    Source("tobi-v3", Role.DEV, _unified("tobi-v3", ("primary_team", "priority"))),
    # LLM-written tickets, en and de, noisy labels.
    Source("tobi-v5", Role.DEV, _unified("tobi-v5", ("primary_team", "priority"))),
    # LLM-written German tickets, wording gives the priority away.
    Source("tobi-de50", Role.DEV, _unified("tobi-de50", ("priority",))),
    # Templated customer phrases, one sentence each.
    Source("bitext", Role.DEV, _unified("bitext", ("primary_team",))),
    # Reddit comments, an eighth held out of training.
    Source("goemotions", Role.DEV, _held_out_moods),
    # Firefox support questions labelled by hand.
    Source("sumo-gold", Role.TEST, _sumo_gold),
    # Firefox support questions, volunteers' tags.
    Source("sumo-tags", Role.TEST, _sumo_tags),
    # GitHub issues, bug or feature.
    Source("nlbse", Role.TEST, _nlbse),
    # Questions to a bank, intents mapped to teams.
    Source("banking77", Role.TEST, banking77),
    # LLM-written German tickets, 10 queues.
    Source("tobi-de10", Role.TEST, _unified("tobi-de10", ("primary_team", "priority"))),
    # Tweets to airlines, 63 % frustrated.
    Source("airline", Role.TEST, _airline),
    # Chats and posts about telecom firms, en and de.
    Source("churn-intent", Role.TEST, _churn),
)
