"""What every page of the console is handed: settings, store, who is signed in, and how a page is added.

A page is a module of `webhooks/pages/` with `register(routes, console)`; its link in the navigation comes from the
`label` it is added with, in the order of `PAGES` in `console.py`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.exceptions import Forbidden, NotFound
from werkzeug.wrappers import Response

from triage.controlled import held_desks
from triage.environment import Environment
from triage.live import Live
from triage.settings import Desk, Settings
from triage.store import Store
from webhooks.login import Login, User
from webhooks.searching import text
from webhooks.shown import ticket_url
from webhooks.wakeup import Wakeup

Answer = str | Response | tuple[str, int]
NOT_YOURS = "This is for admins: sign in with the admin's password to do it."
# 64 bits, as the databases count: a larger number would be their error.
ID = f"int(max={2**63 - 1})"


@dataclass(frozen=True)
class Entry:
    """A link of the navigation."""

    endpoint: str
    label: str
    admin: bool


class Console:
    """What the pages share."""

    def __init__(self, environment: Environment, live: Live, store: Store, wakeup: Wakeup) -> None:
        self.environment = environment
        self._live = live
        self.store = store
        self.wakeup = wakeup
        self.login = Login(environment)
        self.nav: list[Entry] = []
        self._for_admins: set[str] = set()

    def page(
        self,
        routes: Blueprint,
        path: str,
        name: str,
        view: Callable[..., Answer],
        *,
        label: str = "",
        admin: bool = False,
    ) -> None:
        """Add a page below /console/; one with a `label` is in the navigation, one for admins is refused to viewers."""
        routes.add_url_rule(f"/console/{path}", name, view, methods=["GET"])
        if label:
            self.nav.append(Entry(f"console.{name}", label, admin))
        if admin:
            self._for_admins.add(f"console.{name}")

    def action(self, routes: Blueprint, path: str, name: str, view: Callable[..., Answer]) -> None:
        """Add what a form's button does: by POST, for admins, with the form's token."""
        routes.add_url_rule(f"/console/{path}", name, view, methods=["POST"])
        self._for_admins.add(f"console.{name}")

    def check_role(self) -> None:
        """Raise Forbidden where the route is not for whom is signed in."""
        if request.endpoint in self._for_admins and not self.user.is_admin:
            raise Forbidden(NOT_YOURS)

    @property
    def settings(self) -> Settings:
        """Return the settings in force: the file's, with what people have switched."""
        return self._live.settings()

    @property
    def file_settings(self) -> Settings:
        """Return the settings as the file has them."""
        return self._live.file_settings()

    @property
    def user(self) -> User:
        """Return who is signed in; nobody is a viewer without a name."""
        return self.login.user()

    def links(self) -> list[Entry]:
        """Return the navigation of whom is signed in; nothing while nobody is."""
        if self.login.missing or not self.login.is_signed_in():
            return []
        return [entry for entry in self.nav if self.user.is_admin or not entry.admin]

    def record(self, action: str, *, desk: str = "", subject: str = "", **detail: Any) -> None:
        """Write down in the audit log what the person who is signed in did."""
        self.store.audit.record(self.user.actor, action, time.time(), desk=desk, subject=subject, **detail)

    def desk(self, name: str) -> Desk:
        """Return a configured desk. Raises NotFound."""
        if name not in self.settings.desks:
            raise NotFound
        return self.settings.desks[name]

    def held(self) -> frozenset[str]:
        """Return the desks that are paused, with `*` where everything is stopped."""
        return held_desks(self.store.controls.all())

    def show(self, template: str, now: float, **values: Any) -> str:
        """Return a page at `now`; its tables link each ticket to its own page and to the helpdesk's."""
        settings = self.settings
        return render_template(
            f"console/{template}.html", now=now, helpdesk=lambda desk, one: ticket_url(settings, desk, one), **values
        )

    def field(self, name: str) -> str:
        """Return a field of the posted form."""
        return text(request.form, name)

    def desk_of_form(self) -> str:
        """Return the desk of the posted form, empty for all. Raises NotFound where there is no such desk."""
        name = self.field("desk")
        if name:
            self.desk(name)
        return name

    def desk_asked_for(self) -> str:
        """Return the desk of the address's query, empty where it names none that exists."""
        desk = request.args.get("desk", "")
        return desk if desk in self.settings.desks else ""


def to(page: str, **values: Any) -> Response:
    """Lead to one of our own pages: nothing of the request decides where."""
    return redirect(url_for(f"console.{page}", **values), 303)


def message(title: str, text: str, status: int) -> tuple[str, int]:
    """Return a page that says one thing."""
    return render_template("console/message.html", title=title, text=text), status
