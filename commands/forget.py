"""Deletes everything Tandem holds about a person or a ticket."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from pathlib import Path

import click

from commands.shared import actor, check_desk, database_errors, find_embedded_redis, person_mark
from triage.logs import configure_logging
from triage.store.forgetting import Key
from workers.forgetting import Found, find, forget_ticket
from workers.runtime import Runtime

ONE = "name somebody: --requester EMAIL, or tickets: --ticket DESK/ID (may be repeated)"
NO_TICKET = "--ticket is written DESK/ID, like acme/1234"
NO_ADDRESS = "--requester is an e-mail address, like ada@customer.example"
DRY = "Dry run: nothing was deleted. Add --yes to do it."
UNLEARNED = (
    "What was learned from tickets is numbers and cannot be taken out of them. To be rid of it, learn anew once the "
    "tickets are deleted at the helpdesk: python manage.py learn --desk {desk}. Backups, logs, the helpdesk itself "
    "and a model's provider keep what they have."
)


@click.command()
@click.option("--requester", default="", metavar="EMAIL", help="Everything about this person.")
@click.option("--ticket", "tickets", multiple=True, metavar="DESK/ID", help="A ticket; may be repeated.")
@click.option("--desk", default="", help="On this desk only.")
@click.option("--yes", is_flag=True, help="Do it; without, it is only shown.")
@click.option("--with-ids", is_flag=True, help="Bare ids too: a ticket that comes back is triaged again.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@database_errors()
def command(requester: str, tickets: tuple[str, ...], desk: str, yes: bool, with_ids: bool, as_json: bool) -> None:
    """Delete everything Tandem holds about a person.

    Finds their tickets at the helpdesks by their address, and in Tandem's own
    tables. If the helpdesk has deleted them already, name the tickets. Looks
    again afterwards; may be interrupted and repeated. Nothing is changed at the
    helpdesk: take notes and tags back with undo before.

    \b
    Examples:
      python manage.py forget --requester ada@customer.example
      python manage.py forget --requester ada@customer.example --yes
      python manage.py forget --ticket acme/1234 --ticket acme/1240 --yes
    """
    if not requester and not tickets:
        raise click.UsageError(ONE)
    if requester and "@" not in requester:
        raise click.UsageError(NO_ADDRESS)
    configure_logging("ERROR")
    find_embedded_redis()
    runtime = Runtime.from_environment()
    if desk:
        check_desk(runtime.settings, desk, Path(runtime.environment.tandem_config))
    found = Found([_key(one) for one in tickets])
    if requester:
        more = find(
            requester.strip(), [desk] if desk else list(runtime.settings.desks), desk, runtime.connector, runtime.store
        )
        found = Found(sorted({*found.tickets, *more.tickets}), more.unasked)
    held = {key: runtime.store.forgetting.held(*key) for key in found.tickets}
    for own, number in map(_key, tickets):
        if not held[own, number]:
            # A desk that left the settings may still have rows; one that has none is a slip of the pen.
            check_desk(runtime.settings, own, Path(runtime.environment.tandem_config))
    problems = _forget(runtime, requester, found, with_ids=with_ids) if yes else {}
    if yes and requester:
        for key in runtime.store.forgetting.naming(requester.strip(), desk):
            problems.setdefault(key, {"text": "the address still stands somewhere"})
    _report(held, found, problems, done=yes, as_json=as_json)
    sys.exit(1 if problems or found.unasked else 0)


def _key(ticket: str) -> Key:
    desk, _, number = ticket.partition("/")
    if not (desk and number):
        raise click.UsageError(NO_TICKET)
    return desk, number


def _forget(runtime: Runtime, requester: str, found: Found, *, with_ids: bool) -> dict[Key, dict[str, int | str]]:
    """Delete; returns what could not be, by ticket."""
    problems = {}
    for number, key in enumerate(found.tickets, 1):
        if left := forget_ticket(*key, runtime.store, with_ids=with_ids):
            problems[key] = left
        if number % 100 == 0:
            click.echo(f"{number} of {len(found.tickets)} tickets", err=True)
    secret = runtime.environment.secret_key.get_secret_value()
    runtime.store.audit.record(
        actor(),
        "forget",
        time.time(),
        subject=f"requester {person_mark(requester, secret)}" if requester else f"{len(found.tickets)} tickets",
        tickets=len(found.tickets),
        left=len(problems),
        unasked=sorted(found.unasked),
        with_ids=with_ids,
    )
    return problems


def _report(
    held: dict[Key, dict[str, int]],
    found: Found,
    problems: dict[Key, dict[str, int | str]],
    *,
    done: bool,
    as_json: bool,
) -> None:
    rows: Counter[str] = Counter()
    for one in held.values():
        rows.update(one)
    if as_json:
        left = {f"{desk}/{number}": what for (desk, number), what in problems.items()}
        shown = [f"{desk}/{number}" for desk, number in found.tickets]
        click.echo(
            json.dumps({"dry_run": not done, "tickets": shown, "rows": rows, "left": left, "unasked": found.unasked})
        )
        return
    count = len(found.tickets)
    with_data = sum(1 for one in held.values() if one)
    click.echo(f"{count} ticket{'' if count == 1 else 's'} found, {with_data} of which Tandem holds something of")
    for table, size in sorted(rows.items()):
        click.echo(f"  {table:22} {size} row{'' if size == 1 else 's'}{' deleted' if done else ''}")
    for desk, reason in found.unasked.items():
        click.echo(click.wrap_text(f"{desk} could not be asked: {reason}", 80, "", "  "))
    for (desk, number), what in problems.items():
        told = ", ".join(f"{name}: {value}" for name, value in what.items())
        click.echo(click.wrap_text(f"{desk}/{number} left: {told}", 80, "", "  "))
    if done and not problems:
        click.echo("Looked again: nothing is left.")
    name = next(iter(found.tickets), ("NAME", ""))[0]
    click.echo(click.wrap_text(UNLEARNED.format(desk=name), 80) if done else DRY)
