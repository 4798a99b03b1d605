"""The door: signing in by password, signing out."""

from __future__ import annotations

import logging
import time

from flask import Blueprint, render_template, request
from werkzeug.wrappers import Response

from webhooks.frame import Answer, Console, to
from webhooks.login import LOCK_SECONDS, source_of

logger = logging.getLogger(__name__)
WRONG_PASSWORD = "That is not the password."  # noqa: S105 - a message
LOCKED = f"Too many wrong passwords. Try again in {LOCK_SECONDS / 60:.0f} minutes."


def register(routes: Blueprint, console: Console) -> None:
    """Add the routes."""
    login = console.login

    def sign_in() -> Answer:
        if login.is_signed_in():
            return to("home")
        if request.method != "POST":
            return _form()
        source = source_of(request.remote_addr)
        if not login.lockout.admit(source, time.monotonic()):
            logger.warning("console: %s is locked out", source)
            return _form(LOCKED, 429)
        if not login.sign_in(request.form.get("password", "")):
            logger.warning("console: wrong password from %s", source)
            if login.lockout.is_closed(source, time.monotonic()):
                # Once for each lock-out: whoever goes on trying must not fill the log.
                console.store.audit.record("console", "locked out", time.time(), subject=source)
            return _form(WRONG_PASSWORD, 403)
        login.lockout.forgive(source)
        logger.info("console: signed in from %s", source)
        console.record("signed in", subject=source)
        return to("home")

    def sign_out() -> Response:
        console.record("signed out")
        login.sign_out()
        return to("login")

    routes.add_url_rule("/console/login", "login", sign_in, methods=["GET", "POST"])
    # Not an action: viewers sign out too.
    routes.add_url_rule("/console/logout", "logout", sign_out, methods=["POST"])


def _form(problem: str = "", status: int = 200) -> tuple[str, int]:
    return render_template("console/login.html", problem=problem), status
