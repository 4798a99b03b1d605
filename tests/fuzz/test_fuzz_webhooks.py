"""Any authenticated body at both webhook routes: one answer of the contract, one row at most, and no error of ours."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import pytest
import time_machine
from flask.testing import FlaskClient
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import text

from tests.desks import FRESHDESK_SECRET, SETTINGS, VARIABLES, ZENDESK_SECRET
from tests.fuzz.shapes import ANY_TEXT, FUZZ, bent, nested, recorded, written
from triage.environment import read_environment
from triage.settings_file import parse_settings
from triage.store import Store, open_store
from triage.store.migrate import migrate
from webhooks import freshdesk, zendesk
from webhooks.app import create_app
from webhooks.base import KEY_LENGTH, UNSTORABLE, Call, Knock

NOW = 1_795_000_000.0
STAMP = "2026-11-18T11:06:40Z"
ZENDESK = recorded("zendesk", "webhook_*.json", "request")
FRESHDESK = recorded("freshdesk", "webhook_*.json", "request")
FORMS = st.dictionaries(
    st.sampled_from(["ticket_id", "freshdesk_webhook[ticket_id]", "event", "a"]) | ANY_TEXT, ANY_TEXT, max_size=4
).map(lambda fields: urlencode(fields, errors="replace").encode())
ZENDESK_BODIES = written(bent(ZENDESK)) | written(nested()) | st.binary(max_size=80)
FRESHDESK_BODIES = written(bent(FRESHDESK)) | written(nested()) | FORMS | st.binary(max_size=80)
HEADER = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\x00"), max_size=250)


@dataclass
class Site:
    """The web application with a count of its rows."""

    client: FlaskClient
    store: Store
    sent: list[int] = field(default_factory=list)

    def send_all(self, delivery_ids: Sequence[int]) -> bool:
        self.sent += delivery_ids
        return True

    def rows(self) -> int:
        with self.store.engine.connect() as connection:
            return connection.execute(text("SELECT count(*) FROM deliveries")).scalar_one()

    def newest(self) -> Any:
        with self.store.engine.connect() as connection:
            return connection.execute(text("SELECT * FROM deliveries ORDER BY id DESC LIMIT 1")).one()

    def zendesk(self, body: bytes, invocation: str) -> Any:
        signed = {zendesk.SIGNATURE: zendesk.sign(ZENDESK_SECRET, STAMP, body), zendesk.TIMESTAMP: STAMP}
        more = {zendesk.INVOCATION: invocation} if invocation else {}
        return self.client.post("/webhooks/zendesk/acme", data=body, headers=signed | more)

    def freshdesk(self, body: bytes, kind: str) -> Any:
        headers = {"X-Webhook-Secret": FRESHDESK_SECRET, "Content-Type": kind}
        return self.client.post("/webhooks/freshdesk/globex", data=body, headers=headers)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Return the web application at a moment that does not pass."""
    store = open_store(f"sqlite:///{tmp_path_factory.mktemp('fuzz')}/tandem.db")
    migrate(store.engine)
    environment = read_environment({"SECRET_KEY": "s" * 40, "CONSOLE_PASSWORD": "a-console-password"})
    one = Site(FlaskClient.__new__(FlaskClient), store)
    app = create_app(environment, parse_settings(SETTINGS, VARIABLES), store, one)  # type: ignore[arg-type]
    one.client = app.test_client()
    with time_machine.travel(NOW, tick=False):
        yield one
    store.engine.dispose()


def check_answer(site: Site, answer: Any, again: Any, body: bytes, before: int) -> None:
    """Assert that the first answer tells what was stored, and that the second of the same call stored nothing."""
    said = answer.get_json()
    assert (answer.status_code, again.status_code, again.get_json()) in [
        (202, 200, {"status": "duplicate"}), (400, 200, {"status": "duplicate"}), (200, 200, {"status": "duplicate"}),
    ], (answer.status_code, said, again.status_code)  # fmt: skip
    if answer.status_code == 200:
        assert site.rows() == before
        return
    assert site.rows() == before + 1
    row = site.newest()
    assert bytes(row.body) == body
    if answer.status_code == 400:
        assert (set(said), row.state, said["delivery"]) == ({"error", "delivery"}, "unreadable", row.id)
    elif said == {"status": "ignored"}:
        assert row.state == "ignored"
    else:
        # Told in the background.
        assert said == {"status": "accepted", "delivery": row.id}
        assert row.state in ("received", "queued")
        assert row.ticket_id.isascii() and row.ticket_id.isdigit()


def check_knock(knock: Knock) -> None:
    """Assert that any database can hold it."""
    assert 0 < len(knock.key) <= KEY_LENGTH
    for value in (knock.key, knock.event, knock.ticket_id, knock.actor_id, knock.reason, *knock.tags_added):
        assert not UNSTORABLE.search(value)
    assert len(knock.event) <= 80


class TestZendesk:
    @FUZZ
    @given(ZENDESK_BODIES, HEADER)
    @example(b"\xed\xa0\x80", "")
    @example(json.dumps({"type": "zen:event-type:ticket.created", "detail": {"id": 7}, "id": "\ud800"}).encode(), "")
    def test_the_route(self, site: Site, body: bytes, invocation: str) -> None:
        before = site.rows()
        answer = site.zendesk(body, invocation)
        check_answer(site, answer, site.zendesk(body, invocation), body, before)

    @FUZZ
    @given(ZENDESK_BODIES, ANY_TEXT)
    def test_the_reader(self, body: bytes, invocation: str) -> None:
        headers = {zendesk.TIMESTAMP: STAMP, zendesk.SIGNATURE: zendesk.sign(ZENDESK_SECRET, STAMP, body)}
        call = Call(body, headers | {zendesk.INVOCATION: invocation})
        assert zendesk.verify(call, [ZENDESK_SECRET], NOW) == ""
        check_knock(zendesk.parse(call))
        assert zendesk.verify(Call(body + b" ", headers), [ZENDESK_SECRET], NOW) == "wrong signature"

    @FUZZ
    @given(st.binary(max_size=60), ANY_TEXT, ANY_TEXT, st.floats(0, 4e9))
    @example(b"", "0001-01-01T00:00:00+23:59", "x", NOW)
    @example(b"", "9999-12-31T23:59:59-23:59", "x", NOW)
    def test_no_made_up_signature_is_let_in(self, body: bytes, stamp: str, signature: str, now: float) -> None:
        call = Call(body, {zendesk.TIMESTAMP: stamp, zendesk.SIGNATURE: signature})
        assert zendesk.verify(call, [ZENDESK_SECRET], now)

    @pytest.mark.parametrize("stamp", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "0001-01-01"])
    def test_a_signed_time_at_the_ends_of_the_calendar_is_stale(self, stamp: str) -> None:
        call = Call(b"{}", {zendesk.TIMESTAMP: stamp, zendesk.SIGNATURE: zendesk.sign(ZENDESK_SECRET, stamp, b"{}")})
        assert zendesk.verify(call, [ZENDESK_SECRET], NOW).startswith("stale signature")


class TestFreshdesk:
    @FUZZ
    @given(FRESHDESK_BODIES, st.sampled_from(["application/json", "application/x-www-form-urlencoded", "text/xml", ""]))
    def test_the_route(self, site: Site, body: bytes, kind: str) -> None:
        before = site.rows()
        answer = site.freshdesk(body, kind)
        check_answer(site, answer, site.freshdesk(body, kind), body, before)

    @FUZZ
    @given(FRESHDESK_BODIES, st.floats(0, 4e9))
    def test_the_reader(self, body: bytes, now: float) -> None:
        check_knock(freshdesk.parse(Call(body, {}), now))

    @FUZZ
    @given(ANY_TEXT, ANY_TEXT, ANY_TEXT)
    def test_no_made_up_secret_is_let_in(self, header: str, password: str, token: str) -> None:
        call = Call(b"", {freshdesk.SECRET_HEADER: header}, {freshdesk.SECRET_PARAMETER: token}, password)
        assert freshdesk.verify(call, [FRESHDESK_SECRET], NOW)
