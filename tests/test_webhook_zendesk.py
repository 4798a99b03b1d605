"""Zendesk's webhooks: who is let in, and what is read out of both kinds of body, hostile ones too."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.settings import PUBLIC_TEST_SECRET
from webhooks.base import KEY_LENGTH, UNSTORABLE, Call, Kind, Knock
from webhooks.zendesk import INVOCATION, SIGNATURE, TIMESTAMP, parse, sign, verify

PAYLOADS = Path(__file__).parent / "payloads" / "zendesk"
SECRET = "a-signing-secret-of-ours"
STAMP = "2023-09-18T23:38:13Z"
SIGNED_AT = 1_695_080_293.0


def recorded(name: str) -> Call:
    request = json.loads((PAYLOADS / f"webhook_{name}.json").read_text(encoding="utf-8"))["request"]
    body = request["body_text"] if "body_text" in request else json.dumps(request["body"])
    return Call(body.encode(), {key.lower(): value for key, value in request["headers"].items()})


def signed(body: bytes, secret: str = SECRET, stamp: str = STAMP, **headers: str) -> Call:
    return Call(body, {TIMESTAMP: stamp, SIGNATURE: sign(secret, stamp, body), **headers})


def event(**changes: Any) -> bytes:
    data = json.loads(recorded("ticket_created").body)
    return json.dumps(data | changes).encode()


def parse_body(body: bytes, **headers: str) -> Knock:
    return parse(Call(body, headers))


class TestSignature:
    def test_is_the_one_of_zendesks_own_example(self) -> None:
        body = b'{"event":"ticket.updated","id":123}'
        expected = "S/RDdU2ERmj7LHDDoWJ2onPYH+t7/f2+LTM4dL7UiLM="
        assert sign(PUBLIC_TEST_SECRET, "2021-03-25T05:09:27Z", body) == expected

    def test_covers_the_bytes_as_they_came(self) -> None:
        """The recorded delivery is printed with 3 spaces: written anew from its JSON it no longer matches."""
        call = recorded("user_deleted")
        # Computed here, not by the code under test.
        mac = hmac.new(SECRET.encode(), STAMP.encode() + call.body, hashlib.sha256).digest()
        good = Call(call.body, {TIMESTAMP: STAMP, SIGNATURE: base64.b64encode(mac).decode()})
        assert call.body.endswith(b"}\n")
        assert verify(good, [SECRET], SIGNED_AT) == ""
        again = json.dumps(json.loads(call.body)).encode()
        assert again != call.body
        assert verify(Call(again, good.headers), [SECRET], SIGNED_AT) == "wrong signature"

    def test_of_the_recorded_delivery_is_refused_without_its_secret(self) -> None:
        assert verify(recorded("user_deleted"), [SECRET], SIGNED_AT) == "wrong signature"

    @pytest.mark.parametrize("late", [-300, -240, 0, 240, 300])
    def test_is_good_for_five_minutes_around_its_own_time(self, late: int) -> None:
        assert verify(signed(b"{}"), [SECRET], SIGNED_AT + late) == ""

    @pytest.mark.parametrize("late", [-86_400, -360, -301, 301, 360, 86_400])
    def test_is_stale_outside(self, late: int) -> None:
        said = verify(signed(b"{}"), [SECRET], SIGNED_AT + late)
        assert said.startswith("stale signature: ")
        assert f"{abs(late):.0f} s {'ago' if late > 0 else 'ahead'}" in said

    def test_of_a_delivery_that_was_throttled_first_is_fresh(self) -> None:
        """The body's own time is 490 s before the signature's: only the latter counts."""
        body = recorded("user_deleted").body
        assert json.loads(body)["time"] == "2023-09-18T23:30:03Z"
        assert verify(signed(body), [SECRET], SIGNED_AT + 299) == ""

    def test_of_an_old_and_a_new_secret_are_both_good_while_both_are_listed(self) -> None:
        secrets = ["the-new-secret-of-ours", SECRET]
        assert verify(signed(b"{}"), secrets, SIGNED_AT) == ""
        assert verify(signed(b"{}", secrets[0]), secrets, SIGNED_AT) == ""
        assert verify(signed(b"{}"), secrets[:1], SIGNED_AT) == "wrong signature"
        assert verify(signed(b"{}"), [], SIGNED_AT) == "wrong signature"

    def test_breaks_with_every_changed_byte(self) -> None:
        call = signed(event())
        for at in range(0, len(call.body), 7):
            changed = bytearray(call.body)
            changed[at] ^= 1
            assert verify(Call(bytes(changed), call.headers), [SECRET], SIGNED_AT) == "wrong signature"

    def test_breaks_with_a_moved_timestamp(self) -> None:
        headers = {**signed(b"{}").headers, TIMESTAMP: "2023-09-18T23:38:14Z"}
        assert verify(Call(b"{}", headers), [SECRET], SIGNED_AT) == "wrong signature"

    @pytest.mark.parametrize("missing", [SIGNATURE, TIMESTAMP])
    def test_must_be_there_with_its_time(self, missing: str) -> None:
        headers = {**signed(b"{}").headers, missing: ""}
        assert verify(Call(b"{}", headers), [SECRET], SIGNED_AT) == "no signature"
        del headers[missing]
        assert verify(Call(b"{}", headers), [SECRET], SIGNED_AT) == "no signature"

    def test_sent_twice_is_refused(self) -> None:
        call = signed(b"{}")
        twice = {**call.headers, SIGNATURE: f"{call.headers[SIGNATURE]},{call.headers[SIGNATURE]}"}
        assert verify(Call(b"{}", twice), [SECRET], SIGNED_AT) == "wrong signature"

    @pytest.mark.parametrize(
        "stamp",
        [
            "yesterday",
            "1695080293",
            "1695080293.5",
            "2023-09-18T23:38:60Z",
            "2023-13-18T23:38:13Z",
            "0",
            "-1",
            "NaN",
            "２０２３-09-18T23:38:13Z",
            "2023-09-18\ud80023:38:13Z",
            "2023-09-18é23:38:13Z",
            "\x00",
            "2023-09-18T23:38:13Z, 2",
        ],
    )
    def test_with_an_unreadable_time_is_refused_and_raises_nothing(self, stamp: str) -> None:
        headers = {TIMESTAMP: stamp, SIGNATURE: "S/RDdU2ERmj7LHDDoWJ2onPYH+t7/f2+LTM4dL7UiLM="}
        assert verify(Call(b"{}", headers), [SECRET], SIGNED_AT) == "unreadable signature timestamp"

    @pytest.mark.parametrize("stamp", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2023-09-18"])
    def test_from_another_age_is_stale(self, stamp: str) -> None:
        assert verify(signed(b"{}", stamp=stamp), [SECRET], SIGNED_AT).startswith("stale signature: ")

    @pytest.mark.parametrize(
        "stamp", ["2023-09-18T23:38:13", "2023-09-19T01:38:13+02:00", "2023-09-18T23:38:13.672717Z"]
    )
    def test_may_tell_its_time_in_any_iso_form(self, stamp: str) -> None:
        assert verify(signed(b"{}", stamp=stamp), [SECRET], SIGNED_AT) == ""

    @pytest.mark.parametrize("secret", ["ключ-подписи-вебхука", "pässwort-für-zendesk", "🔑🔑🔑🔑🔑🔑"])
    def test_works_with_any_alphabet(self, secret: str) -> None:
        body = '{"ticket_id":"5","subject":"Grüße, 世界 ☃"}'.encode()
        assert verify(signed(body, secret), [SECRET, secret], SIGNED_AT) == ""
        assert verify(signed(body, secret), [SECRET], SIGNED_AT) == "wrong signature"
        broken = Call(body, {TIMESTAMP: STAMP, SIGNATURE: secret})
        assert verify(broken, [secret], SIGNED_AT) == "wrong signature"

    @given(st.text(max_size=60), st.text(max_size=60), st.binary(max_size=60))
    def test_never_raises_and_never_lets_a_guess_in(self, stamp: str, signature: str, body: bytes) -> None:
        assert verify(Call(body, {TIMESTAMP: stamp, SIGNATURE: signature}), [SECRET], SIGNED_AT) != ""


class TestEvents:
    def test_a_new_ticket_is_work(self) -> None:
        knock = parse(recorded("ticket_created"))
        assert knock == Knock(
            Kind.WORK, "event:cbe4028c-7239-495d-b020-f22348516046", "5158", "created", "8447388090494"
        )

    @pytest.mark.parametrize(
        ("name", "event_name"),
        [("comment_added", "comment_added"), ("status_changed_huge_sequence", "status_changed")],
    )
    def test_what_may_move_a_clock_is_for_the_clocks(self, name: str, event_name: str) -> None:
        knock = parse(recorded(name))
        assert (knock.kind, knock.ticket_id, knock.event) == (Kind.CLOCK, "5158", event_name)

    @pytest.mark.parametrize(
        ("comment", "kind"),
        [
            ({"is_public": False, "body": "Too long.\n@Tandem shorter"}, Kind.ASK),
            ({"is_public": True, "body": "@tandem shorter"}, Kind.CLOCK),
            ({"is_public": False, "body": "Known customer"}, Kind.CLOCK),
            ({"body": "@tandem"}, Kind.CLOCK),
            ({"is_public": False, "body": ["@tandem"]}, Kind.CLOCK),
            ("@tandem", Kind.CLOCK),
        ],
    )
    def test_a_private_comment_may_ask(self, comment: Any, kind: Kind) -> None:
        knock = parse_body(event(type="zen:event-type:ticket.comment_added", event={"comment": comment}))
        assert (knock.kind, knock.ticket_id) == (kind, "5158")

    @pytest.mark.parametrize(
        ("happened", "added"),
        [({"tags_added": ["vip", "ai_please", 5]}, ("vip", "ai_please", "")), ({"tags_added": "x"}, ()), (None, ())],
    )
    def test_tags_are_handed_on(self, happened: Any, added: tuple[str, ...]) -> None:
        knock = parse_body(event(type="zen:event-type:ticket.tags_changed", event=happened))
        assert (knock.kind, knock.tags_added) == (Kind.IGNORE, added)

    @pytest.mark.parametrize(
        ("name", "event_name"),
        [
            ("tags_changed", "tags_changed"),
            ("attachment_null_tags", "attachment_linked_to_comment"),
        ],
    )
    def test_other_ticket_events_are_ignored(self, name: str, event_name: str) -> None:
        knock = parse(recorded(name))
        assert (knock.kind, knock.ticket_id, knock.event) == (Kind.IGNORE, "5158", event_name)

    def test_a_user_event_is_ignored(self) -> None:
        knock = parse(recorded("user_deleted"))
        assert (knock.kind, knock.ticket_id, knock.reason) == (Kind.IGNORE, "", "not a ticket event")

    @pytest.mark.parametrize("type_", ["zen:event-type:ticket.zapped", "zen:event-type:moon.rose", "zen:", "?", ""])
    def test_an_event_of_tomorrow_is_ignored(self, type_: str) -> None:
        assert parse_body(event(type=type_)).kind is Kind.IGNORE

    def test_the_id_of_the_event_is_the_key_whatever_the_invocation(self) -> None:
        first, second = (parse_body(event(), **{INVOCATION: one}) for one in ("01A", "01B"))
        assert first.key == second.key != parse_body(event(id="another"), **{INVOCATION: "01A"}).key

    @pytest.mark.parametrize("id_", [None, "", 12, [], {}])
    def test_without_an_id_the_invocation_is_the_key(self, id_: Any) -> None:
        assert parse_body(event(id=id_), **{INVOCATION: "01A"}).key == "invocation:01A"
        assert parse_body(event(id=id_)).key.startswith("body:")

    @pytest.mark.parametrize("sent", ["5158", 5158, " 5158 "])
    def test_an_id_may_be_text_or_number(self, sent: Any) -> None:
        assert parse_body(event(detail={"id": sent}, subject="")).ticket_id == "5158"

    def test_an_id_may_need_64_bits(self) -> None:
        assert parse_body(event(detail={"id": 9_223_372_036_854_775_807})).ticket_id == "9223372036854775807"

    @pytest.mark.parametrize("detail", [{"id": ""}, {"id": "0"}, {"id": None}, {}, None, "x", [5158], {"id": True}])
    def test_without_one_the_subject_names_the_ticket(self, detail: Any) -> None:
        assert parse_body(event(detail=detail)).ticket_id == "5158"

    @pytest.mark.parametrize(
        "id_",
        ["", "0", 0, "00", -5, "-5", "5.0", 5.0, "5e3", "٥١٥٨", "１２", "5/../6", "5?x=1", "9" * 20, [5], {"a": 5}],
    )
    def test_what_is_no_id_is_unreadable(self, id_: Any) -> None:
        knock = parse_body(event(detail={"id": id_}, subject=None))
        assert (knock.kind, knock.ticket_id, knock.reason) == (Kind.UNREADABLE, "", "the event names no ticket")

    @pytest.mark.parametrize(("sent", "actor"), [("77", "77"), (77, "77"), ("", ""), ("0", ""), (None, ""), ([], "")])
    def test_the_actor_is_an_id_or_nobody(self, sent: Any, actor: str) -> None:
        assert parse_body(event(detail={"id": "5158", "actor_id": sent})).actor_id == actor


class TestTriggers:
    def test_the_trigger_for_changes_moves_clocks_only(self) -> None:
        """As docs/zendesk.md has it, placeholder filled in."""
        text = (PAYLOADS.parents[2] / "docs" / "zendesk.md").read_text("utf-8")
        [body] = re.findall(r'^ *(\{"event": "ticket_updated".*)$', text, re.M)
        knock = parse_body(body.replace("{{ticket.id}}", "5158").encode())
        assert (knock.kind, knock.ticket_id, knock.event) == (Kind.CLOCK, "5158", "ticket_updated")

    def test_the_trigger_for_the_tag_asks(self) -> None:
        """As docs/zendesk.md has it, placeholder filled in."""
        text = (PAYLOADS.parents[2] / "docs" / "zendesk.md").read_text("utf-8")
        [body] = re.findall(r'^ *(\{"event": "ticket_asked".*)$', text, re.M)
        knock = parse_body(body.replace("{{ticket.id}}", "5158").encode())
        assert (knock.kind, knock.ticket_id, knock.event) == (Kind.ASK, "5158", "ticket_asked")

    def test_a_trigger_is_work(self) -> None:
        knock = parse(recorded("trigger"))
        assert knock == Knock(Kind.WORK, "invocation:01HANA2B5D5W9XSJS3NE5SQA1J", "5158", "trigger")

    def test_the_tickets_own_type_in_the_body_makes_it_no_event(self) -> None:
        """{{ticket.ticket_type}} is a usual placeholder of hand-written trigger bodies."""
        knock = parse_body(b'{"ticket_id": 5158, "type": "Incident", "id": "x"}')
        assert (knock.kind, knock.ticket_id, knock.event) == (Kind.WORK, "5158", "trigger")

    def test_without_an_invocation_a_repeat_is_known_by_its_bytes(self) -> None:
        one, again, other = (parse_body(b'{"ticket_id":%d}' % number).key for number in (5, 5, 6))
        assert one == again != other

    @pytest.mark.parametrize("body", [b"{}", b'{"ticket_id":""}', b'{"ticket_id":"{{ticket.id}}"}', b'{"id":5158}'])
    def test_without_a_ticket_it_is_unreadable_and_says_what_to_write(self, body: bytes) -> None:
        knock = parse_body(body)
        assert knock.kind is Kind.UNREADABLE
        assert '"ticket_id": "{{ticket.id}}"' in knock.reason


HOSTILE = {
    "nothing": b"",
    "100k deep": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "100k arrays": b"[" * 100_000,
    "array": b'[{"type":"zen:event-type:ticket.created"}]',
    "text": b'"ticket"',
    "null": b"null",
    "invalid utf-8": b'{"ticket_id":"\xff\xfe5"}',
    "half a surrogate": b'{"type":"zen:event-type:ticket.\\ud800","id":"\\udfff\\u0000","detail":{"id":"5"}}',
    "a number of 5,000 digits": b'{"ticket_id":' + b"9" * 5000 + b"}",
    "cut": b'{"type":"zen:event-type:ticket.created","detail":{"id":',
    "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xabV*I-.Q\xb2R2T\xaa\x05\x00",
    "nul": b"\x00" * 50,
    "long id": b'{"type":"zen:event-type:ticket.created","id":"' + b"x" * 5000 + b'","detail":{"id":"5"}}',
}


class TestHostile:
    @pytest.mark.parametrize("name", HOSTILE)
    def test_bodies_are_bounded_and_storable(self, name: str) -> None:
        check(parse_body(HOSTILE[name]))

    @pytest.mark.parametrize(
        "name",
        [
            "nothing",
            "100k deep",
            "100k arrays",
            "array",
            "text",
            "null",
            "invalid utf-8",
            "a number of 5,000 digits",
            "cut",
            "gzip",
            "nul",
        ],
    )
    def test_what_is_no_object_is_kept_for_the_admin(self, name: str) -> None:
        assert parse_body(HOSTILE[name]).kind is Kind.UNREADABLE

    def test_two_long_ids_that_begin_alike_are_two_events(self) -> None:
        first, second = (parse_body(event(id="x" * 5000 + end)).key for end in "ab")
        assert first != second
        assert max(len(first), len(second)) <= KEY_LENGTH

    def test_a_long_invocation_id_fits_the_column(self) -> None:
        check(parse_body(b"{}", **{INVOCATION: "9" * 8000}))

    def test_nan_and_duplicate_keys_are_json_enough(self) -> None:
        """The last of two keys counts, as for every reader of JSON; NaN is nowhere a ticket."""
        assert parse_body(b'{"ticket_id":1,"ticket_id":2,"x":NaN,"y":-Infinity}').ticket_id == "2"
        assert parse_body(b'{"ticket_id":NaN}').kind is Kind.UNREADABLE

    @pytest.mark.parametrize("depth", range(850, 1000, 5))
    def test_nesting_just_below_the_limit_of_the_reader_raises_nothing(self, depth: int) -> None:
        deep = "[" * depth + "]" * depth
        for key in ("id", "subject", "type", "detail", "ticket_id"):
            check(parse_body(f'{{"type":"zen:event-type:ticket.created","{key}":{deep}}}'.encode()))
        check(parse_body(f'{{"type":"zen:event-type:ticket.created","detail":{{"actor_id":{deep}}}}}'.encode()))

    @given(st.binary(max_size=300), st.text(max_size=300))
    def test_any_bytes_and_any_invocation(self, body: bytes, invocation: str) -> None:
        check(parse_body(body, **{INVOCATION: invocation}))

    @given(
        st.dictionaries(
            st.sampled_from(["type", "id", "subject", "detail", "ticket_id", "event"]),
            st.recursive(
                st.none()
                | st.booleans()
                | st.integers()
                | st.floats()
                | st.text(max_size=250)
                | st.sampled_from(["zen:event-type:ticket.created", "zen:ticket:7", "7"]),
                lambda inner: (
                    st.lists(inner, max_size=3)
                    | st.dictionaries(st.sampled_from(["id", "actor_id"]), inner, max_size=2)
                ),
                max_leaves=6,
            ),
        )
    )
    def test_any_object(self, data: dict[str, Any]) -> None:
        check(parse_body(json.dumps(data).encode()))


def check(knock: Knock) -> None:
    """Assert that any database can store it."""
    assert 0 < len(knock.key) <= KEY_LENGTH
    assert len(knock.event) <= 80
    for text in (knock.key, knock.event, knock.ticket_id, knock.actor_id, knock.reason):
        assert not UNSTORABLE.search(text)
        text.encode()
    assert knock.ticket_id == "" or knock.ticket_id.isascii()
    assert (knock.kind is not Kind.WORK) or knock.ticket_id
