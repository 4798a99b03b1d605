"""The console's pages: who may open them, what they find, and that nothing of another desk or no secret is in them."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from collections import Counter
from html import unescape
from pathlib import Path

import pytest
from click.testing import CliRunner
from console_data import fill
from flask.testing import FlaskClient
from pydantic import SecretStr
from test_console import (
    HOSTILE,
    KEY,
    OPENAI_KEY,
    PASSWORD,
    FakeWakeup,
    bury,
    run_of,
    sign_in,
    token_of,
)
from werkzeug.routing import Rule

from commands.password import command as password_command
from tests.desks import SETTINGS, VARIABLES
from triage.cells import safe_cell
from triage.environment import Environment, read_environment
from triage.settings import Settings
from triage.settings_file import parse_settings
from triage.store import Store
from triage.store.audit import Sought
from triage.store.deliveries import DEAD, QUEUED
from triage.store.undone import Choice
from webhooks import rules
from webhooks.app import create_app
from webhooks.login import COOKIE, WRONG_TRIES

VIEWER_PASSWORD = "only looking, thank you"
OPEN = {"console.static", "console.root", "console.login", "console.oidc_leave", "console.oidc_back"}
FOR_ADMINS = {"console.body", "console.audit_csv", "console.mode", "console.secret", "console.undo"}
FOR_ADMINS |= {"console.connect", "console.connecting"}
# A mode must be named; a desk is connected only after it was begun.
NEEDS_MORE = {"console.mode", "console.missing", "console.connecting"}
CANARIES = ("canary-database-password", "canary-broker-password", "canary-of-the-identity-provider", "canary-channel")


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment(
        tandem_config=str(tmp_path / "tandem.yaml"),
        console_password=SecretStr(PASSWORD),
        console_viewer_password=SecretStr(VIEWER_PASSWORD),
        secret_key=SecretStr(KEY),
        openai_api_key=SecretStr(OPENAI_KEY),
        database_url=f"postgresql://tandem:{CANARIES[0]}@db.example/tandem",
        redis_url=f"redis://:{CANARIES[1]}@redis.example/0",
        oidc_client_secret=SecretStr(CANARIES[2]),
    )


@pytest.fixture
def settings() -> Settings:
    channel = f'sla: {{channels: {{ops: "json://{CANARIES[3]}.example"}}, on_risk: {{notify: [ops]}}}}\n'
    return parse_settings(SETTINGS + channel, VARIABLES)


@pytest.fixture
def wakeup() -> FakeWakeup:
    return FakeWakeup()


@pytest.fixture
def client(environment: Environment, settings: Settings, sqlite_store: Store, wakeup: FakeWakeup) -> FlaskClient:
    return create_app(environment, settings, sqlite_store, wakeup).test_client()


@pytest.fixture
def admin(client: FlaskClient) -> FlaskClient:
    assert sign_in(client).status_code == 303
    return client


@pytest.fixture
def viewer(client: FlaskClient) -> FlaskClient:
    other = client.application.test_client()
    assert sign_in(other, VIEWER_PASSWORD).status_code == 303
    return other


def routes(client: FlaskClient) -> list[Rule]:
    return [rule for rule in client.application.url_map.iter_rules() if rule.endpoint.startswith("console.")]


def address(rule: Rule) -> str:
    """Return an address of a route, of objects that exist."""
    values = {"desk": "acme", "ticket_id": "70001", "delivery_id": "2", "anything": "x"}
    values |= {"filename": "console.css", "step": "webhook"}
    return re.sub(r"<(?:[^:<>]+:)?(\w+)>", lambda found: values[found[1]], rule.rule)


def post(client: FlaskClient, path: str, **form: str) -> object:
    return client.post(path, data={"csrf": token_of(client.get("/console/")), **form})


def plain(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>|\s+", " ", page)).split())


class TestEveryRoute:
    def test_asks_who_is_there(self, client: FlaskClient, sqlite_store: Store) -> None:
        fill(sqlite_store, time.time(), 3)
        closed = [rule for rule in routes(client) if rule.endpoint not in OPEN]
        assert len(closed) >= 20
        for rule in closed:
            for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}:
                answer = client.open(address(rule), method=method)
                assert answer.headers.get("Location") == "/console/login", (method, rule)

    def test_takes_no_form_without_its_token(self, admin: FlaskClient, sqlite_store: Store) -> None:
        fill(sqlite_store, time.time(), 3)
        forms = [rule for rule in routes(admin) if "POST" in (rule.methods or ())]
        assert len(forms) >= 10
        for rule in forms:
            for form in ({}, {"csrf": ""}, {"csrf": "guess"}):
                assert admin.post(address(rule), data=form).status_code in (400, 303), rule
                if rule.endpoint != "console.login":
                    assert admin.post(address(rule), data=form).status_code == 400, rule
        assert [entry.action for entry in sqlite_store.audit.recent(50)] == ["signed in"]

    def test_lets_viewers_look_and_change_nothing(self, viewer: FlaskClient, sqlite_store: Store) -> None:
        fill(sqlite_store, time.time(), 3)
        before = sqlite_store.audit.recent(50)
        token = token_of(viewer.get("/console/"))
        for rule in routes(viewer):
            if rule.endpoint in OPEN | {"console.logout", "console.missing"}:
                continue
            if "POST" in (rule.methods or ()):
                assert viewer.post(address(rule), data={"csrf": token}).status_code == 403, rule
            else:
                status = viewer.get(address(rule)).status_code
                assert status == (403 if rule.endpoint in FOR_ADMINS else 200), rule
        assert sqlite_store.audit.recent(50) == before

    def test_shows_viewers_no_forms(self, viewer: FlaskClient, sqlite_store: Store) -> None:
        fill(sqlite_store, time.time(), 40)
        sqlite_store.alarms.raise_("acme", "desk_locked", "the key was refused", time.time())
        for path in ("", "activity", "dead", "sla", "quality", "desks", "policy", "audit", "desks/acme/tickets/70001"):
            page = viewer.get(f"/console/{path}").text
            assert re.findall(r'method="post" action="([^"]+)"', page) == ["/console/logout"], path
            assert "/desks/acme/deliveries/" not in page, "a raw body is for admins"
            assert "audit.csv" not in page

    def test_opens_for_admins(self, admin: FlaskClient, sqlite_store: Store) -> None:
        fill(sqlite_store, time.time(), 3)
        for rule in routes(admin):
            if "GET" in (rule.methods or ()) and rule.endpoint not in OPEN | NEEDS_MORE:
                assert admin.get(address(rule)).status_code == 200, rule

    def test_prints_no_secret(
        self, admin: FlaskClient, viewer: FlaskClient, sqlite_store: Store, environment: Environment, settings: Settings
    ) -> None:
        fill(sqlite_store, time.time(), 6)
        secrets = [*VARIABLES.values(), *CANARIES, PASSWORD, VIEWER_PASSWORD, KEY, OPENAI_KEY]
        paths = [address(rule) for rule in routes(admin) if "GET" in (rule.methods or ())]
        paths += [
            "/console/desks/acme/mode?mode=write",
            "/console/policy?desk=acme&mode=write",
            "/console/desks/globex/secret",
        ]
        for browser in (admin, viewer):
            for path in paths:
                page = unescape(browser.get(path).text)
                assert [secret for secret in secrets if secret in page] == [], path
        token = token_of(admin.get("/console/"))
        for path in ("/console/desks/globex/secret", "/console/stop", "/console/desks/acme/hold"):
            page = unescape(admin.post(path, data={"csrf": token}, follow_redirects=True).text)
            assert [secret for secret in secrets if secret in page] == [], path

    def test_needs_nothing_that_the_policy_forbids(self, admin: FlaskClient, sqlite_store: Store) -> None:
        fill(sqlite_store, time.time(), 6)
        for rule in routes(admin):
            if "GET" in (rule.methods or ()) and rule.endpoint not in OPEN:
                page = admin.get(address(rule)).text
                assert not re.search(r"<script|<style|\sstyle=|\son\w+=|javascript:", page), rule


class TestAnotherDesk:
    def test_has_no_object_of_this_one(self, admin: FlaskClient, sqlite_store: Store, wakeup: FakeWakeup) -> None:
        fill(sqlite_store, time.time(), 2, "acme")
        dead = bury(sqlite_store, "a")
        for path in ("tickets/70001", f"deliveries/{dead}"):
            assert admin.get(f"/console/desks/acme/{path}").status_code == 200
            assert admin.get(f"/console/desks/globex/{path}").status_code == 404
        for path in (f"deliveries/{dead}/replay", "tickets/70001/replay"):
            post(admin, f"/console/desks/globex/{path}")
        assert wakeup.sent == []
        assert sqlite_store.deliveries.get(dead).state == DEAD

    def test_that_does_not_exist_is_not_found(self, admin: FlaskClient) -> None:
        for path in ("mode?mode=write", "secret"):
            assert admin.get(f"/console/desks/nobody/{path}").status_code == 404
        for path in ("mode", "hold", "secret"):
            assert post(admin, f"/console/desks/nobody/{path}", mode="write").status_code == 404


class TestActivity:
    def test_finds_by_everything_it_offers(self, admin: FlaskClient, sqlite_store: Store) -> None:
        fill(sqlite_store, time.time(), 40)
        fill(sqlite_store, time.time(), 5, "globex")
        run = sqlite_store.runs.recent(1)[0]

        def found(**search: str) -> set[str]:
            page = admin.get("/console/activity", query_string=search).text
            return set(re.findall(r'href="/console/desks/(\w+/tickets/\d+)"', page))

        assert found(desk="globex") == {f"globex/tickets/{70_000 + number}" for number in range(5)}
        assert found(ticket="#70003") == {"acme/tickets/70003", "globex/tickets/70003"}
        assert found(ticket="70003", desk="acme", show="runs") == {"acme/tickets/70003"}
        mine = {f"{run.desk}/tickets/{run.ticket_id}"}
        assert found(reference=run.reference.lower()) == found(reference=run.reference, show="runs") == mine
        assert found(reference=run.reference, desk="globex" if run.desk == "acme" else "acme") == set()
        assert found(state="dead") == {"acme/tickets/70039"}
        assert len(found(event="ticket.c")) > len(found(event="ticket.created")) > 0
        runs = [run for run in sqlite_store.runs.recent(50) if run.team == "billing" and run.classifier == "llm"]
        assert found(show="runs", team="billing", classifier="ll") == {
            f"{one.desk}/tickets/{one.ticket_id}" for one in runs
        }
        urgent = [run for run in sqlite_store.runs.recent(50) if run.priority == "P0_critical"]
        assert found(show="runs", priority="P0_critical") == {f"{one.desk}/tickets/{one.ticket_id}" for one in urgent}
        assert found(until="2020-01-01") == found(since="2999-01-01") == set()
        assert len(found(since="2020-01-01", until="2999-01-01")) == 45

    def test_goes_on_page_by_page_without_missing_one(self, admin: FlaskClient, sqlite_store: Store) -> None:
        fill(sqlite_store, 1_800_000_000.0, 120)
        seen: list[str] = []
        path = "/console/activity?show=runs&state=done"
        while path:
            page = admin.get(path).text
            seen += re.findall(r"<code>(TDM-\w+)</code>", page)
            further = re.search(r'class="further".*?href="([^"]+)">Older', page, re.S)
            path = unescape(further[1]) if further else ""
        done = [run.reference for run in sqlite_store.runs.recent(200) if run.state == "done"]
        assert seen == done

    @pytest.mark.parametrize("after", ["x", "1e999_1", "1_-1", f"1_{2**70}", "nan_1", "1700000000.5_3"])
    def test_a_made_up_place_is_no_error(self, admin: FlaskClient, after: str) -> None:
        assert admin.get("/console/activity", query_string={"after": after}).status_code == 200

    def test_a_hostile_search_is_shown_as_it_is(self, admin: FlaskClient) -> None:
        for name in ("desk", "ticket", "reference", "state", "event", "since", "team", "classifier"):
            page = admin.get("/console/activity", query_string={name: HOSTILE + "\0%_", "show": "runs"})
            assert page.status_code == 200
            assert "<script" not in page.text

    def test_refreshes_by_itself_only_when_asked(self, admin: FlaskClient) -> None:
        assert "http-equiv" not in admin.get("/console/activity").text
        page = admin.get("/console/activity?live=1").text
        assert '<meta http-equiv="refresh" content="10">' in page
        assert "Stop refreshing" in page


class TestTicket:
    def test_tells_everything(self, admin: FlaskClient, sqlite_store: Store) -> None:
        fill(sqlite_store, time.time(), 100)
        text = plain(admin.get("/console/desks/acme/tickets/70090").text)
        for words in (
            "I was charged twice for March.",
            "mode tag: a private note is written",
            "[EMAIL_1]",
            "Is the double charge visible in the billing system? Yes by link",
            "right",
            "tags: vip",
            "classify: gpt-5-mini at llm.example.com",
            "1.2 s",
            "Replay",
        ):
            assert words in text, words

    def test_a_run_of_another_version_does_not_break_it(self, admin: FlaskClient, sqlite_store: Store) -> None:
        run_of(sqlite_store, "1", classification={"primary_team": "gone"}, decision={}, draft={}, timings={})
        assert "gone" in admin.get("/console/desks/acme/tickets/1").text

    def test_hostile_text_is_escaped(self, admin: FlaskClient, sqlite_store: Store) -> None:
        answer = {"primary_team": HOSTILE, "priority": HOSTILE, "evidence": [HOSTILE], "context_for_agent": HOSTILE}
        draft = {
            "text": HOSTILE,
            "withheld": [HOSTILE],
            "quotes": [{"kind": HOSTILE, "title": HOSTILE, "text": HOSTILE}],
        }
        run = run_of(
            sqlite_store, "9", classification=answer, decision={"steps": [HOSTILE]}, draft=draft, model=HOSTILE
        )
        effect = sqlite_store.effects.plan(run.id, "tags", {HOSTILE: HOSTILE}, time.time())
        sqlite_store.effects.confirm(effect, time.time(), refused={HOSTILE: HOSTILE})
        page = admin.get("/console/desks/acme/tickets/9").text
        assert "<script" not in page
        assert "<img src=x" not in page
        assert page.count("onerror=alert(2)&gt;{{ 7*7 }}") >= 10

    def test_a_later_run_says_what_changed(self, admin: FlaskClient, sqlite_store: Store) -> None:
        first = {"primary_team": "billing", "priority": "P2_medium", "probabilities": {}}
        run_of(sqlite_store, "9", classification=first, decision={"abstained": ["priority"]}, speech="note")
        now = time.time()
        claimed, _ = sqlite_store.runs.claim("acme", "9", "message:5", owner="me", now=now, lease_until=now + 60)
        then = {"primary_team": "security", "priority": "P0_critical", "probabilities": {}}
        sqlite_store.runs.save(claimed, classification=then, decision={"abstained": []}, speech="reply")
        effect = sqlite_store.effects.plan(claimed.id, "update", {"note_id": "77"}, now)
        before, after = {"note": f"<p>Team: <b>billing</b></p>{HOSTILE}"}, {"note": "<p>Team: <b>security</b></p>"}
        sqlite_store.effects.confirm(effect, now, note_id="77", before=before, after=after)
        page = admin.get("/console/desks/acme/tickets/9").text
        text = plain(page)
        assert "message:5" in text
        assert "Team: billing → to security Priority: unclear → to P0 critical" in text
        assert text.count("What changed since the run before") == 1
        assert "Tandem, in public" in text
        assert re.search(r"Note before</summary><pre[^>]*>Team: billing", page)
        assert re.search(r"Note after</summary><pre[^>]*>Team: security</pre>", page)
        assert "<script" not in page

    def test_an_address_with_a_zero_byte_is_no_page(self, admin: FlaskClient) -> None:
        for path in ("desks/acme/tickets/7%00", "desks/ac%00me/tickets/7", "connect/a%00", "%00"):
            assert admin.get(f"/console/{path}").status_code == 404

    def test_replay_takes_its_newest_delivery(
        self, admin: FlaskClient, sqlite_store: Store, wakeup: FakeWakeup
    ) -> None:
        fill(sqlite_store, time.time(), 3)
        path = "/console/desks/acme/tickets/70001"
        post(admin, f"{path}/replay")
        assert len(wakeup.sent) == 1
        assert sqlite_store.deliveries.get(wakeup.sent[0]).ticket_id == "70001"
        post(admin, f"{path}/replay")
        assert "no closed delivery" in admin.get(path).text
        assert [entry.action for entry in sqlite_store.audit.recent(1)] == ["replay"]

    def test_undo_shows_what_goes_back_and_asks_a_worker(
        self, admin: FlaskClient, sqlite_store: Store, wakeup: FakeWakeup
    ) -> None:
        fill(sqlite_store, time.time(), 3)
        path = "/console/desks/acme/tickets/70001/undo"
        assert "tags: vip" in plain(admin.get(path).text)
        assert wakeup.undone == []
        post(admin, path)
        assert wakeup.undone == [("console:admin", Choice(desk="acme", ticket_id="70001"))]
        assert sqlite_store.audit.recent(1)[0].action == "undo asked for"
        post(admin, "/console/desks/globex/tickets/70001/undo")
        assert len(wakeup.undone) == 1
        wakeup.takes = False
        post(admin, path)
        assert "nothing is taken back" in admin.get("/console/").text

    def test_a_body_is_pretty_escaped_and_its_reading_recorded(self, admin: FlaskClient, sqlite_store: Store) -> None:
        body = b'{"text": "<b>hi</b>", "id": 7}'
        row = sqlite_store.deliveries.receive("acme", "k", ticket_id="7", event="e", body=body, now=time.time())
        page = admin.get(f"/console/desks/acme/deliveries/{row.id}").text
        assert "{\n  &#34;text&#34;: &#34;&lt;b&gt;hi&lt;/b&gt;&#34;," in page
        entry = sqlite_store.audit.recent(1)[0]
        assert (entry.actor, entry.action, entry.subject) == ("console:admin", "body read", f"delivery {row.id}")
        sqlite_store.deliveries.finish(row.id, "done", time.time())
        sqlite_store.deliveries.drop_bodies(time.time() + 1)
        assert "no longer kept" in admin.get(f"/console/desks/acme/deliveries/{row.id}").text


class TestDead:
    def test_groups_by_reason(self, admin: FlaskClient, sqlite_store: Store) -> None:
        for number in range(5):
            bury(sqlite_store, f"a{number}", "forbidden" if number else "too large")
        text = plain(admin.get("/console/dead").text)
        assert "forbidden 4 too large 1" in text

    def test_replays_those_ticked_and_no_other(
        self, admin: FlaskClient, sqlite_store: Store, wakeup: FakeWakeup
    ) -> None:
        dead = [bury(sqlite_store, key) for key in "abc"]
        form = {"csrf": token_of(admin.get("/console/dead")), "id": [str(dead[0]), str(dead[2]), "x", "-1", "9" * 30]}
        admin.post("/console/dead/replay-chosen", data=form)
        assert wakeup.sent == [dead[0], dead[2]]
        assert sqlite_store.deliveries.counts() == {QUEUED: 2, DEAD: 1}

    def test_ticked_ones_are_dead_and_of_the_desk_shown(
        self, admin: FlaskClient, sqlite_store: Store, wakeup: FakeWakeup
    ) -> None:
        fill(sqlite_store, time.time(), 2)
        dead = bury(sqlite_store, "a")
        token = token_of(admin.get("/console/dead?desk=globex"))
        done = sqlite_store.deliveries.with_state("done")[0]
        for desk, ids in (("globex", [dead]), ("acme", [done]), ("", [done])):
            admin.post("/console/dead/replay-chosen", data={"csrf": token, "desk": desk, "id": ids})
        assert wakeup.sent == []
        admin.post("/console/dead/replay-chosen", data={"csrf": token, "desk": "acme", "id": [done, dead]})
        assert wakeup.sent == [dead]

    def test_replays_those_of_one_desk(self, admin: FlaskClient, sqlite_store: Store, wakeup: FakeWakeup) -> None:
        mine = bury(sqlite_store, "a")
        other = sqlite_store.deliveries.receive("globex", "b", ticket_id="1", event="e", body=b"", now=time.time()).id
        sqlite_store.deliveries.finish(other, DEAD, time.time(), "why")
        post(admin, "/console/dead/replay", desk="globex")
        assert wakeup.sent == [other]
        assert sqlite_store.deliveries.get(mine).state == DEAD


class TestDesks:
    def test_a_mode_is_changed_after_saying_what_changes(self, admin: FlaskClient, sqlite_store: Store) -> None:
        page = plain(admin.get("/console/desks/acme/mode?mode=write&field=").text)
        assert "acme goes from tag to write: Tandem adds note and tags, and sets priority, group" in page
        assert sqlite_store.controls.all() == {}, "nothing is changed by looking"
        post(admin, "/console/desks/acme/mode", mode="write", field="")
        assert sqlite_store.controls.all() == {"acme": {"mode": "write"}}
        assert "switched here" in admin.get("/console/desks").text
        post(admin, "/console/desks/acme/mode", mode="watch", field="priority")
        assert sqlite_store.controls.all()["acme"]["mode:priority"] == "watch"
        post(admin, "/console/desks/acme/mode", mode="file", field="")
        assert sqlite_store.controls.all() == {}
        assert {entry.actor for entry in sqlite_store.audit.search(Sought(action="mode"), 9)[0]} == {"console:admin"}

    @pytest.mark.parametrize("form", [{"mode": "all"}, {}, {"mode": "tag", "field": "language"}])
    def test_what_is_no_mode_is_refused(self, admin: FlaskClient, sqlite_store: Store, form: dict[str, str]) -> None:
        assert post(admin, "/console/desks/acme/mode", **form).status_code == 400
        assert admin.get("/console/desks/acme/mode", query_string=form).status_code == 400
        assert sqlite_store.controls.all() == {}

    def test_pause_and_resume(self, admin: FlaskClient, sqlite_store: Store) -> None:
        post(admin, "/console/desks/acme/hold", do="pause")
        assert "paused" in plain(admin.get("/console/").text)
        assert "acme" in sqlite_store.controls.all()
        post(admin, "/console/desks/acme/hold", do="resume")
        assert sqlite_store.controls.all() == {}

    def test_the_stop_is_seen_everywhere(self, admin: FlaskClient, sqlite_store: Store) -> None:
        post(admin, "/console/stop", do="stop")
        assert plain(admin.get("/console/").text).count("stopped") >= 2
        assert "Let writing go on" in admin.get("/console/desks").text
        post(admin, "/console/stop")
        assert "Let writing go on" in admin.get("/console/desks").text, "only who says go lifts it"
        post(admin, "/console/stop", do="go")
        assert "Stop all writing now" in admin.get("/console/desks").text

    def test_a_new_secret_is_shown_once(self, admin: FlaskClient, sqlite_store: Store) -> None:
        answer = post(admin, "/console/desks/globex/secret")
        made = re.search(r'id="made" class="copy" readonly value="([0-9a-f]{48})"', answer.text)
        assert made
        assert answer.headers["Cache-Control"] == "no-store"
        assert made[1] not in admin.get("/console/desks/globex/secret").text
        assert made[1] not in str(sqlite_store.audit.recent(5))


class TestHealth:
    def test_what_a_worker_found_at_a_helpdesk_is_shown(self, admin: FlaskClient, sqlite_store: Store) -> None:
        found = {"what": "webhook", "state": "broken", "text": f"switched off {HOSTILE}", "remedy": "connect again"}
        fine = {"what": "credential", "state": "ok", "text": "signed in", "remedy": ""}
        sqlite_store.cursors.set("globex", "health", json.dumps([fine, found]), time.time() - 120)
        page = admin.get("/console/desks").text
        assert "broken webhook: switched off" in plain(page)
        assert "connect again" in page
        assert "2 min ago" in page
        assert "<script" not in page
        overview = plain(admin.get("/console/").text)
        assert "broken: webhook" in overview
        assert "Health broken webhook: switched off" in overview

    @pytest.mark.parametrize("kept", ["", "{}", "[1]", '[{"what": "a", "state": "odd", "text": "b"}]', "null"])
    def test_what_cannot_be_read_is_left_out(self, admin: FlaskClient, sqlite_store: Store, kept: str) -> None:
        sqlite_store.cursors.set("globex", "health", kept, time.time())
        assert "found at the helpdesk" not in admin.get("/console/desks").text
        assert "broken:" not in admin.get("/console/").text


class TestPolicy:
    def test_says_every_rule(self) -> None:
        config = """
speech:
  silent: true
  safe: {max_mrr: 5000, min_sources: 2}
  vip_tags: [vip, gold]
  auto_reply: {invoices: {team: billing, languages: [en, de]}}
living: {messages: false, runs_per_hour: 3}
questions:
  charged: {ask: Is the charge visible?, options: ["Yes", "No"], when: {teams: [billing], words: [twice]}}
"""
        settings = parse_settings(SETTINGS + config, VARIABLES)
        said = " ".join([*rules.speech(settings.speech), *rules.living(settings.living), *rules.questions(settings)])
        for words in (
            "90% sure that it is for no team",
            "2 help articles are close to the question",
            "monthly revenue is at most 5,000",
            "tagged vip or gold are for people",
            "Category invoices: tickets of billing in en or de are answered in public without a person, from 95% sure",
            "New messages of a customer are not judged.",
            "At most 3 later runs",
            "charged: on tickets of billing that say “twice”, “Is the charge visible?” (Yes / No)",
        ):
            assert words in said, words

    def test_says_what_holds(self, admin: FlaskClient) -> None:
        text = plain(admin.get("/console/policy").text)
        assert "Team counts from 50 % and is said in the note and tagged; below, a person decides." in text
        assert "No customer is answered without a person." in text
        assert "A new message of the customer is judged again until a person has replied." in text

    def test_says_what_another_one_would_have_done(self, admin: FlaskClient, sqlite_store: Store) -> None:
        fill(sqlite_store, time.time(), 80)
        search = {"desk": "acme", "mode": "write", "least-primary_team": "101"}
        assert "101" not in plain(admin.get("/console/policy?desk=acme").text)
        assert admin.get("/console/policy", query_string=search).status_code == 400
        search["least-primary_team"] = "100"
        text = plain(admin.get("/console/policy", query_string=search).text)
        found = re.search(r"Team (\d+) → to (\d+) (\d+) → to (\d+) (\d+) → to (\d+)", text)
        assert found, text
        tagged, tagged_then, written, written_then, left, left_then = map(int, found.groups())
        assert (tagged_then, written, written_then) == (0, 0, 0)
        assert left_then == tagged + left > left
        assert "priority set to" in text
        assert "who may speak is not" in text
        assert sqlite_store.controls.all() == {}

    @pytest.mark.parametrize("changed", [{"mode": "all"}, {"mode": "tag", "least-priority": "x"}])
    def test_what_is_no_policy_is_refused(self, admin: FlaskClient, changed: dict[str, str]) -> None:
        assert admin.get("/console/policy", query_string={"desk": "acme", **changed}).status_code == 400


class TestQuality:
    def test_counts_what_people_made_of_it(self, admin: FlaskClient, sqlite_store: Store) -> None:
        fill(sqlite_store, time.time(), 120)
        sqlite_store.days.refresh(time.time())
        text = plain(admin.get("/console/quality").text)
        counted = sqlite_store.outcomes.agreement("acme", 0, time.time() + 1)["primary_team"]
        assert f"acme Team {counted.share:.0%} {counted.n}" in text
        assert "Ready to edit" in text
        assert "Withheld" in text
        assert "Model cost per ticket by week" in text
        votes = sqlite_store.feedback.tally(0, time.time() + 1)
        assert f"On {votes.notes} notes, {votes.reasons} times with a reason." in text
        assert f"Right {votes.verdicts['right']}" in text
        drafts = Counter(run.drafted for run in sqlite_store.runs.recent(200) if run.state == "done")
        assert f"Ready to edit {drafts['ready']}" in text
        tile = plain(admin.get("/console/").text)
        assert f"Drafts ready, 30 days {drafts['ready']} {drafts['quoted']} quoted instead" in tile
        assert "No votes yet" in plain(admin.get("/console/quality?desk=globex").text)


class TestAudit:
    def test_who_came_and_went(self, client: FlaskClient, sqlite_store: Store) -> None:
        for _ in range(6):
            sign_in(client, "wrong", "192.0.2.9")
        sign_in(client)
        post(client, "/console/logout")
        entries = [(entry.actor, entry.action) for entry in reversed(sqlite_store.audit.recent(9))]
        assert entries == [("console", "locked out"), ("console:admin", "signed in"), ("console:admin", "signed out")]

    def test_is_searched_page_by_page(self, admin: FlaskClient, sqlite_store: Store) -> None:
        for number in range(150):
            sqlite_store.audit.record(
                "command:ops", "mode", 1_700_000_000.0 + number, desk="acme", subject=f"s{number}."
            )
        sqlite_store.audit.record("link", "vote", 1_700_000_000.0, desk="globex")
        page = admin.get("/console/audit?actor=command:").text
        assert plain(page).count("command:ops") == 100
        further = re.search(r'href="([^"]+)">Older', page)
        assert further
        assert plain(admin.get(unescape(further[1])).text).count("command:ops") == 50
        assert "globex" in plain(admin.get("/console/audit?action=vote").text)
        assert "Nothing fits" in admin.get("/console/audit?since=2999-01-01").text
        assert "Nothing fits" in admin.get("/console/audit?action=%25").text, "a wildcard is a letter like any other"

    def test_the_file_holds_no_formulas(self, admin: FlaskClient, sqlite_store: Store) -> None:
        sqlite_store.audit.record("console:=cmd|' /C calc'!A0", "+1", time.time(), desk="@acme", subject='-2,"x"\ny')
        answer = admin.get("/console/audit.csv")
        assert "attachment" in answer.headers["Content-Disposition"]
        rows = list(csv.reader(io.StringIO(answer.text)))
        mine = next(row for row in rows if "cmd" in row[1])
        assert mine[1:5] == ["console:=cmd|' /C calc'!A0", "'+1", "'@acme", '\'-2,"x"\ny']
        assert sqlite_store.audit.recent(1)[0].action == "audit exported"

    @pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@a", "\t=1", "\r=1", "\n=1", "  =1", "\uff1d1"])
    def test_a_cell_is_never_a_formula(self, cell: str) -> None:
        assert safe_cell(cell) == f"'{cell}"
        # As a spreadsheet of a country that separates with semicolons reads it.
        assert safe_cell(f"a;{cell}") == f"a;'{cell}"
        assert safe_cell(f'{{"a": -1, "b": "{cell[-1]}="}}') == f'{{"a": -1, "b": "{cell[-1]}="}}'


class TestPasswords:
    def test_a_hash_opens_the_console(self, settings: Settings, sqlite_store: Store) -> None:
        printed = CliRunner().invoke(password_command, [], input=f"{PASSWORD}\n").output
        name, _, value = printed.strip().partition("=")
        assert name == "CONSOLE_PASSWORD_HASH"
        environment = read_environment({name: value.strip("'"), "SECRET_KEY": KEY})
        client = create_app(environment, settings, sqlite_store, FakeWakeup()).test_client()
        assert sign_in(client, "wrong").status_code == 403
        assert sign_in(client).status_code == 303

    def test_a_short_password_is_not_made_a_hash(self) -> None:
        assert CliRunner().invoke(password_command, ["--viewer"], input="short\n").exit_code == 2

    def test_a_viewer_who_signs_in_between_has_no_more_tries_at_the_admins(self, client: FlaskClient) -> None:
        client, tried = client.application.test_client(), 0
        for _ in range(4):
            for _ in range(WRONG_TRIES - 1):
                tried += sign_in(client, "a guess").status_code == 403
            assert "tandem_known" not in str(sign_in(client, VIEWER_PASSWORD).headers)
            client.delete_cookie(COOKIE, path="/console/")
        assert tried == WRONG_TRIES
        assert sign_in(client).status_code == 429

    def test_a_viewer_may_sign_in_as_often_as_they_like(self, client: FlaskClient) -> None:
        for _ in range(2 * WRONG_TRIES):
            assert sign_in(client.application.test_client(), VIEWER_PASSWORD).status_code == 303

    def test_a_viewer_cannot_become_an_admin_by_changing_the_cookie(self, viewer: FlaskClient) -> None:
        cookie = viewer.get_cookie(COOKIE, path="/console/")
        assert cookie is not None
        # Not the last character: some of its bits mean nothing.
        head, changed, tail = cookie.value[:-9], cookie.value[-9], cookie.value[-8:]
        viewer.set_cookie(COOKIE, head + ("A" if changed != "A" else "B") + tail, path="/console/")
        assert viewer.get("/console/").status_code == 303
