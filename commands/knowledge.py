"""Reads help centre, solved tickets and Markdown files into the index, searches it, and says how it stands."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from commands.shared import check_desk, database_errors, find_embedded_redis
from triage.errors import SettingsError, Wait
from triage.knowledge.folder import NO_FOLDER
from triage.logs import configure_logging
from triage.sources import ARTICLE, FILE, TICKET
from triage.store.migrate import migrate
from triage.ticket import Author, Message, Ticket
from workers.knowledge import Room, folder_of, remember_folder, sync
from workers.runtime import Runtime

KINDS = {ARTICLE: "articles", FILE: "files", TICKET: "tickets"}
BUSY_SECONDS = 2.0
PATIENCE_SECONDS = 600.0
WIDTH = 76
STUCK = "{kind} of {desk}: another process is reading them; try again later"
NO_QUESTION = 'say what to search for: knowledge search --desk {desk} "question"'
TOO_FAR = "not close enough: a note would not show it"
NAME_ONE = "--desk is needed: the settings have {known}"


@click.command()
@click.option("--desk", default="", help="The desk; not needed where there is only one.")
@click.option("--kb", "folder", default=None, help="With sync: a folder of Markdown files to read; '' forgets it.")
@click.option("--json", "as_json", is_flag=True, help="With search and status: print JSON.")
@click.argument("action", type=click.Choice(["sync", "search", "status"]))
@click.argument("question", nargs=-1)
@database_errors()
def command(desk: str, folder: str | None, as_json: bool, action: str, question: tuple[str, ...]) -> None:
    """Read, search and check what a desk knows.

    sync reads what is new and forgets what has gone; workers do so by
    themselves, so it is only needed to see it at once. Safe to interrupt.
    search shows what comes closest to a ticket with these words, and what of
    it a note would show. status counts.

    \b
    Examples:
      python manage.py knowledge sync --desk acme
      python manage.py knowledge sync --desk acme --kb handbook/
      python manage.py knowledge search --desk acme "add three seats"
      python manage.py knowledge status --desk acme --json
    """
    configure_logging("WARNING")
    find_embedded_redis()
    runtime = Runtime.from_environment()
    if not desk and len(runtime.settings.desks) != 1:
        raise SettingsError(NAME_ONE.format(known=", ".join(runtime.settings.desks) or "none"))
    desk = desk or next(iter(runtime.settings.desks))
    check_desk(runtime.settings, desk, Path(runtime.environment.tandem_config))
    migrate(runtime.store.engine)
    if action == "search":
        _search(runtime, desk, " ".join(question), as_json)
        return
    if action == "sync":
        _sync(runtime.room(desk), folder)
    _status(runtime.room(desk), as_json)


def _sync(room: Room, folder: str | None) -> None:
    if folder is not None:
        if folder and not Path(folder).is_dir():
            raise SettingsError("--kb: " + NO_FOLDER.format(folder=folder))
        remember_folder(room, str(Path(folder).resolve()) if folder else "")
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    # A few steps at a time, so that the count moves.
    room = replace(room, calls=5)
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        for kind, name in KINDS.items():
            task = bar.add_task(f"reading {name}", total=None)
            while not _step(room, kind):
                count = room.store.knowledge.counts(room.name).get(kind, (0, 0))[0]
                bar.update(task, description=f"reading {name}: {count} so far")
            bar.remove_task(task)


def _step(room: Room, kind: str) -> bool:
    """Take some steps of a round, waiting for a rate limit or another process that is at it."""
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        before = room.store.knowledge.round(room.name, kind)
        try:
            if sync(room, kind):
                return True
        except Wait as wait:
            time.sleep(wait.seconds)
        if room.store.knowledge.round(room.name, kind) != before:
            return False
        if time.monotonic() > until:
            raise SettingsError(STUCK.format(kind=KINDS[kind], desk=room.name))
        time.sleep(BUSY_SECONDS)


def _search(runtime: Runtime, desk: str, question: str, as_json: bool) -> None:
    if not question.strip():
        raise SettingsError(NO_QUESTION.format(desk=desk))
    said = Message("", Author.CUSTOMER, question)
    found = runtime.lookup.find(desk, Ticket(desk=desk, id="", subject="", messages=(said,)), far=True)
    if as_json:
        click.echo(json.dumps(asdict(found), ensure_ascii=False, indent=2))
        return
    for title, sources in (("Sources", found.articles), ("Similar solved tickets", found.tickets)):
        click.echo(f"{title}:" if sources else f"{title}: none")
        for one in sources:
            click.echo(f"  {one.score:.2f}  {_cut(one.title, WIDTH - 8)}")
            if not one.close:
                click.echo(f"        {TOO_FAR}")
            click.echo(f"        {one.url or one.key}")
            click.echo(f"        {_cut(one.passage, WIDTH - 8)}")


def _status(room: Room, as_json: bool) -> None:
    counts = room.store.knowledge.counts(room.name)
    rows = {name: _row(room, kind, *counts.get(kind, (0, 0))) for kind, name in KINDS.items()}
    if as_json:
        click.echo(json.dumps({"desk": room.name, **rows}, indent=2))
        return
    click.echo(f"{room.name:<12} documents  passages  last read")
    for name, row in rows.items():
        click.echo(f"  {name:<10} {row['documents']:>9,}  {row['passages']:>8,}  {row['read'] or 'never'}")
        if row["reason"]:
            click.echo(f"             {_cut(row['reason'], WIDTH - 13)}")
    if folder := folder_of(room):
        click.echo(f"  folder     {folder}")


def _row(room: Room, kind: str, documents: int, passages: int) -> dict[str, Any]:
    stands = room.store.knowledge.round(room.name, kind)
    at = stands.finished_at
    return {
        "documents": documents,
        "passages": passages,
        "reading": stands.started_at is not None,
        "read": datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC") if at else "",
        "reason": stands.reason,
    }


def _cut(text: str, width: int) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= width else flat[: width - 1] + "…"
