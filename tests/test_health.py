"""The checks that doctor, console and /readyz share, and what the doctor says of helpdesks and addresses."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import event

from commands.doctor import command as doctor
from tests.fakes import FakeConnector
from triage.environment import Environment
from triage.settings import Settings
from triage.store import Store, open_store
from triage.store.deliveries import DEAD
from triage.store.marks import BEAT, EVERY_DESK
from webhooks.app import create_app
from webhooks.wakeup import Wakeup
from workers import desk_health, health
from workers.health import Finding, State

NOW = 1_700_000_000.0


def by_name(found: Iterator[Finding]) -> dict[str, Finding]:
    return {one.what: one for one in found}


@pytest.fixture
def address() -> Iterator[str]:
    """Return the address of something that answers like our web process."""

    class Ours(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/healthz" else 404)
            self.end_headers()
            self.wfile.write(b'{"status": "ok"}')

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Ours)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


class TestDatabase:
    def test_is_well(self, store: Store) -> None:
        store.cursors.set(EVERY_DESK, BEAT, "", NOW - 3)
        found = by_name(health.database(store, NOW))
        assert {one.state for one in found.values()} == {State.OK}
        assert found["worker and beat"].text == "last seen 3 s ago"
        assert ("clock of the database" in found) == (store.engine.dialect.name == "postgresql")

    def test_a_read_only_database_is_broken(self, sqlite_store: Store) -> None:
        read_only = open_store(str(sqlite_store.engine.url))
        event.listen(read_only.engine, "connect", lambda connection, _: connection.execute("PRAGMA query_only=ON"))
        (found,) = health.database(read_only, NOW)
        assert (found.what, found.state) == ("database", State.BROKEN)
        assert found.remedy

    def test_missing_tables_name_the_command(self, tmp_path: Path) -> None:
        (found,) = health.database(open_store(f"sqlite:///{tmp_path}/empty.db"), NOW)
        assert (found.state, found.remedy) == (State.BROKEN, "python manage.py migrate")

    @pytest.mark.parametrize(("age", "state"), [(29, State.OK), (31, State.BROKEN)])
    def test_a_silent_beat(self, sqlite_store: Store, age: float, state: State) -> None:
        sqlite_store.cursors.set(EVERY_DESK, BEAT, "", NOW - age)
        assert health.workers(sqlite_store, NOW).state is state

    def test_a_full_inbox_and_dead_letters(self, sqlite_store: Store) -> None:
        one = sqlite_store.deliveries.receive("acme", "k", ticket_id="1", event="created", body=b"", now=NOW - 121)
        assert "121 s" in health.inbox(sqlite_store, NOW).text
        assert health.inbox(sqlite_store, NOW).state is State.WARNING
        sqlite_store.deliveries.finish(one.id, DEAD, NOW, "refused")
        found = health.inbox(sqlite_store, NOW)
        assert (found.state, found.remedy) == (State.WARNING, "python manage.py replay --dead")


class TestRedis:
    def test_is_well(self, redis_url: str) -> None:
        assert health.redis(Environment(redis_url=redis_url), time.time()).state is State.OK

    def test_beat_without_a_worker_is_told(self, redis_url: str) -> None:
        from connectors.budget import connect

        client = connect(redis_url)
        client.rpush("sweep", *("x" * 11))
        try:
            found = health.redis(Environment(redis_url=redis_url), time.time())
        finally:
            client.delete("sweep")
        assert found.state is State.WARNING
        assert "beat runs and nobody listens" in found.remedy

    def test_another_time_is_told(self, redis_url: str) -> None:
        found = health.redis(Environment(redis_url=redis_url), time.time() + 600)
        assert (found.state, found.text[:22]) == (State.BROKEN, "our clock is 600 s ahe")

    @pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "redis://[broken", "redis+socket:///nowhere.sock"])
    def test_one_that_is_away_is_broken(self, url: str) -> None:
        assert health.redis(Environment(redis_url=url), NOW).state is State.BROKEN


@pytest.mark.parametrize(
    ("free", "state"), [(10 * 1024**3, State.OK), (1024**3, State.WARNING), (100 * 1024**2, State.BROKEN)]
)
def test_the_disk(free: int, state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.health.shutil.disk_usage", lambda _folder: SimpleNamespace(free=free))
    found = health.disk(Environment(database_url=f"sqlite:///{tmp_path}/new/folder/tandem.db"))
    assert found.state is state
    assert bool(found.remedy) == (state is not State.OK)


@pytest.mark.parametrize(
    ("ahead", "state"), [(0, State.OK), (-29, State.OK), (-31, State.WARNING), (200, State.BROKEN)]
)
def test_the_clock(ahead: float, state: State) -> None:
    found = health.skew("redis", ahead)
    assert found.state is state
    assert ("behind" in found.text) == (ahead == -31)


def test_the_worst_of_all_counts() -> None:
    lines = [Finding("a", State.OK, ""), Finding("b", State.BROKEN, ""), Finding("c", State.WARNING, "")]
    assert health.worst(lines) is State.BROKEN
    assert health.worst([]) is State.OK


class TestPublicAddress:
    def found(self, url: str, settings: Settings) -> Finding:
        return desk_health.public_address(Environment(public_url=url), settings.desks)

    def test_leads_here(self, address: str, settings: Settings) -> None:
        local = {name: one.model_copy(update={"url": "http://127.0.0.1:1"}) for name, one in settings.desks.items()}
        found = self.found(address, settings.model_copy(update={"desks": local}))
        assert (found.state, found.text) == (State.OK, f"{address} leads here")

    def test_a_local_address_is_of_no_use_to_a_real_helpdesk(self, address: str, settings: Settings) -> None:
        found = self.found(address, settings)
        assert found.state is State.WARNING
        assert "no helpdesk reaches it" in found.text

    def test_nobody_there(self, settings: Settings) -> None:
        settings = settings.model_copy(update={"desks": {}})
        found = self.found("http://127.0.0.1:1", settings)
        assert (found.state, "ConnectionRefusedError" in found.text) == (State.WARNING, True)

    def test_somebody_else(self, address: str, settings: Settings) -> None:
        settings = settings.model_copy(update={"desks": {}})
        found = self.found(f"{address}/elsewhere", settings)
        assert (found.state, "404" in found.text) == (State.BROKEN, True)


class TestDesk:
    def lines(self, settings: Settings, connector: FakeConnector, room: tuple[float, float] | None) -> list[Finding]:
        runtime: Any = SimpleNamespace(connector=lambda _name: connector, headroom=lambda _name, _now: room)
        return list(desk_health.desk("acme", settings.desks["acme"], runtime, NOW))

    def test_clock_and_rate_limit_are_looked_at(self, settings: Settings) -> None:
        connector = FakeConnector()
        connector.clock_skew = 500.0
        who, clock, limit = self.lines(settings, connector, (10.0, 200.0))
        assert (who.state, clock.state, limit.state) == (State.OK, State.BROKEN, State.WARNING)
        assert limit.text == "10 of 200 calls left this minute"

    def test_all_is_well(self, settings: Settings) -> None:
        connector = FakeConnector()
        connector.clock_skew = -1.0
        assert [one.state for one in self.lines(settings, connector, (150.0, 200.0))] == [State.OK, State.OK]


def test_the_doctor_answers_programs_too(
    sqlite_store: Store, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tandem.yaml").write_text("desks: {}\n")
    monkeypatch.setenv("TANDEM_CONFIG", str(tmp_path / "tandem.yaml"))
    monkeypatch.setenv("DATABASE_URL", str(sqlite_store.engine.url))
    monkeypatch.setenv("REDIS_URL", redis_url)
    sqlite_store.cursors.set(EVERY_DESK, BEAT, "", time.time() - 500)
    result = CliRunner().invoke(doctor, ["--json", "--local"])
    assert result.exit_code == 1
    found = {one["what"]: one for one in json.loads(result.output)}
    assert found["worker and beat"]["state"] == "broken"
    assert set(found) == {"settings", "database", "worker and beat", "inbox", "disk", "redis"}


class TestReadyz:
    def get(self, store: Store, settings: Settings) -> tuple[int, dict[str, Any]]:
        environment = Environment(database_url=str(store.engine.url))
        answer = create_app(environment, settings, store, Wakeup()).test_client().get("/readyz")
        return answer.status_code, answer.json or {}

    def test_says_how_everything_stands(self, sqlite_store: Store, settings: Settings) -> None:
        status, body = self.get(sqlite_store, settings)
        assert (status, body["status"], body["checks"]["database"]["state"]) == (200, "ok", "ok")
        # No worker yet: webhooks are stored all the same.
        assert body["checks"]["worker and beat"]["state"] == "warning"

    def test_is_degraded_where_the_broker_takes_nothing(self, sqlite_store: Store, settings: Settings) -> None:
        wakeup = Wakeup()
        environment = Environment(database_url=str(sqlite_store.engine.url))
        client = create_app(environment, settings, sqlite_store, wakeup).test_client()
        wakeup.is_refused = True
        answer = client.get("/readyz")
        assert (answer.status_code, (answer.json or {})["status"]) == (200, "degraded")
        assert (answer.json or {})["checks"]["queue"]["state"] == "broken"

    def test_is_down_without_tables(self, tmp_path: Path, settings: Settings) -> None:
        status, body = self.get(open_store(f"sqlite:///{tmp_path}/empty.db"), settings)
        assert (status, body["status"], body["checks"]["database"]["state"]) == (503, "down", "broken")
