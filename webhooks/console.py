"""The console: what came in, what became of it, and what is stuck. Server-rendered, no JavaScript."""

from __future__ import annotations

import logging

from flask import Blueprint, Response, render_template, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import BadRequest, HTTPException, NotFound
from werkzeug.wrappers import Response as BaseResponse

from triage.environment import Environment
from triage.live import Live
from triage.store import Store
from webhooks import sla_page, words
from webhooks.frame import Console, message, to
from webhooks.login import form_is_ours, form_token
from webhooks.pages import activity, audit, connect, dead, desks, home, policy, quality, secret, sign_in, sla, ticket
from webhooks.wakeup import Wakeup

logger = logging.getLogger(__name__)
# In the order of the navigation.
PAGES = (home, activity, dead, sla, quality, desks, connect, policy, audit, ticket, secret, sign_in)
# What asks for nothing; every other page asks for the password, the login page itself aside.
OPEN_ENDPOINTS = {"console.static", "console.root"}
LOGIN_ENDPOINTS = {"console.login", "console.oidc_leave", "console.oidc_back"}
# Comes from another site by design.
BACK_ENDPOINT = "console.oidc_back"
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
OLD_FORM = "This form is too old or did not come from this page. Go back to the console and try again."
NOT_FOUND = "There is no such page."
DATABASE_DOWN = "The database does not answer. Start it or correct DATABASE_URL; python manage.py doctor says more."
UNEXPECTED = "Something unexpected went wrong. The web process's log names it."
NOT_SET = (
    "The console is off: set {names} in .env and restart (make run chooses both by itself). Webhooks are not affected."
)


def blueprint(environment: Environment, live: Live, store: Store, wakeup: Wakeup) -> Blueprint:
    """Return the console's routes; all but the open ones ask for the password first."""
    console = Console(environment, live, store, wakeup)
    routes = Blueprint("console", __name__, static_folder="static", static_url_path="/console/static")
    routes.record_once(lambda state: console.login.prepare(state.app))
    routes.before_request(lambda: _gate(console))
    routes.after_request(_protect)
    routes.context_processor(lambda: {"form_token": form_token, "navigation": console.links(), "user": console.user})
    for name, each in (words.FILTERS | sla_page.FILTERS).items():
        routes.add_app_template_filter(each, name)
    routes.register_error_handler(HTTPException, _http_error)
    routes.register_error_handler(SQLAlchemyError, _database_error)
    routes.register_error_handler(Exception, _any_error)
    routes.add_url_rule("/", "root", lambda: to("home"))
    for page in PAGES:
        page.register(routes, console)
    routes.add_url_rule("/console/<path:anything>", "missing", _missing)
    return routes


def _gate(console: Console) -> BaseResponse | tuple[str, int] | None:
    """Answer in place of a page that may not be shown; None lets the request pass."""
    if request.endpoint in OPEN_ENDPOINTS:
        return None
    if "\0" in request.path:
        # No name holds one, and PostgreSQL takes it for an error of its own.
        raise NotFound
    if console.login.missing:
        text = NOT_SET.format(names=" and ".join(console.login.missing))
        return message("Console is off", text, 503)
    if not console.login.is_signed_in():
        is_abroad = request.headers.get("Sec-Fetch-Site") == "cross-site" and request.endpoint != BACK_ENDPOINT
        if request.method == "GET" and is_abroad:
            # Our cookie is not sent along a link from another site: step in once more, now from our own page.
            return render_template("console/enter.html"), 200
        if request.endpoint not in LOGIN_ENDPOINTS:
            return to("login")
    if request.method == "POST" and not form_is_ours():
        raise BadRequest(OLD_FORM)
    if request.endpoint not in LOGIN_ENDPOINTS:
        console.check_role()
    return None


def _missing(anything: str) -> str:  # noqa: ARG001 - the route has it
    raise NotFound


def _http_error(error: HTTPException) -> tuple[str, int]:
    text = {400: OLD_FORM, 404: NOT_FOUND}.get(error.code or 500, error.description or UNEXPECTED)
    return message(error.name, text, error.code or 500)


def _database_error(error: Exception) -> tuple[str, int]:
    logger.error("console: database failed (%s)", type(error).__name__)
    return message("Database down", DATABASE_DOWN, 503)


def _any_error(error: Exception) -> tuple[str, int]:
    # The message may hold what a page holds: log the kind only.
    logger.error("console: unexpected %s", type(error).__name__)
    return message("Unexpected error", UNEXPECTED, 500)


def _protect(response: Response) -> Response:
    response.headers.update(HEADERS)
    if request.endpoint != "console.static":
        response.headers["Cache-Control"] = "no-store"
    return response
