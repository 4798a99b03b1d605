"""People who act while a later run thinks, or between two attempts of it: what they did goes before its thoughts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import requests
from living import ANGRY, Living
from sqlalchemy import text
from test_again import grumble, kill_once
from test_connector_recordings import VENDORS
from test_connector_sandbox import CREDENTIALS

from sandbox.config import SandboxConfig
from sandbox.testing import Running, running
from tests.fakes import Killed
from triage.settings import Settings
from triage.store import Store
from triage.store.runs import DONE, SKIPPED


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Running]:
    roomy = {"zendesk_limit": 100_000, "zendesk_update_limit": 100_000, "freshdesk_limit": 100_000}
    with running(SandboxConfig(**CREDENTIALS, **roomy)) as found:
        yield found


@pytest.fixture(params=VENDORS)
def living(request: pytest.FixtureRequest, sqlite_store: Store, settings: Settings, sandbox: Running) -> Living:
    return Living(sqlite_store, settings, sandbox, request.param)


@pytest.fixture
def freshdesk(sqlite_store: Store, settings: Settings, sandbox: Running) -> Living:
    """Return a desk whose helpdesk guards no write."""
    return Living(sqlite_store, settings, sandbox, "freshdesk")


def while_thinking(living: Living, act: Callable[[], object]) -> None:
    def once() -> None:
        living.classifier.meanwhile = lambda: None
        act()

    living.classifier.meanwhile = once


def test_a_reply_ends_the_run_where_no_write_is_guarded(freshdesk: Living) -> None:
    ticket_id = grumble(freshdesk)
    (before,) = freshdesk.notes(ticket_id)
    while_thinking(freshdesk, lambda: freshdesk.box.act(ticket_id, reply="I have it."))
    freshdesk.poke(ticket_id)
    assert freshdesk.later(ticket_id) == [("message", SKIPPED)]
    assert freshdesk.notes(ticket_id) == [before]


def test_what_an_agent_adds_to_the_note_is_not_written_over(freshdesk: Living, sandbox: Running) -> None:
    ticket_id = grumble(freshdesk)
    note = freshdesk.box.notes(ticket_id)[0]

    def edit() -> None:
        requests.put(
            f"{sandbox.freshdesk}/api/v2/conversations/{note['id']}",
            json={"body": note["html"] + "<p>Robin: I called her.</p>"},
            auth=(CREDENTIALS["freshdesk_api_key"], "X"),
            timeout=10,
        ).raise_for_status()

    while_thinking(freshdesk, edit)
    freshdesk.poke(ticket_id)
    first, second = freshdesk.notes(ticket_id)
    assert "Robin: I called her." in first
    assert "Priority P2 → P1" in second


@pytest.mark.parametrize("status", ["solved", "closed"])
def test_the_end_of_the_ticket_ends_the_run(freshdesk: Living, status: str) -> None:
    ticket_id = grumble(freshdesk)
    while_thinking(freshdesk, lambda: freshdesk.box.act(ticket_id, status=status))
    freshdesk.poke(ticket_id)
    assert freshdesk.later(ticket_id) == [("message", SKIPPED)]


def test_once_a_person_has_replied_only_requests_are_answered(living: Living) -> None:
    ticket_id = living.born()
    living.box.act(ticket_id, reply="Hello, I take this over.")
    living.box.act(ticket_id, note="@tandem shorter")
    living.poke(ticket_id)
    # The request was served after the reply: the ticket is that person's all the same.
    living.classifier.answers[0] = ANGRY
    living.says(ticket_id)
    living.poke(ticket_id)
    assert living.later(ticket_id) == [("asked", DONE)]


def test_a_draft_kept_by_an_attempt_answers_no_later_message(living: Living) -> None:
    ticket_id = grumble(living, ANGRY.model_copy(update={"tokens_in": 100, "tokens_out": 10, "cost_usd": 0.5}))
    living.checkpoint = kill_once("after_draft")
    with pytest.raises(Killed):
        living.poke(ticket_id)
    assert len(living.wishes) == 2
    living.says(ticket_id, "And now the second thing is broken as well!")
    # Killed once more with the new answer: the old draft may not come back.
    living.checkpoint = kill_once("after_classify")
    for _ in range(2):
        with living.store.engine.begin() as connection:
            connection.execute(text("UPDATE runs SET lease_until = 1 WHERE state = 'running'"))
        try:
            living.work()
        except Killed:
            continue
    assert living.later(ticket_id) == [("message", DONE)]
    assert len(living.wishes) == 3
    assert "draft 3" in living.notes(ticket_id)[-1]
    run = living.runs(ticket_id)[-1]
    # Both answers were paid for.
    assert (run.tokens_in, run.tokens_out, run.cost_usd) == (200, 20, 1.0)
