"""What only Freshdesk does."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import responses
import time_machine
from hypothesis import given
from hypothesis import strategies as st
from test_connector_recordings import NOW, Recordings, connector_of, exchange

from connectors.base import Connector, Fields, Leak
from connectors.budget import ACCOUNT, connect
from connectors.freshdesk_errors import FreshdeskDialect
from connectors.freshdesk_poll import PAGE_SIZE, Place
from connectors.http import WRITE_LIMITS
from connectors.lock import ticket_lock
from connectors.verdict import Call, Reply
from triage.errors import DeskLocked, Gone, Retry, Wait
from triage.settings import Settings
from triage.ticket import Author, Ticket
from workers.leases import LEASE_SECONDS

REFERENCE = "TDM-0123456789"
NOTE = f"<p>{REFERENCE}</p>"
TICKET = "/api/v2/tickets/22"
CONVERSATIONS = "/api/v2/tickets/22/conversations"
NOTE_ID = "67105086777"


@pytest.fixture
def desk() -> Iterator[Recordings]:
    """Return a Freshdesk of recordings."""
    with (
        responses.RequestsMock(assert_all_requests_are_fired=False) as mock,
        time_machine.travel(NOW["freshdesk"], tick=False),
    ):
        yield Recordings("freshdesk", mock)


@pytest.fixture
def connector(desk: Recordings, settings: Settings) -> Connector:
    """Return the connector under test."""
    return connector_of("freshdesk", settings)


@pytest.fixture
def ticket(desk: Recordings, connector: Connector) -> Ticket:
    """Return the new ticket as read."""
    for name in ("ticket_new", "company", "tickets_of_requester"):
        desk.answer(name)
    found = connector.read("22")
    desk.mock.calls.reset()
    desk.mock.remove("GET", desk.url(TICKET))
    return found


class TestRead:
    def answer(self, desk: Recordings, change: Any = None) -> None:
        desk.answer("ticket_new", change)
        for name in ("company", "contact", "tickets_of_requester"):
            desk.answer(name)

    def test_asks_for_the_includes_it_reads(self, desk: Recordings, connector: Connector) -> None:
        self.answer(desk)
        connector.read("22")
        assert desk.mock.calls[0].request.params["include"] == "conversations,requester"

    def test_ten_embedded_conversations_may_not_be_all(self, desk: Recordings, connector: Connector) -> None:
        self.answer(desk, lambda body: body.update(conversations=body["conversations"] * 5))
        rows = exchange("freshdesk", "conversation")["response"]["body"]
        following = {"Link": f'<{desk.url(CONVERSATIONS)}?page=2>; rel="next"'}
        many = [row | {"id": row["id"] + 10 * number} for number in range(51) for row in rows]
        desk.mock.add("GET", desk.url(CONVERSATIONS), json=many[:100], headers=following)
        # Somebody wrote while we read, so the second page begins with the end of the first.
        desk.mock.add("GET", desk.url(CONVERSATIONS), json=many[98:])
        assert len(connector.read("22").messages) == 1 + 102
        pages = [call.request.params["page"] for call in desk.mock.calls if CONVERSATIONS in str(call.request.url)]
        assert pages == ["1", "2"]

    def test_a_next_link_to_another_host_is_not_followed(self, desk: Recordings, connector: Connector) -> None:
        following = {"Link": '<https://evil.example/api/v2/tickets/22/conversations?page=2>; rel="next"'}
        desk.mock.add("GET", desk.url(CONVERSATIONS), json=[], headers=following)
        assert connector.find_note("22", REFERENCE) is None
        hosts = {str(call.request.url).split("/")[2] for call in desk.mock.calls}
        assert hosts == {"globex.freshdesk.com"}

    @pytest.mark.parametrize(
        "mark", [{"source": 6}, {"auto_response": True}, {"automation_id": 5}], ids=["survey", "auto", "rule"]
    )
    def test_machine_mail_is_marked(self, desk: Recordings, connector: Connector, mark: dict[str, Any]) -> None:
        self.answer(desk, lambda body: body["conversations"][0].update(mark))
        assert [message.automatic for message in connector.read("22").messages] == [False, True, False]

    def test_a_recorded_survey_is_machine_mail(self, desk: Recordings, connector: Connector) -> None:
        desk.answer("conversation_with_survey")
        survey = exchange("freshdesk", "conversation_with_survey")["response"]["body"][0]
        self.answer(desk, lambda body: body.update(conversations=[survey]))
        assert connector.read("22").messages[-1].automatic

    @pytest.mark.parametrize(("number", "word"), [(1, None), (2, "normal"), (3, "high"), (4, "urgent"), (9, None)])
    def test_low_is_nobodys_choice(self, desk: Recordings, connector: Connector, number: int, word: str | None) -> None:
        self.answer(desk, lambda body: body.update(priority=number))
        assert connector.read("22").priority == word

    @pytest.mark.parametrize("mark", [{"deleted": True}, {"spam": True}])
    def test_deleted_and_spam_end_quietly(self, desk: Recordings, connector: Connector, mark: dict[str, Any]) -> None:
        self.answer(desk, lambda body: body.update(mark))
        with pytest.raises(Gone):
            connector.read("22")

    def test_405_is_a_deleted_ticket(self, desk: Recordings, connector: Connector) -> None:
        desk.answer("ticket_deleted", method="GET")
        with pytest.raises(Gone):
            connector.read("22")

    def test_an_outbound_mail_is_the_agents(self, desk: Recordings, connector: Connector) -> None:
        self.answer(desk, lambda body: body.update(source=10))
        assert connector.read("22").messages[0].author is Author.AGENT

    def test_plain_text_is_not_taken_for_html(self, desk: Recordings, connector: Connector) -> None:
        self.answer(desk, lambda body: body.update(description="a < b\nand c", description_text="a < b\nand c"))
        assert not connector.read("22").messages[0].html

    def test_a_customer_without_company_is_asked_for(self, desk: Recordings, connector: Connector) -> None:
        self.answer(desk, lambda body: body.update(company_id=None))
        assert connector.read("22").organization.tier == "Silver"

    def test_a_company_is_fetched_once_in_a_while(self, desk: Recordings, connector: Connector) -> None:
        self.answer(desk)
        connector.read("22")
        connector.read("22")
        assert desk.calls().count("GET /companies/1") == 1


class TestPost:
    def test_the_note_goes_before_the_fields(self, desk: Recordings, connector: Connector, ticket: Ticket) -> None:
        for name in ("note_created", "ticket_again", "fields_set"):
            desk.answer(name)
        connector.post(ticket, NOTE, REFERENCE, Fields(priority="high"))
        assert desk.calls() == ["POST /tickets/22/notes", "GET /tickets/22", "PUT /tickets/22"]
        assert desk.sent("POST") == [{"body": NOTE, "private": True}]
        assert desk.sent("PUT") == [{"priority": 3}]

    def test_what_a_person_set_meanwhile_stays(self, desk: Recordings, connector: Connector, ticket: Ticket) -> None:
        desk.answer("note_created")
        desk.answer("ticket_again", lambda body: body.update(priority=4))
        written = connector.post(ticket, NOTE, REFERENCE, Fields(priority="high"))
        assert written.note_id == NOTE_ID
        assert "since Tandem read" in written.refused["priority"]
        assert desk.sent("PUT") == []

    def test_a_ticket_closed_after_the_note_keeps_its_note(
        self, desk: Recordings, connector: Connector, ticket: Ticket
    ) -> None:
        desk.answer("note_created")
        desk.answer("ticket_again", lambda body: body.update(status=5))
        written = connector.post(ticket, NOTE, REFERENCE, Fields(priority="high"))
        assert written.note_id == NOTE_ID
        assert "closed" in written.refused["priority"]

    def test_a_note_without_id_is_looked_for(self, desk: Recordings, connector: Connector, ticket: Ticket) -> None:
        desk.answer("note_created", lambda body: body.pop("id"))
        with pytest.raises(Retry):
            connector.post(ticket, NOTE, REFERENCE, Fields())

    def test_a_leaked_note_is_deleted_and_no_field_is_set(
        self, desk: Recordings, connector: Connector, ticket: Ticket
    ) -> None:
        desk.answer("note_created_public")
        desk.mock.delete(desk.url(f"/api/v2/conversations/{NOTE_ID}"), status=204)
        written = connector.post(ticket, NOTE, REFERENCE, Fields(priority="high"))
        assert (written.leak, written.note_id) == (Leak.REMOVED, "")
        assert sorted(written.refused) == ["note", "priority"]
        assert desk.calls() == ["POST /tickets/22/notes", f"DELETE /conversations/{NOTE_ID}"]

    def test_a_leaked_note_that_cannot_be_deleted_loses_its_words(
        self, desk: Recordings, connector: Connector, ticket: Ticket, caplog: pytest.LogCaptureFixture
    ) -> None:
        desk.answer("note_created_public")
        desk.answer("forbidden", method="DELETE", path=f"/api/v2/conversations/{NOTE_ID}")
        desk.mock.put(desk.url(f"/api/v2/conversations/{NOTE_ID}"), json={})
        written = connector.post(ticket, NOTE, REFERENCE, Fields())
        assert (written.leak, written.note_id) == (Leak.REMOVED, "")
        assert REFERENCE not in str(desk.sent("PUT"))
        assert [record.levelno for record in caplog.records] == [logging.CRITICAL] * 2

    def test_custom_fields_go_by_name(self, desk: Recordings, connector: Connector, ticket: Ticket) -> None:
        desk.answer("note_created")
        desk.answer("ticket_again")
        desk.answer("fields_set", lambda body: body.update(custom_fields={"cf_churn": "high"}))
        written = connector.post(ticket, NOTE, REFERENCE, Fields(custom={"cf_churn": "high"}))
        assert desk.sent("PUT") == [{"custom_fields": {"cf_churn": "high"}}]
        assert written.after == {"cf_churn": "high"}
        assert written.before == {"cf_churn": None}


class TestTags:
    def test_a_forbidden_new_tag_does_not_cost_the_known_ones(
        self, desk: Recordings, connector: Connector, ticket: Ticket
    ) -> None:
        desk.answer("ticket_again")
        desk.answer("new_tag_refused")
        desk.answer("tags_added", lambda body: body.update(tags=["vip", "ai_triaged"]))
        desk.answer("new_tag_refused")
        written = connector.add_tags(ticket, ("ai_triaged", "ai_team_billing"))
        assert written.after == {"tags": ["vip", "ai_triaged"]}
        assert "cannot_create_new_tag" in written.refused["ai_team_billing"]
        assert [body["tags"] for body in desk.sent("PUT")] == [
            ["vip", "ai_triaged", "ai_team_billing"],
            ["vip", "ai_triaged"],
            ["vip", "ai_triaged", "ai_team_billing"],
        ]

    def test_tags_overwritten_by_another_are_written_again(
        self, desk: Recordings, connector: Connector, ticket: Ticket
    ) -> None:
        desk.answer("ticket_again")
        desk.answer("ticket_again", lambda body: body.update(tags=["vip", "theirs"]))
        desk.answer("tags_added", lambda body: body.update(tags=["vip", "theirs"]))
        desk.answer("tags_added", lambda body: body.update(tags=["vip", "theirs", "ai_triaged"]))
        written = connector.add_tags(ticket, ("ai_triaged",))
        assert written.after == {"tags": ["vip", "theirs", "ai_triaged"]}
        assert desk.sent("PUT")[-1] == {"tags": ["vip", "theirs", "ai_triaged"]}

    def test_one_writer_per_ticket(self, desk: Recordings, settings: Settings, ticket: Ticket, redis_url: str) -> None:
        desk.answer("ticket_again")
        desk.answer("tags_added")
        mine = connector_of("freshdesk", settings, redis_url)
        lock = connect(redis_url).lock("tandem:lock:globex:22", timeout=60, blocking=False)
        assert lock.acquire()
        with pytest.raises(Wait):
            mine.add_tags(ticket, ("ai_triaged",))
        assert desk.calls() == []
        lock.release()
        assert mine.add_tags(ticket, ("ai_triaged",)).refused == {}
        assert not connect(redis_url).exists("tandem:lock:globex:22")

    def test_who_lost_the_lock_while_it_read_writes_nothing(
        self, desk: Recordings, settings: Settings, ticket: Ticket, redis_url: str
    ) -> None:
        def slowly(_request: Any) -> tuple[int, dict[str, str], str]:
            # It has run out meanwhile, and a worker that took the ticket over holds it.
            connect(redis_url).set("tandem:lock:globex:22", "another's")
            return 200, {}, json.dumps(exchange("freshdesk", "ticket_again")["response"]["body"])

        desk.mock.add_callback("GET", desk.url(TICKET), slowly)
        with pytest.raises(Wait):
            connector_of("freshdesk", settings, redis_url).add_tags(ticket, ("ai_triaged",))
        assert desk.sent("PUT") == []
        assert connect(redis_url).getdel("tandem:lock:globex:22") == b"another's"

    def test_a_dead_workers_lock_is_gone_when_its_ticket_is_taken_over(self, redis_url: str) -> None:
        with ticket_lock(connect(redis_url), "globex:23"):
            assert WRITE_LIMITS[1] < connect(redis_url).ttl("tandem:lock:globex:23") < LEASE_SECONDS

    def test_the_lock_is_given_back_after_an_error(
        self, desk: Recordings, settings: Settings, ticket: Ticket, redis_url: str
    ) -> None:
        desk.fail("GET", TICKET)
        with pytest.raises(Retry):
            connector_of("freshdesk", settings, redis_url).add_tags(ticket, ("ai_triaged",))
        assert not connect(redis_url).exists("tandem:lock:globex:22")

    def test_without_redis_it_goes_on_and_says_so(
        self, desk: Recordings, settings: Settings, ticket: Ticket, tmp_path: Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        desk.answer("ticket_again")
        desk.answer("tags_added")
        alone = connector_of("freshdesk", settings, f"redis+socket://{tmp_path}/none.sock")
        assert "ai_triaged" in alone.add_tags(ticket, ("ai_triaged",)).after["tags"]
        assert "going on without" in caplog.text


class TestChanges:
    def test_asks_oldest_change_first(self, desk: Recordings, connector: Connector) -> None:
        desk.answer("changes_last")
        connector.changes("")
        query = desk.mock.calls[0].request.params
        assert query["updated_since"] == "2022-11-17T23:59:00Z"
        assert (query["order_by"], query["order_type"]) == ("updated_at", "asc")

    @pytest.mark.parametrize("cursor", ["nonsense", "|", "2022-13-01T00:00:00Z", "2022-01-01T00:00:00Z|x"])
    def test_a_broken_cursor_starts_anew(self, desk: Recordings, connector: Connector, cursor: str) -> None:
        desk.answer("changes_last")
        connector.changes(cursor)
        assert desk.mock.calls[0].request.params["updated_since"] == "2022-11-17T23:59:00Z"


START = datetime(2026, 1, 1, tzinfo=UTC)


def walk(times: list[datetime], cursor: str) -> tuple[set[int], str, int]:
    """Follow the cursor over a list of tickets until it ends, as a helpdesk would serve them."""
    seen: set[int] = set()
    for turns in range(1, 400):
        place = Place.parse(cursor, START)
        listed = sorted((moment, number) for number, moment in enumerate(times) if moment >= place.since)
        page = listed[(place.page - 1) * PAGE_SIZE : place.page * PAGE_SIZE]
        seen |= {number for _, number in page}
        cursor = str(place.after([moment for moment, _ in page]))
        if len(page) < PAGE_SIZE:
            return seen, cursor, turns
    raise AssertionError("the walk does not end")


class TestPlace:
    @given(st.lists(st.integers(0, 300), max_size=700))
    def test_every_ticket_is_seen_and_the_walk_ends(self, seconds: list[int]) -> None:
        times = [START + timedelta(seconds=second) for second in seconds]
        assert walk(times, str(Place(START)))[0] == set(range(len(times)))

    @pytest.mark.parametrize("many", [99, 100, 101, 950])
    def test_a_bulk_change_in_one_second_is_walked_through(self, many: int) -> None:
        times = [START + timedelta(seconds=10)] * many + [START + timedelta(seconds=11)]
        seen, cursor, _ = walk(times, str(Place(START)))
        assert len(seen) == many + 1
        assert Place.parse(cursor, START).since <= START + timedelta(seconds=11)

    def test_nothing_new_stays_in_place(self) -> None:
        assert walk([], "2026-01-01T00:05:00Z")[1] == "2026-01-01T00:05:00Z"

    def test_the_last_page_is_stepped_over(self) -> None:
        stuck = Place(START, 300).after([START] * PAGE_SIZE)
        assert stuck.page == 1
        assert stuck.since > START

    def test_a_cursor_goes_there_and_back(self) -> None:
        for place in (Place(START), Place(START, 7)):
            assert Place.parse(str(place), datetime.now(UTC)) == place


class TestWords:
    @pytest.mark.parametrize("code", ["account_suspended", "password_lockout"])
    def test_a_suspended_account_locks_the_desk(self, desk: Recordings, connector: Connector, code: str) -> None:
        desk.mock.get(desk.url(TICKET), json={"code": code, "message": "No"}, status=403)
        with pytest.raises(DeskLocked, match=code):
            connector.read("22")

    def test_a_suspended_account_is_not_an_absent_feature(self, desk: Recordings, connector: Connector) -> None:
        desk.answer("ticket_new")
        desk.mock.get(desk.url("/api/v2/tickets"), json={"code": "account_suspended"}, status=403)
        with pytest.raises(DeskLocked):
            connector.read("22")

    def test_credits_and_limits_are_read_in_any_case(self) -> None:
        headers = requests_headers(exchange("freshdesk", "ticket_new")["response"]["headers"])
        usage = FreshdeskDialect(200).usage(Call("GET", "/tickets/{id}"), Reply(200, headers))
        assert [(need.name, need.calls) for need in usage.spent] == [(ACCOUNT, 3.0)]
        assert [(seen.limit, seen.left) for seen in usage.seen] == [(100.0, 97.0)]

    @pytest.mark.parametrize(
        ("total", "lists"), [(50, 20), (200, 20), (400, 100), (700, 200), (1000, 300), (5000, 400)]
    )
    def test_the_list_limit_follows_the_plan(self, total: int, lists: int) -> None:
        dialect = FreshdeskDialect(200)
        dialect.usage(Call("GET", "/agents/me"), Reply(200, {"X-RateLimit-Total": str(total)}))
        assert dialect.list_need().limit == lists

    @pytest.mark.parametrize("body", [None, [], "x", {"errors": [None, 1, {}]}, {"errors": {"a": 1}}])
    def test_no_error_shape_is_too_odd(self, body: Any) -> None:
        assert FreshdeskDialect(200).problem(Reply(400, {}, body)).error is None


def requests_headers(headers: dict[str, str]) -> Any:
    """Return headers as the client gets them: the case does not matter."""
    from requests.structures import CaseInsensitiveDict

    return CaseInsensitiveDict(headers)
