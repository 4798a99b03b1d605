"""What a backtest looks at: a desk's closed tickets, or the rows of a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from commands.past import Circles, patiently
from commands.rows import InputError, history_of, rows_of
from connectors.base import Past
from triage.backtest.replay import truth_of
from triage.people import one_of_its_group
from triage.settings import Desk, Settings
from triage.store import Store
from triage.store.backtests import Backtest, Found, Todo
from triage.ticket import Ticket
from workers.bulk import ReadOnly, Shown

# So far back tickets count as a customer's earlier ones.
BEFORE = timedelta(days=30)
TWICE = "{file} line {line}: id '{id}' was on line {first} already; give each row an id of its own"
LONG_ID = "{file} line {line}: 'id' is longer than {most} characters"
MAX_ID = 80
PAGE = 500


def list_closed(
    backtest: Backtest,
    helpdesk: ReadOnly,
    store: Store,
    settings: Settings,
    desk: Desk,
    progress: Callable[[int], None],
) -> None:
    """Write down the ids of the closed tickets, page by page; goes on where any command stopped."""
    start = datetime.fromtimestamp(backtest.since, UTC) - BEFORE
    more, circles = True, Circles()
    while more:
        page = patiently(lambda: helpdesk.history(backtest.cursor, start))  # noqa: B023
        circles.check([past.ticket.id for past in page.tickets])
        ours = store.backtests.set_by_us(backtest.desk, [past.ticket.id for past in page.tickets])
        # A ticket that comes twice on one page would be in one statement twice; the last one holds.
        found = {past.ticket.id: _found(past, backtest, settings, desk, ours) for past in page.tickets}
        if not store.backtests.add(backtest, list(found.values()), page.cursor):
            # Another command is at it too: go on from where that one is.
            backtest, more = store.backtests.get(backtest.id) or backtest, True
            continue
        progress(len(found))
        backtest, more = replace(backtest, cursor=page.cursor), page.more


def _found(past: Past, backtest: Backtest, settings: Settings, desk: Desk, ours: Mapping[str, set[str]]) -> Found:
    ticket = past.ticket
    created = ticket.created_at.timestamp() if ticket.created_at else None
    return Found(
        ticket.id,
        created,
        ticket.requester.id[:40],
        ticket.url[:300],
        truth_of(ticket, past.group, settings, desk, ours.get(ticket.id, ())),
        created is not None and backtest.since <= created < backtest.until,
    )


@dataclass(frozen=True)
class Labelled:
    """The rows of a file, by their ids."""

    tickets: Mapping[str, Ticket]
    found: Sequence[Found]

    def show(self, todo: Sequence[Todo]) -> Mapping[str, Shown]:
        """Return the tickets asked for; a file holds them as they were when new."""
        return {one.ticket_id: Shown(self.tickets[one.ticket_id], self.tickets[one.ticket_id]) for one in todo}

    def pages(self) -> Iterator[Sequence[Found]]:
        """Yield the rows in parts."""
        for start in range(0, len(self.found), PAGE):
            yield self.found[start : start + PAGE]


def read_labelled(source: Path, desk: str, settings: Settings) -> Labelled:
    """Return the rows of `source`. Raises InputError naming the line that is wrong."""
    lines: dict[str, int] = {}
    numbered = []
    for line, row in rows_of(source):
        name = str(row["id"])
        if name in lines:
            raise InputError(TWICE.format(file=source.name, line=line, id=name[:MAX_ID], first=lines[name]))
        if len(name) > MAX_ID:
            raise InputError(LONG_ID.format(file=source.name, line=line, most=MAX_ID))
        lines[name] = line
        numbered.append((line, row))
    history = history_of(source.name, numbered)
    found, tickets = [], {}
    for place, ticket in enumerate(history.tickets):
        truth = {field: labels[place] for field, labels in history.labels.items() if labels[place]}
        if "primary_team" in truth:
            truth["primary_team"] = one_of_its_group(truth["primary_team"], settings)
        found.append(Found(ticket.id, history.times[place], "", "", truth))
        tickets[ticket.id] = replace(ticket, desk=desk)
    return Labelled(tickets, found)


def take_in(backtest: Backtest, labelled: Labelled, store: Store) -> None:
    """Write down the rows' ids and labels; goes on where any command stopped."""
    for number, part in enumerate(labelled.pages(), 1):
        while int(backtest.cursor or 0) < number:
            store.backtests.add(backtest, part, str(number))
            # As it stands now, whether this command took the part in or another one did.
            backtest = store.backtests.get(backtest.id) or backtest
