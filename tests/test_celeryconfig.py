"""Celery's settings: each has its reason, and the ones that keep tickets from getting lost are what they must be."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from celery import Celery
from celery.app.defaults import NAMESPACES, flatten

from workers import names
from workers.leases import DEADLINE_SECONDS

PATH = Path(__file__).parent.parent / "celeryconfig.py"


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    return load(monkeypatch, tmp_path)


def load(monkeypatch: pytest.MonkeyPatch, folder: Path, **variables: str) -> ModuleType:
    """Return the settings as a process with `variables` sees them; nothing else of the suite does."""
    monkeypatch.chdir(folder)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    spec = importlib.util.spec_from_file_location("celeryconfig_of_a_test", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def assignments() -> list[tuple[str, int]]:
    """Return name and line of every assignment of the file, those below an `if` too."""
    found = []
    for node in ast.walk(ast.parse(PATH.read_text(encoding="utf-8"))):
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        found += [(target.id, node.lineno) for target in targets if isinstance(target, ast.Name)]  # type: ignore[attr-defined]
    return found


class TestReasons:
    @pytest.mark.parametrize(("name", "line"), assignments())
    def test_stand_above_every_setting(self, name: str, line: int) -> None:
        above = PATH.read_text(encoding="utf-8").splitlines()[line - 2].strip()
        assert above.startswith("# "), f"say above {name} (line {line}) why it is set"
        assert len(above) > 10

    def test_the_file_sets_something(self) -> None:
        assert len(assignments()) > 20

    def test_every_name_is_one_of_celerys(self) -> None:
        """A misspelt setting is silently nothing."""
        known = {name for name, _ in flatten(NAMESPACES)}
        assert {name for name, _ in assignments() if not name.startswith("_")} <= known


class TestWhatMustHold:
    def test_json_alone_is_taken_and_given(self, settings: ModuleType) -> None:
        assert (settings.task_serializer, settings.accept_content) == ("json", ["json"])

    def test_messages_come_back_when_a_worker_dies(self, settings: ModuleType) -> None:
        assert settings.task_acks_late is True
        assert settings.task_reject_on_worker_lost is True
        assert settings.worker_prefetch_multiplier == 1
        assert settings.worker_pool == "threads"
        assert settings.worker_soft_shutdown_timeout > 0

    def test_no_results_are_kept(self, settings: ModuleType) -> None:
        assert (settings.task_ignore_result, settings.result_backend) == (True, None)

    def test_a_ticket_is_over_before_its_message_comes_back(self, settings: ModuleType) -> None:
        assert settings.broker_transport_options["visibility_timeout"] > DEADLINE_SECONDS

    def test_a_hung_redis_holds_nobody_for_ever(self, settings: ModuleType) -> None:
        options = settings.broker_transport_options
        assert 0 < options["socket_timeout"] <= 5
        assert 0 < options["socket_connect_timeout"] <= 2

    def test_every_task_has_its_queue(self, settings: ModuleType) -> None:
        app = Celery("t")
        app.config_from_object(settings)
        queues = {queue.name for queue in settings.task_queues}
        assert queues == {"triage", "sweep", "bulk"}
        routed = {name: app.amqp.router.route({}, name)["queue"].name for name in ("sweep.requeue", names.BACKTEST)}
        assert routed == {"sweep.requeue": "sweep", "bulk.backtest": "bulk"}
        assert app.amqp.router.route({}, names.TRIAGE)["queue"].name == "triage"
        for name in (names.REQUEUE, names.RECONCILE, names.RETENTION, names.CALIBRATE):
            assert app.amqp.router.route({}, name)["queue"].name == "sweep"

    def test_beat_starts_tasks_that_exist_and_its_clock_may_be_an_hour_slow(self, settings: ModuleType) -> None:
        schedule = settings.beat_schedule
        tasks = {names.REQUEUE, names.RECONCILE, names.SLA, names.FORESIGHT, names.RETENTION, names.CALIBRATE}
        tasks |= {names.KNOWLEDGE, names.HEALTH}
        assert {entry["task"] for entry in schedule.values()} == tasks
        for entry in schedule.values():
            assert entry["options"]["expires"] > 3600 + 60
        # A row that no message told of is looked at within the half minute a lease may take to run out.
        assert schedule["requeue"]["schedule"] <= 10


class TestBroker:
    def test_is_redis_by_default(self, settings: ModuleType) -> None:
        assert settings.broker_url == "redis://127.0.0.1:6379/0"

    @pytest.mark.parametrize("url", ["rediss://r:6380/0", "redis+socket:///run/r.sock"])
    def test_is_redis_whatever_the_way(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str) -> None:
        settings = load(monkeypatch, tmp_path, REDIS_URL=url)
        assert settings.broker_url == url
        assert "visibility_timeout" in settings.broker_transport_options

    def test_may_be_rabbitmq_by_its_url_alone(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        settings = load(monkeypatch, tmp_path, BROKER_URL="amqp://guest:guest@rabbit//")
        assert settings.broker_url.startswith("amqp://")
        assert settings.broker_transport_options["confirm_publish"] is True
        assert not any("socket" in name or "visibility" in name for name in settings.broker_transport_options)
        assert settings.broker_heartbeat > 0
