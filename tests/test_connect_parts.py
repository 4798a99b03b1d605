"""Parts of connecting: what answers at an address, which rules of Freshdesk are right, what stands in the plan."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
import responses
from connect_machine import Machine

from commands.connect_screen import Talk
from connectors.budget import Budget
from connectors.freshdesk_setup import FreshdeskSetup
from connectors.http import Client, StaticCredential
from connectors.zendesk_errors import ZendeskDialect
from connectors.zendesk_setup import EVENT, EVENTS, ZendeskSetup
from sandbox.config import SandboxConfig
from sandbox.testing import receiving, running
from triage.desk_plan import WEBHOOK, Files, Plan, address, name_from, plan_of, with_desk, without_desk, write
from triage.errors import SettingsError
from triage.settings import Settings
from triage.settings_edit import value_at
from webhooks import zendesk
from webhooks.base import Call, Kind
from workers.reach import Answer, reach

URL = "https://tandem.example.com/webhooks/freshdesk/globex"
ZENDESK = "https://acme.zendesk.com/api/v2"
ULID = "01HANAHF77W3MWXQGFPKBA5WNH"


def test_every_event_that_is_subscribed_to_leads_to_something() -> None:
    for event in EVENTS:
        body = {"type": EVENT + event, "id": "x", "detail": {"id": "7"}, "event": {}}
        knock = zendesk.parse(Call(json.dumps(body).encode(), {}, {}, ""))
        assert knock.kind in (Kind.WORK, Kind.CLOCK) or event == "tags_changed", event


def test_who_answers_at_an_address(machine: Machine) -> None:
    assert reach(f"{machine.public}/webhooks/zendesk/acme").answer is Answer.NO_DESK
    machine.zendesk()
    assert reach(f"{machine.public}/webhooks/zendesk/acme").answer is Answer.READY
    assert reach(f"{machine.public}/webhooks/freshdesk/acme").answer is Answer.NO_DESK
    assert reach(machine.box.url).answer is Answer.STRANGER
    assert reach("http://127.0.0.1:1/").answer is Answer.NOBODY
    with receiving() as other:
        other.answers = [(302, {"Location": f"{machine.public}/webhooks/zendesk/acme"})]
        assert reach(other.url).answer is Answer.STRANGER


def rules_of(*actions: dict[str, Any], active: bool = True, wrapped: bool = False) -> Any:
    """Return what Freshdesk's list says with one rule of such actions."""
    listed = [{"name": "Tandem", "active": active, "actions": list(actions)}]
    body: Any = {"rules": listed} if wrapped else listed
    with responses.RequestsMock(assert_all_requests_are_fired=False) as vendor:
        vendor.get("https://globex.freshdesk.com/api/v2/automations/1/rules", json=body)
        vendor.get("https://globex.freshdesk.com/api/v2/automations/4/rules", json=[])
        client = Client(
            "https://globex.freshdesk.com/api/v2", StaticCredential("Basic x"), ZendeskDialect(), Budget("", "a", 100)
        )
        return FreshdeskSetup(client).rules(URL)


GOOD = {"field_name": "trigger_webhook", "url": URL, "content": '{"ticket_id":"{{ticket.id}}"}', "request_type": "POST"}
SECRET = {"custom_headers": {"X-Webhook-Secret": "s"}}


@pytest.mark.parametrize(
    ("action", "faults"),
    [
        (GOOD | SECRET, ()),
        (GOOD, ()),  # not every account shows headers
        (GOOD | {"url": f"{URL}?token=abc", "custom_headers": {}}, ()),
        (GOOD | SECRET | {"content": {"ticket_id": "{{ticket.id}}"}}, ()),
        (GOOD | {"custom_headers": {"X-Other": "s"}}, ("no custom header X-Webhook-Secret, no password",)),
        (GOOD | SECRET | {"content": "{}"}, ("the content names no {{ticket.id}}",)),
        (GOOD | SECRET | {"request_type": "GET"}, ("the request type is not POST",)),
    ],
)
@pytest.mark.parametrize("wrapped", [True, False])
def test_what_is_wrong_with_a_rule(action: dict[str, Any], faults: tuple[str, ...], wrapped: bool) -> None:
    [seen] = rules_of(action, wrapped=wrapped)
    assert seen.on == "created"
    assert [one[: len(fault)] for one, fault in zip(seen.faults, faults, strict=True)] == list(faults)


def test_rules_that_call_somebody_else_are_not_ours() -> None:
    assert rules_of(GOOD | {"url": "https://elsewhere.example.com/x"}, {"field_name": "priority", "value": 4}) == ()
    [off] = rules_of(GOOD | SECRET, active=False)
    assert off.faults == ("the rule is switched off",)


@responses.activate
def test_zendesk_is_asked_as_the_recordings_show() -> None:
    """The second of two webhooks at our address goes, a refused payload of the test is left out."""
    url = "https://tandem.example.com/webhooks/zendesk/acme"
    hook = {"endpoint": url, "status": "active", "http_method": "POST", "request_format": "json", "name": "Tandem acme"}
    listed = [
        {**hook, "id": ULID, "created_at": "2026-01-01T00:00:00Z", "subscriptions": [EVENT + one for one in EVENTS]},
        {**hook, "id": ULID[:-1] + "J", "created_at": "2026-02-01T00:00:00Z", "subscriptions": []},
        {**hook, "id": ULID[:-1] + "K", "endpoint": "https://example.com", "subscriptions": []},
    ]
    responses.get(f"{ZENDESK}/webhooks", json={"webhooks": listed, "meta": {"has_more": False}})
    responses.get(f"{ZENDESK}/triggers.json", json={"triggers": [], "meta": {"has_more": False}})
    responses.delete(f"{ZENDESK}/webhooks/{ULID[:-1]}J", status=204)
    secret = {"signing_secret": {"secret": "wMZJU7Dlw7pdGPBAs7fz3lVSjF5Hef8mqD7avv5n7zs=", "algorithm": "SHA256"}}
    responses.get(f"{ZENDESK}/webhooks/{ULID}/signing_secret", json=secret)
    responses.post(f"{ZENDESK}/webhooks/test", status=422, json={"errors": [{"code": "Unknown", "title": "payload"}]})
    tried = {"response": {"status_code": 202, "headers": [], "payload": "{}"}}
    responses.post(f"{ZENDESK}/webhooks/test", json=tried)
    setup = ZendeskSetup(Client(ZENDESK, StaticCredential("Bearer x"), ZendeskDialect(), Budget("", "a", 100)))
    found = setup.hook("acme", url, "auto")
    assert (found.id, found.by, found.done) == (ULID, "events", ("webhook 'Tandem acme' removed",))
    assert "wMZ" not in repr(found)
    assert setup.try_hook(found, "{}").status == 202
    assert json.loads(responses.calls[-1].request.body or "") == {"request": {}}


def plan(**changes: Any) -> Plan:
    values = {"name": "acme", "platform": "zendesk", "url": "https://acme.zendesk.com", "kind": "oauth", **changes}
    return Plan(**values)


def test_variables_of_a_desk_stay_and_those_of_others_are_left_alone() -> None:
    text = with_desk("", plan(), Settings())
    shared = text.replace("${ACME_CLIENT_ID}", "${ZENDESK_ID}").replace("ACME_CLIENT_SECRET", "OLD_SECRET")
    both = with_desk(shared, plan(name="other", url="https://other.zendesk.com"), Settings())
    assert plan().variables(both)["client_secret"] == "OLD_SECRET"
    assert plan(name="other").variables(both)["client_id"] == "OTHER_CLIENT_ID"
    env = "ZENDESK_ID=1\nOLD_SECRET=2\nACME_WEBHOOK_SECRET=3\nOTHER_CLIENT_ID=4\n"
    config, rest = without_desk(both, env, "acme")
    assert (list(value_at(config, ("desks",))), rest) == (["other"], "OTHER_CLIENT_ID=4\n")


def test_keys_of_a_person_stay_when_a_desk_is_connected_again() -> None:
    text = with_desk("", plan(), Settings()).replace(
        "mode: watch", "mode: write\n    fields: {priority: note}  # careful"
    )
    again = with_desk(text, plan(kind="token", email="bot@acme.com"), Settings())
    assert value_at(again, ("desks", "acme", "mode")) == "write"
    assert value_at(again, ("desks", "acme", "auth")) == {"email": "bot@acme.com", "api_token": "${ACME_API_TOKEN}"}
    assert "# careful" in again
    rotating = again.replace("[${ACME_WEBHOOK_SECRET}]", "[${ACME_WEBHOOK_SECRET}, ${OLD}]")
    assert with_desk(rotating, plan(kind="token", email="bot@acme.com"), Settings()) == rotating


def test_a_desk_without_its_secret_says_which_one() -> None:
    with pytest.raises(SettingsError, match=r"ACME_CLIENT_SECRET is not set; add ACME_CLIENT_SECRET=\.\.\. to \.env"):
        plan_of(with_desk("", plan(), Settings()), "acme", {"ACME_CLIENT_ID": "x"})


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://acme.zendesk.com", "acme"),
        ("http://127.0.0.1:8002/zendesk", ""),
        ("http://localhost:1", ""),
        ("x", ""),
    ],
)
def test_a_name_is_taken_from_the_address(url: str, name: str) -> None:
    assert name_from(url) == name


def test_the_pages_of_rules_do_what_the_helpdesk_s_would() -> None:
    with running(SandboxConfig(freshdesk_api_key="k", own=True)) as box, receiving() as tandem:
        page = f"{box.url}/freshdesk/a/automations"
        form = {"kind": "1", "name": "New", "url": tandem.url + "/x", "headers": '{"X-Webhook-Secret": "s"}'}
        assert "custom headers are no JSON" in requests.post(page, data={**form, "headers": "{", "content": "c"}).text
        requests.post(page, data={**form, "content": '{"ticket_id":"{{ticket.id}}"}'})
        requests.post(f"{box.url}/sandbox/tickets", json={"vendor": "freshdesk", "subject": "a", "body": "b"})
        [call] = tandem.wait(1)
        assert (call.body, call.headers["x-webhook-secret"]) == (b'{"ticket_id":"1"}', "s")
        api = f"{box.freshdesk}/api/v2/automations/1/rules"
        [rule] = requests.get(api, auth=("k", "X")).json()
        requests.post(f"{page}/{rule['id']}", data={"do": "switch"})
        assert requests.get(api, auth=("k", "X")).json()[0]["active"] is False
        requests.post(f"{page}/{rule['id']}", data={"do": "remove"})
        assert requests.get(api, auth=("k", "X")).json() == []
        assert "yours to connect" in requests.get(box.url).text


def test_a_secret_that_moves_to_env_stays_in_no_copy(tmp_path: Path) -> None:
    """It stood bare in tandem.yaml, which more people may read than .env."""
    bare = "bare-secret-of-somebody"
    auth = f"auth: {{api_key: {bare}}}, webhook_secrets: [{bare}-2]"
    old = f"desks:\n  acme: {{platform: freshdesk, url: https://acme.freshdesk.com, {auth}}}\n"
    files = Files(tmp_path / "tandem.yaml", tmp_path / ".env")
    files.config.write_text(old)
    known = plan_of(old, "acme", {})
    write(files, replace(known, secrets={**known.secrets, WEBHOOK: "w" * 24}), Settings(), {})
    assert bare not in files.config.read_text()
    assert bare in files.env.read_text()
    copy = (tmp_path / "tandem.yaml.bak").read_text()
    assert bare not in copy
    assert "https://acme.freshdesk.com" in copy


def test_two_connects_at_once_keep_both_desks(tmp_path: Path) -> None:
    files = Files(tmp_path / "tandem.yaml", tmp_path / ".env")
    names = [f"desk{number}" for number in range(6)]

    def connect(name: str) -> None:
        write(files, plan(name=name, secrets={"client_id": "c", "client_secret": "s" * 20}), Settings(), {})

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(connect, names))
    assert sorted(value_at(files.config.read_text(), ("desks",))) == names


def test_a_group_that_reads_like_a_variable_is_never_written() -> None:
    """Else the next start would put somebody's secret in the place of its name, and into messages."""
    with pytest.raises(SettingsError, match="cannot stand in tandem"):
        with_desk("", plan(groups={"billing": "${OPENAI_API_KEY}"}), Settings())


def test_names_of_a_helpdesk_command_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    talk = Talk(yes=True, as_json=False)
    talk.say("group \x1b]0;owned\x07\x1b[2J \u202eevil\nnext\tone")
    said = capsys.readouterr().out
    assert said == "group \ufffd]0;owned\ufffd\ufffd[2J \ufffdevil\nnext\tone\n"


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        ("acme", "https://acme.zendesk.com"),
        (" acme.zendesk.com/ ", "https://acme.zendesk.com"),
        ("https://acme.zendesk.com/agent/filters/360001?page=2", "https://acme.zendesk.com"),
        ("localhost:8002/zendesk/", "http://localhost:8002/zendesk"),
        ("https://help.acme.example", "https://help.acme.example"),
        ("", ""),
    ],
)
def test_an_address_is_understood_as_people_type_or_copy_it(typed: str, url: str) -> None:
    assert address(typed, "zendesk") == url
