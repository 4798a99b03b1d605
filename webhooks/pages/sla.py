"""The SLA board."""

from __future__ import annotations

import time

from flask import Blueprint

from webhooks import sla_page
from webhooks.frame import Console


def register(routes: Blueprint, console: Console) -> None:
    """Add the routes."""

    def sla() -> str:
        now = time.time()
        place = sla_page.Place(console.desk_asked_for())
        page = sla_page.look(console.store, console.settings, place, now)
        return console.show("sla", now, page=page, missed=sla_page.MISSED)

    console.page(routes, "sla", "sla", sla, label="SLA")
