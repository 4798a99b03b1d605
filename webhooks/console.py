"""The console: what came in, what became of it, and what is stuck. Server-rendered, no JavaScript."""

from __future__ import annotations

import logging
import time

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import BadRequest, HTTPException, NotFound
from werkzeug.wrappers import Response as BaseResponse

from triage.environment import Environment
from triage.live import Current
from triage.settings import Settings
from triage.store import Store
from triage.store.deliveries import DEAD
from webhooks import sla_page
from webhooks.login import LOCK_SECONDS, Login, form_is_ours, form_token, source_of
from webhooks.overview import age, duration, look, utc
from webhooks.replay import replay
from webhooks.wakeup import Wakeup

logger = logging.getLogger(__name__)
# One press of "Replay all dead"; more would keep the browser waiting.
REPLAY_LIMIT = 500
# What asks for nothing; every other page asks for the password, the login page itself aside.
OPEN_ENDPOINTS = {"console.static", "console.root"}
LOGIN_ENDPOINT = "console.login"
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
WRONG_PASSWORD = "That is not the password."  # noqa: S105 - a message
LOCKED = f"Too many wrong passwords. Try again in {LOCK_SECONDS / 60:.0f} minutes."
OLD_FORM = "This form is too old or did not come from this page. Go back to the console and try again."
NOT_FOUND = "There is no such page."
DATABASE_DOWN = "The database does not answer. Start it or correct DATABASE_URL; python manage.py doctor says more."
UNEXPECTED = "Something unexpected went wrong. The web process's log names it."
NOT_SET = (
    "The console is off: set {names} in .env and restart (make run chooses both by itself). Webhooks are not affected."
)
NOTHING_REPLAYED = "Nothing to replay: it is under way or done already."
REPLAYED = "Sent through again: {count}."
MORE_DEAD = "Sent through again: {count}. {left} dead letters are left; press the button once more."


class Console:
    """The pages below /console/."""

    def __init__(self, environment: Environment, current: Current, store: Store, wakeup: Wakeup) -> None:
        self._public = environment.public
        self._current = current
        self._store = store
        self._wakeup = wakeup
        self._login = Login(environment)

    @property
    def _settings(self) -> Settings:
        return self._current()

    def blueprint(self) -> Blueprint:
        """Return the routes; all but the open ones ask for the password first."""
        routes = Blueprint("console", __name__, static_folder="static", static_url_path="/console/static")
        routes.record_once(lambda state: self._login.prepare(state.app))
        routes.before_request(self._gate)
        routes.after_request(_protect)
        routes.context_processor(lambda: {"form_token": form_token})
        for name, words in ({"age": age, "duration": duration, "utc": utc} | sla_page.FILTERS).items():
            routes.add_app_template_filter(words, name)
        routes.register_error_handler(HTTPException, _http_error)
        routes.register_error_handler(SQLAlchemyError, _database_error)
        routes.register_error_handler(Exception, _any_error)
        routes.add_url_rule("/", "root", _root)
        routes.add_url_rule("/console/", "home", self._home)
        routes.add_url_rule("/console/sla", "sla", self._sla)
        routes.add_url_rule("/console/login", "login", self._sign_in, methods=["GET", "POST"])
        routes.add_url_rule("/console/logout", "logout", self._sign_out, methods=["POST"])
        # 64 bits, as the databases count: a larger number would be their error.
        one = f"/console/deliveries/<int(max={2**63 - 1}):delivery_id>/replay"
        routes.add_url_rule(one, "replay_one", self._replay_one, methods=["POST"])
        routes.add_url_rule("/console/dead/replay", "replay_dead", self._replay_dead, methods=["POST"])
        routes.add_url_rule("/console/alarms/dismiss", "dismiss", self._dismiss, methods=["POST"])
        routes.add_url_rule("/console/<path:anything>", "missing", _missing)
        return routes

    def _gate(self) -> BaseResponse | tuple[str, int] | None:
        """Answer in place of a page that may not be shown; None lets the request pass."""
        if request.endpoint in OPEN_ENDPOINTS:
            return None
        if self._login.missing:
            text = NOT_SET.format(names=" and ".join(self._login.missing))
            return _message("Console is off", text, 503)
        if not self._login.is_signed_in():
            if request.method == "GET" and request.headers.get("Sec-Fetch-Site") == "cross-site":
                # Our cookie is not sent along a link from another site: step in once more, now from our own page.
                return render_template("console/enter.html"), 200
            if request.endpoint != LOGIN_ENDPOINT:
                return _to("login")
        if request.method == "POST" and not form_is_ours():
            raise BadRequest(OLD_FORM)
        return None

    def _sign_in(self) -> BaseResponse | tuple[str, int]:
        if self._login.is_signed_in():
            return _to("home")
        if request.method != "POST":
            return render_template("console/login.html"), 200
        source = source_of(request.remote_addr)
        if not self._login.lockout.admit(source, time.monotonic()):
            logger.warning("console: %s is locked out", source)
            return render_template("console/login.html", problem=LOCKED), 429
        if not self._login.sign_in(request.form.get("password", "")):
            logger.warning("console: wrong password from %s", source)
            return render_template("console/login.html", problem=WRONG_PASSWORD), 403
        self._login.lockout.forgive(source)
        logger.info("console: signed in from %s", source)
        return _to("home")

    def _sign_out(self) -> BaseResponse:
        self._login.sign_out()
        return _to("login")

    def _home(self) -> str:
        now = time.time()
        overview = look(self._store, self._settings, self._public, request.args.get("state", ""), now)
        return render_template("console/home.html", page=overview, now=now)

    def _sla(self) -> str:
        now = time.time()
        desk = request.args.get("desk", "")
        place = sla_page.Place(desk if desk in self._settings.desks else "")
        return render_template(
            "console/sla.html",
            page=sla_page.look(self._store, self._settings, place, now),
            now=now,
            missed=sla_page.MISSED,
        )

    def _replay_one(self, delivery_id: int) -> BaseResponse:
        opened = replay(self._store, self._wakeup, [delivery_id])
        return _replayed(opened, REPLAYED)

    def _replay_dead(self) -> BaseResponse:
        opened = replay(self._store, self._wakeup, self._store.deliveries.with_state(DEAD, limit=REPLAY_LIMIT))
        left = self._store.deliveries.counts(DEAD).get(DEAD, 0)
        return _replayed(opened, MORE_DEAD if left else REPLAYED, left)

    def _dismiss(self) -> BaseResponse:
        form = request.form
        self._store.alarms.clear(form.get("desk", ""), form.get("kind", ""), form.get("ticket_id", ""))
        return _to("home")


def _replayed(opened: list[int], text: str, left: int = 0) -> BaseResponse:
    logger.info("console: replayed %d deliveries", len(opened))
    flash(text.format(count=len(opened), left=left) if opened else NOTHING_REPLAYED)
    return _to("home")


def _root() -> BaseResponse:
    return _to("home")


def _missing(anything: str) -> str:  # noqa: ARG001 - the route has it
    raise NotFound


def _to(page: str) -> BaseResponse:
    # Only ever to our own pages: nothing of the request decides where.
    return redirect(url_for(f"console.{page}"), 303)


def _message(title: str, text: str, status: int) -> tuple[str, int]:
    return render_template("console/message.html", title=title, text=text), status


def _http_error(error: HTTPException) -> tuple[str, int]:
    text = {400: OLD_FORM, 404: NOT_FOUND}.get(error.code or 500, error.description or UNEXPECTED)
    return _message(error.name, text, error.code or 500)


def _database_error(error: Exception) -> tuple[str, int]:
    logger.error("console: database failed (%s)", type(error).__name__)
    return _message("Database down", DATABASE_DOWN, 503)


def _any_error(error: Exception) -> tuple[str, int]:
    # The message may hold what a page holds: log the kind only.
    logger.error("console: unexpected %s", type(error).__name__)
    return _message("Unexpected error", UNEXPECTED, 500)


def _protect(response: Response) -> Response:
    response.headers.update(HEADERS)
    if request.endpoint != "console.static":
        response.headers["Cache-Control"] = "no-store"
    return response
