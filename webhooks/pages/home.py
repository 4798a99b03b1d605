"""The first page, and the alarms' buttons."""

from __future__ import annotations

import time

from flask import Blueprint, render_template, request
from werkzeug.wrappers import Response

from webhooks.frame import Console, to
from webhooks.overview import look


def register(routes: Blueprint, console: Console) -> None:
    """Add the routes."""

    def home() -> str:
        now = time.time()
        state = request.args.get("state", "")
        overview = look(console.store, console.settings, console.environment.public, state, now)
        return render_template("console/home.html", page=overview, now=now)

    def dismiss() -> Response:
        form = request.form
        desk, kind, ticket_id = (form.get(name, "") for name in ("desk", "kind", "ticket_id"))
        console.store.alarms.clear(desk, kind, ticket_id)
        console.record("alarm dismissed", desk=desk, subject=f"{kind} {ticket_id}".strip())
        return to("home")

    console.page(routes, "", "home", home, label="Overview")
    console.action(routes, "alarms/dismiss", "dismiss", dismiss)
