"""Beat goes on whatever the machine's clock does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from celery import Celery

from workers.ticks import SteadyScheduler

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def scheduler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SteadyScheduler:
    app = Celery("ticks", broker="memory://", set_as_current=False)
    app.conf.timezone = "UTC"
    app.conf.beat_schedule = {
        "often": {"task": "often", "schedule": 5.0},
        "hourly": {"task": "hourly", "schedule": 3600.0},
    }
    made = SteadyScheduler(app=app, schedule_filename=str(tmp_path / "schedule"))
    monkeypatch.setattr(made, "apply_async", lambda entry, **_: made.sent.append(entry.name))  # type: ignore[attr-defined]
    made.sent = []  # type: ignore[attr-defined]
    return made


def ticks(scheduler: SteadyScheduler, clock: time_machine.Coordinates, seconds: int) -> list[str]:
    """Return what is sent in that time."""
    scheduler.sent.clear()  # type: ignore[attr-defined]
    for _ in range(seconds):
        while scheduler.tick() == 0:
            pass
        clock.shift(1)
    return list(scheduler.sent)  # type: ignore[attr-defined]


@pytest.mark.parametrize("step", [timedelta(hours=-1), timedelta(hours=1), timedelta(days=-30)])
def test_a_step_of_the_clock_stops_no_tick(scheduler: SteadyScheduler, step: timedelta) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        assert ticks(scheduler, clock, 60).count("often") in (11, 12)
        clock.shift(step)
        assert ticks(scheduler, clock, 60).count("often") in (11, 12, 13)
        # The slow ones go on too, an interval later at most.
        assert ticks(scheduler, clock, 3700).count("hourly") >= 1


def test_notes_of_another_clock_stop_nothing(scheduler: SteadyScheduler) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        ticks(scheduler, clock, 30)
        scheduler.close()
    with time_machine.travel(NOON - timedelta(hours=5), tick=False) as clock:
        later = SteadyScheduler(app=scheduler.app, schedule_filename=scheduler.schedule_filename)
        later.apply_async = lambda entry, **_: later.sent.append(entry.name)
        later.sent = []
        assert ticks(later, clock, 60).count("often") >= 10
