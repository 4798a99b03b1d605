"""Forgetting a person: nothing of them is left in any table, and the helpdesk's own records are found."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner, Result
from sqlalchemy import insert, select
from test_connector_recordings import VENDORS
from test_connector_sandbox import AUTH, CREDENTIALS, Box

from commands.forget import command
from commands.shared import person_mark
from sandbox.config import SandboxConfig
from sandbox.testing import running
from triage.sources import TICKET
from triage.store import Store
from triage.store.acts import MESSAGE
from triage.store.deliveries import QUEUED
from triage.store.forgetting import OF_RUN, OF_TICKET
from triage.store.knowledge import NewDocument, NewPassage
from triage.store.marks import FORGOTTEN
from triage.store.runs import DEAD, DONE
from triage.store.tables import (
    acts,
    alarms,
    answered,
    backtest_tickets,
    backtests,
    clocks,
    customer_tickets,
    customers,
    deliveries,
    effects,
    exchanges,
    feedback,
    metadata,
    outcomes,
    questions,
    runs,
    watches,
)
from workers.forgetting import UNDER_WAY, forget_ticket

EMAIL = "grace.o'hopper+x@customer.example"
NOW = 1_800_000_000.0


def fill(store: Store, desk: str, ticket_id: str, said: str) -> int:
    """Put something into every table that can hold something of a ticket."""
    received = store.deliveries.receive(
        desk, f"k{ticket_id}", ticket_id=ticket_id, event="e", body=json.dumps({"a": said}).encode(), now=NOW
    )
    run, _ = store.runs.claim(desk, ticket_id, "created", owner="o", now=NOW, lease_until=NOW)
    store.runs.save(run, classification={"quote": said}, decision={"x": said}, draft={"text": said}, sources={"a": []})
    store.runs.finish(run, DONE, NOW)
    store.effects.plan(run.id, "note", {"custom": {"9": said}}, NOW)
    both: dict[str, Any] = {"desk": desk, "ticket_id": ticket_id}
    rows: list[tuple[Any, dict[str, Any]]] = [
        (outcomes, {"run_id": run.id, "field": "priority", "ours": "a", "theirs": "b", "agreed": False, "written": True,
                    "probability": 0.5, "default_temperature": 1.0, "classifier": "c", "final": True,
                    "observed_at": NOW, **both}),
        (exchanges, {"run_id": run.id, "at": NOW, "purpose": "classify", "host": "h", "model": "m", "sent": said,
                     "answer": "a", "problem": "", "seconds": 1.0, "tokens_in": 1, "tokens_out": 1, "cost_usd": 0.0}),
        (questions, {"run_id": run.id, "text": said, "options": [], "state": "open", "answer": "", "answered_by": "",
                     "created_at": NOW, **both}),
        (feedback, {"run_id": run.id, "voter": "v", "about": "triage", "label": "", "verdict": "wrong", "reason": said,
                    "created_at": NOW, **both}),
        (answered, {"desk": desk, "requester": f"{desk}-{ticket_id}", "run_id": run.id, "at": NOW}),
        (customers, {"desk": desk, "requester_id": f"{desk}-{ticket_id}", "listed_at": NOW}),
        (customer_tickets, {"requester_id": f"{desk}-{ticket_id}", "subject": said, "status": "open", "tags": [],
                            "created_at": NOW, "updated_at": NOW, **both}),
        (alarms, {"kind": "sla_act", "text": said, "created_at": NOW, **both}),
        (watches, {"version": 1, "seen_at": NOW, "looked_at": NOW, "status": "open", "priority": "", "team": "",
                   "tier": "", "judged_priority": "", "judged_team": "", "held": {}, "stage": "ok", "episode": 0,
                   "note_id": "", "created_at": NOW, **both}),
        (clocks, {"metric": "resolution", "cycle": 0, "state": "running", "stage": "ok", "source": "policy",
                  "priority": "", "team": "", "tier": "", "calendar": "", "started_at": NOW, "target": 1.0,
                  "remaining": 1.0, "failures": 0, "reason": "", "updated_at": NOW, **both}),
        (acts, {"episode": 0, "stage": "ok", "kind": MESSAGE, "channel": "c", "state": "sent", "reference": "",
                "note_id": "", "before": {"x": said}, "attempts": 0, "reason": "", "created_at": NOW, **both}),
    ]  # fmt: skip
    with store.engine.begin() as connection:
        for table, values in rows:
            connection.execute(insert(table).values(values))
        backtest = {"desk": desk, "arguments": ticket_id, "serial": 1, "policy": "p", "state": "done", "since": NOW,
                    "until": NOW, "created_at": NOW}  # fmt: skip
        number = connection.execute(insert(backtests).values(backtest)).inserted_primary_key
        assert number
        connection.execute(
            insert(backtest_tickets).values(
                backtest_id=number[0], ticket_id=ticket_id, state="done", place=0.1, truth={}, seen=[]
            )
        )
    document = NewDocument(TICKET, ticket_id, ticket_id, "en", "Login", "/7", "1", "f", NOW)
    store.knowledge.put(desk, document, [NewPassage(0, said, "m", 1, b"1", 1.0, b"")], NOW)
    return received.id


def everything(store: Store) -> str:
    """Return all that stands in all tables, as text."""
    with store.engine.connect() as connection:
        return repr([connection.execute(select(table)).all() for table in metadata.sorted_tables])


def test_nothing_of_a_ticket_is_left_and_others_are_untouched(store: Store) -> None:
    delivery = fill(store, "acme", "7", EMAIL)
    fill(store, "acme", "8", "someone.else@customer.example")
    fill(store, "globex", "7", "third@customer.example")
    held = store.forgetting.held("acme", "7")
    named = {table.name for table in (*OF_RUN, *OF_TICKET)}
    assert set(held) == named | {"deliveries", "runs", "effects", "backtest_tickets", "knowledge_documents"}
    version, other = store.knowledge.version("acme"), store.forgetting.held("acme", "8")
    assert forget_ticket("acme", "7", store) == {}
    assert store.forgetting.held("acme", "7") == {}
    assert "hopper" not in everything(store)
    assert store.forgetting.held("acme", "8") == other
    assert "third@" in everything(store)
    assert store.knowledge.version("acme") != version  # each worker's index follows
    # The bare rows stay: the ticket is not triaged again, and what was open is over.
    run, is_ours = store.runs.claim("acme", "7", "created", owner="x", now=NOW + 9, lease_until=NOW + 99)
    assert (run.state, is_ours) == (DONE, False)
    row = store.deliveries.get(delivery)
    assert row and (row.state, row.due_at) == (DONE, None)
    assert forget_ticket("acme", "7", store) == {}  # once more does no harm


def test_bare_rows_go_too_where_that_is_wanted(store: Store) -> None:
    fill(store, "acme", "7", EMAIL)
    assert forget_ticket("acme", "7", store, with_ids=True) == {}
    with store.engine.connect() as connection:
        for table in (deliveries, runs, effects):
            assert connection.execute(select(table)).all() == []


def test_a_dead_run_is_not_taken_up_again(sqlite_store: Store) -> None:
    run, _ = sqlite_store.runs.claim("acme", "7", "created", owner="o", now=NOW, lease_until=NOW + 9)
    sqlite_store.runs.finish(run, DEAD, NOW, "the reason")
    forget_ticket("acme", "7", sqlite_store)
    _, is_ours = sqlite_store.runs.claim("acme", "7", "created", owner="x", now=NOW + 9, lease_until=NOW + 99)
    assert not is_ours


def test_a_ticket_at_which_a_worker_is_waits(sqlite_store: Store) -> None:
    now = time.time()
    run, _ = sqlite_store.runs.claim("acme", "7", "created", owner="o", now=now, lease_until=now + 30)
    sqlite_store.runs.save(run, classification={"quote": EMAIL})
    assert forget_ticket("acme", "7", sqlite_store) == {"runs": UNDER_WAY}
    assert sqlite_store.forgetting.held("acme", "7") == {"runs": 1}


@pytest.mark.parametrize("address", [EMAIL, "Jürgen_Müller%@customer.example"])
def test_the_tables_are_searched_for_the_address(store: Store, address: str) -> None:
    for number, table in enumerate(("bodies", "classification", "passages", "intent")):
        key = str(number)
        if table == "bodies":
            body = json.dumps({"e": address.upper()}).encode()
            store.deliveries.receive("acme", key, ticket_id=key, event="", body=body, now=NOW)
        elif table == "passages":
            document = NewDocument(TICKET, key, key, "en", "Hi", "/7", "1", "f", NOW)
            store.knowledge.put("acme", document, [NewPassage(0, f"to {address}", "m", 1, b"1", 1.0, b"")], NOW)
        else:
            run, _ = store.runs.claim("acme", key, "created", owner="o", now=NOW, lease_until=NOW)
            if table == "classification":
                store.runs.save(run, classification={"quote": f"I am {address}."})
            else:
                store.effects.plan(run.id, "note", {"custom": {"1": address}}, NOW)
    fill(store, "globex", "9", address.replace("customer", "costumer"))
    fill(store, "globex", "8", address)
    assert store.forgetting.naming(address) == {("acme", str(n)) for n in range(4)} | {("globex", "8")}
    assert store.forgetting.naming(address, "globex") == {("globex", "8")}


def test_every_table_that_names_a_ticket_is_dealt_with() -> None:
    """A new table with a ticket's or a run's id must be forgotten too."""
    named = {table.name for table in metadata.sorted_tables if {"ticket_id", "run_id"} & set(table.columns.keys())}
    known = {table.name for table in (*OF_RUN, *OF_TICKET)}
    assert named == known | {"deliveries", "runs", "effects", "backtest_tickets"}


class TestCommand:
    """Against both sandbox helpdesks."""

    @pytest.fixture(autouse=True)
    def _here(self, box: Box, sqlite_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.box, self.store = box, sqlite_store
        desk = f"platform: {box.vendor}, url: '{box.settings.url}', auth: {json.dumps(AUTH[box.vendor])}"
        (tmp_path / "t.yaml").write_text(f"desks: {{desk: {{{desk}, webhook_secrets: [{'s' * 20}]}}}}")
        monkeypatch.setenv("TANDEM_CONFIG", str(tmp_path / "t.yaml"))
        monkeypatch.setenv("DATABASE_URL", sqlite_store.engine.url.render_as_string())
        monkeypatch.setenv("REDIS_URL", "")

    @pytest.fixture(params=VENDORS)
    def box(self, request: pytest.FixtureRequest) -> Iterator[Box]:
        with running(SandboxConfig(**CREDENTIALS)) as sandbox:
            yield Box(sandbox, request.param)

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(command, arguments)

    def ticket(self, email: str) -> str:
        return self.box.ticket(requester={"name": "Grace", "email": email}, age_minutes=60 * 24 * 90)

    def test_tickets_are_found_at_the_helpdesk_and_in_our_tables(self) -> None:
        mine, other = self.ticket("grace@customer.example"), self.ticket("xgrace@customer.example")
        fill(self.store, "desk", mine, "nothing that names her")
        fill(self.store, "desk", other, "not hers")
        fill(self.store, "desk", "999", "cc: Grace@Customer.example")
        shown = self.run("--requester", "grace@customer.example")
        assert shown.exit_code == 0, shown.output
        assert "2 tickets found, 2 of which" in shown.output
        assert "Dry run: nothing was deleted" in shown.output
        assert all(len(line) <= 80 for line in shown.output.splitlines())
        assert self.store.forgetting.held("desk", mine)
        done = self.run("--requester", "Grace@customer.example", "--yes")
        assert done.exit_code == 0, done.output
        assert "Looked again: nothing is left." in done.output
        assert "learn --desk desk" in " ".join(done.output.split())
        assert self.store.forgetting.held("desk", mine) == {}
        assert self.store.forgetting.held("desk", "999") == {}
        assert self.store.forgetting.held("desk", other)
        (entry,) = self.store.audit.recent(3)
        assert entry.action == "forget"
        assert entry.subject == f"requester {person_mark('grace@customer.example', '')}"
        assert "grace" not in repr(entry).lower()
        assert self.store.cursors.among("desk", [FORGOTTEN + mine, FORGOTTEN + other]) == {FORGOTTEN + mine}

    def test_somebody_nobody_knows(self) -> None:
        assert "0 tickets found" in self.run("--requester", "nobody@customer.example").output

    def test_a_helpdesk_that_does_not_answer_is_told(self) -> None:
        fill(self.store, "desk", "7", "grace@customer.example")
        fault = {"match": {"method": "GET"}, "do": {"status": 503}, "times": None}
        requests.post(f"{self.box.url}/faults", json=fault, timeout=10).raise_for_status()
        done = self.run("--requester", "grace@customer.example", "--yes", "--json")
        assert done.exit_code == 1
        answer = json.loads(done.output)
        assert (answer["tickets"], answer["left"]) == (["desk/7"], {})
        assert list(answer["unasked"]) == ["desk"]
        assert self.store.forgetting.held("desk", "7") == {}

    def test_by_ticket_where_the_helpdesk_has_deleted_the_person(self) -> None:
        fill(self.store, "desk", "7", "someone")
        fill(self.store, "gone", "8", "a desk that is no longer in the settings")
        assert self.run("--ticket", "desk/7", "--ticket", "gone/8", "--yes").exit_code == 0
        assert self.store.forgetting.held("desk", "7") == self.store.forgetting.held("gone", "8") == {}

    def test_a_desk_that_never_was_is_a_slip_and_no_success(self) -> None:
        assert "no such desk" in str(self.run("--ticket", "dekc/7", "--yes").exception)

    @pytest.mark.parametrize("arguments", [(), ("--yes",), ("--requester", "grace"), ("--ticket", "7")])
    def test_what_names_nobody_is_refused(self, arguments: tuple[str, ...]) -> None:
        assert self.run(*arguments).exit_code == 2


def test_an_open_delivery_is_closed(sqlite_store: Store) -> None:
    delivery = fill(sqlite_store, "acme", "7", EMAIL)
    sqlite_store.deliveries.mark_queued(delivery, NOW)
    before = sqlite_store.deliveries.get(delivery)
    assert before and before.state == QUEUED
    forget_ticket("acme", "7", sqlite_store)
    assert sqlite_store.deliveries.claim_due(NOW + 999, 9) == []
