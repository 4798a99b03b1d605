"""A ticket goes on, with the whole of Tandem as processes: told by real webhooks, and a worker killed in the middle."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.running import VENDORS, Tandem
from triage.store.runs import DONE

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(280)]
DESKS = {"zendesk": "acme", "freshdesk": "globex"}
ANGRY = (
    "This is the third time I write and nobody answers! Production is down for all our users since this morning, "
    "we lose money every minute. If this is not fixed today we cancel our contract."
)


class Talking(Tandem):
    """Tandem that is told of changes."""

    def expire(self) -> None:
        """As if the leases of who was killed had run out."""
        with self.store.engine.begin() as connection:
            connection.execute(text("UPDATE runs SET lease_until = 1 WHERE state = 'running'"))
            connection.execute(text("UPDATE deliveries SET due_at = 1 WHERE due_at IS NOT NULL"))

    def later(self, one: tuple[str, str], kind: str) -> int:
        """Return how many runs of this kind are done."""
        runs = self.store.runs.all_of(DESKS[one[0]], one[1])
        return sum(run.state == DONE and run.occasion.startswith(kind) for run in runs)


@pytest.fixture
def tandem(tmp_path: Path) -> Iterator[Talking]:
    running = Talking(tmp_path, updates=True)
    try:
        running.start()
        yield running
    finally:
        running.stop()


def test_a_ticket_that_goes_on_is_told_once(tandem: Talking) -> None:
    sent = [(vendor, tandem.ticket(vendor, "How can I change the address on my invoice?")) for vendor in VENDORS]
    tandem.wait("first notes", lambda: all(tandem.has_tags(*one) for one in sent), 90)
    tandem.wait("quiet", tandem.settled, 60)
    tandem.end("worker")
    # In the middle of the first update; which of the two it is depends on who is first.
    worker = tandem.stack.manage("worker", {"TANDEM_CRASH_AT": "after_note"})
    for one in sent:
        tandem.act(one, customer_reply=ANGRY)
        tandem.act(one, customer_reply="Hello???")
    worker.popen.wait(120)
    assert worker.popen.returncode == -signal.SIGKILL, "no update was ever written"
    tandem.forget("worker")
    tandem.expire()
    tandem.stack.manage("worker")
    tandem.wait("judged again", lambda: all(tandem.later(one, "message:") for one in sent), 150)
    tandem.wait("quiet", tandem.settled, 90)
    told = {vendor: 1 if vendor == "freshdesk" else 2 for vendor in VENDORS}
    assert {one[0]: tandem.notes(*one) for one in sent} == told
    assert [tandem.later(one, "message:") for one in sent] == [1, 1]

    for one in sent:
        tandem.act(one, reply="I am on it.")
        tandem.act(one, tags_add=["ai_please"])
    tandem.wait("answered", lambda: all(tandem.later(one, "asked:") for one in sent), 120)
    tandem.wait("quiet", tandem.settled, 90)
    assert {one[0]: tandem.notes(*one) for one in sent} == {"freshdesk": 1, "zendesk": 3}
    assert not any("ai_please" in tandem.tickets(vendor)[number]["tags"] for vendor, number in sent)
    assert [tandem.later(one, "asked:") for one in sent] == [1, 1]
