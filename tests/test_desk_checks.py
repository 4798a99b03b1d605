"""What doctor and the sweep say of a helpdesk's side: rights, webhook and its failed calls, and of the model."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from click.testing import CliRunner
from connect_machine import API_KEY, SECRET, Machine

from connectors.setup import HookState
from connectors.zendesk_hook import state_of
from manage import main
from sandbox.hooks import CREATION, UPDATES, Rule
from tests.llm_server import LlmServer, answers, fails, running
from triage.classify.endpoint import JSON_OBJECT, PROMPT_ONLY, Plan
from triage.environment import Environment, variables
from triage.settings import Settings
from triage.store.marks import BEAT, EVERY_DESK, WEBHOOK_FAILING
from webhooks.metrics import StoreCollector
from workers import model_health
from workers.desk_account import ago, rights, webhook
from workers.desk_health import knowledge, links
from workers.desk_sweep import EVERY_SECONDS, check, check_due
from workers.health import DESK_STALE_SECONDS, Finding, State, desks, remembered
from workers.runtime import Runtime

NOW = 1_763_800_000.0
WEBHOOK = {"status": "active", "subscriptions": []}


def call(seconds_ago: float, **said: Any) -> dict[str, Any]:
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(NOW - seconds_ago))
    return {"id": "01HANA2B5D5W9XSJS3NE5SQA1J", "latest_completed_at": at, **said}


class TestRecordOfCalls:
    def state(self, *calls: dict[str, Any]) -> HookState:
        return state_of([WEBHOOK], HookState("events"), (), calls, signed=True, now=NOW)

    def test_the_newest_one_counts(self) -> None:
        failed, good = call(60, status="terminated", status_code=403), call(30, status="success", status_code=202)
        over = self.state(good, failed)
        assert (over.calls, over.failed, over.last_failed_at) == (2, 1, None)
        again = self.state(failed, call(90, status="success", status_code=202))
        assert (again.last_failed_at, again.said) == (NOW - 60, "answered 403")

    @pytest.mark.parametrize("word", ["circuit broken", "throttled"])
    def test_a_call_that_was_never_sent_has_failed(self, word: str) -> None:
        assert self.state(call(5, status=word)).said == word

    def test_a_word_nobody_knows_and_calls_of_another_day_say_nothing(self) -> None:
        assert self.state(call(5, status="pending")).failed == 0
        assert self.state(call(90_000, status="terminated", status_code=500)).calls == 0
        assert self.state({"status": "terminated"}).calls == 0


def runtime() -> Runtime:
    return Runtime.from_environment()


def look(desk: str) -> Finding:
    here = runtime()
    return webhook(desk, here.settings.desks[desk], here, time.time())


def test_a_zendesk_webhook_and_all_that_may_be_wrong_with_it(machine: Machine) -> None:
    machine.zendesk()
    [hook] = machine.box.state.hooks.webhooks.values()
    well = look("acme")
    assert (well.state, well.text[:24]) == (State.OK, "webhook on, all events; ")
    assert look("acme").text.endswith("s ago")
    events, secret = hook.values["subscriptions"], hook.secret

    hook.values["subscriptions"] = events[:-1]
    assert (look("acme").state, "soft deleted" in look("acme").text) == (State.WARNING, True)
    hook.values["subscriptions"] = events[1:]
    assert (look("acme").state, "not told of: created" in look("acme").text) == (State.BROKEN, True)
    hook.values["subscriptions"] = events

    hook.secret = "another-secret-of-the-webhook"
    found = look("acme")
    assert (found.state, "signing secret" in found.text) == (State.BROKEN, True)
    assert found.remedy == "python manage.py connect zendesk --desk acme"
    hook.secret = secret

    hook.values["status"] = "inactive"
    assert look("acme").text == "webhook: the webhook is switched off"
    machine.box.state.hooks.webhooks.clear()
    # Calls that arrive by another way: the sandbox's own, which nobody has to ask for.
    assert look("acme").state is State.OK
    machine.store.deliveries.drop_bodies(time.time() + 1)
    assert (look("acme").state, look("acme").text[:16]) == (State.WARNING, "no webhook calls")


def test_calls_that_fail_are_told_until_one_arrives(machine: Machine) -> None:
    machine.zendesk()
    [hook] = machine.box.state.hooks.webhooks.values()
    sent = machine.box.state.sender._deliveries[-1]
    time.sleep(1.1)  # the helpdesk's times are whole seconds
    late = replace(sent.attempts[-1], status=401, at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))
    machine.box.state.sender._deliveries.append(replace(sent, invocation_id="x", state="failed", attempts=[late]))
    found = look("acme")
    assert (found.state, found.text) == (
        State.BROKEN, "webhook: 1 of the last 2 calls failed, the newest one answered 401",
    )  # fmt: skip
    assert "the secret or a clock differs" in found.remedy
    assert hook.secret not in found.text + found.remedy
    time.sleep(1.1)
    machine.store.deliveries.receive("acme", "k", ticket_id="1", event="created", body=b"{}", now=time.time())
    assert look("acme").state is State.WARNING  # half of them failed
    assert "1 of the last 2 calls failed; last call" in look("acme").text


def test_an_agent_gets_warnings_and_our_inbox_instead(machine: Machine) -> None:
    machine.zendesk()
    machine.box.state.desks["zendesk"].bot.role = "agent"
    assert look("acme").text.startswith("our role may not look at webhooks; last call")
    machine.store.deliveries.drop_bodies(time.time() + 1)
    assert (look("acme").state, look("acme").sure) == (State.WARNING, True)
    may = rights("acme", runtime())
    assert (may.state, may.text) == (State.WARNING, "may not read changes: no catching up")
    assert may.remedy == "give the bot: admin · tickets:read"


def test_rules_of_freshdesk(machine: Machine) -> None:
    machine.freshdesk()
    rules = machine.box.state.hooks.rules
    url, proof = f"{machine.public}/webhooks/freshdesk/globex", {"X-Webhook-Secret": "x"}
    assert look("globex").state is State.WARNING  # of a helpdesk elsewhere it would be broken
    rules[1] = Rule(1, CREATION, "", "Tandem created", url, proof, '{"ticket_id":"{{ticket.id}}"}')
    assert look("globex").text == "webhook: no rule for changed tickets calls us"
    rules[2] = Rule(2, UPDATES, "", "Tandem updated", url, proof, '{"ticket_id":"{{ticket.id}}"}')
    assert look("globex").text == "rules on; no call yet"
    rules[1].active = False
    found = look("globex")
    assert (found.state, found.text) == (State.BROKEN, "webhook: rule 'Tandem created': the rule is switched off")
    machine.restart(freshdesk_admin=False)
    assert look("globex").state is State.WARNING
    assert rights("globex", runtime()).state is State.OK


def test_every_ten_minutes_for_pages_metrics_and_an_alarm_that_goes_by_itself(machine: Machine) -> None:
    machine.zendesk()
    here, store = runtime(), machine.store
    now = time.time()
    assert (check_due(here, now), check_due(here, now + 60), check_due(here, now + EVERY_SECONDS)) == (1, 0, 1)
    report = remembered(store, now)["acme"]
    assert (report.worst, report.at) == (State.WARNING, now + EVERY_SECONDS)  # knowledge was never read
    assert any(one.text.startswith("may read tickets") for one in report.findings)

    [hook] = machine.box.state.hooks.webhooks.values()
    hook.values["status"] = "inactive"
    check("acme", here, now)
    assert "switched off" in store.alarms.text("acme", WEBHOOK_FAILING)
    [line] = desks(store, now + 120)
    assert (line.what, line.state) == ("desk acme", State.BROKEN)
    assert line.text == "webhook: the webhook is switched off; looked at 2 min ago"
    told = {family.name: family for family in StoreCollector(store).collect()}["tandem_desk_health"].samples
    assert {(one.labels["desk"], one.labels["state"]): one.value for one in told} == {
        ("acme", "ok"): 0.0, ("acme", "warning"): 0.0, ("acme", "broken"): 1.0,
    }  # fmt: skip
    ready = requests.get(f"{machine.public}/readyz", timeout=5).json()
    assert (ready["status"], ready["checks"]["desk acme"]["state"]) == ("degraded", "broken")

    hook.values["status"] = "active"
    check("acme", here, now)
    assert store.alarms.text("acme", WEBHOOK_FAILING) == ""
    assert remembered(store, now + DESK_STALE_SECONDS) == {}


def test_a_desk_nobody_can_reach_holds_up_no_other_one(machine: Machine) -> None:
    machine.zendesk()
    here = runtime()
    settings = here.settings.desks["acme"].model_copy(update={"url": "http://127.0.0.1:1"})
    machine.store.alarms.raise_("acme", WEBHOOK_FAILING, "as it was", 1.0)
    fake: Any = SimpleNamespace(
        settings=SimpleNamespace(desks={"away": settings, "acme": here.settings.desks["acme"]}), store=machine.store,
        connector=lambda name: here.connector("acme") if name == "acme" else _raise(), setup=here.setup,
        headroom=here.headroom, environment=here.environment,
    )  # fmt: skip
    assert check_due(fake, time.time()) == 1
    assert machine.store.alarms.text("acme", WEBHOOK_FAILING) == ""


def _raise() -> None:
    raise ZeroDivisionError


def test_the_doctor_fits_the_screen_and_shows_no_secret(machine: Machine) -> None:
    machine.zendesk()
    machine.freshdesk()
    machine.store.cursors.set(EVERY_DESK, BEAT, "", time.time())
    result = CliRunner().invoke(main, ["doctor"])
    assert max(map(len, result.output.splitlines())) <= 80
    for line in ("webhook on, all events", "may read tickets", "knowledge: articles never read", "links in notes"):
        assert line in result.output
    as_json = CliRunner().invoke(main, ["doctor", "--json"])
    found = json.loads(as_json.output)
    assert {one["state"] for one in found} <= {"ok", "warning", "broken"}
    for secret in (SECRET, API_KEY, *machine.webhook_secrets(), *_own_secrets()):
        assert secret not in result.output + as_json.output


def _own_secrets() -> list[str]:
    return [value for name, value in variables().items() if "SECRET" in name and len(value) > 8]


class TestKnowledge:
    def found(self, machine: Machine, now: float) -> Finding:
        [found] = knowledge("acme", runtime(), now)
        return found

    def test_age_and_reason(self, machine: Machine) -> None:
        machine.zendesk()
        kept = machine.store.knowledge
        for kind in ("article", "ticket"):
            kept.claim("acme", kind, NOW, NOW)
            kept.save("acme", kind, finished_at=NOW - 600)
        assert self.found(machine, NOW).state is State.OK
        assert self.found(machine, NOW).text == "knowledge: articles read 10 min ago; solved tickets read 10 min ago"
        late = self.found(machine, NOW + 4 * 3600)
        assert (late.state, late.remedy) == (State.WARNING, "python manage.py knowledge sync --desk acme")
        kept.save("acme", "article", reason="the plan has no help centre")
        assert "(the plan has no help centre)" in self.found(machine, NOW).text


class TestLinks:
    def state(self, settings: Settings, **environment: str) -> Finding:
        given = Environment(**environment)
        real = Runtime(given, settings)
        return links(real)

    def test_both_are_needed(self, settings: Settings) -> None:
        there = self.state(settings, secret_key="k" * 32, public_url="https://tandem.example.com")
        assert (there.state, there.text) == (State.OK, "signed, good for 30 days")
        without = self.state(settings, secret_key="k" * 32)
        assert (without.state, without.remedy) == (State.WARNING, "set PUBLIC_URL in .env")
        assert "SECRET_KEY and PUBLIC_URL" in self.state(settings).text


class TestModel:
    @pytest.fixture
    def server(self) -> Iterator[LlmServer]:
        with running() as script:
            yield script

    def lines(self, server: LlmServer, settings: Settings, tmp_path: Path) -> dict[str, Finding]:
        environment = Environment(
            openai_base_url=server.url, openai_api_key="sk-x", database_url=f"sqlite:///{tmp_path}/none.db"
        )
        return {one.what: one for one in model_health.look(Runtime(environment, settings))}

    def test_the_form_is_learnt_from_one_question(self, server: LlmServer, settings: Settings, tmp_path: Path) -> None:
        server.queue(
            fails(400, "logprobs are not supported"),
            fails(400, "response_format json_schema is unknown"),
            fails(400, "response_format json_schema is unknown"),
            answers(),
        )
        found = self.lines(server, settings, tmp_path)
        assert found["model's answers"].text == "answers as a JSON object, without a schema, without log-probabilities"
        assert found["drafts"].text == "by gpt-5-mini"
        assert len(server.calls) == 4

    def test_one_that_does_not_answer(self, server: LlmServer, settings: Settings, tmp_path: Path) -> None:
        server.queue(fails(401, "no"))
        found = self.lines(server, settings, tmp_path)
        assert found["classifier"].state is found["drafts"].state is State.WARNING
        assert "model's answers" not in found

    @pytest.mark.parametrize(
        ("plan", "state", "words"),
        [
            (Plan(), State.OK, "answers by our JSON schema"),
            (Plan(form=JSON_OBJECT), State.OK, "without a schema"),
            (Plan(form=PROMPT_ONLY), State.WARNING, "takes no response_format"),
        ],
    )
    def test_forms(self, plan: Plan, state: State, words: str) -> None:
        found = model_health.form(plan, odds=True)
        assert (found.state, words in found.text) == (state, True)
        assert ("with log-probabilities" in found.text, bool(found.remedy)) == (True, state is State.WARNING)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0 s ago"), (-5, "0 s ago"), (90, "2 min ago"), (7200, "2 h ago"), (200_000, "2 d ago")]
)
def test_spans_of_time(seconds: float, words: str) -> None:
    assert ago(seconds) == words
