"""Replay: one, all dead, or those of a time; counted first where there are many."""

from __future__ import annotations

import json
import time

import pytest
from click.testing import CliRunner, Result

from commands import replay as module
from commands.replay import command
from triage.store import Store
from triage.store.deliveries import DEAD, DONE, RECEIVED
from workers.health import State, switches


class Silent:
    """A broker that takes nothing: the sweep sends what is due."""

    def send(self, _: int) -> bool:
        return False


@pytest.fixture(autouse=True)
def _here(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", store.engine.url.render_as_string(hide_password=False))
    monkeypatch.setattr(module, "Wakeup", Silent)


def add(store: Store, state: str, hours: float, desk: str = "acme") -> int:
    at = time.time() - hours * 3600
    one = store.deliveries.receive(desk, f"{desk}{hours}{state}", ticket_id="7", event="e", body=b"", now=at)
    store.deliveries.finish(one.id, state, at)
    return one.id


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments)


def state(store: Store, number: int) -> str:
    found = store.deliveries.get(number)
    assert found
    return found.state


def test_those_of_a_time(store: Store) -> None:
    old, dead, done = add(store, DEAD, 9), add(store, DEAD, 3), add(store, DONE, 2)
    other = add(store, DEAD, 1, "globex")
    assert json.loads(run("--since", "6h", "--dry-run", "--json").output) == {"dry_run": True, "chosen": 3, "sent": []}
    assert "1 of 1" in run("--since", "6h", "--state", "dead", "--desk", "acme").output
    assert [state(store, one) for one in (old, dead, done, other)] == [DEAD, RECEIVED, DONE, DEAD]
    assert "0 of 0" in run("--since", "6h", "--until", "3h", "--state", "dead").output  # once more finds nothing
    assert "2 of 2" in run("--since", "150m").output
    assert [one.action for one in store.audit.recent(9)] == ["replay", "replay"]


def test_a_named_one_that_cannot_be_sent_is_told_by_the_exit_code(store: Store) -> None:
    dead = add(store, DEAD, 3)
    assert run(str(dead)).exit_code == 0
    again = run(str(dead), "99")
    assert again.exit_code == 1
    assert f"left alone (unknown, still open, ignored or unreadable): {dead}, 99" in " ".join(again.output.split())


def test_many_are_counted_first(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MANY", 1)
    first, second = add(store, DEAD, 2), add(store, DEAD, 1)
    assert "2 deliveries would be sent" in run("--dead").output
    assert state(store, first) == DEAD
    assert "2 of 2" in run("--dead", "--yes").output
    assert state(store, second) == RECEIVED


@pytest.mark.parametrize("arguments", [(), ("--dead", "7"), ("--dead", "--since", "2h"), ("7", "--until", "2h")])
def test_what_makes_no_sense_is_refused(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2


def test_doctor_tells_what_is_held_up(store: Store) -> None:
    assert list(switches(store)) == []
    store.controls.set("*", "stopped", "yes", "x", 1.0)
    store.controls.set("acme", "paused", "yes", "x", 1.0)
    store.alarms.raise_("*", "settings_file", "tandem.yaml line 3: wrong", 1.0)
    assert [(one.state, one.text) for one in switches(store)] == [
        (State.WARNING, "stopped on every desk"),
        (State.WARNING, "desk acme is paused"),
        (State.BROKEN, "tandem.yaml line 3: wrong"),
    ]
