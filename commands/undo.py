"""Takes back what Tandem has written on tickets."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import click

from commands.period import moment
from commands.shared import actor, check_desk, database_errors, find_embedded_redis
from triage.classification import DECIDED_FIELDS
from triage.errors import Stop
from triage.logs import configure_logging
from triage.settings import Settings
from triage.store.undone import Choice
from workers.runtime import Runtime
from workers.undo import Batch, Result, preview, undo_some

SHORT = {"team": "primary_team", "churn": "churn_risk"}
NOTHING_CHOSEN = "say what to undo: --ticket DESK/ID, --label team=billing, --since 2h or --policy VERSION"
NO_TICKET = "--ticket is written DESK/ID, like acme/1234"
NO_LABEL = "--label is written FIELD=LABEL, like team=billing (fields: {fields})"
DRY = "Dry run: nothing was changed. Add --yes to do it."
STOPPED = "\nstopped after {count} tickets; the same command goes on where this one ended"


@click.command()
@click.option("--ticket", default="", metavar="DESK/ID", help="One ticket.")
@click.option("--label", default="", metavar="FIELD=LABEL", help="Tickets that were called this: team=billing.")
@click.option("--since", default="", metavar="WHEN", help="Written from then on: 2h, 3d, 2026-11-01.")
@click.option("--policy", default="", metavar="VERSION", help="Written under this policy version.")
@click.option("--desk", default="", help="On this desk only.")
@click.option("--yes", is_flag=True, help="Do it; without, it is only shown.")
@click.option("--show", default=20, show_default=True, help="Tickets to look at for the dry run.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@database_errors()
def command(ticket: str, label: str, since: str, policy: str, desk: str, yes: bool, show: int, as_json: bool) -> None:
    """Take back what Tandem has written, where it is still ours.

    Tags are removed; priority, group and fields get the value from before, unless
    somebody has changed them since. A note is withdrawn: on Freshdesk its text is
    replaced, on Zendesk a short note says so. A public reply stays. Works while
    writing is stopped, and may be interrupted and repeated. Tickets are not
    triaged again by what comes in later.

    \b
    Examples:
      python manage.py undo --ticket acme/1234
      python manage.py undo --ticket acme/1234 --yes
      python manage.py undo --label team=billing --since 2h
      python manage.py undo --policy 3f2a90c1b7de --desk acme --yes
    """
    configure_logging("ERROR")
    find_embedded_redis()
    runtime = Runtime.from_environment()
    choice = _choice(ticket, label, since, policy, desk, runtime.settings, runtime.environment.tandem_config)
    if yes:
        _do(runtime, choice, as_json)
    else:
        _show(runtime, choice, show, as_json)


def _choice(ticket: str, label: str, since: str, policy: str, desk: str, settings: Settings, path: str) -> Choice:
    if not any((ticket, label, since, policy)):
        raise click.UsageError(NOTHING_CHOSEN)
    own, _, number = ticket.partition("/")
    if ticket and not (own and number):
        raise click.UsageError(NO_TICKET)
    field, _, value = label.partition("=")
    field = SHORT.get(field, field)
    if label and (field not in DECIDED_FIELDS or not value):
        raise click.UsageError(NO_LABEL.format(fields=", ".join(["team", *DECIDED_FIELDS[1:]])))
    desk = own or desk
    if desk:
        check_desk(settings, desk, Path(path))
    begin = moment("--since", since, datetime.now(UTC)).timestamp() if since else 0.0
    return Choice(desk, number, field if label else "", value, begin, policy)


def _show(runtime: Runtime, choice: Choice, show: int, as_json: bool) -> None:
    store = runtime.store
    count = store.undone.count(choice)
    open_connector = cache(runtime.unguarded)
    found = []
    for desk, number in store.undone.tickets(choice, ("", ""), show):
        try:
            found.append(preview(desk, number, choice, store, open_connector(desk)))
        except Stop as error:  # a desk that has left the settings
            found.append(Result(desk, number, left={"ticket": str(error)}))
    if as_json:
        click.echo(json.dumps({"dry_run": True, "tickets": count, "shown": [asdict(one) for one in found]}))
        return
    click.echo(f"{count} ticket{'' if count == 1 else 's'} with something to take back")
    for one in found:
        _print(one, "would go back")
    if count > len(found):
        click.echo(f"... and {count - len(found)} more")
    click.echo(DRY)


def _do(runtime: Runtime, choice: Choice, as_json: bool) -> None:
    store, who = runtime.store, actor()
    # One for each desk: a new one signs in and asks for the groups again.
    open_connector = cache(runtime.unguarded)
    count = store.undone.count(choice)
    store.audit.record(who, "undo", time.time(), desk=choice.desk, subject=f"{count} tickets", choice=asdict(choice))
    done: list[Result] = []
    batch = Batch([], ("", ""))
    try:
        while batch.after is not None:
            batch = undo_some(choice, store, open_connector, who, batch.after)
            done += batch.results
            for one in () if as_json else batch.results:
                _print(one, "back")
            if batch.after is not None and count > len(done):
                _progress(len(done), count, batch.pause)
            time.sleep(batch.pause)
    except KeyboardInterrupt:
        click.echo(STOPPED.format(count=len(done)), err=True)
        sys.exit(130)
    failed = [one for one in done if "ticket" in one.left or one.refused]
    if as_json:
        click.echo(json.dumps({"dry_run": False, "tickets": len(done), "shown": [asdict(one) for one in done]}))
    else:
        click.echo(_summary(done, failed))
    sys.exit(1 if failed else 0)


def _summary(done: list[Result], failed: list[Result]) -> str:
    fields, tags = sum(len(one.after) for one in done), sum(len(one.tags) for one in done)
    notes = sum(one.notes for one in done)
    text = f"{len(done) - len(failed)} tickets: {fields} fields put back, {tags} tags removed, {notes} notes withdrawn"
    return f"{text}; {len(failed)} tickets could not be changed, or not wholly" if failed else text


def _progress(done: int, count: int, pause: float) -> None:
    wait = f", the helpdesk asks to wait {pause:.0f} s" if pause else ""
    click.echo(f"{done} of {count} tickets{wait}", err=True)


def _print(one: Result, verb: str) -> None:
    click.echo(f"{one.desk}/{one.ticket_id}")
    for name, value in one.after.items():
        click.echo(f"  {name}: {_word(one.before.get(name))} {verb} to {_word(value)}")
    if one.tags:
        click.echo(click.wrap_text(f"tags removed: {' '.join(one.tags)}", 80, "  ", "    "))
    if one.tags_back:
        click.echo(click.wrap_text(f"tags added again: {' '.join(one.tags_back)}", 80, "  ", "    "))
    if one.notes:
        click.echo(f"  notes withdrawn: {one.notes}")
    if one.notes_back:
        click.echo(f"  notes with their words from before: {one.notes_back}")
    for name, reason in one.left.items():
        click.echo(click.wrap_text(f"{name} left: {reason}", 80, "  ", "    "))


def _word(value: Any) -> str:
    return "nothing" if value in (None, "") else str(value)
