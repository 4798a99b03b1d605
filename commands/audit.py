"""Shows and exports the audit log: who changed what."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import click

from commands.period import moment
from commands.shared import database_errors
from triage.cells import safe_cell
from triage.environment import read_environment
from triage.store import open_store
from triage.store.audit import Entry

COLUMNS = ("id", "at", "actor", "action", "desk", "subject", "detail")


@click.group()
def command() -> None:
    """Show or export who changed what.

    \b
    Examples:
      python manage.py audit show --since 2d
      python manage.py audit export --out audit.jsonl
      python manage.py audit export --out audit.csv --since 2026-11-01
    """


@command.command("show")
@click.option("--since", default="", metavar="WHEN", help="From then on: 2d, 36h, 2026-11-01.")
@click.option("--limit", default=30, show_default=True, help="The newest so many.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@database_errors()
def show(since: str, limit: int, as_json: bool) -> None:
    """Show the newest entries.

    \b
    Example:
      python manage.py audit show --since 2d
    """
    begin = _begin(since)
    entries = [one for one in open_store(read_environment().database_url).audit.recent(limit) if one.at >= begin]
    for one in entries:
        if as_json:
            click.echo(json.dumps(_row(one), ensure_ascii=False))
        else:
            text = f"{_time(one.at)}  {one.actor}  {one.action} {one.desk} {one.subject}".rstrip()
            click.echo(click.wrap_text(text, 80, "", "    "))
    if not entries and not as_json:
        click.echo("no entries")


@command.command("export")
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="FILE.jsonl or FILE.csv.")
@click.option("--since", default="", metavar="WHEN", help="From then on: 2d, 36h, 2026-11-01.")
@database_errors()
def export(out: Path, since: str) -> None:
    """Write the log to a file that only you may read, oldest first.

    \b
    Example:
      python manage.py audit export --out audit.csv --since 30d
    """
    if out.suffix not in (".jsonl", ".csv"):
        raise click.UsageError("--out must end in .jsonl or .csv")
    entries = open_store(read_environment().database_url).audit.since(_begin(since))
    part = out.with_name(out.name + ".part")
    part.unlink(missing_ok=True)
    part.touch(mode=0o600)
    with part.open("w", encoding="utf-8", newline="") as file:
        count = _write(entries, file, is_csv=out.suffix == ".csv")
    # An interrupted export leaves no half of one behind under the name asked for.
    part.replace(out)
    click.echo(f"{count} entries written to {out}")


def _write(entries: Iterator[Entry], file: IO[str], *, is_csv: bool) -> int:
    sheet = csv.DictWriter(file, COLUMNS)
    if is_csv:
        sheet.writeheader()
    count = 0
    for one in entries:
        count += 1
        row = _row(one)
        if is_csv:
            detail = json.dumps(one.detail, ensure_ascii=False)
            sheet.writerow({name: safe_cell(str(value)) for name, value in (row | {"detail": detail}).items()})
        else:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return count


def _row(one: Entry) -> dict[str, object]:
    return {name: getattr(one, name) for name in COLUMNS} | {"at": _time(one.at)}


def _time(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _begin(since: str) -> float:
    return moment("--since", since, datetime.now(UTC)).timestamp() if since else 0.0
