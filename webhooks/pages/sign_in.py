"""The door: signing in by password or with an identity provider, signing out."""

from __future__ import annotations

import logging
import time

from flask import Blueprint, redirect, render_template, request
from werkzeug.wrappers import Response

from webhooks import oidc
from webhooks.frame import Answer, Console, to
from webhooks.login import KNOWN_COOKIE, LOCK_SECONDS, source_of

logger = logging.getLogger(__name__)
WRONG_PASSWORD = "That is not the password."  # noqa: S105 - a message
LOCKED = f"Too many wrong passwords. Try again in {LOCK_SECONDS / 60:.0f} minutes."


class Door:
    """The forms and buttons of the door."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._login = console.login
        self._oidc = oidc.Oidc(console.environment, console.login.key("console oidc"))

    def sign_in(self) -> Answer:
        """Show the form, and let in by password."""
        if self._login.is_signed_in():
            return to("home")
        if request.method != "POST":
            return self._form()
        address = source_of(request.remote_addr)
        source = self._login.known_browser(request.cookies.get(KNOWN_COOKIE, "")) or address
        if not self._login.lockout.admit(source, time.monotonic()):
            logger.warning("console: %s is locked out", address)
            return self._form(LOCKED, 429)
        if not self._login.sign_in(request.form.get("password", "")):
            logger.warning("console: wrong password from %s", address)
            if self._login.lockout.is_closed(source, time.monotonic()):
                # Once for each lock-out: whoever goes on trying must not fill the log.
                self._console.store.audit.record("console", "locked out", time.time(), subject=address)
            return self._form(WRONG_PASSWORD, 403)
        self._let_in(address)
        answer = to("home")
        if self._console.user.is_admin:
            self._login.lockout.forgive(source)
            self._login.know(answer)
        else:
            # Else a viewer, by signing in between, could try the admin's password for ever.
            self._login.lockout.uncount(source)
        return answer

    def sign_out(self) -> Response:
        """End the session."""
        self._console.record("signed out")
        self._login.sign_out()
        return to("login")

    def leave(self) -> Answer:
        """Send the browser to the identity provider."""
        if not self._oidc.is_on:
            return to("login")
        try:
            leaving = self._oidc.leave()
        except oidc.RefusedError as error:
            return self._form(str(error), 503)
        answer = redirect(leaving.url, 303)
        self._keep(answer, leaving.cookie, oidc.AWAY_SECONDS)
        return answer

    def come_back(self) -> Answer:
        """Take the browser back from the identity provider."""
        if not self._oidc.is_on:
            return to("login")
        source = source_of(request.remote_addr)
        try:
            user = self._oidc.come_back(request.args, request.cookies.get(oidc.COOKIE, ""))
        except oidc.RefusedError as error:
            logger.warning("console: %s was not let in by the identity provider", source)
            return self._form(str(error), 403)
        self._login.begin(user)
        self._let_in(source)
        answer = to("home")
        self._keep(answer, "", 0)
        return answer

    def _let_in(self, source: str) -> None:
        logger.info("console: signed in from %s", source)
        self._console.record("signed in", subject=source, role=self._console.user.role)

    def _form(self, problem: str = "", status: int = 200) -> tuple[str, int]:
        ways = {"by_password": self._login.by_password, "by_provider": self._oidc.is_on}
        return render_template("console/login.html", problem=problem, **ways), status

    def _keep(self, answer: Response, cookie: str, seconds: int) -> None:
        answer.set_cookie(
            oidc.COOKIE,
            cookie,
            max_age=seconds,
            path=oidc.COOKIE_PATH,
            secure=self._login.is_secure,
            httponly=True,
            # Comes along on the way back from the provider; it says nothing but which way back is ours.
            samesite="Lax",
        )


def register(routes: Blueprint, console: Console) -> None:
    """Add the routes."""
    door = Door(console)
    routes.add_url_rule("/console/login", "login", door.sign_in, methods=["GET", "POST"])
    # Not an action: viewers sign out too.
    routes.add_url_rule("/console/logout", "logout", door.sign_out, methods=["POST"])
    # By link: our policy forbids forms that lead elsewhere.
    routes.add_url_rule("/console/oidc/leave", "oidc_leave", door.leave, methods=["GET"])
    routes.add_url_rule(oidc.BACK, "oidc_back", door.come_back, methods=["GET"])
