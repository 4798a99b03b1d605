"""The SLA board."""

from __future__ import annotations

import time

from flask import Blueprint, render_template

from webhooks import sla_page
from webhooks.frame import Console


def register(routes: Blueprint, console: Console) -> None:
    """Add the routes."""

    def sla() -> str:
        now = time.time()
        place = sla_page.Place(console.desk_asked_for())
        page = sla_page.look(console.store, console.settings, place, now)
        return render_template("console/sla.html", page=page, now=now, missed=sla_page.MISSED)

    console.page(routes, "sla", "sla", sla, label="SLA")
