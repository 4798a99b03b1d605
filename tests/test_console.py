"""The console: who may see it, what it shows, what its buttons do, and what it must never show."""

from __future__ import annotations

import logging
import re
import threading
import time
from html import unescape
from http.cookies import SimpleCookie
from pathlib import Path

import pytest
import time_machine
from flask.testing import FlaskClient
from pydantic import SecretStr
from sqlalchemy.exc import OperationalError
from test_outcomes import outcome_of
from werkzeug.test import TestResponse

from commands import replay as replay_command
from tests.desks import FRESHDESK_SECRET, SETTINGS, VARIABLES, ZENDESK_SECRET
from triage.environment import Environment
from triage.settings import Settings
from triage.settings_file import parse_settings
from triage.store import Store
from triage.store.deliveries import DEAD, DONE, IGNORED, QUEUED, RECEIVED, Deliveries
from triage.store.marks import DESK_LOCKED, PUBLIC_NOTE
from triage.store.runs import DONE as RUN_DONE
from triage.store.runs import Run
from triage.store.undone import Choice
from webhooks.app import create_app
from webhooks.login import (
    COOKIE,
    LOCK_SECONDS,
    SESSION_SECONDS,
    WRONG_TRIES,
    WRONG_TRIES_IN_ALL,
    Lockout,
    Login,
    source_of,
)
from webhooks.replay import CHUNK, replay
from webhooks.shown import ticket_url, verdicts_of
from webhooks.words import age, duration

PASSWORD = "correct horse battery staple"
KEY = "a-secret-key-of-this-installation"
OPENAI_KEY = "sk-a-key-of-the-language-model"
HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7*7 }}"


class FakeWakeup:
    """Stands in for the broker."""

    is_refused = False

    def __init__(self, takes: bool = True) -> None:
        self.takes = takes
        self.sent: list[int] = []
        self.undone: list[tuple[str, Choice]] = []

    def send(self, delivery_id: int) -> bool:
        self.sent.append(delivery_id)
        return self.takes

    def undo(self, actor: str, choice: Choice) -> bool:
        self.undone.append((actor, choice))
        return self.takes


@pytest.fixture
def environment() -> Environment:
    return Environment(
        console_password=SecretStr(PASSWORD), secret_key=SecretStr(KEY), openai_api_key=SecretStr(OPENAI_KEY)
    )


@pytest.fixture
def wakeup() -> FakeWakeup:
    return FakeWakeup()


@pytest.fixture
def client(environment: Environment, settings: Settings, sqlite_store: Store, wakeup: FakeWakeup) -> FlaskClient:
    """Return a browser that has not signed in."""
    return create_app(environment, settings, sqlite_store, wakeup).test_client()


@pytest.fixture
def admin(client: FlaskClient) -> FlaskClient:
    """Return a browser that has signed in."""
    assert sign_in(client).status_code == 303
    return client


def token_of(page: TestResponse) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert found, page.text
    return found[1]


def sign_in(client: FlaskClient, password: str = PASSWORD, address: str = "192.0.2.1") -> TestResponse:
    form = {"csrf": token_of(client.get("/console/login")), "password": password}
    return client.post("/console/login", data=form, environ_base={"REMOTE_ADDR": address})


def press(client: FlaskClient, path: str) -> TestResponse:
    return client.post(path, data={"csrf": token_of(client.get("/console/"))})


def cookie_of(answer: TestResponse) -> SimpleCookie:
    return SimpleCookie("; ".join(answer.headers.getlist("Set-Cookie")))


def receive(store: Store, key: str, state: str = RECEIVED, reason: str = "", ticket_id: str = "7") -> int:
    return store.deliveries.receive(
        "acme", key, ticket_id=ticket_id, event="created", body=b"{}", now=time.time() - 60, state=state, reason=reason
    ).id


def bury(store: Store, key: str, reason: str = "the helpdesk refused it") -> int:
    delivery_id = receive(store, key)
    store.deliveries.finish(delivery_id, DEAD, time.time(), reason)
    return delivery_id


def run_of(store: Store, ticket_id: str = "7", **values: object) -> Run:
    now = time.time()
    run, _ = store.runs.claim("acme", ticket_id, "created", owner="me", now=now, lease_until=now + 60)
    store.runs.save(run, **{"classifier": "embedded", **values})
    store.runs.finish(run, RUN_DONE, now)
    return run


class TestLogin:
    def test_the_root_leads_to_the_console_and_that_to_the_password(self, client: FlaskClient) -> None:
        assert client.get("/").headers["Location"] == "/console/"
        assert client.get("/console").status_code == 308
        answer = client.get("/console/")
        assert (answer.status_code, answer.headers["Location"]) == (303, "/console/login")

    def test_the_password_opens_the_console(self, client: FlaskClient) -> None:
        assert sign_in(client).headers["Location"] == "/console/"
        page = client.get("/console/")
        assert page.status_code == 200
        assert "Dead letters" in page.text
        assert client.get("/console/login").headers["Location"] == "/console/"

    @pytest.mark.parametrize("password", ["", "wrong", PASSWORD + " ", PASSWORD.upper(), "pässwörd"])
    def test_another_password_does_not(self, client: FlaskClient, password: str) -> None:
        answer = sign_in(client, password)
        assert answer.status_code == 403
        assert "not the password" in answer.text
        assert client.get("/console/").status_code == 303

    def test_the_address_asked_for_never_decides_where_to_go(self, client: FlaskClient) -> None:
        evil = "http://evil.example"
        token = token_of(client.get("/console/login", base_url=evil))
        form = {"csrf": token, "password": PASSWORD, "next": evil}
        url = "/console/login?next=http://evil.example&url=//evil.example"
        answer = client.post(url, data=form, base_url=evil, headers={"Referer": evil})
        assert answer.headers["Location"] == "/console/"

    def test_the_session_changes_at_login(self, client: FlaskClient) -> None:
        before = cookie_of(client.get("/console/login"))[COOKIE].value
        old_token = token_of(client.get("/console/login"))
        after = cookie_of(sign_in(client))[COOKIE].value
        assert before != after
        assert client.post("/console/dead/replay", data={"csrf": old_token}).status_code == 400
        client.set_cookie(COOKIE, before, path="/console/")
        assert client.get("/console/").status_code == 303, "the cookie from before must not be signed in"

    def test_each_login_has_its_own_session(self, client: FlaskClient) -> None:
        first = cookie_of(sign_in(client))[COOKIE].value
        press(client, "/console/logout")
        assert cookie_of(sign_in(client))[COOKIE].value != first

    def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(self, client: FlaskClient) -> None:
        morsel = cookie_of(sign_in(client))[COOKIE]
        assert (morsel["httponly"], morsel["samesite"], morsel["path"]) == (True, "Strict", "/console/")
        assert not morsel["secure"], "this installation has no https"
        assert morsel["expires"]

    def test_the_cookie_is_for_https_only_where_there_is_https(
        self, environment: Environment, settings: Settings, sqlite_store: Store, wakeup: FakeWakeup
    ) -> None:
        public = environment.model_copy(update={"public_url": "https://tandem.example.com"})
        app = create_app(public, settings, sqlite_store, wakeup)
        answer = app.test_client().get("/console/login", base_url="https://tandem.example.com")
        assert cookie_of(answer)[COOKIE]["secure"]

    def test_a_session_lasts_twelve_hours_however_busy(self, client: FlaskClient) -> None:
        start = time.time()
        with time_machine.travel(start, tick=False) as clock:
            sign_in(client)
            for _ in range(11):
                clock.shift(3600)
                press(client, "/console/dead/replay")
                assert client.get("/console/").status_code == 200
            clock.move_to(start + SESSION_SECONDS + 1)
            assert client.get("/console/").status_code == 303

    def test_signing_out_ends_the_session_for_copies_of_the_cookie_too(self, admin: FlaskClient) -> None:
        copy = admin.get_cookie(COOKIE, path="/console/")
        assert copy is not None
        assert press(admin, "/console/logout").headers["Location"] == "/console/login"
        assert admin.get("/console/").status_code == 303
        admin.set_cookie(COOKIE, copy.value, path="/console/")
        assert admin.get("/console/").status_code == 303

    def test_signing_out_by_link_does_nothing(self, admin: FlaskClient) -> None:
        assert admin.get("/console/logout").status_code == 404
        assert admin.get("/console/").status_code == 200

    @pytest.mark.parametrize("changed", ["console_password", "secret_key"])
    def test_a_new_password_or_key_ends_every_session(
        self,
        admin: FlaskClient,
        environment: Environment,
        settings: Settings,
        sqlite_store: Store,
        wakeup: FakeWakeup,
        changed: str,
    ) -> None:
        cookie = admin.get_cookie(COOKIE, path="/console/")
        assert cookie is not None
        for update, status in (({}, 200), ({changed: SecretStr("another one, just as long")}, 303)):
            app = create_app(environment.model_copy(update=update), settings, sqlite_store, wakeup)
            other = app.test_client()
            other.set_cookie(COOKIE, cookie.value, path="/console/")
            assert other.get("/console/").status_code == status

    def test_a_link_from_another_site_keeps_the_session(self, admin: FlaskClient) -> None:
        cookie = admin.get_cookie(COOKIE, path="/console/")
        assert cookie is not None
        admin.delete_cookie(COOKIE, path="/console/")  # a SameSite=Strict cookie does not come along
        page = admin.get("/console/", headers={"Sec-Fetch-Site": "cross-site"})
        assert 'content="0; url=/console/"' in page.text
        assert "Set-Cookie" not in page.headers, "the session that exists must not be overwritten"


class TestLockout:
    def test_five_wrong_tries_close_the_door_to_the_right_password_too(self, client: FlaskClient) -> None:
        for _ in range(WRONG_TRIES):
            assert sign_in(client, "wrong").status_code == 403
        answer = sign_in(client)
        assert answer.status_code == 429
        assert "Too many" in answer.text
        assert client.get("/console/").status_code == 303

    def test_other_addresses_are_not_affected(self, client: FlaskClient) -> None:
        for _ in range(WRONG_TRIES + 1):
            sign_in(client, "wrong", "192.0.2.1")
        assert sign_in(client, PASSWORD, "192.0.2.2").status_code == 303

    def test_the_right_password_forgives_the_tries_before(self, client: FlaskClient) -> None:
        for _ in range(3):
            for _ in range(WRONG_TRIES - 1):
                assert sign_in(client, "wrong").status_code == 403
            assert sign_in(client).status_code == 303
            press(client, "/console/logout")

    def test_ends_five_minutes_after_the_last_wrong_try(self) -> None:
        lockout = Lockout()
        for second in range(WRONG_TRIES):
            assert lockout.admit("a", float(second))
        assert not lockout.admit("a", WRONG_TRIES - 1 + LOCK_SECONDS - 0.1)
        assert lockout.admit("a", WRONG_TRIES - 1 + LOCK_SECONDS)

    def test_many_addresses_are_stopped_and_remembered_up_to_a_bound(self) -> None:
        lockout = Lockout()
        admitted = sum(lockout.admit(str(number), 1.0) for number in range(10_000))
        assert admitted == WRONG_TRIES_IN_ALL
        assert len(lockout._tries) <= WRONG_TRIES_IN_ALL
        assert lockout.admit("anybody", 1.0 + LOCK_SECONDS)

    def test_a_browser_that_has_signed_in_before_cannot_be_kept_out_by_others(self, client: FlaskClient) -> None:
        assert sign_in(client).status_code == 303
        press(client, "/console/logout")
        stranger = client.application.test_client()
        for number in range(WRONG_TRIES_IN_ALL):
            sign_in(stranger, "wrong", f"198.51.{number}.1")
        assert sign_in(stranger, PASSWORD, "203.0.113.1").status_code == 429
        assert sign_in(client, PASSWORD, "203.0.113.1").status_code == 303
        press(client, "/console/logout")
        for _ in range(WRONG_TRIES):
            assert sign_in(client, "wrong").status_code == 403
        assert sign_in(client).status_code == 429, "and has no more tries than anybody else"

    @pytest.mark.parametrize("cookie", ["", "x", "x.", ".", "a.b", "é.ü", "browser 1.2", "x" * 5000])
    def test_nobody_is_known_by_a_made_up_cookie(self, client: FlaskClient, cookie: str) -> None:
        client.set_cookie("tandem_known", cookie, path="/console/")
        for _ in range(WRONG_TRIES):
            assert sign_in(client, "wrong").status_code == 403
        assert sign_in(client).status_code == 429
        other = client.application.test_client()
        assert sign_in(other).status_code == 429, "counted for the address"

    def test_another_password_forgets_the_browsers(
        self, client: FlaskClient, settings: Settings, sqlite_store: Store, wakeup: FakeWakeup
    ) -> None:
        kept = cookie_of(sign_in(client))["tandem_known"]
        assert (kept["httponly"], kept["samesite"], kept["path"]) == (True, "Strict", "/console/")
        assert Login(Environment(console_password=SecretStr(PASSWORD), secret_key=SecretStr(KEY))).known_browser(
            kept.value
        )
        changed = Environment(console_password=SecretStr("another password"), secret_key=SecretStr(KEY))
        assert not Login(changed).known_browser(kept.value)

    def test_tries_at_the_same_time_are_all_counted(self) -> None:
        lockout, admitted = Lockout(), []
        barrier = threading.Barrier(40)

        def attempt() -> None:
            barrier.wait()
            admitted.append(lockout.admit("a", 1.0))

        threads = [threading.Thread(target=attempt) for _ in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(admitted) == WRONG_TRIES

    @pytest.mark.parametrize(
        ("address", "source"),
        [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("", "unknown"),
            (None, "unknown"),
        ],
    )
    def test_a_caller_is_known_by_what_it_cannot_change(self, address: str | None, source: str) -> None:
        assert source_of(address) == source


class TestForms:
    PATHS = (
        "/console/logout",
        "/console/dead/replay",
        "/console/desks/acme/deliveries/1/replay",
        "/console/alarms/dismiss",
    )

    @pytest.mark.parametrize("form", [{}, {"csrf": ""}, {"csrf": "guess"}, {"csrf": "ü"}])
    @pytest.mark.parametrize("path", PATHS)
    def test_no_form_works_without_its_token(
        self, admin: FlaskClient, sqlite_store: Store, path: str, form: dict[str, str]
    ) -> None:
        bury(sqlite_store, "a")
        answer = admin.post(path, data=form)
        assert answer.status_code == 400
        assert "did not come from this page" in answer.text
        assert sqlite_store.deliveries.counts() == {DEAD: 1}
        assert admin.get("/console/").status_code == 200, "still signed in"

    @pytest.mark.parametrize("form", [{}, {"csrf": ""}, {"csrf": "guess"}])
    @pytest.mark.parametrize("visited", [True, False])
    def test_nor_does_the_login_form(self, client: FlaskClient, visited: bool, form: dict[str, str]) -> None:
        if visited:
            client.get("/console/login")
        assert client.post("/console/login", data={"password": PASSWORD, **form}).status_code == 400
        assert client.get("/console/").status_code == 303

    @pytest.mark.parametrize("path", PATHS)
    def test_nothing_happens_without_a_login(self, client: FlaskClient, sqlite_store: Store, path: str) -> None:
        bury(sqlite_store, "a")
        answer = client.post(path, data={"csrf": token_of(client.get("/console/login"))})
        assert answer.headers["Location"] == "/console/login"
        assert sqlite_store.deliveries.counts() == {DEAD: 1}

    def test_every_form_carries_a_token(self, admin: FlaskClient, sqlite_store: Store) -> None:
        bury(sqlite_store, "a")
        page = admin.get("/console/dead").text
        assert page.count('method="post"') == page.count('name="csrf"') == 4


class TestHeaders:
    @pytest.mark.parametrize(
        "path", ["/", "/console/", "/console/login", "/console/nowhere", "/console/static/console.css"]
    )
    def test_every_answer_is_guarded(self, admin: FlaskClient, path: str) -> None:
        headers = admin.get(path).headers
        assert headers["Content-Security-Policy"] == (
            "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; "
            "base-uri 'none'"
        )
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cache-Control"] == ("no-cache" if "static" in path else "no-store")

    def test_pages_need_nothing_that_the_policy_forbids(self, admin: FlaskClient, sqlite_store: Store) -> None:
        bury(sqlite_store, "a")
        page = admin.get("/console/").text
        assert not re.search(r"<script|<style|\sstyle=|\son\w+=|javascript:", page)
        assert set(re.findall(r'(?:src|<link[^>]*href)="([^"]+)"', page)) == {
            "/console/static/icon.svg",
            "/console/static/console.css",
        }

    def test_only_the_consoles_files_are_served(self, client: FlaskClient) -> None:
        assert client.get("/console/static/console.css").status_code == 200
        for path in ("/static/console.css", "/console/static/../console.py", "/console/static/%2e%2e/login.py"):
            assert client.get(path).status_code != 200

    def test_an_unknown_page_says_so(self, admin: FlaskClient) -> None:
        answer = admin.get("/console/nowhere")
        assert answer.status_code == 404
        assert "no such page" in answer.text

    def test_webhooks_and_probes_carry_no_session(self, admin: FlaskClient) -> None:
        assert "Set-Cookie" not in admin.get("/healthz").headers
        assert admin.post("/webhooks/zendesk/nobody").json == {"error": "no such desk"}


class TestOff:
    @pytest.mark.parametrize(
        ("password", "key", "names"),
        [("", KEY, "CONSOLE_PASSWORD"), (PASSWORD, "", "SECRET_KEY"), ("", "", "CONSOLE_PASSWORD and SECRET_KEY")],
    )
    def test_says_which_variable_to_set_while_webhooks_go_on(
        self, settings: Settings, sqlite_store: Store, wakeup: FakeWakeup, password: str, key: str, names: str
    ) -> None:
        off = Environment(console_password=SecretStr(password), secret_key=SecretStr(key))
        client = create_app(off, settings, sqlite_store, wakeup).test_client()
        for path in ("/console/", "/console/login", "/console/nowhere"):
            answer = client.get(path)
            assert answer.status_code == 503
            assert f"set {names} in .env" in answer.text
        assert client.post("/console/login", data={"password": ""}).status_code == 503
        assert client.get("/console/static/console.css").status_code == 200
        headers = {"X-Webhook-Secret": FRESHDESK_SECRET}
        sent = client.post(
            "/webhooks/freshdesk/globex", json={"event": "ticket_created", "ticket_id": 5}, headers=headers
        )
        assert sent.status_code == 202

    def test_a_database_that_is_down_is_named(
        self, admin: FlaskClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def fail(*_: object, **__: object) -> None:
            raise OperationalError("SELECT secret things", {}, Exception("postgresql://user:password@host"))

        monkeypatch.setattr(Deliveries, "counts", fail)
        with caplog.at_level(logging.DEBUG):
            answer = admin.get("/console/")
        assert answer.status_code == 503
        assert "DATABASE_URL" in answer.text
        assert "secret things" not in answer.text + caplog.text

    def test_a_bug_shows_a_page_without_details(
        self, admin: FlaskClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setattr(Deliveries, "counts", lambda *_: 1 / 0)
        answer = admin.get("/console/")
        assert answer.status_code == 500
        assert "division" not in answer.text + caplog.text
        assert "ZeroDivisionError" in caplog.text


class TestOverview:
    def test_an_empty_installation_says_what_to_do(self, admin: FlaskClient) -> None:
        page = admin.get("/console/").text
        assert "No ticket has been triaged yet" in page
        assert "Needs you now" not in page
        assert "Nothing has arrived yet" in admin.get("/console/activity").text
        assert "Replay all dead" not in admin.get("/console/dead").text
        desks = admin.get("/console/desks").text
        assert "http://127.0.0.1:8000/webhooks/zendesk/acme" in desks
        assert "http://127.0.0.1:8000/webhooks/freshdesk/globex" in desks

    def test_alarms_come_first(self, admin: FlaskClient, sqlite_store: Store) -> None:
        sqlite_store.alarms.raise_("acme", PUBLIC_NOTE, "a note came back public", time.time() - 7200, "31")
        sqlite_store.alarms.raise_("globex", DESK_LOCKED, "the api key was refused", time.time())
        page = admin.get("/console/").text
        assert page.index("Needs you now") < page.index("a note came back public") < page.index("Triaged today")
        assert "2 h ago" in page
        assert 'href="https://acme.zendesk.com/agent/tickets/31" rel="noopener noreferrer"' in page
        assert 'href="/console/desks/acme/tickets/31"' in page

    @pytest.mark.parametrize(
        ("waited", "level", "word"),
        [(30, "ok", "on time, 1 open"), (300, "warning", "slow"), (2000, "bad", "stuck, 1 open")],
    )
    def test_tiles_count_and_tell_how_long_work_waits(
        self, admin: FlaskClient, sqlite_store: Store, waited: float, level: str, word: str
    ) -> None:
        sqlite_store.deliveries.receive(
            "acme", "open", ticket_id="1", event="created", body=b"", now=time.time() - waited
        )
        bury(sqlite_store, "dead")
        run_of(sqlite_store)
        page = " ".join(admin.get("/console/").text.split())
        page = re.sub(r"</?a\b[^>]*>", "", page)
        tiles = re.findall(
            r'<div class="tile (\w*)"> <dt>([^<]+)</dt> <dd>([^<]+?) ?(?:<span>([^<]+)</span>)?</dd>', page
        )
        assert tiles[0] == ("", "Triaged today", "1", "")
        assert (tiles[1][0], tiles[1][1], tiles[1][3]) == (level, "Oldest of the queue", word)
        assert tiles[2:4] == [("bad", "Dead letters", "1", "need you"), ("ok", "SLA clocks late", "0", "none at risk")]

    def test_tiles_tell_how_often_agents_agreed(self, admin: FlaskClient, sqlite_store: Store) -> None:
        assert "agreed" not in admin.get("/console/").text
        for number in range(8):
            run = run_of(sqlite_store, str(number))
            recent = {"observed_at": time.time() - 3600, "agreed": number > 0, "desk": ("acme", "globex")[number % 2]}
            outcomes = [outcome_of(run.id, **recent), outcome_of(run.id, field="sentiment", **recent)]
            sqlite_store.outcomes.save([*outcomes, outcome_of(run.id, field="primary_team", final=False)])
        sqlite_store.days.refresh(time.time())
        page = " ".join(re.sub("<[^>]+>", "", admin.get("/console/").text).split())
        assert "Priority agreed, 30 days 88% of 8" in page
        assert "Team agreed" not in page  # nothing final yet

    def test_a_run_is_shown_with_its_verdict(self, admin: FlaskClient, sqlite_store: Store) -> None:
        run = run_of(
            sqlite_store,
            "4711",
            classification={
                "primary_team": "billing",
                "priority": "P1_high",
                "probabilities": {"primary_team": {"billing": 0.934}, "priority": {"P1_high": 0.41}},
                "evidence": ["my card ends in 4242"],
                "auto_response_draft": "Dear Ms Customer",
            },
            decision={"abstained": ["priority"], "note": True},
            classifier="llm",
            model="gpt-5-mini",
            cost_usd=0.0012,
            timings={"read": 0.5, "classify": 1.25},
        )
        page = re.sub(r"<[^>]+>|\s+", " ", admin.get("/console/").text)
        words = " ".join(page.split())
        assert "billing 93% P1 high 41% not sure" in words
        assert f"llm gpt-5-mini $0.0012 1.8 s {run.reference}" in words
        assert "4242" not in page, "evidence is the customer's text"
        assert "Dear" not in page

    def test_a_run_of_another_version_does_not_break_the_page(self, admin: FlaskClient, sqlite_store: Store) -> None:
        run_of(sqlite_store, "1")
        run_of(sqlite_store, "2", classification={"primary_team": "gone"}, decision={})
        assert admin.get("/console/").status_code == 200
        assert [verdict.label for run in sqlite_store.runs.recent(2) for verdict in verdicts_of(run)] == ["gone"]

    def test_deliveries_are_filtered_by_state(self, admin: FlaskClient, sqlite_store: Store) -> None:
        receive(sqlite_store, "a", ticket_id="1001")
        receive(sqlite_store, "b", state=IGNORED, reason="our own change", ticket_id="1002")
        assert ("#1001" in (page := admin.get("/console/activity").text)) and "#1002" in page
        ignored = admin.get("/console/activity?state=ignored").text
        assert "#1001" not in ignored
        assert "#1002" in ignored
        assert "Nothing fits" in admin.get("/console/activity?state=done").text
        assert "Nothing fits" in admin.get("/console/activity", query_string={"state": HOSTILE}).text

    def test_dead_letters_come_fifty_at_a_time(self, admin: FlaskClient, sqlite_store: Store) -> None:
        for number in range(60):
            bury(sqlite_store, f"k{number}")
        page = admin.get("/console/dead").text
        assert page.count('aria-label="Replay delivery') == 50
        assert "60 in all" in page
        further = re.search(r'href="(/console/dead\?after=[^"]+)">Older', page)
        assert further
        assert admin.get(unescape(further[1])).text.count('aria-label="Replay delivery') == 10

    @pytest.mark.parametrize(
        ("when", "text"), [("2027-04-01", "in 29 days"), ("2027-05-01", "Zendesk has switched off API tokens")]
    )
    def test_a_zendesk_desk_on_an_api_token_is_warned(
        self, environment: Environment, sqlite_store: Store, wakeup: FakeWakeup, when: str, text: str
    ) -> None:
        oauth = "{oauth: {client_id: tandem, client_secret: ${CLIENT_SECRET}}}"
        on_token = SETTINGS.replace(oauth, "{email: bot@acme.com, api_token: ${CLIENT_SECRET}}")
        with time_machine.travel(f"{when} 12:00:00+00:00"):
            client = create_app(environment, parse_settings(on_token, VARIABLES), sqlite_store, wakeup).test_client()
            sign_in(client)
            page = client.get("/console/desks").text
        assert text in page
        assert page.count("switch") == 1, "the Freshdesk desk is not concerned"
        assert VARIABLES["CLIENT_SECRET"] not in page

    def test_tickets_link_to_the_agents_page(self, settings: Settings) -> None:
        assert ticket_url(settings, "acme", "31") == "https://acme.zendesk.com/agent/tickets/31"
        assert ticket_url(settings, "globex", "31") == "https://globex.freshdesk.com/a/tickets/31"
        assert ticket_url(settings, "acme", "../x?y") == "https://acme.zendesk.com/agent/tickets/..%2Fx%3Fy"
        assert ticket_url(settings, "removed", "31") == ticket_url(settings, "acme", "") == ""

    @pytest.mark.parametrize(
        ("seconds", "words"), [(-3, "0 s"), (59, "59 s"), (60, "1 min"), (7199, "1 h"), (86_400 * 3, "3 d")]
    )
    def test_ages_are_rough(self, seconds: float, words: str) -> None:
        assert age(seconds) == words

    def test_durations_are_short(self) -> None:
        assert (duration(0.0071), duration(2.04)) == ("7 ms", "2.0 s")


class TestSafety:
    def test_hostile_text_is_escaped_wherever_it_lands(self, admin: FlaskClient, sqlite_store: Store) -> None:
        bury(sqlite_store, "a", HOSTILE)
        sqlite_store.deliveries.receive(HOSTILE, "b", ticket_id=HOSTILE[:40], event=HOSTILE, body=b"", now=time.time())
        sqlite_store.alarms.raise_(HOSTILE[:40], HOSTILE[:40], HOSTILE, time.time(), HOSTILE[:40])
        answer = {"primary_team": HOSTILE, "priority": HOSTILE, "probabilities": {}}
        run_of(sqlite_store, HOSTILE[:40], classification=answer, classifier=HOSTILE, model=HOSTILE)
        page = admin.get("/console/").text
        assert "<script" not in page
        assert "<img src=x" not in page
        assert "onerror=alert(2)&gt;{{ 7*7 }}" in page, "shown as it is, and not taken for a template"
        assert "alert(1)" in unescape(page)

    def test_no_page_holds_a_secret(self, client: FlaskClient, sqlite_store: Store) -> None:
        bury(sqlite_store, "a")
        pages = [client.get("/console/login"), sign_in(client, "wrong"), sign_in(client), client.get("/console/")]
        pages += [client.get("/console/nowhere"), client.post("/console/logout"), press(client, "/console/logout")]
        secrets = [PASSWORD, KEY, OPENAI_KEY, ZENDESK_SECRET, FRESHDESK_SECRET, *VARIABLES.values()]
        for page in pages:
            everything = page.text + str(page.headers)
            assert [secret for secret in secrets if secret in everything] == []

    def test_the_log_names_the_caller_and_no_password(
        self, client: FlaskClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.DEBUG):
            sign_in(client, "a wrong password")
            sign_in(client)
        assert "wrong password from 192.0.2.1" in caplog.text
        assert "a wrong password" not in caplog.text
        assert PASSWORD not in caplog.text


class TestReplay:
    def test_the_button_sends_one_delivery_through_again(
        self, admin: FlaskClient, sqlite_store: Store, wakeup: FakeWakeup
    ) -> None:
        first, second = bury(sqlite_store, "a"), bury(sqlite_store, "b")
        answer = press(admin, f"/console/desks/acme/deliveries/{first}/replay")
        assert (answer.status_code, answer.headers["Location"]) == (303, "/console/dead?desk=acme")
        assert wakeup.sent == [first]
        assert sqlite_store.deliveries.get(first).state == QUEUED
        assert sqlite_store.deliveries.get(second).state == DEAD
        assert "Sent through again: 1." in admin.get("/console/").text
        assert "Sent through again" not in admin.get("/console/").text

    def test_pressing_twice_does_nothing_more(
        self, admin: FlaskClient, sqlite_store: Store, wakeup: FakeWakeup
    ) -> None:
        delivery_id = bury(sqlite_store, "a")
        for _ in range(2):
            press(admin, f"/console/desks/acme/deliveries/{delivery_id}/replay")
        assert wakeup.sent == [delivery_id]
        assert "Nothing to replay" in admin.get("/console/").text

    @pytest.mark.parametrize("delivery_id", ["99", "0", str(2**63 - 1)])
    def test_an_unknown_delivery_is_not_found(self, admin: FlaskClient, wakeup: FakeWakeup, delivery_id: str) -> None:
        assert press(admin, f"/console/desks/acme/deliveries/{delivery_id}/replay").status_code == 404
        assert wakeup.sent == []

    @pytest.mark.parametrize("delivery_id", [str(2**63), "-1", "x"])
    def test_a_number_that_can_be_none_is_refused(self, admin: FlaskClient, delivery_id: str) -> None:
        assert press(admin, f"/console/desks/acme/deliveries/{delivery_id}/replay").status_code in {404, 405}

    def test_all_dead_are_sent_through_again_and_nothing_else(
        self, admin: FlaskClient, sqlite_store: Store, wakeup: FakeWakeup
    ) -> None:
        dead = [bury(sqlite_store, f"k{number}") for number in range(3)]
        done = receive(sqlite_store, "done")
        sqlite_store.deliveries.finish(done, DONE, time.time())
        press(admin, "/console/dead/replay")
        assert wakeup.sent == dead
        assert sqlite_store.deliveries.counts() == {QUEUED: 3, DONE: 1}

    def test_more_than_one_press_can_take_says_how_many_are_left(
        self, admin: FlaskClient, sqlite_store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("webhooks.pages.dead.REPLAY_LIMIT", 2)
        for number in range(5):
            bury(sqlite_store, f"k{number}")
        press(admin, "/console/dead/replay")
        assert "Sent through again: 2. 3 dead letters are left" in admin.get("/console/").text

    def test_what_the_broker_does_not_take_is_left_to_the_sweep(self, sqlite_store: Store) -> None:
        delivery_id = bury(sqlite_store, "a")
        assert replay(sqlite_store, FakeWakeup(takes=False), [delivery_id]) == [delivery_id]
        assert sqlite_store.deliveries.get(delivery_id).state == RECEIVED
        assert sqlite_store.deliveries.claim_due(time.time(), 10) == [delivery_id]

    def test_many_are_opened_in_parts(self, sqlite_store: Store, wakeup: FakeWakeup) -> None:
        ids = [bury(sqlite_store, f"k{number}") for number in range(3)]
        unknown = list(range(10_000, 10_000 + 2 * CHUNK))
        assert replay(sqlite_store, wakeup, [ids[0], *unknown, *ids[1:]]) == ids

    def test_the_command_does_the_same(
        self, tmp_path: Path, sqlite_store: Store, monkeypatch: pytest.MonkeyPatch, wakeup: FakeWakeup
    ) -> None:
        from click.testing import CliRunner

        delivery_id = bury(sqlite_store, "a")
        monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/tandem.db")
        monkeypatch.setattr(replay_command, "Wakeup", lambda: wakeup)
        answer = CliRunner().invoke(replay_command.command, ["--dead"])
        assert answer.output == "1 of 1 deliveries sent through again\n"
        assert wakeup.sent == [delivery_id]


class TestStoreReads:
    """What the store learnt for the console, on both databases."""

    def test_counts_of_some_states(self, store: Store) -> None:
        bury(store, "a")
        receive(store, "b")
        receive(store, "c", state=IGNORED)
        assert store.deliveries.counts() == {DEAD: 1, RECEIVED: 1, IGNORED: 1}
        assert store.deliveries.counts(DEAD, QUEUED) == {DEAD: 1}

    def test_the_first_ids_of_a_state(self, store: Store) -> None:
        ids = [bury(store, key) for key in "abc"]
        assert store.deliveries.with_state(DEAD) == ids
        assert store.deliveries.with_state(DEAD, limit=2) == ids[:2]
        assert store.deliveries.with_state(DEAD, "globex", limit=2) == []

    def test_the_oldest_of_both_open_states(self, store: Store) -> None:
        def take(key: str, at: float, state: str = RECEIVED) -> int:
            receive = store.deliveries.receive
            return receive("acme", key, ticket_id="1", event="e", body=b"", now=at, state=state).id

        assert store.deliveries.oldest_open() is None
        take("over", 1.0, IGNORED)
        assert store.deliveries.oldest_open() is None
        take("received", 9.0)
        assert store.deliveries.oldest_open() == 9.0
        store.deliveries.mark_queued(take("queued", 5.0), 6.0)
        assert store.deliveries.oldest_open() == 5.0

    def test_runs_done_since(self, store: Store) -> None:
        run_of(store, "1")
        assert store.runs.done_since(time.time() - 60) == 1
        assert store.runs.done_since(time.time() + 60) == 0

    def test_what_the_helpdesk_refused_is_shown(self, admin: FlaskClient, sqlite_store: Store) -> None:
        run = run_of(sqlite_store, "31")
        effect = sqlite_store.effects.plan(run.id, "tags", {}, time.time())
        sqlite_store.effects.confirm(effect, time.time(), refused={"tags": "may not create <b>tags</b>"})
        assert "refused tags: may not create &lt;b&gt;tags&lt;/b&gt;" in admin.get("/console/").text

    def test_an_alarm_is_shown_until_it_is_dismissed(self, admin: FlaskClient, sqlite_store: Store) -> None:
        sqlite_store.alarms.raise_("acme", "public_note", "a note was public", time.time(), ticket_id="31")
        page = admin.get("/console/").text
        assert "a note was public" in page
        form = {"csrf": token_of(admin.get("/console/")), "desk": "acme", "kind": "public_note", "ticket_id": "31"}
        assert admin.post("/console/alarms/dismiss", data=form).status_code in (302, 303)
        assert "a note was public" not in admin.get("/console/").text


class TestBehindAProxy:
    def client(self, environment: Environment, settings: Settings, store: Store, proxies: int) -> FlaskClient:
        behind = environment.model_copy(update={"trusted_proxies": proxies})
        return create_app(behind, settings, store, FakeWakeup()).test_client()

    def wrong_tries(self, client: FlaskClient) -> list[str]:
        pages = []
        for number in range(7):
            page = client.get("/console/login")
            headers = {"X-Forwarded-For": f"203.0.113.{number}"}
            form = {"csrf": token_of(page), "password": "wrong-password"}
            pages.append(client.post("/console/login", data=form, headers=headers).text)
        return pages

    def test_callers_are_told_apart_where_the_proxy_is_trusted(
        self, environment: Environment, settings: Settings, sqlite_store: Store
    ) -> None:
        pages = self.wrong_tries(self.client(environment, settings, sqlite_store, 1))
        assert not any("Too many" in page for page in pages)

    def test_a_header_of_the_callers_own_escapes_no_lock_out(
        self, environment: Environment, settings: Settings, sqlite_store: Store
    ) -> None:
        pages = self.wrong_tries(self.client(environment, settings, sqlite_store, 0))
        assert "Too many" in pages[-1]
