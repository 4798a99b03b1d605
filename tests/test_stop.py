"""The stop at any moment of a run: nothing is written after it, nothing is lost, and all goes on after it is lifted."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from living import ANGRY, Living, StillLeases
from test_connector_recordings import VENDORS
from test_connector_sandbox import CREDENTIALS

from sandbox.config import SandboxConfig
from sandbox.testing import Running, running
from triage.live import Live
from triage.settings import Mode, Settings
from triage.store import Store
from triage.store.deliveries import QUEUED, RECEIVED
from triage.store.runs import DONE
from workers.deliver import deliver
from workers.tools import Tools

STEPS = ("after_read", "after_classify", "after_draft", "before_note", "after_note", "before_tags", "before_finish")


class Stopping(Living):
    """A desk whose connector looks at the stop right before each write, as a worker's does."""

    def tools(self, desk: str = "") -> Tools:
        """Return a worker's tools."""
        tools = super().tools(desk)
        tools.connector.api._guard = lambda: self.live.check(self.desk)  # type: ignore[attr-defined]
        return tools

    @property
    def live(self) -> Live:
        """Return the switches."""
        return Live(self.settings, self.store)

    def once(self) -> None:
        """Let a worker look at everything that is open."""
        for delivery_id in self.open():
            deliver(delivery_id, self.store, StillLeases(self.store), self.tools, self.live.check)

    def stop_at(self, step: str, ticket_id: str) -> list[tuple[Any, ...]]:
        """Stop everything at `step`; what is returned gets what is on the ticket then."""
        seen: list[tuple[Any, ...]] = []

        def checkpoint(here: str) -> None:
            if here == step and not seen:
                self.store.controls.set("*", "stopped", "yes", "command:ada", time.time())
                seen.append(self.all(ticket_id))

        self.checkpoint = checkpoint
        return seen

    def go(self) -> None:
        self.store.controls.clear("*", "stopped")

    def all(self, ticket_id: str) -> tuple[Any, ...]:
        """Return all that could have been written."""
        shown = self.box.shown(ticket_id)
        return self.notes(ticket_id), self.tags(ticket_id), shown["priority"], shown["group"]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Running]:
    roomy = {"zendesk_limit": 100_000, "zendesk_update_limit": 100_000, "freshdesk_limit": 100_000}
    with running(SandboxConfig(**CREDENTIALS, **roomy)) as found:
        yield found


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("vendor", VENDORS)
def test_nothing_is_written_after_a_stop_and_all_of_it_after_the_go(
    vendor: str, later: bool, sqlite_store: Store, settings: Settings, sandbox: Running
) -> None:
    for step in STEPS:
        desk = Stopping(sqlite_store, settings, sandbox, vendor, Mode.WRITE)
        ticket_id = desk.box.ticket()
        desk.arrive(ticket_id, "created")
        if later:
            desk.work()
            desk.classifier.answers.clear()
            desk.classifier.answers.append(ANGRY)
            desk.says(ticket_id)
            desk.arrive(ticket_id, "clock")
            deliver(desk.open()[0], desk.store, StillLeases(desk.store), desk.tools)
        seen = desk.stop_at(step, ticket_id)
        desk.once()
        if not seen:
            continue  # not a step of this kind of run
        assert desk.all(ticket_id) == seen[0], step
        run = desk.runs(ticket_id)[-1]
        if run.state != DONE:  # stopped after the last write: nothing was left to be held
            desk.once()
            desk.once()
            assert desk.all(ticket_id) == seen[0], step
            (waiting,) = (desk.store.deliveries.get(one) for one in desk.open())
            assert waiting and (waiting.state in (RECEIVED, QUEUED), waiting.attempts) == (True, 0), step
            assert "stopped for every desk (by command:ada)" in waiting.reason
        desk.go()
        desk.work()
        assert desk.runs(ticket_id)[-1].state == DONE, step
        own = [one for one in desk.notes(ticket_id) if run.reference in one]
        assert len(own) == (0 if later and vendor == "freshdesk" else 1), step
        assert "ai_triaged" in desk.tags(ticket_id)
