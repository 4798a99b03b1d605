"""The whole of Tandem as processes beside the sandbox helpdesk, with things going wrong."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from commands.sandboxed import SETTINGS, sandbox_environment
from commands.stack import ROOT, Stack, StartError, port_taken
from tests.running import VENDORS, Tandem
from triage.store import open_store
from triage.store.migrate import migrate

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(280)]


@pytest.fixture
def tandem(tmp_path: Path) -> Iterator[Tandem]:
    running = Tandem(tmp_path)
    try:
        running.start()
        yield running
    finally:
        running.stop()


def test_the_stop_keeps_the_queue_and_a_changed_file_counts(tandem: Tandem) -> None:
    """The stop keeps the queue, and a changed file counts in web and worker, without a restart."""
    pids = [process.popen.pid for process in tandem.stack.processes]
    tandem.manage("mode", "--stop")
    held = [(vendor, tandem.ticket(vendor)) for vendor in VENDORS]
    tandem.wait("webhooks", lambda: sum(tandem.store.deliveries.counts().values()) == 2, 15)
    time.sleep(8)  # a sweep comes by
    assert [tandem.notes(*one) for one in held] == [0, 0]
    waiting = [one for one in tandem.store.deliveries.recent(2) if one.state == "queued"]
    assert [one.attempts for one in waiting] == [0, 0]
    assert all("writing is stopped" in one.reason for one in waiting)

    assert tandem.knock("initech") == 404
    # The same account as acme's: it is to look on only.
    third = "  initech:\n    mode: watch\n" + SETTINGS.read_text().split("  acme:\n")[1].split("  globex:")[0]
    tandem.file.write_text(SETTINGS.read_text() + third + "tag_prefix: t_\n")
    tandem.wait("the new desk", lambda: tandem.knock("initech") == 401, 10)
    read = "tandem.yaml has changed"
    tandem.wait("the worker's look", lambda: any("worker:" in one and read in one for one in tandem.lines), 15)
    tandem.manage("mode", "--go")
    seconds = tandem.wait("the queue", tandem.settled, 30)
    assert seconds < 20
    assert [tandem.notes(*one) for one in held] == [1, 1]
    assert all("t_triaged" in tandem.tickets(vendor)[id_]["tags"] for vendor, id_ in held)

    tandem.file.write_text("desks: [")
    tandem.wait("the alarm", lambda: any("line" in one.text for one in tandem.store.alarms.recent()), 15)
    assert pids == [process.popen.pid for process in tandem.stack.processes]


def test_on_postgresql(tmp_path: Path, postgres_url: str) -> None:
    """The same path on PostgreSQL, both helpdesks, with a repeated webhook."""
    store = open_store(postgres_url)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    migrate(store.engine)
    store.engine.dispose()
    running = Tandem(tmp_path, postgres_url)
    try:
        running.start()
        sent = [(vendor, running.ticket(vendor)) for vendor in VENDORS for _ in range(3)]
        running.wait("notes", lambda: all(running.has_tags(*one) for one in sent), 60)
        assert [running.notes(*one) for one in sent] == [1] * 6
    finally:
        running.stop()


def three_free_ports() -> int:
    """Return the first of three in a row, below those that other tests are given by the system."""
    while True:
        port = random.randrange(20_000, 32_000, 3)
        if not any(port_taken(port + more) for more in range(3)):
            return port


def test_killing_up_leaves_nothing_behind(tmp_path: Path) -> None:
    """Every child dies with its parent, even by kill -9: no orphaned server keeps a port."""
    port = three_free_ports()
    values = dict(os.environ) | {"PORT": str(port), "DATABASE_URL": "", "REDIS_URL": ""}
    command = [sys.executable, "manage.py", "up", "--every", "60"]
    with (tmp_path / "out").open("w") as out:
        up = subprocess.Popen(command, cwd=ROOT, env=values, stdout=out, stderr=out, start_new_session=True)
    end = time.monotonic() + 60
    while "Tandem is running" not in (tmp_path / "out").read_text():
        assert up.poll() is None and time.monotonic() < end, (tmp_path / "out").read_text()
        time.sleep(0.2)
    children = _descendants(up.pid)
    assert len(children) >= 5
    with urllib.request.urlopen(f"http://127.0.0.1:{port + 2}/", timeout=10) as page:
        assert b"yours to connect" in page.read()
    assert (ROOT / f"data/sandbox-{port}/.env").stat().st_mode & 0o777 == 0o600
    up.kill()
    up.wait()
    end = time.monotonic() + 40
    while alive := [pid for pid in children if _is_alive(pid)]:
        assert time.monotonic() < end, f"still running: {alive}"
        time.sleep(0.2)


def test_up_starts_what_ended_again(tmp_path: Path) -> None:
    lines: list[str] = []
    stack = Stack(dict(os.environ), lambda name, line: lines.append(f"{name}: {line}"))
    try:
        stack.start("sleeper", [sys.executable, "-c", "import time; time.sleep(60)"])
        first = stack.processes[0].popen
        first.kill()
        first.wait()
        stack.revive()
        assert stack.processes[0].popen.poll() is None
        assert lines == ["sleeper: ended with code -9, started again"]
        stack.start("broken", [sys.executable, "-c", "raise SystemExit(3)"])
        with pytest.raises(StartError, match="broken ended 5 times"):
            while True:
                stack.revive()
    finally:
        stack.stop()


def _descendants(pid: int) -> list[int]:
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = {int(child): int(parent) for child, parent in (line.split() for line in listed.splitlines())}
    found = [child for child, parent in parents.items() if parent == pid]
    return found + [grandchild for child in found for grandchild in _descendants(child)]


def _is_alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (("webhook_secrets: [${SANDBOX_ZENDESK_WEBHOOK_SECRET}]", ""), "webhook_secrets"),
        (("platform: zendesk", "platfrom: zendesk"), "platform"),
        (("${SANDBOX_URL}/zendesk", "http://acme.zendesk.com"), "https"),
        (("webhook_secrets:", "teams: {biling: write}\n    webhook_secrets:"), "biling"),
    ],
)
@pytest.mark.parametrize("command", ["web", "worker", "beat"])
def test_bad_settings_stop_the_start_with_one_sentence(
    tmp_path: Path, command: str, change: tuple[str, str], named: str
) -> None:
    text = (ROOT / "sandbox" / "tandem.yaml").read_text().replace(*change, 1)
    path = tmp_path / "tandem.yaml"
    path.write_text(text)
    values = dict(os.environ) | sandbox_environment(1) | {"TANDEM_CONFIG": str(path)}
    done = subprocess.run(
        [sys.executable, "manage.py", command], cwd=ROOT, env=values, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "tandem.yaml line" in done.stderr
    assert named in done.stderr


def test_slow_senders_do_not_hold_up_the_others(tandem: Tandem) -> None:
    """Half a header, or half a body, on more connections than there are threads."""
    halves = [
        b"POST /webhooks/zendesk/acme HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        b"POST /webhooks/zendesk/acme HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc",
    ]
    silent = []
    try:
        for number in range(40):
            one = socket.create_connection(("127.0.0.1", tandem.port), timeout=5)
            one.sendall(halves[number % 2])
            silent.append(one)
        start = time.monotonic()
        ticket_id = tandem.ticket("zendesk")
        tandem.wait("webhook", lambda: sum(tandem.store.deliveries.counts().values()) == 1, 15)
        assert time.monotonic() - start < 10, "a silent connection is held for 20 s"
        tandem.wait("note", lambda: tandem.has_tags("zendesk", ticket_id), 30)
    finally:
        for one in silent:
            one.close()


def test_a_forged_webhook_is_refused_by_the_real_web_process(tandem: Tandem) -> None:
    request = urllib.request.Request(f"{tandem.url}/webhooks/freshdesk/globex", data=b"{}", method="POST")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=5)
    assert refused.value.code == 401
    assert tandem.store.deliveries.counts() == {}
