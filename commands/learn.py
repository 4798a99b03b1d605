"""Learns a desk's own teams, priorities, moods and churn risks from labelled tickets."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.progress import Progress, TextColumn, TimeElapsedColumn

from commands.answers import Answer, Bill
from commands.lessons import as_data, metrics_of, say, show
from commands.past import Shelf, read_past
from commands.period import period
from commands.rivals import Rival, against_base, against_head, against_usual, answers_of, rows_to_ask
from commands.rows import History, history_of, rows_of, settings_or_defaults
from commands.shared import DATA, check_desk, database_errors, find_embedded_redis
from triage.classification import CHURN_RISKS, NO_TEAM, PRIORITIES, SENTIMENTS
from triage.classify import build_classifier, shared_encoder
from triage.classify.base import Classifier
from triage.classify.head import ForeignModelError, LearnedHead
from triage.classify.learned_features import Features, read_features
from triage.classify.splits import Rows, groups_of
from triage.classify.training import Lesson, Material, NothingToLearnError, learn
from triage.environment import Environment, read_environment
from triage.errors import SettingsError
from triage.logs import configure_logging
from triage.settings import Settings
from triage.store import Store, open_store
from triage.store.migrate import migrate
from triage.store.models import NewModel, StoredModel
from workers.runtime import Runtime

MAX_NAME = 40
OR_FILE = "name one, or a file with --file"
LONG_NAME = "--desk: {most} characters at most"
READING = "reading solved tickets: {task.completed} on {task.fields[pages]} pages"
ASKING = "asking what is running (--no-model: no language model)"
SPENT = (
    "what is running answered {tickets} held-out tickets, the language model {by_model} of them: "
    "{tokens_in} tokens in, {tokens_out} out, {cost_usd:.4f} USD"
)
INSTEAD = "{count} answered by the embedded classifier: {reason}"
FORCE = "--force activates it all the same"


@click.command()
@click.option(
    "--file",
    "source",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Labelled tickets; without it the desk's solved tickets are read from its helpdesk.",
)
@click.option("--desk", required=True, help="The desk that learns; any name will do, settings need not know it.")
@click.option("--since", default="365d", show_default=True, help="Without FILE: how far back: 365d or 2026-01-01.")
@click.option("--dry-run", is_flag=True, help="Test and report only; nothing is kept.")
@click.option("--force", is_flag=True, help="Activate what was learned even where it is no better.")
@click.option("--no-model", is_flag=True, help="Compare without the language model: nothing is sent or paid.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
@database_errors()
def command(
    source: Path | None, desk: str, since: str, dry_run: bool, force: bool, no_model: bool, as_json: bool
) -> None:
    """Learn from labelled tickets.

    Without FILE, learns the groups and priorities of the desk's solved tickets.
    FILE is CSV, or a JSON object per line, as for classify, with any of
    primary_team, priority, sentiment, churn_risk (names of your own are fine) and
    created_at. Each field is tested on tickets held out, the newest where
    created_at is given, and activated only if it beats what is running there by
    more than chance. 50 tickets are a start.

    Where a language model is running, it answers up to 300 of the held-out
    tickets, masked as always. That is paid for, and llm.daily_cap_usd counts it.

    \b
    Example:
      python manage.py learn --desk acme
      python manage.py learn --file solved.csv --desk acme --no-model --json
      python manage.py classify --file in.jsonl --out out.jsonl --desk acme
    """
    if len(desk) > MAX_NAME:
        raise SettingsError(LONG_NAME.format(most=MAX_NAME))
    # The figures say what went wrong; log lines of workers' parts would stand between them.
    configure_logging("ERROR")
    environment = read_environment()
    settings = settings_or_defaults(environment)
    store = open_store(environment.database_url)
    migrate(store.engine)
    room = Classroom(environment, settings, store, desk, Wishes(dry_run, force, no_model, as_json))
    if source:
        teach(room, history_of(source.name, rows_of(source)))
    else:
        _learn_past(room, since)


@dataclass(frozen=True)
class Wishes:
    """What was asked for on the command line."""

    dry_run: bool
    force: bool
    no_model: bool
    as_json: bool


@dataclass(frozen=True)
class Classroom:
    """Where a desk learns."""

    environment: Environment
    settings: Settings
    store: Store
    desk: str
    wishes: Wishes
    bill: Bill = field(default_factory=Bill)
    """What asking the running classifier has cost."""

    def running(self) -> Classifier:
        """Return what answers where nothing was learned."""
        environment = self.environment
        return build_classifier(
            self.settings,
            openai_base_url=environment.openai_base_url,
            openai_api_key=environment.openai_api_key.get_secret_value(),
            openai_model=environment.openai_model,
            spent_today=self._spent_today,
            which="embedded" if self.wishes.no_model else "auto",
        )

    def _spent_today(self) -> float:
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
        spent = sum(one.spent_since(midnight) for one in (self.store.runs, self.store.backtests))
        return spent + self.bill.cost_usd


def _learn_past(room: Classroom, since: str) -> None:
    """Read the desk's own solved tickets and learn from them."""
    # A run that was interrupted goes on as long as the day this falls on is the same.
    start, _ = period(since, "", datetime.now(UTC))
    check_desk(room.settings, room.desk, room.environment.tandem_config, OR_FILE)
    find_embedded_redis()
    connector = Runtime(read_environment(), room.settings).connector(room.desk)
    shelf = Shelf(DATA / f"learn-{room.desk}.part.jsonl", start)
    pages = 0
    with Progress(TextColumn(READING), TimeElapsedColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=None, pages=0)

        def progress(tickets: int, more: int) -> None:
            nonlocal pages
            pages += more
            bar.update(task, advance=tickets, pages=pages)

        rows = read_past(connector, room.settings, start, shelf, progress)
    teach(room, history_of(room.desk, enumerate(rows, 1)))
    shelf.clear()


def teach(room: Classroom, history: History) -> None:
    """Learn every field of `history`, print how good it is, and keep what is better than what is running."""
    encoder = shared_encoder()
    with Progress(console=Console(stderr=True)) as bar:
        reading = bar.add_task("reading tickets", total=len(history.tickets))
        features = read_features(history.tickets, encoder, lambda done: bar.advance(reading, done))
        groups = groups_of(features.texts)
        lessons = _lessons(history, features, groups, encoder.model_id, bar)
        rivals = _rivals(room, lessons, history, features, groups, bar)
    found = []
    for lesson, rival in zip(lessons, rivals, strict=True):
        number, result = _settle(room, lesson, rival)
        found.append({**as_data(lesson, rival), "result": result, "model": number})
        if not room.wishes.as_json:
            show(lesson, rival)
            say(result)
    _tell_cost(room.bill)
    if room.wishes.as_json:
        cost = {name: getattr(room.bill, name) for name in ("by_model", "tokens_in", "tokens_out", "cost_usd")}
        click.echo(json.dumps({"desk": room.desk, "fields": found, "asked": room.bill.tickets, **cost}, indent=2))


def _lessons(history: History, features: Features, groups: Rows, encoder: str, bar: Progress) -> list[Lesson]:
    learning = bar.add_task("learning", total=len(history.labels))
    lessons: list[Lesson] = []
    for name, labels in history.labels.items():
        rows = np.asarray([row for row, label in enumerate(labels) if label], np.int64)
        times = [history.times[row] for row in rows]
        material = Material(name, features.part(rows), [labels[row] for row in rows], groups[rows], times)
        try:
            lessons.append(learn(material, encoder).of_rows(rows))
        except NothingToLearnError as error:
            bar.console.print(f"warning: {error}")
        bar.advance(learning)
    return lessons


def _rivals(
    room: Classroom, lessons: Sequence[Lesson], history: History, features: Features, groups: Rows, bar: Progress
) -> list[Rival]:
    """Return what is running for each lesson; a classifier that has to be asked is asked once for all fields."""
    heads = {model.field: head for model in room.store.models.active(room.desk) if (head := _readable(model))}
    known = {
        "primary_team": {*room.settings.teams, NO_TEAM},
        "priority": set(PRIORITIES),
        "sentiment": set(SENTIMENTS),
        "churn_risk": set(CHURN_RISKS),
    }
    base = room.running()
    open_ = [one for one in lessons if one.field not in heads and known[one.field] & set(one.truth)]
    rows = rows_to_ask(open_)
    asking = bar.add_task(ASKING if base.name == "cascade" else "asking what is running", total=len(rows))

    today = datetime.now(UTC).date().isoformat()

    def heard(answer: Any) -> None:
        room.bill.add(Answer.of(answer, {}, today), today)
        bar.advance(asking)

    answers = answers_of(base, history.tickets, rows, heard)
    rivals = []
    for lesson in lessons:
        if head := heads.get(lesson.field):
            rivals.append(against_head(lesson, head, features, groups))
        elif known[lesson.field] & set(lesson.truth):
            rivals.append(against_base(lesson, base.name, answers, groups))
        else:
            rivals.append(against_usual(lesson, base.name, history.labels[lesson.field], groups))
    return rivals


def _tell_cost(bill: Bill) -> None:
    """Say on stderr what the language model took; nothing where it was not asked."""
    if bill.by_model or bill.tokens_in or bill.reasons:
        say(SPENT.format(**vars(bill)), err=True)
    for reason, count in bill.reasons.most_common():
        say(INSTEAD.format(count=count, reason=reason), err=True)


def _readable(model: StoredModel) -> LearnedHead | None:
    try:
        return LearnedHead.from_bytes(model.blob, shared_encoder().model_id, shared_encoder().dim)
    except ForeignModelError:
        return None


def _settle(room: Classroom, lesson: Lesson, rival: Rival) -> tuple[int | None, str]:
    """Keep the model if it may be kept; return its number, None where it was not, and what was done in a sentence."""
    if not (rival.beaten or room.wishes.force):
        return None, f"NOT activated: {rival.verdict} ({FORCE})"
    if room.wishes.dry_run:
        return None, f"dry run: would be activated: {rival.verdict}"
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
    return number, f"ACTIVE as model {number}: {rival.verdict}; workers use it within a minute"
