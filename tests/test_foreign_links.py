"""A helpdesk whose every answer points to another host: nothing is asked there, and no credential goes there.

`tests/test_http.py` shows the same of one call; here both connectors do all they do.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from test_connector_recordings import VENDORS
from test_connector_sandbox import CREDENTIALS, NOTE, REFERENCE, Box
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from connectors.base import Fields
from sandbox.app import create_app, sandbox_of
from sandbox.config import SandboxConfig
from sandbox.testing import Receiver, Running, receiving
from triage.classify.api import Api
from triage.errors import ModelError, TandemError
from triage.ticket import Ticket

LINKS = ("next", "next_page", "after_url", "url", "html_url", "content_url", "attachment_url", "location")
PATHS = ("/zendesk/", "/freshdesk/")
# More than a page of either vendor.
TICKETS = 105


class Hostile:
    """A sandbox helpdesk whose answers lead to `thief`: by links, and as redirects where `status` says one."""

    def __init__(self, app: Callable[..., Iterable[bytes]], thief: str) -> None:
        self.app = app
        self.thief = thief
        self.status = 0
        self.asked: list[str] = []

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        request = Request(environ)
        if not request.path.startswith(PATHS):
            return self.app(environ, start_response)
        self.asked.append(request.full_path)
        there = f"{self.thief}{request.path}"
        if self.status and "/oauth/" not in request.path:
            return Response("{}", self.status, {"Location": there})(environ, start_response)
        answer = Response.from_app(self.app, environ)
        headers = [(name, value) for name, value in answer.headers if name not in ("Content-Length", "Link")]
        headers += [("Link", f'<{there}>; rel="next"'), ("Location", there), ("Refresh", f"0; url={there}")]
        body = answer.get_data()
        with suppress(ValueError):
            body = json.dumps(self.led_away(json.loads(body), there)).encode()
        return Response(body, answer.status, headers)(environ, start_response)

    def led_away(self, data: Any, there: str) -> Any:
        """Return `data` with every link in it leading to the thief."""
        if isinstance(data, list):
            return [self.led_away(one, there) for one in data]
        if not isinstance(data, dict):
            return data
        changed = {key: self.led_away(value, there) for key, value in data.items()}
        if "meta" in changed:
            changed["links"] = {"next": there, "prev": there}
        return {key: there if key in LINKS and isinstance(value, str) else value for key, value in changed.items()} | {
            "next_page": there
        }


@pytest.fixture
def thief() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture
def hostile(thief: Receiver) -> Iterator[tuple[Hostile, Running]]:
    app = create_app(SandboxConfig(**CREDENTIALS))
    hostile = Hostile(app, thief.url)
    server = make_server("127.0.0.1", 0, hostile, threaded=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield hostile, Running(f"http://127.0.0.1:{server.port}", sandbox_of(app))
    finally:
        sandbox_of(app).close()
        server.shutdown()
        server.server_close()


def everything(box: Box, ticket: Ticket) -> list[Callable[[], Any]]:
    """Return each thing a connector does, to be done in this order."""
    one, ticket_id, since = box.connector, ticket.id, datetime.now(UTC) - timedelta(days=2)
    epoch = str(int(since.timestamp())) if box.vendor == "zendesk" else since.isoformat()
    return [
        one.account,
        lambda: one.read(ticket_id),
        lambda: one.look(ticket_id),
        lambda: one.find_note(ticket_id, REFERENCE),
        lambda: one.post(ticket, NOTE, REFERENCE, Fields(priority="high")),
        lambda: one.add_tags(ticket, ("ai_escalate",)),
        lambda: one.set_fields(one.read(ticket_id), Fields(priority="low")),
        lambda: one.reply(ticket, f"<p>Hello {REFERENCE}</p>", REFERENCE),
        one.schedules,
        lambda: one.tickets_of("ada@customer.example"),
        lambda: one.changes(epoch),
        lambda: one.history("", since),
        lambda: one.past([ticket_id]),
        lambda: one.articles(""),
        lambda: one.replies(ticket),
    ]


@pytest.mark.parametrize("vendor", VENDORS)
def test_no_link_in_an_answer_is_followed(vendor: str, hostile: tuple[Hostile, Running], thief: Receiver) -> None:
    front, running = hostile
    box = Box(running, vendor)
    tickets = [box.ticket(requester={"name": "Ada", "email": "ada@customer.example"}) for _ in range(TICKETS)]
    done = 0
    for act in everything(box, box.connector.read(tickets[0])):
        with suppress(TandemError):
            act()
            done += 1
    assert thief.received == []
    # And it was no idle run: most was done, and further pages were asked for here.
    assert done >= 12
    assert any("page%5Bafter%5D" in path or "page=2" in path for path in front.asked), front.asked
    assert REFERENCE in str(box.shown(tickets[0])["comments"])


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(vendor: str, status: int, hostile: tuple[Hostile, Running], thief: Receiver) -> None:
    front, running = hostile
    box = Box(running, vendor)
    ticket = box.connector.read(box.ticket())
    front.status = status
    front.asked.clear()
    acts = everything(box, ticket)
    for act in acts:
        with suppress(TandemError):
            act()
    assert thief.received == []
    assert len(front.asked) >= len(acts) / 2


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_the_model_endpoint_leads_nowhere_either(status: int, thief: Receiver) -> None:
    """Neither the key nor the ticket goes to a host nobody has configured."""
    with receiving() as endpoint:
        endpoint.answers = [(status, {"Location": f"{thief.url}/v1/chat/completions"})]
        api = Api(f"{endpoint.url}/v1", "the-key")
        with pytest.raises(ModelError):
            api.chat({"model": "m", "messages": [{"role": "user", "content": "the ticket"}]}, 5.0)
        assert len(endpoint.received) == 1
    assert thief.received == []
