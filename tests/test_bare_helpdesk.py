"""A helpdesk that lacks or forbids a part: the note comes without it, and nobody sees an error."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
import requests
from test_connector_sandbox import AUTH, CREDENTIALS, Box
from test_hostile import classifier_at

from connectors.base import Connector
from sandbox.config import SandboxConfig
from sandbox.testing import Running, running
from triage.classify import shared_encoder
from triage.settings import Desk, Settings
from triage.sources import ARTICLE, Sources
from triage.store import Store
from triage.store.deliveries import DONE, RECEIVED
from triage.store.marks import DESK_LOCKED
from triage.store.runs import DONE as RUN_DONE
from triage.ticket import Ticket
from workers.deliver import deliver
from workers.knowledge import Room, sync
from workers.leases import Leases
from workers.lookup import Lookup
from workers.tools import Tools

ERRORS = re.compile(r"\b(?:40[0-9]|[Ff]orbidden|[Ee]rrors?|[Rr]efused|not available|None|null|nan|access_denied)\b")
FORBIDDEN = {
    "zendesk": {"error": {"title": "Forbidden", "message": "You do not have access to this page."}},
    "freshdesk": {"code": "access_denied", "message": "You are not authorized to perform this action."},
}
NO_FEATURE = {
    "zendesk": {"error": "RecordNotFound", "description": "Not found"},
    "freshdesk": {"code": "require_feature", "message": "The SLA feature(s) is/are not supported in your plan."},
}


@dataclass(frozen=True)
class Lack:
    """One part a helpdesk does without: paths that answer `status`, or how the sandbox is set up."""

    name: str
    vendor: str
    paths: tuple[str, ...] = ()
    status: int = 403
    config: dict[str, Any] = field(default_factory=dict)
    sample: dict[str, Any] = field(default_factory=dict)
    gone: str = ""
    """What the note of a complete helpdesk says and this one's must not."""
    knowledge: bool = False
    """Read the help centre first."""


ARTICLE_TITLE = "Add or remove seats"
ORGANIZATION = {"organization": {"name": "Kiosk Ltd", "tier": "gold", "plan": "pro", "mrr": 90}}
LACKS = (
    Lack(
        "help centre forbidden",
        "zendesk",
        ("/help_center/",),
        config={"zendesk_help_center": "forbidden"},
        gone=ARTICLE_TITLE,
        knowledge=True,
    ),
    Lack("help centre absent", "zendesk", config={"zendesk_help_center": "absent"}, gone=ARTICLE_TITLE, knowledge=True),
    Lack("no organization", "zendesk", sample={"organization": None}, gone="Kiosk Ltd"),
    Lack("organizations forbidden", "zendesk", (r"/organizations",)),
    Lack("users forbidden", "zendesk", (r"/users/\d+\.json", r"/users/\d+/(?!tickets)")),
    Lack("history forbidden", "zendesk", (r"/tickets/requested",), gone="other ticket"),
    Lack("history absent", "zendesk", (r"/tickets/requested",), 404, gone="other ticket"),
    Lack("no SLA plan", "zendesk", (r"/slas/",), 404),
    Lack("SLA forbidden", "zendesk", (r"/slas/",)),
    Lack("ratings forbidden", "zendesk", (r"satisfaction", r"survey")),
    Lack("groups forbidden", "zendesk", (r"/groups",)),
    Lack("an agent who may do little", "zendesk", config={"zendesk_role": "agent"}),
    Lack(
        "everything at once",
        "zendesk",
        (r"/tickets/requested", r"/slas/", r"/help_center/", r"/groups", r"/organizations", r"satisfaction"),
        knowledge=True,
    ),
    Lack(
        "solutions forbidden",
        "freshdesk",
        (r"/solutions",),
        config={"freshdesk_solutions": "forbidden"},
        gone=ARTICLE_TITLE,
        knowledge=True,
    ),
    Lack("solutions absent", "freshdesk", config={"freshdesk_solutions": "absent"}, gone=ARTICLE_TITLE, knowledge=True),
    Lack("no company", "freshdesk", sample={"organization": None}, gone="Kiosk Ltd"),
    Lack("companies forbidden", "freshdesk", (r"/companies",), gone="gold"),
    Lack("companies absent", "freshdesk", (r"/companies",), 404, gone="gold"),
    Lack("contacts forbidden", "freshdesk", (r"/contacts",), sample={"organization": None}),
    Lack("history forbidden", "freshdesk", (r"/tickets$",), gone="other ticket"),
    Lack("no SLA plan", "freshdesk", config={"freshdesk_slas": False}),
    Lack("SLA forbidden", "freshdesk", (r"/sla_policies", r"/business_hours")),
    Lack("ratings forbidden", "freshdesk", (r"satisfaction_ratings", r"/surveys")),
    Lack("groups forbidden", "freshdesk", (r"/groups",)),
    Lack(
        "everything at once",
        "freshdesk",
        (r"/companies", r"/contacts", r"/tickets$", r"/solutions", r"/groups", r"satisfaction", r"/sla_policies"),
        knowledge=True,
    ),
)


@pytest.fixture(scope="module")
def sandboxes() -> Iterator[dict[str, Running]]:
    """Return one sandbox for each set-up that a lack asks for."""
    opened: dict[str, Any] = {}
    running_ones: dict[str, Running] = {}
    for lack in LACKS:
        key = str(lack.config)
        if key not in running_ones:
            opened[key] = running(SandboxConfig(**CREDENTIALS, **lack.config))
            running_ones[key] = opened[key].__enter__()
    yield running_ones
    for one in opened.values():
        one.__exit__(None, None, None)


def knowledge_of(connector: Connector, store: Store, settings: Settings) -> Callable[[Ticket], Sources]:
    """Return what finds articles, after the help centre was read as beat does it."""
    room = Room("desk", settings.desks["desk"], connector, store, shared_encoder())
    while not sync(room, ARTICLE):
        pass
    return partial(Lookup(store, lambda: settings, room.encoder).find, "desk")


def triaged(box: Box, store: Store, lack: Lack, monkeypatch: pytest.MonkeyPatch) -> tuple[str, Any, Any]:
    """Deliver one ticket as a worker does; return its note, run and delivery."""
    monkeypatch.setattr("workers.deliver.FIRST_PAUSE_SECONDS", 0.0)
    desk = Desk.model_validate(
        {
            "platform": box.vendor, "url": box.settings.url, "auth": AUTH[box.vendor],
            "webhook_secrets": ["s" * 20], "mode": "write",
        }
    )  # fmt: skip
    settings = Settings(desks={"desk": desk})
    sample = {
        "subject": "Three more seats please",
        "body": "Could you add three more seats to our workspace from next month?",
        "requester": {"name": "Ada Example", "email": f"ada{time.time()}@customer.example"},
        "earlier": [{"subject": "Import", "days_ago": 2}], **ORGANIZATION, **lack.sample,
    }  # fmt: skip
    ticket_id = box.ticket(**sample)
    received = store.deliveries.receive(
        "desk", f"event:{ticket_id}", ticket_id=ticket_id, event="created", body=b"", now=time.time(), state=RECEIVED
    )
    connector = box.connect()
    classifier = classifier_at("")
    find = knowledge_of(connector, store, settings) if lack.knowledge else (lambda _: Sources())
    deliver(received.id, store, Leases(store), lambda _: Tools(connector, classifier, store, settings, desk, find=find))
    (note,) = box.notes(ticket_id)
    return note["html"], store.runs.of_ticket("desk", ticket_id), store.deliveries.get(received.id)


@pytest.mark.parametrize("lack", LACKS, ids=lambda lack: f"{lack.vendor}: {lack.name}")
def test_the_note_comes_without_it(
    lack: Lack, sandboxes: dict[str, Running], sqlite_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = Box(sandboxes[str(lack.config)], lack.vendor)
    body = FORBIDDEN[lack.vendor] if lack.status == 403 else NO_FEATURE[lack.vendor]
    faults = [
        {"match": {"method": "GET", "path": path}, "do": {"status": lack.status, "body": body}, "times": None}
        for path in lack.paths
    ]
    requests.post(f"{box.url}/faults", json=faults, timeout=10).raise_for_status()
    try:
        note, run, delivery = triaged(box, sqlite_store, lack, monkeypatch)
    finally:
        requests.delete(f"{box.url}/faults", timeout=10)
    assert "Tandem · ref" in note
    assert not ERRORS.search(note), note
    if lack.gone:
        assert lack.gone not in note
    assert (run.state, delivery.state, delivery.attempts) == (RUN_DONE, DONE, 1)
    assert sqlite_store.alarms.raised_at("desk", DESK_LOCKED) is None
    assert sqlite_store.alarms.recent() == []


@pytest.mark.parametrize("vendor", ["zendesk", "freshdesk"])
def test_a_complete_helpdesk_has_it_all(
    vendor: str, sandboxes: dict[str, Running], sqlite_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the others lack is there where nothing is missing: else the tests above would prove nothing."""
    lack = Lack("nothing", vendor, knowledge=True)
    note, _, _ = triaged(Box(sandboxes["{}"], vendor), sqlite_store, lack, monkeypatch)
    for said in ("Kiosk Ltd", "gold", "other ticket", "SLA", ARTICLE_TITLE):
        assert said in note
