"""Sends deliveries through again."""

from __future__ import annotations

import click

from commands.shared import database_errors, find_embedded_redis
from triage.environment import read_environment
from triage.store import open_store
from triage.store.deliveries import DEAD
from webhooks.replay import replay
from webhooks.wakeup import Wakeup


@click.command()
@click.option("--dead", is_flag=True, help="Every dead delivery.")
@click.option("--desk", default="", help="With --dead: of this desk only.")
@click.argument("ids", nargs=-1, type=click.IntRange(1, 2**63 - 1))
@database_errors()
def command(dead: bool, desk: str, ids: tuple[int, ...]) -> None:
    """Send deliveries through again.

    Safe to repeat: a ticket that has its note gets no second one.

    \b
    Examples:
      python manage.py replay 17 18
      python manage.py replay --dead --desk acme
    """
    if bool(ids) == dead:
        raise click.UsageError("name delivery ids, or --dead")
    find_embedded_redis()
    store = open_store(read_environment().database_url)
    wanted = store.deliveries.with_state(DEAD, desk) if dead else list(ids)
    opened = replay(store, Wakeup(), wanted)
    click.echo(f"{len(opened)} of {len(wanted)} deliveries sent through again")
    if left := sorted(set(wanted) - set(opened)):
        click.echo(f"left alone (unknown, still open, ignored or unreadable): {', '.join(map(str, left[:20]))}")
