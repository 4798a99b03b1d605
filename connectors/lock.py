"""One writer per ticket: the short lock in Redis for a vendor without an additive tag call."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from redis import Redis
from redis.exceptions import LockError, RedisError
from redis.lock import Lock

from connectors.budget import spread
from triage.errors import Wait

log = logging.getLogger(__name__)

# Longer than one write may take, and shorter than a lease: who takes over a dead worker's ticket need not wait for it.
HOLD_SECONDS = 25.0
COME_BACK = 2.0
BUSY = "another worker is writing tags on this ticket"
NO_REDIS = "no ticket lock, Redis does not answer (%s); going on without"


@contextmanager
def ticket_lock(redis: Redis | None, name: str) -> Iterator[Callable[[], None]]:
    """Hold the lock `name`; Wait if somebody else does, go on without it if Redis is away.

    Gives what is to be called right before each write: it holds the lock for that write, or raises Wait where it ran
    out meanwhile.
    """
    lock = _acquire(redis, name)
    try:
        yield lambda: _renew(lock)
    finally:
        if lock:
            _release(lock)


def _renew(lock: Lock | None) -> None:
    try:
        if lock:
            lock.reacquire()
    except LockError:
        raise Wait(BUSY, spread(COME_BACK)) from None
    except (RedisError, OSError) as error:
        log.warning(NO_REDIS, type(error).__name__)


def _acquire(redis: Redis | None, name: str) -> Lock | None:
    if redis is None:
        return None
    # redis-py's lock is SET NX PX with a token that release checks.
    lock: Lock = redis.lock(f"tandem:lock:{name}", timeout=HOLD_SECONDS, blocking=False)
    try:
        taken = lock.acquire()
    except (RedisError, OSError) as error:
        log.warning(NO_REDIS, type(error).__name__)
        return None
    if not taken:
        raise Wait(BUSY, spread(COME_BACK))
    return lock


def _release(lock: Lock) -> None:
    try:
        lock.release()
    except (LockError, RedisError, OSError) as error:
        # It ran out or Redis went away: it is gone either way.
        log.warning("ticket lock not released (%s)", type(error).__name__)
