"""Triages one ticket: shows the note, or writes it."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import click
from sqlalchemy.exc import SQLAlchemyError

from commands.shared import check_desk, database_errors, find_embedded_redis
from triage.decision import decide
from triage.logs import configure_logging
from triage.note import Material, compose
from triage.note_parts import render_text
from triage.sources import Sources
from triage.store.deliveries import DONE
from triage.store.runs import DONE as RUN_DONE
from workers.deliver import deliver
from workers.runtime import Runtime

DRY_REFERENCE = "TDM-(dry run)"
NOT_WRITTEN = "nothing was written: the desk's mode is {mode}; set desks.{desk}.mode to note, tag or write first"


@click.command()
@click.option("--desk", required=True, help="The desk the ticket is on.")
@click.option("--write", is_flag=True, help="Write note, tags and fields as the desk's mode allows.")
@click.argument("ticket_id")
@database_errors()
def command(desk: str, ticket_id: str, write: bool) -> None:
    """Show what Tandem would say about one ticket.

    Nothing is written without --write.

    \b
    Example:
      python manage.py triage --desk acme 1234
    """
    configure_logging("WARNING")
    find_embedded_redis()
    runtime = Runtime.from_environment()
    check_desk(runtime.settings, desk, Path(runtime.environment.tandem_config))
    if write:
        _write(runtime, desk, ticket_id)
    else:
        _show(runtime, desk, ticket_id)


def _show(runtime: Runtime, desk: str, ticket_id: str) -> None:
    tools = runtime.tools(desk)
    ticket = tools.connector.read(ticket_id)
    answer = tools.classifier.classify(ticket)
    decision = decide(ticket, answer, tools.settings, tools.desk)
    try:
        sources = tools.find(ticket)
    except SQLAlchemyError:
        # A dry run needs no database, and then there is no index.
        sources = Sources()
    note = compose(Material(ticket, answer, decision, tools.settings, DRY_REFERENCE, datetime.now(UTC), sources))
    click.echo(render_text(note))
    click.echo("\nTags:   " + (" ".join(decision.tags) or "none"))
    fields = {"priority": decision.priority, "group": decision.group, **decision.custom}
    click.echo("Fields: " + (", ".join(f"{key}={value}" for key, value in fields.items() if value) or "none"))
    click.echo("Why:\n" + "\n".join(f"  - {step}" for step in decision.steps))
    click.echo("\nDry run: nothing was written. Add --write to write it.")


def _write(runtime: Runtime, desk: str, ticket_id: str) -> None:
    # By hand too nothing is written while writing is stopped or the desk is paused.
    runtime.live.check(desk)
    store = runtime.store
    now = time.time()
    # A key of its own each time: asking by hand is never a duplicate. The ticket's run still happens once.
    received = store.deliveries.receive(
        desk, f"manual:{ticket_id}:{now}", ticket_id=ticket_id, event="manual", body=b"", now=now
    )
    deliver(received.id, store, runtime.leases, runtime.tools)
    delivery = store.deliveries.get(received.id)
    assert delivery is not None
    click.echo(f"delivery {delivery.id}: {delivery.state}" + (f" ({delivery.reason})" if delivery.reason else ""))
    run = store.runs.of_ticket(desk, ticket_id)
    effects = store.effects.of_run(run.id) if run else []
    for effect in effects:
        click.echo(f"  {effect.kind}: {effect.state}" + (f", refused {effect.refused}" if effect.refused else ""))
    if run and run.state == RUN_DONE and not effects:
        click.echo(NOT_WRITTEN.format(mode=runtime.settings.desks[desk].mode, desk=desk))
    sys.exit(0 if delivery.state == DONE else 1)
