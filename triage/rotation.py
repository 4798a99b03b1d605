"""Changes a desk's webhook secret in the texts of `tandem.yaml` and `.env`: the new one first, then the old one goes.

In between both are accepted. Texts only; errors never quote what stands there, for it may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from triage.env_edit import drop_variables, read_variables, set_variables
from triage.errors import SettingsError
from triage.settings_edit import set_key, value_at
from triage.settings_file import VARIABLE

BARE = "(in tandem.yaml itself)"
NOT_LISTED = "desks.{desk}.webhook_secrets is not a list in tandem.yaml; change it there by hand"
CANNOT = "desks.{desk}.webhook_secrets cannot be changed without a risk to the rest of tandem.yaml; do it by hand"
UNDER_WAY = "desk '{desk}' has two webhook secrets already: remove one of them first"
NOT_UNDER_WAY = "desk '{desk}' has one webhook secret only"
KNOWN = "this is the secret that is accepted already"


def names_of(config: str, desk: str) -> list[str]:
    """Return where each accepted secret of a desk stands, the newest first: its variable's name, or BARE."""
    found = value_at(config, ("desks", desk, "webhook_secrets"))
    return [_name_of(one) for one in found] if isinstance(found, list) else []


def begin(config: str, env: str, desk: str, secret: str, taken: Collection[str]) -> tuple[str, str, str]:
    """Return both texts with `secret` accepted beside the old one, and its variable, which is none of `taken`."""
    known = _listed(config, desk)
    if len(known) > 1:
        raise SettingsError(UNDER_WAY.format(desk=desk))
    values = read_variables(env)
    if secret in {VARIABLE.sub(lambda found: values.get(found[1], ""), str(one)) for one in known}:
        raise SettingsError(KNOWN)
    variable = _free(desk, {*taken, *values, *VARIABLE.findall(config)})
    changed = _with(config, desk, [f"${{{variable}}}", *known])
    return changed, set_variables(env, {variable: secret}), variable


def end(config: str, env: str, desk: str, *, keep_new: bool) -> tuple[str, str]:
    """Return both texts with the new secret alone, or without it, and without the variables nothing names any more."""
    known = _listed(config, desk)
    if len(known) < 2:
        raise SettingsError(NOT_UNDER_WAY.format(desk=desk))
    kept, gone = (known[:1], known[1:]) if keep_new else (known[1:], known[:1])
    changed = _with(config, desk, kept)
    dropped = {name for one in gone for name in VARIABLE.findall(str(one))}
    return changed, drop_variables(env, dropped - set(VARIABLE.findall(changed)))


def _listed(config: str, desk: str) -> list[Any]:
    found = value_at(config, ("desks", desk, "webhook_secrets"))
    if not isinstance(found, list):
        raise SettingsError(NOT_LISTED.format(desk=desk))
    return found


def _with(config: str, desk: str, secrets: list[Any]) -> str:
    try:
        return set_key(config, ("desks", desk, "webhook_secrets"), secrets)
    except SettingsError:
        # Its text says what to write by hand, secrets that stand there bare and all.
        raise SettingsError(CANNOT.format(desk=desk)) from None


def _name_of(one: Any) -> str:
    found = VARIABLE.fullmatch(str(one))
    return found[1] if found else BARE


def _free(desk: str, taken: Collection[str]) -> str:
    stem = re.sub(r"[^A-Z0-9]", "_", desk.upper())
    stem = f"{stem if stem[0].isalpha() else f'DESK_{stem}'}_WEBHOOK_SECRET"
    return next(
        name
        for number in range(1, len(taken) + 2)
        if (name := stem + (f"_{number}" if number > 1 else "")) not in taken
    )
