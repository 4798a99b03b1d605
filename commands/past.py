"""Reads a desk's solved tickets as rows for learning; goes on where it was interrupted."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from connectors.base import Connector, History, Past
from triage.errors import Retry, Stop, Wait
from triage.people import first_words, priority_of, team_of
from triage.settings import Settings

TRIES = 5
PAUSE = 10.0
# Of an account's whole list many pages in a row may hold no solved ticket, but hardly fifty thousand tickets.
MOST_OLD_PAGES = 500
NO_END = "the helpdesk's list of tickets has no end: {pages} pages in a row held nothing new; ask again later"
Row = dict[str, Any]
Answer = TypeVar("Answer")


class Shelf:
    """The pages read so far, one JSON line each, in a file that only its owner may read: it holds customers' words."""

    def __init__(self, path: Path, since: datetime) -> None:
        self._path = path
        self._since = since.date().isoformat()

    def pages(self) -> list[tuple[str, list[Row]]]:
        """Return cursor and rows of each page, none of another period; a torn last line is dropped."""
        found = []
        for line in self._path.read_text(encoding="utf-8").splitlines() if self._path.exists() else ():
            try:
                page = json.loads(line)
            except ValueError:
                break
            if page["since"] != self._since:
                return []
            found.append((str(page["cursor"]), list(page["rows"])))
        return found

    def start(self, pages: list[tuple[str, list[Row]]]) -> None:
        """Begin the file anew with `pages`."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.unlink(missing_ok=True)
        self._path.touch(mode=0o600)
        for cursor, rows in pages:
            self.add(cursor, rows)

    def add(self, cursor: str, rows: list[Row]) -> None:
        """Write a page down."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"since": self._since, "cursor": cursor, "rows": rows}) + "\n")

    def clear(self) -> None:
        """Delete the file."""
        self._path.unlink(missing_ok=True)


def read_past(
    connector: Connector, settings: Settings, since: datetime, shelf: Shelf, progress: Callable[[int, int], None]
) -> list[Row]:
    """Return one row per solved ticket since `since`; `progress` hears of new tickets and pages."""
    pages = shelf.pages()
    shelf.start(pages)
    found = {row["id"]: row for _, rows in pages for row in rows}
    progress(len(found), len(pages))
    for page in _pages(connector, pages[-1][0] if pages else "", since):
        rows = [row_of(past, settings) for past in page.tickets]
        shelf.add(page.cursor, rows)
        found |= {row["id"]: row for row in rows}
        progress(len(rows), 1)
    return list(found.values())


class Circles:
    """Notices a list that goes on for ever, so that a command ends."""

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._old_pages = 0

    def check(self, ids: Collection[str]) -> None:
        """Take note of a page; raise Stop where none has held anything new for long."""
        self._old_pages = self._old_pages + 1 if self._known.issuperset(ids) else 0
        self._known.update(ids)
        if self._old_pages >= MOST_OLD_PAGES:
            raise Stop(NO_END.format(pages=self._old_pages))


def _pages(connector: Connector, cursor: str, since: datetime) -> Iterator[History]:
    more, circles = True, Circles()
    while more:
        page = patiently(lambda: connector.history(cursor, since))  # noqa: B023
        circles.check([past.ticket.id for past in page.tickets])
        yield page
        cursor, more = page.cursor, page.more


def patiently(ask: Callable[[], Answer]) -> Answer:
    """Ask until there is an answer: a rate limit is waited for as long as it says, a fault a few times."""
    tried = 0
    while True:
        try:
            return ask()
        except Wait as wait:
            time.sleep(wait.seconds)
        except Retry as fault:
            tried += 1
            if tried == TRIES:
                raise
            time.sleep(fault.after or PAUSE)


def row_of(past: Past, settings: Settings) -> Row:
    """Return `past` as `learn --file` reads it: the group as the team that has it in the settings, else by its name."""
    ticket = past.ticket
    return {
        "id": ticket.id,
        "subject": ticket.subject,
        "body": first_words(ticket),
        "primary_team": team_of(past.group, settings),
        "priority": priority_of(ticket.priority, settings),
        "created_at": ticket.created_at.isoformat() if ticket.created_at else None,
    }
