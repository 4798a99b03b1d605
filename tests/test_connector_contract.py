"""What every connector must do, run over both; a new vendor is one more value of `VENDORS` and its recordings."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
import requests
import responses
import time_machine
from test_connector_recordings import HOSTS, NOW, VENDORS, Recordings, connector_of, exchange

from connectors.base import Article, Connector, Fields, Leak, Written
from triage.errors import DeskLocked, FeatureOff, Forbidden, Gone, Retry, Stop, TandemError, UnknownOutcome, Wait
from triage.settings import Settings
from triage.sources import url_of
from triage.ticket import Author, Status, Ticket

REFERENCE = "TDM-0123456789"
NOTE = f"<p>Billing</p><p>Tandem · ref {REFERENCE}</p>"
SECRETS = ("client-secret-of-the-bot", "api-key-of-the-bot", "token-one")


@dataclass(frozen=True)
class Facts:
    """Where the vendors' recordings differ."""

    ticket_id: str
    note_id: str
    note_call: tuple[str, str]
    group: str
    group_id: int
    read_calls: int
    again_calls: int


FACTS = {
    "zendesk": Facts(
        ticket_id="4017",
        note_id="33144692244777",
        note_call=("PUT", "/api/v2/tickets/4017.json"),
        group="testGroup0",
        group_id=6164094475034,
        read_calls=3,
        again_calls=2,
    ),
    "freshdesk": Facts(
        ticket_id="22",
        note_id="67105086777",
        note_call=("POST", "/api/v2/tickets/22/notes"),
        group="Billing",
        group_id=67000259997,
        # The company and the account's ratings are read once an hour, who else they wrote of once in ten minutes.
        read_calls=4,
        again_calls=1,
    ),
}


@pytest.fixture(params=VENDORS)
def vendor(request: pytest.FixtureRequest) -> str:
    """Return each vendor in turn."""
    return str(request.param)


@pytest.fixture
def desk(vendor: str) -> Iterator[Recordings]:
    """Return a helpdesk of recordings at the time they were made."""
    with (
        responses.RequestsMock(assert_all_requests_are_fired=False) as mock,
        time_machine.travel(NOW[vendor], tick=False),
    ):
        recordings = Recordings(vendor, mock)
        if vendor == "zendesk":
            recordings.answer("token")
        yield recordings


@pytest.fixture
def connector(desk: Recordings, settings: Settings) -> Connector:
    """Return the connector under test."""
    return connector_of(desk.vendor, settings)


@pytest.fixture
def facts(vendor: str) -> Facts:
    """Return the vendor's own figures."""
    return FACTS[vendor]


@pytest.fixture
def ticket(desk: Recordings, connector: Connector, facts: Facts) -> Ticket:
    """Return the new ticket as read; the calls this took are forgotten."""
    answer_read(desk)
    found = connector.read(facts.ticket_id)
    desk.mock.calls.reset()
    return found


def answer_read(desk: Recordings, ticket: str = "ticket_new", history: bool = True) -> None:
    """Answer what reading a ticket asks for."""
    desk.answer(ticket)
    if desk.vendor == "zendesk":
        desk.answer("conversation")
    else:
        desk.answer("company")
        desk.answer("satisfaction_ratings")
    if history:
        desk.answer("tickets_of_requester")


class TestRead:
    def test_says_who_asked_and_what_they_are_worth(self, ticket: Ticket) -> None:
        assert ticket.requester.name == "Ada Example"
        assert ticket.requester.email == "ada@example.com"
        assert (ticket.organization.tier, ticket.organization.plan) == ("Gold", "Scale")
        assert ticket.organization.mrr == 1250.0
        assert ticket.organization.name

    def test_gives_the_conversation_oldest_first(self, ticket: Ticket) -> None:
        asked, answered = ticket.messages[-2:]
        assert (asked.author, asked.public) == (Author.CUSTOMER, True)
        assert len(asked.attachments) == 1
        assert (answered.author, answered.public) == (Author.AGENT, False)
        assert asked.created_at
        assert answered.created_at
        assert asked.created_at < answered.created_at

    def test_lists_earlier_tickets_of_30_days_without_this_one(self, ticket: Ticket) -> None:
        assert [(one.subject, one.status) for one in ticket.earlier] == [("Invoice is wrong", Status.SOLVED)]
        assert ticket.ticket_count_30d == 1

    def test_leaves_unset_what_nobody_has_set(self, ticket: Ticket) -> None:
        assert (ticket.priority, ticket.group_id) == (None, None)

    def test_names_the_agents_page_and_the_stamp(self, ticket: Ticket, desk: Recordings, facts: Facts) -> None:
        assert ticket.url.endswith(f"/tickets/{facts.ticket_id}")
        raw = exchange(desk.vendor, "ticket_new")["response"]["body"]
        assert ticket.stamp == (raw.get("ticket") or raw)["updated_at"]
        assert isinstance(ticket.id, str)
        assert isinstance(ticket.requester.id, str)

    def test_takes_few_calls(self, desk: Recordings, connector: Connector, facts: Facts) -> None:
        answer_read(desk)
        connector.read(facts.ticket_id)
        assert len(desk.calls()) == facts.read_calls
        desk.mock.calls.reset()
        connector.read(facts.ticket_id)
        assert len(desk.calls()) == facts.again_calls

    def test_a_lone_description_is_the_conversation(self, desk: Recordings, connector: Connector, facts: Facts) -> None:
        answer_read(desk, "ticket_with_description_only")
        ticket = connector.read(facts.ticket_id)
        assert len(ticket.messages) == 1
        assert "est" in ticket.messages[0].body
        assert ticket.messages[0].author is Author.CUSTOMER
        assert not [call for call in desk.calls() if "comments" in call or "conversations" in call]

    @pytest.mark.parametrize("name", ["ticket_closed", "ticket_missing"])
    def test_a_ticket_that_is_over_ends_quietly(
        self, desk: Recordings, connector: Connector, facts: Facts, name: str
    ) -> None:
        path = exchange(desk.vendor, "ticket_new")["request"]["path"]
        desk.answer(name, method="GET", path=path)
        with pytest.raises(Gone):
            connector.read(facts.ticket_id)

    def test_goes_on_without_history_where_it_is_forbidden(
        self, desk: Recordings, connector: Connector, facts: Facts
    ) -> None:
        answer_read(desk, history=False)
        desk.answer("forbidden", path=exchange(desk.vendor, "tickets_of_requester")["request"]["path"])
        ticket = connector.read(facts.ticket_id)
        assert ticket.earlier == ()
        assert ticket.messages

    def test_goes_on_without_history_where_it_is_broken(
        self, desk: Recordings, connector: Connector, facts: Facts
    ) -> None:
        answer_read(desk, history=False)
        desk.fail("GET", exchange(desk.vendor, "tickets_of_requester")["request"]["path"])
        assert connector.read(facts.ticket_id).earlier == ()

    def test_survives_any_missing_value(self, vendor: str, settings: Settings, facts: Facts) -> None:
        body = exchange(vendor, "ticket_new")["response"]["body"]
        keys = set(body.get("ticket") or body) - {"id"}
        for key in sorted(keys):
            with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
                desk = Recordings(vendor, mock)
                blank = lambda answer, key=key: (answer.get("ticket") or answer).update({key: None})  # noqa: E731
                desk.answer("ticket_new", blank)
                for name in {"zendesk": ["token", "conversation"], "freshdesk": ["company", "contact"]}[vendor]:
                    desk.answer(name)
                desk.answer("tickets_of_requester")
                assert connector_of(vendor, settings).read(facts.ticket_id).id == facts.ticket_id, key

    def test_an_unknown_status_is_unknown(self, desk: Recordings, connector: Connector, facts: Facts) -> None:
        desk.answer("ticket_new", lambda body: (body.get("ticket") or body).update(status=99))
        for name in {"zendesk": ["conversation"], "freshdesk": ["company"]}[desk.vendor]:
            desk.answer(name)
        desk.answer("tickets_of_requester")
        assert connector.read(facts.ticket_id).status is Status.UNKNOWN

    @pytest.mark.parametrize("ticket_id", ["../agents/me", "22?include=x", "", "１２", "1" * 30])
    def test_an_id_that_is_no_number_makes_no_call(
        self, desk: Recordings, connector: Connector, ticket_id: str
    ) -> None:
        with pytest.raises(Stop):
            connector.read(ticket_id)
        assert desk.calls() == []


class TestPost:
    def test_the_note_is_private(self, desk: Recordings, connector: Connector, ticket: Ticket, facts: Facts) -> None:
        desk.answer("note_created")
        written = connector.post(ticket, NOTE, REFERENCE, Fields())
        assert written.note_id == facts.note_id
        assert written.leak is None
        [body] = desk.sent(facts.note_call[0])
        note = body["ticket"]["comment"] if desk.vendor == "zendesk" else body
        assert NOTE in note.values()
        assert note.get("public") is False or note.get("private") is True
        assert "notify_emails" not in note

    def test_sets_priority_and_group(
        self, desk: Recordings, connector: Connector, ticket: Ticket, facts: Facts
    ) -> None:
        desk.answer("groups")
        desk.answer("note_created")
        if desk.vendor == "freshdesk":
            desk.answer("ticket_again")
            desk.answer("fields_set")
        fields = Fields(priority="high", group=facts.group.upper())
        written = connector.post(ticket, NOTE, REFERENCE, fields)
        assert written.after == {"priority": "high", "group": facts.group}
        assert written.before == {"priority": None, "group": None}
        assert written.refused == {}
        [body] = desk.sent("PUT")
        # The vendors refuse ids in quotes.
        assert (body.get("ticket") or body)["group_id"] == facts.group_id

    def test_a_refused_field_never_costs_the_note(
        self, desk: Recordings, connector: Connector, ticket: Ticket, facts: Facts
    ) -> None:
        desk.answer("groups")
        path = facts.note_call[1]
        if desk.vendor == "zendesk":
            # together: refused; note alone: taken; priority alone: taken; group alone: refused
            for name in ("field_refused", "note_created", "note_created", "field_refused"):
                desk.answer(name, path=path)
        else:
            desk.answer("note_created")
            desk.answer("ticket_again")
            for name in ("field_refused", "fields_set", "field_refused"):
                desk.answer(name)
        written = connector.post(ticket, NOTE, REFERENCE, Fields(priority="high", group=facts.group))
        assert written.note_id == facts.note_id
        assert written.after == {"priority": "high"}
        assert list(written.refused) == ["group"]
        assert "required when solving" in written.refused["group"] or "valid group" in written.refused["group"]
        notes = [body for body in desk.sent(facts.note_call[0]) if NOTE in str(body)]
        assert len(notes) == {"zendesk": 2, "freshdesk": 1}[desk.vendor]  # the first of two was refused

    def test_an_unknown_group_is_refused_before_any_write(
        self, desk: Recordings, connector: Connector, ticket: Ticket, facts: Facts
    ) -> None:
        desk.answer("groups")
        desk.answer("note_created")
        written = connector.post(ticket, NOTE, REFERENCE, Fields(group="No such team"))
        assert written.note_id == facts.note_id
        assert "No such team" in written.refused["group"]
        assert "group_id" not in str(desk.sent("PUT"))

    def test_groups_that_may_not_be_listed_cost_the_group_only(
        self, desk: Recordings, connector: Connector, ticket: Ticket, facts: Facts
    ) -> None:
        desk.answer("forbidden", path=exchange(desk.vendor, "groups")["request"]["path"])
        desk.answer("note_created")
        written = connector.post(ticket, NOTE, REFERENCE, Fields(group=facts.group))
        assert written.note_id == facts.note_id
        assert list(written.refused) == ["group"]

    def test_a_note_that_came_back_public_is_taken_away_and_told(
        self, desk: Recordings, connector: Connector, ticket: Ticket, facts: Facts, caplog: pytest.LogCaptureFixture
    ) -> None:
        desk.answer("note_created_public")
        hide = hiding_call(desk.vendor, facts)
        desk.mock.add(hide[0], desk.url(hide[1]), status=200 if desk.vendor == "zendesk" else 204)
        written = connector.post(ticket, NOTE, REFERENCE, Fields())
        assert written.leak in (Leak.HIDDEN, Leak.REMOVED)
        assert desk.calls()[-1] == f"{hide[0]} {hide[1]}".replace("/api/v2", "")
        assert [record.levelno for record in caplog.records if "PUBLIC NOTE" in record.message] == [logging.CRITICAL]
        assert NOTE not in caplog.text

    def test_a_public_note_that_stays_public_is_not_hidden_by_an_error(
        self, desk: Recordings, connector: Connector, ticket: Ticket, facts: Facts, caplog: pytest.LogCaptureFixture
    ) -> None:
        desk.answer("note_created_public")
        hide = hiding_call(desk.vendor, facts)
        desk.fail(hide[0], hide[1], 500)
        desk.fail("PUT", f"/api/v2/conversations/{facts.note_id}", 500)
        written = connector.post(ticket, NOTE, REFERENCE, Fields())
        assert (written.leak, written.note_id) == (Leak.PUBLIC, facts.note_id)
        assert "STILL PUBLIC" in caplog.text

    @pytest.mark.parametrize("status", [500, 502, 200])
    def test_no_usable_answer_leaves_the_outcome_open(
        self, desk: Recordings, connector: Connector, ticket: Ticket, facts: Facts, status: int
    ) -> None:
        desk.fail(*facts.note_call, status)
        with pytest.raises(UnknownOutcome):
            connector.post(ticket, NOTE, REFERENCE, Fields())

    @pytest.mark.parametrize("error", [requests.ReadTimeout(), requests.ConnectionError("reset by peer")])
    def test_a_lost_answer_leaves_the_outcome_open(
        self, desk: Recordings, connector: Connector, ticket: Ticket, facts: Facts, error: Exception
    ) -> None:
        desk.mock.add(facts.note_call[0], desk.url(facts.note_call[1]), body=error)
        with pytest.raises(UnknownOutcome):
            connector.post(ticket, NOTE, REFERENCE, Fields())

    def test_a_call_that_never_left_can_be_repeated(
        self, desk: Recordings, connector: Connector, ticket: Ticket, facts: Facts
    ) -> None:
        desk.mock.add(facts.note_call[0], desk.url(facts.note_call[1]), body=requests.ConnectTimeout())
        with pytest.raises(Retry) as raised:
            connector.post(ticket, NOTE, REFERENCE, Fields())
        assert not isinstance(raised.value, UnknownOutcome)

    def test_a_note_that_could_not_be_found_again_is_not_sent(
        self, desk: Recordings, connector: Connector, ticket: Ticket
    ) -> None:
        with pytest.raises(ValueError, match="reference"):
            connector.post(ticket, "<p>Billing</p>", REFERENCE, Fields())
        assert desk.calls() == []

    def test_a_rate_limit_waits_as_long_as_it_says(
        self, desk: Recordings, connector: Connector, ticket: Ticket, facts: Facts
    ) -> None:
        desk.answer("rate_limited", method=facts.note_call[0], path=facts.note_call[1])
        with pytest.raises(Wait) as raised:
            connector.post(ticket, NOTE, REFERENCE, Fields())
        assert 34 <= raised.value.seconds < 40


def hiding_call(vendor: str, facts: Facts) -> tuple[str, str]:
    """Return the call that takes a public note away."""
    if vendor == "zendesk":
        return "PUT", f"/api/v2/tickets/{facts.ticket_id}/comments/{facts.note_id}/make_private"
    return "DELETE", f"/api/v2/conversations/{facts.note_id}"


class TestSetFields:
    def test_sets_them_without_a_note(
        self, desk: Recordings, connector: Connector, ticket: Ticket, facts: Facts
    ) -> None:
        desk.answer("groups")
        if desk.vendor == "zendesk":
            desk.answer("note_created")
        else:
            desk.answer("ticket_again")
            desk.answer("fields_set")
        written = connector.set_fields(ticket, Fields(priority="high", group=facts.group))
        assert written.after == {"priority": "high", "group": facts.group}
        assert written.note_id == ""
        assert "comment" not in str(desk.sent("PUT"))

    def test_values_the_helpdesk_cannot_hold_cost_no_call(
        self, desk: Recordings, connector: Connector, ticket: Ticket
    ) -> None:
        written = connector.set_fields(ticket, Fields(priority="asap", custom={"no field": "x"}))
        assert sorted(written.refused) == ["no field", "priority"]
        assert desk.calls() == []


class TestFindNote:
    def test_finds_ours_by_its_reference(self, desk: Recordings, connector: Connector, facts: Facts) -> None:
        desk.answer("conversation_with_note")
        assert (connector.find_note(facts.ticket_id, REFERENCE) or Written()).note_id == facts.note_id

    def test_finds_nothing_where_there_is_none(self, desk: Recordings, connector: Connector, facts: Facts) -> None:
        desk.answer("conversation")
        assert connector.find_note(facts.ticket_id, REFERENCE) is None

    def test_a_customers_quote_is_not_our_note(self, desk: Recordings, connector: Connector, facts: Facts) -> None:
        def quoted(body: Any) -> None:
            note = note_of(body)
            note.update(public=True, private=False, incoming=True, author_id=6130907993114, user_id=67032849498)

        desk.answer("conversation_with_note", quoted)
        desk.answer("me")
        assert connector.find_note(facts.ticket_id, REFERENCE) is None
        assert all(call.startswith("GET") for call in desk.calls())

    def test_our_own_public_note_is_taken_away_when_found(
        self, desk: Recordings, connector: Connector, facts: Facts, caplog: pytest.LogCaptureFixture
    ) -> None:
        me = exchange(desk.vendor, "me")["response"]["body"]
        our_id = (me.get("user") or me)["id"]
        leaked = lambda body: note_of(body).update(public=True, private=False, author_id=our_id, user_id=our_id)  # noqa: E731
        desk.answer("conversation_with_note", leaked)
        desk.answer("me")
        hide = hiding_call(desk.vendor, facts)
        desk.mock.add(hide[0], desk.url(hide[1]), status=200 if desk.vendor == "zendesk" else 204)
        found = connector.find_note(facts.ticket_id, REFERENCE)
        expected = (facts.note_id, Leak.HIDDEN) if desk.vendor == "zendesk" else ("", Leak.REMOVED)
        assert found is not None
        assert (found.note_id, found.leak) == expected
        assert desk.calls()[-1].startswith(hide[0])
        assert "PUBLIC NOTE" in caplog.text


def note_of(body: Any) -> dict[str, Any]:
    """Return our note in a recorded conversation."""
    rows = body["comments"] if isinstance(body, dict) else body
    found: dict[str, Any] = next(row for row in rows if REFERENCE in row["body"])
    return found


class TestAddTags:
    def test_keeps_every_other_tag(self, desk: Recordings, connector: Connector, ticket: Ticket) -> None:
        if desk.vendor == "freshdesk":
            desk.answer("ticket_again")
        desk.answer("tags_added")
        written = connector.add_tags(ticket, ("ai_triaged", "ai_team_billing"))
        assert written.after == {"tags": ["vip", "ai_triaged", "ai_team_billing"]}
        assert written.refused == {}
        [body] = desk.sent("PUT")
        # Zendesk adds what it is sent, Freshdesk replaces the list with it.
        others = ["vip"] if desk.vendor == "freshdesk" else []
        assert body["tags"] == [*others, "ai_triaged", "ai_team_billing"]

    def test_writes_nothing_where_nothing_changes(self, desk: Recordings, connector: Connector, ticket: Ticket) -> None:
        if desk.vendor == "freshdesk":
            desk.answer("ticket_again", lambda body: body.update(tags=["AI_triaged"]))
        written = connector.add_tags(replace(ticket, tags=("ai_triaged",)), ("ai_triaged",))
        assert written.refused == {}
        assert desk.sent("PUT") == []

    def test_an_unusable_tag_does_not_cost_the_others(
        self, desk: Recordings, connector: Connector, ticket: Ticket
    ) -> None:
        if desk.vendor == "freshdesk":
            desk.answer("ticket_again")
        desk.answer("tags_added")
        long, spaced = "ai_" + "x" * 30, "two words"
        written = connector.add_tags(ticket, ("ai_triaged", long, "ai_team_billing", spaced))
        assert sorted(written.refused) == sorted([long, spaced])
        assert "ai_triaged" in written.after["tags"]
        assert long not in str(desk.sent("PUT"))

    def test_an_answer_without_ours_is_not_believed(
        self, desk: Recordings, connector: Connector, ticket: Ticket
    ) -> None:
        for _ in range(4):
            if desk.vendor == "freshdesk":
                desk.answer("ticket_again")
            desk.answer("tags_added", lambda body: body.update(tags=["vip"]))
        with pytest.raises(Retry):
            connector.add_tags(ticket, ("ai_triaged",))

    def test_a_closed_ticket_ends_quietly(self, desk: Recordings, connector: Connector, ticket: Ticket) -> None:
        if desk.vendor == "zendesk":
            desk.answer("update_of_closed_ticket", path="/api/v2/tickets/4017/tags.json")
        else:
            desk.answer("ticket_again")
            desk.answer("ticket_deleted")
        with pytest.raises(Gone):
            connector.add_tags(ticket, ("ai_triaged",))


def tickets_of(body: Any) -> list[dict[str, Any]]:
    """Return the tickets of a vendor's list."""
    listed: list[dict[str, Any]] = body["tickets"] if isinstance(body, dict) else body
    return listed


class TestRemoveTags:
    def test_keeps_every_other_tag(self, desk: Recordings, connector: Connector, ticket: Ticket) -> None:
        tagged = replace(ticket, tags=("vip", "ai_sla_at_risk"))
        if desk.vendor == "freshdesk":
            desk.answer("ticket_again", lambda body: body.update(tags=["vip", "AI_SLA_at_risk"]))
            desk.answer("tags_added", lambda body: body.update(tags=["vip"]))
        else:
            desk.mock.add("DELETE", desk.url("/api/v2/tickets/4017/tags.json"), status=204)
        written = connector.remove_tags(tagged, ("ai_sla_at_risk", "ai_sla_breached"))
        assert written.after == {"tags": ["vip"]}
        [body] = desk.sent("PUT" if desk.vendor == "freshdesk" else "DELETE")
        # Zendesk removes what it is sent, Freshdesk replaces the list with it.
        assert body == {"tags": ["vip"] if desk.vendor == "freshdesk" else ["ai_sla_at_risk"]}

    def test_what_is_not_there_costs_no_call(self, desk: Recordings, connector: Connector, ticket: Ticket) -> None:
        assert connector.remove_tags(replace(ticket, tags=("vip",)), ("ai_sla_breached",)).refused == {}
        assert desk.calls() == []


class TestUpdateNote:
    def test_replaces_the_text_or_says_that_it_cannot(
        self, desk: Recordings, connector: Connector, facts: Facts
    ) -> None:
        desk.answer("note_created", method="PUT", path=f"/api/v2/conversations/{facts.note_id}")
        if not connector.edits_notes:
            with pytest.raises(FeatureOff):
                connector.update_note(facts.ticket_id, facts.note_id, NOTE, REFERENCE)
            assert desk.calls() == []
            return
        assert connector.update_note(facts.ticket_id, facts.note_id, NOTE, REFERENCE) == Written(facts.note_id)
        assert desk.sent("PUT") == [{"body": NOTE}]


class TestLook:
    def test_reads_the_ticket_without_its_history(self, desk: Recordings, connector: Connector, facts: Facts) -> None:
        answer_read(desk, history=False)
        found = connector.look(facts.ticket_id)
        assert (found.id, found.earlier) == (facts.ticket_id, ())
        assert found.organization.tier == "Gold"
        assert found.messages
        assert len(desk.calls()) == 2

    def test_a_closed_ticket_is_shown_and_a_deleted_one_is_gone(
        self, desk: Recordings, connector: Connector, facts: Facts
    ) -> None:
        path = exchange(desk.vendor, "ticket_new")["request"]["path"]
        closed = {"zendesk": "closed", "freshdesk": 5}[desk.vendor]
        desk.answer("ticket_new", lambda body: (body.get("ticket") or body).update(status=closed))
        for name in {"zendesk": ["conversation"], "freshdesk": ["company"]}[desk.vendor]:
            desk.answer(name)
        assert connector.look(facts.ticket_id).status is Status.CLOSED
        desk.mock.reset()
        if desk.vendor == "zendesk":
            desk.answer("token")
        desk.answer("ticket_missing", method="GET", path=path)
        with pytest.raises(Gone):
            connector.look(facts.ticket_id)


class TestChanges:
    def test_gives_changed_tickets_and_where_to_go_on(self, desk: Recordings, connector: Connector) -> None:
        desk.answer("changes_last")
        page = connector.changes("")
        assert len(page.tickets) >= 2
        assert all(isinstance(one.ticket_id, str) and one.updated_at >= one.created_at for one in page.tickets)
        assert page.cursor
        assert not page.more

    def test_the_cursor_is_taken_back(self, desk: Recordings, connector: Connector) -> None:
        desk.answer("changes_last")
        first = connector.changes({"zendesk": "1600000000", "freshdesk": "2022-05-26T00:00:00Z"}[desk.vendor])
        connector.changes(first.cursor)
        urls = [(str(call.request.url), str(call.request.params)) for call in desk.mock.calls]
        asked = [params for url, params in urls if "/oauth/" not in url and "/groups" not in url]
        assert asked[0] != asked[1]
        assert first.cursor in asked[1]

    def test_names_groups_with_one_call_for_many_pages(self, desk: Recordings, connector: Connector) -> None:
        desk.answer("groups")
        facts = FACTS[desk.vendor]
        desk.answer("changes_last", lambda body: tickets_of(body)[0].update(group_id=facts.group_id, tags=["vip"]))
        first = connector.changes("").tickets[0]
        assert (first.group, first.tags) == (facts.group, ("vip",))
        connector.changes("")
        assert len([call for call in desk.mock.calls if "/groups" in str(call.request.url)]) == 1

    def test_groups_that_cannot_be_had_cost_only_the_names(self, desk: Recordings, connector: Connector) -> None:
        desk.answer("changes_last", lambda body: tickets_of(body)[0].update(group_id=17))
        desk.fail("GET", exchange(desk.vendor, "groups")["request"]["path"], 500, "down")
        page = connector.changes("")
        assert len(page.tickets) >= 2
        assert page.tickets[0].group is None

    def test_no_group_on_the_page_costs_no_call(self, desk: Recordings, connector: Connector) -> None:
        desk.answer("changes_last", lambda body: [one.update(group_id=None) for one in tickets_of(body)])
        connector.changes("")
        assert not [call for call in desk.mock.calls if "/groups" in str(call.request.url)]

    def test_tells_a_priority_somebody_gave_from_the_vendors_own(self, desk: Recordings, connector: Connector) -> None:
        unset, high = {"zendesk": (None, "high"), "freshdesk": (1, 3)}[desk.vendor]

        def give(body: Any) -> None:
            for one, priority in zip(tickets_of(body), (unset, high), strict=False):
                one.update(priority=priority, group_id=None)

        desk.answer("changes_last", give)
        first, second = connector.changes("").tickets[:2]
        assert first.priority is None or first.priority_is_default
        assert (second.priority, second.priority_is_default) == ("high", False)


class TestAccount:
    def test_says_who_we_are(self, desk: Recordings, connector: Connector) -> None:
        desk.answer("me")
        account = connector.account()
        assert account.user_id.isdigit()
        assert account.name

    @pytest.mark.parametrize("body", ["", "[]", "<html>"])
    def test_half_an_answer_does_not_lock_the_desk(self, desk: Recordings, connector: Connector, body: str) -> None:
        desk.fail("GET", exchange(desk.vendor, "me")["request"]["path"], 200, body)
        with pytest.raises(Retry):
            connector.account()

    def test_a_refused_credential_locks_the_desk(self, desk: Recordings, connector: Connector) -> None:
        desk.answer("unauthorized", path=exchange(desk.vendor, "me")["request"]["path"])
        with pytest.raises(DeskLocked):
            connector.account()


class TestErrors:
    @pytest.mark.parametrize(
        ("status", "body", "expected"),
        [
            (500, "<html>oops</html>", Retry),
            (503, "", Retry),
            (200, "<html>login</html>", Retry),
            (200, '{"ticket": {"id": 4', Retry),
            (200, "", Retry),
            (200, "[]", Retry),
            (404, "<html>no such helpdesk</html>", Retry),
            (403, "<html>blocked</html>", Retry),
            (302, "", Retry),
            (401, "", DeskLocked),
            (418, "{}", Stop),
        ],
    )
    def test_each_answer_says_what_to_do(
        self, desk: Recordings, connector: Connector, facts: Facts, status: int, body: str, expected: type[TandemError]
    ) -> None:
        desk.fail("GET", exchange(desk.vendor, "ticket_new")["request"]["path"], status, body)
        with pytest.raises(expected) as raised:
            connector.read(facts.ticket_id)
        assert type(raised.value) is expected

    def test_a_forbidden_ticket_stops_only_itself(self, desk: Recordings, connector: Connector, facts: Facts) -> None:
        desk.answer("forbidden", path=exchange(desk.vendor, "ticket_new")["request"]["path"])
        if desk.vendor == "freshdesk":
            # It says 403 for a soft-deleted ticket too: a second call tells whether the credential is still good.
            desk.answer("me")
        with pytest.raises(Gone if desk.vendor == "freshdesk" else Forbidden):
            connector.read(facts.ticket_id)

    def test_no_error_tells_secrets_or_ticket_text(
        self, desk: Recordings, connector: Connector, ticket: Ticket, facts: Facts, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        answers = [
            lambda: desk.fail(*facts.note_call, 500, f"<html>{NOTE}</html>"),
            lambda: desk.mock.replace(
                facts.note_call[0], desk.url(facts.note_call[1]), body=requests.ReadTimeout(NOTE)
            ),
        ]
        for answer in answers:
            answer()
            with pytest.raises(TandemError) as raised:
                connector.post(ticket, NOTE, REFERENCE, Fields())
            assert raised.value.__cause__ is None
            said = str(raised.value) + caplog.text
            assert not [word for word in (*SECRETS, NOTE, "Billing") if word in said]


class TestArticles:
    """What a help centre shows to everybody, and nothing else of it."""

    def answer_walk(self, desk: Recordings) -> None:
        names = ["articles", "articles_last"]
        if desk.vendor == "freshdesk":
            names = ["solution_categories", "helpdesk_settings", "solution_folders", "solution_articles"]
            names.append("solution_articles_de")
        for name in names:
            desk.answer(name)

    def walk(self, connector: Connector) -> list[Article]:
        found: list[Article] = []
        cursor, more = "", True
        while more:
            page = connector.articles(cursor)
            found += page.articles
            cursor, more = page.cursor, page.more
        return found

    def test_only_published_ones_for_everybody_in_each_language(self, desk: Recordings, connector: Connector) -> None:
        self.answer_walk(desk)
        found = self.walk(connector)
        wanted = [("Add a seat", "en"), ("Platz hinzufügen", "de")]
        wanted += [("Elsewhere", "en")] if desk.vendor == "zendesk" else []
        assert [(one.title, one.language[:2]) for one in found] == wanted
        assert len({one.id for one in found[:2]}) == 1
        assert "Owners add seats" in found[0].html

    def test_pages_are_named_by_their_path_on_the_desk_alone(self, desk: Recordings, connector: Connector) -> None:
        self.answer_walk(desk)
        for one in self.walk(connector):
            assert one.path.startswith("/")
            assert one.id in one.path
            assert url_of(HOSTS[desk.vendor], one.path).startswith(HOSTS[desk.vendor] + "/")
        assert {call.request.url.split("/")[2] for call in desk.mock.calls} == {HOSTS[desk.vendor].split("/")[2]}

    def test_no_call_is_made_below_what_not_everybody_may_see(self, desk: Recordings, connector: Connector) -> None:
        self.answer_walk(desk)
        self.walk(connector)
        assert len(desk.calls()) == {"zendesk": 2, "freshdesk": 5}[desk.vendor]

    @pytest.mark.parametrize("status", [403, 404])
    def test_a_desk_without_help_centre_says_so(self, desk: Recordings, connector: Connector, status: int) -> None:
        path = {"zendesk": "/api/v2/help_center/articles.json", "freshdesk": "/api/v2/solutions/categories"}
        desk.fail("GET", path[desk.vendor], status, "{}")
        with pytest.raises(FeatureOff):
            connector.articles("")


class TestReplies:
    def test_gives_the_public_messages_oldest_first(
        self, desk: Recordings, connector: Connector, ticket: Ticket, facts: Facts
    ) -> None:
        desk.answer("conversation", lambda body: make_public(desk.vendor, body))
        found = connector.replies(ticket)
        assert [one.author for one in found] == [Author.CUSTOMER, Author.AGENT]
        assert all(one.public for one in found)
        assert len(desk.calls()) == 1

    def test_keeps_private_notes_out(self, desk: Recordings, connector: Connector, ticket: Ticket) -> None:
        desk.answer("conversation")
        assert Author.AGENT not in [one.author for one in connector.replies(ticket)]

    def test_has_nothing_of_a_ticket_that_is_gone(self, desk: Recordings, connector: Connector, facts: Facts) -> None:
        desk.answer("ticket_missing", method="GET", path=exchange(desk.vendor, "conversation")["request"]["path"])
        assert connector.replies(Ticket(desk="acme", id=facts.ticket_id)) == ()


def make_public(vendor: str, body: Any) -> None:
    """Make every message of a recorded conversation public."""
    for one in body["comments"] if vendor == "zendesk" else body:
        one |= {"public": True} if vendor == "zendesk" else {"private": False}
