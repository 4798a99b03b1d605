"""SLA clocks with the whole of Tandem as processes: killed in the middle, doubled, and without its queue."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from test_notify import Listener

from commands.sandboxed import control
from tests.running import VENDORS, Tandem

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(280)]
# Every ticket has an hour for the first answer, whatever it is about and whatever the sandbox helpdesks promise.
SLA = """
sla:
  source: policy
  tick_seconds: 10
  on_risk: {notify: [ops]}
  on_breach: {notify: [ops]}
  channels: {ops: "${OPS_CHANNEL}"}
priorities:
  P0: {first_response: 1h, resolution: 30d}
  P1: {first_response: 1h, resolution: 30d}
  P2: {first_response: 1h, resolution: 30d}
  P3: {first_response: 1h, resolution: 30d}
"""


class Watched(Tandem):
    """Tandem with SLA settings, a channel to listen to, and webhooks about changes."""

    def __init__(self, folder: Path, listener: Listener) -> None:
        super().__init__(folder, updates=True, settings=SLA)
        self.listener = listener
        self.stack.environment |= {"OPS_CHANNEL": listener.address().get_secret_value()}

    def second(self, name: str, command: list[str]) -> None:
        self.stack.start(name, [sys.executable, "manage.py", *command])

    def expire(self) -> None:
        """As if the leases of whoever was killed had run out."""
        with self.store.engine.begin() as connection:
            connection.execute(text("UPDATE clocks SET next_check_at = 1 WHERE next_check_at IS NOT NULL"))
            connection.execute(text("UPDATE acts SET try_at = 1 WHERE try_at IS NOT NULL"))

    def tagged(self, one: tuple[str, str], tag: str) -> bool:
        return tag in self.tickets(one[0])[one[1]]["tags"]

    def sla_notes(self, one: tuple[str, str], words: str) -> int:
        comments = self.tickets(one[0])[one[1]]["comments"]
        return sum(1 for comment in comments if words in comment["html"] and not comment["public"])

    def messages(self, words: str) -> int:
        return sum(1 for message in self.listener.taken if message["title"].startswith(words))


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    listener = Listener()
    threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    running = Watched(tmp_path, listener)
    try:
        running.start()
        yield running
    finally:
        running.stop()
        listener.shutdown()
        listener.server_close()


# The tick, and what a loaded machine adds.
TICK_SECONDS, SLACK_SECONDS = 10.0, 30.0


def test_a_breach_is_acted_on_within_a_tick(watched: Watched) -> None:
    """Measured by the moments in the database: when the time was up, and when note, tags and message were begun."""
    ticket_id = watched.ticket("zendesk", age_minutes=59.5)
    watched.wait("breached", lambda: watched.tagged(("zendesk", ticket_id), "ai_sla_breached"), 120)
    watched.wait("its message", lambda: watched.messages("SLA breached") == 1, 30)
    watch = watched.store.clocks.watch("acme", ticket_id)
    [clock] = [row for row in watched.store.clocks.of_ticket("acme", ticket_id) if row.metric == "first_response"]
    assert watch and clock.due_at
    acts = [act for act in watched.store.acts.of_ticket("acme", ticket_id) if act.stage == "breached"]
    assert {act.kind for act in acts} == {"note", "tags", "message"}
    # Where triage itself came late, its clock could not be known before.
    known_at = max(clock.due_at, watch.created_at)
    for act in acts:
        assert act.sent_at and act.sent_at - clock.due_at >= 0
        assert act.sent_at - known_at <= TICK_SECONDS + SLACK_SECONDS, act.kind


def test_every_threshold_is_acted_on_once(watched: Watched) -> None:
    """Kill -9 in the middle of a sweep, then two workers, two beats and a new queue: nothing twice, nothing lost."""
    watched.end("worker")
    worker = watched.stack.manage("worker", {"TANDEM_CRASH_AT": "sla_after_note"})
    sent = [(vendor, watched.ticket(vendor, age_minutes=50)) for vendor in VENDORS for _ in range(2)]
    worker.popen.wait(90)
    assert worker.popen.returncode == -signal.SIGKILL, "the sweep was never reached"
    watched.forget("worker")
    watched.stack.manage("worker")
    watched.second("worker2", ["worker"])
    watched.second("beat2", ["beat", "--schedule", str(watched.folder / "beat-schedule-2")])
    watched.expire()
    watched.wait("at risk", lambda: all(watched.tagged(one, "ai_sla_at_risk") for one in sent), 90)
    watched.wait("messages", lambda: watched.messages("SLA at risk") == len(sent), 30)
    # Whatever would be done twice has the time to, while the rest goes on.
    watched.expire()
    assert [watched.sla_notes(one, "SLA at risk") for one in sent] == [1] * len(sent)
    assert watched.messages("SLA at risk") == len(sent)

    # The queue is lost; an agent answers meanwhile: the webhook is stored, and the tag goes away.
    redis = watched.process("redis")
    os.kill(redis.pid, signal.SIGKILL)
    redis.wait(10)
    for file in (watched.folder / "redis").rglob("*"):
        if file.is_file():
            file.unlink()
    for vendor, ticket_id in sent:
        control(watched.sandbox, f"/sandbox/agent/{vendor}/{ticket_id}", {"reply": "We are looking into it."})
    watched.wait("clocks met", lambda: not any(watched.tagged(one, "ai_sla_at_risk") for one in sent), 90)
    late = watched.ticket("zendesk", age_minutes=70)
    watched.wait("breached", lambda: watched.tagged(("zendesk", late), "ai_sla_breached"), 60)
    watched.wait("its message", lambda: watched.messages("SLA breached") == 1, 30)
    assert watched.sla_notes(("zendesk", late), "SLA breached") == 1
    assert [watched.sla_notes(one, "First response") for one in sent] == [1] * len(sent)
    assert watched.messages("SLA at risk") == len(sent)
    rows = [watched.store.clocks.of_ticket({"zendesk": "acme", "freshdesk": "globex"}[v], i)[0] for v, i in sent]
    assert {(row.metric, row.state) for row in rows} == {("first_response", "met")}
