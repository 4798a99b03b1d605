"""The webhook routes through the whole web application, on both databases: all answers, all faults."""

from __future__ import annotations

import gzip
import io
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.event import listen
from werkzeug.test import TestResponse

from tests.desks import FRESHDESK_SECRET, ZENDESK_SECRET
from triage.environment import read_environment
from triage.settings import Settings
from triage.store import Store, open_store
from triage.store.deliveries import DEAD, DONE, IGNORED, QUEUED, RECEIVED, UNREADABLE, Delivery
from triage.store.marks import BOT
from webhooks.announcer import Announcer
from webhooks.app import create_app
from webhooks.edge import MAX_BODY, REFUSALS_TOLD
from webhooks.zendesk import SIGNATURE, TIMESTAMP, sign

PAYLOADS = Path(__file__).parent / "payloads"
ZENDESK, FRESHDESK = "/webhooks/zendesk/acme", "/webhooks/freshdesk/globex"
# Stands in every body: it must never reach a log.
PRIVATE = "my-card-is-4111-1111"


class FakeWakeup:
    """A broker that can be up or down and remembers what it was told."""

    is_refused = False

    def __init__(self) -> None:
        self.sent: list[int] = []
        self.up = True
        self.is_refused = False

    def send_all(self, delivery_ids: Sequence[int]) -> bool:
        if self.up:
            self.sent += delivery_ids
        return self.up


@pytest.fixture(autouse=True)
def _told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tell of each delivery before it is answered; tests/test_announcer.py has the background."""
    monkeypatch.setattr(Announcer, "announce", lambda self, delivery_id: self._tell([delivery_id]))


def make_web(settings: Settings, store: Store, wakeup: FakeWakeup) -> Flask:
    environment = read_environment({"SECRET_KEY": "s" * 40, "CONSOLE_PASSWORD": "a-console-password"})
    return create_app(environment, settings, store, wakeup)  # type: ignore[arg-type]


@pytest.fixture
def wakeup() -> FakeWakeup:
    return FakeWakeup()


@pytest.fixture
def app(settings: Settings, store: Store, wakeup: FakeWakeup) -> Flask:
    return make_web(settings, store, wakeup)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def lite(settings: Settings, sqlite_store: Store, wakeup: FakeWakeup) -> FlaskClient:
    """A client on SQLite alone, for what has nothing to do with the database."""
    return make_web(settings, sqlite_store, wakeup).test_client()


def body_of(vendor: str, name: str) -> bytes:
    request = json.loads((PAYLOADS / vendor / f"webhook_{name}.json").read_text(encoding="utf-8"))["request"]
    return (request["body_text"] if "body_text" in request else json.dumps(request["body"])).encode()


def event(event_id: str = "e-1", ticket_id: str = "5158", **detail: Any) -> bytes:
    data = {
        "type": "zen:event-type:ticket.created",
        "id": event_id,
        "detail": {"id": ticket_id, "subject": PRIVATE, **detail},
    }
    return json.dumps(data).encode()


def signed(body: bytes, secret: str = ZENDESK_SECRET, late: float = 0) -> dict[str, str]:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - late))
    return {TIMESTAMP: stamp, SIGNATURE: sign(secret, stamp, body), "Content-Type": "application/json"}


def knock(client: FlaskClient, body: bytes, **more: Any) -> TestResponse:
    return client.post(ZENDESK, data=body, headers=signed(body, **more))


def knock_freshdesk(client: FlaskClient, body: bytes, secret: str = FRESHDESK_SECRET) -> TestResponse:
    return client.post(FRESHDESK, data=body, headers={"X-Webhook-Secret": secret})


def rows(store: Store) -> list[Delivery]:
    return store.deliveries.recent(100)


def only_row(store: Store) -> Delivery:
    (row,) = rows(store)
    return row


class TestAccepted:
    def test_is_stored_announced_and_marked(self, client: FlaskClient, store: Store, wakeup: FakeWakeup) -> None:
        body = event()
        answer = knock(client, body)
        row = only_row(store)
        assert (answer.status_code, answer.json) == (202, {"status": "accepted", "delivery": row.id})
        assert (row.desk, row.ticket_id, row.event, row.state) == ("acme", "5158", "created", QUEUED)
        assert wakeup.sent == [row.id]
        with store.engine.connect() as connection:
            stored = connection.execute(text("SELECT body FROM deliveries")).scalar_one()
        assert bytes(stored) == body

    @pytest.mark.parametrize(
        ("headers", "query", "auth"),
        [
            ({"X-Webhook-Secret": FRESHDESK_SECRET}, {}, None),
            ({}, {"token": FRESHDESK_SECRET}, None),
            ({}, {}, ("anybody", FRESHDESK_SECRET)),
        ],
    )
    def test_on_freshdesk_by_header_token_and_basic(
        self, lite: FlaskClient, sqlite_store: Store, headers: dict[str, str], query: dict[str, str], auth: Any
    ) -> None:
        answer = lite.post(
            FRESHDESK, data=body_of("freshdesk", "ticket_created"), headers=headers, query_string=query, auth=auth
        )
        assert (answer.status_code, answer.json["status"]) == (202, "accepted")  # type: ignore[index]
        assert only_row(sqlite_store).ticket_id == "11"

    def test_trigger_bodies_too(self, lite: FlaskClient, sqlite_store: Store) -> None:
        assert knock(lite, body_of("zendesk", "trigger")).status_code == 202
        assert (only_row(sqlite_store).event, only_row(sqlite_store).state) == ("trigger", QUEUED)

    def test_of_a_form_with_its_own_content_type(self, lite: FlaskClient, sqlite_store: Store) -> None:
        answer = lite.post(
            FRESHDESK, data={"ticket_id": "11", "event": "x"}, headers={"X-Webhook-Secret": FRESHDESK_SECRET}
        )
        assert answer.status_code == 202
        assert only_row(sqlite_store).ticket_id == "11"

    def test_chunked_without_a_length(self, lite: FlaskClient, sqlite_store: Store) -> None:
        body = event()
        answer = lite.post(
            ZENDESK,
            input_stream=io.BytesIO(body),
            headers=signed(body),
            environ_overrides={"wsgi.input_terminated": True},
        )
        assert answer.status_code == 202
        assert only_row(sqlite_store).ticket_id == "5158"


class TestDuplicate:
    def test_is_answered_and_not_queued_again(self, client: FlaskClient, store: Store, wakeup: FakeWakeup) -> None:
        knock(client, event())
        answer = knock(client, event())
        assert (answer.status_code, answer.json) == (200, {"status": "duplicate"})
        assert only_row(store).state == QUEUED
        assert len(wakeup.sent) == 1

    def test_that_was_never_queued_is_queued_now(self, client: FlaskClient, store: Store, wakeup: FakeWakeup) -> None:
        wakeup.up = False
        assert knock(client, event()).status_code == 202
        assert only_row(store).state == RECEIVED
        wakeup.up = True
        assert knock(client, event()).status_code == 200
        assert (only_row(store).state, wakeup.sent) == (QUEUED, [only_row(store).id])

    @pytest.mark.parametrize("state", [DONE, DEAD])
    def test_of_a_finished_one_opens_nothing(
        self, client: FlaskClient, store: Store, wakeup: FakeWakeup, state: str
    ) -> None:
        knock(client, event())
        store.deliveries.finish(only_row(store).id, state, time.time())
        assert knock(client, event()).status_code == 200
        assert (only_row(store).state, len(wakeup.sent)) == (state, 1)

    @pytest.mark.parametrize("later", [86_400, 8 * 86_400])
    def test_days_later_is_still_one(self, lite: FlaskClient, sqlite_store: Store, later: int) -> None:
        knock(lite, event())
        with time_machine.travel(time.time() + later):
            assert knock(lite, event()).status_code == 200
        assert len(rows(sqlite_store)) == 1

    def test_the_same_event_on_another_desk_is_another(self, lite: FlaskClient, sqlite_store: Store) -> None:
        knock(lite, event())
        knock_freshdesk(lite, b'{"event":"ticket_created","ticket_id":"5158"}')
        assert {row.desk for row in rows(sqlite_store)} == {"acme", "globex"}

    def test_fifty_at_once_make_one_row(self, app: Flask, store: Store, wakeup: FakeWakeup) -> None:
        body, answers = event(), []

        def run() -> None:
            answers.append(knock(app.test_client(), body).status_code)

        at_once(run, 50)
        assert sorted(answers) == [200] * 49 + [202]
        assert only_row(store).state == QUEUED
        # Those that came before it was marked may each have announced it; the run's claim makes that one triage.
        assert set(wakeup.sent) == {only_row(store).id}
        wakeup.sent.clear()
        assert knock(app.test_client(), body).status_code == 200
        assert wakeup.sent == []


class TestBrokerDown:
    def test_is_no_trouble_of_the_sender(self, client: FlaskClient, store: Store, wakeup: FakeWakeup) -> None:
        wakeup.up = False
        answer = knock(client, event())
        assert (answer.status_code, answer.json["status"]) == (202, "accepted")  # type: ignore[index]
        row = only_row(store)
        assert row.state == RECEIVED
        # The sweep takes it from here.
        assert store.deliveries.claim_due(time.time() + 10, 10) == [row.id]

    def test_a_row_that_could_not_be_marked_is_still_accepted(
        self, lite: FlaskClient, sqlite_store: Store, wakeup: FakeWakeup
    ) -> None:
        """The database goes away between the announcement and the mark."""
        send_all = wakeup.send_all

        def send_and_lose_the_table(delivery_ids: Sequence[int]) -> bool:
            with sqlite_store.engine.begin() as connection:
                connection.execute(text("ALTER TABLE deliveries RENAME TO gone"))
            return send_all(delivery_ids)

        wakeup.send_all = send_and_lose_the_table  # type: ignore[method-assign]
        assert knock(lite, event()).status_code == 202
        with sqlite_store.engine.begin() as connection:
            connection.execute(text("ALTER TABLE gone RENAME TO deliveries"))
        assert only_row(sqlite_store).state == RECEIVED


class TestIgnored:
    @pytest.mark.parametrize("name", ["comment_added", "status_changed_huge_sequence", "tags_changed", "user_deleted"])
    def test_zendesk_events_that_need_nothing(
        self, lite: FlaskClient, sqlite_store: Store, wakeup: FakeWakeup, name: str
    ) -> None:
        answer = knock(lite, body_of("zendesk", name))
        assert (answer.status_code, answer.json["status"]) == (202, "ignored")  # type: ignore[index]
        assert (only_row(sqlite_store).state, wakeup.sent) == (IGNORED, [])
        assert knock(lite, body_of("zendesk", name)).status_code == 200
        assert wakeup.sent == []

    def test_freshdesk_updates(self, lite: FlaskClient, sqlite_store: Store, wakeup: FakeWakeup) -> None:
        answer = knock_freshdesk(lite, body_of("freshdesk", "private_note"))
        assert (answer.status_code, answer.json["status"]) == (202, "ignored")  # type: ignore[index]
        assert (only_row(sqlite_store).state, wakeup.sent) == (IGNORED, [])

    def test_our_own_changes(self, client: FlaskClient, store: Store, wakeup: FakeWakeup) -> None:
        store.cursors.set("acme", BOT, "777", 1.0)
        assert knock(client, event("e-1", actor_id="777")).json["status"] == "ignored"  # type: ignore[index]
        assert (only_row(store).state, only_row(store).reason) == (IGNORED, "our own change")
        assert knock(client, event("e-2", actor_id="778")).json["status"] == "accepted"  # type: ignore[index]
        assert knock(client, event("e-3", actor_id="")).json["status"] == "accepted"  # type: ignore[index]
        assert len(wakeup.sent) == 2

    def test_another_desks_bot_is_a_person_here(self, lite: FlaskClient, sqlite_store: Store) -> None:
        sqlite_store.cursors.set("globex", BOT, "777", 1.0)
        assert knock(lite, event(actor_id="777")).json["status"] == "accepted"  # type: ignore[index]


class TestAsked:
    """Whether it is a request shows when the ticket is read; it is stored even where nobody follows the ticket."""

    def test_by_a_tag_with_the_desks_prefix(self, client: FlaskClient, store: Store) -> None:
        for number, tags in enumerate((["ai_please"], ["vip"])):
            body = {
                "type": "zen:event-type:ticket.tags_changed",
                "id": f"e-{number}",
                "detail": {"id": "5158"},
                "event": {"tags_added": tags},
            }
            knock(client, json.dumps(body).encode())
        assert {(row.occasion, row.state) for row in rows(store)} == {("ask", RECEIVED), ("created", IGNORED)}

    def test_not_by_the_bot(self, lite: FlaskClient, sqlite_store: Store) -> None:
        sqlite_store.cursors.set("acme", BOT, "777", 1.0)
        body = {
            "type": "zen:event-type:ticket.comment_added",
            "id": "e-1",
            "detail": {"id": "5158", "actor_id": "777"},
            "event": {"comment": {"is_public": False, "body": "@tandem again"}},
        }
        assert knock(lite, json.dumps(body).encode()).json["status"] == "ignored"  # type: ignore[index]

    def test_by_the_rules_of_the_documents(self, lite: FlaskClient, sqlite_store: Store) -> None:
        assert knock(lite, b'{"event": "ticket_asked", "ticket_id": "5158"}').status_code == 202
        assert knock_freshdesk(lite, b'{"event":"ticket_asked","ticket_id":"5158"}').status_code == 202
        assert {(row.desk, row.occasion, row.state) for row in rows(sqlite_store)} == {
            ("acme", "ask", RECEIVED),
            ("globex", "ask", RECEIVED),
        }


class TestRefused:
    @pytest.mark.parametrize("late", [301, 360, 86_400, -310, -360])
    def test_stale_and_future_signatures(self, lite: FlaskClient, sqlite_store: Store, late: int) -> None:
        body = event()
        assert knock(lite, body, late=late).status_code == 401
        assert rows(sqlite_store) == []

    @pytest.mark.parametrize("late", [240, -240])
    def test_not_for_four_minutes_of_clock_skew(self, lite: FlaskClient, late: int) -> None:
        assert knock(lite, event(), late=late).status_code == 202

    def test_zendesk_without_and_with_a_wrong_signature(self, lite: FlaskClient, sqlite_store: Store) -> None:
        assert lite.post(ZENDESK, data=event()).status_code == 401
        assert knock(lite, event(), secret="zendesk-signing-secret-2").status_code == 401
        # Another desk's secret.
        assert knock(lite, event(), secret=FRESHDESK_SECRET).status_code == 401
        assert lite.post(ZENDESK, data=event(), headers={"X-Webhook-Secret": ZENDESK_SECRET}).status_code == 401
        headers = signed(event("e-1"))
        assert lite.post(ZENDESK, data=event("e-2"), headers=headers).status_code == 401
        twice = [*headers.items(), (SIGNATURE, headers[SIGNATURE])]
        assert lite.post(ZENDESK, data=event("e-1"), headers=twice).status_code == 401
        assert rows(sqlite_store) == []

    def test_freshdesk_without_and_with_a_wrong_secret(self, lite: FlaskClient, sqlite_store: Store) -> None:
        body = body_of("freshdesk", "ticket_created")
        assert lite.post(FRESHDESK, data=body).status_code == 401
        assert knock_freshdesk(lite, body, "wrong").status_code == 401
        assert knock_freshdesk(lite, body, ZENDESK_SECRET).status_code == 401
        for scheme in ("Bearer " + FRESHDESK_SECRET, "Basic !!!", "Basic " + FRESHDESK_SECRET, "Digest x", "Basic"):
            assert lite.post(FRESHDESK, data=body, headers={"Authorization": scheme}).status_code == 401
        assert rows(sqlite_store) == []

    def test_both_secrets_of_a_rotation_are_good(
        self, settings: Settings, sqlite_store: Store, wakeup: FakeWakeup
    ) -> None:
        desk = settings.desks["acme"]
        both = [*desk.webhook_secrets, type(desk.webhook_secrets[0])("zendesk-signing-secret-2")]
        rotated = desk.model_copy(update={"webhook_secrets": both})
        client = make_web(settings.model_copy(update={"desks": {"acme": rotated}}), sqlite_store, wakeup).test_client()
        assert knock(client, event("e-1")).status_code == 202
        assert knock(client, event("e-2"), secret="zendesk-signing-secret-2").status_code == 202

    @pytest.mark.parametrize(
        "path",
        [
            "/webhooks/zendesk/nobody",
            "/webhooks/freshdesk/acme",
            "/webhooks/zendesk/globex",
            "/webhooks/intercom/acme",
            "/webhooks/zendesk/ACME",
            "/webhooks/zendesk/",
            "/webhooks/zendesk/acme/x",
            "/webhooks/zendesk/%00",
        ],
    )
    def test_unknown_desks(self, lite: FlaskClient, sqlite_store: Store, path: str) -> None:
        body = event()
        headers = {**signed(body), "X-Webhook-Secret": FRESHDESK_SECRET}
        assert lite.post(path, data=body, headers=headers).status_code == 404
        assert rows(sqlite_store) == []

    def test_a_flood_is_counted_and_does_not_fill_the_log(
        self, lite: FlaskClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        for _ in range(REFUSALS_TOLD + 30):
            assert lite.post(ZENDESK, data=event()).status_code == 401
        knock_freshdesk(lite, event(), "wrong")
        told = [record.getMessage() for record in caplog.records if "refused" in record.getMessage()]
        assert len(told) == REFUSALS_TOLD + 1
        assert "desk=globex reason=wrong secret" in told[-1]
        counted = f'tandem_webhooks_refused_total{{desk="acme",reason="no signature"}} {REFUSALS_TOLD + 30}.0'
        assert counted in lite.get("/metrics").text

    def test_stale_ones_are_counted_together(self, lite: FlaskClient) -> None:
        for late in (4000, 5000):
            assert "stale signature: " in knock(lite, event(), late=late).get_json()["error"]
        assert 'tandem_webhooks_refused_total{desk="acme",reason="stale signature"} 2.0' in lite.get("/metrics").text

    @pytest.mark.parametrize("method", ["get", "put", "delete", "patch"])
    def test_other_methods(self, lite: FlaskClient, method: str) -> None:
        assert getattr(lite, method)(ZENDESK).status_code == 405


class TestSize:
    def test_a_mebibyte_is_taken_and_a_byte_more_is_not(self, lite: FlaskClient, sqlite_store: Store) -> None:
        head = b'{"ticket_id":"5158","x":"'
        body = head + b"x" * (MAX_BODY - len(head) - 2) + b'"}'
        assert len(body) == MAX_BODY
        assert knock(lite, body).status_code == 202
        assert knock(lite, body + b" ").status_code == 413
        assert len(rows(sqlite_store)) == 1

    def test_ten_megabytes_are_not_read(self, lite: FlaskClient, sqlite_store: Store) -> None:
        class Counting(io.BytesIO):
            taken = 0

            def read(self, size: int | None = -1) -> bytes:
                some = super().read(size)
                Counting.taken += len(some)
                return some

        body = b"x" * (10 * MAX_BODY)
        answer = lite.post(ZENDESK, input_stream=Counting(body), headers=signed(body), content_length=len(body))
        assert answer.status_code == 413
        assert Counting.taken == 0
        assert rows(sqlite_store) == []

    def test_ten_megabytes_in_chunks_are_cut_off(self, lite: FlaskClient, sqlite_store: Store) -> None:
        body = b"x" * (10 * MAX_BODY)
        stream = io.BytesIO(body)
        answer = lite.post(
            ZENDESK, input_stream=stream, headers=signed(body), environ_overrides={"wsgi.input_terminated": True}
        )
        assert answer.status_code == 413
        assert stream.tell() <= 2 * MAX_BODY
        assert rows(sqlite_store) == []


class TestUnreadable:
    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"not json",
            b"[" * 100_000,
            b'{"a":' * 100_000 + b"}" * 100_000,
            b'{"ticket_id":NaN}',
            b"\xff\xfe\x00",
            b"[]",
            gzip.compress(event()),
            gzip.compress(b"0" * 100_000_000, 1),
        ],
        ids=["empty", "text", "deep list", "deep object", "nan", "utf-8", "list", "gzip", "gzip bomb"],
    )
    def test_bodies_are_kept_for_the_admin(
        self, lite: FlaskClient, sqlite_store: Store, wakeup: FakeWakeup, body: bytes
    ) -> None:
        headers = signed(body)
        if body[:2] == b"\x1f\x8b":
            headers["Content-Encoding"] = "gzip"
        answer = lite.post(ZENDESK, data=body, headers=headers)
        assert answer.status_code == 400
        assert answer.json["error"]  # type: ignore[index]
        assert (only_row(sqlite_store).state, wakeup.sent) == (UNREADABLE, [])
        assert only_row(sqlite_store).reason
        with sqlite_store.engine.connect() as connection:
            assert bytes(connection.execute(text("SELECT body FROM deliveries")).scalar_one()) == body
        # The admin may look, the sender need not come again.
        assert lite.post(ZENDESK, data=body, headers=headers).status_code == 200
        assert wakeup.sent == []

    def test_freshdesk_bodies_too(self, lite: FlaskClient, sqlite_store: Store) -> None:
        answer = knock_freshdesk(lite, b'{"event":"ticket_created"}')
        assert answer.status_code == 400
        assert "{{ticket.id}}" in answer.json["error"]  # type: ignore[index]
        assert only_row(sqlite_store).state == UNREADABLE

    def test_no_text_of_json_is_too_odd_to_store(self, client: FlaskClient, store: Store) -> None:
        """Halves of surrogate pairs and NUL are JSON, and neither UTF-8 nor PostgreSQL take them."""
        odd = "\\ud800\\u0000\\udfff"
        zendesk = (
            f'{{"type":"zen:event-type:ticket.created{odd}","id":"{odd}","detail":{{"id":"5","actor_id":"{odd}"}}}}'
        )
        assert knock(client, zendesk.encode()).status_code == 202
        long = f'{{"type":"zen:{"x" * 900}","id":"{"y" * 900}","ticket_id":"5"}}'
        assert knock(client, long.encode()).status_code == 202
        freshdesk = f'{{"event":"{odd}{"e" * 500}","triggered_event":"{odd}","ticket_id":"5"}}'
        assert knock_freshdesk(client, freshdesk.encode()).status_code == 202
        assert len(rows(store)) == 3

    def test_a_long_invocation_id_too(self, client: FlaskClient, store: Store) -> None:
        body = b'{"ticket_id":"5158"}'
        headers = {**signed(body), "X-Zendesk-Webhook-Invocation-Id": "1" * 4000}
        assert client.post(ZENDESK, data=body, headers=headers).status_code == 202
        assert client.post(ZENDESK, data=body, headers=headers).status_code == 200
        assert len(rows(store)) == 1


class TestDatabaseDown:
    @pytest.fixture
    def without(self, settings: Settings, wakeup: FakeWakeup) -> Iterator[Callable[..., FlaskClient]]:
        stores: list[Store] = []

        def make(url: str, pages: int = 0) -> FlaskClient:
            stores.append(open_store(url, patience=0.3))
            if pages:
                # As on a disk that has no room for one more page.
                limit = f"PRAGMA max_page_count={pages}"
                listen(stores[-1].engine, "connect", lambda connection, _: connection.execute(limit))
            return make_web(settings, stores[-1], wakeup).test_client()

        yield make
        for store in stores:
            store.engine.dispose()

    def check(self, client: FlaskClient, wakeup: FakeWakeup) -> None:
        for answer in (
            knock(client, event()),
            knock(client, event(actor_id="5")),
            knock(client, b"unreadable"),
            knock_freshdesk(client, body_of("freshdesk", "ticket_created")),
        ):
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
        assert wakeup.sent == []
        # Who may not come in is not told about it.
        assert client.post(ZENDESK, data=event()).status_code == 401

    def test_tables_missing(self, without: Any, wakeup: FakeWakeup, tmp_path: Path) -> None:
        self.check(without(f"sqlite:///{tmp_path}/empty.db"), wakeup)

    def test_tables_missing_on_postgresql(self, without: Any, wakeup: FakeWakeup, postgres_url: str) -> None:
        self.check(without(postgres_url.replace("/postgres?", "/template1?")), wakeup)

    def test_no_database_at_all(self, without: Any, wakeup: FakeWakeup, tmp_path: Path) -> None:
        self.check(without(f"sqlite:///{tmp_path}"), wakeup)

    def test_a_file_that_is_none(self, without: Any, wakeup: FakeWakeup, tmp_path: Path) -> None:
        (tmp_path / "text.db").write_text("no database, but rather a long text " * 200)
        self.check(without(f"sqlite:///{tmp_path}/text.db"), wakeup)

    def test_a_server_that_is_away(self, without: Any, wakeup: FakeWakeup) -> None:
        self.check(without("postgresql+psycopg://127.0.0.1:1/tandem"), wakeup)

    def test_locked_for_long(
        self, without: Any, wakeup: FakeWakeup, sqlite_store: Store, settings: Settings, tmp_path: Path
    ) -> None:
        client = without(f"sqlite:///{tmp_path}/tandem.db")
        with sqlite_store.engine.begin():
            start = time.monotonic()
            answer = knock(client, event())
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
            assert time.monotonic() - start < 2
        # And it comes back by itself.
        assert knock(client, event()).status_code == 202

    def test_full_disk(self, without: Any, wakeup: FakeWakeup, sqlite_store: Store, tmp_path: Path) -> None:
        with sqlite_store.engine.connect() as connection:
            pages = connection.execute(text("PRAGMA page_count")).scalar_one()
        client = without(f"sqlite:///{tmp_path}/tandem.db", pages=pages)
        body = event(filler="x" * 500_000)
        answer = knock(client, body)
        assert (answer.status_code, answer.headers["Retry-After"], wakeup.sent) == (503, "30", [])
        assert knock(without(f"sqlite:///{tmp_path}/tandem.db"), body).status_code == 202


class TestLogs:
    def test_hold_no_secret_and_no_body(
        self, lite: FlaskClient, sqlite_store: Store, wakeup: FakeWakeup, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        private = json.dumps({"ticket_id": "5", "text": PRIVATE}).encode()
        knock(lite, event())
        knock(lite, event())
        knock(lite, event(), secret="some-wrong-secret")
        knock(lite, b"unreadable " + PRIVATE.encode())
        knock(lite, event("e-2", actor_id="7"), late=999)
        knock(lite, event("x" * 500 + PRIVATE))
        knock_freshdesk(lite, private)
        knock_freshdesk(lite, private, "another-wrong-secret")
        lite.post(FRESHDESK, data=private, query_string={"token": FRESHDESK_SECRET})
        lite.post(FRESHDESK, data=b"x" * (MAX_BODY + 1), headers={"X-Webhook-Secret": FRESHDESK_SECRET})
        wakeup.up = False
        knock(lite, event("e-3"))
        with sqlite_store.engine.begin() as connection:
            connection.execute(text("DROP TABLE deliveries"))
        assert knock(lite, event("e-4")).status_code == 503
        assert "desk=acme" in caplog.text
        for secret in (PRIVATE, ZENDESK_SECRET, FRESHDESK_SECRET, "some-wrong-secret", "another-wrong-secret"):
            assert secret not in caplog.text
        for record in caplog.records:
            assert record.exc_info is None

    def test_answers_hold_none_either(self, lite: FlaskClient) -> None:
        for answer in (
            knock(lite, event()),
            knock(lite, b"unreadable " + PRIVATE.encode()),
            knock(lite, event(), secret="some-wrong-secret"),
            knock_freshdesk(lite, PRIVATE.encode(), "another-wrong-secret"),
            knock_freshdesk(lite, PRIVATE.encode()),
        ):
            assert answer.content_type == "application/json"
            assert PRIVATE not in answer.text
            assert "secret-" not in answer.text


def at_once(run: Callable[[], None], times: int) -> None:
    threads = [threading.Thread(target=run) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
