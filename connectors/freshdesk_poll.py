"""Where the list of changed tickets stands: a time, and a page only where one second fills a whole page.

Moving the time on, instead of turning pages, keeps the list stable while tickets change and never meets the
300-page limit.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from connectors.values import when

PAGE_SIZE = 100
LAST_PAGE = 300
FIRST_LOOK = timedelta(minutes=1)
# Tickets of the last seconds may still be on their way into the list; repeats are harmless.
OVERLAP = timedelta(seconds=5)
# Not every account seems to count `updated_since` itself in; one second back is right either way.
STEP_BACK = timedelta(seconds=1)
CURSOR = re.compile(r"(?P<since>[^|]+)(?:\|(?P<page>\d{1,3}))?")


def iso(moment: datetime) -> str:
    """Return `moment` as Freshdesk writes times."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class Place:
    """A cursor: tickets updated since `since`, from `page` on."""

    since: datetime
    page: int = 1

    @classmethod
    def parse(cls, cursor: str, now: datetime) -> Place:
        """Return the place `cursor` names, an epoch among others; a minute ago where it names none."""
        if cursor.isascii() and cursor.isdigit():
            return cls(datetime.fromtimestamp(int(cursor), UTC))
        found = CURSOR.fullmatch(cursor)
        since = when(found["since"]) if found else None
        if found is None or since is None:
            return cls(now - FIRST_LOOK)
        return cls(since, int(found["page"] or 1))

    def __str__(self) -> str:
        return iso(self.since) + (f"|{self.page}" if self.page > 1 else "")

    def query(self) -> dict[str, str]:
        """Return the query of this page, oldest change first (the vendor's default order skips tickets)."""
        return {
            "updated_since": iso(self.since),
            "order_by": "updated_at",
            "order_type": "asc",
            "per_page": str(PAGE_SIZE),
            "page": str(self.page),
        }

    def after(self, updated: list[datetime]) -> Place:
        """Return where to go on after a page with these times of change."""
        newest = max(updated, default=self.since)
        if len(updated) < PAGE_SIZE:
            return Place(max(newest - OVERLAP, self.since))
        if newest - STEP_BACK > self.since:
            return Place(newest - STEP_BACK)
        if self.page >= LAST_PAGE:
            # 30,000 tickets in one second: step over them rather than stand still for ever.
            return Place(self.since + timedelta(seconds=2))
        return Place(self.since, self.page + 1)
