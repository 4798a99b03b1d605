"""Shows and switches how far Tandem may go: modes, pauses and the stop, while everything runs."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from commands.shared import actor, check_desk, checked_settings, database_errors
from triage.controlled import EVERY_DESK, FIELD_PREFIX, FIELDS, MODE, PAUSED, STOPPED, effective
from triage.environment import Environment, read_environment
from triage.errors import SettingsError
from triage.settings import Mode, Settings
from triage.store import Store, open_store
from triage.store.controls import Control
from triage.switching import Switcher

AT_ONCE = "It counts from the next write on."
SOON = "It counts within a few seconds; nothing needs a restart."
ONE_THING = "do one thing at a time: a desk with a mode or --reset, or --pause, --resume, --stop, --go"
FIELD_ALONE = "--field needs a desk and a mode, or --reset: mode acme --field priority write"
STOPPED_SINCE = "ALL WRITING IS STOPPED, by {who}. Lift it: python manage.py mode --go"


@click.command()
@click.argument("desk", required=False)
@click.argument("mode", required=False, type=click.Choice([str(one) for one in Mode]))
@click.option("--field", type=click.Choice(list(FIELDS)), help="Of this field only.")
@click.option("--reset", is_flag=True, help="Back to what the settings file says.")
@click.option("--pause", metavar="DESK", help="Write nothing on this desk; what comes in waits.")
@click.option("--resume", metavar="DESK", help="Let a paused desk go on.")
@click.option("--stop", is_flag=True, help="Stop all writing, on every desk, at once.")
@click.option("--go", is_flag=True, help="Lift --stop.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@database_errors()
def command(
    desk: str | None,
    mode: str | None,
    field: str | None,
    reset: bool,
    pause: str | None,
    resume: str | None,
    stop: bool,
    go: bool,
    as_json: bool,
) -> None:
    """Show or switch how far Tandem may go.

    off: leave a desk alone. watch: decide, write nothing. note: the private note.
    tag: note and tags. write: fields too. A switch counts within seconds, goes
    before the settings file, and stays until --reset.

    \b
    Examples:
      python manage.py mode                        show every desk
      python manage.py mode acme watch             one desk
      python manage.py mode acme --field priority write
      python manage.py mode acme --reset           as in tandem.yaml
      python manage.py mode --pause acme           hold one desk
      python manage.py mode --stop                 hold all of them, now
    """
    environment, settings = _settings(needed=not (stop or go or resume))
    asked = [bool(mode), reset, bool(pause), bool(resume), stop, go]
    if sum(asked) > 1 or (desk and any((pause, resume, stop, go))):
        raise click.UsageError(ONE_THING)
    if field and not (desk and (mode or reset)):
        raise click.UsageError(FIELD_ALONE)
    for name in (desk, pause):
        if name:
            check_desk(settings, name, Path(environment.tandem_config))
    store = open_store(environment.database_url)
    switcher, now = Switcher(store, settings, actor()), time.time()
    if desk and (mode or reset):
        says = switcher.mode(desk, Mode(mode) if mode else None, now, field or "")
    elif pause or resume:
        says = switcher.pause(pause, now) if pause else switcher.resume(resume or "", now)
    elif stop or go:
        says = switcher.stop(now) if stop else switcher.go(now)
    else:
        _show(settings, store, desk, as_json)
        return
    if as_json:
        click.echo(json.dumps({"changed": says, **_state(settings, store, desk)}))
    else:
        click.echo(click.wrap_text(f"{says} {AT_ONCE if stop else SOON}", width=80))


def _settings(*, needed: bool) -> tuple[Environment, Settings]:
    """Return environment and settings; a stop must work whatever is wrong with the file."""
    try:
        return checked_settings()
    except SettingsError:
        if needed:
            raise
        return read_environment(), Settings()


def _state(settings: Settings, store: Store, only: str | None) -> dict[str, Any]:
    """Return every desk's modes in force, what of it was switched by whom, and whether anything is held."""
    entries = store.controls.entries()
    stop = next((one for one in entries if (one.desk, one.name) == (EVERY_DESK, STOPPED)), None)
    desks = {}
    for name, desk in settings.desks.items():
        own = [one for one in entries if one.desk == name]
        now = effective(desk, {one.name: one.value for one in own})
        desks[name] = {
            "mode": str(now.mode),
            "fields": {field: str(mode) for field, mode in now.fields.items()},
            "teams": {team: str(mode) for team, mode in now.teams.items()},
            "file_mode": str(desk.mode),
            "paused": any(one.name == PAUSED for one in own),
            "switched": [asdict(one) for one in own],
        }
    shown = {name: desk for name, desk in desks.items() if only in (None, name)}
    return {"stopped": asdict(stop) if stop else None, "desks": shown}


def _show(settings: Settings, store: Store, only: str | None, as_json: bool) -> None:
    state = _state(settings, store, only)
    if as_json:
        click.echo(json.dumps(state))
        return
    if state["stopped"]:
        click.secho(STOPPED_SINCE.format(who=_who(Control(**state["stopped"]))), fg="red")
    if not state["desks"]:
        click.echo("no desks in the settings")
    for name, desk in state["desks"].items():
        held = "  PAUSED" if desk["paused"] else ""
        click.echo(f"{name:20} {desk['mode']:6}{held}")
        for kind, values in (("field", desk["fields"]), ("team", desk["teams"])):
            for one, mode in values.items():
                click.echo(f"  {kind} {one:<{max(1, 17 - len(kind))}} {mode}")
        for row in desk["switched"]:
            one = Control(**row)
            what = {MODE: f"mode {one.value} (the file says {desk['file_mode']})", PAUSED: "paused"}.get(
                one.name, f"{one.name.removeprefix(FIELD_PREFIX)} {one.value}"
            )
            click.echo(f"  switched: {what}, by {_who(one)}")


def _who(one: Control) -> str:
    return f"{one.actor}, {datetime.fromtimestamp(one.updated_at, UTC):%Y-%m-%d %H:%M} UTC"
