"""The settings in force at this moment, in web, worker and beat alike: the file's, with what people have switched.

A switch counts within CACHE_SECONDS; the stop and the pauses are read from the database right before each write.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from triage.controlled import EVERY_DESK, PAUSED, STOPPED, Switches, held_desks, laid_over
from triage.errors import Wait
from triage.settings import Settings
from triage.settings_reload import SettingsFile
from triage.store import Store
from triage.store.marks import RESTART_NEEDED, SETTINGS_FILE

logger = logging.getLogger(__name__)
CACHE_SECONDS = 2.0
# An alarm that another process has cleared comes back after this, while there is reason for it.
REPEAT_SECONDS = 60.0
# What is held is looked at again after this; the sweep leaves it alone until then.
HOLD_SECONDS = 5.0
BY_STOP = "writing is stopped for every desk (by {actor}): what comes in waits; python manage.py mode --go"
BY_PAUSE = "the desk is paused (by {actor}): what comes in waits; python manage.py mode --resume {desk}"
BROKEN_FILE = "{problem}; until then the last good settings stay in force"
STALE = "{names} changed in .env: that counts from the next start of web, worker and beat; restart them"

Current = Callable[[], Settings]
"""Returns the settings in force; one unit of work calls it once and keeps what it got."""


class HeldError(Wait):
    """Writing is stopped or the desk is paused: everything stays as it is until it is allowed again."""


class Live:
    """One per process; every thread may ask."""

    def __init__(self, settings: Settings, store: Store, file: SettingsFile | None = None) -> None:
        """Take the settings of the start; without `file` they never change, and only switches do."""
        self._given = settings
        self._store = store
        self._file = file
        self._switches: Switches = {}
        self._read_at = float("-inf")
        self._told: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()
        self._over: tuple[Settings, Switches, Settings] | None = None

    def file_settings(self) -> Settings:
        """Return what the file says, without what people have switched."""
        return self._file.current() if self._file else self._given

    def knows(self, desk: str) -> bool:
        """Say whether the file has `desk`; where it seems not to, the file is looked at once more, now."""
        return desk in self.file_settings().desks or (self._file is not None and desk in self._file.again().desks)

    def settings(self) -> Settings:
        """Return the settings in force; the same object while nothing has changed."""
        plain, switches = self.file_settings(), self.switches()
        if self._file:
            self._tell(SETTINGS_FILE, BROKEN_FILE.format(problem=self._file.problem) if self._file.problem else "")
            self._tell(RESTART_NEEDED, STALE.format(names=", ".join(self._file.stale)) if self._file.stale else "")
        known = self._over
        if known is None or known[0] is not plain or known[1] != switches:
            known = self._over = plain, switches, laid_over(plain, switches)
        return known[2]

    def switches(self) -> Switches:
        """Return what people have switched, at most CACHE_SECONDS old."""
        if time.monotonic() - self._read_at >= CACHE_SECONDS and self._lock.acquire(blocking=False):
            try:
                self._switches = self._store.controls.all()
            except SQLAlchemyError as error:
                # Who writes looks once more and fails there, in a place that tries again.
                logger.info("switches cannot be read (%s)", type(error).__name__)
            finally:
                self._read_at = time.monotonic()
                self._lock.release()
        return self._switches

    def held(self) -> frozenset[str]:
        """Return the desks that are paused, with "*" where everything is stopped; read from the database now."""
        return held_desks(self._store.controls.all())

    def check(self, desk: str) -> None:
        """Raise HeldError where writing is stopped or `desk` is paused; read from the database now."""
        held = {(one.desk, one.name): one for one in self._store.controls.of(EVERY_DESK, desk)}
        if stop := held.get((EVERY_DESK, STOPPED)):
            raise HeldError(BY_STOP.format(actor=stop.actor), HOLD_SECONDS)
        if pause := held.get((desk, PAUSED)):
            raise HeldError(BY_PAUSE.format(actor=pause.actor, desk=desk), HOLD_SECONDS)

    def _tell(self, kind: str, text: str) -> None:
        """Keep the alarm `kind` in step with `text`, which is empty where there is nothing to tell."""
        now = time.monotonic()
        told, at = self._told.get(kind, (None, 0.0))
        if text == told and (not text or now - at < REPEAT_SECONDS):
            return
        self._told[kind] = text, now
        try:
            if text:
                self._store.alarms.raise_(EVERY_DESK, kind, text, time.time())
            else:
                self._store.alarms.clear(EVERY_DESK, kind)
        except SQLAlchemyError as error:
            self._told.pop(kind, None)
            logger.info("an alarm about the settings could not be kept (%s)", type(error).__name__)
