"""What stands before Flask: the same answers as anywhere else, and everything that is no webhook goes on."""

from __future__ import annotations

import logging

import pytest
from flask.testing import FlaskClient

from tests.test_edge import ZENDESK, FakeWakeup, event, knock, make_web
from triage.settings import Settings
from triage.store import Store
from webhooks.app import GUARDS
from webhooks.door import ADDRESS
from webhooks.edge import Edge


@pytest.fixture
def client(settings: Settings, sqlite_store: Store) -> FlaskClient:
    return make_web(settings, sqlite_store, FakeWakeup()).test_client()


def test_every_answer_to_a_webhook_is_guarded(client: FlaskClient) -> None:
    answers = [
        knock(client, event()),
        knock(client, event()),
        knock(client, b"unreadable"),
        client.post(ZENDESK, data=event()),
        client.post("/webhooks/zendesk/nobody", data=event()),
        client.post(ZENDESK, data=b"x" * 2_000_000),
        client.get(ZENDESK),
    ]
    assert [answer.status_code for answer in answers] == [202, 200, 400, 401, 404, 413, 405]
    for answer in answers:
        assert answer.content_type == "application/json"
        assert {name: answer.headers[name] for name in GUARDS} == GUARDS


def test_the_unexpected_is_answered_and_logged_as_anywhere_else(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*_: object) -> None:
        raise ValueError("a customer's words")

    monkeypatch.setattr(Edge, "receive", fails)
    answer = client.post(ZENDESK, data=event())
    assert (answer.status_code, answer.json) == (500, {"error": "internal error"})
    assert {name: answer.headers[name] for name in GUARDS} == GUARDS
    assert "unexpected ValueError in the web process" in caplog.text
    assert "customer" not in caplog.text


@pytest.mark.parametrize("path", [f"/{ADDRESS}", f"/{ADDRESS}/zendesk", f"{ZENDESK}/", "/other/zendesk/acme"])
def test_other_addresses_go_on_to_flask(client: FlaskClient, path: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert client.post(path, data=event()).status_code == 404
    assert "webhook" not in caplog.text
