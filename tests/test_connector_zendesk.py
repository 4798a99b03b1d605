"""What only Zendesk does."""

from __future__ import annotations

import base64
import json
import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import responses
import time_machine
from test_connector_recordings import NOW, Recordings, connector_of, exchange

from connectors import open_connector
from connectors.base import Connector, Fields
from connectors.budget import ACCOUNT, Budget
from connectors.verdict import Call, Reply
from connectors.zendesk_auth import OAuthCredential
from connectors.zendesk_errors import ZendeskDialect
from triage.errors import Conflict, DeskLocked, FeatureOff, Gone, Retry, Stop, UnknownOutcome
from triage.settings import Desk, OAuthClient, Settings
from triage.ticket import Author, Status, Ticket

REFERENCE = "TDM-0123456789"
NOTE = f"<p>{REFERENCE}</p>"
TICKET = "/api/v2/tickets/4017.json"
COMMENTS = "/api/v2/tickets/4017/comments.json"
EXPORT = "/api/v2/incremental/tickets/cursor.json"


@pytest.fixture
def desk() -> Iterator[Recordings]:
    """Return a Zendesk of recordings."""
    with (
        responses.RequestsMock(assert_all_requests_are_fired=False) as mock,
        time_machine.travel(NOW["zendesk"], tick=False),
    ):
        recordings = Recordings("zendesk", mock)
        recordings.answer("token")
        yield recordings


@pytest.fixture
def connector(desk: Recordings, settings: Settings) -> Connector:
    """Return the connector under test."""
    return connector_of("zendesk", settings)


@pytest.fixture
def ticket(desk: Recordings, connector: Connector) -> Ticket:
    """Return the new ticket as read."""
    for name in ("ticket_new", "conversation", "tickets_of_requester"):
        desk.answer(name)
    found = connector.read("4017")
    desk.mock.calls.reset()
    return found


def asked(desk: Recordings, path: str) -> list[dict[str, str]]:
    """Return the query of each call to `path`."""
    return [dict(call.request.params) for call in desk.mock.calls if path in str(call.request.url)]


class TestGuard:
    def test_note_and_fields_go_in_one_guarded_call(
        self, desk: Recordings, connector: Connector, ticket: Ticket
    ) -> None:
        desk.answer("groups")
        desk.answer("note_created")
        connector.post(ticket, NOTE, REFERENCE, Fields(priority="high", group="testGroup0", custom={"360001": "x"}))
        [body] = desk.sent("PUT")
        assert body == {
            "ticket": {
                "comment": {"html_body": NOTE, "public": False},
                "priority": "high",
                "group_id": 6164094475034,
                "custom_fields": [{"id": 360001, "value": "x"}],
                "updated_stamp": "2023-09-18T23:34:36Z",
                "safe_update": True,
            }
        }

    def test_a_ticket_changed_meanwhile_is_read_again(
        self, desk: Recordings, connector: Connector, ticket: Ticket
    ) -> None:
        desk.answer("changed_meanwhile")
        with pytest.raises(Conflict):
            connector.post(ticket, NOTE, REFERENCE, Fields())

    def test_fields_set_one_by_one_are_guarded_by_the_newest_stamp(
        self, desk: Recordings, connector: Connector, ticket: Ticket
    ) -> None:
        desk.answer("groups")
        desk.answer("field_refused", path=TICKET)
        for stamp in ("2023-09-18T23:45:00Z", "2023-09-18T23:45:05Z"):
            desk.answer("note_created", lambda body, stamp=stamp: body["ticket"].update(updated_at=stamp))
        desk.answer("changed_meanwhile")
        written = connector.post(ticket, NOTE, REFERENCE, Fields(priority="high", group="testGroup0"))
        stamps = [body["ticket"]["updated_stamp"] for body in desk.sent("PUT")]
        assert stamps == ["2023-09-18T23:34:36Z"] * 2 + ["2023-09-18T23:45:00Z", "2023-09-18T23:45:05Z"]
        # A person who came in between keeps what they set; the note stays written.
        assert list(written.refused) == ["group"]
        assert written.note_id == "33144692244777"

    def test_what_a_person_set_in_the_second_of_our_stamp_is_given_back(
        self, desk: Recordings, connector: Connector, ticket: Ticket
    ) -> None:
        """The guard compares whole seconds; the audit in the answer says what it let us replace."""

        def overtaken(body: dict[str, Any]) -> None:
            change = {"type": "Change", "field_name": "group_id", "value": "6164094475034", "previous_value": "77"}
            body["audit"]["events"].append(change)

        desk.answer("groups")
        desk.answer("note_created", overtaken)
        desk.answer("note_created")
        written = connector.post(ticket, NOTE, REFERENCE, Fields(priority="high", group="testGroup0"))
        _, second = desk.sent("PUT")
        assert second == {"ticket": {"group_id": 77, "updated_stamp": "2023-09-18T23:45:00Z", "safe_update": True}}
        assert (written.after, list(written.refused)) == ({"priority": "high"}, ["group"])

    def test_a_ticket_closed_meanwhile_ends_quietly(
        self, desk: Recordings, connector: Connector, ticket: Ticket
    ) -> None:
        desk.answer("update_of_closed_ticket", path=TICKET)
        with pytest.raises(Gone):
            connector.post(ticket, NOTE, REFERENCE, Fields())

    def test_an_audit_without_the_comment_is_looked_after(
        self, desk: Recordings, connector: Connector, ticket: Ticket
    ) -> None:
        desk.answer("note_created", lambda body: body["audit"].update(events=[]))
        with pytest.raises(UnknownOutcome):
            connector.post(ticket, NOTE, REFERENCE, Fields())
        desk.mock.replace(
            "GET", desk.url(COMMENTS), json=exchange("zendesk", "conversation_with_note")["response"]["body"]
        )
        assert connector.post(ticket, NOTE, REFERENCE, Fields()).note_id == "33144692244777"

    def test_ignored_keys_are_logged_without_their_values(self, caplog: pytest.LogCaptureFixture) -> None:
        headers = exchange("zendesk", "update_with_dropped_key")["response"]["headers"]
        warning = headers["x-zendesk-api-warn"].replace(":invalid_values=>[]", ':invalid_values=>["private words"]')
        reply = Reply(200, {"X-Zendesk-API-Warn": warning})
        ZendeskDialect().usage(Call("PUT", "/tickets/{id}.json", ("1",)), reply)
        assert "ticket.id" in caplog.text
        assert "private words" not in caplog.text


class TestConversation:
    def pages(self, desk: Recordings, *has_more: bool) -> None:
        for number, more in enumerate(has_more):

            def turn(body: Any, number: int = number, more: bool = more) -> None:
                body["meta"] = {"has_more": more, "after_cursor": f"c{number}"}
                for comment in body["comments"]:
                    comment["id"] -= 10 * number

            desk.answer("conversation", turn)

    def test_ends_with_has_more_although_a_next_link_is_set(
        self, desk: Recordings, connector: Connector, ticket: Ticket
    ) -> None:
        assert exchange("zendesk", "conversation")["response"]["body"]["links"]["next"]
        connector.find_note("4017", REFERENCE)
        connector.read("4017")
        assert len(asked(desk, COMMENTS)) == 2

    def test_asks_for_the_next_page_by_cursor(self, desk: Recordings, connector: Connector) -> None:
        desk.answer("ticket_new")
        desk.answer("tickets_of_requester")
        self.pages(desk, True, False)
        assert len(connector.read("4017").messages) == 4
        first, second = asked(desk, COMMENTS)
        assert "page[after]" not in first
        assert second["page[after]"] == "c0"
        assert all(str(call.request.url).startswith("https://acme.zendesk.com/") for call in desk.mock.calls)

    def test_a_cursor_that_repeats_ends_it(self, desk: Recordings, connector: Connector) -> None:
        desk.answer("ticket_new")
        desk.answer("tickets_of_requester")
        desk.answer("conversation", lambda body: body.update(meta={"has_more": True, "after_cursor": "same"}))
        connector.read("4017")
        assert len(asked(desk, COMMENTS)) == 2

    def test_a_very_long_thread_keeps_its_start_and_its_end(self, desk: Recordings, connector: Connector) -> None:
        desk.answer("ticket_new")
        desk.answer("tickets_of_requester")
        self.pages(desk, True, True, True, True, True)
        messages = connector.read("4017").messages
        assert len(asked(desk, COMMENTS)) == 3
        assert messages[0].body == "test"  # the description
        assert [message.id for message in messages[1:]] == sorted(message.id for message in messages[1:])

    def test_the_system_is_nobody(self, desk: Recordings, connector: Connector) -> None:
        desk.answer("ticket_new")
        desk.answer("tickets_of_requester")
        desk.answer("conversation", lambda body: body["comments"][0].update(author_id=-1))
        last = connector.read("4017").messages[-1]
        assert (last.author, last.automatic) == (Author.SYSTEM, True)


class TestTicket:
    def test_a_merged_ticket_says_so(self, desk: Recordings, connector: Connector) -> None:
        desk.answer("ticket_closed", lambda body: body["ticket"].update(tags=["closed_by_merge"]))
        with pytest.raises(Gone, match="merged"):
            connector.read("4017")

    def test_a_path_that_does_not_exist_is_not_a_gone_ticket(self, desk: Recordings, connector: Connector) -> None:
        desk.answer("no_such_endpoint", path=TICKET)
        with pytest.raises(Stop):
            connector.read("4017")


class TestSigningIn:
    def test_one_token_serves_many_calls(self, desk: Recordings, connector: Connector) -> None:
        desk.answer("me")
        for _ in range(3):
            connector.account()
        assert len(asked(desk, "/oauth/tokens")) == 1
        assert desk.mock.calls[-1].request.headers["Authorization"] == "Bearer token-one"
        body = json.loads(desk.mock.calls[0].request.body or "{}")
        assert body["grant_type"] == "client_credentials"
        assert desk.mock.calls[0].request.url == "https://acme.zendesk.com/oauth/tokens"
        assert "Authorization" not in desk.mock.calls[0].request.headers

    def test_a_refused_token_is_renewed_once(self, desk: Recordings, connector: Connector) -> None:
        desk.answer("token", lambda body: body.update(access_token="token-two"))
        desk.answer("unauthorized", path="/api/v2/users/me.json")
        desk.answer("me")
        assert connector.account().user_id == "26155588908179"
        assert desk.mock.calls[-1].request.headers["Authorization"] == "Bearer token-two"

    def test_a_token_refused_twice_locks_the_desk(self, desk: Recordings, connector: Connector) -> None:
        desk.answer("unauthorized", path="/api/v2/users/me.json")
        with pytest.raises(DeskLocked):
            connector.account()
        assert len(asked(desk, "/oauth/tokens")) == 2
        assert len(desk.calls()) == 2

    def test_no_token_locks_the_desk(self, settings: Settings) -> None:
        with responses.RequestsMock() as mock:
            mock.post("https://acme.zendesk.com/oauth/tokens", json={"error": "invalid_client"}, status=401)
            with pytest.raises(DeskLocked, match="client_id"):
                connector_of("zendesk", settings).account()

    def test_no_answer_for_a_token_is_passing(self, settings: Settings) -> None:
        with responses.RequestsMock() as mock:
            mock.post("https://acme.zendesk.com/oauth/tokens", body="busy", status=503)
            with pytest.raises(Retry) as raised:
                connector_of("zendesk", settings).account()
        assert type(raised.value) is Retry

    def test_a_smaller_scope_than_asked_is_told(self, desk: Recordings, settings: Settings) -> None:
        desk.mock.reset()
        desk.answer("token", lambda body: body.update(scope="read"))
        with pytest.raises(DeskLocked, match="write"):
            connector_of("zendesk", settings).account()

    def test_nobody_is_not_an_account(self, desk: Recordings, connector: Connector) -> None:
        desk.answer("anonymous")
        with pytest.raises(DeskLocked):
            connector.account()

    def test_an_api_token_signs_as_its_owner(self, desk: Recordings, settings: Settings) -> None:
        auth = {"email": "bot@acme.com", "api_token": "legacy-token"}
        legacy = Desk(platform="zendesk", url="https://acme.zendesk.com", auth=auth, webhook_secrets=["s" * 20])
        desk.answer("me")
        open_connector("acme", legacy, Budget("", "acme", 200)).account()
        signed = desk.mock.calls[-1].request.headers["Authorization"]
        assert base64.b64decode(signed.removeprefix("Basic ")) == b"bot@acme.com/token:legacy-token"


class TestToken:
    def fetcher(self, life: int = 1800) -> tuple[OAuthCredential, list[float], list[float]]:
        now, fetched = [0.0], []

        def fetch(_: dict[str, str]) -> dict[str, Any]:
            fetched.append(now[0])
            time.sleep(0.02)
            return {"access_token": f"t{len(fetched)}", "expires_in": life}

        client = OAuthClient(client_id="a", client_secret="b")
        return OAuthCredential(client, fetch, lambda: now[0]), now, fetched

    def test_is_renewed_a_minute_before_its_end(self) -> None:
        credential, now, fetched = self.fetcher()
        for now[0] in (0.0, 1739.0, 1741.0):
            credential.header()
        assert fetched == [0.0, 1741.0]

    def test_a_very_short_life_does_not_mean_a_token_per_call(self) -> None:
        credential, _, fetched = self.fetcher(life=30)
        credential.header()
        credential.header()
        assert len(fetched) == 1

    def test_is_fetched_by_one_thread(self) -> None:
        credential, _, fetched = self.fetcher()
        threads = [threading.Thread(target=credential.header) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(fetched) == 1

    def test_one_renewal_serves_all_who_were_refused(self) -> None:
        credential, _, fetched = self.fetcher()
        old = credential.header()
        threads = [threading.Thread(target=credential.renew, args=(old,)) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(fetched) == 2


class TestChanges:
    def test_starts_a_minute_back(self, desk: Recordings, connector: Connector) -> None:
        desk.answer("changes_last")
        connector.changes("")
        connector.changes("99999999999")
        connector.changes("1600000000")
        newest = str(int(NOW["zendesk"].timestamp()) - 60)
        assert [query["start_time"] for query in asked(desk, EXPORT)] == [newest, newest, "1600000000"]

    def test_goes_on_until_the_stream_ends(self, desk: Recordings, connector: Connector) -> None:
        desk.answer("changes_first")
        desk.answer("changes_last")
        first = connector.changes("1600000000")
        assert (first.more, first.cursor) == (True, "MTY5NTA1MjY2My4wfHwyOHw=")
        second = connector.changes(first.cursor)
        assert not second.more
        assert asked(desk, EXPORT)[1]["cursor"] == first.cursor
        assert [one.ticket_id for one in second.tickets] == ["28", "29"]

    def test_a_cursor_that_stands_still_ends_it(self, desk: Recordings, connector: Connector) -> None:
        desk.answer("changes_first")
        assert not connector.changes("MTY5NTA1MjY2My4wfHwyOHw=").more

    def test_no_cursor_in_the_answer_keeps_ours(self, desk: Recordings, connector: Connector) -> None:
        desk.answer("changes_last", lambda body: body.update(after_cursor=None, tickets=[]))
        assert connector.changes("abc").cursor == "abc"

    def test_a_cursor_they_do_not_know_is_left_for_a_time(self, desk: Recordings, connector: Connector) -> None:
        desk.answer("bad_request_listed", path=EXPORT)
        desk.answer("changes_last")
        assert connector.changes("of-another-account").tickets
        day_ago = str(int(NOW["zendesk"].timestamp()) - 86_400)
        assert [query.get("start_time") for query in asked(desk, EXPORT)] == [None, day_ago]

    def test_deleted_tickets_are_told(self, desk: Recordings, connector: Connector) -> None:
        desk.answer("changes_last", lambda body: body["tickets"][0].update(status="deleted"))
        assert connector.changes("").tickets[0].status is Status.DELETED

    def test_an_agent_may_not_export(self, desk: Recordings, connector: Connector) -> None:
        desk.answer("forbidden", path=EXPORT)
        with pytest.raises(FeatureOff):
            connector.changes("")


class TestWords:
    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("unauthorized", "Couldn't authenticate you"),
            ("forbidden", "Forbidden"),
            ("ticket_missing", "RecordNotFound"),
            ("bad_request_listed", "InvalidPaginationDepth"),
            ("field_refused", "is required when solving"),
        ],
    )
    def test_every_error_shape_is_understood(self, name: str, said: str) -> None:
        response = exchange("zendesk", name)["response"]
        assert said in ZendeskDialect().problem(Reply(response["status"], {}, response["body"])).text

    @pytest.mark.parametrize("body", [None, [], "x", {"error": None}, {"details": {"base": ["text", None, 3]}}])
    def test_no_error_shape_is_too_odd(self, body: Any) -> None:
        assert ZendeskDialect().problem(Reply(400, {}, body)).error is None

    @pytest.mark.parametrize(
        ("name", "limit", "left", "resets"),
        [("update_with_dropped_key", 700, 696, 59), ("conversation", 700, 697, 48)],
    )
    def test_both_spellings_of_the_limits_are_read(self, name: str, limit: int, left: int, resets: int) -> None:
        reply = Reply(200, exchange("zendesk", name)["response"]["headers"])
        seen = {one.name: one for one in ZendeskDialect().usage(Call("GET", "/x"), reply).seen}
        assert (seen[ACCOUNT].limit, seen[ACCOUNT].left, seen[ACCOUNT].resets_in) == (limit, left, resets)

    @pytest.mark.parametrize("header", ["zendesk-rate-limit-tickets-update", "Zendesk-RateLimit-tickets-update"])
    def test_an_endpoints_limit_is_read(self, header: str) -> None:
        reply = Reply(200, {header: "total=20; remaining=19; resets=59"})
        [seen] = ZendeskDialect().usage(Call("PUT", "/tickets/{id}.json"), reply).seen
        assert (seen.name, seen.limit, seen.left, seen.resets_in) == ("tickets-update", 20, 19, 59)

    def test_a_hot_ticket_does_not_count_as_the_account(self) -> None:
        headers = {"zendesk-ratelimit-per-ticket-updates": "total=30; remaining=0; resets=500", "x-rate-limit": "700"}
        usage = ZendeskDialect().usage(Call("PUT", "/tickets/{id}.json"), Reply(429, headers))
        assert usage.one_ticket_only
        assert usage.seen == ()
        both = headers | {"zendesk-ratelimit-tickets-update": "total=100; remaining=0; resets=9"}
        assert not ZendeskDialect().usage(Call("PUT", "/tickets/{id}.json"), Reply(429, both)).one_ticket_only

    def test_a_quiet_warning_is_no_warning(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        ZendeskDialect().usage(Call("GET", "/x"), Reply(200, {}))
        assert caplog.text == ""
