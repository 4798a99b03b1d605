"""Learning from a helpdesk: what is read, how it goes on after an interruption, what becomes of limits and faults."""

from __future__ import annotations

import json
import stat
import time
from collections import deque
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from test_connector_sandbox import Box, box, sandbox  # noqa: F401  (fixtures)

from commands import past as past_module
from commands.past import MOST_OLD_PAGES, TRIES, Shelf, read_past, row_of
from connectors.base import History, Past
from tests.fakes import own_sleep
from triage.errors import FeatureOff, Retry, Stop, Wait
from triage.settings import Settings
from triage.ticket import Author, Message, Status, Ticket

SINCE = datetime(2026, 1, 1, tzinfo=UTC)


def solved(number: int, group: str = "Finance & Billing", priority: str | None = "urgent", body: str = "Hello") -> Past:
    message = Message("", Author.CUSTOMER, body, html="<" in body)
    return Past(Ticket("acme", str(number), f"Ticket {number}", Status.SOLVED, priority, messages=(message,)), group)


class Archive:
    """A helpdesk's history in pages; an exception among them is raised once."""

    def __init__(self, *pages: list[Past] | BaseException) -> None:
        self.pages = deque(pages)
        self.cursors: list[str] = []

    def history(self, cursor: str, since: datetime) -> History:
        """Return the next page; its cursor is its number."""
        assert since == SINCE
        self.cursors.append(cursor)
        page = self.pages.popleft()
        if isinstance(page, BaseException):
            raise page
        return History(tuple(page), str(int(cursor or 0) + 1), more=bool(self.pages))


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the seconds that were waited, without waiting."""
    found: list[float] = []
    own_sleep(monkeypatch, past_module, found.append)
    return found


def read(archive: Any, path: Path) -> list[dict[str, Any]]:
    counts: list[int] = []
    rows = read_past(archive, Settings(), SINCE, Shelf(path, SINCE), lambda count, _pages: counts.append(count))
    assert sum(counts) >= len(rows)
    return rows


def test_groups_become_teams_where_the_settings_name_them() -> None:
    row = row_of(solved(7, body="<p>Hi <b>there</b></p>"), Settings())
    assert (row["primary_team"], row["priority"], row["body"]) == ("billing", "P0_critical", "Hi there")
    row = row_of(solved(7, " Warehouse 3", None), Settings())
    assert (row["primary_team"].strip(), row["priority"]) == ("Warehouse 3", "")


def test_a_ticket_that_comes_again_counts_once_with_its_last_group(tmp_path: Path) -> None:
    rows = read(Archive([solved(1), solved(2)], [solved(1, "Security")]), tmp_path / "part")
    assert {row["id"]: row["primary_team"] for row in rows} == {"1": "security", "2": "billing"}


def test_limits_are_waited_for_and_faults_tried_again(tmp_path: Path, slept: list[float]) -> None:
    archive = Archive(Wait("429", 42.0), Retry("502", after=3.0), Retry("502"), [solved(1)])
    assert len(read(archive, tmp_path / "part")) == 1
    assert slept == [42.0, 3.0, past_module.PAUSE]
    with pytest.raises(Retry):
        read(Archive(*[Retry("down")] * TRIES, [solved(1)]), tmp_path / "other")
    with pytest.raises(FeatureOff):
        read(Archive(FeatureOff("admins only")), tmp_path / "third")


def test_goes_on_where_it_was_interrupted(tmp_path: Path) -> None:
    path = tmp_path / "part"
    with pytest.raises(KeyboardInterrupt):
        read(Archive([solved(1)], [solved(2)], KeyboardInterrupt()), path)
    path.write_text(path.read_text() + '{"since": "2026-01-01", "cursor": "9", "ro')  # cut short by a full disk
    archive = Archive([solved(3)])
    assert {row["id"] for row in read(archive, path)} == {"1", "2", "3"}
    assert archive.cursors == ["2"]
    assert [json.loads(line)["cursor"] for line in path.read_text().splitlines()] == ["1", "2", "3"]


def test_a_list_without_end_ends(tmp_path: Path) -> None:
    again = Archive(*[[solved(1)]] * 1000)
    with pytest.raises(Stop, match="no end"):
        read(again, tmp_path / "past.jsonl")
    assert len(again.cursors) == MOST_OLD_PAGES + 1


def test_pages_of_another_period_are_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "part"
    Shelf(path, datetime(2025, 1, 1, tzinfo=UTC)).start([("5", [{"id": "old"}])])
    archive = Archive([solved(1)])
    assert [row["id"] for row in read(archive, path)] == ["1"]
    assert archive.cursors == [""]


def test_only_the_owner_may_read_the_file_and_it_goes_away(tmp_path: Path) -> None:
    path = tmp_path / "part"
    read(Archive([solved(1)]), path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    Shelf(path, SINCE).clear()
    assert not path.exists()


def test_both_helpdesks_give_solved_tickets_with_group_and_priority(box: Box) -> None:  # noqa: F811
    done = [box.ticket(subject=f"Invoice {number}", body="I was charged twice.") for number in range(3)]
    for ticket_id in done:
        box.act(ticket_id, group="Technical Support", priority="high", status="solved")
    still_open = box.ticket(subject="Not yet")
    found: dict[str, Past] = {}
    cursor, since = "", datetime.fromtimestamp(time.time() - 3600, UTC)
    for _ in range(20):
        page = box.connector.history(cursor, since)
        found |= {one.ticket.id: one for one in page.tickets}
        cursor = page.cursor
        if not page.more:
            break
    assert set(done) <= set(found)
    assert still_open not in found
    one = found[done[0]]
    assert (one.group, one.ticket.priority, one.ticket.subject) == ("Technical Support", "high", "Invoice 0")
    assert "charged twice" in one.ticket.messages[0].body
    assert one.ticket.messages[0].author is Author.CUSTOMER
    assert one.ticket.created_at
