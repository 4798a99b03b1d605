"""Zendesk's cursor pages, asked for by cursor and not by the links in the answers.

https://developer.zendesk.com/api-reference/introduction/pagination/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from connectors.http import Client
from connectors.values import as_dict, text

PAGE_SIZE = "100"


def pages(
    api: Client,
    path: str,
    ids: tuple[str, ...] = (),
    query: Mapping[str, str] | None = None,
    *,
    most: int,
    optional: bool = False,
) -> Iterator[dict[str, Any]]:
    """Yield at most `most` pages.

    `meta.has_more` says whether another follows: `links.next` stays set on most last pages (recorded), so looping on
    it never ends. A cursor that comes again ends it, too.
    """
    seen = {""}
    cursor = ""
    for _ in range(most):
        asked = {**(query or {}), "page[size]": PAGE_SIZE} | ({"page[after]": cursor} if cursor else {})
        page = as_dict(api.get(path, *ids, query=asked, optional=optional))
        yield page
        meta = as_dict(page.get("meta"))
        cursor = text(meta.get("after_cursor"))
        if not meta.get("has_more") or cursor in seen:
            return
        seen.add(cursor)
