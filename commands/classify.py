"""Classifies a file of tickets: the batch command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TextIO

import click
from rich.console import Console
from rich.progress import track

from commands.shared import check_desk
from triage.classify import Which, build_classifier
from triage.classify.batch import row_from, ticket_from_row
from triage.environment import Environment, read_environment, variables
from triage.errors import TandemError
from triage.settings import Settings
from triage.settings_file import load_settings
from triage.ticket import Ticket


class InputError(TandemError):
    """A row of the input file is wrong; the message names the line and what is wanted."""


@click.command()
@click.option("--file", "source", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--out", "target", required=True, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--desk", default="", help="Use the teams and thresholds of this desk.")
@click.option(
    "--classifier",
    "which",
    type=click.Choice(["auto", "embedded", "llm", "cascade"]),
    default="auto",
    show_default=True,
    help="Who answers; auto is what the settings ask for.",
)
def command(source: Path, target: Path, desk: str, which: Which) -> None:
    """Classify a file of tickets.

    Each line of FILE is a JSON object with id, subject, body and optionally tier,
    mrr, ticket_count_30d, conversation. Each line of OUT answers it, in the same
    order. OUT appears only when every row is done.

    \b
    Example:
      python manage.py classify --file in.jsonl --out out.jsonl
    """
    if not target.parent.is_dir():
        raise InputError(f"--out: the folder {target.parent} does not exist; make it or name another")
    environment = read_environment()
    settings = _settings(environment, desk)
    # All of them first: a wrong last line must not cost the hours, or the money, spent on those before it.
    tickets = [(row["id"], _ticket(source, line, row)) for line, row in _rows(source)]
    classifier = build_classifier(
        settings,
        openai_base_url=environment.openai_base_url,
        openai_api_key=environment.openai_api_key.get_secret_value(),
        openai_model=environment.openai_model,
        spent_today=lambda: 0.0,
        which=which,
    )
    thresholds = settings.thresholds_of(desk)
    # A device or a pipe is written to, never replaced.
    special = target.exists() and not target.is_file()
    unfinished = target if special else target.with_name(target.name + ".part")
    with closing(unfinished.open("w", encoding="utf-8")) as out:
        for row_id, ticket in track(tickets, description="classifying", console=Console(stderr=True)):
            _write(out, row_from(classifier.classify(ticket), row_id, thresholds))
    if not special:
        unfinished.replace(target)
    click.echo(f"{len(tickets)} tickets classified: {target}")


def _settings(environment: Environment, desk: str) -> Settings:
    path = Path(environment.tandem_config)
    values = variables()
    if not path.exists() and "TANDEM_CONFIG" not in values and not desk:
        return Settings()
    settings = load_settings(path, values)
    if desk:
        check_desk(settings, desk, path)
    return settings


def _rows(source: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with source.open(encoding="utf-8-sig", errors="replace") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                raise InputError(f"{source.name} line {number}: no JSON; each line is one JSON object") from None
            if not isinstance(row, dict) or "id" not in row:
                raise InputError(f"{source.name} line {number}: needs an object with id, subject and body")
            yield number, row


def _ticket(source: Path, line: int, row: dict[str, Any]) -> Ticket:
    try:
        return ticket_from_row(row)
    except (TandemError, ValueError) as error:
        raise InputError(f"{source.name} line {line}: {error}") from None


def _write(out: TextIO, row: dict[str, Any]) -> None:
    out.write(json.dumps(row, ensure_ascii=False) + "\n")
