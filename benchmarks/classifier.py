"""How much of a core, how much memory and how long a start the classifier without a language model takes."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from importlib import import_module
from statistics import median

import numpy as np

from benchmarks.result import Figure, Result
from benchmarks.tickets import long_tickets, sample_tickets
from triage.classify import build_classifier
from triage.classify.base import Classifier
from triage.classify.embedded import EmbeddedClassifier
from triage.classify.encoder import UseEncoder
from triage.decision import decide
from triage.note import Material, compose
from triage.note_parts import render_html
from triage.settings import DEFAULT_PRIORITIES, Desk, Mode, Settings
from triage.ticket import Ticket

# Of 80 tokens each, and each another one: the encoder keeps what it has seen.
BARE = "Since this morning the export number {number} of our invoices does not finish " * 6
CALLS = 30
STARTS = 3
MEGABYTE = 1024**2
# What a worker holds besides: Celery, the connectors, the database.
WORKER = "workers.tasks"
DESK = {"platform": "zendesk", "url": "https://a.zendesk.com", "auth": {"email": "a@b.example", "api_token": "x"}}


def run(short: bool) -> Result:
    """Measure in this process, and memory and start in fresh ones."""
    settings = Settings(desks={"a": Desk.model_validate({**DESK, "webhook_secrets": ["a-long-enough-secret"]})})
    samples = sample_tickets()
    each = _each(settings, samples)
    # One by one: they hold the same sentences, and those an encoder has read cost nothing more.
    long = [_each(settings, [ticket])[0] for ticket in long_tickets()]
    bare = _bare_call()
    fresh = _fresh(settings)
    whole = _cpu(lambda: _end_to_end(fresh, samples, settings))
    starts = [_started() for _ in range(1 if short else STARTS)]
    return Result(
        "classifier",
        (
            Figure("one ticket, CPU, median", 1000 * median(each), "ms", 25),
            Figure("one ticket, CPU, 95th percentile", 1000 * float(np.percentile(each, 95)), "ms"),
            *(
                Figure(f"one of {len(ticket.messages[0].body):,} characters, CPU", 1000 * seconds, "ms")
                for ticket, seconds in zip(long_tickets(), long, strict=True)
            ),
            Figure("one bare call of the encoder, CPU", 1000 * bare, "ms"),
            Figure("one ticket, in bare calls, median", median(each) / bare, "x"),
            Figure("clean, classify, decide, note", len(samples) / whole, "tickets/s", 30, at_least=True),
            Figure("memory of a worker holding it", max(size for size, _ in starts), "MB", 600),
            Figure("cold start to the first answer", min(took for _, took in starts), "s", 5),
        ),
        (f"{len(samples)} sample tickets, CPU time of this process on one thread;", "start: wall time, best of three"),
    )


def _fresh(settings: Settings) -> Classifier:
    """Return a classifier that has read nothing yet, its weights loaded."""
    classifier = EmbeddedClassifier(settings.teams, DEFAULT_PRIORITIES, UseEncoder())
    classifier.classify(Ticket("", "0", subject="Warm up"))
    return classifier


def _each(settings: Settings, tickets: Sequence[Ticket]) -> list[float]:
    """Return the CPU seconds of each ticket."""
    classifier = _fresh(settings)
    return [_cpu(lambda ticket=ticket: classifier.classify(ticket)) for ticket in tickets]  # type: ignore[misc]


def _cpu(work: Callable[[], object]) -> float:
    """Return the CPU seconds of `work`, all threads of this process together."""
    before = time.process_time()
    work()
    return time.process_time() - before


def _bare_call() -> float:
    encoder = UseEncoder()
    encoder.encode(["warm up"])
    return median(_cpu(lambda number=number: encoder.encode([BARE.format(number=number)])) for number in range(CALLS))  # type: ignore[misc]


def _end_to_end(classifier: Classifier, tickets: Sequence[Ticket], settings: Settings) -> None:
    desk = settings.desks["a"].model_copy(update={"mode": Mode.WRITE})
    for ticket in tickets:
        answer = classifier.classify(ticket)
        decision = decide(ticket, answer, settings, desk)
        render_html(compose(Material(ticket, answer, decision, settings, "TDM-2345678923", datetime.now(UTC))))


def _started() -> tuple[float, float]:
    """Return the megabytes of a process that holds a worker and its classifier, and its seconds to the first answer."""
    begin = time.perf_counter()
    command = [sys.executable, "-m", "benchmarks.classifier"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        process.stdout.readline()
        took = time.perf_counter() - begin
        held = float(process.stdout.readline())
    return held, took


def hold() -> None:
    """Answer one ticket, say so, then answer all of them and say how much memory that took at most."""
    classifier = build_classifier(
        Settings(), openai_base_url="", openai_api_key="", openai_model="", spent_today=lambda: 0.0
    )
    classifier.classify(Ticket("", "0", subject="Quick question", messages=sample_tickets()[0].messages))
    print("answered", flush=True)
    import_module(WORKER)
    for ticket in [*sample_tickets(), *long_tickets()]:
        classifier.classify(ticket)
    # Kilobytes on Linux, bytes on macOS.
    unit = 1 if sys.platform == "darwin" else 1024
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MEGABYTE, flush=True)


if __name__ == "__main__":
    hold()
