"""Signing in with an identity provider: a real little one on a loopback port, and everything that may be forged."""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from flask import Flask, jsonify, redirect, request
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import RSAKey
from pydantic import SecretStr
from test_console import FakeWakeup
from werkzeug.serving import make_server

from sandbox.testing import receiving
from triage.environment import Environment, read_environment
from triage.errors import SettingsError
from triage.settings import Settings
from triage.store import Store
from webhooks import oidc
from webhooks.app import create_app

CLIENT, SECRET = "tandem", "secret-of-the-oidc-client"
PERSON = {"sub": "17", "email": "ada@acme.example", "email_verified": True}


@dataclass
class Provider:
    """An identity provider that signs in whoever comes, as `person`, and forges what it is told to."""

    url: str = ""
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "1"}))
    signing: RSAKey | None = None
    person: dict[str, Any] = field(default_factory=lambda: dict(PERSON))
    forged: dict[str, Any] = field(default_factory=dict)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    is_away: bool = False
    elsewhere: tuple[str, str] = ("", "")
    """A path of it, and the address that this leads to."""

    def app(self) -> Flask:
        app = Flask("provider")

        @app.before_request
        def lead_away() -> Any:
            path, there = self.elsewhere
            return redirect(there + path, 307) if request.path == path else None

        @app.get("/.well-known/openid-configuration")
        def configuration() -> Any:
            if self.is_away:
                return "", 503
            return jsonify(
                issuer=self.url,
                authorization_endpoint=f"{self.url}/authorize",
                token_endpoint=f"{self.url}/token",
                jwks_uri=f"{self.url}/keys",
            )

        @app.get("/keys")
        def keys() -> Any:
            return jsonify(keys=[self.key.as_dict(private=False)])

        @app.post("/token")
        def token() -> Any:
            name, _, secret = base64.b64decode(request.headers["Authorization"].split()[1]).decode().partition(":")
            assert (name, secret) == (CLIENT, SECRET)
            asked = self.codes.pop(request.form["code"], None)
            digest = hashlib.sha256(request.form.get("code_verifier", "").encode()).digest()
            if asked is None or base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != asked["code_challenge"]:
                return jsonify(error="invalid_grant"), 400
            now = int(time.time())
            claims = {"iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
            claims |= self.person | self.forged
            claims = {name: value for name, value in claims.items() if value is not None}
            signed = jwt.encode({"alg": "RS256", "kid": "1"}, claims, self.signing or self.key)
            return jsonify(access_token="a", token_type="Bearer", id_token=signed)

        return app

    def authorize(self, address: str) -> dict[str, str]:
        """Sign somebody in at the address the browser was sent to; return what it brings back."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert asked["code_challenge_method"] == "S256"
        assert asked["redirect_uri"].endswith("/console/oidc/back")
        self.codes["the-code"] = asked
        return {"code": "the-code", "state": asked["state"]}


@pytest.fixture
def provider() -> Iterator[Provider]:
    one = Provider()
    server = make_server("127.0.0.1", 0, one.app(), threaded=True)
    one.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield one
    server.shutdown()
    thread.join()
    server.server_close()


def environment(provider: Provider, **changes: Any) -> Environment:
    values = {
        "secret_key": SecretStr("a-secret-key-of-this-installation"),
        "oidc_issuer": provider.url,
        "oidc_client_id": CLIENT,
        "oidc_client_secret": SecretStr(SECRET),
        "oidc_admins": "Ada@acme.example, bob@acme.example",
        **changes,
    }
    return Environment(**values)


@pytest.fixture
def client(provider: Provider, settings: Settings, sqlite_store: Store) -> FlaskClient:
    return create_app(environment(provider), settings, sqlite_store, FakeWakeup()).test_client()


def leave(client: FlaskClient) -> str:
    answer = client.get("/console/oidc/leave")
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"]


def come_back(client: FlaskClient, arguments: dict[str, str]) -> Any:
    # As a browser comes from another site: without the session's cookie, which is strict.
    return client.get("/console/oidc/back", query_string=arguments, headers={"Sec-Fetch-Site": "cross-site"})


def test_the_way_there_and_back(client: FlaskClient, provider: Provider, sqlite_store: Store) -> None:
    page = client.get("/console/login").text
    assert 'href="/console/oidc/leave"' in page
    assert "password" not in page.casefold().replace("identity", ""), "no password is set, so none is asked for"
    answer = come_back(client, provider.authorize(leave(client)))
    assert (answer.status_code, answer.headers["Location"]) == (303, "/console/")
    assert "ada@acme.example" in client.get("/console/").text
    assert sqlite_store.audit.recent(1)[0].actor == "console:ada@acme.example"


def test_its_cookie_is_lax_short_and_signed(client: FlaskClient, provider: Provider) -> None:
    answer = client.get("/console/oidc/leave")
    morsel = SimpleCookie("; ".join(answer.headers.getlist("Set-Cookie")))[oidc.COOKIE]
    assert (morsel["samesite"], morsel["httponly"], morsel["path"]) == ("Lax", True, "/console/oidc/")
    assert int(morsel["max-age"]) == oidc.AWAY_SECONDS
    arguments = provider.authorize(answer.headers["Location"])
    client.set_cookie(oidc.COOKIE, morsel.value[:-2] + "xx", path="/console/oidc/")
    assert come_back(client, arguments).status_code == 403


def test_after_coming_back_the_session_is_found_from_our_own_page(client: FlaskClient, provider: Provider) -> None:
    come_back(client, provider.authorize(leave(client)))
    # The browser follows the redirect as part of a journey from another site, so the strict cookie stays behind.
    cookie = client.get_cookie("tandem_console", path="/console/")
    assert cookie is not None
    client.delete_cookie("tandem_console", path="/console/")
    assert "One moment" in client.get("/console/", headers={"Sec-Fetch-Site": "cross-site"}).text
    client.set_cookie("tandem_console", cookie.value, path="/console/")
    assert client.get("/console/").status_code == 200


def test_nobody_comes_back_with_anothers_state_or_twice(client: FlaskClient, provider: Provider) -> None:
    arguments = provider.authorize(leave(client))
    assert come_back(client, arguments | {"state": "another"}).status_code == 403
    assert come_back(client, {"code": "the-code"}).status_code == 403
    assert come_back(client, {"error": "access_denied", "state": arguments["state"]}).status_code == 403
    assert client.get("/console/").status_code == 303
    assert come_back(client, arguments).status_code == 303
    assert come_back(client, arguments).status_code == 403, "the cookie is gone after the first time"


def test_another_browser_has_no_cookie(client: FlaskClient, provider: Provider) -> None:
    arguments = provider.authorize(leave(client))
    other = client.application.test_client()
    assert come_back(other, arguments).status_code == 403
    assert other.get("/console/").status_code == 303


def test_a_sign_in_ends_after_ten_minutes(client: FlaskClient, provider: Provider) -> None:
    with time_machine.travel(time.time(), tick=False) as clock:
        arguments = provider.authorize(leave(client))
        cookie = client.get_cookie(oidc.COOKIE, path="/console/oidc/")
        assert cookie is not None
        clock.shift(oidc.AWAY_SECONDS + 2)
        client.set_cookie(oidc.COOKIE, cookie.value, path="/console/oidc/")
        assert come_back(client, arguments).status_code == 403


@pytest.mark.parametrize(
    "forged",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "another-client"},
        {"aud": None},
        {"iss": "https://evil.example"},
        {"exp": 1_000_000_000},
        {"exp": None},
        {"sub": None},
        {"iat": 9_000_000_000},
    ],
    ids=str,
)
def test_a_token_that_is_not_for_us_lets_nobody_in(
    client: FlaskClient, provider: Provider, forged: dict[str, Any]
) -> None:
    provider.forged = forged
    answer = come_back(client, provider.authorize(leave(client)))
    assert answer.status_code == 403
    assert "cannot be trusted" in answer.text
    assert client.get("/console/").status_code == 303


def test_a_token_signed_by_another_key_lets_nobody_in(client: FlaskClient, provider: Provider) -> None:
    provider.signing = RSAKey.generate_key(2048, {"kid": "1"})
    assert come_back(client, provider.authorize(leave(client))).status_code == 403


def test_new_keys_of_the_provider_are_fetched(client: FlaskClient, provider: Provider) -> None:
    leave(client)  # its keys are known now
    provider.key = RSAKey.generate_key(2048, {"kid": "1"})
    assert come_back(client, provider.authorize(leave(client))).status_code == 303


@pytest.mark.parametrize(
    ("person", "changes", "role"),
    [
        ({"email": "ADA@acme.example"}, {}, "admin"),
        ({"email": "eve@acme.example"}, {}, ""),
        ({"email": "eve@acme.example"}, {"oidc_viewers": "*"}, "viewer"),
        ({"email": "eve@acme.example"}, {"oidc_viewers": "eve@acme.example"}, "viewer"),
        ({"email": "ada@acme.example", "email_verified": False}, {}, ""),
        ({"email": "ada@acme.example", "email_verified": "false"}, {}, ""),
        ({"email": None, "groups": ["ops"]}, {"oidc_claim": "groups", "oidc_admins": "ops"}, "admin"),
        ({"groups": ["sales"]}, {"oidc_claim": "groups", "oidc_admins": "ops", "oidc_viewers": "sales"}, "viewer"),
        ({"groups": None}, {"oidc_claim": "groups", "oidc_admins": "ops"}, ""),
    ],
)
def test_roles_come_from_claims(
    provider: Provider,
    settings: Settings,
    sqlite_store: Store,
    person: dict[str, Any],
    changes: dict[str, str],
    role: str,
) -> None:
    provider.person = PERSON | person
    client = create_app(environment(provider, **changes), settings, sqlite_store, FakeWakeup()).test_client()
    answer = come_back(client, provider.authorize(leave(client)))
    assert answer.status_code == (303 if role else 403)
    page = client.get("/console/desks")
    assert ("Stop all writing" in page.text) == (role == "admin")
    assert (page.status_code == 200) == bool(role)


def test_nobody_is_written_down_by_an_address_that_may_be_anothers(
    provider: Provider, settings: Settings, sqlite_store: Store
) -> None:
    provider.person = PERSON | {"sub": "666", "groups": ["ops"], "email_verified": False, "preferred_username": "ada"}
    known = environment(provider, oidc_claim="groups", oidc_admins="ops")
    client = create_app(known, settings, sqlite_store, FakeWakeup()).test_client()
    assert come_back(client, provider.authorize(leave(client))).status_code == 303
    assert sqlite_store.audit.recent(1)[0].actor == "console:666"


def test_a_provider_that_is_away_is_said_so(client: FlaskClient, provider: Provider) -> None:
    provider.is_away = True
    answer = client.get("/console/oidc/leave")
    assert answer.status_code == 503
    assert "does not answer" in answer.text


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/keys", "/token"])
def test_a_provider_that_leads_elsewhere_is_not_followed(client: FlaskClient, provider: Provider, path: str) -> None:
    """Or whoever it leads to would get our client's secret, or give us keys of their own."""
    with receiving() as thief:
        provider.elsewhere = path, thief.url
        answer = client.get("/console/oidc/leave")
        if path == "/token":
            answer = come_back(client, provider.authorize(answer.headers["Location"]))
        assert answer.status_code in (403, 503)
        assert thief.received == []


def test_another_list_of_admins_ends_the_sessions(
    client: FlaskClient, provider: Provider, settings: Settings, sqlite_store: Store
) -> None:
    come_back(client, provider.authorize(leave(client)))
    cookie = client.get_cookie("tandem_console", path="/console/")
    assert cookie is not None
    changed = environment(provider, oidc_admins="bob@acme.example")
    other = create_app(changed, settings, sqlite_store, FakeWakeup()).test_client()
    other.set_cookie("tandem_console", cookie.value, path="/console/")
    assert other.get("/console/").status_code == 303


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({"OIDC_ISSUER": "login.example.com"}, "OIDC_ISSUER"),
        ({"OIDC_ISSUER": "http://login.example.com"}, "OIDC_ISSUER"),
        ({"OIDC_ISSUER": "https://login.example.com"}, "OIDC_CLIENT_ID"),
        (
            {"OIDC_ISSUER": "https://login.example.com", "OIDC_CLIENT_ID": "a", "OIDC_CLIENT_SECRET": "b"},
            "OIDC_ADMINS",
        ),
        ({"CONSOLE_PASSWORD_HASH": "a plain password"}, "CONSOLE_PASSWORD_HASH"),
    ],
)
def test_half_a_setting_is_refused_at_the_start(variables: dict[str, str], name: str) -> None:
    with pytest.raises(SettingsError, match=name):
        read_environment(variables)
