"""Taking back: only what is still ours, against both sandbox helpdesks, whatever happens in between."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from click.testing import Result as Output
from fakes import FakeClassifier, FakeConnector, answer
from test_connector_recordings import VENDORS
from test_connector_sandbox import AUTH, CREDENTIALS, Box

from commands.undo import command
from connectors.base import Changed, Connector
from sandbox.config import SandboxConfig
from sandbox.testing import running
from triage.errors import Retry, Wait
from triage.settings import Mode, Settings
from triage.store import Store
from triage.store.effects import CONFIRMED, UNDONE
from triage.store.runs import DONE
from triage.store.undone import ACT, EFFECT, Choice, Trace
from triage.ticket import Ticket
from workers import tasks
from workers.deliver import TAKEN_BACK, deliver
from workers.leases import Leases
from workers.outcomes import judge
from workers.pipeline import Tools
from workers.runtime import Runtime
from workers.undo import Result, undo_some, undo_ticket
from workers.undo_plan import REPLY_STAYS, plan

WHO = "command:ada"
NOW = 1_800_000_000.0


class Room:
    """One desk of the sandbox with Tandem in mode `write`."""

    def __init__(self, box: Box, store: Store) -> None:
        self.box, self.store = box, store
        self.settings = Settings(desks={"desk": box.settings.model_copy(update={"mode": Mode.WRITE})})
        self.leases = Leases(store)
        self.serial = 0

    def connector(self, _: str = "desk") -> Connector:
        return self.box.connector

    def tools(self, name: str) -> Tools:
        settings = self.settings
        return Tools(self.box.connector, FakeClassifier(answer("billing")), self.store, settings, settings.desks[name])

    def deliver(self, ticket_id: str, occasion: str = "created") -> str:
        self.serial += 1
        key = f"k{self.serial}"
        received = self.store.deliveries.receive(
            "desk", key, ticket_id=ticket_id, event="e", body=b"", now=time.time(), occasion=occasion
        )
        deliver(received.id, self.store, self.leases, self.tools)
        delivery = self.store.deliveries.get(received.id)
        assert delivery
        return f"{delivery.state}: {delivery.reason}"

    def triaged(self) -> str:
        ticket_id = self.box.ticket()
        assert self.deliver(ticket_id).startswith("done: run")
        return ticket_id

    def undo(self, ticket_id: str) -> Result:
        choice = Choice("desk", ticket_id)
        return undo_ticket("desk", ticket_id, choice, self.store, self.box.connector, WHO)

    def states(self, ticket_id: str) -> set[str]:
        run = self.store.runs.of_ticket("desk", ticket_id)
        assert run
        return {effect.state for effect in self.store.effects.of_run(run.id)}


@pytest.fixture(params=VENDORS)
def box(request: pytest.FixtureRequest) -> Iterator[Box]:
    with running(SandboxConfig(**CREDENTIALS)) as sandbox:
        yield Box(sandbox, request.param)


@pytest.fixture
def room(box: Box, store: Store) -> Room:
    return Room(box, store)


@pytest.fixture
def quick(box: Box, sqlite_store: Store) -> Room:
    return Room(box, sqlite_store)


def ours(shown: dict[str, Any]) -> list[str]:
    return [tag for tag in shown["tags"] if tag.startswith("ai_")]


def test_everything_goes_back_and_the_ticket_is_left_alone(room: Room) -> None:
    ticket_id = room.box.ticket()
    untouched = room.box.shown(ticket_id)
    room.deliver(ticket_id)
    room.box.act(ticket_id, tags_add=["vip"])
    written = room.box.shown(ticket_id)
    assert ours(written)
    assert (written["priority"], written["group"]) != (untouched["priority"], untouched["group"])
    result = room.undo(ticket_id)
    shown = room.box.shown(ticket_id)
    assert (shown["priority"], shown["group"]) == (untouched["priority"], untouched["group"])
    assert shown["tags"] == ["vip"]
    assert set(result.tags) == set(ours(written))
    assert result.left == {}
    (note, *more) = [one["html"] for one in room.box.notes(ticket_id)]
    if room.box.vendor == "freshdesk":
        assert not more
        assert "Billing" not in note
        assert "Withdrawn by your team" in note
    else:
        assert "Billing" in note
        assert len(more) == 1
        run = room.store.runs.of_ticket("desk", ticket_id)
        assert run
        assert (
            f"disregard Tandem&#39;s note {run.reference}" in more[0]
            or f"disregard Tandem's note {run.reference}" in more[0]
        )
    assert room.states(ticket_id) == {UNDONE}
    (entry,) = room.store.audit.recent(5)
    assert (entry.actor, entry.action, entry.subject) == (WHO, "undo", f"ticket {ticket_id}")
    assert entry.detail["before"]["priority"] == "high"
    # Once more does nothing, and later events are left alone; a person who asks is not.
    assert room.undo(ticket_id) == Result("desk", ticket_id)
    assert room.deliver(ticket_id) == f"done: {TAKEN_BACK}"
    assert room.deliver(ticket_id, "message:5") == f"done: {TAKEN_BACK}"
    assert room.box.shown(ticket_id)["tags"] == ["vip"]


def test_what_a_person_has_changed_stays(quick: Room) -> None:
    ticket_id = quick.triaged()
    written = quick.box.shown(ticket_id)
    quick.box.act(ticket_id, priority="urgent")
    shown = quick.box.shown(ticket_id)
    assert shown["priority"] != written["priority"]
    result = quick.undo(ticket_id)
    after = quick.box.shown(ticket_id)
    assert after["priority"] == shown["priority"]
    assert after["group"] is None
    assert "changed it since" in result.left["priority"]


def test_a_person_who_changes_it_at_that_moment_wins(quick: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between our look and our write."""
    ticket_id = quick.triaged()
    connector = quick.box.connector
    real = connector.look

    def look(number: str) -> Ticket:
        found = real(number)
        if quick.box.shown(number)["priority"] != "urgent":
            quick.box.act(number, priority="urgent")
        return found

    monkeypatch.setattr(connector, "look", look)
    result = quick.undo(ticket_id)
    shown = quick.box.shown(ticket_id)
    assert (shown["priority"], shown["group"]) == ("urgent", None)
    assert "changed" in result.left["priority"]


@pytest.mark.parametrize("call", ["put_back", "remove_tags", "post", "update_note"])
@pytest.mark.parametrize("applied", [False, True])
def test_killed_anywhere_it_goes_on(quick: Room, call: str, applied: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    ticket_id = quick.triaged()
    connector = quick.box.connector
    real = getattr(connector, call)

    def end(*arguments: Any, **named: Any) -> Any:
        if applied:
            real(*arguments, **named)
        raise Retry("the answer was lost")

    monkeypatch.setattr(connector, call, end)
    is_used = call != ("post" if connector.edits_notes else "update_note")
    if is_used:
        with pytest.raises(Retry):
            quick.undo(ticket_id)
        assert quick.states(ticket_id) == {CONFIRMED}
    monkeypatch.setattr(connector, call, real)
    assert quick.undo(ticket_id).left == {}
    shown = quick.box.shown(ticket_id)
    assert ours(shown) == []
    assert shown["group"] is None
    withdrawn = [one for one in quick.box.notes(ticket_id) if "Withdrawn by your team" in one["html"]]
    assert len(withdrawn) == 1


def test_a_closed_ticket_is_reported_and_a_deleted_one_is_over(quick: Room) -> None:
    first, second = quick.triaged(), quick.triaged()
    quick.box.act(first, status="closed")
    quick.box.act(second, deleted=True)
    assert "closed" in quick.undo(first).left["ticket"]
    assert quick.states(first) == {CONFIRMED}
    assert "ticket" in quick.undo(second).left
    assert quick.states(second) == {UNDONE}


class TestCommand:
    """As an admin types it; the desk is paused, as it would be."""

    @pytest.fixture(autouse=True)
    def _here(self, quick: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, redis_url: str) -> None:
        self.room = quick
        auth = json.dumps(AUTH[quick.box.vendor])
        desk = f"platform: {quick.box.vendor}, url: '{quick.box.settings.url}', auth: {auth}"
        (tmp_path / "t.yaml").write_text(f"desks: {{desk: {{{desk}, webhook_secrets: [{'s' * 20}]}}}}")
        url = quick.store.engine.url.render_as_string()
        for key, value in {
            "TANDEM_CONFIG": str(tmp_path / "t.yaml"),
            "DATABASE_URL": url,
            "REDIS_URL": redis_url,
        }.items():
            monkeypatch.setenv(key, value)
        quick.store.controls.set("*", "stopped", "yes", "x", NOW)

    def run(self, *arguments: str) -> Output:
        return CliRunner().invoke(command, arguments)

    def test_shown_first_then_done(self) -> None:
        ticket_id = self.room.triaged()
        before = self.room.box.shown(ticket_id)
        shown = self.run("--ticket", f"desk/{ticket_id}")
        assert "priority: high would go back to nothing" in shown.output
        assert "tags removed: ai_" in shown.output.replace("\n    ", " ")
        assert "Dry run: nothing was changed" in shown.output
        assert all(len(line) <= 80 for line in shown.output.splitlines())
        assert self.room.box.shown(ticket_id) == before
        asked = json.loads(self.run("--label", "team=billing", "--json").output)
        assert (asked["dry_run"], asked["tickets"]) == (True, 1)
        done = self.run("--label", "team=billing", "--since", "1h", "--desk", "desk", "--yes")
        assert done.exit_code == 0, done.output
        assert "1 tickets: 2 fields put back" in done.output
        assert ours(self.room.box.shown(ticket_id)) == []
        assert "0 tickets with something" in self.run("--since", "1h").output

    def test_what_cannot_be_undone_is_told_by_the_exit_code(self) -> None:
        ticket_id = self.room.triaged()
        self.room.box.act(ticket_id, status="closed")
        done = self.run("--ticket", f"desk/{ticket_id}", "--yes", "--json")
        assert done.exit_code == 1
        assert "closed" in json.loads(done.output)["shown"][0]["left"]["ticket"]

    @pytest.mark.parametrize(
        "arguments", [(), ("--yes",), ("--ticket", "7"), ("--label", "team"), ("--label", "colour=red")]
    )
    def test_what_says_nothing_is_refused(self, arguments: tuple[str, ...]) -> None:
        assert self.run(*arguments).exit_code == 2

    def test_a_worker_does_it_for_the_console(self, monkeypatch: pytest.MonkeyPatch) -> None:
        ticket_id = self.room.triaged()
        here = Runtime.from_environment()
        monkeypatch.setattr(tasks, "runtime", lambda: here)
        tasks.undo_chunk("console:ada", asdict(Choice("desk", ticket_id)), ["", ""])
        assert self.room.states(ticket_id) == {UNDONE}
        assert self.room.store.audit.recent(1)[0].actor == "console:ada"


class TestChoice:
    """Which tickets are meant, on both databases."""

    @pytest.fixture
    def runs(self, store: Store) -> Store:
        for number, (desk, team, policy) in enumerate(
            [("acme", "billing", "p1"), ("acme", "security", "p1"), ("globex", "billing", "p2")]
        ):
            run, _ = store.runs.claim(desk, str(number), "created", owner="o", now=NOW, lease_until=NOW + 9)
            store.runs.save(run, classification={"primary_team": team}, policy=policy)
            effect = store.effects.plan(run.id, "tags", {"tags": ["ai_x"]}, NOW)
            store.effects.sent(effect, NOW + number)
            store.effects.confirm(effect, NOW + number, before={"tags": []}, after={"tags": ["ai_x"]})
            store.runs.finish(run, DONE, NOW)
        return store

    @pytest.mark.parametrize(
        ("choice", "found"),
        [
            (Choice(), ["0", "1", "2"]),
            (Choice("acme"), ["0", "1"]),
            (Choice("acme", "1"), ["1"]),
            (Choice(field="primary_team", label="billing"), ["0", "2"]),
            (Choice("globex", field="primary_team", label="billing"), ["2"]),
            (Choice(since=NOW + 1), ["1", "2"]),
            (Choice(policy="p1"), ["0", "1"]),
            (Choice(policy="p3"), []),
        ],
    )
    def test_choice(self, runs: Store, choice: Choice, found: list[str]) -> None:
        assert [number for _, number in runs.undone.tickets(choice, ("", ""), 10)] == found
        assert runs.undone.count(choice) == len(found)

    def test_batch_by_batch(self, runs: Store) -> None:
        assert runs.undone.tickets(Choice(), ("", ""), 2) == [("acme", "0"), ("acme", "1")]
        assert runs.undone.tickets(Choice(), ("acme", "1"), 2) == [("globex", "2")]
        (trace,) = runs.undone.traces(Choice(), "acme", "1")
        assert (trace.tags, trace.source, trace.undo) == (("ai_x",), EFFECT, {})
        first = runs.undone.begin([trace], {"actor": "a", "note": "TDM-1", "target": {"priority": None}})
        second = runs.undone.begin([trace], {"actor": "b", "note": "TDM-2", "target": {}})
        assert (first["note"], second["note"]) == ("TDM-1", "TDM-1")
        assert runs.undone.traces(Choice(), "acme", "1")[0].undo["target"] == {"priority": None}
        runs.undone.finish([trace], {"actor": "b"}, done=True)
        assert runs.undone.is_undone("acme", "1")
        assert not runs.undone.is_undone("acme", "0")
        assert runs.undone.tickets(Choice(), ("", ""), 9) == [("acme", "0"), ("globex", "2")]

    def test_a_ticket_a_worker_is_at_is_left(self, runs: Store) -> None:
        runs.runs.claim("acme", "0", "message:1", owner="o", now=time.time(), lease_until=time.time() + 30)
        desk = FakeConnector()
        result = undo_ticket("acme", "0", Choice("acme", "0"), runs, desk, WHO)  # type: ignore[arg-type]
        assert "a worker is at this ticket" in result.left["ticket"]
        assert desk.calls == []

    def test_a_rate_limit_ends_the_batch_where_it_is(self, runs: Store) -> None:
        class Full(FakeConnector):
            def look(self, ticket_id: str) -> Ticket:
                if ticket_id == "1":
                    raise Wait("rate limit", 7.0)
                return super().look(ticket_id)

        desk = Full()
        for number in "012":
            desk.add(number, tags=("ai_x",))
        batch = undo_some(Choice(), runs, lambda _: desk, WHO)  # type: ignore[arg-type, return-value]
        assert [one.ticket_id for one in batch.results] == ["0"]
        assert (batch.after, batch.pause) == (("acme", "0"), 7.0)


def trace(at: float, before: dict[str, Any], after: dict[str, Any], **more: Any) -> Trace:
    values: dict[str, Any] = {
        "source": EFFECT,
        "id": int(at),
        "kind": "note",
        "state": CONFIRMED,
        "reference": f"TDM-{at:.0f}",
        "note_id": "",
        "tags": (),
        "undo": {},
    }
    return Trace(at=at, before=before, after=after, **(values | more))


class TestPlan:
    def test_a_chain_of_ours_goes_back_to_its_beginning(self) -> None:
        chain = [
            trace(1, {"priority": None}, {"priority": "high"}),
            trace(2, {"priority": "high", "group": "Billing"}, {"priority": "urgent", "group": "Duty"}, source=ACT),
        ]
        ticket = Ticket(desk="a", id="1", priority="urgent", group="duty", group_id="5")
        made = plan(ticket, chain)
        assert made.ours == {"priority": "urgent", "group": "Duty"}
        assert made.before == {"priority": None, "group": "Billing"}

    def test_a_chain_a_person_has_broken_goes_back_to_them(self) -> None:
        chain = [
            trace(1, {"priority": None}, {"priority": "high"}),
            trace(2, {"priority": "normal"}, {"priority": "urgent"}),
        ]
        assert plan(Ticket(desk="a", id="1", priority="urgent"), chain).before == {"priority": "normal"}

    def test_nothing_of_a_persons_is_touched(self) -> None:
        made = plan(
            Ticket(desk="a", id="1", priority="low", fields={"9": "x"}, tags=("VIP",)),
            [trace(1, {"priority": None, "9": None}, {"priority": "high", "9": "y"}, tags=("ai_x",), kind="fields")],
        )
        assert not made
        assert set(made.left) == {"priority", "9"}

    def test_a_public_reply_is_said_to_stay(self) -> None:
        made = plan(Ticket(desk="a", id="1"), [trace(1, {}, {}, kind="reply")])
        assert made.left == {"reply": REPLY_STAYS}
        assert not made.notes


def test_nothing_is_learned_from_our_own_taking_back(quick: Room) -> None:
    ticket_id = quick.triaged()
    quick.undo(ticket_id)
    quick.box.act(ticket_id, status="solved")
    run = quick.store.runs.of_ticket("desk", ticket_id)
    ticket = quick.box.connector.look(ticket_id)
    assert run and ticket.updated_at
    seen = Changed(
        ticket_id,
        ticket.status,
        ticket.updated_at,
        ticket.updated_at,
        ticket.group or None,
        ticket.priority,
        priority_is_default=True,
        tags=ticket.tags,
    )
    assert judge(run, quick.store.effects.of_run(run.id), seen, quick.settings) == ([], [])
