"""A desk in the sandbox whose tickets go on: real connector, store and deliveries, a classifier that is told."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from typing import Any

from test_connector_sandbox import Box

from sandbox.testing import Running
from tests.fakes import FakeClassifier, answer
from triage.classification import Classification
from triage.decision import Decision
from triage.draft import Draft, Wishes
from triage.settings import Mode, Settings
from triage.sources import Sources
from triage.store import Store
from triage.store.deliveries import ASK, CLOCK, CREATED, OPEN_STATES
from triage.store.marks import BOT
from triage.store.runs import Run
from triage.ticket import Ticket
from workers.deliver import deliver
from workers.leases import Leases
from workers.tools import Tools

CALM = answer(sentiment="neutral", churn_risk="low", priority="P2_medium")
ANGRY = answer(
    sentiment="frustrated", churn_risk="high", priority="P1_high", evidence=["This is the third time I write!"]
)
ANGRY_WORDS = "This is the third time I write! Nobody answers."
DESKS = {"zendesk": "acme", "freshdesk": "globex"}


class StillLeases(Leases):
    """Leases of a process that renews none by itself."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._thread = threading.current_thread()


class Living:
    """One ticket's life, as customer, agents and workers see it."""

    def __init__(self, store: Store, settings: Settings, sandbox: Running, vendor: str, mode: Mode = Mode.TAG) -> None:
        self.store, self.vendor, self.desk = store, vendor, DESKS[vendor]
        self.box = Box(sandbox, vendor)
        self.classifier = FakeClassifier(CALM)
        self.wishes: list[Wishes] = []
        self.facts: tuple[str, ...] = ()
        self.checkpoint: Callable[[str], None] = lambda _: None
        desk = self.box.settings.model_copy(update={"mode": mode})
        self.settings = settings.model_copy(update={"desks": {**settings.desks, self.desk: desk}})
        self._keys = itertools.count()
        store.cursors.set(self.desk, BOT, self.box.connector.account().user_id, time.time())

    def tools(self, _desk: str = "") -> Tools:
        """Return a worker's tools, with a connector of its own."""
        connector = self.box.connect()
        connector.desk = self.desk
        return Tools(
            connector,
            self.classifier,
            self.store,
            self.settings,
            self.settings.desks[self.desk],
            lambda step: self.checkpoint(step),
            draft=self._draft,
            facts=lambda _run: self.facts,
        )

    def _draft(self, _t: Ticket, _a: Classification, _d: Decision, _s: Sources, wishes: Wishes) -> Draft:
        self.wishes.append(wishes)
        return Draft(text=f"Dear customer, draft {len(self.wishes)}. {wishes.hint} {' '.join(wishes.facts)}".strip())

    def born(self, **sample: Any) -> str:
        """Let a customer write and triage the ticket."""
        ticket_id = self.box.ticket(**sample)
        self.arrive(ticket_id, CREATED)
        self.work()
        return ticket_id

    def arrive(self, ticket_id: str, occasion: str) -> None:
        """Store a delivery, as the edge or somebody else does."""
        key = f"event:{ticket_id}:{next(self._keys)}"
        self.store.deliveries.receive(
            self.desk, key, ticket_id=ticket_id, event="test", body=b"", now=time.time(), occasion=occasion
        )

    def poke(self, ticket_id: str, occasion: str = CLOCK) -> None:
        """Let the helpdesk say that something has changed, and do what follows from it."""
        self.arrive(ticket_id, occasion)
        self.work()

    def ask(self, ticket_id: str) -> None:
        """Poke as for a tag."""
        self.poke(ticket_id, ASK)

    def says(self, ticket_id: str, text: str = ANGRY_WORDS) -> None:
        """Let the customer write again."""
        self.box.act(ticket_id, customer_reply=text)

    def open(self) -> list[int]:
        """Return the deliveries that are open, oldest first."""
        return sorted(row.id for row in self.store.deliveries.recent(1000) if row.state in OPEN_STATES)

    def work(self, rounds: int = 12) -> None:
        """Work off the inbox as if every pause were over."""
        for _ in range(rounds):
            if not (waiting := self.open()):
                return
            for delivery_id in waiting:
                deliver(delivery_id, self.store, StillLeases(self.store), self.tools)
        raise AssertionError(f"still open: {[self.store.deliveries.get(one) for one in self.open()]}")

    def runs(self, ticket_id: str) -> list[Run]:
        """Return the ticket's runs, oldest first."""
        return self.store.runs.all_of(self.desk, ticket_id)

    def later(self, ticket_id: str) -> list[tuple[str, str]]:
        """Return kind of occasion and state of each later run."""
        return [(run.occasion.rpartition(":")[0], run.state) for run in self.runs(ticket_id)[1:]]

    def notes(self, ticket_id: str) -> list[str]:
        """Return the texts of our notes, oldest first."""
        return [one["text"] for one in self.box.notes(ticket_id)]

    def tags(self, ticket_id: str) -> set[str]:
        """Return the ticket's tags."""
        return set(self.box.shown(ticket_id)["tags"])
