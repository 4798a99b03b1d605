"""The Freshdesk API's front door: the key, credits, plan walls and the error shapes."""

from __future__ import annotations

import functools
import json
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, g, jsonify, request
from flask.typing import ResponseReturnValue

from sandbox.desk import Desk
from sandbox.state import here

API = "/api/v2"
bp = Blueprint("freshdesk", __name__, url_prefix="/freshdesk")

NOT_LOGGED_IN = {"code": "invalid_credentials", "message": "You have to be logged in to perform this action."}
ACCESS_DENIED = {"code": "access_denied", "message": "You are not authorized to perform this action."}
NO_FEATURE = {
    "code": "require_feature",
    "message": "The {name} feature(s) is/are not supported in your plan. Please upgrade your account to use it.",
}
ADMINS_ONLY = frozenset({"sla_policies", "business_hours", "automations", "roles"})
VIEW_INCLUDES = ("conversations", "requester", "company", "stats")
LIST_INCLUDES = ("requester", "company", "stats", "description")


class Refusal(Exception):
    """Answer with an error status; a body of None is an empty answer, as for 404."""

    def __init__(self, status: int, body: dict[str, Any] | None = None, headers: dict[str, str] | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.body = body
        self.headers = headers or {}


def problem(field: str, message: str, code: str) -> dict[str, str]:
    """Word one validation problem."""
    return {"field": field, "message": message, "code": code}


def invalid(*problems: dict[str, str]) -> Refusal:
    """Refuse the whole call because of its values."""
    return Refusal(400, {"description": "Validation failed", "errors": list(problems)})


def moment(field: str, text: str) -> datetime:
    """Read a time given under `field`."""
    try:
        found = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        text = "It should be in the 'combined date and time ISO8601' format"
        raise invalid(problem(field, text, "invalid_value")) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def desk() -> Desk:
    """Give this app's Freshdesk account."""
    return here().desks["freshdesk"]


def route(rule: str, method: str = "GET") -> Callable[[Callable[..., ResponseReturnValue]], Callable[..., Any]]:
    """Serve an API path under the account's lock."""

    def register(view: Callable[..., ResponseReturnValue]) -> Callable[..., Any]:
        @functools.wraps(view)
        def locked(**arguments: Any) -> ResponseReturnValue:
            with desk().lock:
                return view(**arguments)

        bp.add_url_rule(API + rule, f"{method} {rule}", locked, methods=[method])
        return view

    return register


def body() -> dict[str, Any]:
    """Read a JSON object; the API takes nothing else."""
    if not request.is_json:
        raise Refusal(
            415,
            {
                "code": "invalid_content_type",
                "message": "Content-Type header is set to an unsupported "
                "type. We only support application/json and multipart/form-data.",
            },
        )
    try:
        given = json.loads(request.get_data())
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise Refusal(400, {"code": "invalid_json", "message": "Request body has invalid json format"})
    return given


@bp.errorhandler(Refusal)
def refused(refusal: Refusal) -> ResponseReturnValue:
    """Turn a refusal into the vendor's answer."""
    text = "" if refusal.body is None else json.dumps(refusal.body)
    return Response(text, refusal.status, refusal.headers, content_type="application/json; charset=utf-8")


@bp.before_request
def knock() -> ResponseReturnValue | None:
    """Charge the call, then check the key and the role."""
    path = request.path.removeprefix("/freshdesk")
    if not path.startswith(API):
        return None
    resource = path.removeprefix(API + "/")
    g.credits = _credits(resource)
    g.spent = here().freshdesk_limit.spend(cost=g.credits)
    if not g.spent.allowed:
        # The vendor documents status and Retry-After only: no body, no other headers.
        return Response("", 429, {"Retry-After": str(g.spent.resets)}, content_type="application/json; charset=utf-8")
    key = here().config.freshdesk_api_key
    given = request.authorization
    if not key or given is None or given.type != "basic" or given.username != key:
        return jsonify(NOT_LOGGED_IN), 401
    first = resource.split("/")[0]
    if not here().config.freshdesk_admin and (first in ADMINS_ONLY or resource == "agents"):
        return jsonify(ACCESS_DENIED), 403
    accepted = request.accept_mimetypes
    if accepted and not accepted.accept_json:
        return Response("", 406)
    return None


@bp.after_request
def stamp(answer: Response) -> Response:
    """Put the credits on every answer but a 429."""
    if "spent" in g and answer.status_code != 429:
        answer.headers["X-Ratelimit-Total"] = str(g.spent.total)
        answer.headers["X-Ratelimit-Remaining"] = str(g.spent.remaining)
        answer.headers["X-Ratelimit-Used-CurrentRequest"] = str(g.credits)
    answer.headers["X-Freshdesk-Api-Version"] = "latest=v2; requested=v2"
    answer.headers["X-Request-Id"] = secrets.token_hex(16)
    if answer.content_type == "application/json":
        answer.content_type = "application/json; charset=utf-8"
    return answer


def includes(known: tuple[str, ...]) -> list[str]:
    """Read `include`; an unknown one fails the call."""
    wanted = [name for name in request.args.get("include", "").split(",") if name]
    if wrong := [name for name in wanted if name not in known]:
        allowed = ",".join(known)
        text = f"It should be one of these values: '{allowed}'"
        raise invalid(problem("include", f"{text} (got {wrong[0]})", "invalid_value"))
    return wanted


def page_bounds() -> tuple[int, int]:
    """Read `page` and `per_page` (30 by default, 100 at most)."""
    bounds = []
    for name, default, most in (("page", 1, 10**9), ("per_page", 30, 100)):
        text = request.args.get(name, str(default))
        if not text.isdigit() or not 1 <= int(text) <= most:
            limit = "a/an Positive Integer" if name == "page" else "a/an Positive Integer less than or equal to 100"
            raise invalid(problem(name, f"It should be {limit}", "invalid_value"))
        bounds.append(int(text))
    return bounds[0], bounds[1]


def _credits(resource: str) -> int:
    """Count what a call costs: each include on a view one more, on a list two more."""
    wanted = len([name for name in request.args.get("include", "").split(",") if name])
    return 1 + wanted * (2 if resource == "tickets" else 1)
