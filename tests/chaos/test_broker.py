"""Redis is killed, emptied, paused, full, slow or out of reach: work waits, nothing is lost, nothing must be restarted.

The inbox in the database is the truth and Redis holds wake-ups only, so every fault here must cost time and nothing
else: a webhook's answer at most SLOWEST_SECONDS, a ticket at most BACK_SECONDS after Redis is there again.
"""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from redis import Redis

from tests.chaos.conftest import Scale, together
from tests.chaos.cuttable import Cuttable
from tests.chaos.house import House, One
from tests.chaos.sender import SENDERS, Sender

BACK_SECONDS = 10.0
SLOWEST_SECONDS = 2.0
LONG, SHORT = 60.0, 5.0
Fault = Callable[[Cuttable, float], None]


def killed(house: Cuttable, seconds: float) -> None:
    """Kill Redis; it comes back with what its append-only file holds."""
    _kill(house)
    time.sleep(seconds / 2)
    _start(house)


def back_empty(house: Cuttable, seconds: float) -> None:
    """Kill Redis, and lose its file."""
    _kill(house)
    for file in (house.folder / "redis").rglob("*"):
        if file.is_file():
            file.unlink()
    time.sleep(seconds / 2)
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


@pytest.mark.parametrize("faults", together(FAULTS))
def test_redis_is_in_trouble(
    faults: dict[str, Fault], houses: Callable[..., House], scale: Scale, tell: Callable[..., None]
) -> None:
    house = houses(kind=Cuttable)
    assert isinstance(house, Cuttable)
    sent: dict[str, list[One]] = {}
    recovered: dict[str, float] = {}
    for name, fault in faults.items():
        sender = Sender(house)
        count = scale.tickets // len(faults) + 6
        sent[name] = house.flood(count, silent=True)
        recovered[name] = _happens(fault, house, sender, sent[name], SHORT if scale.short else LONG)
        assert sender.slowest() <= SLOWEST_SECONDS, f"{name}: a webhook took {sender.slowest():.1f} s"
        assert {answer.status for answer in sender.answers} <= {200, 202}, f"{name}: a webhook needs no broker"
        assert not sender.broken_promises(), name
    house.quiet(300)
    house.audit()
    for name in faults:
        tell(name, house.audit(of=sent[name]), recovered[name], BACK_SECONDS)
    assert not [line for line in house.lines if "started again" in line and not line.startswith("redis")]


def _happens(fault: Fault, house: Cuttable, sender: Sender, ones: list[One], seconds: float) -> float:
    """Have the fault happen while webhooks come; return how long after its end the next ticket was done."""
    before, (last, *first) = house.received(), ones
    with ThreadPoolExecutor(1) as pool:
        # So that they go on coming until the fault is over.
        at_once = min(SENDERS, len(first) // 3)
        sending = pool.submit(sender.insist_on, first, at_once=at_once, pause=1.2 * seconds * at_once / len(first))
        house.wait("first webhooks", lambda: house.received() > before)
        fault(house, seconds)
        sender.insist(last)
        recovered = house.goes_on("a run after it", 90)
        sending.result()
    return recovered


def _kill(house: House) -> None:
    redis = house.process("redis")
    os.kill(redis.pid, signal.SIGKILL)
    redis.wait(10)


def _start(house: Cuttable) -> None:
    house.stack.revive()
    house.stack.wait_for("redis", house.redis_socket.exists)


def _redis(house: Cuttable) -> Redis:
    return Redis(unix_socket_path=str(house.redis_socket))


def _ready(house: House) -> dict[str, object]:
    with urllib.request.urlopen(f"{house.url}/readyz", timeout=5) as answer:
        return dict(json.load(answer))
