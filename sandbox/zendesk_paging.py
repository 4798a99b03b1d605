"""Zendesk's two kinds of pages: by cursor with `page[size]`, else by number."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode

from flask import request

from sandbox.zendesk import NOT_FOUND, Refusal

JSON = dict[str, Any]
DEPTH = {
    "errors": [
        {
            "code": "InvalidPaginationDepth",
            "title": "Pagination requests using Offset Pagination are limited to page 100 "
            "or up to 10000 records (page * per_page)",
        }
    ]
}


def page(items: Sequence[Any], key: str, show: Callable[[Any], JSON]) -> JSON:
    """Cut a page as the request asks: by cursor with `page[size]`, else by number."""
    if "page[size]" in request.args or "page[after]" in request.args:
        return _cursor_page(items, key, show)
    return offset_page(items, key, show)


def offset_page(items: Sequence[Any], key: str, show: Callable[[Any], JSON]) -> JSON:
    """Cut a numbered page; these end at 10,000 records."""
    size = min(_number("per_page", 100), 100)
    number = _number("page", 1)
    if number > 100 or number * size > 10_000:
        raise Refusal(400, DEPTH)
    first = (number - 1) * size

    def link(to: int) -> str:
        return f"{_here()}?{urlencode({**request.args.to_dict(), 'page': str(to)})}"

    return {
        key: [show(item) for item in items[first : first + size]],
        "next_page": link(number + 1) if first + size < len(items) else None,
        "previous_page": link(number - 1) if number > 1 else None,
        "count": len(items),
    }


def _cursor_page(items: Sequence[Any], key: str, show: Callable[[Any], JSON]) -> JSON:
    size = _number("page[size]", 100)
    if size > 100:
        raise Refusal(400, {"errors": [{"code": "InvalidPaginationParameter", "title": "page[size] is out of range"}]})
    first = 0
    if after := request.args.get("page[after]"):
        try:
            last_id = int(base64.urlsafe_b64decode(after).decode().removeprefix("id:"))
            first = next(place for place, item in enumerate(items) if item.id == last_id) + 1
        except (ValueError, StopIteration):
            raise Refusal(400, {"error": "InvalidCursor", "description": "page[after] is not valid"}) from None
    shown = items[first : first + size]

    def cursor(item: Any) -> str:
        return base64.urlsafe_b64encode(f"id:{item.id}".encode()).decode()

    def link(name: str, to: str) -> str:
        rest = {k: v for k, v in request.args.items() if k not in ("page[after]", "page[before]")}
        return f"{_here()}?{urlencode({**rest, name: to})}"

    after_cursor = cursor(shown[-1]) if shown else None
    before_cursor = cursor(shown[0]) if shown else None
    return {
        key: [show(item) for item in shown],
        # links.next is set on the last page too (recorded): only has_more tells the end
        "meta": {"has_more": first + size < len(items), "after_cursor": after_cursor, "before_cursor": before_cursor},
        "links": {
            "prev": link("page[before]", before_cursor) if before_cursor else None,
            "next": link("page[after]", after_cursor) if after_cursor else None,
        },
    }


def find(records: dict[int, Any], number: int) -> Any:
    """Find a record or answer 404."""
    if number not in records:
        raise Refusal(404, NOT_FOUND)
    return records[number]


def _here() -> str:
    return request.host_url.rstrip("/") + str(request.environ.get("sandbox.path", request.path))


def _number(name: str, default: int) -> int:
    text = request.args.get(name, "")
    return int(text) if text.isdigit() and int(text) > 0 else default
