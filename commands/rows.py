"""What `classify`, `learn` and `backtest` share: files of tickets, and settings that may be missing."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from triage.classification import DECIDED_FIELDS
from triage.classify.batch import ticket_from_row
from triage.environment import Environment, variables
from triage.errors import TandemError
from triage.settings import Settings
from triage.settings_file import load_settings
from triage.ticket import Ticket

LONGEST_CELL = 8 * 1024 * 1024
NO_COLUMN = "{file} line 1: no column '{column}'; the first line names the columns, it has: {found}"
WRONG_WIDTH = "{cells} cells under {columns} columns; put text with commas or line breaks into double quotes"
MAX_LABEL = 200
NO_LABELS = "{file}: no row has a label; add at least one of " + ", ".join(DECIDED_FIELDS)
WRONG_LABEL = "{file} line {line}: '{field}' must be a string of at most {most} characters"
WRONG_TIME = "{file} line {line}: 'created_at' must be an ISO time like 2026-11-20T12:00:00Z or seconds since 1970"


class InputError(TandemError):
    """A row of the input file is wrong; the message names the line and what is wanted."""


@dataclass(frozen=True)
class History:
    """Tickets with the labels people gave them ("" where they gave none) and when they came."""

    tickets: Sequence[Ticket]
    labels: Mapping[str, Sequence[str]]
    times: Sequence[float | None]


def settings_or_defaults(environment: Environment) -> Settings:
    """Return the settings, the defaults where no file was made: nobody needs a helpdesk to classify a file."""
    path = Path(environment.tandem_config)
    values = variables()
    if not path.exists() and "TANDEM_CONFIG" not in values:
        return Settings()
    return load_settings(path, values)


def rows_of(source: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield line number and row of `source`, CSV by its name, else JSON lines. Raises InputError naming the line."""
    yield from _csv_rows(source) if source.suffix.lower() == ".csv" else _json_rows(source)


def _json_rows(source: Path) -> Iterator[tuple[int, dict[str, Any]]]:
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


def _csv_rows(source: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the number of the line each record begins on, and the record as a JSON row would have it."""
    csv.field_size_limit(LONGEST_CELL)
    with source.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        first = file.readline()
        file.seek(0)
        # Spreadsheets of half of Europe separate by semicolons.
        reader = csv.reader(file, delimiter=max(",;\t", key=first.count))
        begun = 1
        try:
            header = [name.strip().lower() for name in next(reader, [])]
            _check_header(source.name, header)
            begun = reader.line_num + 1
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    if len(cells) != len(header):
                        wrong = WRONG_WIDTH.format(cells=len(cells), columns=len(header))
                        raise InputError(f"{source.name} line {begun}: {wrong}")
                    yield begun, _csv_row(source.name, begun, dict(zip(header, cells, strict=True)))
                begun = reader.line_num + 1
        except csv.Error as error:
            raise InputError(f"{source.name} line {begun}: no CSV ({error})") from None


def _check_header(name: str, header: list[str]) -> None:
    for needed in ("id", "body"):
        if needed not in header:
            raise InputError(NO_COLUMN.format(file=name, column=needed, found=", ".join(header)[:200] or "nothing"))
    if twice := next((column for column in header if column and header.count(column) > 1), ""):
        raise InputError(f"{name} line 1: two columns are called '{twice}'; give each its own name")


def _csv_row(name: str, line: int, cells: dict[str, str]) -> dict[str, Any]:
    """Return the cells as JSON would have them: numbers as numbers, empty ones left out."""
    row: dict[str, Any] = {key: value for key, value in cells.items() if value.strip() or key == "body"}
    if "id" not in row:
        raise InputError(f"{name} line {line}: 'id' is empty; give each row a string or a number")
    if row.get("created_at", "").strip().isdigit():
        row["created_at"] = float(row["created_at"])
    for key, kind, wanted in (("mrr", float, "a number"), ("ticket_count_30d", int, "a whole number")):
        if key in row:
            try:
                row[key] = kind(row[key])
            except ValueError:
                raise InputError(f"{name} line {line}: '{key}' must be {wanted}") from None
    return row


def ticket_of(name: str, line: int, row: dict[str, Any]) -> Ticket:
    """Return the ticket of `row`. Raises InputError naming the line."""
    try:
        return ticket_from_row(row)
    except (TandemError, ValueError) as error:
        raise InputError(f"{name} line {line}: {error}") from None


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
