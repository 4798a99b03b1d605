"""Any answer of a helpdesk: the connector returns what its callers can work with, or raises an error of ours."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
import responses
import time_machine
from hypothesis import example, given
from hypothesis import strategies as st
from test_connector_recordings import HOSTS, NOW, PAYLOADS, VENDORS, connector_of

from connectors import schedules, time_zones, values
from connectors.base import Connector, Fields
from connectors.http import MAX_WAIT
from tests.desks import SETTINGS, VARIABLES
from tests.fuzz.shapes import ANY_TEXT, FUZZ, ODD, bent, fewer, nested, written
from triage.clean import clean_ticket
from triage.errors import TandemError, Wait
from triage.settings_file import parse_settings
from triage.ticket import Message, Requester, Ticket

REFERENCE = "TDM-0123456789"
NOTE = f"<p>{REFERENCE}</p>"
IDS = {"zendesk": "4017", "freshdesk": "22"}
SINCE = datetime(2022, 1, 1, tzinfo=UTC)
OUR_TICKET = Ticket(
    "x", "22", tags=("a", "ai_b"), stamp="2022-11-18T00:00:00Z",
    requester=Requester("5", "Ada", "ada@customer.example"), messages=(Message("1", "customer",
    "x"),),  # type: ignore[arg-type]
)  # fmt: skip

Use = Callable[[Connector, str], Any]
USES: dict[str, Use] = {
    "account": lambda desk, _: desk.account(),
    "read": lambda desk, number: desk.read(number),
    "look": lambda desk, number: desk.look(number),
    "find_note": lambda desk, number: desk.find_note(number, REFERENCE),
    "find_reply": lambda desk, number: desk.find_reply(number, REFERENCE),
    "post": lambda desk, number: desk.post(
        ticket(number), NOTE, REFERENCE, Fields("high", "testGroup0", {"360001": "x", "cf_x": "y"})
    ),
    "reply": lambda desk, number: desk.reply(ticket(number), NOTE, REFERENCE),
    "update_note": lambda desk, number: desk.update_note(number, "5", NOTE, REFERENCE),
    "set_fields": lambda desk, number: desk.set_fields(ticket(number), Fields("high", custom={"cf_x": "y"})),
    "add_tags": lambda desk, number: desk.add_tags(ticket(number), ("ai_a", "ai_c")),
    "remove_tags": lambda desk, number: desk.remove_tags(ticket(number), ("ai_b",)),
    "put_back": lambda desk, number: desk.put_back(
        ticket(number), {"priority": None, "group": None}, {"priority": "low", "group": "testGroup0"}
    ),
    "schedules": lambda desk, _: desk.schedules(),
    "tickets_of": lambda desk, _: desk.tickets_of("ada@customer.example"),
    "changes": lambda desk, _: desk.changes(""),
    "history": lambda desk, _: desk.history("", SINCE),
    "past": lambda desk, number: desk.past([number, "7"]),
    "articles": lambda desk, _: walked(desk),
    "replies": lambda desk, number: desk.replies(ticket(number)),
}


def ticket(number: str) -> Ticket:
    return Ticket(**{**OUR_TICKET.__dict__, "id": number})


def walked(desk: Connector) -> list[Any]:
    """Return all articles, of four pages at most."""
    page = desk.articles("")
    found = list(page.articles)
    for _ in range(3):
        if not page.more:
            break
        page = desk.articles(page.cursor)
        found += page.articles
    return found


def _kind_of(method: str, path: str) -> tuple[str, str]:
    return method, re.sub(r"/\d+", "/#", urlsplit(path).path)


def _recorded(vendor: str) -> dict[tuple[str, str], list[Any]]:
    found: dict[tuple[str, str], list[Any]] = {}
    for path in sorted((PAYLOADS / vendor).glob("*.json")):
        one = json.loads(path.read_text("utf-8"))
        if "response" in one:
            kind = _kind_of(one["request"]["method"], one["request"]["path"])
            found.setdefault(kind, []).append(one["response"]["body"])
    return found


RECORDED = {vendor: _recorded(vendor) for vendor in VENDORS}
STATUSES = st.sampled_from([*[200] * 12, 201, 202, 204, 302, 400, 401, 403, 404, 405, 409, 410, 422, 429, 500, 503])
HEADERS = st.dictionaries(
    st.sampled_from([
        "Retry-After", "Date", "Link", "X-RateLimit-Total", "X-RateLimit-Remaining",
        "X-RateLimit-Used-CurrentRequest",
        "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "zendesk-rate-limit-tickets-update",
        "X-Zendesk-API-Warn", "Location", "Content-Type",
    ]),
    st.sampled_from([
        "0", "-1", "34", "1e999", "nan", "inf", "Wed, 21 Oct 2026 07:28:00 GMT",
        "Wed, 21 Oct 99999999999999999999 07:28:00 GMT", "Mon, 01 Jan 0001 00:00:00 +2359",
        "Fri, 31 Dec 9999 23:59:59 -2359", "Wed, 21 Oct 2026 07:28:00 +999999999", "x",
        '<https://evil.example/x?page=2>; rel="next"', "total=99999999999999999999; remaining=-5; resets=x",
        "total=100; remaining=0; resets=0", "https://evil.example/", '{:unpermitted_keys=>["a"]}',
    ])
    | st.text(st.characters(max_codepoint=126, min_codepoint=32), max_size=30),
    max_size=3,
)  # fmt: skip


@contextmanager
def answering(vendor: str, data: st.DataObject, hosts: list[str]) -> Iterator[Connector]:
    """Return a connector whose helpdesk answers each call with something like a recording; `hosts` is who was asked."""

    def answer(request: Any) -> tuple[int, dict[str, str], bytes]:
        hosts.append(urlsplit(request.url).netloc)
        good = RECORDED[vendor].get(_kind_of(request.method, request.url), [{}])
        body = data.draw(st.just(json.dumps(good[0]).encode()) | written(bent(good)) | written(nested()))
        return data.draw(STATUSES), data.draw(HEADERS), body

    settings = parse_settings(SETTINGS, VARIABLES)
    # The token is good, or nothing else would be asked; what a bad one does is asked below.
    signed_in = json.dumps({"access_token": "t", "scope": "read write", "expires_in": 1800})
    with (
        time_machine.travel(NOW[vendor], tick=False),
        responses.RequestsMock(assert_all_requests_are_fired=False) as mock,
    ):
        mock.add("POST", f"{HOSTS['zendesk']}/oauth/tokens", body=signed_in)
        for method in ("GET", "PUT", "POST", "DELETE"):
            mock.add_callback(method, re.compile(".*"), answer)
        yield connector_of(vendor, settings)


@pytest.mark.parametrize("vendor", VENDORS)
class TestAnyAnswer:
    @pytest.mark.parametrize("use", USES)
    @fewer(6)
    @given(st.data())
    def test_is_read_or_an_error_of_ours(self, vendor: str, use: str, data: st.DataObject) -> None:
        hosts: list[str] = []
        with answering(vendor, data, hosts) as desk:
            try:
                found = USES[use](desk, IDS[vendor])
            except Wait as error:
                assert 0 < error.seconds <= 2 * MAX_WAIT
                return
            except TandemError as error:
                assert len(str(error)) < 1_000
                return
            finally:
                assert set(hosts) <= {urlsplit(HOSTS[vendor]).netloc}
        if isinstance(found, Ticket):
            assert found.id
            clean_ticket(found)
        if use in ("past", "history"):
            for one in found if use == "past" else found.tickets:
                clean_ticket(one.ticket)


class TestSigningIn:
    @FUZZ
    @given(written(st.fixed_dictionaries({"access_token": ODD | ANY_TEXT, "scope": ODD, "expires_in": ODD})))
    def test_with_any_token(self, body: bytes) -> None:
        with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
            mock.add("POST", f"{HOSTS['zendesk']}/oauth/tokens", body=body)
            mock.add("GET", f"{HOSTS['zendesk']}/api/v2/users/me.json", json={"user": {"id": 5}})
            with suppress(TandemError):
                connector_of("zendesk", parse_settings(SETTINGS, VARIABLES)).account()


class TestValues:
    @FUZZ
    @given(nested() | ANY_TEXT)
    @example("0001-01-01T00:00:00+23:59")
    @example("9999-12-31T23:59:59-23:59")
    @example(10**400)
    @example(float("inf"))
    @example(float("nan"))
    @example("1" * 400)
    @example("9" * 5_000)
    def test_any_value_is_read_as_something(self, value: Any) -> None:
        moment, amount = values.when(value), values.number(value)
        assert moment is None or moment.tzinfo is UTC
        assert amount is None or abs(amount) < float("inf")
        for read in (values.text, values.words, values.ident):
            assert isinstance(read(value), str | None)
        assert isinstance(values.as_list(value), list)
        assert all(isinstance(one, dict) for one in values.rows(value))

    @FUZZ
    @given(ANY_TEXT | st.sampled_from(["../../etc/passwd", "Europe/Berlin", "/", ".", "\x00", "a" * 5_000]))
    def test_any_time_zone(self, name: str) -> None:
        with suppress(TandemError):
            time_zones.iana_name(name)

    @FUZZ
    @given(
        st.lists(
            st.lists(st.tuples(st.integers(-5, 2_000), st.integers(-5, 2_000)), max_size=3), min_size=7, max_size=7
        )
    )
    def test_any_week(self, week: list[list[tuple[int, int]]]) -> None:
        with suppress(TandemError):
            schedules.hours_in(week, "x")
