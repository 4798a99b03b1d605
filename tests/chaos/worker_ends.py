"""Processes beside those of a house that nobody starts again, and what becomes of the runs they leave behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence

from sqlalchemy import text

from commands.sandboxed import control
from tests.chaos.house import House
from tests.chaos.storm import held_by
from triage.crash import CRASH_VARIABLE

# Beat whose clock is wrong: the machine's own cannot be set.
WRONG_CLOCK = """
import datetime, runpy, sys, time_machine
now = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=int(sys.argv.pop(1)))
time_machine.travel(now, tick=True).start()
sys.argv[0] = "celery"
runpy.run_module("celery", run_name="__main__")
"""
DIE_SECONDS = 120.0
# No queue is to hide what recovering takes.
WAITING = 12


class CutOff:
    """The runs that were in the hands of a process when it went, and how long until each was over.

    Of one that was cut off again, from the last time.
    """

    def __init__(self, house: House) -> None:
        self.house = house
        self.hit: dict[int, float] = {}

    def add(self, pid: int, at: float | None = None) -> None:
        """Remember what the worker `pid` holds."""
        self.hit |= dict.fromkeys(held_by(self.house, pid), at or time.time())

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """End a worker at once; the house starts it again."""
        process.kill()
        process.wait(10)
        self.add(process.pid)

    def longest(self) -> float:
        """Return the seconds until the last of them was over."""
        with self.house.store.engine.connect() as connection:
            ended = {row[0]: row[1] for row in connection.execute(text("SELECT id, finished_at FROM runs"))}
        return max((ended[run] - at for run, at in self.hit.items()), default=0.0)


def start_apart(
    house: House, command: str, extra: Mapping[str, str] | None = None, *arguments: str, hours: int = 0
) -> subprocess.Popen[bytes]:
    """Start `manage.py command`, or beat with a clock that is `hours` off; it is not started again when it ends."""
    if command == "beat":
        _, line = house.beat_command(house.folder / f"schedule{hours}")
        if hours:
            options = [
                "--app",
                "workers.app",
                "--quiet",
                "beat",
                "--schedule",
                str(house.folder / "wrong"),
                "--pidfile",
                "",
            ]
            line = [sys.executable, "-c", WRONG_CLOCK, str(hours), *options]
        process = house.stack.start("apart", line, extra)
    else:
        process = house.stack.start("apart", [sys.executable, "manage.py", command, *arguments], extra)
    house.stack.processes.remove(process)
    return process.popen


def die_at(cut: CutOff, steps: Sequence[str], give_work: Callable[[], object]) -> None:
    """Start a worker for each of `steps` that dies there, and give work until all have."""
    house = cut.house
    dying = {step: start_apart(house, "worker", {CRASH_VARIABLE: step}) for step in steps}
    alive, end = set(dying), time.monotonic() + DIE_SECONDS
    try:
        while alive:
            assert time.monotonic() < end, f"never reached: {alive}"
            if len(house.sent) - house.finished() < WAITING:
                give_work()
            for step in [step for step in alive if dying[step].poll() is not None]:
                assert dying[step].returncode == -signal.SIGKILL, step
                cut.add(dying[step].pid)
                alive.remove(step)
            time.sleep(0.5)
    finally:
        for process in dying.values():
            process.kill()


def slow(house: House, seconds: float) -> None:
    """Have the helpdesks think for so long before every answer."""
    control(house.sandbox, "/sandbox/faults", {"match": {}, "do": {"delay": seconds}, "times": None})


def well(house: House) -> None:
    """Have the helpdesks behave again."""
    _call(house, "DELETE", "/sandbox/faults")


def send_again(house: House, webhook: str) -> None:
    """Have a helpdesk send a webhook a second time, as after a time-out."""
    _call(house, "POST", f"/sandbox/deliveries/{webhook}/again")


def _call(house: House, method: str, path: str) -> None:
    request = urllib.request.Request(house.sandbox + path, method=method)
    urllib.request.urlopen(request, timeout=10).close()
