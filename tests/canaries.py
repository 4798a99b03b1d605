"""Looks through everything the suite prints, logs, raises and starts for secrets and for what customers wrote.

The secrets of the tests are known, so each of them is a canary: where one is seen, the test that ran fails.
"""

from __future__ import annotations

import logging
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from click.testing import CliRunner

from tests.desks import VARIABLES
from triage.errors import TandemError

SECRETS = {
    **VARIABLES,
    "the sandbox's client secret": "client-secret-of-the-sandbox",
    "the sandbox's key": "key-of-the-sandbox",
    "SECRET_KEY": "s" * 40,
    "CONSOLE_PASSWORD": "a-console-password",
    "OPENAI_API_KEY": "sk-very-secret",
    "the key of another model": "sk-a-key-of-the-language-model",
    **{
        f"'{value[:9]}...'": value
        for value in (
            "token-of-the-sandbox",
            "long-enough-for-a-key",
            "correct horse battery staple",
            "only looking, thank you",
            "a-secret-key-of-this-installation",
            "a-secret-key-for-tests",
            "canary-database-password",
            "canary-channel",
            "canary-broker-password",
            "canary-of-the-identity-provider",
            "hunter2-hunter2",
            "hunter2-secret-value",
            "Bearer very-secret",
            "a-shared-secret-of-ours",
            "a-signing-secret-of-ours",
        )
    },
}
# Customers' words in the tests: they may be shown where somebody asks for them, and never logged.
WORDS = {
    "a body of the webhook tests": "my-card-is-4111-1111",
    "a body of the runs": "I was charged twice for invoice 4711",
    "the words of hostile tickets": "zanzibar export fails",
}
OURS = ("triage", "connectors", "workers", "webhooks", "commands")
NAMES = re.compile("SECRET|KEY|TOKEN|PASSWORD")


def seen_in(text: str, canaries: Mapping[str, str]) -> list[str]:
    """Return the names of those canaries that stand in `text`."""
    return [name for name, value in canaries.items() if value in text]


def secrets_of(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the secrets among a process's variables; shorter ones could stand in any line by chance."""
    return {name: value for name, value in environment.items() if NAMES.search(name) and len(value) >= 12}


class Watch:
    """Remembers what leaked since it was last asked."""

    def __init__(self) -> None:
        self.leaks: list[str] = []

    def look(self, where: str, text: object, canaries: Mapping[str, str] = SECRETS) -> None:
        """Note each canary in `text`: a text, bytes, or a list of them."""
        if isinstance(text, bytes):
            text = text.decode("utf-8", "replace")
        self.leaks += [f"{name} in {where}" for name in seen_in(str(text or ""), canaries)]

    def taken(self) -> list[str]:
        """Return what was noted, and forget it."""
        found, self.leaks = list(dict.fromkeys(self.leaks)), []
        return found


WATCH = Watch()


def sections(report: pytest.TestReport) -> None:
    """Look through what pytest captured of one test; customers' words only in its log."""
    for title, text in report.sections:
        WATCH.look(title, text)
        if "log" in title:
            WATCH.look(title, text, WORDS)


@contextmanager
def watching() -> Iterator[None]:
    """Look also at what pytest does not see: logs below the level, commands, processes, errors that are caught."""
    patch = pytest.MonkeyPatch()
    for name in ("debug", "info", "warning", "error", "critical"):
        patch.setattr(logging.Logger, name, _logged(getattr(logging.Logger, name)))
    patch.setattr(TandemError, "__init__", _raised(TandemError.__init__))
    patch.setattr(CliRunner, "invoke", _invoked(CliRunner.invoke))
    patch.setattr(subprocess, "run", _ran(subprocess.run))
    patch.setattr(subprocess.Popen, "__init__", _started(subprocess.Popen.__init__))
    patch.setattr(pytest.CaptureFixture, "readouterr", _read(pytest.CaptureFixture.readouterr))
    yield
    patch.undo()


def _logged(real: Callable[..., None]) -> Callable[..., None]:
    def log(self: logging.Logger, msg: object, *args: Any, **more: Any) -> None:
        if self.name.partition(".")[0] in OURS:
            said = str(msg) % args if args else str(msg)
            WATCH.look(f"the log of {self.name}", said, SECRETS | WORDS)
        # So that a line's place in the code stays that of whoever logged.
        real(self, msg, *args, **{**more, "stacklevel": more.get("stacklevel", 1) + 1})

    return log


def _raised(real: Callable[..., None]) -> Callable[..., None]:
    def made(self: TandemError, *args: Any, **more: Any) -> None:
        WATCH.look(f"an error ({type(self).__name__})", " ".join(map(str, args)), SECRETS | WORDS)
        real(self, *args, **more)

    return made


def _invoked(real: Callable[..., Any]) -> Callable[..., Any]:
    def invoke(self: CliRunner, *args: Any, **more: Any) -> Any:
        result = real(self, *args, **more)
        WATCH.look("what a command printed", result.output)
        return result

    return invoke


def _ran(real: Callable[..., Any]) -> Callable[..., Any]:
    def run(*args: Any, **more: Any) -> Any:
        done = real(*args, **more)
        WATCH.look("what a process printed", done.stdout)
        WATCH.look("what a process printed", done.stderr)
        return done

    return run


def _started(real: Callable[..., None]) -> Callable[..., None]:
    def start(self: Any, args: Any, *rest: Any, **more: Any) -> None:
        # Anybody on the machine may read what a process was started with.
        WATCH.look("the arguments of a process", args)
        real(self, args, *rest, **more)

    return start


def _read(real: Callable[..., Any]) -> Callable[..., Any]:
    def readouterr(self: Any) -> Any:
        found = real(self)
        WATCH.look("what was printed", f"{found.out!s}{found.err!s}")
        return found

    return readouterr
