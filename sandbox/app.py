"""Put the pretend helpdesks together: `create_app(config)` gives the Flask app."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, g, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from sandbox import article_pages as _article_pages
from sandbox import control, faults, freshdesk, pages, zendesk
from sandbox import control_articles as _control_articles  # importing registers the routes
from sandbox import freshdesk_automations as _freshdesk_automations
from sandbox import freshdesk_lists as _freshdesk_lists
from sandbox import freshdesk_solutions as _freshdesk_solutions
from sandbox import freshdesk_tickets as _freshdesk_tickets
from sandbox import zendesk_admin as _zendesk_admin
from sandbox import zendesk_guide as _zendesk_guide
from sandbox import zendesk_lists as _zendesk_lists
from sandbox import zendesk_tickets as _zendesk_tickets
from sandbox import zendesk_webhooks as _zendesk_webhooks
from sandbox.config import SandboxConfig
from sandbox.state import EXTENSION, Sandbox, here

ROUTES = (
    _article_pages,
    _control_articles,
    _freshdesk_automations,
    _freshdesk_lists,
    _freshdesk_solutions,
    _freshdesk_tickets,
    _zendesk_admin,
    _zendesk_guide,
    _zendesk_lists,
    _zendesk_tickets,
    _zendesk_webhooks,
)
LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]", "::1"})
OUTSIDE = "The sandbox answers on this machine only."
LARGEST_REQUEST = 8 * 1024 * 1024
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
ZENDESK_API, FRESHDESK_API = "/zendesk/api/", "/freshdesk/api/"

WSGI = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


def create_app(config: SandboxConfig) -> Flask:
    """Build the app; ConfigError when a webhook secret is missing."""
    app = Flask(__name__)
    app.extensions[EXTENSION] = Sandbox(config)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_REQUEST
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.before_request(_only_here)
    app.before_request(_strike)
    app.after_request(_finish)
    app.register_error_handler(HTTPException, _vendor_error)
    for blueprint in (zendesk.bp, freshdesk.bp, control.bp, pages.bp):
        app.register_blueprint(blueprint)
    app.wsgi_app = _without_suffix(app.wsgi_app)  # type: ignore[method-assign,assignment]
    return app


def sandbox_of(app: Flask) -> Sandbox:
    """Give the state behind an app."""
    found = app.extensions[EXTENSION]
    assert isinstance(found, Sandbox)
    return found


def _without_suffix(inner: Any) -> WSGI:
    """Let every Zendesk path work with and without `.json`, as at the vendor."""

    def outer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        environ["sandbox.path"] = path
        if path.startswith(ZENDESK_API):
            environ["PATH_INFO"] = path.removesuffix(".json")
        result: Iterable[bytes] = inner(environ, start_response)
        return result

    return outer


def _only_here() -> ResponseReturnValue | None:
    """Refuse other host names and other sites' forms: the control API has no login, so a web page must not reach it."""
    if (urlsplit(request.host_url).hostname or "") not in LOOPBACK:
        return Response(OUTSIDE, 403, content_type="text/plain")
    origin = request.headers.get("Origin")
    if request.method in WRITES and origin and origin.rstrip("/") != request.host_url.rstrip("/"):
        return Response(OUTSIDE, 403, content_type="text/plain")
    return None


def _vendor(path: str) -> str | None:
    return path.split("/")[1] if path.startswith(("/zendesk/", "/freshdesk/")) and _is_api(path) else None


def _is_api(path: str) -> bool:
    return path.startswith((ZENDESK_API, FRESHDESK_API, "/zendesk/oauth/"))


def _strike() -> ResponseReturnValue | None:
    """Let a fault strike before the helpdesk acts."""
    path = str(request.environ["sandbox.path"])
    if _vendor(path) is None:
        return None
    g.fault = here().faults.take(request.method, path)
    return faults.before(g.fault) if g.fault else None


def _finish(answer: Response) -> Response:
    """Count the call and let a fault strike after the helpdesk acted."""
    path = str(request.environ["sandbox.path"])
    vendor = _vendor(path)
    if vendor is None:
        if answer.mimetype == "text/html":
            answer.headers.setdefault("Content-Security-Policy", pages.POLICY)
        return answer
    rule = request.url_rule.rule.removeprefix(f"/{vendor}") if request.url_rule else "unknown"
    ticket_id = (request.view_args or {}).get("ticket_id")
    fault = g.get("fault")
    lost = fault.get("apply_then") if fault else None
    status = lost if isinstance(lost, str) else lost or answer.status_code
    endpoint, query = re.sub(r"<[^>]*>", "{id}", rule), request.query_string.decode()
    here().calls.add(vendor, request.method, endpoint, path, ticket_id, status, query)
    return faults.after(fault, answer) if fault else answer


def _vendor_error(error: HTTPException) -> ResponseReturnValue:
    """Word unknown paths and wrong methods as the vendor whose API they belong to."""
    if request.path.startswith(ZENDESK_API) and error.code in (404, 405):
        return jsonify(zendesk.NO_ENDPOINT), 404
    if request.path.startswith(FRESHDESK_API) and error.code == 404:
        return Response("", 404, content_type="application/json; charset=utf-8")
    if request.path.startswith(FRESHDESK_API) and error.code == 405:
        allowed = ", ".join(sorted(set(getattr(error, "valid_methods", None) or ()) - {"OPTIONS", "HEAD"}))
        text = f"{request.method} method is not allowed. It should be one of these method(s): {allowed}"
        return Response(
            jsonify(message=text).get_data(), 405, {"Allow": allowed}, content_type="application/json; charset=utf-8"
        )
    return error.get_response()
