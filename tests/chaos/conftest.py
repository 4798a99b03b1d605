"""What the fault tests share: how large they are, a Tandem under load, and the table at the end."""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.house import Audit, House
from triage.store import open_store

FOLDER = Path(__file__).parent
COLUMNS = ("tickets", "lost", "second", "public", "replaced")
FAULT = "fault"


@dataclass(frozen=True)
class Scale:
    """How much flows: in full as `make chaos` does, or short as the gate does."""

    tickets: int
    """While one fault happens."""
    storm: int
    kills: int
    short: bool


FULL = Scale(tickets=500, storm=5000, kills=100, short=False)
SHORT = Scale(tickets=24, storm=60, kills=5, short=True)


def together(faults: Mapping[str, Any], *, full_only: Container[str] = ()) -> list[Any]:
    """Return what to parametrize a test with: each fault in a house of its own, or in short all in one, in turn."""
    if os.environ.get("CHAOS") == "short":
        return [pytest.param({name: one for name, one in faults.items() if name not in full_only}, id="together")]
    return [pytest.param({name: one}, id=name) for name, one in faults.items()]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what stands here: it has a target of its own."""
    for item in items:
        if FOLDER in item.path.parents:
            item.add_marker(pytest.mark.chaos)
            item.add_marker(pytest.mark.timeout(3600))


@pytest.fixture
def scale() -> Scale:
    """Return how much is to flow; CHAOS_TICKETS=500 sets it, CHAOS_STORM=5000/100 the storm's tickets and kills."""
    if os.environ.get("CHAOS") == "short":
        return SHORT
    tickets, _, kills = os.environ.get("CHAOS_STORM", f"{FULL.storm}/{FULL.kills}").partition("/")
    flow = int(os.environ.get("CHAOS_TICKETS", FULL.tickets))
    return replace(FULL, tickets=flow, storm=int(tickets), kills=int(kills))


@pytest.fixture
def houses(tmp_path: Path) -> Iterator[Callable[..., House]]:
    """Return a maker of running houses, `houses(database_url, updates=..., settings=...)`; all are stopped."""
    made: list[House] = []

    def make(database_url: str = "", kind: type[House] = House, **more: Any) -> House:
        folder = tmp_path / f"house{len(made)}"
        folder.mkdir()
        house = kind(folder, database_url, **more)
        made.append(house)
        house.start()
        return house

    try:
        yield make
    finally:
        for house in made:
            house.stop()


@pytest.fixture
def empty_postgres(postgres_url: str) -> str:
    """Return the URL of a PostgreSQL database without tables."""
    store = open_store(postgres_url)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    store.engine.dispose()
    return postgres_url


@pytest.fixture
def tell(record_property: Callable[[str, Any], None]) -> Callable[..., None]:
    """Return what puts a line into the table at the end, `tell(fault, audit, recovered)`, and fails where it is bad.

    `recovered`: seconds, and `within`: how many there may be; `more` stands below the line.
    """

    def put(
        fault: str, audit: Audit, recovered: float | None = None, within: float | None = None, more: str = ""
    ) -> None:
        told = {"fault": fault, **audit.counts(), "recovered": recovered, "within": within, "more": more}
        record_property(FAULT, told)
        assert audit.clean, f"{fault}: {audit}"
        if recovered is not None and within is not None:
            assert recovered <= within, f"{fault}: {recovered:.1f} s to recover, {within:.0f} at most"

    return put


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print a line per fault."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, [])]
    told = [value for report in reports for name, value in getattr(report, "user_properties", []) if name == FAULT]
    if not told:
        return
    terminalreporter.section("faults")
    terminalreporter.line(f"{'':26}" + "".join(f"{name:>9.9}" for name in COLUMNS) + "   recovered")
    for one in told:
        seconds = "" if one["recovered"] is None else f"{one['recovered']:10.1f} s"
        terminalreporter.line(f"{one['fault']:26.26}" + "".join(f"{one[name]:9}" for name in COLUMNS) + seconds)
        if one["more"]:
            terminalreporter.line(f"  {one['more']}")
