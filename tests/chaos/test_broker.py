"""Redis is killed, emptied, paused, full, slow or out of reach: work waits, nothing is lost, nothing must be restarted.

The inbox in the database is the truth and Redis holds wake-ups only, so every fault here must cost time and nothing
else: a webhook's answer at most SLOWEST_SECONDS, a ticket at most BACK_SECONDS after Redis is there again.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from functools import partial

import pytest
from redis import Redis

from tests.chaos.conftest import Scale, together
from tests.chaos.cuttable import Cuttable
from tests.chaos.house import House, One
from tests.chaos.sender import Sender

BACK_SECONDS = 10.0
SLOWEST_SECONDS = 2.0
LONG, SHORT = 60.0, 5.0
Fault = Callable[[Cuttable, float], None]


def killed(house: Cuttable, seconds: float) -> None:
    """Kill Redis; it comes back with what its append-only file holds."""
    _kill(house)
    time.sleep(seconds)
    _start(house)


def back_empty(house: Cuttable, seconds: float) -> None:
    """Kill Redis, and lose its file."""
    _kill(house)
    for file in (house.folder / "redis").rglob("*"):
        if file.is_file():
            file.unlink()
    time.sleep(seconds)
    _start(house)


def paused(house: Cuttable, seconds: float) -> None:
    """Have Redis take connections and answer nothing."""
    redis = house.process("redis")
    os.kill(redis.pid, signal.SIGSTOP)
    try:
        time.sleep(seconds)
    finally:
        os.kill(redis.pid, signal.SIGCONT)


def full(house: Cuttable, seconds: float) -> None:
    """Have no room in Redis for anything new."""
    with _redis(house) as redis:
        redis.config_set("maxmemory", "1")
        time.sleep(seconds)
        redis.config_set("maxmemory", "0")


def emptied(house: Cuttable, seconds: float) -> None:
    """Delete everything Redis holds, under the feet of who is connected."""
    with _redis(house) as redis:
        for _ in range(4):
            redis.flushall()
            time.sleep(seconds / 8)


def slow_and_torn(house: Cuttable, seconds: float) -> None:
    """Answer 200 ms late, and cut one answer in ten in the middle."""
    lines = house.web_line, house.worker_line
    for line in lines:
        line.latency, line.tear = 0.2, 0.1
    time.sleep(seconds)
    for line in lines:
        line.mend()
    assert sum(line.torn for line in lines), "no answer was torn"


def out_of_webs_reach(house: Cuttable, seconds: float) -> None:
    """Cut the web process off: workers go on."""
    house.web_line.cut()
    time.sleep(seconds)
    house.web_line.mend()


def out_of_workers_reach(house: Cuttable, seconds: float) -> None:
    """Cut worker and beat off: webhooks go on."""
    house.worker_line.cut()
    time.sleep(seconds)
    house.worker_line.mend()


def silent_to_web(house: Cuttable, seconds: float) -> None:
    """Pass nothing on between the web process and Redis."""
    house.web_line.hang()
    time.sleep(seconds)
    house.web_line.mend()


def silent_to_workers(house: Cuttable, seconds: float) -> None:
    """Pass nothing on between worker or beat and Redis."""
    house.worker_line.hang()
    time.sleep(seconds)
    house.worker_line.mend()


FAULTS: dict[str, Fault] = {
    "Redis killed, with its AOF": killed,
    "Redis killed, back empty": back_empty,
    "Redis paused": paused,
    "Redis full": full,
    "Redis emptied": emptied,
    "Redis slow and torn": slow_and_torn,
    "Redis cut off from web": out_of_webs_reach,
    "Redis cut off from worker": out_of_workers_reach,
    "Redis silent to web": silent_to_web,
    "Redis silent to worker": silent_to_workers,
}


# What the short version shows by a fault of the same kind.
FULL_ONLY = {"Redis killed, with its AOF", "Redis cut off from web", "Redis silent to worker"}
# Where the web process gets through to Redis, or only now and then does not.
UNNOTICED = {"Redis emptied", "Redis slow and torn", "Redis cut off from worker", "Redis silent to worker"}


@pytest.mark.parametrize("faults", together(FAULTS, full_only=FULL_ONLY))
def test_redis_is_in_trouble(
    faults: dict[str, Fault], houses: Callable[..., House], scale: Scale, tell: Callable[..., None]
) -> None:
    house = houses(kind=Cuttable)
    assert isinstance(house, Cuttable)
    sent: dict[str, list[One]] = {}
    recovered: dict[str, float] = {}
    for name, fault in faults.items():
        sender, seconds = Sender(house), SHORT if scale.short else LONG
        count = scale.tickets // len(faults) + 6
        sent[name] = house.flood(count, silent=True)
        recovered[name] = sender.while_it_lasts(sent[name], partial(fault, house, seconds), seconds)
        assert sender.slowest() <= SLOWEST_SECONDS, f"{name}: a webhook took {sender.slowest():.1f} s"
        assert {answer.status for answer in sender.answers} <= {200, 202}, f"{name}: a webhook needs no broker"
        assert not sender.broken_promises(), name
        assert "down" not in sender.ready, name
        assert "degraded" in sender.ready or name in UNNOTICED, f"{name}: /readyz said {sender.ready}"
    house.quiet(300)
    house.audit()
    for name in faults:
        tell(name, house.audit(of=sent[name]), recovered[name], BACK_SECONDS)
    assert not [line for line in house.lines if "started again" in line and not line.startswith("redis")]


def _kill(house: House) -> None:
    redis = house.process("redis")
    os.kill(redis.pid, signal.SIGKILL)
    redis.wait(10)


def _start(house: Cuttable) -> None:
    house.stack.revive()
    house.stack.wait_for("redis", house.redis_socket.exists)


def _redis(house: Cuttable) -> Redis:
    return Redis(unix_socket_path=str(house.redis_socket))
