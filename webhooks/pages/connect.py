"""Connecting a desk step by step: address and credential, what was found, groups, webhook and test, mode.

The web process only writes the two files and asks a worker, which talks to the helpdesk; pages show what came of it.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, flash, request
from werkzeug.exceptions import BadRequest, NotFound
from werkzeug.wrappers import Response

from triage.desk_plan import (
    KINDS,
    WEBHOOK,
    Files,
    Plan,
    address,
    check_name,
    difference,
    name_from,
    plan_of,
    settings_of,
    with_desk,
    write,
)
from triage.environment import env_file, variables
from triage.errors import SettingsError
from triage.settings import LOOPBACK, MIN_SECRET, Mode
from triage.settings_edit import value_at
from triage.switching import MEANING
from webhooks.frame import Answer, Console, message, to
from workers.setup_report import DONE, FAILED, HOOK, LOOK, REMOVE, RUNNING, WAITING, Report

STEPS = {HOOK: "Webhook and test", LOOK: "Look", REMOVE: "Removal"}
REFRESH_SECONDS = 2
# A step that no worker takes up is told so.
PATIENCE_SECONDS = 90.0
NO_WORKER = "The queue did not take it: start Redis and a worker, then try again. python manage.py doctor says more."
TAKEN = "There is a desk '{name}' already, for {url}: choose another name, or open it below."
SHORT = f"A webhook secret of your own has {MIN_SECRET} characters at least."
CONFIRM = "Tick the box to take the desk away."
PUT = "{closed} cannot be written from here. Put this into {config}, and {names} into {env}. Then restart Tandem."


class Connect:
    """The pages of the wizard."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._files = Files(Path(console.environment.tandem_config), env_file())

    def begin(self, problem: str = "", plan: Plan | None = None) -> str:
        """Ask for address and credential; what was typed is kept but for the secrets."""
        if plan is None and (name := request.args.get("desk", "")):
            plan = self._known(name)
        return self._console.show(
            "connect",
            time.time(),
            problem=problem,
            plan=plan,
            desks=sorted(value_at(self._files.texts()[0], ("desks",)) or {}),
            closed=self._files.unwritable(),
            files=self._files,
            sandbox=bool(variables().get("SANDBOX_URL")),
        )

    def create(self) -> Answer:
        """Write the desk, switched off, into the files and let a worker look at the account."""
        form = self._console.field
        platform, url = form("platform"), address(form("url"), form("platform"))
        if platform not in KINDS:
            raise BadRequest
        kind = next((one for one in KINDS[platform] if one == form("kind")), KINDS[platform][0])
        name = form("desk").strip() or name_from(url) or platform
        plan = Plan(name, platform, url, kind, "", form("email").strip(), "", {}, self._given(kind))
        try:
            self._check(plan)
            config, _ = self._files.texts()
            if self._files.unwritable():
                return self._by_hand(plan)
            new = value_at(config, ("desks", name)) is None
            write(self._files, replace(plan, mode="off" if new else ""), self._settings(), dict(os.environ))
        except (SettingsError, OSError) as error:
            return self.begin(str(error), plan), 422
        self._console.record("connect", desk=name, subject=url, platform=platform)
        self._ask(name, LOOK)
        return to("connecting", desk=name)

    def _known(self, name: str) -> Plan | None:
        """Return a desk as it stands in the files, to be corrected; without its secrets."""
        try:
            plan = plan_of(self._files.texts()[0], name, variables())
        except SettingsError:
            return None
        open_ones = {role: text for role, text in plan.secrets.items() if role == "client_id"}
        return replace(plan, url=self._url_of(name), secrets=open_ones)

    def _given(self, kind: str) -> dict[str, str]:
        """Return the secrets of the form."""
        form = self._console.field
        roles = {"oauth": ("client_id", "client_secret"), "token": ("api_token",), "key": ("api_key",)}[kind]
        given = {role: form(role if role == "client_id" else "secret").strip() for role in roles}
        own = form("webhook_secret").strip()
        return given | ({WEBHOOK: own} if own else {})

    def _check(self, plan: Plan) -> None:
        check_name(plan.name)
        known = value_at(self._files.texts()[0], ("desks", plan.name))
        other = known is not None and (known.get("platform") != plan.platform or self._url_of(plan.name) != plan.url)
        if other and not self._is_unproven(plan, known):
            raise SettingsError(TAKEN.format(name=plan.name, url=known.get("url")))
        if any(not plan.secrets.get(role) for role in plan.roles):
            raise SettingsError("Fill in the credential.")
        if len(plan.secrets.get(WEBHOOK, "-" * MIN_SECRET)) < MIN_SECRET:
            raise SettingsError(SHORT)
        plan.desk()

    def _is_unproven(self, plan: Plan, known: dict[str, Any]) -> bool:
        """Say whether the desk stands there from a look that failed, so that its address may be the mistake."""
        is_off = known.get("mode") in ("off", False)
        found = Report(self._console.store, plan.name).read()
        return (
            is_off and known.get("platform") == plan.platform and found.get("state") == FAILED and not found.get("user")
        )

    def _url_of(self, name: str) -> str:
        desk = self._console.file_settings.desks.get(name)
        return desk.url if desk else str(value_at(self._files.texts()[0], ("desks", name, "url")) or "").rstrip("/")

    def _by_hand(self, plan: Plan) -> Answer:
        """Say what to put where: a container's files are often read-only."""
        config, _ = self._files.texts()
        diff = difference(config, with_desk(config, plan, self._settings()), self._files.config.name)
        names = ", ".join(plan.variables(config).values())
        closed = " and ".join(map(str, self._files.unwritable()))
        text = PUT.format(closed=closed, config=self._files.config, env=self._files.env, names=names)
        return self._console.show("by_hand", time.time(), text=text, diff=diff), 409

    def show(self, desk: str) -> Answer:
        """Show how far it is; refreshes itself while a worker is at it."""
        config, _ = self._files.texts()
        report = Report(self._console.store, desk)
        known = value_at(config, ("desks", desk))
        found = report.read()
        if known is None and not found.get("removed"):
            raise NotFound
        now = time.time()
        busy = found.get("state") in (WAITING, RUNNING)
        settings = self._settings()
        public = self._console.environment.public
        plan = Plan(desk, str((known or {}).get("platform", "")), "", "key")
        return self._console.show(
            "connecting",
            now,
            desk=desk,
            known=known,
            report=found,
            busy=busy,
            late=busy and now - float(found.get("asked_at", now)) > PATIENCE_SECONDS,
            step=STEPS.get(found.get("step", ""), ""),
            failed=found.get("state") == FAILED,
            done=found.get("state") == DONE,
            refresh=REFRESH_SECONDS,
            groups=((found.get("survey") or {}).get("groups")) or [],
            teams=settings.teams,
            webhook=plan.webhook(public),
            unreachable=not self._console.environment.public_url and not _is_here(self._url_of(desk)),
            secret_name=Plan(desk, "", "", "key").variables(config)[WEBHOOK] if known else "",
            files=self._files,
            alone=not set(settings.desks) - {desk},
            modes=list(Mode),
            meaning=MEANING,
        )

    def teams(self, desk: str) -> Answer:
        """Write which group each team has, and the desk's mode."""
        settings = self._settings()
        groups = {team: text for team in settings.teams if (text := request.form.get(f"group-{team}")) is not None}
        listed = (Report(self._console.store, desk).read().get("survey") or {}).get("groups") or []
        mode = self._console.field("mode")
        if any(group and group not in listed for group in groups.values()) or mode not in {"", *Mode}:
            raise BadRequest
        if set(settings.desks) - {desk}:
            # One name serves every desk: a group that only another one has is not taken away from it here.
            groups = {team: one for team, one in groups.items() if one or settings.teams[team].group in listed}
        try:
            plan = plan_of(self._files.texts()[0], desk, variables())
            write(self._files, replace(plan, groups=groups, mode=mode), settings, dict(os.environ))
        except (SettingsError, OSError) as error:
            flash(str(error))
            return to("connecting", desk=desk)
        changed = {team: group for team, group in groups.items() if settings.teams[team].group != group}
        self._console.record("connect", desk=desk, subject="teams and mode", groups=changed, mode=mode)
        flash("Saved." if not mode else f"Saved. Desk '{desk}' is in mode {mode}.")
        return to("connecting", desk=desk)

    def step(self, desk: str, step: str) -> Response:
        """Let a worker do the next step."""
        if step not in STEPS or value_at(self._files.texts()[0], ("desks", desk)) is None:
            raise NotFound
        if step == REMOVE and not self._console.field("sure"):
            flash(CONFIRM)
            return to("connecting", desk=desk)
        self._console.record("disconnect" if step == REMOVE else "connect", desk=desk, subject=step)
        self._ask(desk, step)
        return to("connecting", desk=desk)

    def _ask(self, desk: str, step: str) -> None:
        report = Report(self._console.store, desk)
        report.note(step=step, state=WAITING, error="", asked_at=time.time(), removed=None)
        if not self._console.wakeup.set_up(desk, step):
            report.note(state=FAILED, error=NO_WORKER)

    def _settings(self) -> Any:
        return settings_of(self._files.texts()[0], variables())


def register(routes: Blueprint, console: Console) -> None:
    """Add the routes."""
    page = Connect(console)
    # A file that somebody has broken is said so, with the line.
    routes.register_error_handler(SettingsError, lambda error: message("Settings", str(error), 409))
    console.page(routes, "connect", "connect", page.begin, label="Connect", admin=True)
    console.action(routes, "connect", "connect_create", page.create)
    console.page(routes, "connect/<desk>", "connecting", page.show, admin=True)
    console.action(routes, "connect/<desk>/teams", "connect_teams", page.teams)
    console.action(routes, "connect/<desk>/<step>", "connect_step", page.step)


def _is_here(url: str) -> bool:
    return (urlsplit(url).hostname or "") in LOOPBACK
