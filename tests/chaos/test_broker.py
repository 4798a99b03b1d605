"""Redis goes away in every way it can."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from tests.chaos.conftest import Scale
from tests.chaos.house import House


def test_redis_is_killed_and_comes_back_empty(
    houses: Callable[..., House], scale: Scale, tell: Callable[..., None]
) -> None:
    house = houses()
    with house.flowing(scale.tickets):
        house.wait("first webhooks", lambda: house.received() >= scale.tickets // 3)
        redis = house.process("redis")
        os.kill(redis.pid, signal.SIGKILL)
        redis.wait(10)
        for file in (house.folder / "redis").rglob("*"):
            if file.is_file():
                file.unlink()
        recovered = house.goes_on("a run after the loss", 60)
    house.quiet(240)
    tell("Redis killed, back empty", house.audit(), recovered, 10)
