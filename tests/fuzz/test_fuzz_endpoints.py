"""The endpoints answer as /openapi.json says, whatever is sent: calls made up of it by schemathesis."""

from __future__ import annotations

import io
import os
import re
import time
from collections.abc import Iterable
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from schemathesis import Case
from schemathesis.config import SchemathesisConfig

from tests.desks import FRESHDESK_SECRET, ZENDESK_SECRET
from tests.test_edge import FakeWakeup
from tests.test_feedback import KEY, run_of
from triage.environment import read_environment
from triage.links import DAY_SECONDS, Claim, sign
from triage.settings import Settings
from triage.store import Store
from webhooks.app import create_app
from webhooks.openapi import DESCRIPTION
from webhooks.voters import COOKIE, VOTER_LENGTH, Voters
from webhooks.zendesk import sign as signature

# Stands for a right signature, which only a sender that knows the body's bytes can make.
SIGN_ME = "sign-me"
PASSWORD = "a-console-password"
VOTER = "v" * VOTER_LENGTH
SIGNATURE, STAMP = "HTTP_X_ZENDESK_WEBHOOK_SIGNATURE", "HTTP_X_ZENDESK_WEBHOOK_SIGNATURE_TIMESTAMP"
CREDENTIALS = {
    "X-Zendesk-Webhook-Signature": SIGN_ME,
    "X-Zendesk-Webhook-Signature-Timestamp": "now",
    "X-Webhook-Secret": FRESHDESK_SECRET,
}
DESKS = {"/webhooks/zendesk/{desk}": "acme", "/webhooks/freshdesk/{desk}": "globex"}
# Of each endpoint.
EXAMPLES = {"short": 25, "long": 1000}[os.environ.get("HYPOTHESIS_PROFILE", "short")]
GENERATED = hypothesis_settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
# A webhook that says more than described is taken: both vendors' circuit breakers count every other answer.
CONFIG = {
    "checks": {"negative_data_rejection": {"enabled": False}},
    # A form that did not come from the page is 400 whatever it holds.
    "operations": [
        {"include-name": "POST /feedback/{token}", "checks": {"positive_data_acceptance": {"enabled": False}}},
        # It takes our cookie for one it made up; that nobody comes in without is asserted below.
        {"include-name": "GET /console/audit.csv", "checks": {"ignored_auth": {"enabled": False}}},
    ],
}


class Sender:
    """The application behind a sender that signs as Zendesk does, and that knows a link of a note."""

    app: Flask
    link: str
    session: str

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if (environ.get(SIGNATURE), environ.get(STAMP)) == (SIGN_ME, "now"):
            body = environ["wsgi.input"].read()
            environ["wsgi.input"] = io.BytesIO(body)
            environ[STAMP] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            environ[SIGNATURE] = signature(ZENDESK_SECRET, environ[STAMP], body)
        return self.app(environ, start_response)


SENDER = Sender()
ENDPOINTS = schemathesis.openapi.from_dict(DESCRIPTION, config=SchemathesisConfig.from_dict(CONFIG))
ENDPOINTS.app = SENDER


def led(case: Case) -> Case:
    """Let half of the calls name a desk and a link that there are."""
    for name, known in (("desk", DESKS.get(case.path)), ("token", SENDER.link)):
        if known and name in case.path_parameters and len(str(case.path_parameters[name])) % 2:
            case.path_parameters[name] = known
            if name == "token" and isinstance(case.body, dict):
                case.body["form"] = Voters(KEY, secure=False).form_token(VOTER, known)
    return case


@pytest.fixture
def app(settings: Settings, sqlite_store: Store) -> Flask:
    environment = read_environment({"SECRET_KEY": KEY, "CONSOLE_PASSWORD": PASSWORD})
    return create_app(environment, settings, sqlite_store, FakeWakeup())  # type: ignore[arg-type]


def signed_in(app: Flask) -> str:
    """Return the cookie of an admin of the console."""
    browser = app.test_client()
    found = re.search(r'name="csrf" value="([^"]+)"', browser.get("/console/login").text)
    assert found
    browser.post("/console/login", data={"csrf": found[1], "password": PASSWORD})
    cookie = browser.get_cookie("tandem_console", path="/console/")
    assert cookie
    return cookie.value


@pytest.fixture
def sender(app: Flask, sqlite_store: Store) -> Sender:
    SENDER.app = app
    SENDER.session = signed_in(app)
    SENDER.link = sign(KEY, Claim("vote", run_of(sqlite_store).reference, "right", int(time.time() // DAY_SECONDS) + 9))
    return SENDER


@ENDPOINTS.parametrize()
@GENERATED
def test_who_is_known_is_answered_as_described(case: Case, sender: Sender) -> None:
    cookies = {COOKIE: VOTER, "tandem_console": sender.session}
    led(case).call_and_validate(headers=CREDENTIALS, cookies=cookies)


@ENDPOINTS.parametrize()
@GENERATED
def test_who_is_not_known_is_answered_as_described(case: Case, sender: Sender) -> None:
    answer = led(case).call()
    case.validate_response(answer)
    if case.operation.definition.raw.get("security") and case.method != "OPTIONS":
        assert answer.status_code in (303, 401, 404, 405), answer.status_code
