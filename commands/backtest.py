"""Replays closed tickets through the policy of today, read-only, and compares with what people made of them."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from commands.backtest_screen import show
from commands.classify import NOT_LEARNED
from commands.closed import Labelled, list_closed, read_labelled, take_in
from commands.crew import Crew
from commands.period import period
from commands.rows import InputError, settings_or_defaults
from commands.shared import check_desk, database_errors, find_embedded_redis
from triage.backtest.page import page
from triage.backtest.report import Asked, report_of
from triage.environment import read_environment
from triage.errors import FeatureOff, SettingsError
from triage.logs import configure_logging
from triage.people import first_words
from triage.settings import Desk, Settings
from triage.store.backtests import DONE, READING, Backtest, Looked
from triage.store.migrate import migrate
from workers.bulk import Bench, ReadOnly, bench_of, reader
from workers.runtime import Runtime

MAX_NAME = 40
OR_FILE = "name one, or a file with --file"
LONG_NAME = "--desk: {most} characters at most"
NO_FOLDER = "{option}: the folder {folder} does not exist; make it or name another"
NOTHING = "no closed ticket {where}; choose an earlier --since"
NOT_LISTED = "the bot may not list closed tickets ({error}): make it an admin, or export them and use --file"
INTERRUPTED = "\ninterrupted: the same command goes on where this one stopped"
SINCE = "90d"
"""Of a helpdesk; a file is taken whole."""
EVER = "1970-01-01"
UNDATED = "{count} rows without created_at are looked at whatever --since and --until say"
# A finished backtest is shown again for so long: nothing can have changed but a few tickets.
FRESH_SECONDS = 12 * 3600.0
SHOWN_AGAIN = "finished at {at}; --restart looks at all tickets anew"
TEXT_LENGTH = 160
CODE_INTERRUPTED = 130
# Only what decides is asked of it: modes, thresholds and fields of a desk that no helpdesk stands behind.
FILE_DESK = Desk.model_validate(
    {
        "platform": "freshdesk",
        "url": "https://file.invalid",
        "auth": {"api_key": "none"},
        "webhook_secrets": ["no webhook comes from a file"],
    }
)


@dataclass(frozen=True)
class Order:
    """What was asked for on the command line."""

    desk: str
    since: str
    until: str
    limit: int
    restart: bool
    source: Path | None


@click.command()
@click.option("--desk", default="", help="The desk whose closed tickets, teams and lessons are used.")
@click.option(
    "--since",
    default="",
    show_default="90d, of a file all",
    help="Tickets that came since then: 90d or 2026-09-01.",
)
@click.option("--until", default="", help="Tickets that came before then; now, if not given.")
@click.option("--limit", default=2000, show_default=True, type=click.IntRange(1), help="At most so many, by chance.")
@click.option(
    "--file",
    "source",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Labelled tickets (CSV or JSON lines) instead of a helpdesk.",
)
@click.option("--json", "json_to", type=click.Path(dir_okay=False, path_type=Path), help="Write the report as JSON.")
@click.option("--html", "html_to", type=click.Path(dir_okay=False, path_type=Path), help="Write it as one HTML page.")
@click.option("--with-text", is_flag=True, help="Quote the worst mistakes; else the report holds no customer's word.")
@click.option(
    "--minutes-per-ticket",
    "minutes",
    default=2.0,
    show_default=True,
    type=click.FloatRange(0, 120),
    help="What sorting one ticket by hand takes; hours saved are forecast from it.",
)
@click.option("--restart", is_flag=True, help="Begin anew instead of going on or showing what is there.")
@database_errors()
def command(
    desk: str,
    since: str,
    until: str,
    limit: int,
    source: Path | None,
    json_to: Path | None,
    html_to: Path | None,
    with_text: bool,
    minutes: float,
    restart: bool,
) -> None:
    """Replay closed tickets and compare with what people made of them.

    Reads only: nothing is written to the helpdesk. Each ticket is judged as it was
    when new, by the settings, the models and the lessons of today. Running workers
    help; without any the command does it alone. Interrupted, the same command goes
    on where it stopped.

    \b
    Example:
      python manage.py backtest --desk acme --since 90d
      python manage.py backtest --desk acme --html page.html --json out.json
      python manage.py backtest --file tickets.csv --desk acme
    """
    for option, path in (("--json", json_to), ("--html", html_to)):
        if path and not path.absolute().parent.is_dir():
            raise InputError(NO_FOLDER.format(option=option, folder=path.absolute().parent))
    configure_logging("ERROR")
    find_embedded_redis()
    job = Job.of(Order(desk, since or ("" if source else SINCE), until, limit, restart, source))
    try:
        looked = job.run()
    except KeyboardInterrupt:
        click.echo(INTERRUPTED, err=True)
        sys.exit(CODE_INTERRUPTED)
    report = job.report(looked, minutes)
    if with_text:
        job.quote(report["mistakes"])
    # The files first: whoever reads along may stop reading.
    if json_to:
        _write(json_to, json.dumps(report, ensure_ascii=False, indent=2) + "\n")
    if html_to:
        _write(html_to, page(report))
    show(report, Console())


def _write(path: Path, text: str) -> None:
    """Write the whole file or none of it; a device or a pipe is written to, never replaced."""
    if path.exists() and not path.is_file():
        path.write_text(text, encoding="utf-8")
        return
    unfinished = path.with_name(path.name + ".part")
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)
    click.echo(f"written: {path}", err=True)


@dataclass
class Job:
    """One backtest from listing to report."""

    order: Order
    runtime: Runtime
    desk: Desk
    backtest: Backtest
    labelled: Labelled | None

    @classmethod
    def of(cls, order: Order) -> Job:
        """Return the job, begun anew or gone on with. Raises SettingsError and InputError before anything starts."""
        if len(order.desk) > MAX_NAME:
            raise SettingsError(LONG_NAME.format(most=MAX_NAME))
        now = datetime.now(UTC)
        since, until = period(order.since or EVER, order.until, now)
        runtime = _runtime_for_a_file() if order.source else Runtime.from_environment()
        settings = runtime.settings
        if not order.source:
            check_desk(settings, order.desk, runtime.environment.tandem_config, OR_FILE)
        migrate(runtime.store.engine)
        taught = not order.desk or order.desk in settings.desks or runtime.store.models.active(order.desk)
        if not taught:
            path = runtime.environment.tandem_config
            check_desk(settings, order.desk, path, NOT_LEARNED.format(desk=order.desk))
        labelled = _labelled(order, settings, since.timestamp(), until.timestamp())
        desk = settings.desks.get(order.desk, FILE_DESK)
        backtest = _begin(order, runtime, since.timestamp(), until.timestamp(), now.timestamp())
        return cls(order, runtime, desk, backtest, labelled)

    def run(self) -> list[Looked]:
        """List the tickets, look at each, and return them; a finished backtest is only returned."""
        book = self.runtime.store.backtests
        if self.backtest.state == DONE:
            at = datetime.fromtimestamp(self.backtest.finished_at or 0, UTC).strftime("%Y-%m-%d %H:%M UTC")
            click.echo(SHOWN_AGAIN.format(at=at), err=True)
            return book.looked(self.backtest.id)
        helpdesk = None if self.labelled else ReadOnly(self.runtime.connector(self.order.desk))
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True)) as bar:
            if self.backtest.state == READING:
                self._list(helpdesk, bar)
            self._work(helpdesk, bar)
        return book.looked(self.backtest.id)

    def _list(self, helpdesk: ReadOnly | None, bar: Progress) -> None:
        listing = bar.add_task("reading closed tickets", total=None)
        store, settings = self.runtime.store, self.runtime.settings
        if self.labelled:
            take_in(self.backtest, self.labelled, store)
        elif helpdesk:
            try:
                list_closed(self.backtest, helpdesk, store, settings, self.desk, lambda n: bar.advance(listing, n))
            except FeatureOff as error:
                raise InputError(NOT_LISTED.format(error=error)) from None
        store.backtests.close_list(self.backtest.id, self.order.limit)
        bar.remove_task(listing)

    def _work(self, helpdesk: ReadOnly | None, bar: Progress) -> None:
        working = bar.add_task("answering", total=None)
        bench = self._bench(helpdesk)

        def watch(progress: Any, others: int) -> None:
            helped = f", {others} chunks by workers" if others else ""
            bar.update(working, total=progress.wanted, completed=progress.over, description=f"answering{helped}")

        Crew(self.backtest, bench, ask_workers=helpdesk is not None).work(watch)

    def _bench(self, helpdesk: ReadOnly | None) -> Bench:
        assert helpdesk or self.labelled
        show_ = reader(helpdesk) if helpdesk else self.labelled.show  # type: ignore[union-attr]
        return bench_of(self.runtime, self.order.desk, show_)

    def report(self, looked: Sequence[Looked], minutes: float) -> dict[str, Any]:
        """Return the report. Raises InputError where there is no ticket at all."""
        book = self.runtime.store.backtests
        backtest = book.get(self.backtest.id) or self.backtest
        if not looked:
            where = f"of {backtest.desk} came since {self.order.since}" if not self.labelled else "in the file"
            raise InputError(NOTHING.format(where=where))
        ours = book.set_by_us(backtest.desk, [one.ticket_id for one in looked]) if not self.labelled else {}
        asked = Asked(
            desk_name=backtest.desk,
            desk=self.desk,
            settings=self.runtime.settings,
            since=None if self.labelled else backtest.since,
            until=None if self.labelled else backtest.until,
            in_period=len(self.labelled.found) if self.labelled else book.in_period(backtest),
            minutes_per_ticket=minutes,
            policy=backtest.policy,
            source=self.order.source.name if self.order.source else "helpdesk",
            ours=sum(bool(values & {"group", "priority"}) for values in ours.values()),
        )
        return report_of(looked, self.runtime.store.models.active(backtest.desk), asked, time.time())

    def quote(self, mistakes: list[dict[str, Any]]) -> None:
        """Add what the customer wrote to each mistake; read again, for it is kept nowhere."""
        ids = list(dict.fromkeys(entry["ticket"] for entry in mistakes))
        if self.labelled:
            tickets = [self.labelled.tickets[one] for one in ids]
        else:
            tickets = [past.ticket for past in self.runtime.connector(self.order.desk).past(ids)] if ids else []
        words = {one.id: " ".join(f"{one.subject} | {first_words(one)}".split()) for one in tickets}
        for entry in mistakes:
            entry["text"] = words.get(entry["ticket"], "")[:TEXT_LENGTH]


def _runtime_for_a_file() -> Runtime:
    environment = read_environment()
    return Runtime(environment, settings_or_defaults(environment))


def _labelled(order: Order, settings: Settings, since: float, until: float) -> Labelled | None:
    """Return the rows of the file that came between `since` and `until`, None where a helpdesk is asked."""
    if not order.source:
        return None
    labelled = read_labelled(order.source, order.desk, settings)
    if not (order.since or order.until):
        return labelled
    if undated := sum(one.created_at is None for one in labelled.found):
        click.echo(UNDATED.format(count=undated), err=True)
    found = [one for one in labelled.found if one.created_at is None or since <= one.created_at < until]
    return replace(labelled, found=found)


def _begin(order: Order, runtime: Runtime, since: float, until: float, now: float) -> Backtest:
    """Return the backtest to go on with, or a new one."""
    policy = runtime.policy_of(order.desk)
    source = "helpdesk" if order.source is None else hashlib.sha256(order.source.read_bytes()).hexdigest()[:16]
    arguments = f"{source} {order.since} {order.until} {order.limit} {policy}"
    book = runtime.store.backtests
    latest = book.latest(order.desk, arguments)
    if latest and not order.restart and (latest.state != DONE or now - (latest.finished_at or 0) < FRESH_SECONDS):
        return latest
    return book.begin(order.desk, arguments, policy, (since, until), now, latest)
