"""Classifies a file of tickets: the batch command line."""

from __future__ import annotations

import hashlib
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import Progress

from commands.answers import Answer, Answers, Bill, ask_all
from commands.rows import InputError, rows_of, settings_or_defaults, ticket_of
from commands.shared import check_desk, database_errors
from triage.classification import Classification
from triage.classify import Which, build_bulk, build_classifier, build_llm, with_learned
from triage.classify.base import Classifier
from triage.classify.batch import row_from
from triage.classify.bulk_state import NoBatchesError, Prepared
from triage.environment import Environment, read_environment
from triage.errors import SettingsError
from triage.settings import Settings
from triage.store import Store, open_store
from triage.store.migrate import migrate
from triage.ticket import Ticket
from workers.corrections import with_corrections

if TYPE_CHECKING:
    from triage.classify.bulk import Bulk

NOT_LEARNED = (
    "nothing was learned under that name; teach it with: python manage.py learn --file TRAIN.jsonl --desk {desk}"
)
SAME_FILE = "--out is the input itself; name another file, so that nothing of it is lost"
NEEDS_LLM = "--batch is for the language model alone: add --classifier llm"
NEEDS_FILE = "--out must be a file with --batch: the ids of the batch are kept beside it"
NOT_READY = 3
LATER = "not ready yet: the same command looks again (add --wait to stay)"
INTERRUPTED = "interrupted; nothing is lost: the same command goes on from here"
LOST = "interrupted; nothing is kept of what was not written to a file"
CODE_INTERRUPTED = 130
THREADS = 8
"""While a model thinks there is nothing to do here."""
LIVE = "{reason}; the tickets are asked one by one, at full price"
FALLBACK = "{count} answered by the embedded classifier: {reason}"


@click.command()
@click.option(
    "--file",
    "source",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The tickets: JSON lines, or CSV if its name ends in .csv.",
)
@click.option(
    "--out",
    "target",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The answers, JSON lines; /dev/stdout prints them.",
)
@click.option("--desk", default="", help="Use what this desk has taught, and its thresholds.")
@click.option(
    "--classifier",
    "which",
    type=click.Choice(["auto", "embedded", "llm", "cascade"]),
    default="auto",
    show_default=True,
    help="Who answers; auto is what the settings ask for.",
)
@click.option("--batch", is_flag=True, help="By the endpoint's batch API: half the price, up to a day.")
@click.option("--wait", is_flag=True, help="With --batch: stay until the answers are there.")
def command(source: Path, target: Path, desk: str, which: Which, batch: bool, wait: bool) -> None:
    """Classify a file of tickets.

    Each line of FILE is a JSON object with id, subject, body and optionally tier,
    mrr, ticket_count_30d, conversation; a CSV names its columns so (no
    conversation there). Each line of OUT answers it, in the same order. OUT
    appears only when every row is done. At the end stderr says how many the
    language model answered and what that cost. Interrupted (code 130), the same
    command goes on where it stopped.

    With --batch the rows are sent as one piece of work; run the same command
    again to look for the answers (code 3: not ready yet). Stopping loses nothing.

    \b
    Example:
      python manage.py classify --file in.jsonl --out out.jsonl
      python manage.py classify --file in.jsonl --out out.jsonl \\
          --classifier llm --batch --wait
    """
    if not target.parent.is_dir():
        raise InputError(f"--out: the folder {target.parent} does not exist; make it or name another")
    if target.exists() and target.samefile(source):
        raise InputError(SAME_FILE)
    # A device or a pipe is written to, never replaced.
    special = target.exists() and not target.is_file()
    if batch and which != "llm":
        raise SettingsError(NEEDS_LLM)
    if batch and special:
        raise InputError(NEEDS_FILE)
    environment = read_environment()
    settings = settings_or_defaults(environment)
    work = Work(environment, settings, which, _taught(environment, settings, desk))
    # All of them first: a wrong last line must not cost the hours, or the money, spent on those before it.
    numbered = list(rows_of(source))
    rows = Rows([row["id"] for _, row in numbered], [ticket_of(source.name, line, row) for line, row in numbered])
    state = target.with_name(target.name + ".batch.json")
    bulk = _over(work, rows.tickets, state, wait) if batch and rows.tickets else None
    file = None if special or bulk else target.with_name(target.name + ".part")
    answers = Answers(file, work.fingerprint(numbered), partial(click.echo, err=True))
    _answer(work, rows, answers, Prepared(rows.tickets, bulk.answers()) if bulk else None)
    answers.whole(target, replace=not special)
    if bulk:
        bulk.clear()
    for reason, count in work.bill.reasons.most_common():
        click.echo(FALLBACK.format(count=count, reason=reason), err=True)
    # Not on stdout: --out may be /dev/stdout.
    click.echo(f"{work.bill} -> {target}", err=True)


@dataclass(frozen=True)
class Rows:
    """The rows of the input, side by side."""

    ids: Sequence[Any]
    tickets: Sequence[Ticket]


@dataclass
class Work:
    """Who classifies, and what it has come to."""

    environment: Environment
    settings: Settings
    which: Which
    taught: Taught
    bill: Bill = field(default_factory=Bill)

    @property
    def model(self) -> dict[str, Any]:
        """Return what the language model is reached by."""
        return {
            "openai_base_url": self.environment.openai_base_url,
            "openai_api_key": self.environment.openai_api_key.get_secret_value(),
            "openai_model": self.environment.openai_model,
            # The daily cap counts what this batch has cost; what workers spend meanwhile is theirs.
            "spent_today": lambda: self.bill.today_usd,
        }

    def classifier(self, llm: Classifier | None) -> Classifier:
        """Return the classifier that was asked for, with `llm` in place of the language model where one is given."""
        return self.taught.around(build_classifier(self.settings, which=self.which, llm=llm, **self.model))

    @property
    def asks_a_model(self) -> bool:
        """Say whether a language model is waited for."""
        never = self.which == "embedded" or (self.which == "auto" and self.settings.llm.ask == "never")
        return self.environment.has_model and not never

    def fingerprint(self, rows: Sequence[Any]) -> str:
        """Return by what answers kept of an earlier start are known to be of this very work."""
        reached = self.environment.openai_base_url, self.environment.openai_model, self.environment.has_model
        policy = (self.settings.policy_version(), self.which, reached, self.taught.desk, self.taught.ids)
        digest = hashlib.sha256(repr(policy).encode())
        for row in rows:
            digest.update(repr(row).encode("utf-8", "replace"))
        return digest.hexdigest()[:16]


def _answer(work: Work, rows: Rows, answers: Answers, prepared: Prepared | None) -> None:
    """Answer the rows that `answers` lacks. Ends the program with CODE_INTERRUPTED on Ctrl-C."""
    classifier = work.classifier(prepared)
    thresholds = work.settings.thresholds_of(work.taught.desk)
    today = datetime.now(UTC).date().isoformat()
    for known in answers.by_place.values():
        work.bill.add(known, today)
    todo = {place: ticket for place, ticket in enumerate(rows.tickets) if place not in answers.by_place}
    with _quiet(), answers, Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("classifying", total=len(rows.tickets), completed=len(answers.by_place))

        def take(place: int, said: Classification) -> None:
            answer = Answer.of(said, row_from(said, rows.ids[place], thresholds), today)
            work.bill.add(answer, today)
            answers.add(place, answer)
            bar.advance(task)

        try:
            ask_all(todo, classifier.classify, THREADS if work.asks_a_model and not prepared else 1, take)
        except KeyboardInterrupt:
            bar.stop()
            click.echo(INTERRUPTED if answers.kept else LOST, err=True)
            sys.exit(CODE_INTERRUPTED)


@contextmanager
def _quiet() -> Iterator[None]:
    """Log errors only: why a model did not answer is counted, and told at the end."""
    logger = logging.getLogger("triage")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _over(work: Work, tickets: Sequence[Ticket], state: Path, wait: bool) -> Bulk | None:
    """Return the bulk work over `tickets` when its answers are there; None where the endpoint has no batch API.

    Ends the program with NOT_READY while the batches are under way and `wait` is off.
    """
    bulk = build_bulk(build_llm(work.settings, **work.model), tickets, state, partial(click.echo, err=True))
    try:
        bulk.start()
        if bulk.ready(wait=wait):
            return bulk
        click.echo(LATER, err=True)
    except NoBatchesError as error:
        click.echo(LIVE.format(reason=error), err=True)
        return None
    except KeyboardInterrupt:
        click.echo("\n" + INTERRUPTED, err=True)
    sys.exit(NOT_READY)


@dataclass(frozen=True)
class Taught:
    """What is known of a desk beyond its settings."""

    desk: str
    settings: Settings
    models: Mapping[str, bytes] = field(default_factory=dict)
    """Field -> learned model."""
    ids: tuple[Any, ...] = ()
    """Of the models and of what outcomes taught."""
    store: Store | None = None

    def around(self, base: Classifier) -> Classifier:
        """Return `base` with what the desk has taught over it and what outcomes taught around it, as workers have."""
        if self.store is None:
            return base
        learned = with_learned(base, self.models, self.settings, self.desk)
        return with_corrections(learned, self.store, self.settings, self.desk)


@database_errors()
def _taught(environment: Environment, settings: Settings, desk: str) -> Taught:
    """Return what was learned under the name `desk`. Raises SettingsError where nobody knows that name."""
    if not desk:
        return Taught(desk, settings)
    store = open_store(environment.database_url)
    migrate(store.engine)
    models = {model.field: model.blob for model in store.models.active(desk)}
    if desk not in settings.desks and not models:
        check_desk(settings, desk, environment.tandem_config, NOT_LEARNED.format(desk=desk))
    ids = store.models.active_ids(desk), store.calibrations.active_ids(desk)
    return Taught(desk, settings, models, ids, store)
