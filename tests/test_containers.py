"""The containers: nobody is root, only volumes are written to, no secret is in a layer, each one says its health."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parent.parent
COMPOSE = YAML(typ="safe").load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = [
    line for line in (ROOT / "Dockerfile").read_text("utf-8").splitlines() if line and not line.startswith("#")
]
OURS = [name for name, service in SERVICES.items() if service.get("image") == "tandem"]
# The user each image's own entrypoint would change to.
USERS = {"redis": "valkey", "postgres": "postgres"}


def instructions(name: str) -> list[str]:
    return [line.removeprefix(f"{name} ") for line in DOCKERFILE if line.startswith(f"{name} ")]


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_locked_in(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"] and "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "/tmp" in service["tmpfs"]
    assert service["pids_limit"] <= 500
    assert not {"privileged", "network_mode", "pid", "ipc", "devices"} & set(service)
    assert not [volume for volume in service["volumes"] if "docker.sock" in volume]


@pytest.mark.parametrize("name", SERVICES)
def test_only_volumes_are_written_to(name: str) -> None:
    for volume in SERVICES[name]["volumes"]:
        source, _, options = volume.split(":")[0], *volume.partition(":ro")[1:]
        assert source in COMPOSE["volumes"] or (options == "" and volume.endswith(":ro")), volume


@pytest.mark.parametrize("name", SERVICES)
def test_nobody_is_root(name: str) -> None:
    if name in OURS:
        assert "user" not in SERVICES[name], "the image says who"
        (user,) = instructions("USER")
        assert int(user) >= 1000
    else:
        assert SERVICES[name]["user"] == USERS[name]


@pytest.mark.parametrize("name", [name for name in SERVICES if name != "migrate"])
def test_every_service_that_stays_says_its_health(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"


def test_only_web_can_be_reached_and_by_this_machine_alone() -> None:
    assert {name: service["ports"] for name, service in SERVICES.items() if "ports" in service} == {
        "web": ["127.0.0.1:${PORT:-8000}:8000"]
    }


def test_no_secret_gets_into_a_layer() -> None:
    """Only what is listed is copied, and nothing is handed in while the image is built."""
    ignored = (ROOT / ".dockerignore").read_text("utf-8").split("\n")
    rules = [line for line in ignored if line and not line.startswith("#")]
    assert rules[0] == "*"
    let_in = {rule[1:] for rule in rules if rule.startswith("!")}
    folders = {folder for folder in let_in if (ROOT / folder).is_dir()}
    assert folders == {"commands", "connectors", "sandbox", "triage", "webhooks", "workers"}
    assert not {name for name in let_in if name.startswith((".env", "data")) or name == "tandem.yaml"}
    assert all((ROOT / name).exists() for name in let_in)
    assert "**/.env*" in rules[rules.index("!workers") :]
    assert instructions("ARG") == instructions("ADD") == []
    assert [line for line in DOCKERFILE if "--mount=type=secret" in line] == []
    assert all("SECRET" not in line and "PASSWORD" not in line for line in instructions("ENV"))


def test_passwords_come_from_the_environment_alone() -> None:
    for service in SERVICES.values():
        assert "args" not in (service["build"] if isinstance(service.get("build"), dict) else {})
        for name, value in service.get("environment", {}).items():
            if "PASSWORD" in name or "@" in value:
                assert "${POSTGRES_PASSWORD" in value, name


def test_what_is_installed_is_pinned_by_its_hash() -> None:
    (install,) = [line for line in instructions("RUN") if "pip install" in line]
    assert "--require-hashes" in install


class Readiness(BaseHTTPRequestHandler):
    """Stands in for web."""

    state = "ok"

    def do_GET(self) -> None:
        body = json.dumps({"checks": {"worker and beat": {"state": self.state, "text": ""}}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


@pytest.fixture
def web() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Readiness)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("state", "code"), [("ok", 0), ("warning", 0), ("broken", 1)])
def test_worker_and_beat_are_well_while_their_work_is_done(
    web: str, state: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Readiness, "state", state)
    assert SERVICES["worker"]["healthcheck"] == SERVICES["beat"]["healthcheck"]
    script = SERVICES["worker"]["healthcheck"]["test"][-1].replace("web:8000", web)
    assert subprocess.run([sys.executable, "-c", script], check=False, timeout=30).returncode == code
