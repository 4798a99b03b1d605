"""Modes, pauses and the stop: what people switch while everything runs."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import responses
from click.testing import CliRunner, Result

from commands.mode import command
from connectors import open_connector
from connectors.base import Fields
from connectors.budget import Budget
from tests.desks import SETTINGS, VARIABLES
from triage.controlled import effective, held_desks, laid_over
from triage.errors import Stop
from triage.live import HeldError, Live
from triage.settings import Desk, Mode, Settings
from triage.store import Store, open_store
from triage.store.controls import Control
from triage.store.deliveries import CLOCK, QUEUED, RECEIVED
from triage.store.migrate import migrate
from triage.switching import Switcher
from triage.ticket import Ticket
from workers.sweep import requeue

NOW = 1_800_000_000.0


@pytest.fixture
def desk(settings: Settings) -> Desk:
    return settings.desks["acme"].model_copy(
        update={"fields": {"churn_risk": Mode.WATCH, "priority": Mode.WRITE}, "teams": {"security": Mode.WRITE}}
    )


class TestEffective:
    def test_without_switches_it_is_the_files_own_desk(self, desk: Desk) -> None:
        assert effective(desk, {}) is desk
        assert effective(desk, {"paused": "yes"}) is desk

    def test_a_desks_mode_is_a_ceiling_for_what_the_file_allows_elsewhere(self, desk: Desk) -> None:
        switched = effective(desk, {"mode": "note"})
        assert switched.mode is Mode.NOTE
        assert switched.fields == {"churn_risk": Mode.WATCH, "priority": Mode.NOTE}
        assert switched.teams == {"security": Mode.NOTE}
        assert switched.mode_for("priority", "security") is Mode.NOTE

    def test_a_fields_mode_stands_for_itself(self, desk: Desk) -> None:
        switched = effective(desk, {"mode": "watch", "mode:churn_risk": "write"})
        assert switched.mode_for("churn_risk", "billing") is Mode.WRITE
        assert switched.mode_for("sentiment", "billing") is Mode.WATCH

    @pytest.mark.parametrize("own", [{"mode": "everything"}, {"mode:colour": "tag"}, {"other": "tag"}])
    def test_what_another_version_has_left_behind_is_passed_over(self, desk: Desk, own: dict[str, str]) -> None:
        assert effective(desk, own) is desk

    def test_nothing_switched_leaves_the_very_settings(self, settings: Settings) -> None:
        assert laid_over(settings, {"gone": {"mode": "off"}}) is settings
        switched = laid_over(settings, {"acme": {"mode": "off"}})
        assert switched.desks["acme"].mode is Mode.OFF
        assert switched.desks["globex"] is settings.desks["globex"]
        assert switched.policy_version() != settings.policy_version()

    def test_held(self) -> None:
        assert held_desks({"acme": {"paused": "yes", "mode": "tag"}, "globex": {"mode": "off"}}) == {"acme"}
        assert held_desks({"*": {"stopped": "yes"}}) == {"*"}


class TestSwitcher:
    def test_it_says_what_changes_and_writes_it_down(self, store: Store, settings: Settings) -> None:
        switcher = Switcher(store, settings, "console:ada")
        assert "goes from tag to write" in switcher.say_mode("acme", Mode.WRITE)
        assert store.controls.all() == {}  # saying is not doing
        assert "acme goes from tag to write" in switcher.mode("acme", Mode.WRITE, NOW)
        assert "churn_risk goes from write to watch" in switcher.mode("acme", Mode.WATCH, NOW, "churn_risk")
        assert store.controls.all() == {"acme": {"mode": "write", "mode:churn_risk": "watch"}}
        assert store.controls.of("acme")[0] == Control("acme", "mode", "write", "console:ada", NOW)
        # The whole desk is what was said last.
        said = switcher.mode("acme", Mode.NOTE, NOW + 1)
        assert "acme goes from write to note" in said
        assert "churn_risk goes from watch to note" in said
        assert store.controls.all() == {"acme": {"mode": "note"}}
        assert "goes from note to tag" in switcher.mode("acme", None, NOW + 2)
        assert store.controls.all() == {}
        entries = store.audit.recent(10)
        assert [entry.action for entry in entries] == ["mode"] * 4
        assert {entry.actor for entry in entries} == {"console:ada"}
        assert entries[1].detail == {
            "before": {"mode": "write", "churn_risk": "watch"},
            "after": {"mode": "note"},
        }

    def test_a_fields_mode_can_be_taken_back_alone(self, sqlite_store: Store, settings: Settings) -> None:
        switcher = Switcher(sqlite_store, settings, "console:ada")
        switcher.mode("acme", Mode.NOTE, NOW)
        switcher.mode("acme", Mode.WRITE, NOW, "priority")
        assert "priority goes from write to note" in switcher.mode("acme", None, NOW, "priority")
        assert sqlite_store.controls.all() == {"acme": {"mode": "note"}}

    def test_what_changes_nothing_is_said_so(self, sqlite_store: Store, settings: Settings) -> None:
        assert Switcher(sqlite_store, settings, "x").mode("acme", Mode.TAG, NOW).startswith("Nothing changes")

    def test_what_does_not_exist_is_refused(self, sqlite_store: Store, settings: Settings) -> None:
        switcher = Switcher(sqlite_store, settings, "x")
        with pytest.raises(Stop, match="no such desk: nope"):
            switcher.mode("nope", Mode.TAG, NOW)
        with pytest.raises(Stop, match="no such field: colour"):
            switcher.mode("acme", Mode.TAG, NOW, "colour")
        with pytest.raises(Stop, match="no such desk"):
            switcher.pause("nope", NOW)
        assert sqlite_store.controls.all() == {}

    def test_pause_and_stop_know_of_each_other(self, store: Store, settings: Settings) -> None:
        switcher, live = Switcher(store, settings, "command:ada"), Live(settings, store)
        live.check("acme")
        switcher.pause("acme", NOW)
        with pytest.raises(HeldError, match=r"paused \(by command:ada\).*mode --resume acme"):
            live.check("acme")
        live.check("globex")
        switcher.stop(NOW)
        with pytest.raises(HeldError, match="stopped for every desk"):
            live.check("globex")
        assert "acme stay paused" in switcher.go(NOW)
        live.check("globex")
        with pytest.raises(HeldError):
            live.check("acme")
        switcher.resume("acme", NOW)
        live.check("acme")
        assert [one.action for one in store.audit.recent(9)] == ["resume", "go", "stop", "pause"]


def test_a_switch_counts_within_seconds(sqlite_store: Store, settings: Settings) -> None:
    live = Live(settings, sqlite_store)
    assert live.settings() is live.settings() is settings
    sqlite_store.controls.set("acme", "mode", "off", "x", NOW)
    end = time.monotonic() + 5
    while live.settings().desks["acme"].mode is not Mode.OFF:
        assert time.monotonic() < end
        time.sleep(0.1)
    assert live.settings() is live.settings()


def test_settings_stand_while_the_database_is_away(settings: Settings, tmp_path: Path) -> None:
    away = open_store(f"sqlite:///{tmp_path}/empty.db")
    assert Live(settings, away).settings() is settings


class TestTheQueueWaits:
    def test_held_deliveries_stay_and_come_back_in_order(self, store: Store) -> None:
        kept = [
            store.deliveries.receive(desk, f"k{n}", ticket_id=str(n), event="e", body=b"", now=NOW + n).id
            for n, desk in enumerate(("acme", "globex", "acme"))
        ]
        clock = store.deliveries.receive("acme", "c", ticket_id="1", event="e", body=b"", now=NOW, occasion=CLOCK).id
        sent: list[int] = []

        def send(delivery_id: int) -> bool:
            sent.append(delivery_id)
            return True

        # What is about clocks only writes nothing at the helpdesk, and must not miss a pause of the ticket.
        requeue(store, send, NOW + 60, {"*"})
        assert sent == [clock]
        requeue(store, send, NOW + 60, {"acme"})
        assert sent == [clock, kept[1]]
        assert [store.deliveries.get(one).state for one in kept] == [RECEIVED, QUEUED, RECEIVED]  # type: ignore[union-attr]
        requeue(store, send, NOW + 61)
        assert sent[2:] == [kept[0], kept[2]]


@responses.activate
@pytest.mark.parametrize("name", ["acme", "globex"])
def test_nothing_leaves_while_writing_is_stopped(
    name: str, sqlite_store: Store, settings: Settings, redis_url: str
) -> None:
    """The guard stands at the door of the API, so no way of writing can forget it."""
    live = Live(settings, sqlite_store)
    made = open_connector(
        name, settings.desks[name], Budget(redis_url, f"held-{name}", 200), guard=lambda: live.check(name)
    )
    sqlite_store.controls.set("*", "stopped", "yes", "x", NOW)
    ticket = Ticket(desk=name, id="7", tags=("ai_triaged",))
    if name == "acme":
        with pytest.raises(HeldError):
            made.add_tags(ticket, ("ai_escalate",))
    else:
        with pytest.raises(HeldError):
            made.update_note("7", "8", "<p>TDM-X</p>", "TDM-X")
    with pytest.raises(HeldError):
        made.post(ticket, "<p>TDM-X</p>", "TDM-X", Fields())
    assert not responses.calls


class TestCommand:
    @pytest.fixture(autouse=True)
    def _here(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.file = tmp_path / "tandem.yaml"
        self.file.write_text(SETTINGS)
        url = f"sqlite:///{tmp_path}/t.db"
        for key, value in {"TANDEM_CONFIG": str(self.file), "DATABASE_URL": url, **VARIABLES}.items():
            monkeypatch.setenv(key, value)
        self.store = open_store(url)
        migrate(self.store.engine)

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(command, arguments)

    def test_show_switch_and_take_back(self) -> None:
        assert "acme                 tag" in self.run().output
        assert "acme goes from tag to write" in self.run("acme", "write").output
        assert "priority goes from write to note" in self.run("acme", "note", "--field", "priority").output
        shown = json.loads(self.run("--json").output)
        assert shown["desks"]["acme"]["mode"] == "write"
        assert shown["desks"]["acme"]["fields"] == {"priority": "note"}
        assert shown["desks"]["acme"]["file_mode"] == "tag"
        assert "switched: mode write (the file says tag), by command:" in self.run("acme").output
        assert "globex" not in self.run("acme").output
        assert self.run("acme", "--reset").exit_code == 0
        assert self.store.controls.all() == {}
        assert all(len(line) <= 80 for line in self.run("acme", "write").output.splitlines())

    def test_pause_resume_stop_go(self) -> None:
        assert "acme is paused" in self.run("--pause", "acme").output
        assert "PAUSED" in self.run().output
        assert "next write" in self.run("--stop").output
        assert "ALL WRITING IS STOPPED" in self.run().output
        assert "nothing happens before that is lifted" in " ".join(self.run("--resume", "acme").output.split())
        assert self.run("--go").exit_code == 0
        assert self.store.controls.all() == {}

    def test_the_stop_works_with_a_broken_file(self) -> None:
        self.file.write_text("desks: [")
        assert self.run("acme", "off").exit_code != 0
        assert self.run("--stop").exit_code == 0
        assert self.store.controls.all() == {"*": {"stopped": "yes"}}
        assert self.run("--go").exit_code == 0

    @pytest.mark.parametrize(
        "arguments",
        [("--stop", "--go"), ("acme", "tag", "--reset"), ("acme", "--stop"), ("--field", "priority"), ("acme", "most")],
    )
    def test_what_makes_no_sense_is_refused(self, arguments: tuple[str, ...]) -> None:
        assert self.run(*arguments).exit_code == 2
        assert self.store.controls.all() == {}
