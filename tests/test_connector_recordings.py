"""The recorded exchanges the connector tests answer with, and a check that each file is one."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import responses

from connectors import open_connector
from connectors.base import Connector
from connectors.budget import Budget
from triage.settings import Settings

PAYLOADS = Path(__file__).parent / "payloads"
VENDORS = ("zendesk", "freshdesk")
DESKS = {"zendesk": "acme", "freshdesk": "globex"}
HOSTS = {"zendesk": "https://acme.zendesk.com", "freshdesk": "https://globex.freshdesk.com"}
# A moment within 30 days of the recorded history.
NOW = {"zendesk": datetime(2023, 9, 20, tzinfo=UTC), "freshdesk": datetime(2022, 11, 18, tzinfo=UTC)}
KINDS = {"recorded", "fixture", "doc_sample", "derived"}

Change = Callable[[Any], None]


def exchange(vendor: str, name: str) -> dict[str, Any]:
    """Return one recorded exchange."""
    found: dict[str, Any] = json.loads((PAYLOADS / vendor / f"{name}.json").read_text(encoding="utf-8"))
    return found


class Recordings:
    """A helpdesk made of recorded answers; several answers to one call are given in the order they were added."""

    def __init__(self, vendor: str, mock: responses.RequestsMock) -> None:
        self.vendor = vendor
        self.mock = mock

    def answer(self, name: str, change: Change | None = None, *, method: str = "", path: str = "") -> None:
        """Answer the call of recording `name` with it; `method` and `path` put it under another call."""
        one = copy.deepcopy(exchange(self.vendor, name))
        request, response = one["request"], one["response"]
        if change:
            change(response["body"])
        headers = {key: value for key, value in response["headers"].items() if key.lower() != "content-type"}
        self.mock.add(
            method or request["method"],
            self.url(path or request["path"]),
            body="" if response["body"] is None else json.dumps(response["body"]),
            status=response["status"],
            headers=headers,
            content_type="application/json; charset=utf-8",
        )

    def fail(self, method: str, path: str, status: int = 500, body: str = "<html>busy</html>") -> None:
        """Answer a call with something no API should answer."""
        self.mock.add(method, self.url(path), body=body, status=status, content_type="text/html")

    def url(self, path: str) -> str:
        """Return the address of an API path as the recordings write it."""
        return HOSTS[self.vendor] + path.partition("?")[0]

    def calls(self) -> list[str]:
        """Return method and path of the calls made, signing in left out."""
        made = [f"{call.request.method} {call.request.path_url.partition('?')[0]}" for call in self.mock.calls]
        return [one.replace("/api/v2", "") for one in made if "/oauth/" not in one]

    def sent(self, method: str) -> list[Any]:
        """Return the decoded bodies of all calls with `method`, signing in left out."""
        made = [call.request for call in self.mock.calls if call.request.method == method]
        return [json.loads(one.body) if one.body else None for one in made if "/oauth/" not in (one.url or "")]


def connector_of(vendor: str, settings: Settings, redis_url: str = "") -> Connector:
    """Return the connector of the test desk of `vendor`."""
    name = DESKS[vendor]
    return open_connector(name, settings.desks[name], Budget(redis_url, name, 200))


EXCHANGES = [path for path in sorted(PAYLOADS.glob("*desk/*.json")) if '"response": {' in path.read_text("utf-8")]


@pytest.mark.parametrize("path", EXCHANGES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_recording_is_one_exchange_with_its_source(path: Path) -> None:
    one = json.loads(path.read_text(encoding="utf-8"))
    assert one["source"]
    assert one["kind"] in KINDS
    assert {"method", "path"} <= set(one["request"])
    assert {"status", "headers", "body"} <= set(one["response"])
