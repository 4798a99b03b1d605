"""Desks: their addresses and health, modes changed with a sentence that says what changes, pause, the stop."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime

from flask import Blueprint, flash, request
from werkzeug.exceptions import BadRequest
from werkzeug.wrappers import Response

from triage.controlled import EVERY_DESK, FIELDS, MODE, field_switch, laid_over
from triage.settings import Desk, Mode
from triage.store.deliveries import Delivery
from triage.store.marks import DESK_LOCKED, POLLED
from triage.switching import MEANING, Switcher
from webhooks import checks
from webhooks.checks import Helpdesk
from webhooks.frame import Answer, Console, to

AS_IN_FILE = "file"
"""What the form says for "back to what the file says"."""
SAME = "That changes nothing."
NO_MODE = "There is no such mode."


@dataclass(frozen=True)
class FieldMode:
    """How far Tandem goes on one field, and who says so."""

    field: str
    mode: Mode
    is_switched: bool


@dataclass(frozen=True)
class DeskView:
    """One desk as its section shows it."""

    name: str
    desk: Desk
    webhook: str
    is_switched: bool
    """The desk's own mode was switched here or by command."""
    fields: list[FieldMode]
    is_paused: bool
    locked_at: float | None
    last_delivery: Delivery | None
    polled_at: float | None
    token_days: int | None
    helpdesk: Helpdesk


def view(console: Console, name: str, desk: Desk, switches: dict[str, str], is_paused: bool, now: float) -> DeskView:
    """Return one desk; `desk` is laid over, `switches` are its own."""
    store = console.store
    polled = store.cursors.get(name, POLLED)
    return DeskView(
        name=name,
        desk=desk,
        webhook=f"{console.environment.public}/webhooks/{desk.platform}/{name}",
        is_switched=MODE in switches,
        fields=[FieldMode(one, desk.fields.get(one, desk.mode), field_switch(one) in switches) for one in FIELDS],
        is_paused=is_paused,
        locked_at=store.alarms.raised_at(name, DESK_LOCKED),
        last_delivery=store.deliveries.newest_of(name),
        polled_at=polled[1] if polled else None,
        token_days=desk.token_days_left(datetime.fromtimestamp(now, UTC).date()),
        helpdesk=checks.helpdesk(store, name),
    )


class Desks:
    """The page and its buttons."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def _switcher(self) -> Switcher:
        return Switcher(self._console.store, self._console.file_settings, self._console.user.actor)

    def desks(self) -> str:
        """Show every desk."""
        now, switches, held = time.time(), self._console.store.controls.all(), self._console.held()
        # Fresh, so that what was just switched shows at once.
        known = laid_over(self._console.file_settings, switches).desks
        return self._console.show(
            "desks",
            now,
            desks=[
                view(self._console, name, known[name], switches.get(name, {}), name in held, now)
                for name in sorted(known)
            ],
            is_stopped=EVERY_DESK in held,
            checks=checks.own(self._console.store, self._console.environment, now),
            levels=checks.LEVELS,
            modes=list(Mode),
            meaning=MEANING,
            choices=FIELDS,
        )

    def mode(self, desk: str) -> Answer:
        """Say what would change before it does."""
        self._console.desk(desk)
        wanted, field = _asked(request.args.get("mode", ""), request.args.get("field", ""))
        says = self._switcher().say_mode(desk, wanted, field)
        return self._console.show(
            "mode", time.time(), desk=desk, mode=request.args["mode"], field=field, says=says or SAME
        )

    def change_mode(self, desk: str) -> Response:
        """Switch a mode."""
        self._console.desk(desk)
        wanted, field = _asked(self._console.field("mode"), self._console.field("field"))
        flash(self._switcher().mode(desk, wanted, time.time(), field) or SAME)
        return to("desks")

    def hold(self, desk: str) -> Response:
        """Pause or resume a desk."""
        self._console.desk(desk)
        now, does = time.time(), self._console.field("do")
        flash(self._switcher().resume(desk, now) if does == "resume" else self._switcher().pause(desk, now))
        return to("desks")

    def stop(self) -> Response:
        """Stop all writing, or lift the stop."""
        now, does = time.time(), self._console.field("do")
        flash(self._switcher().go(now) if does == "go" else self._switcher().stop(now))
        return to("desks")


def register(routes: Blueprint, console: Console) -> None:
    """Add the routes."""
    page = Desks(console)
    console.page(routes, "desks", "desks", page.desks, label="Desks")
    console.page(routes, "desks/<desk>/mode", "mode", page.mode, admin=True)
    console.action(routes, "desks/<desk>/mode", "change_mode", page.change_mode)
    console.action(routes, "desks/<desk>/hold", "hold", page.hold)
    console.action(routes, "stop", "stop", page.stop)


def _asked(given: str, field: str) -> tuple[Mode | None, str]:
    if field and field not in FIELDS:
        raise BadRequest
    if given == AS_IN_FILE:
        return None, field
    try:
        return Mode(given), field
    except ValueError:
        raise BadRequest(NO_MODE) from None
