"""Classifies a file of tickets: the batch command line."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import click
from rich.console import Console
from rich.progress import track

from commands.rows import InputError, rows_of, settings_or_defaults, ticket_of
from commands.shared import database_errors
from triage.classification import Classification
from triage.classify import Which, build_classifier, with_learned
from triage.classify.batch import row_from
from triage.environment import Environment, read_environment
from triage.errors import SettingsError
from triage.store import open_store
from triage.store.migrate import migrate

NO_DESK = (
    "--desk {desk}: no such desk in the settings (they have {known}), and nothing was learned under that name; "
    "teach it with: python manage.py learn --file TRAIN.jsonl --desk {desk}"
)


@dataclass
class Bill:
    """What a batch took; a model that gave nothing usable is paid too, and has not answered."""

    tickets: int = 0
    by_model: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float = 0.0

    def add(self, answer: Classification) -> None:
        """Count one answer."""
        self.tickets += 1
        self.by_model += answer.classifier.startswith("llm")
        self.tokens_in += answer.tokens_in
        self.tokens_out += answer.tokens_out
        self.cost_usd += answer.cost_usd

    def __str__(self) -> str:
        share = self.by_model / self.tickets if self.tickets else 0.0
        return (
            f"{self.tickets} tickets classified, {self.by_model} ({share:.0%}) by the language model: "
            f"{self.tokens_in} tokens in, {self.tokens_out} out, {self.cost_usd:.4f} USD"
        )


@click.command()
@click.option("--file", "source", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--out", "target", required=True, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--desk", default="", help="Use what this desk has taught, and its thresholds.")
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
    order. OUT appears only when every row is done. At the end stderr says how
    many the language model answered and what that cost.

    \b
    Example:
      python manage.py classify --file in.jsonl --out out.jsonl
    """
    if not target.parent.is_dir():
        raise InputError(f"--out: the folder {target.parent} does not exist; make it or name another")
    environment = read_environment()
    settings = settings_or_defaults(environment)
    models = _models(environment, desk)
    if desk and desk not in settings.desks and not models:
        raise SettingsError(NO_DESK.format(desk=desk, known=", ".join(settings.desks) or "none"))
    # All of them first: a wrong last line must not cost the hours, or the money, spent on those before it.
    tickets = [(row["id"], ticket_of(source.name, line, row)) for line, row in rows_of(source)]
    bill = Bill()
    base = build_classifier(
        settings,
        openai_base_url=environment.openai_base_url,
        openai_api_key=environment.openai_api_key.get_secret_value(),
        openai_model=environment.openai_model,
        # The daily cap counts what this batch has cost; what workers spend meanwhile is theirs.
        spent_today=lambda: bill.cost_usd,
        which=which,
    )
    classifier = with_learned(base, models, settings, desk)
    thresholds = settings.thresholds_of(desk)
    # A device or a pipe is written to, never replaced.
    special = target.exists() and not target.is_file()
    unfinished = target if special else target.with_name(target.name + ".part")
    with closing(unfinished.open("w", encoding="utf-8")) as out:
        for row_id, ticket in track(tickets, description="classifying", console=Console(stderr=True)):
            answer = classifier.classify(ticket)
            bill.add(answer)
            _write(out, row_from(answer, row_id, thresholds))
    if not special:
        unfinished.replace(target)
    # Not on stdout: --out may be /dev/stdout.
    click.echo(f"{bill} -> {target}", err=True)


@database_errors()
def _models(environment: Environment, desk: str) -> dict[str, bytes]:
    """Return field -> model of what was learned under the name `desk`."""
    if not desk:
        return {}
    store = open_store(environment.database_url)
    migrate(store.engine)
    return {model.field: model.blob for model in store.models.active(desk)}


def _write(out: TextIO, row: dict[str, Any]) -> None:
    out.write(json.dumps(row, ensure_ascii=False) + "\n")
