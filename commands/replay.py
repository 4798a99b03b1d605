"""Sends deliveries through again."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime

import click

from commands.period import period
from commands.shared import actor, database_errors, find_embedded_redis
from triage.environment import read_environment
from triage.store import Store, open_store
from triage.store.deliveries import DEAD, DONE
from webhooks.replay import replay
from webhooks.wakeup import Wakeup

MANY = 200
AT_ONCE = 500
ONE_WAY = "name delivery ids, or --dead, or --since"
ONLY_WITH_SINCE = "--until and --state go with --since"
LARGE = "{count} deliveries would be sent through again. Add --yes to do it."
LEFT = "left alone (unknown, still open, ignored or unreadable): {ids}"


@click.command()
@click.option("--dead", is_flag=True, help="Every dead delivery.")
@click.option("--since", default="", metavar="WHEN", help="Received from then on: 2h, 3d, 2026-11-01T12:00Z.")
@click.option("--until", default="", metavar="WHEN", help="Received before then.")
@click.option("--state", type=click.Choice([DEAD, DONE]), help="With --since: only those; default is both.")
@click.option("--desk", default="", help="Of this desk only.")
@click.option("--yes", is_flag=True, help=f"Also where it is more than {MANY}.")
@click.option("--dry-run", is_flag=True, help="Only count.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.argument("ids", nargs=-1, type=click.IntRange(1, 2**63 - 1))
@database_errors()
def command(
    dead: bool,
    since: str,
    until: str,
    state: str | None,
    desk: str,
    yes: bool,
    dry_run: bool,
    as_json: bool,
    ids: tuple[int, ...],
) -> None:
    """Send deliveries through again.

    Safe to repeat: a ticket that has its note gets no second one. More than a few
    are counted first, and sent with --yes.

    \b
    Examples:
      python manage.py replay 17 18
      python manage.py replay --dead --desk acme
      python manage.py replay --since 6h --until 2h --state dead
    """
    if [bool(ids), dead, bool(since)].count(True) != 1:
        raise click.UsageError(ONE_WAY)
    if (until or state) and not since:
        raise click.UsageError(ONLY_WITH_SINCE)
    find_embedded_redis()
    store = open_store(read_environment().database_url)
    wanted = list(ids) if ids else _chosen(store, dead, since, until, state, desk)
    held_back = dry_run or (len(wanted) > MANY and not yes and not ids)
    opened = [] if held_back else _sent(store, wanted)
    if opened:
        asked = {"dead": dead, "since": since, "until": until, "state": state, "count": len(opened)}
        subject = f"delivery {opened[0]}" if len(opened) == 1 else f"{len(opened)} deliveries"
        store.audit.record(actor(), "replay", time.time(), desk=desk, subject=subject, **asked)
    if as_json:
        click.echo(json.dumps({"dry_run": held_back, "chosen": len(wanted), "sent": opened}))
    elif held_back:
        click.echo(LARGE.format(count=len(wanted)))
    else:
        click.echo(f"{len(opened)} of {len(wanted)} deliveries sent through again")
        if left := sorted(set(wanted) - set(opened)):
            click.echo(click.wrap_text(LEFT.format(ids=", ".join(map(str, left[:20]))), 80, "", "  "))
    sys.exit(1 if set(ids) - set(opened) and not held_back else 0)


def _sent(store: Store, wanted: list[int]) -> list[int]:
    """Open and send, some at a time: what is interrupted has sent what it said, and the sweep sends the rest of it."""
    opened: list[int] = []
    wakeup = Wakeup()
    for start in range(0, len(wanted), AT_ONCE):
        opened += replay(store, wakeup, wanted[start : start + AT_ONCE])
        if len(wanted) > AT_ONCE:
            click.echo(f"{min(start + AT_ONCE, len(wanted))} of {len(wanted)} deliveries", err=True)
    return opened


def _chosen(store: Store, dead: bool, since: str, until: str, state: str | None, desk: str) -> list[int]:
    if dead:
        return store.deliveries.with_state(DEAD, desk)
    begin, end = period(since, until, datetime.now(UTC))
    return store.deliveries.between(begin.timestamp(), end.timestamp(), [state] if state else [DEAD, DONE], desk)
