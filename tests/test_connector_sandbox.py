"""Both connectors against the sandbox helpdesk, judged by what the helpdesk then shows."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests
from test_connector_recordings import VENDORS

from connectors import open_connector
from connectors.base import Connector, Fields, Leak
from connectors.budget import Budget
from sandbox.config import SandboxConfig
from sandbox.testing import Running, running
from triage.errors import Conflict, Gone, UnknownOutcome, Wait
from triage.settings import Desk
from triage.ticket import Author, Ticket

CREDENTIALS = {
    "zendesk_client_id": "tandem",
    "zendesk_client_secret": "client-secret-of-the-bot",
    "freshdesk_api_key": "api-key-of-the-bot",
}
AUTH = {
    "zendesk": {"oauth": {"client_id": "tandem", "client_secret": "client-secret-of-the-bot"}},
    "freshdesk": {"api_key": "api-key-of-the-bot"},
}
NOTE_PATH = {"zendesk": ("PUT", r"/tickets/\d+(\.json)?$"), "freshdesk": ("POST", r"/notes$")}
REFERENCE = "TDM-0123456789"
NOTE = f"<p>Billing &amp; more</p><p>Tandem · ref {REFERENCE}</p>"


class Box:
    """One vendor's account of a running sandbox, as a person sees it."""

    def __init__(self, running: Running, vendor: str, redis_url: str = "") -> None:
        self.url = f"{running.url}/sandbox"
        self.vendor = vendor
        address = running.zendesk if vendor == "zendesk" else running.freshdesk
        self.settings = Desk.model_validate(
            {"platform": vendor, "url": address, "auth": AUTH[vendor], "webhook_secrets": ["s" * 20]}
        )
        self.redis_url = redis_url
        self.connector = self.connect()

    def connect(self) -> Connector:
        """Return another connector, as another worker has one."""
        return open_connector("desk", self.settings, Budget(self.redis_url, self.settings.url, 200))

    def ticket(self, **sample: Any) -> str:
        """Let a customer write and return the ticket's id."""
        sample = {"subject": "Help", "body": "I was charged twice.", "vendor": self.vendor, "silent": True} | sample
        return str(requests.post(f"{self.url}/tickets", json=sample, timeout=10).json()["id"])

    def act(self, ticket_id: str, **wanted: Any) -> None:
        """Let an agent do something."""
        requests.post(f"{self.url}/agent/{self.vendor}/{ticket_id}", json=wanted, timeout=10).raise_for_status()

    def fault(self, method: str, path: str, **do: Any) -> None:
        """Let one call go wrong."""
        fault = {"match": {"method": method, "path": path}, "do": do}
        requests.post(f"{self.url}/faults", json=fault, timeout=10).raise_for_status()

    def state(self) -> dict[str, Any]:
        """Return everything the helpdesk holds."""
        found: dict[str, Any] = requests.get(f"{self.url}/state", timeout=10).json()
        return found

    def shown(self, ticket_id: str) -> dict[str, Any]:
        """Return the ticket as the helpdesk shows it."""
        found: dict[str, Any] = next(one for one in self.state()[self.vendor] if str(one["id"]) == ticket_id)
        return found

    def notes(self, ticket_id: str) -> list[dict[str, Any]]:
        """Return what the bot wrote, after making sure that no customer could read any of it."""
        ours = [one for one in self.shown(ticket_id)["comments"] if one["author_role"] == "bot"]
        assert not [one for one in ours if one["public"]]
        return ours


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Running]:
    """Return one sandbox for all tests of this file."""
    with running(SandboxConfig(**CREDENTIALS)) as found:
        yield found


@pytest.fixture(params=VENDORS)
def box(request: pytest.FixtureRequest, sandbox: Running) -> Iterator[Box]:
    """Return each vendor's account, free of faults."""
    found = Box(sandbox, request.param)
    yield found
    requests.delete(f"{found.url}/faults", timeout=10)


@pytest.fixture
def ticket(box: Box) -> Ticket:
    """Return a new ticket as read."""
    return box.connector.read(box.ticket())


class TestLook:
    def test_names_group_and_when_the_status_changed(self, box: Box) -> None:
        ticket_id = box.ticket(age_minutes=90)
        box.act(ticket_id, group="Security", status="pending")
        found = box.connector.look(ticket_id)
        assert (found.group, str(found.status)) == ("Security", "pending")
        assert found.created_at and found.status_since
        assert 89 < (found.status_since - found.created_at).total_seconds() / 60 < 91

    def test_a_solved_ticket_is_shown(self, box: Box) -> None:
        ticket_id = box.ticket()
        box.act(ticket_id, reply="Done", status="solved")
        found = box.connector.look(ticket_id)
        assert str(found.status) == "solved"
        assert [one.author for one in found.messages if one.public] == [Author.CUSTOMER, Author.AGENT]
        box.act(ticket_id, status="closed")
        assert str(box.connector.look(ticket_id).status) == "closed"

    def test_a_deleted_one_is_gone(self, box: Box) -> None:
        ticket_id = box.ticket()
        box.act(ticket_id, deleted=True)
        with pytest.raises(Gone):
            box.connector.look(ticket_id)


class TestTakenBack:
    def test_tags_go_and_others_stay(self, box: Box) -> None:
        ticket_id = box.ticket(tags=["vip"])
        box.connector.add_tags(box.connector.look(ticket_id), ("ai_sla_at_risk",))
        box.connector.remove_tags(box.connector.look(ticket_id), ("ai_sla_at_risk", "ai_sla_breached"))
        assert box.shown(ticket_id)["tags"] == ["vip"]

    def test_a_note_is_replaced_where_that_can_be(self, box: Box) -> None:
        ticket_id = box.ticket()
        written = box.connector.post(box.connector.look(ticket_id), NOTE, REFERENCE, Fields())
        if box.connector.edits_notes:
            box.connector.update_note(ticket_id, written.note_id, NOTE.replace("Billing", "Later"), REFERENCE)
            [note] = box.notes(ticket_id)
            assert "Later" in note["html"]


class TestPast:
    def test_closed_tickets_come_as_they_began_with_what_is_known_of_the_customer(self, box: Box) -> None:
        company = {"name": "Fernhill", "tier": "gold", "plan": "pro", "mrr": 640.0}
        ids = [box.ticket(subject=f"Old {number}", organization=company) for number in range(3)]
        for ticket_id in ids:
            box.act(ticket_id, reply="Refunded.", group="Security", priority="high", tags_add=["vip"], status="closed")
        found = {past.ticket.id: past for past in box.connector.past([*ids, "999999999"])}
        assert set(found) == set(ids)
        past = found[ids[0]]
        assert (past.group, past.ticket.priority, past.ticket.tags) == ("Security", "high", ("vip",))
        assert [(one.author, "charged twice" in one.body) for one in past.ticket.messages] == [(Author.CUSTOMER, True)]
        assert (past.ticket.organization.tier, past.ticket.organization.mrr) == ("gold", 640.0)
        assert past.ticket.url.endswith(ids[0])
        assert box.connector.past([]) == ()

    def test_deleted_tickets_are_left_out(self, box: Box) -> None:
        gone = box.ticket()
        box.act(gone, deleted=True)
        assert box.connector.past([gone]) == ()


class TestRead:
    def test_a_new_ticket(self, box: Box) -> None:
        earlier = box.connector.read(box.ticket(requester={"name": "Ann", "email": "ann@example.com"}))
        sample = {"requester": {"name": "Ann", "email": "ann@example.com"}, "subject": "Grüße", "body": "Häßlich & <b>"}
        found = box.connector.read(box.ticket(**sample))
        assert (found.subject, found.requester.email) == ("Grüße", "ann@example.com")
        assert [one.id for one in found.earlier] == [earlier.id]
        assert [message.author for message in found.messages] == [Author.CUSTOMER]
        assert found.priority is None

    def test_a_thread_of_many_messages_is_whole_and_in_order(self, box: Box) -> None:
        ticket_id = box.ticket()
        for number in range(12):
            box.act(ticket_id, **{"customer_reply" if number % 2 else "note": f"message {number}"})
        messages = box.connector.read(ticket_id).messages
        assert [f"message {number}" in messages[number + 1].body for number in range(12)] == [True] * 12
        assert [message.public for message in messages[1:]] == [False, True] * 6

    @pytest.mark.parametrize("end", [{"status": "closed"}, {"deleted": True}])
    def test_what_is_over_ends_quietly(self, box: Box, end: dict[str, Any]) -> None:
        ticket_id = box.ticket()
        box.act(ticket_id, **end)
        with pytest.raises(Gone):
            box.connector.read(ticket_id)

    def test_a_ticket_nobody_wrote_is_gone(self, box: Box) -> None:
        with pytest.raises(Gone):
            box.connector.read("99999999999")


class TestNote:
    def test_is_one_and_private_and_found_again(self, box: Box, ticket: Ticket) -> None:
        written = box.connector.post(ticket, NOTE, REFERENCE, Fields())
        [note] = box.notes(ticket.id)
        assert str(note["id"]) == written.note_id == found(box, ticket.id)
        assert "Billing & more" in note["text"]
        assert box.connector.find_note(ticket.id, "TDM-OTHER00000") is None

    def test_brings_priority_and_group(self, box: Box, ticket: Ticket) -> None:
        written = box.connector.post(ticket, NOTE, REFERENCE, Fields(priority="urgent", group="security"))
        shown = box.shown(ticket.id)
        assert (shown["priority"], shown["group"]) == ("urgent", "Security")
        assert written.after == {"priority": "urgent", "group": "Security"}
        assert len(box.notes(ticket.id)) == 1

    def test_a_refused_field_costs_only_itself(self, box: Box, ticket: Ticket) -> None:
        name = {"zendesk": str(box.state()["accounts"]["zendesk"]["fields"]["sentiment"]), "freshdesk": "cf_nowhere"}
        custom = {name[box.vendor]: "no such choice"}
        written = box.connector.post(ticket, NOTE, REFERENCE, Fields(priority="high", custom=custom))
        assert list(written.refused) == list(custom)
        assert box.shown(ticket.id)["priority"] == "high"
        assert len(box.notes(ticket.id)) == 1

    @pytest.mark.parametrize("do", [{"apply_then": "reset"}, {"apply_then": 502}, {"truncate": True}])
    def test_a_lost_answer_is_found_and_not_sent_twice(self, box: Box, ticket: Ticket, do: dict[str, Any]) -> None:
        box.fault(*NOTE_PATH[box.vendor], **do)
        with pytest.raises(UnknownOutcome):
            box.connector.post(ticket, NOTE, REFERENCE, Fields())
        [note] = box.notes(ticket.id)
        assert found(box, ticket.id) == str(note["id"])

    @pytest.mark.parametrize("do", [{"status": 500}, {"html": True}])
    def test_a_call_that_did_nothing_is_sent_again(self, box: Box, ticket: Ticket, do: dict[str, Any]) -> None:
        box.fault(*NOTE_PATH[box.vendor], **do)
        with pytest.raises(UnknownOutcome):
            box.connector.post(ticket, NOTE, REFERENCE, Fields())
        assert box.connector.find_note(ticket.id, REFERENCE) is None
        box.connector.post(ticket, NOTE, REFERENCE, Fields())
        assert len(box.notes(ticket.id)) == 1

    def test_one_that_comes_back_public_is_out_of_sight_at_once(self, box: Box, ticket: Ticket) -> None:
        box.fault(*NOTE_PATH[box.vendor], make_public=True)
        written = box.connector.post(ticket, NOTE, REFERENCE, Fields())
        assert written.leak in (Leak.HIDDEN, Leak.REMOVED)
        assert len(box.notes(ticket.id)) == {"zendesk": 1, "freshdesk": 0}[box.vendor]

    def test_what_a_person_set_meanwhile_stays(self, box: Box, ticket: Ticket) -> None:
        time.sleep(1.1)  # the vendors' times have whole seconds
        box.act(ticket.id, priority="urgent")
        if box.vendor == "zendesk":
            with pytest.raises(Conflict):
                box.connector.post(ticket, NOTE, REFERENCE, Fields(priority="high"))
        else:
            assert "priority" in box.connector.post(ticket, NOTE, REFERENCE, Fields(priority="high")).refused
        assert box.shown(ticket.id)["priority"] == "urgent"


class TestTagsAlong:
    """Zendesk: note and tags in one guarded call, where the guard sees every change since the ticket was read."""

    @pytest.fixture
    def box(self, sandbox: Running) -> Iterator[Box]:
        found = Box(sandbox, "zendesk")
        yield found
        requests.delete(f"{found.url}/faults", timeout=10)

    @pytest.fixture
    def ticket(self, box: Box, sandbox: Running) -> Ticket:
        """Return a ticket that nobody has changed for a while, as read."""
        ticket_id = box.ticket()
        sandbox.state.desks["zendesk"].tickets[int(ticket_id)].updated_at -= timedelta(seconds=5)
        found = box.connector.read(ticket_id)
        assert found.settled
        return found

    def test_go_with_the_note(self, box: Box, ticket: Ticket) -> None:
        requests.delete(f"{box.url}/calls", timeout=10)
        written = box.connector.post(ticket, NOTE, REFERENCE, Fields(), ("ai_triaged", "x" * 40))
        assert list(box.state()["calls"]["endpoints"]) == ["zendesk PUT /api/v2/tickets/{id}"]
        assert box.shown(ticket.id)["tags"] == ["ai_triaged"]
        assert len(box.notes(ticket.id)) == 1
        assert written.tagged
        assert (written.tagged.before, written.tagged.after) == ({"tags": []}, {"tags": ["ai_triaged"]})
        assert list(written.tagged.refused) == ["x" * 40]

    def test_a_tag_of_an_agents_since_the_read_stops_note_and_tags(self, box: Box, ticket: Ticket) -> None:
        box.act(ticket.id, tags_add=["vip"])
        with pytest.raises(Conflict):
            box.connector.post(ticket, NOTE, REFERENCE, Fields(), ("ai_triaged",))
        assert box.shown(ticket.id)["tags"] == ["vip"]
        assert box.notes(ticket.id) == []

    def test_a_ticket_changed_just_now_gets_its_tags_apart(self, box: Box, sandbox: Running) -> None:
        ticket_id = box.ticket()
        found = box.connector.read(ticket_id)
        assert not found.settled
        held = sandbox.state.desks["zendesk"].tickets[int(ticket_id)]
        stamp = held.updated_at
        box.act(ticket_id, tags_add=["theirs"])
        # Within the same second: the guard sees nothing.
        held.updated_at = stamp
        written = box.connector.post(found, NOTE, REFERENCE, Fields(), ("ai_triaged",))
        assert written.tagged is None
        assert "theirs" in box.shown(ticket_id)["tags"]

    def test_refused_they_do_not_cost_the_note(self, box: Box, ticket: Ticket) -> None:
        method, path = NOTE_PATH["zendesk"]
        box.fault(method, path, status=422, body={"error": "RecordInvalid", "details": {"base": []}})
        written = box.connector.post(ticket, NOTE, REFERENCE, Fields(), ("ai_triaged",))
        assert written.tagged is None
        assert len(box.notes(ticket.id)) == 1
        assert box.shown(ticket.id)["tags"] == []

    def test_a_drop_down_field_sends_them_apart(self, box: Box, ticket: Ticket) -> None:
        field = str(box.state()["accounts"]["zendesk"]["fields"]["sentiment"])
        fields = Fields(custom={field: "frustrated"})
        assert box.connector.post(ticket, NOTE, REFERENCE, fields, ("ai_triaged",)).tagged is None
        assert box.shown(ticket.id)["tags"] == ["frustrated"]


class TestTags:
    def test_keep_what_people_tagged_since(self, box: Box, ticket: Ticket) -> None:
        box.act(ticket.id, tags_add=["vip"])
        written = box.connector.add_tags(ticket, ("ai_triaged", "ai_team_billing", "x" * 40))
        assert sorted(box.shown(ticket.id)["tags"]) == ["ai_team_billing", "ai_triaged", "vip"]
        assert list(written.refused) == ["x" * 40]

    def test_an_agent_who_tags_between_our_writes_loses_nothing(self, box: Box, ticket: Ticket) -> None:
        # The worst moment there is: our last answer is milliseconds old.
        box.connector.post(ticket, NOTE, REFERENCE, Fields(priority="high"))
        box.act(ticket.id, tags_add=["vip"])
        box.connector.add_tags(ticket, ("ai_triaged",))
        assert sorted(box.shown(ticket.id)["tags"]) == ["ai_triaged", "vip"]

    def test_writers_at_the_same_time_lose_none(self, box: Box, redis_url: str, sandbox: Running) -> None:
        box.fault("PUT", r"/tickets/\d+$", delay=0.05)
        shared = Box(sandbox, box.vendor, redis_url)
        ticket = box.connector.read(box.ticket())
        threads = [threading.Thread(target=tag, args=(shared.connect(), ticket, f"ai_{one}")) for one in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(box.shown(ticket.id)["tags"]) == [f"ai_{one}" for one in range(6)]


def found(box: Box, ticket_id: str) -> str:
    """Return the id of our note on the ticket, or an empty text."""
    note = box.connector.find_note(ticket_id, REFERENCE)
    return note.note_id if note else ""


def tag(connector: Connector, ticket: Ticket, name: str) -> None:
    """Add one tag, coming back while another worker holds the ticket."""
    for _ in range(200):
        try:
            connector.add_tags(ticket, (name,))
        except Wait:
            time.sleep(0.02)
        else:
            return


class TestChanges:
    def test_every_ticket_comes_by(self, box: Box) -> None:
        ids = {box.ticket(subject=f"ticket {number}") for number in range(5)}
        cursor = {"zendesk": "1600000000", "freshdesk": "2020-01-01T00:00:00Z"}[box.vendor]
        seen: set[str] = set()
        for _ in range(20):
            page = box.connector.changes(cursor)
            seen |= {one.ticket_id for one in page.tickets}
            cursor = page.cursor
            if not page.more:
                break
        assert ids <= seen
        late = box.ticket()
        assert late in {one.ticket_id for one in box.connector.changes(cursor).tickets}


class TestAccount:
    def test_says_who_we_are(self, box: Box) -> None:
        assert box.connector.account().user_id == str(box.state()["accounts"][box.vendor]["bot_id"])

    def test_an_expired_token_is_renewed(self, box: Box) -> None:
        box.connector.account()
        requests.post(f"{box.url}/tokens/expire", timeout=10)
        assert box.connector.account().user_id


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_budget_stops_before_the_helpdesk_does(vendor: str, redis_url: str) -> None:
    with running(SandboxConfig(**CREDENTIALS, zendesk_limit=60, freshdesk_limit=60)) as found:
        box = Box(found, vendor, redis_url)
        written = waited = 0
        for _ in range(20):
            ticket_id = box.ticket()
            try:
                ticket = box.connector.read(ticket_id)
            except Wait:
                waited += 1
                continue
            box.connector.post(ticket, NOTE, REFERENCE, Fields())
            box.connector.add_tags(ticket, ("ai_triaged",))
            written += 1
        statuses = requests.get(f"{box.url}/calls", timeout=10).json()["calls"]
    assert written >= 4
    assert waited >= 1
    assert not [call for call in statuses if call.get("status") == 429]


@pytest.mark.parametrize("vendor", VENDORS)
def test_the_helpdesks_own_429_closes_the_account(vendor: str, redis_url: str) -> None:
    with running(SandboxConfig(**CREDENTIALS)) as found:
        box = Box(found, vendor, redis_url)
        ticket_id = box.ticket()
        box.fault("GET", r"/tickets/\d+", status=429, headers={"Retry-After": "30"})
        for connector in (box.connector, box.connect()):
            with pytest.raises(Wait) as raised:
                connector.read(ticket_id)
            assert 29 <= raised.value.seconds < 35
