"""The description of our endpoints is valid and names all of them; tests/fuzz holds the answers to it."""

from __future__ import annotations

import re

import pytest
import schemathesis
from flask import Flask
from sqlalchemy import text

from tests.test_edge import FakeWakeup, make_web
from triage.settings import Settings
from triage.store import Store
from webhooks.edge import VENDORS
from webhooks.openapi import DESCRIPTION, PATHS


@pytest.fixture
def app(settings: Settings, sqlite_store: Store) -> Flask:
    return make_web(settings, sqlite_store, FakeWakeup())


def test_every_endpoint_is_described_and_no_other(app: Flask) -> None:
    """The console's pages are for people; the two of them that are described lead to it and answer programs."""
    there = set()
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule)
        if path.startswith("/console") and path != "/console/audit.csv":
            continue
        for each in [path.replace("{vendor}", vendor) for vendor in VENDORS] if "{vendor}" in path else [path]:
            there |= {(each, method.lower()) for method in rule.methods or () if method not in ("HEAD", "OPTIONS")}
    described = {(path, method) for path, item in PATHS.items() for method in item if method != "parameters"}
    assert described == there


def test_it_is_valid_and_open_to_everybody(app: Flask) -> None:
    answer = app.test_client().get("/openapi.json")
    assert answer.json == DESCRIPTION
    schemathesis.openapi.from_dict(answer.json).validate()
    with pytest.raises(ValueError, match="description"):
        schemathesis.openapi.from_dict({**DESCRIPTION, "paths": {"/x": {"get": {"responses": {"200": {}}}}}}).validate()


def test_another_method_is_told_which_there_are(app: Flask) -> None:
    answer = app.test_client().get("/webhooks/zendesk/acme")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "OPTIONS, POST")


def test_readiness_is_described_whatever_it_says(settings: Settings, sqlite_store: Store) -> None:
    described = schemathesis.openapi.from_dict(DESCRIPTION)["/readyz"]["GET"]
    broker, said = FakeWakeup(), []
    client = make_web(settings, sqlite_store, broker).test_client()
    for broker.is_refused in (False, True):
        answer = client.get("/readyz")
        described.validate_response(answer)
        said.append((answer.json or {})["status"])
    assert said == ["ok", "degraded"]


def test_metrics_without_a_database_ask_to_come_again(app: Flask, sqlite_store: Store) -> None:
    with sqlite_store.engine.begin() as connection:
        connection.execute(text("DROP TABLE runs"))
    answer = app.test_client().get("/metrics")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    assert answer.json == {"error": "the database does not answer"}
