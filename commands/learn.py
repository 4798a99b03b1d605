"""Learns a desk's own teams, priorities, moods and churn risks from labelled tickets."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn

from commands.lessons import Rival, against_base, against_head, metrics_of, show
from commands.past import Shelf, read_past
from commands.rows import InputError, rows_of, settings_or_defaults, ticket_of
from commands.shared import database_errors, find_embedded_redis
from triage.classification import CHURN_RISKS, DECIDED_FIELDS, NO_TEAM, PRIORITIES, SENTIMENTS
from triage.classify import build_classifier, shared_encoder
from triage.classify.head import ForeignModelError, LearnedHead
from triage.classify.learned_features import Features, read_features
from triage.classify.splits import groups_of
from triage.classify.training import Lesson, Material, NothingToLearnError, learn
from triage.environment import Environment, read_environment
from triage.errors import SettingsError
from triage.settings import Settings
from triage.settings_base import parse_minutes
from triage.store import Store, open_store
from triage.store.migrate import migrate
from triage.store.models import NewModel, StoredModel
from triage.ticket import Ticket
from workers.runtime import Runtime

MAX_LABEL = 200
MAX_NAME = 40
NO_LABELS = "{file}: no row has a label; add at least one of " + ", ".join(DECIDED_FIELDS)
WRONG_LABEL = "{file} line {line}: '{field}' must be a string of at most {most} characters"
WRONG_TIME = "{file} line {line}: 'created_at' must be an ISO time like 2026-11-20T12:00:00Z or seconds since 1970"
NO_DESK = "--desk {desk}: the settings have no such desk (they have {known}); name one, or a file with --file"
LONG_NAME = "--desk: {most} characters at most"


@dataclass(frozen=True)
class History:
    """Tickets with the labels people gave them ("" where they gave none) and when they came."""

    tickets: Sequence[Ticket]
    labels: Mapping[str, Sequence[str]]
    times: Sequence[float | None]


@click.command()
@click.option(
    "--file",
    "source",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Labelled tickets; without it the desk's solved tickets are read from its helpdesk.",
)
@click.option("--desk", required=True, help="The desk that learns; any name will do, settings need not know it.")
@click.option("--since", default="365d", show_default=True, help="Without FILE: how far back to read.")
@click.option("--dry-run", is_flag=True, help="Test and report only; nothing is kept.")
@click.option("--force", is_flag=True, help="Activate what was learned even where it is no better.")
@database_errors()
def command(source: Path | None, desk: str, since: str, dry_run: bool, force: bool) -> None:
    """Learn from labelled tickets.

    Without FILE, learns the groups and priorities of the desk's solved tickets.
    Each line of FILE is a JSON object as for classify, with any of primary_team,
    priority, sentiment, churn_risk (names of your own are fine) and created_at.
    Each field is tested on tickets held out, the newest where created_at is given,
    and activated only if it beats what is running. 50 tickets are a start.

    \b
    Example:
      python manage.py learn --desk acme
      python manage.py learn --file solved.jsonl --desk acme
      python manage.py classify --file in.jsonl --out out.jsonl --desk acme
    """
    if len(desk) > MAX_NAME:
        raise SettingsError(LONG_NAME.format(most=MAX_NAME))
    environment = read_environment()
    settings = settings_or_defaults(environment)
    store = open_store(environment.database_url)
    migrate(store.engine)
    room = Classroom(environment, settings, store, desk)
    if source:
        teach(room, history_of(source.name, rows_of(source)), dry_run=dry_run, force=force)
    else:
        _learn_past(room, since, dry_run=dry_run, force=force)


@dataclass(frozen=True)
class Classroom:
    """Where a desk learns."""

    environment: Environment
    settings: Settings
    store: Store
    desk: str


def _learn_past(room: Classroom, since: str, *, dry_run: bool, force: bool) -> None:
    """Read the desk's own solved tickets and learn from them."""
    try:
        # In minutes, whole days: a run that was interrupted goes on as long as the day is the same.
        start = datetime.now(UTC) - timedelta(minutes=int(parse_minutes(since)))
    except ValueError as error:
        raise SettingsError(f"--since {since} {error}") from None
    if room.desk not in room.settings.desks:
        raise SettingsError(NO_DESK.format(desk=room.desk, known=", ".join(room.settings.desks) or "none"))
    find_embedded_redis()
    connector = Runtime(read_environment(), room.settings).connector(room.desk)
    shelf = Shelf(Path("data") / f"learn-{room.desk}.part.jsonl", start)
    with Progress(TextColumn("reading solved tickets"), MofNCompleteColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=None)
        rows = read_past(connector, room.settings, start, shelf, lambda count: bar.advance(task, count))
    teach(room, history_of(room.desk, enumerate(rows, 1)), dry_run=dry_run, force=force)
    shelf.clear()


def history_of(name: str, rows: Iterable[tuple[int, dict[str, Any]]]) -> History:
    """Return the tickets and labels of numbered rows. Raises InputError naming the row that is wrong."""
    tickets: list[Ticket] = []
    labels: dict[str, list[str]] = {field: [] for field in DECIDED_FIELDS}
    times = []
    for line, row in rows:
        tickets.append(ticket_of(name, line, row))
        for field, known in labels.items():
            known.append(_label(name, line, row, field))
        times.append(_time(name, line, row))
    used = {field: known for field, known in labels.items() if any(known)}
    if not used:
        raise InputError(NO_LABELS.format(file=name))
    return History(tickets, used, times)


def _label(name: str, line: int, row: Mapping[str, Any], field: str) -> str:
    value = row.get(field)
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int) or len(str(value)) > MAX_LABEL:
        raise InputError(WRONG_LABEL.format(file=name, line=line, field=field, most=MAX_LABEL))
    return str(value).strip()


def _time(name: str, line: int, row: Mapping[str, Any]) -> float | None:
    value = row.get("created_at")
    if value is None or value == "":
        return None
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value.strip())
            return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
    except (ValueError, OverflowError):
        pass
    raise InputError(WRONG_TIME.format(file=name, line=line))


def teach(room: Classroom, history: History, *, dry_run: bool, force: bool) -> None:
    """Learn every field of `history`, print how good it is, and keep what is better than what is running."""
    encoder = shared_encoder()
    with Progress(console=Console(stderr=True)) as bar:
        reading = bar.add_task("reading tickets", total=len(history.tickets))
        features = read_features(history.tickets, encoder, lambda done: bar.advance(reading, done))
        learning = bar.add_task("learning", total=len(history.labels))
        groups = groups_of(features.texts)
        lessons: list[Lesson] = []
        for field, labels in history.labels.items():
            rows = np.asarray([row for row, label in enumerate(labels) if label], np.int64)
            material = Material(
                field,
                features.part(rows),
                [labels[row] for row in rows],
                groups[rows],
                [history.times[row] for row in rows],
            )
            try:
                lesson = learn(material, encoder.model_id)
                lessons.append(lesson.of_rows(rows))
            except NothingToLearnError as error:
                bar.console.print(f"warning: {error}")
            bar.advance(learning)
        asking = bar.add_task("asking what is running", total=len(lessons))
        rivals = []
        for lesson in lessons:
            rivals.append(_rival(room, lesson, history.tickets, features))
            bar.advance(asking)
    for lesson, rival in zip(lessons, rivals, strict=True):
        show(lesson, rival)
        click.echo("  " + _settle(room, lesson, rival, dry_run=dry_run, force=force))


def _rival(room: Classroom, lesson: Lesson, tickets: Sequence[Ticket], features: Features) -> Rival:
    for model in room.store.models.active(room.desk):
        if model.field == lesson.field and (head := _readable(model)):
            return against_head(lesson, head, model.metrics, features)
    settings, environment = room.settings, room.environment
    base = build_classifier(
        settings,
        openai_base_url=environment.openai_base_url,
        openai_api_key=environment.openai_api_key.get_secret_value(),
        openai_model=environment.openai_model,
        spent_today=lambda: 0.0,
    )
    known = {
        "primary_team": {*settings.teams, NO_TEAM},
        "priority": set(PRIORITIES),
        "sentiment": set(SENTIMENTS),
        "churn_risk": set(CHURN_RISKS),
    }
    return against_base(lesson, base, known[lesson.field], tickets)


def _readable(model: StoredModel) -> LearnedHead | None:
    try:
        return LearnedHead.from_bytes(model.blob, shared_encoder().model_id, shared_encoder().dim)
    except ForeignModelError:
        return None


def _settle(room: Classroom, lesson: Lesson, rival: Rival, *, dry_run: bool, force: bool) -> str:
    """Keep the model if it may be kept, and return what was done in a sentence."""
    if not (rival.beaten or force):
        return "NOT activated: no better than what is running (--force activates it all the same)"
    if dry_run:
        return "dry run: would be activated"
    new = NewModel(
        field=lesson.field,
        kind=lesson.recipe,
        labels=lesson.head.labels,
        metrics=metrics_of(lesson),
        thresholds=lesson.head.thresholds,
        encoder=lesson.head.encoder,
        blob=lesson.head.to_bytes(),
    )
    number = room.store.models.activate(room.desk, new, time.time())
    return f"ACTIVE as model {number}; workers use it within a minute"
