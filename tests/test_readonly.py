"""Web, worker and beat as in their container: what the image holds, writing to data and /tmp only, without rights."""

from __future__ import annotations

import os
import shlex
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from commands.stack import ROOT, Process
from tests.running import VENDORS, Tandem

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(280)]
# Root itself without capabilities is bound by the modes of files, as the container's user is.
WITHOUT_RIGHTS = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]


def image(folder: Path) -> Path:
    """Return a copy of what `.dockerignore` lets into the image, with nothing writable in it."""
    app = folder / "app"
    app.mkdir()
    for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines():
        if line.startswith("!"):
            source, target = ROOT / line[1:], app / line[1:]
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", ".env*"))
            else:
                shutil.copy(source, target)
    for path in [app, *app.rglob("*")]:
        path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    return app


def content(app: Path) -> dict[str, float]:
    """Return what stands in `app`, and since when."""
    return {str(path): path.stat().st_mtime for path in [app, *app.rglob("*")]}


@pytest.fixture
def tandem(tmp_path: Path) -> Iterator[Tandem]:
    if os.geteuid() == 0 and not shutil.which("setpriv"):
        pytest.skip("root is bound by no file's mode; setpriv (util-linux) takes that from it")
    running = Tandem(tmp_path)
    app = image(tmp_path)
    prefix = WITHOUT_RIGHTS if os.geteuid() == 0 else []
    (tmp_path / "tmp").mkdir()
    surroundings = {
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": "",
        "HOME": "/nonexistent",
        "TMPDIR": str(tmp_path / "tmp"),
    }

    start = running.stack.start

    def start_inside(name: str, command: list[str], extra: Mapping[str, str] | None = None) -> Process:
        if "manage.py" not in command:
            return start(name, command, extra)
        line = shlex.join([*prefix, *command])
        inside = ["sh", "-c", f"cd {shlex.quote(str(app))} && exec {line}"]
        return start(name, inside, {**surroundings, **(extra or {})})

    running.stack.start = start_inside  # type: ignore[method-assign]
    running.app = app  # type: ignore[attr-defined]
    try:
        running.start()
        yield running
    finally:
        running.stop()


def test_tickets_are_triaged_and_nothing_is_written_next_to_the_code(tandem: Tandem) -> None:
    app: Path = tandem.app  # type: ignore[attr-defined]
    before = content(app)
    tickets = [(vendor, tandem.ticket(vendor)) for vendor in VENDORS]
    for vendor, ticket_id in tickets:
        tandem.wait("note", lambda vendor=vendor, ticket_id=ticket_id: tandem.has_tags(vendor, ticket_id))  # type: ignore[misc]
        assert tandem.notes(vendor, ticket_id) == 1
    assert content(app) == before
    denied = [line for line in tandem.lines if "Permission" in line or "Read-only" in line or "Errno 13" in line]
    assert denied == []
    for name in ("web", "worker", "beat"):
        process = Path(f"/proc/{tandem.process(name).pid}")
        assert (process / "cwd").resolve() == app
        assert os.geteuid() or "CapEff:\t0000000000000000" in (process / "status").read_text("ascii")
