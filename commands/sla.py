"""Shows how the SLA clocks stand, what to work on first, and takes over a helpdesk's business hours."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from commands import sla_table
from commands.calendar_yaml import added, lines, save
from commands.shared import check_desk, checked_settings, database_errors, find_embedded_redis
from connectors.schedules import Schedule
from triage.environment import variables
from triage.errors import FeatureOff, SettingsError
from triage.logs import configure_logging
from triage.settings import Settings
from triage.settings_file import parse_settings
from triage.store import Store, open_store
from webhooks import sla_page
from workers.runtime import Runtime

DAY_SECONDS = 86_400
LONGEST_WEEKS = 104
NO_SCHEDULES = (
    "desk {desk} shows no business hours ({why}): its plan has none, or the bot may not read them "
    "(both helpdesks want an admin for it); write the calendar by hand"
)
NONE_LISTED = "the helpdesk lists none"
NO_HOLIDAYS = (
    "Freshdesk lists business hours without holidays: add them, like",
    "country: DE or closed: [2026-12-24].",
)


class Since(click.ParamType[float]):
    """`4w`, `30d` or a date, as UTC seconds."""

    name = "since"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the moment."""
        if found := re.fullmatch(r"(\d{1,3})([dw])", str(value)):
            return time.time() - int(found[1]) * (7 if found[2] == "w" else 1) * DAY_SECONDS
        try:
            moment = datetime.fromisoformat(str(value)).replace(tzinfo=UTC).timestamp()
        except ValueError:
            self.fail(f"'{value}' is neither like 4w or 30d nor a date like 2026-11-02", param, ctx)
        if moment > time.time():
            self.fail(f"'{value}' is not past", param, ctx)
        return max(moment, time.time() - LONGEST_WEEKS * 7 * DAY_SECONDS)


@click.group(invoke_without_command=True)
@click.option("--desk", default="", help="Of this desk only.")
@click.option("--since", type=Since(), default=None, help="Attainment since then: 4w, 30d or a date.  [default: 8w]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
@database_errors()
def command(context: click.Context, desk: str, since: float | None, as_json: bool) -> None:
    """Show how the SLA clocks stand, and what to work on first.

    At risk, breached and met, by team and priority; attainment by week; the
    open tickets that are nearest to their breach.

    \b
    Examples:
      python manage.py sla --desk acme
      python manage.py sla --since 2026-09-01 --json
      python manage.py sla work
      python manage.py sla import --desk acme --write
    """
    if context.invoked_subcommand:
        return
    store, settings = _opened(desk)
    page = sla_page.look(store, settings, sla_page.Place(desk, since or 0.0), time.time())
    if as_json:
        click.echo(json.dumps(sla_page.as_json(page), indent=2))
    else:
        sla_table.show(page, click.echo)


@command.command()
@click.option("--desk", default="", help="Of this desk only.")
@click.option("--team", default="", help="Of this team only.")
@click.option("--hours", type=click.FloatRange(0.1, 24), default=1.0, show_default=True, help="How far to plan.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@database_errors()
def work(desk: str, team: str, hours: float, as_json: bool) -> None:
    """Show what each team should work on first.

    Cut to what the team can answer in the time, so that the least is breached.
    What a team can do is learned from its answers of the last eight weeks.

    \b
    Examples:
      python manage.py sla work
      python manage.py sla work --team billing --hours 4
    """
    store, settings = _opened(desk)
    now = time.time()
    lists = sla_page.work_of(store, settings, desk, now, hours)
    if team:
        _check_team(team, {*settings.teams, *(one.team for one in lists if one.team)})
        lists = [one for one in lists if one.team == team]
    if as_json:
        links = sla_page.links_of(settings, lists)
        click.echo(json.dumps(sla_page.work_json(lists, links), indent=2))
    else:
        sla_table.show_work(lists, now, click.echo)


def _check_team(team: str, known: set[str]) -> None:
    if team not in known:
        raise SettingsError(f"--team {team}: no such team; the teams are {', '.join(sorted(known))}")


def _opened(desk: str) -> tuple[Store, Settings]:
    environment, settings = checked_settings()
    if desk:
        check_desk(settings, desk, Path(environment.tandem_config))
    return open_store(environment.database_url), settings


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
            click.echo("\n".join(f"# {line}" for line in NO_HOLIDAYS))
        return
    text = added(path.read_text(encoding="utf-8"), schedules, path.name, replace=replace)
    # What does not load must not be saved.
    settings = parse_settings(text, variables(), path.name)
    save(path, text)
    click.echo(f"{path}: {', '.join(one.key for one in schedules)} written; clocks run by '{settings.sla.calendar}'")
    if is_freshdesk:
        click.echo("\n".join(NO_HOLIDAYS))
    click.echo("Restart web, worker and beat to use it.")


def _schedules(runtime: Runtime, desk: str) -> tuple[Schedule, ...]:
    try:
        found = runtime.connector(desk).schedules()
    except FeatureOff as error:
        raise SettingsError(NO_SCHEDULES.format(desk=desk, why=error)) from None
    if not found:
        raise SettingsError(NO_SCHEDULES.format(desk=desk, why=NONE_LISTED))
    return found
