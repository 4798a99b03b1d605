"""Freshdesk's webhooks: the shared secret by three ways, and bodies that admins wrote by hand."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhooks.base import KEY_LENGTH, UNSTORABLE, Call, Kind, Knock
from webhooks.freshdesk import REPEAT_WINDOW_SECONDS, parse, verify

PAYLOADS = Path(__file__).parent / "payloads" / "freshdesk"
SECRET = "a-shared-secret-of-ours"
NOW = 1_700_000_000.0
MEBIBYTE = 1024 * 1024


def recorded(name: str) -> bytes:
    data = json.loads((PAYLOADS / f"webhook_{name}.json").read_text(encoding="utf-8"))
    return json.dumps(data["request"]["body"], ensure_ascii=False).encode()


def knock(body: bytes | str, now: float = NOW) -> Knock:
    return parse(Call(body.encode() if isinstance(body, str) else body, {}), now)


class TestSecret:
    def test_is_taken_from_header_password_or_token(self) -> None:
        assert verify(Call(b"", {"x-webhook-secret": SECRET}), [SECRET], NOW) == ""
        assert verify(Call(b"", {}, password=SECRET), [SECRET], NOW) == ""
        assert verify(Call(b"", {}, query={"token": SECRET}), [SECRET], NOW) == ""

    def test_right_in_one_place_is_enough(self) -> None:
        """An admin fills in Basic because the form demands it, and puts the secret elsewhere."""
        assert verify(Call(b"", {"x-webhook-secret": SECRET}, password="X"), [SECRET], NOW) == ""
        assert verify(Call(b"", {"x-webhook-secret": "no"}, {"token": SECRET}, "X"), [SECRET], NOW) == ""

    @pytest.mark.parametrize(
        "given_", ["x", SECRET[:-1], SECRET + "x", SECRET.upper(), " " + SECRET, "\x00", "é", "\ud800"]
    )
    def test_wrong_is_refused_wherever_it_stands(self, given_: str) -> None:
        for call in (
            Call(b"", {"x-webhook-secret": given_}),
            Call(b"", {}, {"token": given_}),
            Call(b"", {}, {}, given_),
        ):
            assert verify(call, [SECRET], NOW) == "wrong secret"

    def test_none_is_refused(self) -> None:
        assert verify(Call(b"", {}), [SECRET], NOW) == "no secret"
        assert verify(Call(b"", {"x-webhook-secret": ""}, {"token": ""}, ""), [SECRET], NOW) == "no secret"
        assert verify(Call(b"", {"x-webhook-secret": SECRET}), [], NOW) == "wrong secret"

    def test_old_and_new_are_good_while_both_are_listed(self) -> None:
        call = Call(b"", {"x-webhook-secret": SECRET})
        assert verify(call, ["the-new-secret-of-ours", SECRET], NOW) == ""
        assert verify(call, ["the-new-secret-of-ours"], NOW) == "wrong secret"


class TestRecorded:
    @pytest.mark.parametrize(
        ("name", "kind", "ticket_id", "event"),
        [
            ("ticket_created", Kind.WORK, "11", "{ticket_action:created}"),
            ("ticket_created_inline_image", Kind.WORK, "12", "{ticket_action:created}"),
            ("advanced_own_template", Kind.WORK, "6541", "nowe"),
            ("private_note", Kind.CLOCK, "11", "{note_type:private}"),
            ("status_changed", Kind.CLOCK, "11", "{status:{from:4,to:6}}"),
        ],
    )
    def test_payload(self, name: str, kind: Kind, ticket_id: str, event: str) -> None:
        got = knock(recorded(name))
        assert (got.kind, got.ticket_id, got.event) == (kind, ticket_id, event)

    def test_our_own_template(self) -> None:
        got = knock('{"event":"ticket_created","ticket_id":"11"}')
        assert (got.kind, got.ticket_id, got.event) == (Kind.WORK, "11", "ticket_created")


class TestForgiving:
    @pytest.mark.parametrize(
        "body",
        [
            '{"ticket_id": 11}',
            '{"ticket_id": " 11 "}',
            '{"ticket_id": "11", "text": "raw\nline\tbreak"}',
            '{"ticket_id": "11",}',
            '{"ticket_id": "11", "tags": ["a", "b", ], \n}',
            '{"freshdesk_webhook": {"ticket_id": "11", "text": "raw\nbreak",},}',
            "ticket_id=11&event=ticket_created",
            "event=ticket_created&ticket_id=11&text=a%20%26%20b",
            "freshdesk_webhook%5Bticket_id%5D=11&freshdesk_webhook%5Bticket_subject%5D=x",
            "freshdesk_webhook[ticket_id]=11",
            '{"text": "she said "no" and left", "ticket_id": "11"}',
            '{"priority": , "ticket_id": 11, "status": }',
            "{'ticket_id': '11'}",
            "{ticket_id: 11}",
            "<ticket><ticket_id>11</ticket_id></ticket>",
            '"{\\"ticket_id\\": \\"11\\"}"',
            '\ufeff{"ticket_id": "11"}',
            '{"ticket_id": "11", "text": "\\ud83d"}',
        ],
    )
    def test_the_ticket_is_found(self, body: str) -> None:
        assert (knock(body).kind, knock(body).ticket_id) == (Kind.WORK, "11")

    def test_invalid_utf8_is_no_hindrance(self) -> None:
        assert knock(b'{"text": "Gr\xfc\xdfe", "ticket_id": "11"}').ticket_id == "11"

    @pytest.mark.parametrize(
        "body",
        [
            "",
            "{}",
            "[]",
            "null",
            "hello",
            '{"ticket_id": ""}',
            '{"ticket_id": "{{ticket.id}}"}',
            '{"ticket_id": null, "other": 5}',
            '{"id": 11}',
            '{"freshdesk_webhook": {}}',
            '{"freshdesk_webhook": [{"ticket_id": 11}]}',
        ],
    )
    def test_without_a_ticket_the_admin_is_told_what_to_write(self, body: str) -> None:
        got = knock(body)
        assert got.kind is Kind.UNREADABLE
        assert '"ticket_id":"{{ticket.id}}"' in got.reason

    @pytest.mark.parametrize(
        "body",
        [
            '{"ticket_id": "", "5": "x"}',
            '{"ticket_id": -12}',
            '{"ticket_id": 12.5}',
            '{"ticket_id": 123456789012345678901234}',
            '{"ticket_id": "12abc"}',
            '{"ticket_id": "１２"}',
            '{"ticket_id": ["12"]}',
            '{"ticket_id": true}',
            '{"ticket_id": 12e3, }',
            '{"ticket_id": 123456789012345678901234, "x": "raw\n"',
            "freshdesk_webhook%5Bother_ticket_id%5D=11",
            "<my_ticket_id>11</my_ticket_id>",
            "ticket_id%5D=11 %",
        ],
    )
    def test_half_an_id_is_never_taken_for_another_tickets(self, body: str) -> None:
        assert (knock(body).kind, knock(body).ticket_id) == (Kind.UNREADABLE, "")

    def test_a_customer_cannot_name_another_ticket_in_a_body_that_reads_well(self) -> None:
        for words in ('"ticket_id": "666"', "ticket_id=666", "ticket_id: 666"):
            body = json.dumps({"freshdesk_webhook": {"ticket_id": "", "ticket_subject": words}})
            assert knock(body).kind is Kind.UNREADABLE
            body = json.dumps({"freshdesk_webhook": {"ticket_subject": words, "ticket_id": "11"}})
            assert knock(body).ticket_id == "11"


def test_a_change_an_admins_rule_tells_of_is_for_the_clocks() -> None:
    got = knock('{"event":"ticket_updated","ticket_id":"11"}')
    assert (got.kind, got.ticket_id, got.event) == (Kind.CLOCK, "11", "ticket_updated")


class TestKey:
    def test_a_creation_is_told_once_whatever_the_hour_and_the_rest_of_the_body(self) -> None:
        """A retry comes up to hours later, and an edited ticket has another subject by then."""
        first = knock('{"event":"ticket_created","ticket_id":"11","subject":"a"}')
        late = knock('{"event":"ticket_created","ticket_id":11,"subject":"b"}', NOW + 48 * 1800)
        assert first.key == late.key

    def test_other_events_repeat_within_seconds_only(self) -> None:
        body = recorded("status_changed")
        start = NOW - NOW % REPEAT_WINDOW_SECONDS
        first, repeat, later = (knock(body, start + late).key for late in (0, 4, 6))
        assert first == repeat != later

    def test_tickets_and_events_have_keys_of_their_own(self) -> None:
        bodies = [
            '{"event":"ticket_created","ticket_id":"11"}',
            '{"event":"ticket_created","ticket_id":"12"}',
            '{"event":"ticket_created_again","ticket_id":"11"}',
            '{"event":"escalated","ticket_id":"11"}',
            '{"event":"escalated","ticket_id":"11","by":"x"}',
            '{"ticket_id":"1","event":"1escalated"}',
            "{}",
            "[]",
        ]
        assert len({knock(body).key for body in bodies}) == len(bodies)


class TestHostile:
    @pytest.mark.parametrize(
        "body",
        [
            b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
            b"[" * 100_000,
            b"\x00" * 100,
            b'{"ticket_id":"11","event":"\\u0000created\\ud800","triggered_event":"\\udfff"}',
            b'{"ticket_id":"11","event":"' + b"x" * 5000 + b'"}',
            b'{"ticket_id":"11","event":["created"],"triggered_event":{"a":1}}',
            b'{"ticket_id":11,"ticket_id":12,"n":NaN}',
            b'{"ticket_id":' + b"1" * 5000 + b"}",
            b"\x1f\x8b\x08\x00\x00\x00\x00\x00",
        ],
    )
    def test_bodies_are_bounded_and_storable(self, body: bytes) -> None:
        check(knock(body))

    @pytest.mark.parametrize("depth", range(850, 1000, 5))
    def test_nesting_just_below_the_limit_of_the_reader_raises_nothing(self, depth: int) -> None:
        deep = "[" * depth + "]" * depth
        for key in ("event", "triggered_event", "ticket_id", "freshdesk_webhook"):
            check(knock(f'{{"ticket_id":"11","{key}":{deep}}}'))

    @given(st.binary(max_size=400), st.floats(0, 4e9))
    def test_any_bytes(self, body: bytes, now: float) -> None:
        check(parse(Call(body, {}), now))

    @given(st.text(alphabet='{}[]",:\\ \n=&%_ticket_id0123456789freshdesk_webhook<>', max_size=200))
    def test_any_near_miss(self, body: str) -> None:
        check(knock(body))

    @given(
        st.dictionaries(
            st.sampled_from(["event", "triggered_event", "ticket_id", "freshdesk_webhook"]),
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats()
            | st.text(max_size=250)
            | st.dictionaries(st.sampled_from(["event", "ticket_id"]), st.integers() | st.text(max_size=9), max_size=2),
        )
    )
    def test_any_object(self, data: dict[str, Any]) -> None:
        check(knock(json.dumps(data)))

    @pytest.mark.parametrize(
        "piece",
        [
            b",",
            b", ",
            b",  \n",
            b'"',
            b"\\",
            b"{",
            b"[",
            b'{"a":',
            b"ticket_id",
            b'ticket_id"',
            b"ticket_id: ",
            b"ticket_id:1",
            b"ticket_id:11111111111111111111",
            b"ticket_id=1&",
            b"freshdesk_webhook[",
            b"%",
            b"%5B",
            b"&",
            b"=",
            b"a=b&",
            b";",
            b" ",
            b"\xff",
            b"<",
            b"0",
            b"9",
            b"\x00",
            b'",}',
            b"freshdesk_webhook[ticket_id]",
        ],
    )
    def test_a_mebibyte_of_anything_is_read_in_linear_time(self, piece: bytes) -> None:
        """The slowest takes a second on one slow core; a pattern that backtracks would take minutes."""
        for wrap in (b"%s", b'{"x":"%s', b"{,%s", b"x=%s"):
            body = (wrap % (piece * (MEBIBYTE // len(piece))))[:MEBIBYTE]
            start = time.perf_counter()
            check(parse(Call(body, {}), NOW))
            assert time.perf_counter() - start < 8


def check(got: Knock) -> None:
    """Assert that any database can store it."""
    assert 0 < len(got.key) <= KEY_LENGTH
    assert len(got.event) <= 80
    for text in (got.key, got.event, got.ticket_id, got.reason):
        assert not UNSTORABLE.search(text)
        text.encode()
    assert (got.kind is Kind.UNREADABLE) == (got.ticket_id == "")
    assert got.ticket_id.isascii()
