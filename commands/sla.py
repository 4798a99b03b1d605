"""Shows how the SLA clocks stand, what to work on first, and takes over a helpdesk's business hours."""

from __future__ import annotations

from pathlib import Path

import click

from commands.calendar_yaml import added, lines, save
from commands.shared import check_desk, find_embedded_redis
from connectors.schedules import Schedule
from triage.environment import variables
from triage.errors import FeatureOff, SettingsError
from triage.logs import configure_logging
from triage.settings_file import parse_settings
from workers.runtime import Runtime

NO_SCHEDULES = (
    "desk {desk} shows no business hours ({why}): its plan has none, or the bot may not read them "
    "(both helpdesks want an admin for it); write the calendar by hand"
)
NONE_LISTED = "the helpdesk lists none"
NO_HOLIDAYS = "# Freshdesk lists business hours without holidays: add them, like country: DE or closed: [2026-12-24]."


@click.group(invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Show the SLA clocks."""


@command.command("import")
@click.option("--desk", required=True, help="The desk whose business hours are read.")
@click.option("--write", is_flag=True, help="Put them into the settings file; comments stay.")
@click.option("--replace", is_flag=True, help="With --write: also over calendars of the same name.")
def import_(desk: str, write: bool, replace: bool) -> None:
    """Take over a helpdesk's business hours and holidays.

    Prints the lines to paste into the settings file, or writes them there.

    \b
    Examples:
      python manage.py sla import --desk acme
      python manage.py sla import --desk acme --write
    """
    # What is printed is read by programs, too.
    configure_logging("ERROR")
    find_embedded_redis()
    runtime = Runtime.from_environment()
    path = Path(runtime.environment.tandem_config)
    check_desk(runtime.settings, desk, path)
    schedules = _schedules(runtime, desk)
    is_freshdesk = runtime.settings.desks[desk].platform == "freshdesk"
    if not write:
        click.echo(lines(schedules), nl=False)
        if is_freshdesk:
            click.echo(NO_HOLIDAYS)
        return
    text = added(path.read_text(encoding="utf-8"), schedules, path.name, replace=replace)
    # What does not load must not be saved.
    settings = parse_settings(text, variables(), path.name)
    save(path, text)
    click.echo(f"{path}: {', '.join(one.key for one in schedules)} written; clocks run by '{settings.sla.calendar}'")
    if is_freshdesk:
        click.echo(NO_HOLIDAYS.removeprefix("# "))
    click.echo("Restart web, worker and beat to use it.")


def _schedules(runtime: Runtime, desk: str) -> tuple[Schedule, ...]:
    try:
        found = runtime.connector(desk).schedules()
    except FeatureOff as error:
        raise SettingsError(NO_SCHEDULES.format(desk=desk, why=error)) from None
    if not found:
        raise SettingsError(NO_SCHEDULES.format(desk=desk, why=NONE_LISTED))
    return found
