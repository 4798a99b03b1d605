"""Freshdesk's knowledge base (Solutions): a walk through categories, folders and languages, one call a step.

https://developers.freshdesk.com/api/#solutions
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from connectors.base import Article, Articles
from connectors.http import Client
from connectors.values import as_dict, as_list, ident, rows, text
from connectors.verdict import Call
from triage.errors import FeatureOff

CATEGORIES = "/solutions/categories"
FOLDERS = "/solutions/categories/{id}/folders"
SUBFOLDERS = "/solutions/folders/{id}/subfolders"
ARTICLES = "/solutions/folders/{id}/articles"
HELPDESK = "/settings/helpdesk"
EVERYBODY = 1
PUBLISHED = 2
PAGE_SIZE = 100
NEXT = re.compile(r"""rel\s*=\s*["']?next\b""")
LANGUAGE = re.compile(r"[a-z]{2}(-[A-Za-z]{2,4})?")
PRIMARY = ""


@dataclass
class Walk:
    """What is still to be asked: (kind, id, language, page); the first is next."""

    languages: list[str] = field(default_factory=list)
    """The portal's other languages."""
    todo: list[tuple[str, str, str, int]] = field(default_factory=list)

    @classmethod
    def parse(cls, cursor: str) -> Walk:
        """Return the walk a cursor of ours names."""
        kept = json.loads(cursor)
        return cls(list(kept["languages"]), [(str(a), str(b), str(c), int(d)) for a, b, c, d in kept["todo"]])

    def __str__(self) -> str:
        return json.dumps({"languages": self.languages, "todo": self.todo}, separators=(",", ":"))


def list_articles(api: Client, cursor: str) -> Articles:
    """Take one step of the walk; most steps show no articles."""
    walk = Walk.parse(cursor) if cursor else _start(api)
    found: list[Article] = []
    if cursor and walk.todo:
        kind, number, language, page = walk.todo.pop(0)
        if kind == "articles":
            found = _articles(api, walk, number, language, page)
        else:
            _folders(api, walk, FOLDERS if kind == "category" else SUBFOLDERS, number, page)
    return Articles(tuple(found), str(walk) if walk.todo else "", bool(walk.todo))


def _start(api: Client) -> Walk:
    """Return a walk that begins with every category."""
    listed = rows(api.get(CATEGORIES, optional=True))
    told = as_dict(api.get_if_possible(HELPDESK))
    languages = [text(one) for one in as_list(told.get("portal_languages")) if LANGUAGE.fullmatch(text(one))]
    main = text(told.get("primary_language"))
    walk = Walk([one for one in dict.fromkeys(languages) if one != main])
    # A category that stands in no portal is read by agents only.
    shown = [one for one in listed if ident(one.get("id")) and one.get("visible_in_portals") != []]
    walk.todo = [("category", str(one["id"]), PRIMARY, 1) for one in shown]
    return walk


def _folders(api: Client, walk: Walk, path: str, number: str, page: int) -> None:
    """Put what stands in a category or folder on the list, unless not everybody may see it."""
    listed, more = _page(api, path, number, page)
    if more:
        walk.todo.append(("category" if path == FOLDERS else "folder", number, PRIMARY, page + 1))
    for folder in listed:
        own = ident(folder.get("id"))
        # What stands below a folder that is not for everybody is not for everybody either.
        if not own or folder.get("visibility") != EVERYBODY:
            continue
        if folder.get("sub_folders_count"):
            walk.todo.append(("folder", own, PRIMARY, 1))
        walk.todo += [("articles", own, language, 1) for language in (PRIMARY, *walk.languages)]


def _articles(api: Client, walk: Walk, folder: str, language: str, page: int) -> list[Article]:
    try:
        listed, more = _page(api, f"{ARTICLES}/{language}" if language else ARTICLES, folder, page)
    except FeatureOff:
        # A language this folder or plan does not know; the folder itself must be there.
        if language:
            return []
        raise
    if more:
        walk.todo.insert(0, ("articles", folder, language, page + 1))
    return [_article(raw, language) for raw in listed if raw.get("status") == PUBLISHED and ident(raw.get("id"))]


def _page(api: Client, path: str, number: str, page: int) -> tuple[list[dict[str, Any]], bool]:
    query = {"per_page": str(PAGE_SIZE), "page": str(page)}
    reply = api.call(Call("GET", path, (number,), query, optional=True))
    return rows(reply.data), bool(NEXT.search(reply.headers.get("Link", "")))


def _article(raw: dict[str, Any], language: str) -> Article:
    said = [as_dict(one.get("data")).get("language") for one in rows(raw.get("hierarchy"))]
    page = f"/support/solutions/articles/{raw['id']}"
    return Article(
        id=text(raw["id"]),
        language=language or next((text(one) for one in said if one), ""),
        title=text(raw.get("title")),
        html=text(raw.get("description")),
        path=f"/{language.lower()}{page}" if language else page,
        updated_at=text(raw.get("updated_at")),
    )
