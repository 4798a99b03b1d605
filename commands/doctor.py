"""Checks everything Tandem stands on; one line each, with the remedy."""

from __future__ import annotations

import json
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import asdict
from itertools import chain

import click

from commands.shared import find_embedded_redis
from triage.logs import configure_logging
from workers.desk_health import look_around
from workers.health import Finding, State, desks, look, worst
from workers.runtime import Runtime

COLOURS = {State.OK: "green", State.WARNING: "yellow", State.BROKEN: "red"}
COLUMN, WIDTH = 16, 80
MARGIN = COLUMN + 9


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.option("--local", is_flag=True, help="Ask no helpdesk and no language model.")
def command(as_json: bool, local: bool) -> None:
    """Check database, disk, broker, workers, helpdesks and models.

    One line each: ok, warning or broken, and the remedy. Ends with code 1 when
    something is broken. Where a language model is set it is asked once.

    \b
    Examples:
      python manage.py doctor
      python manage.py doctor --json
      python manage.py doctor --local
    """
    # What a warning would say is a finding below.
    configure_logging("ERROR")
    find_embedded_redis()
    runtime = Runtime.from_environment()
    found = []
    for finding in findings(runtime, local):
        found.append(finding)
        if not as_json:
            _show(finding)
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found], indent=2))
    sys.exit(1 if worst(found) is State.BROKEN else 0)


def findings(runtime: Runtime, local: bool) -> Iterator[Finding]:
    """Yield every check's finding."""
    now = time.time()
    settings = runtime.settings
    yield Finding("settings", State.OK, f"{len(settings.desks)} desks, {len(settings.teams)} teams")
    # Without a call a desk is as the workers last found it.
    around = desks(runtime.store, now) if local else look_around(runtime, now)
    yield from chain(look(runtime.store, runtime.environment, now), around)


def _show(finding: Finding) -> None:
    click.secho(f"{finding.state:8}", fg=COLOURS[finding.state], nl=False)
    what, *more = _folded(finding.text, " " * MARGIN)
    click.echo(f"{finding.what:{COLUMN}} {what}")
    if finding.remedy:
        more += _folded(finding.remedy, " " * (MARGIN + 3), f"{'':{MARGIN}}-> ")
    for line in more:
        click.echo(line)


def _folded(text: str, margin: str, first: str = "") -> list[str]:
    """Return `text` in lines of the screen; commands and addresses stay whole."""
    first = first or margin
    lines = textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=margin, break_long_words=False, break_on_hyphens=False
    )
    return [lines[0].strip() if first == margin else lines[0], *lines[1:]] if lines else [""]
