"""The Zendesk API's front door: tokens, credentials, scopes, limits and the error shapes."""

from __future__ import annotations

import functools
import json
import secrets
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from flask import Blueprint, Response, g, jsonify, request
from flask.typing import ResponseReturnValue

from sandbox.desk import Desk
from sandbox.limits import Spent
from sandbox.state import here

API = "/api/v2"
bp = Blueprint("zendesk", __name__, url_prefix="/zendesk")

NOT_AUTHENTICATED = {"error": "Couldn't authenticate you"}
BAD_TOKEN = {
    "error": "invalid_token",
    "error_description": "The access token provided is expired, revoked, malformed or invalid for other reasons.",
}
BAD_CLIENT = {
    "error": "invalid_client",
    "error_description": "Client authentication failed due to unknown client, no client authentication included, "
    "or unsupported authentication method.",
}
FORBIDDEN = {
    "error": {
        "title": "Forbidden",
        "message": "You do not have access to this page. "
        "Please contact the account owner of this help desk for further help.",
    }
}
NOT_FOUND = {"error": "RecordNotFound", "description": "Not found"}
NO_ENDPOINT = {"error": "InvalidEndpoint", "description": "Not found"}
# No 429 body was ever seen recorded, so it is plain text: a client that parses it is wrong.
TOO_MANY = "Number of allowed API requests per minute exceeded"
SCOPED = ("tickets", "users", "organizations", "webhooks", "triggers")
SCOPES = frozenset({"read", "write"} | {f"{name}:{verb}" for name in SCOPED for verb in ("read", "write")})
ADMINS_ONLY = ("incremental", "slas", "webhooks", "satisfaction_ratings")
# An agent may look at these.
ADMINS_WRITE = ("triggers",)
LIFE_BOUNDS = (300, 172_800)


class Refusal(Exception):
    """Answer with an error status and a body in one of the vendor's shapes."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


def invalid(field: str, description: str, error: str | None = None) -> Refusal:
    """Refuse a value with 422 in the recorded shape."""
    problem = {"description": description, **({"error": error} if error else {})}
    body = {"error": "RecordInvalid", "description": "Record validation errors", "details": {field: [problem]}}
    return Refusal(422, body)


def desk() -> Desk:
    """Give this app's Zendesk account."""
    return here().desks["zendesk"]


def url(path: str) -> str:
    """Make an absolute address of this account."""
    return f"{request.host_url}zendesk{path}"


def route(
    rule: str, method: str = "GET", *, alone: bool = False
) -> Callable[[Callable[..., ResponseReturnValue]], Callable[..., Any]]:
    """Serve an API path under the account's lock; `alone` without it, for what calls somebody else meanwhile."""

    def register(view: Callable[..., ResponseReturnValue]) -> Callable[..., Any]:
        @functools.wraps(view)
        def locked(**arguments: Any) -> ResponseReturnValue:
            with nullcontext() if alone else desk().lock:
                return view(**arguments)

        bp.add_url_rule(API + rule, f"{method} {rule}", locked, methods=[method])
        return view

    return register


def body() -> dict[str, Any]:
    """Read a JSON object."""
    if not request.is_json:
        raise Refusal(415, {"error": "UnsupportedMediaType", "description": "Send Content-Type: application/json"})
    try:
        given = json.loads(request.get_data())
    except ValueError:
        raise Refusal(400, {"error": "InvalidJson", "description": "The request body is not valid JSON"}) from None
    if not isinstance(given, dict):
        raise Refusal(400, {"error": "InvalidJson", "description": "The request body is not a JSON object"})
    return given


@bp.errorhandler(Refusal)
def refused(refusal: Refusal) -> ResponseReturnValue:
    """Turn a refusal into the vendor's answer."""
    return jsonify(refusal.body), refusal.status


@bp.before_request
def knock() -> ResponseReturnValue | None:
    """Count the call, then ask who is calling and whether they may."""
    path = request.path.removeprefix("/zendesk")
    if not path.startswith(API):
        return None
    for name, spent in _spend(path.removeprefix(API + "/")).items():
        g.setdefault("windows", {})[name] = spent
        if not spent.allowed:
            return Response(TOO_MANY, 429, {"Retry-After": str(spent.resets)}, content_type="text/plain")
    resource = path.removeprefix(API + "/").split("/")[0]
    if path == f"{API}/users/me" and "Authorization" not in request.headers:
        return None
    if problem := _authenticate(resource):
        return problem
    barred = resource in ADMINS_ONLY or (resource in ADMINS_WRITE and request.method != "GET")
    if barred and desk().bot.role != "admin":
        return jsonify(FORBIDDEN), 403
    g.user_id = desk().bot.id
    return None


@bp.after_request
def stamp(answer: Response) -> Response:
    """Put the rate limits on every answer."""
    windows: dict[str, Spent] = g.get("windows", {})
    for name, spent in windows.items():
        if name == "account":
            answer.headers["x-rate-limit"] = answer.headers["ratelimit-limit"] = str(spent.total)
            answer.headers["x-rate-limit-remaining"] = answer.headers["ratelimit-remaining"] = str(spent.remaining)
            answer.headers["ratelimit-reset"] = str(spent.resets)
        else:
            counts = f"total={spent.total}; remaining={spent.remaining}; resets={spent.resets}"
            answer.headers[f"zendesk-ratelimit-{name}"] = counts
    answer.headers["x-zendesk-api-version"] = "v2"
    answer.headers["x-request-id"] = secrets.token_hex(8) + "-SBX"
    answer.headers.setdefault("cache-control", "max-age=0, private, must-revalidate")
    return answer


@bp.post("/oauth/tokens")
def issue_token() -> ResponseReturnValue:
    """Exchange client credentials for an access token."""
    config = here().config
    given = body()
    known = config.zendesk_client_id and (given.get("client_id"), given.get("client_secret")) == (
        config.zendesk_client_id,
        config.zendesk_client_secret,
    )
    if not known:
        return jsonify(BAD_CLIENT), 401
    if given.get("grant_type") != "client_credentials":
        return jsonify(error="unsupported_grant_type", error_description="The grant type is not supported"), 400
    life = given.get("expires_in", config.zendesk_token_life)
    if "expires_in" in given and not (isinstance(life, int) and LIFE_BOUNDS[0] < life < LIFE_BOUNDS[1]):
        return jsonify(error="invalid_request", error_description="expires_in is out of range"), 400
    scope = str(given.get("scope") or "read write")
    token = here().tokens.issue(scope, float(life))
    return jsonify({"access_token": token, "token_type": "bearer", "scope": scope, "expires_in": int(life)})


def _spend(path: str) -> dict[str, Spent]:
    """Charge every window a call falls under."""
    sandbox = here()
    spent = {"account": sandbox.zendesk_limit.spend()}
    parts = path.split("/")
    if parts[0] == "tickets" and len(parts) > 1 and request.method in ("PUT", "POST", "DELETE"):
        spent["tickets-update"] = sandbox.zendesk_updates.spend()
        spent["per-ticket-updates"] = sandbox.zendesk_ticket_updates.spend(parts[1])
    if parts[0] == "incremental":
        spent["incremental-exports"] = sandbox.zendesk_incremental.spend()
    return spent


def _authenticate(resource: str) -> ResponseReturnValue | None:
    config = here().config
    given = request.authorization
    if given is None:
        return jsonify(NOT_AUTHENTICATED), 401
    if given.type == "basic":
        expected = (f"{config.zendesk_email}/token", config.zendesk_api_token)
        known = config.zendesk_api_token and (given.username, given.password) == expected
        return None if known else (jsonify(NOT_AUTHENTICATED), 401)
    token = here().tokens.find(given.token or "") if given.type == "bearer" else None
    if token is None:
        return jsonify(BAD_TOKEN), 401
    verb = "read" if request.method == "GET" else "write"
    resource = {"incremental": "tickets"}.get(resource, resource)
    # An unknown scope name still yields a token, but one that is refused everywhere.
    if token.scopes - SCOPES or not ({verb, f"{resource}:{verb}"} & token.scopes or resource not in SCOPED):
        return jsonify(FORBIDDEN), 403
    return None
