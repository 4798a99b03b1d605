"""What people have switched, laid over the settings of the file. Pure: `triage/live.py` reads, `switching.py` writes.

A switched mode of a desk is also a ceiling for the file's own overrides by field and team: who says "watch" means that
nothing is written. A switched mode of a field stands for itself; switching the whole desk takes it back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from triage.settings import DecidedField, Desk, Mode, Settings

EVERY_DESK = "*"
MODE, PAUSED, STOPPED = "mode", "paused", "stopped"
FIELD_PREFIX = "mode:"
FIELDS: tuple[DecidedField, ...] = ("primary_team", "priority", "sentiment", "churn_risk")

Switches = Mapping[str, Mapping[str, str]]
"""Desk ("*" for all) -> name of the switch -> its value."""


def field_switch(field: str) -> str:
    """Return the name of the switch that holds the mode of `field`."""
    return FIELD_PREFIX + field


def effective(desk: Desk, own: Mapping[str, str]) -> Desk:
    """Return `desk` as its switches (name -> value) make it; the very same object where there are none."""
    modes = {name: Mode(value) for name, value in own.items() if _is_mode(name, value)}
    if not modes:
        return desk
    mode = modes.pop(MODE, None)
    fields, teams = dict(desk.fields), dict(desk.teams)
    if mode is not None:
        fields = {name: lower(one, mode) for name, one in fields.items()}
        teams = {name: lower(one, mode) for name, one in teams.items()}
    for name, one in modes.items():
        fields[cast("DecidedField", name.removeprefix(FIELD_PREFIX))] = one
    return desk.model_copy(update={"mode": mode or desk.mode, "fields": fields, "teams": teams})


def laid_over(settings: Settings, switches: Switches) -> Settings:
    """Return `settings` with every desk as its switches make it; those of desks that are gone are left alone."""
    desks = {name: effective(desk, switches.get(name, {})) for name, desk in settings.desks.items()}
    if all(desks[name] is desk for name, desk in settings.desks.items()):
        return settings
    return settings.model_copy(update={"desks": desks})


def lower(one: Mode, other: Mode) -> Mode:
    """Return the stricter of two modes."""
    return other if one.allows(other) else one


def held_desks(switches: Switches) -> frozenset[str]:
    """Return the desks that are paused; with "*" among them everything is stopped."""
    paused = {desk for desk, own in switches.items() if PAUSED in own and desk != EVERY_DESK}
    return frozenset(paused | ({EVERY_DESK} if STOPPED in switches.get(EVERY_DESK, {}) else set()))


def _is_mode(name: str, value: str) -> bool:
    is_known = name == MODE or name.removeprefix(FIELD_PREFIX) in FIELDS
    return is_known and value in set(Mode)
