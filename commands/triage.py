"""Triages one ticket: shows the note, or writes it."""

from __future__ import annotations

import json
import sys
import textwrap
import time
from datetime import UTC, datetime
from pathlib import Path

import click
from sqlalchemy.exc import SQLAlchemyError

from commands.shared import check_desk, database_errors, find_embedded_redis
from triage.decision import decide
from triage.draft import Wishes
from triage.errors import Gone, TandemError
from triage.logs import configure_logging
from triage.note import Material, compose
from triage.note_parts import render_text
from triage.sources import Sources
from triage.speech import speak
from triage.store.deliveries import DONE
from triage.store.runs import DONE as RUN_DONE
from workers.deliver import deliver
from workers.moods import moods_of
from workers.runtime import Runtime

WIDTH = 80
NO_TICKET = "desk {desk} shows no ticket {ticket}: {error}"
DRY_REFERENCE = "TDM-(dry run)"
NOT_WRITTEN = "nothing was written: the desk's mode is {mode}; set desks.{desk}.mode to note, tag or write first"


@click.command()
@click.option("--desk", required=True, help="The desk the ticket is on.")
@click.option("--write", is_flag=True, help="Write note, tags and fields as the desk's mode allows.")
@click.option("--json", "as_json", is_flag=True, help="Print the dry run as JSON.")
@click.argument("ticket_id")
@database_errors()
def command(desk: str, ticket_id: str, write: bool, as_json: bool) -> None:
    """Show what Tandem would say about one ticket.

    Nothing is written without --write.

    \b
    Examples:
      python manage.py triage --desk acme 1234
      python manage.py triage --desk acme 1234 --json
      python manage.py triage --desk acme 1234 --write
    """
    if write and as_json:
        raise click.UsageError("--json is for the dry run; after --write: show --desk DESK TICKET --json")
    configure_logging("WARNING")
    find_embedded_redis()
    runtime = Runtime.from_environment()
    check_desk(runtime.settings, desk, Path(runtime.environment.tandem_config))
    if write:
        _write(runtime, desk, ticket_id)
    else:
        _show(runtime, desk, ticket_id, as_json)


def _show(runtime: Runtime, desk: str, ticket_id: str, as_json: bool) -> None:
    tools = runtime.tools(desk)
    try:
        ticket = tools.connector.read(ticket_id)
    except Gone as error:
        raise TandemError(NO_TICKET.format(desk=desk, ticket=ticket_id, error=error)) from None
    answer = tools.classifier.classify(ticket)
    decision = decide(ticket, answer, tools.settings, tools.desk)
    try:
        sources, moods = tools.find(ticket), moods_of(ticket, runtime.store)
    except SQLAlchemyError:
        # A dry run needs no database, and then there is neither an index nor an earlier run.
        sources, moods = Sources(), {}
    # What would be said, also on a desk that only watches and so drafts nothing.
    draft = tools.draft(ticket, answer, decision.model_copy(update={"note": True}), sources, Wishes())
    speech = speak(ticket, answer, decision, draft, tools.settings, tools.desk, sources)
    known = (tools.settings, DRY_REFERENCE, datetime.now(UTC), sources, draft, moods)
    note = compose(Material(ticket, answer, decision, *known, speech=speech))
    if as_json:
        said = {
            "desk": desk, "ticket": ticket_id, "written": False, "note": render_text(note),
            "classification": answer.model_dump(mode="json"), "decision": decision.model_dump(mode="json"),
            "draft": draft.model_dump(mode="json"), "speech": {"level": speech.level, "reasons": speech.reasons},
        }  # fmt: skip
        click.echo(json.dumps(said, ensure_ascii=False, indent=2))
        return
    click.echo("\n".join(line for said in render_text(note).splitlines() for line in _lines(said)))
    click.echo()
    _row("Tags", " ".join(decision.tags))
    fields = {"priority": decision.priority, "group": decision.group, **decision.custom}
    _row("Fields", ", ".join(f"{key}={value}" for key, value in fields.items() if value))
    _row("Speech", speech.level)
    click.echo("Why:")
    for step in (*decision.steps, *speech.reasons):
        click.echo("\n".join(_lines(f"  - {step}")))
    click.echo("\nDry run: nothing was written. Add --write to write it.")


def _lines(text: str) -> list[str]:
    """Break one line for the screen; addresses stay whole."""
    mark = "  | " if text.startswith("  | ") else "    " if text.startswith("  - ") else "  "
    return textwrap.wrap(text, WIDTH, subsequent_indent=mark, break_long_words=False, break_on_hyphens=False) or [""]


def _row(name: str, text: str) -> None:
    click.echo(
        "\n".join(textwrap.wrap(text or "none", WIDTH, initial_indent=f"{name + ':':<8}", subsequent_indent=" " * 8))
    )


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
