"""Zendesk's help centre (Guide): which articles everybody may read.

https://developer.zendesk.com/api-reference/help_center/help-center-api/articles/
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from connectors.base import Article, Articles
from connectors.http import Client
from connectors.values import as_dict, ident, rows, text

ARTICLES = "/help_center/articles.json"
# Bodies in all languages: a hundred articles could pass the cap of one answer.
PAGE_SIZE = "50"
LOCALE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,4})?", re.IGNORECASE)


def list_articles(api: Client, cursor: str) -> Articles:
    """Return one page of published articles without a user segment, each translation by itself."""
    query = {"include": "translations", "sort_by": "created_at", "sort_order": "asc", "page[size]": PAGE_SIZE}
    if cursor:
        query["page[after]"] = cursor
    page = as_dict(api.get(ARTICLES, query=query, optional=True))
    meta = as_dict(page.get("meta"))
    following = text(meta.get("after_cursor"))
    found = tuple(one for raw in rows(page.get("articles")) for one in _public(raw))
    return Articles(found, following, bool(meta.get("has_more")) and following not in ("", cursor))


def _public(raw: dict[str, Any]) -> Iterator[Article]:
    """Yield the translations of `raw` that everybody may read; only what says so itself counts as public."""
    # Null is "everybody"; a missing key would be another API than the one we know.
    everybody = "user_segment_id" in raw and raw["user_segment_id"] is None and not raw.get("user_segment_ids")
    if not everybody or not ident(raw.get("id")):
        return
    # The article's own `draft` is that of the language it is shown in; each translation has its own.
    for one in rows(raw.get("translations")) or [raw]:
        locale = text(one.get("locale"))
        if one.get("draft") is False and one.get("hidden") is not True and LOCALE.fullmatch(locale):
            yield Article(
                id=text(raw["id"]),
                language=locale,
                title=text(one.get("title")),
                html=text(one.get("body")),
                path=f"/hc/{locale.lower()}/articles/{raw['id']}",
                updated_at=text(one.get("updated_at")),
            )
