"""Puts the clock of a Python process that has this folder in its PYTHONPATH off by the seconds in the file CLOCK_FILE.

Python loads it at the start. It looks at the file again and again: a clock may jump while the process runs.
"""

import os
import threading
import time
from pathlib import Path

import time_machine

LOOK_SECONDS = 0.2
_FILE = Path(os.environ["CLOCK_FILE"])


def _follow() -> None:
    traveller, ready = time_machine.travel(time.time(), tick=True).start(), False
    while True:
        off = float(_FILE.read_text() or 0)
        # Not from when travelling began: until then some seconds may have passed on a busy machine.
        error = time_machine.escape_hatch.time.time() + off - time.time()
        if abs(error) > 0.01:
            traveller.shift(error)
        if not ready:
            ready = True
            _READY.set()
        time.sleep(LOOK_SECONDS)


_READY = threading.Event()
threading.Thread(target=_follow, name="off clock", daemon=True).start()
_READY.wait(10)
