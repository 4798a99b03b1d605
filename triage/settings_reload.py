"""Follows `tandem.yaml` while a process runs: what it says counts within seconds, a broken one changes nothing.

Nobody waits in a thread: whoever asks for the settings looks at the file, at most once a second.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from triage.environment import Environment, env_file, read_environment, variables
from triage.errors import SettingsError
from triage.settings import Settings
from triage.settings_file import load_settings

logger = logging.getLogger(__name__)
LOOK_EVERY_SECONDS = 1.0
EMPTY = "{name} is empty; put its text back, tandem.yaml.bak may have it (no desk at all is written `desks: {{}}`)"
UNREADABLE = "tandem.yaml or .env cannot be read ({kind}); make both plain files of UTF-8 text that Tandem may read"
STEADY_SECONDS = 3.0

Stamp = tuple[tuple[int, int, int] | None, ...]


class SettingsFile:
    """The settings of a file that may change; safe to share between threads.

    `environment` is what the process began with: other values of it in `.env` count from the next start only.
    """

    def __init__(
        self,
        path: Path,
        settings: Settings,
        environment: Environment,
        *,
        check: Callable[[Settings], None] = lambda _: None,
        read: Callable[[], Mapping[str, str]] = variables,
    ) -> None:
        """Take what was read at the start; `check` raises SettingsError for what the file alone does not show."""
        self._path = path
        self._settings = settings
        self._environment = environment
        self._check = check
        self._read = read
        self._lock = threading.Lock()
        self._looked_at = time.monotonic()
        self._seen = self._stamp()
        self._loaded = self._seen
        self.problem = ""
        """Why the file as it is now cannot be used; empty where it is in force."""
        self.stale: tuple[str, ...] = ()
        """The variables whose values in `.env` have changed since the start."""

    def current(self) -> Settings:
        """Return the settings in force: the file's, or the last good ones."""
        if time.monotonic() - self._looked_at < LOOK_EVERY_SECONDS or not self._lock.acquire(blocking=False):
            return self._settings
        try:
            self._look()
        finally:
            self._lock.release()
        return self._settings

    def again(self) -> Settings:
        """Look now, steady or not: for who misses something that another process has seen in the file already."""
        with self._lock:
            self._looked_at, self._seen = time.monotonic(), self._stamp()
            if self._seen != self._loaded:
                self._loaded = self._seen
                self._load()
        return self._settings

    def _look(self) -> None:
        self._looked_at = time.monotonic()
        stamp = self._stamp()
        # Twice the same: an editor that writes a file in pieces would show us half of it, and half may well be valid.
        # One that nobody has touched for a while is whole, too: who asks seldom need not ask twice.
        is_steady, self._seen = stamp == self._seen or _is_old(stamp, time.time()), stamp
        if is_steady and stamp != self._loaded:
            self._loaded = stamp
            self._load()

    def _load(self) -> None:
        try:
            values = self._read()
            fresh = load_settings(self._path, values)
            if self._settings.desks and not self._path.read_bytes().strip():
                # Valid, and the end of every desk: somebody is saving it, or the disk is full.
                raise SettingsError(EMPTY.format(name=self._path.name))
            self._check(fresh)
            self.stale = self._changed(values)
        except (SettingsError, OSError, UnicodeDecodeError) as error:
            # The text of any other error may quote a file that holds secrets.
            known = str(error) if isinstance(error, SettingsError) else UNREADABLE.format(kind=type(error).__name__)
            self.problem = known
            logger.error("%s; the last good settings stay in force", known)
            return
        self.problem = ""
        if fresh != self._settings:
            self._settings = fresh
            logger.info("%s has changed: its settings are in force", self._path.name)

    def _changed(self, values: Mapping[str, str]) -> tuple[str, ...]:
        fresh = read_environment(values)
        names = [name for name in Environment.model_fields if getattr(fresh, name) != getattr(self._environment, name)]
        return tuple(name.upper() for name in names)

    def _stamp(self) -> Stamp:
        return tuple(_stamp(path) for path in (self._path, env_file()))


def _is_old(stamp: Stamp, now: float) -> bool:
    return all(one is None or now - one[0] / 1e9 > STEADY_SECONDS for one in stamp)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
