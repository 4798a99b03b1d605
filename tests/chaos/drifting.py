"""A house whose processes each have a clock of their own."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from tests.chaos.house import House

FOLDER = Path(__file__).parent / "off_clock"
PROCESSES = ("web", "worker", "beat")
# So that every process has seen its new clock.
NOTICED_SECONDS = 1.0


class Drifting(House):
    """Tandem under load; the sandbox and the test have the true time."""

    def __init__(self, folder: Path, database_url: str = "", **more: Any) -> None:
        super().__init__(folder, database_url, **more)
        path = os.pathsep.join([str(FOLDER), *filter(None, [os.environ.get("PYTHONPATH", "")])])
        for name in PROCESSES:
            self._file(name).write_text("0")
            self.stack.own[name] = {"PYTHONPATH": path, "CLOCK_FILE": str(self._file(name))}

    def put_clocks(self, seconds: float, *processes: str) -> None:
        """Put these processes' clocks (all of them, where none is named) off the true time by so many seconds."""
        for name in processes or PROCESSES:
            # In one step: the process may look at any moment.
            new = self._file(name).with_suffix(".new")
            new.write_text(str(seconds))
            new.replace(self._file(name))
        time.sleep(NOTICED_SECONDS)

    def _file(self, name: str) -> Path:
        return self.folder / f"clock-{name}"
