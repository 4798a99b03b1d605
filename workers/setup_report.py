"""How far connecting a desk in the console is: written by the worker, shown by the web process, without any secret."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from triage.store import Store
from triage.store.marks import SETUP

LOOK, HOOK, REMOVE = "look", "hook", "remove"
WAITING, RUNNING, DONE, FAILED = "waiting", "running", "done", "failed"


@dataclass(frozen=True)
class Report:
    """How far connecting a desk is, read from and kept in its cursor."""

    store: Store
    desk: str

    def read(self) -> dict[str, Any]:
        """Return what is known so far."""
        found = self.store.cursors.get(self.desk, SETUP)
        try:
            known = json.loads(found[0]) if found else {}
        except ValueError:
            known = {}
        return known if isinstance(known, dict) else {}

    def note(self, **what: Any) -> None:
        """Add what a step found."""
        self.store.cursors.set(self.desk, SETUP, json.dumps(self.read() | what), time.time())
