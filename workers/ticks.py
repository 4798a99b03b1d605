"""Beat's scheduler: goes on when the machine's clock is set back."""

from __future__ import annotations

from typing import Any

from celery.beat import PersistentScheduler


class SteadyScheduler(PersistentScheduler):  # type: ignore[misc]  # Celery has no types
    """Celery's own, which else waits until the clock has come back to where it was: an hour for an hour."""

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Run what is due; a last run that lies in the future was noted by another clock and counts as now."""
        ahead = [entry for entry in self.schedule.values() if entry.last_run_at > entry.default_now()]
        for entry in ahead:
            entry.last_run_at = entry.default_now()
        if ahead:
            # Celery works out anew what is due when.
            self._heap = None
        interval: float = super().tick(*args, **kwargs)
        return interval
