"""The help centres: a dozen articles both vendors show, and some that only agents or nobody may see."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sandbox.records import now

FILE = Path(__file__).with_name("articles.jsonl")
PUBLIC, DRAFT, INTERNAL, CUSTOMERS = "public", "draft", "internal", "customers"
STATES = (PUBLIC, DRAFT, INTERNAL, CUSTOMERS)
MAIN_LANGUAGE = "en"


@dataclass
class Translation:
    """An article in one language."""

    id: int
    language: str
    title: str
    body: str
    draft: bool
    updated_at: datetime


@dataclass
class Article:
    """One article; `state` says who may see it: everybody, nobody yet, agents, or signed-in customers."""

    id: int
    state: str
    created_at: datetime
    updated_at: datetime
    translations: dict[str, Translation] = field(default_factory=dict)


def read(new_id: Callable[[], int]) -> dict[int, Article]:
    """Return the articles of the file by id."""
    found = {}
    for line in FILE.read_text(encoding="utf-8").splitlines():
        article = add(new_id, json.loads(line))
        found[article.id] = article
    return found


def add(new_id: Callable[[], int], given: dict[str, Any]) -> Article:
    """Make an article of title, body, language, state and translations."""
    state = str(given.get("state", PUBLIC))
    if state not in STATES:
        raise ValueError(f"state is one of {', '.join(STATES)}")
    moment = now()
    article = Article(new_id(), state, moment, moment)
    main = {"language": MAIN_LANGUAGE, "draft": state == DRAFT} | given
    for one in [main, *given.get("translations", ())]:
        language = str(one["language"])
        article.translations[language] = Translation(
            new_id(), language, str(one["title"]), str(one["body"]), bool(one.get("draft")), moment
        )
    return article


def change(article: Article, given: dict[str, Any]) -> None:
    """Change state, title or body (of the main language) as an author would."""
    article.updated_at = now()
    if "state" in given:
        if given["state"] not in STATES:
            raise ValueError(f"state is one of {', '.join(STATES)}")
        article.state = given["state"]
        article.translations[MAIN_LANGUAGE].draft = article.state == DRAFT
    main = article.translations[MAIN_LANGUAGE]
    main.title, main.body = str(given.get("title", main.title)), str(given.get("body", main.body))
    main.updated_at = article.updated_at
