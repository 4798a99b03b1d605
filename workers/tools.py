"""What one run is given, and how its time is kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Connection

from connectors.base import Connector
from triage.classification import Classification
from triage.classify.base import Classifier
from triage.decision import Decision
from triage.draft import Draft, Wishes
from triage.draft_quotes import no_model_draft
from triage.links import Links
from triage.settings import Desk, Settings
from triage.sources import Sources
from triage.store import Store
from triage.store.runs import Run
from triage.ticket import Ticket
from triage.traces import span


@dataclass(frozen=True)
class Tools:
    """What one triage needs."""

    connector: Connector
    classifier: Classifier
    store: Store
    settings: Settings
    desk: Desk
    checkpoint: Callable[[str], None] = lambda _step: None
    """Called after each step; tests end the process there."""
    find: Callable[[Ticket], Sources] = lambda _ticket: Sources()
    """Finds what the desk knows about a ticket."""
    draft: Callable[[Ticket, Classification, Decision, Sources, Wishes], Draft] = no_model_draft
    """Drafts a reply from what was found."""
    facts: Callable[[Run], tuple[str, ...]] = lambda _run: ()
    """Returns what people have answered about this run's ticket."""
    heard: Callable[[Classification], None] = lambda _answer: None
    """Takes note of who has answered."""
    closing: Callable[[Connection, float], None] = lambda _within, _now: None
    """Called in the transaction that ends the run, with the time: what called for the run is closed in it too."""
    links: Links | None = None
    """Makes the links of notes; None where there can be none."""


@dataclass
class Steps:
    """Seconds spent per step."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Add the time of the block to `step`."""
        start = time.perf_counter()
        try:
            with span(step):
                yield
        finally:
            self.seconds[step] = round(self.seconds.get(step, 0.0) + time.perf_counter() - start, 4)
