"""`connect` against both sandbox helpdesks, with a real web process that reads the files the command writes."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner
from connect_machine import ENV, SECRET, TOKEN, YAML, Machine

from commands import connect_run
from commands.connect_screen import Talk
from manage import main
from sandbox.hooks import CREATION, UPDATES, Rule, Webhook
from triage import desk_plan
from triage.env_edit import set_variables
from triage.environment import variables
from triage.errors import TandemError
from triage.settings_edit import value_at
from triage.settings_file import load_settings


def test_zendesk_from_nothing_to_a_test_that_has_arrived(machine: Machine) -> None:
    result = machine.zendesk("--json")
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert said["rights"]["webhooks"] == "ok"
    assert said["webhook"]["by"] == "events"
    assert said["test"]["status"] == 202
    delivery = machine.store.deliveries.get(said["test"]["delivery"])
    assert delivery is not None
    assert (delivery.desk, delivery.state) == ("acme", "ignored")
    assert said["left"] == []
    assert machine.config.startswith(YAML)
    assert machine.env.startswith(ENV)
    assert value_at(machine.config, ("desks", "acme", "mode")) == "watch"
    assert (machine.folder / ".env").stat().st_mode & 0o777 == 0o600
    assert "secret" not in str(value_at(machine.config, ("desks", "acme"))).replace("_secret", "").replace("SECRET", "")
    [entry] = machine.store.audit.recent(5)
    assert (entry.action, entry.desk) == ("connect", "acme")


def test_zendesk_again_mends_and_makes_nothing_twice(machine: Machine) -> None:
    machine.zendesk()
    [webhook] = machine.box.state.hooks.webhooks.values()
    before = machine.config
    webhook.values |= {"status": "inactive", "subscriptions": webhook.values["subscriptions"][:2]}
    old_secret, webhook.secret = webhook.secret, "a-new-secret-of-the-webhook"
    result = machine.zendesk("--json")
    assert result.exit_code == 0, result.output
    assert list(machine.box.state.hooks.webhooks.values()) == [webhook]
    assert webhook.is_active
    assert "zen:event-type:ticket.merged" in webhook.values["subscriptions"]
    assert [line.split()[0] for line in json.loads(result.stdout)["webhook"]["done"]] == ["webhook", "events"]
    assert machine.config == before
    assert old_secret not in machine.env
    assert webhook.secret in machine.env


def test_zendesk_by_triggers_where_the_plan_has_no_events(machine: Machine) -> None:
    machine.restart(zendesk_ticket_events=False)
    result = machine.zendesk("--json")
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert said["webhook"]["by"] == "trigger"
    triggers = list(machine.box.state.hooks.triggers.values())
    assert len(triggers) == 2
    triggers[0].values["active"] = False
    assert json.loads(machine.zendesk("--json").stdout)["webhook"]["done"] == [
        "trigger 'Tandem acme: new ticket' switched on again"
    ]
    ticket = requests.post(
        f"{machine.box.url}/sandbox/tickets", json={"vendor": "zendesk", "subject": "a", "body": "b"}
    )
    [delivery] = wait_for(machine, lambda one: one.event == "trigger")
    assert (delivery.ticket_id, delivery.state) == (str(ticket.json()["id"]), "received")


def wait_for(machine: Machine, wanted: Callable[[Any], bool]) -> list[Any]:
    for _ in range(100):
        if found := [one for one in machine.store.deliveries.recent(50) if wanted(one)]:
            return found
        time.sleep(0.05)
    raise AssertionError("nothing arrived")


def test_a_new_ticket_arrives_after_connecting_both(machine: Machine) -> None:
    assert machine.zendesk().exit_code == 0
    add_rules(machine)
    assert machine.freshdesk().exit_code == 1  # the rules hold no secret of ours yet
    add_rules(machine)
    result = machine.freshdesk("--json")
    assert result.exit_code == 0, result.output
    made = requests.post(f"{machine.box.url}/sandbox/tickets", json={"subject": "a", "body": "b"}).json()["tickets"]
    wait_for(
        machine, lambda one: one.desk == "acme" and one.ticket_id == str(made["zendesk"]) and one.state == "received"
    )
    wait_for(machine, lambda one: one.desk == "globex" and one.ticket_id == str(made["freshdesk"]))


def add_rules(machine: Machine) -> None:
    """Click together what the command prints."""
    hooks = machine.box.state.hooks
    hooks.rules.clear()
    secret = variables().get("GLOBEX_WEBHOOK_SECRET")
    for number, (kind, event) in enumerate(((CREATION, "created"), (UPDATES, "updated"))):
        url = f"{machine.public}/webhooks/freshdesk/globex"
        headers = {"X-Webhook-Secret": secret} if secret else {}
        content = f'{{"event":"ticket_{event}","ticket_id":"{{{{ticket.id}}}}"}}'
        hooks.rules[number] = Rule(number, kind, "", f"Tandem {event}", url, headers, content)


def test_freshdesk_prints_the_rules_and_says_what_is_wrong_with_them(machine: Machine) -> None:
    first = machine.freshdesk()
    assert first.exit_code == 1
    assert '{"event":"ticket_created","ticket_id":"{{ticket.id}}"}' in first.output
    assert f"{machine.public}/webhooks/freshdesk/globex" in first.output
    assert "<the value of GLOBEX_WEBHOOK_SECRET in .env>" in first.output
    assert "the rule for new tickets is not there yet" in first.output
    add_rules(machine)
    machine.box.state.hooks.rules[0].active = False
    second = json.loads(machine.freshdesk("--json").stdout)
    assert second["rules"] == {"created": ["the rule is switched off"], "updated": []}
    secret = variables()["GLOBEX_WEBHOOK_SECRET"]
    assert (
        secret
        in CliRunner()
        .invoke(main, ["connect", "freshdesk", "--desk", "globex", "--yes", "--wait", "1", "--show-secret"])
        .output
    )


def test_freshdesk_without_the_list_of_rules_waits_for_the_first_call(machine: Machine) -> None:
    machine.restart(freshdesk_admin=False)
    result = machine.freshdesk("--json", "--wait", "1")
    assert result.exit_code == 1
    said = json.loads(result.stdout)
    assert (said["rules"], said["rights"]["automations"]) == (None, "missing")
    add_rules(machine)
    threading.Timer(1.0, machine.ticket).start()
    result = machine.freshdesk("--wait", "20")
    assert result.exit_code == 0, result.output
    assert "The webhook has called us: delivery" in result.output


def test_an_agent_is_told_what_an_admin_clicks_together(machine: Machine) -> None:
    machine.restart(zendesk_role="agent")
    machine.box.state.desks["zendesk"].bot.role = "agent"
    result = machine.zendesk()
    assert result.exit_code == 1
    assert "This credential may not make webhooks" in result.output
    assert f"Endpoint URL    {machine.public}/webhooks/zendesk/acme" in result.output
    assert "put the webhook's signing secret into .env as ACME_WEBHOOK_SECRET" in result.output
    for line in result.output.splitlines():
        assert len(line) < 200
    # The desk works all the same, by asking; and an admin's secret is kept when it comes.
    text = set_variables(machine.env, {"ACME_WEBHOOK_SECRET": "the-secret-an-admin-copied"})
    (machine.folder / ".env").write_text(text)
    assert machine.zendesk().exit_code == 1  # nothing has called yet
    state, public = machine.box.state, machine.public
    values = {"endpoint": f"{public}/webhooks/zendesk/acme", "subscriptions": ["zen:event-type:ticket.created"]}
    by_hand = Webhook("01HANAKCC58D827GRTNDCKS5XG", "", "the-secret-an-admin-copied", {**values, "status": "active"})
    state.hooks.webhooks[by_hand.id] = by_hand
    threading.Timer(1.0, machine.ticket).start()
    assert machine.zendesk("--wait", "20").exit_code == 0
    assert variables()["ACME_WEBHOOK_SECRET"] == "the-secret-an-admin-copied"


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        (["zendesk", "--client-id", "wrong", "--secret-env", "ZD"], "APIs > OAuth clients"),
        (["zendesk", "--auth", "token", "--email", "bot@acme.example", "--secret-env", "ZD"], "APIs > API tokens"),
        (["freshdesk", "--secret-env", "ZD"], "Profile settings > Your API key"),
    ],
)
def test_a_wrong_credential_changes_nothing_and_names_the_remedy(
    machine: Machine, options: list[str], remedy: str
) -> None:
    machine.monkeypatch.setenv("ZD", "wrong")
    result = machine.connect(
        options[0], "--url", f"{machine.box.url}/{options[0]}", "--desk", "d", *options[1:], "--yes"
    )
    assert isinstance(result.exception, TandemError)
    assert remedy in str(result.exception)
    assert (machine.config, machine.env) == (YAML, ENV)
    assert not machine.box.state.hooks.webhooks


def test_a_wrong_address_is_told_apart_from_a_wrong_credential(machine: Machine) -> None:
    machine.monkeypatch.setenv("ZD", SECRET)
    for url in ("http://127.0.0.1:1", machine.public):
        result = machine.connect(
            "zendesk", "--url", url, "--client-id", "t", "--secret-env", "ZD", "--desk", "d", "--yes"
        )
        assert "check the address" in str(result.exception), result.exception
    result = machine.connect(
        "zendesk", "--url", "http://acme.zendesk.com", "--client-id", "t", "--secret-env", "ZD", "--yes"
    )
    assert "must start with https://" in str(result.exception)


def test_an_api_token_still_works(machine: Machine) -> None:
    machine.monkeypatch.setenv("ZD", TOKEN)
    options = ["--url", machine.box.zendesk, "--desk", "acme", "--auth", "token", "--email", "bot@acme.example"]
    assert machine.connect("zendesk", *options, "--secret-env", "ZD", "--yes").exit_code == 0
    auth = load_settings(Path("tandem.yaml"), variables()).desks["acme"].auth
    assert auth.email == "bot@acme.example"
    # Again without a word about the credential: what stands in the files is taken.
    machine.monkeypatch.delenv("ZD")
    assert machine.connect("zendesk", "--desk", "acme", "--yes").exit_code == 0


@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "sandbox"])
def test_an_address_at_which_nobody_reaches_us_is_said_so(machine: Machine, address: str) -> None:
    public = machine.box.url if address == "sandbox" else address
    result = machine.zendesk("--public-url", public, "--wait", "0")
    assert result.exit_code == 1
    words = "something else than Tandem answers" if address == "sandbox" else "nothing answers at"
    assert words in result.output
    assert variables()["PUBLIC_URL"] == machine.public  # of the process, over the file's
    assert f"PUBLIC_URL={public}" in machine.env


def test_without_a_public_address_the_desk_is_connected_by_asking(machine: Machine) -> None:
    machine.monkeypatch.delenv("PUBLIC_URL")
    assert webhook_address(machine) == "http://127.0.0.1:8000/webhooks/zendesk/acme"


def webhook_address(machine: Machine) -> str:
    machine.zendesk("--wait", "0")
    [webhook] = machine.box.state.hooks.webhooks.values()
    return str(webhook.values["endpoint"])


def test_interrupted_after_the_webhook_was_made_goes_on(machine: Machine) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    with machine.monkeypatch.context() as patch:
        patch.setattr(connect_run, "write", stop)
        assert CliRunner().invoke(main, machine_args(machine)).exit_code == 1
    assert machine.config == YAML
    [webhook] = machine.box.state.hooks.webhooks.values()
    assert machine.zendesk().exit_code == 0
    assert list(machine.box.state.hooks.webhooks.values()) == [webhook]


def machine_args(machine: Machine) -> list[str]:
    machine.monkeypatch.setenv("ZD", SECRET)
    args = ["connect", "zendesk", "--url", machine.box.zendesk, "--desk", "acme", "--client-id", "tandem"]
    return [*args, "--secret-env", "ZD", "--yes"]


@pytest.mark.parametrize("events", [True, False])
def test_remove_takes_everything_away_and_keeps_the_database(machine: Machine, events: bool) -> None:
    machine.restart(zendesk_ticket_events=events)
    machine.zendesk()
    assert machine.box.state.hooks.webhooks
    result = machine.connect("zendesk", "--desk", "acme", "--remove", "--json")
    assert result.exit_code == 0, result.output
    assert not machine.box.state.hooks.webhooks
    assert not machine.box.state.hooks.triggers
    assert machine.config == YAML + "desks: {}\n"
    assert machine.env == ENV
    assert not (machine.folder / ".env.bak").exists()
    assert [entry.action for entry in machine.store.audit.recent(5)] == ["disconnect", "connect"]
    assert machine.store.deliveries.recent(5)


def test_remove_without_a_credential_takes_the_desk_and_says_what_stays(machine: Machine) -> None:
    machine.zendesk()
    env = machine.env.replace("ACME_CLIENT_SECRET", "OTHER")
    (machine.folder / ".env").write_text(env)
    result = machine.connect("zendesk", "--desk", "acme", "--remove", "--yes")
    assert result.exit_code == 1
    assert "ACME_CLIENT_SECRET is not set" in result.output
    assert "desks: {}" in machine.config
    missing = machine.connect("zendesk", "--desk", "acme", "--remove", "--yes")
    assert "no such desk in tandem.yaml (it has none)" in str(missing.exception)


def test_what_a_person_wrote_with_variables_or_bare_is_understood(machine: Machine) -> None:
    text = (
        "desks:\n  acme:\n    platform: zendesk\n    url: ${BOX}/zendesk  # of the sandbox\n"
        f"    auth: {{oauth: {{client_id: tandem, client_secret: {SECRET}}}}}\n"
        "    webhook_secrets: [${OLD}, ${OLDER}]\n    mode: tag\n"
    )
    (machine.folder / "tandem.yaml").write_text(text)
    (machine.folder / ".env").write_text(f"{ENV}BOX={machine.box.url}\nOLD=an-old-secret-1\nOLDER=an-old-secret-2\n")
    result = machine.connect("zendesk", "--yes")
    assert result.exit_code == 0, result.output
    assert "url: ${BOX}/zendesk  # of the sandbox" in machine.config
    assert "webhook_secrets: [${OLD}, ${OLDER}]" in machine.config
    assert "mode: tag" in machine.config
    # A secret does not stay in tandem.yaml.
    assert SECRET not in machine.config
    assert variables()["ACME_CLIENT_SECRET"] == SECRET
    [webhook] = machine.box.state.hooks.webhooks.values()
    assert variables()["OLD"] == webhook.secret


def test_remove_asks_first(machine: Machine) -> None:
    machine.zendesk()
    result = CliRunner().invoke(main, ["connect", "zendesk", "--desk", "acme", "--remove"])
    assert "give --yes" in str(result.exception)
    assert machine.box.state.hooks.webhooks


def test_a_dry_run_changes_nothing(machine: Machine) -> None:
    result = machine.zendesk("--dry-run")
    assert result.exit_code == 0
    assert "+  acme:" in result.output
    assert (machine.config, machine.env) == (YAML, ENV)
    assert not machine.box.state.hooks.webhooks


def test_groups_are_mapped_as_the_admin_says(machine: Machine) -> None:
    for group in machine.box.state.desks["zendesk"].groups.values():
        group.name = {"Finance & Billing": "Invoices", "Product": "Ideas"}.get(group.name, group.name)
    result = machine.zendesk("--map", "billing=invoices")
    assert result.exit_code == 0, result.output
    teams = load_settings(Path("tandem.yaml"), variables()).teams
    assert teams["billing"].group == "Invoices"
    assert teams["security"].escalate
    assert teams["security"].group == "Security"
    wrong = machine.zendesk("--map", "billing=Nowhere")
    assert "the helpdesk has no group 'Nowhere'" in str(wrong.exception)
    assert "'bills' is no team" in str(machine.zendesk("--map", "bills=Ideas").exception)


def test_a_second_desk_does_not_take_the_groups_of_the_first(machine: Machine) -> None:
    machine.zendesk()
    for group in machine.box.state.desks["freshdesk"].groups.values():
        group.name = {"Finance & Billing": "Billing Team", "Product": "Something"}.get(group.name, group.name)
    machine.freshdesk()
    teams = load_settings(Path("tandem.yaml"), variables()).teams
    assert (teams["billing"].group, teams["feature_request"].group) == ("Finance & Billing", "Product")
    machine.freshdesk("--map", "billing=Billing Team")
    assert load_settings(Path("tandem.yaml"), variables()).teams["billing"].group == "Billing Team"


def test_groups_without_a_name_like_a_team_are_known_by_their_tickets(machine: Machine) -> None:
    desk = machine.box.state.desks["zendesk"]
    for group in desk.groups.values():
        group.name = {"Finance & Billing": "Elephants"}.get(group.name, group.name)
    body = {"vendor": "zendesk", "subject": "Charged twice", "body": "I was charged twice, please refund one invoice"}
    for _ in range(6):
        made = requests.post(f"{machine.box.url}/sandbox/tickets", json=body, timeout=10).json()
        done = {"group": "Elephants", "status": "solved"}
        requests.post(f"{machine.box.url}/sandbox/agent/zendesk/{made['id']}", json=done, timeout=10)
    for ticket in desk.tickets.values():
        ticket.touched -= 120
    machine.zendesk("--json")
    assert load_settings(Path("tandem.yaml"), variables()).teams["billing"].group == "Elephants"


def test_files_that_cannot_be_written_are_told_what_to_hold(machine: Machine) -> None:
    machine.monkeypatch.setattr(desk_plan, "may_swap", lambda path: path.name != "tandem.yaml")
    result = machine.zendesk()
    assert result.exit_code == 1
    assert "tandem.yaml cannot be written from here. Put this into tandem.yaml" in result.output
    assert "+  acme:" in result.output
    assert "ACME_CLIENT_SECRET" in result.output
    assert machine.config == YAML


def test_what_is_printed_fits_the_screen(machine: Machine) -> None:
    for result in (machine.zendesk(), machine.freshdesk()):
        long = [line for line in result.output.splitlines() if len(line) > 79]
        # A diff and an address are as long as they are.
        assert not [
            line
            for line in long
            if not line.lstrip().startswith(("+", "-", "#", "Custom headers")) and "://" not in line
        ]


def test_a_person_is_asked_and_may_correct_what_was_wrong(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Talk, "asks", True)
    answers = [
        machine.box.zendesk,
        "acme",
        "",
        "tandem",
        "not-it",
        "y",
        "",
        "",
        SECRET,
        "billing=Nowhere",
        "",
        "note",
        "y",
    ]
    result = machine.connect("zendesk", input="\n".join(answers) + "\n")
    assert result.exit_code == 0, result.output
    assert "invalid_client" in result.output
    assert "no group 'Nowhere'" in result.output
    assert value_at(machine.config, ("desks", "acme", "mode")) == "note"
    assert "manage.py triage --desk acme" in result.output


def test_the_mode_may_be_given(machine: Machine) -> None:
    assert machine.zendesk("--mode", "tag").exit_code == 0
    assert value_at(machine.config, ("desks", "acme", "mode")) == "tag"


def test_the_webhook_of_an_older_address_goes_when_the_new_one_is_proven(machine: Machine) -> None:
    hooks, right = machine.box.state.hooks.webhooks, machine.public
    machine.monkeypatch.delenv("PUBLIC_URL")
    nowhere = machine.zendesk("--public-url", "http://127.0.0.1:9", "--wait", "0.2")
    assert nowhere.exit_code == 1
    assert [one.values["endpoint"] for one in hooks.values()] == ["http://127.0.0.1:9/webhooks/zendesk/acme"]
    mended = machine.zendesk("--public-url", right)
    assert mended.exit_code == 0, mended.output
    assert [one.values["endpoint"] for one in hooks.values()] == [f"{right}/webhooks/zendesk/acme"]
    assert f"PUBLIC_URL={right}" in machine.env


def test_stopped_at_the_question_nothing_is_changed(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Talk, "asks", True)
    answers = [machine.box.zendesk, "acme", "", "tandem", SECRET, "", "watch"]
    result = machine.connect("zendesk", input="\n".join(answers) + "\n")
    assert result.exit_code == 1
    assert "stopped. Run it again" in result.output
    assert (machine.config, machine.env) == (YAML, ENV)
