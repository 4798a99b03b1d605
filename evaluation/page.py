"""Put measured tables into a page of the docs, between two marks."""

from __future__ import annotations

from pathlib import Path


def put(page: Path, start: str, end: str, figures: str) -> None:
    """Replace what stands between the lines `start` and `end` of `page`."""
    before, rest = page.read_text("utf-8").split(start)
    page.write_text(before + start + "\n" + figures + end + rest.split(end)[1], "utf-8")
