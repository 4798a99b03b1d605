"""How near workers come to what waiting alone would allow, with 20 and 100 tickets in flight, and what they hold.

Ideal is: tickets in flight, divided by the seconds that model and helpdesk made one ticket wait.
"""

from __future__ import annotations

from statistics import median

from benchmarks.plant import Flow, Plant, opened
from benchmarks.result import Figure, Result

MODEL_SECONDS, HELPDESK_SECONDS = 1.0, 0.1
FEW, MANY = 20, 100
# Each thread's turns: the first and the last of them are not full.
TURNS = 8
ROUNDS = 3
FEW_SHARE, MANY_SHARE, SCALING = 90.0, 80.0, 1.8
MOST_MEMORY = 150.0


def run(short: bool = False) -> Result:
    """Measure one worker at both widths, then two workers, in turn."""
    rounds, turns, most = (1, 1, 2 * FEW) if short else (ROUNDS, TURNS, MANY)
    waits = (0.2, 0.02) if short else (MODEL_SECONDS, HELPDESK_SECONDS)
    with opened() as plant:
        few, _ = _flows(plant, 1, FEW, rounds, turns, waits)
        two, _ = _flows(plant, 2, FEW, rounds, turns, waits)
        many, grown = _flows(plant, 1, most, rounds, turns, waits)
    flows = [*few, *two, *many]
    return Result(
        "worker_flight",
        (
            Figure(f"{FEW} in flight, of ideal", _share(few, FEW), "%", FEW_SHARE, at_least=True),
            Figure(f"{FEW} in flight", _rate(few), "tickets/s"),
            Figure(f"{most} in flight, of ideal", _share(many, most), "%", MANY_SHARE, at_least=True),
            Figure(f"{most} in flight", _rate(many), "tickets/s"),
            Figure(f"{most} in flight, CPU a ticket", _cpu(many), "ms"),
            Figure("two workers to one, 20 in flight each", _rate(two) / _rate(few), "x", SCALING, at_least=True),
            Figure("a worker at rest", many[0].most_memory - grown, "MiB"),
            Figure(f"more with {most} in flight", grown, "MiB", MOST_MEMORY),
            Figure("waits of one ticket", median(one.waited / one.tickets for one in flows), "s"),
            Figure("tickets with two notes", max(one.told["twice"] for one in flows), "", 0.0, counted=True),
        ),
        (
            f"the model takes {waits[0]:g} s, the helpdesk {waits[1]:g} s a call; SQLite; median of {rounds}",
            "memory is PSS with our own classifier loaded, which answers where the model does not",
        ),
    )


def _flows(
    plant: Plant, workers: int, each: int, rounds: int, turns: int, waits: tuple[float, float]
) -> tuple[list[Flow], float]:
    """Return how so many workers did, and by how many MiB they grew over what they held before the first ticket."""
    plant.start(workers, each)
    before = plant.memory()
    in_flight = workers * each
    model, helpdesk = waits
    plant.flow(in_flight, model=model / 10, helpdesk=helpdesk / 10)
    flows = [plant.flow(turns * in_flight, model=model, helpdesk=helpdesk) for _ in range(rounds)]
    plant.end()
    return flows, flows[0].most_memory - before


def _share(flows: list[Flow], in_flight: int) -> float:
    return 100 * median(one.of_ideal(in_flight) for one in flows)


def _rate(flows: list[Flow]) -> float:
    return median(one.tickets / one.seconds for one in flows)


def _cpu(flows: list[Flow]) -> float:
    return 1000 * median(one.cpu / one.tickets for one in flows)
