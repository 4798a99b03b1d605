"""A new webhook secret for a desk: made here, shown once, and accepted beside the old one."""

from __future__ import annotations

import secrets
import time

from flask import Blueprint

from webhooks.frame import Console

BYTES = 32


def register(routes: Blueprint, console: Console) -> None:
    """Add the routes."""

    def secret(desk: str) -> str:
        known = console.desk(desk)
        return console.show("secret", time.time(), desk=desk, known=known, made="", variable="")

    def make(desk: str) -> str:
        known = console.desk(desk)
        console.record("secret made", desk=desk)
        variable = f"{desk.upper().replace('-', '_')}_WEBHOOK_SECRET_{time.strftime('%Y%m%d', time.gmtime())}"
        made = secrets.token_urlsafe(BYTES)
        return console.show("secret", time.time(), desk=desk, known=known, made=made, variable=variable)

    console.page(routes, "desks/<desk>/secret", "secret", secret, admin=True)
    console.action(routes, "desks/<desk>/secret", "make_secret", make)
