"""The sandbox as a whole: webhooks and their retries, faults, the control API, the pages and the command."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.config import ConfigError, SandboxConfig
from sandbox.sender import sign_zendesk
from sandbox.testing import Receiver, Running, Session, receiving, running

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "sandbox" / "sample_tickets.jsonl"
CONFIG = SandboxConfig(
    zendesk_email="bot@acme.example",
    zendesk_api_token="token",
    zendesk_webhook_secret="zendesk-secret",
    freshdesk_api_key="key",
    freshdesk_webhook_secret="freshdesk-secret",
    zendesk_retry_delay=0.05,
    retry_after_scale=0.02,
    freshdesk_retry_delays=(0.05, 0.05, 0.05),
)
SAMPLE: dict[str, Any] = {
    "subject": "Help",
    "body": "Please help.",
    "requester": {"name": "Ann", "email": "ann@customer.example"},
}


@pytest.fixture
def tandem() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def box(tandem: Receiver) -> Iterator[Running]:
    with running(replace(CONFIG, deliver_to=tandem.url)) as served:
        yield served


@pytest.fixture
def control(box: Running) -> Session:
    return Session(f"{box.url}/sandbox")


@pytest.fixture
def zendesk(box: Running) -> Session:
    return Session(f"{box.zendesk}/api/v2", "bot@acme.example/token", "token")


@pytest.fixture
def freshdesk(box: Running) -> Session:
    return Session(f"{box.freshdesk}/api/v2", "key")


def until(check: Callable[[], Any], seconds: float = 10.0) -> Any:
    """Wait until `check` gives something true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := check():
            return found
        time.sleep(0.02)
    raise AssertionError("it did not happen")


def settled(control: Session) -> dict[str, Any]:
    """Wait until the only delivery is delivered or given up."""
    found = until(
        lambda: [
            one
            for one in control.get("/deliveries.json").json()["deliveries"]
            if one["state"] in ("delivered", "failed")
        ]
    )
    assert isinstance(found[0], dict)
    return found[0]


# -- webhooks


def test_signature_matches_the_vendors_check_vector() -> None:
    secret = "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ=="
    body = b'{"event":"ticket.updated","id":123}'
    assert sign_zendesk(secret, "2021-03-25T05:09:27Z", body) == "S/RDdU2ERmj7LHDDoWJ2onPYH+t7/f2+LTM4dL7UiLM="


def test_a_zendesk_ticket_sends_a_signed_event(control: Session, tandem: Receiver) -> None:
    control.post("/tickets", json={**SAMPLE, "vendor": "zendesk", "subject": "Empty {} braces"})
    (one,) = tandem.wait(1)
    assert one.path == "/webhooks/zendesk/acme"
    stamp = one.headers["x-zendesk-webhook-signature-timestamp"]
    mac = hmac.new(b"zendesk-secret", stamp.encode() + one.body, hashlib.sha256)
    assert one.headers["x-zendesk-webhook-signature"] == base64.b64encode(mac.digest()).decode()
    assert one.headers["user-agent"] == "Zendesk Webhook"
    assert one.headers["content-type"] == "application/json; charset=utf-8"
    assert len(one.headers["x-zendesk-webhook-invocation-id"]) == len(one.headers["x-zendesk-webhook-id"]) == 26
    assert one.body.startswith(b'{\n   "account_id": ')
    assert b'"event": { }' in one.body
    event = json.loads(one.body)
    assert event["type"] == "zen:event-type:ticket.created"
    assert event["subject"] == f"zen:ticket:{event['detail']['id']}"
    assert str(event["account_id"]) == one.headers["x-zendesk-account-id"]
    assert (event["detail"]["status"], event["detail"]["priority"], event["detail"]["tags"]) == ("NEW", None, None)
    assert event["detail"]["subject"] == "Empty {} braces"
    assert all(isinstance(event["detail"][key], str) for key in ("id", "requester_id", "group_id", "actor_id"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", event["time"])


def test_a_freshdesk_ticket_sends_the_recommended_template(control: Session, tandem: Receiver) -> None:
    control.post("/tickets", json={**SAMPLE, "vendor": "freshdesk"})
    (one,) = tandem.wait(1)
    assert one.path == "/webhooks/freshdesk/globex"
    assert json.loads(one.body) == {"event": "ticket_created", "ticket_id": "1"}
    assert one.headers["x-webhook-secret"] == "freshdesk-secret"


@pytest.mark.parametrize("where", ["basic", "query"])
def test_freshdesk_can_prove_itself_in_other_ways(tandem: Receiver, where: Any) -> None:
    with running(replace(CONFIG, deliver_to=tandem.url, freshdesk_proof=where)) as box:
        Session(box.url).post("/sandbox/tickets", json={**SAMPLE, "vendor": "freshdesk"})
        (one,) = tandem.wait(1)
    assert "x-webhook-secret" not in one.headers
    if where == "query":
        assert one.path.endswith("?token=freshdesk-secret")
    else:
        assert base64.b64decode(one.headers["authorization"].split()[1]).endswith(b":freshdesk-secret")


def test_silent_tickets_send_nothing(control: Session, tandem: Receiver) -> None:
    control.post("/tickets", json={**SAMPLE, "vendor": "both", "silent": True})
    control.post("/tickets", json={**SAMPLE, "vendor": "zendesk"})
    tandem.wait(1)
    assert len(control.get("/deliveries.json").json()["deliveries"]) == 1


@pytest.mark.parametrize(
    ("answers", "tries", "state"),
    [
        ([(409, {})] * 3, 4, "delivered"),
        ([(409, {})] * 4, 4, "failed"),
        ([(503, {"Retry-After": "30"})], 2, "delivered"),
        ([(429, {"Retry-After": "2"})], 2, "delivered"),
        ([(503, {"Retry-After": "60"})], 1, "failed"),
        ([(503, {})], 1, "failed"),
        ([(500, {})], 1, "failed"),
        ([(401, {})], 1, "failed"),
    ],
)
def test_zendesk_retries_only_what_the_vendor_does(
    control: Session, tandem: Receiver, answers: list[tuple[int, dict[str, str]]], tries: int, state: str
) -> None:
    tandem.answers = list(answers)
    control.post("/tickets", json={**SAMPLE, "vendor": "zendesk"})
    delivery = settled(control)
    assert (len(delivery["attempts"]), delivery["state"]) == (tries, state)
    invocations = {one.headers["x-zendesk-webhook-invocation-id"] for one in tandem.received}
    assert len(invocations) == 1
    assert len({one.body for one in tandem.received}) == 1


def test_zendesk_signs_each_retry_afresh(control: Session, tandem: Receiver) -> None:
    tandem.answers = [(503, {"Retry-After": "59"})]  # 59 s scaled down to 1.2 s: another second, another signature
    control.post("/tickets", json={**SAMPLE, "vendor": "zendesk"})
    first, second = tandem.wait(2)
    stamps = {one.headers["x-zendesk-webhook-signature-timestamp"] for one in (first, second)}
    assert len(stamps) == 2
    assert first.headers["x-zendesk-webhook-signature"] != second.headers["x-zendesk-webhook-signature"]


def test_zendesk_gives_up_waiting_and_tries_five_times_more(tandem: Receiver) -> None:
    tandem.delay = 0.4
    with running(replace(CONFIG, deliver_to=tandem.url, zendesk_timeout=0.1, zendesk_retry_delay=0.01)) as box:
        Session(box.url).post("/sandbox/tickets", json={**SAMPLE, "vendor": "zendesk"})
        delivery = settled(Session(f"{box.url}/sandbox"))
    assert [one["error"] for one in delivery["attempts"]] == ["504 Gateway Timeout"] * 6


@pytest.mark.parametrize(("failures", "tries", "state"), [(2, 3, "delivered"), (4, 4, "failed")])
def test_freshdesk_retries_every_error(
    control: Session, tandem: Receiver, failures: int, tries: int, state: str
) -> None:
    tandem.answers = [(500, {})] * failures
    control.post("/tickets", json={**SAMPLE, "vendor": "freshdesk"})
    delivery = settled(control)
    assert (len(delivery["attempts"]), delivery["state"]) == (tries, state)


def test_a_delivery_can_come_twice(control: Session, tandem: Receiver) -> None:
    control.post("/tickets", json={**SAMPLE, "vendor": "zendesk"})
    again = settled(control)["id"]
    assert control.post(f"/deliveries/{again}/again").status_code == 202
    first, second = tandem.wait(2)
    assert first.body == second.body
    assert first.headers["x-zendesk-webhook-invocation-id"] == second.headers["x-zendesk-webhook-invocation-id"]


def test_our_own_writes_can_come_back_as_events(tandem: Receiver) -> None:
    events = frozenset({"created", "comment_added", "tags_changed", "status_changed"})
    config = replace(
        CONFIG,
        deliver_to=tandem.url,
        zendesk_events=events,
        freshdesk_events=frozenset({"ticket_created", "ticket_updated"}),
    )
    with running(config) as box:
        Session(box.url).post("/sandbox/tickets", json=SAMPLE)
        api = Session(f"{box.zendesk}/api/v2", "bot@acme.example/token", "token")
        note = {"body": "our note", "public": False}
        api.put("/tickets/1.json", json={"ticket": {"comment": note, "tags": ["t"], "status": "open"}})
        Session(f"{box.freshdesk}/api/v2", "key").put("/tickets/1", json={"priority": 2})
        received = tandem.wait(6)
        bot = Session(box.url).get("/sandbox/state").json()["accounts"]["zendesk"]["bot_id"]
    bodies = {
        b.get("type", b["event"] if "ticket_id" in b else ""): b for b in (json.loads(one.body) for one in received)
    }
    assert "ticket_updated" in bodies
    said = bodies["zen:event-type:ticket.comment_added"]
    assert (said["event"]["comment"]["body"], said["event"]["comment"]["is_public"]) == ("our note", False)
    assert said["event"]["comment"]["author"]["is_staff"] is True
    assert said["detail"]["actor_id"] == str(bot)
    assert bodies["zen:event-type:ticket.tags_changed"]["event"]["tags_added"] == ["t"]
    status = bodies["zen:event-type:ticket.status_changed"]["event"]
    assert (status["current"], status["previous"]) == ("OPEN", "NEW")


def test_the_trigger_kind_sends_placeholders(tandem: Receiver) -> None:
    with running(replace(CONFIG, deliver_to=tandem.url, zendesk_webhooks="trigger")) as box:
        Session(box.url).post("/sandbox/tickets", json={**SAMPLE, "vendor": "zendesk"})
        (one,) = tandem.wait(1)
    assert set(json.loads(one.body)) == {"ticket_id", "updated_at"}
    assert json.loads(one.body)["ticket_id"] == "1"


def test_no_webhook_secret_no_sandbox() -> None:
    with (
        pytest.raises(ConfigError, match="SANDBOX_FRESHDESK_WEBHOOK_SECRET"),
        running(replace(CONFIG, deliver_to="http://127.0.0.1:1", freshdesk_webhook_secret="")),
    ):
        pass


# -- faults


def test_faults_answer_instead_of_the_helpdesk(control: Session, zendesk: Session) -> None:
    control.post("/tickets", json={**SAMPLE, "silent": True})
    down = {"status": 503, "body": {"error": "down"}, "headers": {"Retry-After": "7"}}
    control.post("/faults", json=[{"match": {"method": "GET", "path": r"/tickets/\d+"}, "do": down, "times": 2}])
    for _ in range(2):
        answer = zendesk.get("/tickets/1.json")
        assert (answer.status_code, answer.json(), answer.headers["Retry-After"]) == (503, {"error": "down"}, "7")
    assert zendesk.get("/tickets/1.json").status_code == 200
    (fault,) = control.get("/faults").json()["faults"]
    assert (fault["left"], fault["used"]) == (0, 2)
    control.post("/faults", json={"match": {"path": "zendesk"}, "do": {"html": True}, "times": None})
    assert zendesk.get("/groups.json").headers["Content-Type"] == "text/html"
    assert control.delete("/faults").status_code == 204
    assert zendesk.get("/groups.json").status_code == 200
    assert control.post("/faults", json={"match": {}, "do": {"explode": True}}).status_code == 400


@pytest.mark.parametrize("lost", ["reset", "timeout", 500])
def test_a_write_can_land_although_its_answer_is_lost(
    control: Session, zendesk: Session, freshdesk: Session, lost: Any
) -> None:
    control.post("/tickets", json={**SAMPLE, "silent": True})
    do = {"apply_then": lost, "seconds": 3}
    control.post("/faults", json=[{"match": {"method": "PUT"}, "do": do}, {"match": {"method": "POST"}, "do": do}])
    note = {"ticket": {"comment": {"body": "note", "public": False}}}
    if lost == 500:
        assert zendesk.put("/tickets/1.json", json=note).status_code == 500
        assert freshdesk.post("/tickets/1/notes", json={"body": "note"}).status_code == 500
    else:
        expected = requests.ConnectionError if lost == "reset" else requests.Timeout
        with pytest.raises(expected):
            zendesk.put("/tickets/1.json", json=note, timeout=0.5)
        with pytest.raises(expected):
            freshdesk.post("/tickets/1/notes", json={"body": "note"}, timeout=0.5)
    state = control.get("/state").json()
    assert [len(state[vendor][0]["comments"]) for vendor in ("zendesk", "freshdesk")] == [2, 2]


def test_notes_can_come_back_public_and_answers_broken_or_late(
    control: Session, zendesk: Session, freshdesk: Session
) -> None:
    control.post("/tickets", json={**SAMPLE, "silent": True})
    control.post("/faults", json=[{"match": {"path": "tickets"}, "do": {"make_public": True}, "times": 2}])
    note = {"ticket": {"comment": {"body": "note", "public": False}}}
    assert zendesk.put("/tickets/1.json", json=note).json()["audit"]["events"][0]["public"] is True
    assert freshdesk.post("/tickets/1/notes", json={"body": "x", "private": True}).json()["private"] is False
    control.post("/faults", json=[{"do": {"truncate": True}}, {"do": {"delay": 0.3}}])
    with pytest.raises(requests.JSONDecodeError):
        zendesk.get("/tickets/1.json").json()
    started = time.monotonic()
    assert zendesk.get("/tickets/1.json").status_code == 200
    assert time.monotonic() - started >= 0.3


def test_a_fault_may_strike_a_share_of_the_calls(control: Session, zendesk: Session) -> None:
    fault = {"match": {"path": "groups"}, "do": {"status": 503}, "times": None, "share": 0.3, "seed": 7}
    control.post("/faults", json=fault)
    first = [zendesk.get("/groups.json").status_code for _ in range(60)]
    control.delete("/faults")
    control.post("/faults", json=fault)
    assert [zendesk.get("/groups.json").status_code for _ in range(60)] == first
    assert 8 <= first.count(503) <= 28
    assert control.post("/faults", json=fault | {"share": 2}).status_code == 400


def test_answers_can_break_off_drip_or_be_of_another_kind(control: Session, zendesk: Session) -> None:
    control.post("/tickets", json={**SAMPLE, "silent": True})
    tags = {"tags": ["one"]}
    for do, error in (
        ({"hang_up": True}, requests.ConnectionError),
        ({"cut": True}, (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)),
        ({"drip": "head", "pause": 0.6}, requests.ReadTimeout),
        ({"drip": "body", "pause": 0.6}, requests.ConnectionError),
    ):
        control.post("/faults", json={"do": do})
        started = time.monotonic()
        with pytest.raises(error):
            zendesk.put("/tickets/1/tags.json", json=tags, timeout=0.3)
        assert time.monotonic() - started < 3
        landed = control.get("/state").json()["zendesk"][0]["tags"] == ["one"]
        assert landed is not (do == {"hang_up": True}), "only who hangs up at once has done nothing"
    control.post("/faults", json=[{"do": {"html": True, "status": 200}}, {"do": {"content_type": "text/html"}}])
    page = zendesk.get("/tickets/1.json")
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html")
    with pytest.raises(requests.JSONDecodeError):
        page.json()
    assert zendesk.get("/tickets/1.json").json()["ticket"]["id"] == 1
    control.post("/faults", json={"do": {"megabytes": 2}})
    assert len(zendesk.get("/tickets/1.json").content) == 2 * 1024 * 1024


@pytest.mark.parametrize("kind", ["same", "new"])
def test_pages_can_go_on_for_ever(control: Session, zendesk: Session, freshdesk: Session, kind: str) -> None:
    control.post("/tickets", json={**SAMPLE, "silent": True})
    control.post("/faults", json={"do": {"endless": kind}, "times": None})
    cursors = set()
    for path, query in (("/groups.json", "page[size]=100"), ("/incremental/tickets/cursor.json", "start_time=1")):
        for _ in range(3):
            page = zendesk.get(f"{path}?{query}").json()
            cursor = page["meta"]["after_cursor"] if "meta" in page else page["after_cursor"]
            assert page["meta"]["has_more"] if "meta" in page else not page["end_of_stream"]
            query = f"page[size]=100&page[after]={cursor}" if "meta" in page else f"cursor={cursor}"
            cursors.add(cursor)
    assert len(cursors) == (6 if kind == "new" else 1)
    assert 'rel="next"' in freshdesk.get("/groups?page=9").headers["Link"]


# -- control


def test_state_shows_both_desks_in_the_same_words(control: Session, zendesk: Session, freshdesk: Session) -> None:
    control.post("/tickets", json={**SAMPLE, "id": "s1", "silent": True})
    accounts = control.get("/state").json()["accounts"]
    zendesk.put(
        "/tickets/1.json",
        json={
            "ticket": {
                "comment": {"html_body": "<p>n</p>", "public": False},
                "priority": "urgent",
                "tags": ["t"],
                "group_id": accounts["zendesk"]["groups"]["Security"],
            }
        },
    )
    freshdesk.post("/tickets/1/notes", json={"body": "<p>n</p>"})
    freshdesk.put(
        "/tickets/1", json={"priority": 4, "tags": ["t"], "group_id": accounts["freshdesk"]["groups"]["Security"]}
    )
    freshdesk.get("/tickets/1")
    state = control.get("/state").json()
    for vendor in ("zendesk", "freshdesk"):
        (ticket,) = state[vendor]
        assert (ticket["sample_id"], ticket["priority"], ticket["group"], ticket["tags"]) == (
            "s1",
            "urgent",
            "Security",
            ["t"],
        )
        customer, bot = ticket["comments"]
        assert (customer["author_role"], customer["public"]) == ("customer", True)
        assert (bot["author_role"], bot["public"], bot["html"]) == ("bot", False, "<p>n</p>")
        assert bot["author_id"] == accounts[vendor]["bot_id"]
    assert state["calls"]["tickets"]["freshdesk/1"] == {
        "POST /api/v2/tickets/{id}/notes": 1,
        "PUT /api/v2/tickets/{id}": 1,
        "GET /api/v2/tickets/{id}": 1,
    }
    assert state["calls"]["endpoints"]["zendesk PUT /api/v2/tickets/{id}"] == 1
    assert control.delete("/calls").status_code == 204
    assert control.get("/state").json()["calls"]["total"] == 0


@pytest.mark.parametrize("vendor", ["zendesk", "freshdesk"])
def test_a_human_agent_can_act(control: Session, vendor: str) -> None:
    control.post("/tickets", json={**SAMPLE, "vendor": vendor, "tags": ["old"], "silent": True})
    wishes = {
        "reply": "Hello",
        "note": "psst",
        "customer_reply": "and?",
        "tags_add": ["new"],
        "tags_remove": ["old"],
        "priority": "medium",
        "group": "Product",
        "status": "solved",
    }
    ticket = control.post(f"/agent/{vendor}/1", json=wishes).json()
    assert [(one["author_role"], one["public"], one["text"]) for one in ticket["comments"][1:]] == [
        ("customer", True, "and?"),
        ("agent", True, "Hello"),
        ("agent", False, "psst"),
    ]
    assert (ticket["tags"], ticket["group"]) == (["new"], "Product")
    words = {"zendesk": ("solved", "normal"), "freshdesk": ("resolved", "medium")}
    assert (ticket["status"], ticket["priority"]) == words[vendor]
    assert control.post(f"/agent/{vendor}/1", json={"group": "Nobody"}).status_code == 400
    assert control.post(f"/agent/{vendor}/99", json={"note": "x"}).status_code == 404


def test_the_feed_pushes_every_sample_to_both(tandem: Receiver) -> None:
    count = len(SAMPLES.read_text(encoding="utf-8").splitlines())
    with running(replace(CONFIG, deliver_to=tandem.url, tickets=SAMPLES)) as box:
        control = Session(f"{box.url}/sandbox")
        answer = control.post("/feed", json={"every": 0}).json()
        tandem.wait(2 * count)
        state = control.get("/state").json()
    assert state["feed"] == {"total": count, "sent": count, "running": False, "done": True}
    assert len(answer["samples"]) == count
    for vendor in ("zendesk", "freshdesk"):
        ids = {ticket["sample_id"]: ticket["id"] for ticket in state[vendor] if ticket["sample_id"]}
        assert ids == {sample: tickets[vendor] for sample, tickets in answer["samples"].items()}


def test_a_slow_feed_keeps_the_ids_it_promised(tandem: Receiver) -> None:
    with running(replace(CONFIG, deliver_to=tandem.url, tickets=SAMPLES)) as box:
        control = Session(f"{box.url}/sandbox")
        promised = control.post("/feed", json={"every": 0.1, "limit": 3}).json()["samples"]
        assert control.post("/feed", json={"every": 0}).status_code == 409
        mine = control.post("/tickets", json={**SAMPLE, "vendor": "zendesk"}).json()["id"]
        until(lambda: control.get("/state").json()["feed"]["done"])
        state = control.get("/state").json()
    assert mine not in {tickets["zendesk"] for tickets in promised.values()}
    ids = {ticket["sample_id"]: ticket["id"] for ticket in state["zendesk"] if ticket["sample_id"]}
    assert ids == {sample: tickets["zendesk"] for sample, tickets in promised.items()}


def test_many_writers_lose_nothing(box: Running, control: Session) -> None:
    control.post("/tickets", json={**SAMPLE, "vendor": "zendesk", "silent": True})

    def write(place: int) -> None:
        api = Session(f"{box.zendesk}/api/v2", "bot@acme.example/token", "token")
        assert api.put("/tickets/1/tags.json", json={"tags": [f"tag{place}"]}).ok

    threads = [threading.Thread(target=write, args=(place,)) for place in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(control.get("/state").json()["zendesk"][0]["tags"]) == 16


def test_other_sites_cannot_reach_it(control: Session) -> None:
    assert control.get("/state", headers={"Host": "evil.example"}).status_code == 403
    assert control.post("/feed", headers={"Origin": "https://evil.example"}).status_code == 403


# -- pages


def test_pages_escape_what_customers_write(box: Running, control: Session, zendesk: Session) -> None:
    nasty = "<script>alert(1)</script>"
    control.post(
        "/tickets",
        json={
            "subject": nasty,
            "body": f"{nasty}<img src=x onerror=alert(1)>",
            "html": True,
            "tags": [nasty],
            "requester": {"name": nasty, "email": "x@y.example"},
            "organization": {"name": nasty, "tier": nasty},
            "attachments": [nasty],
            "silent": True,
        },
    )
    zendesk.put(
        "/tickets/1.json",
        json={
            "ticket": {
                "comment": {"html_body": f"<p>note</p>{nasty}<a href='javascript:alert(1)'>x</a>", "public": False}
            }
        },
    )
    site = Session(box.url)
    for path in (
        "/",
        "/zendesk/agent/tickets/1",
        "/freshdesk/a/tickets/1",
        "/sandbox/deliveries",
        "/new?vendor=%3Cscript",
    ):
        page = site.get(path)
        assert page.status_code == 200
        assert "<script" not in page.text, path
        assert "onerror" not in page.text.replace("&lt;", ""), path
        assert "javascript:" not in page.text, path
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]


def test_pages_show_the_note_and_refresh_until_it_is_there(box: Running, control: Session, zendesk: Session) -> None:
    control.post("/tickets", json={**SAMPLE, "silent": True})
    site = Session(box.url)
    assert 'http-equiv="refresh"' in site.get("/").text
    assert 'http-equiv="refresh"' in site.get("/zendesk/agent/tickets/1").text
    zendesk.put("/tickets/1.json", json={"ticket": {"comment": {"html_body": "<p>my draft</p>", "public": False}}})
    page = site.get("/zendesk/agent/tickets/1").text
    assert "Internal note" in page
    assert "<p>my draft</p>" in page
    assert 'http-equiv="refresh"' not in page
    assert "note ✓" in site.get("/").text
    assert site.get("/zendesk/agent/tickets/99").status_code == 404


def test_a_visitor_can_write_as_customer_and_answer_as_agent(box: Running, tandem: Receiver, control: Session) -> None:
    site = Session(box.url)
    form = {
        "vendor": "freshdesk",
        "name": "Vi",
        "email": "vi@x.example",
        "company": "X",
        "tier": "pro",
        "subject": "My own",
        "body": "Words\n\nmore words",
    }
    page = site.post("/new", data=form)
    assert page.url.endswith("/freshdesk/a/tickets/1")
    assert "more words" in page.text
    tandem.wait(1)
    wishes = {"text": "psst", "kind": "note", "status": "open", "priority": "high", "group": "Security"}
    assert "psst" in site.post("/freshdesk/a/tickets/1", data=wishes).text
    (ticket,) = control.get("/state").json()["freshdesk"]
    assert (ticket["priority"], ticket["group"], ticket["comments"][1]["public"]) == ("high", "Security", False)


# -- the command


def test_the_command_needs_webhook_secrets_and_serves() -> None:
    command = [sys.executable, "-m", "sandbox", "--port", "0", "--deliver-to", "http://127.0.0.1:9"]
    bare = {"PATH": os.environ["PATH"]}
    refused = subprocess.run(command, cwd=ROOT, env=bare, capture_output=True, text=True, timeout=60)
    assert refused.returncode == 2
    assert "SANDBOX_ZENDESK_WEBHOOK_SECRET" in refused.stderr
    secrets = {"SANDBOX_ZENDESK_WEBHOOK_SECRET": "a", "SANDBOX_FRESHDESK_WEBHOOK_SECRET": "b"}
    started = subprocess.Popen(command, cwd=ROOT, env=bare | secrets, stdout=subprocess.PIPE, text=True)
    try:
        assert started.stdout is not None
        url = started.stdout.readline().split()[-1]
        assert "Sandbox helpdesk" in Session(url).get("").text
    finally:
        started.terminate()
        started.wait(10)
