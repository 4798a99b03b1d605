"""How people switch modes, pauses and the stop: from a command or the console, with the same words and the same log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from triage.controlled import (
    EVERY_DESK,
    FIELDS,
    MODE,
    PAUSED,
    STOPPED,
    effective,
    field_switch,
)
from triage.errors import Stop
from triage.settings import DecidedField, Desk, Mode, Settings
from triage.store import Store

MEANING = {
    Mode.OFF: "Tandem leaves its tickets alone",
    Mode.WATCH: "Tandem decides and records, and writes nothing",
    Mode.NOTE: "Tandem adds its private note, no tags and no fields",
    Mode.TAG: "Tandem adds its private note and its tags, and sets no field",
    Mode.WRITE: "Tandem adds note and tags, and sets priority, group and mapped fields where it is sure and nobody has",
}
FIELD_MEANING = {
    Mode.OFF: "it is left alone",
    Mode.WATCH: "it is recorded only",
    Mode.NOTE: "it is said in the note only",
    Mode.TAG: "it is tagged and not set",
    Mode.WRITE: "it is set on the ticket where Tandem is sure and nobody has set it",
}
PAUSE_SAYS = "{desk} is paused: nothing is written there, and what comes in waits until you resume it."
RESUME_SAYS = "{desk} goes on: what has waited is worked on now, the oldest first."
STOP_SAYS = "All writing is stopped on every desk; what comes in waits, and nothing is lost. Reading goes on."
GO_SAYS = "Writing goes on: what has waited is worked on now, the oldest first."
STILL_STOPPED = " All writing is stopped, though: nothing happens before that is lifted."
STILL_PAUSED = " {desks} stay paused."
NO_DESK = "no such desk: {desk} (there are {known})"
NO_FIELD = "no such field: {field} (there are {known})"


@dataclass(frozen=True)
class Switcher:
    """Changes switches in the name of `actor` (`console:NAME`, `command:USER`); every change is in the audit log."""

    store: Store
    settings: Settings
    """As in the file: without switches."""
    actor: str

    def say_mode(self, desk: str, mode: Mode | None, field: str = "") -> str:
        """Return what would change, in a sentence or two; `mode` None is back to the file's."""
        before = self._now(desk)
        own = dict(self._own(desk))
        for name in self._gone(own, mode, field):
            own.pop(name)
        if mode is not None:
            own[field_switch(field) if field else MODE] = mode
        after = effective(self._desk(desk), own)
        return f"{_difference(desk, before, after)}{self._held(desk)}"

    def mode(self, desk: str, mode: Mode | None, now: float, field: str = "") -> str:
        """Switch the mode of a desk or of one of its fields, None back to the file's; returns what changed."""
        self._check_field(field)
        says = self.say_mode(desk, mode, field)
        before = _shown(self._now(desk))
        for name in self._gone(self._own(desk), mode, field):
            self.store.controls.clear(desk, name)
        if mode is not None:
            self.store.controls.set(desk, field_switch(field) if field else MODE, mode, self.actor, now)
        after = _shown(self._now(desk))
        self.store.audit.record(self.actor, "mode", now, desk=desk, subject=field or "desk", before=before, after=after)
        return says

    def pause(self, desk: str, now: float) -> str:
        """Hold one desk: nothing is written there, its deliveries wait."""
        self._desk(desk)
        self.store.controls.set(desk, PAUSED, "yes", self.actor, now)
        self.store.audit.record(self.actor, "pause", now, desk=desk)
        return PAUSE_SAYS.format(desk=desk)

    def resume(self, desk: str, now: float) -> str:
        """Let one desk go on; also one that is no longer in the file."""
        was_paused = self.store.controls.clear(desk, PAUSED)
        if not was_paused:
            self._desk(desk)
        self.store.audit.record(self.actor, "resume", now, desk=desk, was_paused=was_paused)
        return RESUME_SAYS.format(desk=desk) + self._held(desk)

    def stop(self, now: float) -> str:
        """Stop all writing at once, on every desk."""
        self.store.controls.set(EVERY_DESK, STOPPED, "yes", self.actor, now)
        self.store.audit.record(self.actor, "stop", now, desk=EVERY_DESK)
        return STOP_SAYS

    def go(self, now: float) -> str:
        """Lift the stop."""
        was_stopped = self.store.controls.clear(EVERY_DESK, STOPPED)
        self.store.audit.record(self.actor, "go", now, desk=EVERY_DESK, was_stopped=was_stopped)
        paused = sorted(desk for desk, own in self.store.controls.all().items() if PAUSED in own)
        return GO_SAYS + (STILL_PAUSED.format(desks=", ".join(paused)) if paused else "")

    def _gone(self, own: Mapping[str, str], mode: Mode | None, field: str) -> list[str]:
        """Return the switches that fall with this one: a desk's mode takes those of its fields along."""
        if field:
            return [field_switch(field)] if mode is None and field_switch(field) in own else []
        return [name for name in own if name == MODE or name.startswith(field_switch(""))]

    def _own(self, desk: str) -> Mapping[str, str]:
        return self.store.controls.all().get(desk, {})

    def _now(self, desk: str) -> Desk:
        return effective(self._desk(desk), self._own(desk))

    def _desk(self, desk: str) -> Desk:
        if desk not in self.settings.desks:
            raise Stop(NO_DESK.format(desk=desk, known=", ".join(self.settings.desks) or "none"))
        return self.settings.desks[desk]

    def _check_field(self, field: str) -> None:
        if field and field not in FIELDS:
            raise Stop(NO_FIELD.format(field=field, known=", ".join(FIELDS)))

    def _held(self, desk: str) -> str:
        switches = self.store.controls.all()
        if STOPPED in switches.get(EVERY_DESK, {}):
            return STILL_STOPPED
        return f" {desk} is paused, though: nothing happens before it is resumed." if PAUSED in self._own(desk) else ""


def _shown(desk: Desk) -> dict[str, str]:
    return {"mode": str(desk.mode)} | {name: str(mode) for name, mode in desk.fields.items()}


def _difference(desk: str, before: Desk, after: Desk) -> str:
    """Say what is other, in sentences."""
    said = []
    if after.mode != before.mode:
        said.append(f"{desk} goes from {before.mode} to {after.mode}: {MEANING[after.mode]}.")
    for field in FIELDS:
        then, now = _mode_of(before, field), _mode_of(after, field)
        own = field in after.fields or field in before.fields
        if now != then and (own or after.mode == before.mode):
            said.append(f"{field} goes from {then} to {now}: {FIELD_MEANING[now]}.")
    for team, mode in after.teams.items():
        if mode != before.teams.get(team):
            said.append(f"Tickets of {team} go from {before.teams.get(team)} to {mode} at most.")
    return " ".join(said) or f"Nothing changes: {desk} is in mode {after.mode}, {MEANING[after.mode]}."


def _mode_of(desk: Desk, field: DecidedField) -> Mode:
    return desk.fields.get(field, desk.mode)
