"""Every route of the web process, taken from its own map: no new page can be forgotten here."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from console_data import fill
from flask.testing import FlaskClient
from pydantic import SecretStr
from test_console import KEY, PASSWORD, FakeWakeup, bury, sign_in, token_of
from test_console_pages import OPEN, VIEWER_PASSWORD, address
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from triage.environment import Environment
from triage.links import PATH, Claim, sign
from triage.settings import Settings
from triage.store import Store
from triage.store.deliveries import DEAD
from webhooks.app import create_app

EVIL = "evil.example"
PARAMETERS = ("next", "url", "return", "return_to", "redirect", "redirect_uri", "continue", "to", "back")
ELSEWHERE = (
    f"https://{EVIL}/", f"//{EVIL}", f"/\\{EVIL}", f"\\\\{EVIL}", f"https:{EVIL}", f"%2f%2f{EVIL}", f"/%09/{EVIL}",
    f"javascript:{EVIL}",
)  # fmt: skip
SPOOFED = {
    "Host": EVIL, "X-Forwarded-Host": EVIL, "X-Forwarded-Proto": "https", "X-Original-URL": f"//{EVIL}",
    "Forwarded": f"host={EVIL}", "Referer": f"https://{EVIL}/", "X-Forwarded-Prefix": f"//{EVIL}",
}  # fmt: skip
NOWHERE = ("/nowhere", "/console/nowhere", f"{PATH}x", "/webhooks/x/y", "/console/desks/nobody/mode")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")


@pytest.fixture
def wakeup() -> FakeWakeup:
    return FakeWakeup()


@pytest.fixture
def client(settings: Settings, sqlite_store: Store, wakeup: FakeWakeup) -> FlaskClient:
    """Return a browser without a login, at a Tandem that is reached by https and has something to show."""
    environment = Environment(
        console_password=SecretStr(PASSWORD), console_viewer_password=SecretStr(VIEWER_PASSWORD),
        secret_key=SecretStr(KEY), public_url="https://tandem.example.com",
    )  # fmt: skip
    fill(sqlite_store, time.time(), 3)
    app = create_app(environment, settings, sqlite_store, wakeup)  # type: ignore[arg-type]
    client = app.test_client()
    # A browser there talks https, or its cookies would not come along.
    client.environ_base["wsgi.url_scheme"] = "https"
    return client


@pytest.fixture
def admin(client: FlaskClient) -> FlaskClient:
    assert sign_in(client).status_code == 303
    return client


def place(rule: Rule) -> str:
    """Return an address of any route of the application."""
    if rule.endpoint.startswith("console."):
        return address(rule)
    token = sign(KEY, Claim("vote", "TDM-ABCDEFGH23", "right", int(time.time() // 86_400) + 30))
    return rule.rule.replace("<vendor>", "zendesk").replace("<desk>", "acme").replace("<path:token>", token)


def everywhere(client: FlaskClient) -> list[str]:
    rules = list(client.application.url_map.iter_rules())
    assert len(rules) > 30
    assert {rule.endpoint.partition(".")[0] for rule in rules} >= {
        "console",
        "feedback",
        "webhook",
        "healthz",
        "metrics",
    }
    return sorted(
        {*map(place, rules), "/nowhere", "/console/nowhere", f"{PATH}x", "/webhooks/x/y", "/console/desks/nobody/mode"}
    )


def answers(client: FlaskClient, **more: Any) -> list[tuple[str, TestResponse]]:
    """Return what every address says to every method."""
    pairs = [(method, path) for path in everywhere(client) for method in METHODS]
    return [(f"{method} {path}", client.open(path, method=method, **more)) for method, path in pairs]


def test_no_answer_can_be_framed_guessed_at_or_kept(client: FlaskClient, admin: FlaskClient) -> None:
    stranger = client.application.test_client()
    seen = set()
    for what, answer in (*answers(stranger), *answers(admin)):
        headers = answer.headers
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"], what
        assert headers["Content-Security-Policy"].startswith("default-src 'none'"), what
        assert "unsafe" not in headers["Content-Security-Policy"], what
        assert headers["X-Content-Type-Options"] == "nosniff", what
        assert headers["Referrer-Policy"] == "no-referrer", what
        is_file = "/static/" in what and what.startswith(("GET", "HEAD"))
        assert headers["Cache-Control"] == ("no-cache" if is_file else "no-store"), what
        assert "Access-Control-Allow-Origin" not in headers, what
        assert answer.status_code < 500 or answer.status_code == 503, what
        seen.add(answer.status_code)
    assert {200, 303, 400, 401, 404, 405} <= seen


def test_every_cookie_is_out_of_reach(client: FlaskClient) -> None:
    set_ = [(what, one) for what, answer in answers(client) for one in answer.headers.getlist("Set-Cookie")]
    for password in (PASSWORD, "wrong"):
        answer = sign_in(client.application.test_client(), password)
        set_ += [("sign in", one) for one in answer.headers.getlist("Set-Cookie")]
    assert {one.partition("=")[0] for _, one in set_} >= {"tandem_console", "tandem_known"}
    for what, cookie in set_:
        flags = [flag.strip() for flag in cookie.split(";")]
        assert {"HttpOnly", "Secure"} <= set(flags), (what, cookie)
        assert {"SameSite=Strict", "SameSite=Lax"} & set(flags), (what, cookie)
        assert {"Path=/console/", "Path=/console/oidc/", "Path=/feedback"} & set(flags), (what, cookie)
        assert not [flag for flag in flags if flag.startswith("Domain")], (what, cookie)


@pytest.mark.parametrize("who", ["stranger", "admin"])
def test_no_address_leads_elsewhere(client: FlaskClient, sqlite_store: Store, who: str) -> None:
    if who == "admin":
        assert sign_in(client).status_code == 303
    for place_ in everywhere(client):
        for elsewhere in ELSEWHERE if who == "stranger" else ELSEWHERE[:3]:
            query = "&".join(f"{name}={elsewhere}" for name in PARAMETERS)
            check_stays(client.get(f"{place_}?{query}", headers=SPOOFED))
    form = {"csrf": token_of(client.get("/console/login" if who == "stranger" else "/console/"))}
    check_stays(
        client.post("/console/login", data={**form, "password": PASSWORD, **dict.fromkeys(PARAMETERS, f"//{EVIL}")})
    )


def check_stays(answer: TestResponse) -> None:
    where = answer.headers.get("Location", "/")
    assert re.match(r"/(?![/\\])", where), where
    assert EVIL not in where
    for link in re.findall(r'(?:href|action|src|content)="([^"]*)"', answer.text):
        assert EVIL not in link.partition("?")[0], link


def test_no_value_becomes_a_header(admin: FlaskClient) -> None:
    for place_ in everywhere(admin):
        for tail in ("?q=%0d%0aX-Evil:%201&desk=%0d%0aX-Evil:%201", "%0d%0aX-Evil:%201", "%0aX-Evil:1"):
            answer = admin.get(place_ + tail)
            assert "X-Evil" not in answer.headers
            assert not [value for _, value in answer.headers if "\n" in value or "\r" in value]


def test_a_session_from_before_the_login_is_worth_nothing(client: FlaskClient) -> None:
    old = token_of(client.get("/console/login"))
    planted = client.get_cookie("tandem_console", path="/console/")
    assert planted is not None
    assert sign_in(client).status_code == 303
    kept = client.get_cookie("tandem_console", path="/console/")
    assert kept is not None and kept.value != planted.value
    attacker = client.application.test_client()
    attacker.set_cookie("tandem_console", planted.value, path="/console/")
    assert attacker.get("/console/").status_code == 303
    # And the token that stood in the form from before opens nothing in the new session.
    for rule in client.application.url_map.iter_rules():
        if rule.endpoint.startswith("console.") and "POST" in (rule.methods or ()) and rule.endpoint not in OPEN:
            assert client.post(place(rule), data={"csrf": old}).status_code == 400, rule


def test_no_object_of_a_desk_is_reached_through_another(
    admin: FlaskClient, sqlite_store: Store, wakeup: FakeWakeup
) -> None:
    dead = bury(sqlite_store, "of acme alone")
    token = token_of(admin.get("/console/"))
    walked = []
    for rule in admin.application.url_map.iter_rules():
        if not rule.endpoint.startswith("console.") or not {"ticket_id", "delivery_id"} & set(rule.arguments):
            continue
        if "desk" not in rule.arguments:
            continue
        other = place(rule).replace("/desks/acme/", "/desks/globex/").replace("deliveries/2", f"deliveries/{dead}")
        before = sqlite_store.audit.recent(50)
        for method in (rule.methods or set()) & {"GET", "POST"}:
            answer = admin.open(other, method=method, data={"csrf": token})
            walked.append((method, other, answer.status_code))
            assert answer.status_code in (303, 404), (method, other)
        assert [one for one in sqlite_store.audit.recent(50) if one not in before and one.desk == "acme"] == []
    assert len(walked) >= 4, walked
    assert wakeup.sent == []
    assert sqlite_store.deliveries.get(dead).state == DEAD


def test_markup_in_the_name_of_a_desk_or_team_is_refused_before_any_page(settings: Settings) -> None:
    for name in ("<b>x", "a b", 'x"onclick=', "../x", "acme\nX-Evil: 1", "=1+1", "{{7*7}}", "x" * 41, "ＡＣＭＥ"):
        for section in ("desks", "teams"):
            value = getattr(settings, section)
            with pytest.raises(ValueError):
                Settings.model_validate(
                    {**settings.model_dump(), section: {name: next(iter(value.values())).model_dump()}}
                )
