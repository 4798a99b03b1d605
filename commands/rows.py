"""What `classify` and `learn` share: files of tickets, and settings that may be missing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from triage.classify.batch import ticket_from_row
from triage.environment import Environment, variables
from triage.errors import TandemError
from triage.settings import Settings
from triage.settings_file import load_settings
from triage.ticket import Ticket


class InputError(TandemError):
    """A row of the input file is wrong; the message names the line and what is wanted."""


def settings_or_defaults(environment: Environment) -> Settings:
    """Return the settings, the defaults where no file was made: nobody needs a helpdesk to classify a file."""
    path = Path(environment.tandem_config)
    values = variables()
    if not path.exists() and "TANDEM_CONFIG" not in values:
        return Settings()
    return load_settings(path, values)


def rows_of(source: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield line number and row of each line of `source`. Raises InputError naming the line."""
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


def ticket_of(name: str, line: int, row: dict[str, Any]) -> Ticket:
    """Return the ticket of `row`. Raises InputError naming the line."""
    try:
        return ticket_from_row(row)
    except (TandemError, ValueError) as error:
        raise InputError(f"{name} line {line}: {error}") from None
