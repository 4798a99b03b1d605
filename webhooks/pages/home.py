"""The first page, and the alarms' buttons."""

from __future__ import annotations

import time

from flask import Blueprint
from werkzeug.wrappers import Response

from webhooks import overview
from webhooks.frame import Console, to


def register(routes: Blueprint, console: Console) -> None:
    """Add the routes."""

    def home() -> str:
        now = time.time()
        page = overview.look(console.store, console.settings, console.environment, console.held(), now)
        return console.show("home", now, page=page)

    def dismiss() -> Response:
        desk, kind, ticket_id = (console.field(name) for name in ("desk", "kind", "ticket_id"))
        console.store.alarms.clear(desk, kind, ticket_id)
        console.record("alarm dismissed", desk=desk, subject=f"{kind} {ticket_id}".strip())
        return to("home")

    console.page(routes, "", "home", home, label="Overview")
    console.action(routes, "alarms/dismiss", "dismiss", dismiss)
