"""The checks that need no helpdesk: database, disk, broker, workers, clock. `doctor`, console and /readyz share them.

Each is one line: how it stands, and what to do about it.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from kombu.connection import Connection
from redis import Redis
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from triage.controlled import held_desks
from triage.environment import Environment
from triage.store import Store
from triage.store.engine import reader_of
from triage.store.marks import BEAT, EVERY_DESK, HEALTH, READY, RESTART_NEEDED, SETTINGS_FILE
from triage.store.migrate import is_current
from workers.names import SWEEP_QUEUE

BEAT_SECONDS = 30.0
QUEUE_SECONDS = 120.0
# A webhook's signature is five minutes good; half of that is no clock to trust.
SKEW_WARNING_SECONDS, SKEW_BROKEN_SECONDS = 30.0, 150.0
DISK_WARNING_BYTES, DISK_BROKEN_BYTES = 2 * 1024**3, 200 * 1024**2
TIMEOUT_SECONDS = 2.0
# What a desk's checks found an hour ago says nothing of now: nobody has looked since, or the desk is gone.
DESK_STALE_SECONDS = 3600.0
SOCKET_SCHEME = "redis+socket://"


class State(StrEnum):
    """How a check stands."""

    OK = "ok"
    WARNING = "warning"
    BROKEN = "broken"


@dataclass(frozen=True)
class Finding:
    """What one check found; `remedy` says what to do about it."""

    what: str
    state: State
    text: str
    remedy: str = ""
    sure: bool = True
    """False where it could not be looked at now, which says nothing about how it stands."""


def look(store: Store, environment: Environment, now: float) -> Iterator[Finding]:
    """Yield how everything on our own side stands; each line is as fresh as the call."""
    yield from database(store, now)
    yield disk(environment)
    yield redis(environment, now)
    if environment.broker_url:
        yield broker(environment.broker_url)


def database(store: Store, now: float) -> Iterator[Finding]:
    """Yield whether the database can be written to, and what it says of workers and inbox."""
    try:
        if not is_current(store.engine):
            yield Finding("database", State.BROKEN, "the tables are not up to date", "python manage.py migrate")
            return
        # Reading works on a full disk; what we must be able to do is write.
        store.cursors.set(EVERY_DESK, READY, "", now)
        yield Finding("database", State.OK, store.engine.dialect.name)
        if store.engine.dialect.name == "postgresql":
            with reader_of(store.engine).connect() as connection:
                theirs = float(connection.execute(text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one())
            yield skew("clock of the database", time.time() - theirs)
        yield workers(store, now)
        yield inbox(store, now)
        yield from switches(store)
    except (SQLAlchemyError, OSError, ValueError) as error:
        # An address that cannot be one is a ValueError, a folder that cannot be made an OSError.
        yield Finding("database", State.BROKEN, type(error).__name__, "start the database or correct DATABASE_URL")


def workers(store: Store, now: float) -> Finding:
    """Return when a worker last did what beat asked for."""
    seen = store.cursors.get(EVERY_DESK, BEAT)
    if seen is None:
        return Finding("worker and beat", State.WARNING, "never seen", "start python manage.py worker and beat")
    age = max(0.0, now - seen[1])
    if age > BEAT_SECONDS:
        remedy = "start python manage.py worker and beat again; what waits is kept"
        return Finding("worker and beat", State.BROKEN, f"last seen {age:.0f} s ago", remedy)
    return Finding("worker and beat", State.OK, f"last seen {age:.0f} s ago")


def switches(store: Store) -> Iterator[Finding]:
    """Yield what people hold up, and what is wrong with settings that were changed while everything runs."""
    held = held_desks(store.controls.all())
    if EVERY_DESK in held:
        yield Finding("writing", State.WARNING, "stopped on every desk", "python manage.py mode --go")
    for desk in sorted(held - {EVERY_DESK}):
        yield Finding("writing", State.WARNING, f"desk {desk} is paused", f"python manage.py mode --resume {desk}")
    for kind in (SETTINGS_FILE, RESTART_NEEDED):
        if said := store.alarms.text(EVERY_DESK, kind):
            state = State.BROKEN if kind == SETTINGS_FILE else State.WARNING
            yield Finding("running settings", state, said, "correct it, or restart web, worker and beat")


@dataclass(frozen=True)
class DeskReport:
    """What the last checks of one desk found, and when."""

    findings: list[Finding]
    at: float

    @property
    def worst(self) -> State:
        """Return how the desk stands."""
        return worst(self.findings)


def remember(store: Store, desk: str, findings: list[Finding], now: float) -> None:
    """Write down what the checks of `desk` found, for console, metrics and /readyz."""
    store.cursors.set(desk, HEALTH, json.dumps([asdict(one) for one in findings]), now)


def restored(kept: dict[str, Any]) -> Finding:
    """Return a finding from its plain data."""
    return Finding(**kept | {"state": State(kept["state"])})


def remembered(store: Store, now: float) -> dict[str, DeskReport]:
    """Return desk -> what its last checks found, of every desk that was looked at within the hour."""
    found = store.cursors.all_named(HEALTH).items()
    return {
        desk: DeskReport([restored(one) for one in json.loads(value)], at)
        for desk, (value, at) in sorted(found)
        if now - at < DESK_STALE_SECONDS
    }


def desks(store: Store, now: float) -> Iterator[Finding]:
    """Yield one line for each desk: the worst of what its last checks found, without another call."""
    for name, report in remembered(store, now).items():
        ago = f"looked at {(now - report.at) / 60:.0f} min ago" if now - report.at >= 60 else "looked at just now"
        bad = next((one for one in report.findings if one.state is report.worst is not State.OK), None)
        yield Finding(f"desk {name}", report.worst, f"{bad.text}; {ago}" if bad else ago, bad.remedy if bad else "")


def inbox(store: Store, now: float) -> Finding:
    """Return how long the oldest ticket has waited, and what was given up."""
    oldest = store.deliveries.oldest_open()
    age = max(0.0, now - oldest) if oldest else 0.0
    dead = store.deliveries.counts("dead").get("dead", 0)
    said = f"oldest open delivery {age:.0f} s, {dead} dead"
    if age > QUEUE_SECONDS:
        return Finding("inbox", State.WARNING, said, "look at the console for what it waits for; start more workers")
    return Finding("inbox", State.WARNING if dead else State.OK, said, "python manage.py replay --dead" if dead else "")


def disk(environment: Environment) -> Finding:
    """Return how much room is left where we write."""
    url = make_url(environment.database_url)
    folder = Path("data")
    if url.get_backend_name() == "sqlite" and url.database:
        folder = Path(url.database).parent
    while not folder.exists():
        folder = folder.absolute().parent
    free = shutil.disk_usage(folder).free
    said = f"{free / 1024**3:,.1f} GB free"
    if free < DISK_BROKEN_BYTES:
        return Finding("disk", State.BROKEN, said, f"make room below {folder}: webhooks can soon not be stored")
    state = State.WARNING if free < DISK_WARNING_BYTES else State.OK
    return Finding("disk", state, said, f"make room below {folder}" if state is State.WARNING else "")


def redis(environment: Environment, now: float) -> Finding:
    """Return whether Redis answers, keeps our time, and whether beat's messages pile up in it."""
    url = environment.redis_url
    url = "unix://" + url.removeprefix(SOCKET_SCHEME) if url.startswith(SOCKET_SCHEME) else url
    try:
        client = Redis.from_url(url, socket_timeout=TIMEOUT_SECONDS, socket_connect_timeout=TIMEOUT_SECONDS)
        seconds, micros = client.time()
        waiting = 0 if environment.broker_url else int(client.llen(SWEEP_QUEUE))
    except Exception as error:  # its own errors, the system's, and whatever a wrong address makes
        return Finding("redis", State.BROKEN, type(error).__name__, "start Redis or correct REDIS_URL")
    if waiting > 10:
        said = f"answers; {waiting} of beat's messages wait"
        return Finding("redis", State.WARNING, said, "start python manage.py worker: beat runs and nobody listens")
    drift = skew("redis", now - (seconds + micros / 1e6))
    return drift if drift.state is not State.OK else Finding("redis", State.OK, "answers")


def queue(is_refused: bool) -> Finding:
    """Return whether the broker took what this process sent last."""
    if is_refused:
        said = "the broker did not take the last message: tickets wait for the sweep"
        return Finding("queue", State.BROKEN, said, "look after Redis, or BROKER_URL's broker; nothing is lost")
    return Finding("queue", State.OK, "takes messages")


def broker(url: str) -> Finding:
    """Return whether a broker that is not Redis answers."""
    try:
        with Connection(url, connect_timeout=TIMEOUT_SECONDS) as connection:  # type: ignore[no-untyped-call]
            connection.ensure_connection(max_retries=1, timeout=TIMEOUT_SECONDS)
    except Exception as error:  # each broker's client raises its own
        return Finding("broker", State.BROKEN, type(error).__name__, "start the broker or correct BROKER_URL")
    return Finding("broker", State.OK, "answers")


def skew(what: str, seconds: float) -> Finding:
    """Return whether our clock and another one agree; `seconds` is by how much ours is ahead."""
    if abs(seconds) < SKEW_WARNING_SECONDS:
        return Finding(what, State.OK, "our clock agrees")
    said = f"our clock is {abs(seconds):.0f} s {'ahead' if seconds > 0 else 'behind'}"
    remedy = "set the time by NTP: signatures of webhooks are five minutes good, and SLA clocks go by ours"
    return Finding(what, State.BROKEN if abs(seconds) > SKEW_BROKEN_SECONDS else State.WARNING, said, remedy)


def worst(findings: list[Finding]) -> State:
    """Return the state of the whole."""
    order = list(State)
    return max((one.state for one in findings), key=order.index, default=State.OK)
