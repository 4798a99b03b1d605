"""Taking back what later runs, crashes and refusals have made of a ticket."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from living import ANGRY, Living
from test_connector_recordings import VENDORS
from test_connector_sandbox import CREDENTIALS
from test_sla_sweep import Bench

from sandbox.config import SandboxConfig
from sandbox.testing import Running, running
from tests.fakes import FakeConnector, Killed
from triage.errors import DeskLocked, Forbidden
from triage.live import HeldError
from triage.settings import Mode, Settings
from triage.store import Store
from triage.store.acts import DROPPED
from triage.store.effects import CONFIRMED, UNDONE
from triage.store.runs import DONE, SKIPPED
from triage.store.undone import Choice
from triage.ticket import Ticket
from workers.deliver import TAKEN_BACK
from workers.undo import Result, undo_some, undo_ticket
from workers.undo_plan import NOT_OUR_WORDS

WHO = "command:ada"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Running]:
    roomy = {"zendesk_limit": 100_000, "zendesk_update_limit": 100_000, "freshdesk_limit": 100_000}
    with running(SandboxConfig(**CREDENTIALS, **roomy)) as found:
        yield found


def living(vendor: str, store: Store, settings: Settings, sandbox: Running, mode: Mode = Mode.TAG) -> Living:
    return Living(store, settings, sandbox, vendor, mode)


@pytest.fixture(params=VENDORS)
def desk(request: pytest.FixtureRequest, sqlite_store: Store, settings: Settings, sandbox: Running) -> Living:
    return living(request.param, sqlite_store, settings, sandbox, Mode.WRITE)


@pytest.fixture
def editing(sqlite_store: Store, settings: Settings, sandbox: Running) -> Living:
    """A helpdesk where notes are brought up to date in place."""
    return living("freshdesk", sqlite_store, settings, sandbox)


def undo(desk: Living, ticket_id: str, since: float = 0.0) -> Result:
    choice = Choice(desk.desk, ticket_id, since=since)
    return undo_ticket(desk.desk, ticket_id, choice, desk.store, desk.box.connector, WHO)


def two_runs(desk: Living) -> tuple[str, str, float]:
    """Return a ticket whose note a second run has changed, the note before, and when the second run began."""
    ticket_id = desk.born()
    first = desk.notes(ticket_id)[0]
    since = time.time()
    desk.classifier.answers.clear()
    desk.classifier.answers.append(ANGRY)
    desk.says(ticket_id)
    desk.poke(ticket_id)
    assert desk.later(ticket_id) == [("message", DONE)]
    return ticket_id, first, since


class TestNotesThatWereReplaced:
    def test_all_of_it_is_withdrawn(self, editing: Living) -> None:
        ticket_id, _, _ = two_runs(editing)
        result = undo(editing, ticket_id)
        assert (result.left, result.notes) == ({}, 1)
        (note,) = editing.notes(ticket_id)
        assert "Withdrawn by your team" in note
        assert {one.state for one in editing.store.effects.of_ticket(editing.desk, ticket_id)} == {UNDONE}

    def test_the_second_run_alone_gives_note_and_tags_back(self, editing: Living) -> None:
        ticket_id = editing.born()
        before, tags = editing.notes(ticket_id), editing.tags(ticket_id)
        since = time.time()
        editing.classifier.answers.clear()
        editing.classifier.answers.append(ANGRY)
        editing.says(ticket_id)
        editing.poke(ticket_id)
        assert editing.notes(ticket_id) != before
        assert tags - editing.tags(ticket_id)  # it took some of the first run's away
        result = undo(editing, ticket_id, since)
        assert (result.left, result.notes, result.notes_back) == ({}, 0, 1)
        assert (editing.notes(ticket_id), editing.tags(ticket_id)) == (before, tags)
        assert set(result.tags_back) == tags - set(result.tags) - {"ai_triaged"} & set(result.tags_back)

    @pytest.mark.parametrize("alone", [False, True])
    def test_what_an_agent_wrote_into_it_stays(self, editing: Living, alone: bool) -> None:
        ticket_id, _, since = two_runs(editing)
        note = editing.box.notes(ticket_id)[0]
        words = note["html"] + "<p>I have called them. Ada</p>"
        editing.box.connector.update_note(ticket_id, str(note["id"]), words, editing.runs(ticket_id)[0].reference)
        result = undo(editing, ticket_id, since if alone else 0.0)
        assert list(result.left.values()) == [NOT_OUR_WORDS]
        assert "I have called them" in editing.notes(ticket_id)[0]


@pytest.mark.parametrize("step", ["after_note", "before_finish"])
def test_what_a_killed_attempt_has_written_goes_back_too(desk: Living, step: str) -> None:
    """The next attempt finds our own tags and values on the ticket: they are ours all the same."""
    ticket_id = desk.box.ticket()
    untouched = desk.box.shown(ticket_id)
    effects = desk.store.effects

    def end(here: str) -> None:
        if here == step:
            desk.checkpoint = lambda _: None
            raise Killed

    desk.checkpoint = end
    confirm = effects.confirm
    if step == "before_finish":
        # Nothing of what the helpdesk took was recorded.
        effects.confirm = lambda *_, **__: None  # type: ignore[method-assign]
    desk.arrive(ticket_id, "created")
    with pytest.raises(Killed):
        desk.work()
    effects.confirm = confirm  # type: ignore[method-assign]
    release(desk, ticket_id)
    desk.work()
    assert desk.box.shown(ticket_id)["priority"] != untouched["priority"]
    assert undo(desk, ticket_id).left == {}
    shown = desk.box.shown(ticket_id)
    assert [shown[name] for name in ("priority", "group", "tags")] == [
        untouched[name] for name in ("priority", "group", "tags")
    ]


def release(desk: Living, ticket_id: str) -> None:
    """As if the killed worker's lease had run out."""
    (run,) = desk.runs(ticket_id)
    desk.store.runs.save(run, lease_until=1.0)


def test_what_the_helpdesk_refuses_is_tried_again(desk: Living, monkeypatch: pytest.MonkeyPatch) -> None:
    ticket_id = desk.born()
    connector = desk.box.connector

    def refuse(*_: object) -> None:
        raise Forbidden("this credential may not change tags")

    with monkeypatch.context() as patched:
        patched.setattr(connector, "remove_tags", refuse)
        result = undo(desk, ticket_id)
    assert result.refused
    assert result.left == {"tags": "this credential may not change tags"}
    # Left alone although not all of it is undone.
    desk.says(ticket_id)
    desk.poke(ticket_id, "message:1")
    assert {one.reason for one in desk.store.deliveries.recent(1)} == {TAKEN_BACK}
    assert undo(desk, ticket_id).left == {}
    assert not [tag for tag in desk.tags(ticket_id) if tag.startswith("ai_")]
    withdrawn = [one for one in desk.notes(ticket_id) if "Withdrawn by your team" in one]
    assert len(withdrawn) == 1


def test_an_undone_ticket_still_does_what_a_person_asks_for(desk: Living) -> None:
    """Also where the undo came between two attempts of the first run."""
    ticket_id = desk.box.ticket()
    desk.arrive(ticket_id, "created")
    desk.checkpoint = lambda step: (_ for _ in ()).throw(HeldError("stopped", 5.0)) if step == "before_finish" else None
    with pytest.raises(AssertionError, match="still open"):
        desk.work(1)
    desk.checkpoint = lambda _: None
    undo(desk, ticket_id)
    desk.work()
    assert [run.state for run in desk.runs(ticket_id)] == [SKIPPED]
    desk.box.act(ticket_id, tags_add=["ai_please"])
    desk.ask(ticket_id)
    assert desk.later(ticket_id) == [("asked:tag", DONE)]


def test_a_desk_that_refuses_us_is_asked_once_and_others_go_on(store: Store) -> None:
    for desk, number in (("acme", "1"), ("acme", "2"), ("globex", "3")):
        run, _ = store.runs.claim(desk, number, "created", owner="o", now=1.0, lease_until=2.0)
        effect = store.effects.plan(run.id, "tags", {"tags": ["ai_x"]}, 1.0)
        store.effects.confirm(effect, 1.0, before={"tags": []}, after={"tags": ["ai_x"]})

    class Locked(FakeConnector):
        looks = 0

        def look(self, ticket_id: str) -> Ticket:
            self.looks += 1
            raise DeskLocked("the credential is refused")

    locked, fine = Locked("acme"), FakeConnector("globex")
    fine.add("3", tags=("ai_x",))
    after: tuple[str, str] | None = ("", "")
    found: list[Result] = []
    while after is not None:
        batch = undo_some(Choice(), store, {"acme": locked, "globex": fine}.__getitem__, WHO, after)
        found, after = found + batch.results, batch.after
    assert [(one.ticket_id, bool(one.left)) for one in found] == [("1", True), ("3", False)]
    assert locked.looks == 1


class TestSla:
    def late(self, store: Store) -> Bench:
        bench = Bench(store)
        bench.add(300, priority=None, tags=("vip",))
        bench.due()
        return bench

    def undo(self, bench: Bench) -> Result:
        return undo_ticket("acme", "7", Choice("acme", "7"), bench.store, bench.desk, WHO)

    def test_note_tags_and_escalation_go_back_and_nothing_follows(self, store: Store) -> None:
        bench = self.late(store)
        bench.step = "sla_after_tags"
        with pytest.raises(Killed):
            bench.sweep()
        bench.due()
        bench.sweep()
        shown = bench.desk.tickets["7"]
        assert shown.ticket.priority == "urgent"
        assert "ai_sla_breached" in shown.ticket.tags
        result = self.undo(bench)
        assert result.left == {}
        assert (shown.ticket.priority, shown.ticket.tags) == (None, ("vip",))
        assert "Withdrawn" in bench.notes()[-1] or "disregard" in bench.notes()[-1]
        assert store.undone.is_undone("acme", "7")
        said = len(bench.notes())
        bench.answer()
        bench.due()
        bench.sweep()
        assert len(bench.notes()) == said
        assert {state for stage, kind, state in bench.acts() if stage == "ok" and kind != "message"} <= {DROPPED}
        assert bench.tags() == ("vip",)

    def test_a_stop_before_the_escalation_leaves_no_trace_of_it(self, sqlite_store: Store) -> None:
        bench = self.late(sqlite_store)
        bench.desk.fail("set_fields", HeldError("stopped", 5.0))
        bench.sweep()
        watch = sqlite_store.clocks.watch("acme", "7")
        assert watch and not (watch.escalated or {}).get("priority")
        assert ("breached", "fields", "sent") in bench.acts()
        bench.due()
        bench.sweep()
        assert ("breached", "fields", CONFIRMED) in bench.acts()
        assert all(act.attempts <= 1 for act in sqlite_store.acts.of_ticket("acme", "7"))
