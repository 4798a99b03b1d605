"""Tandem's commands: `python manage.py --help`. Each is one file in `commands/`, loaded only when used."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import click
from sqlalchemy.exc import SQLAlchemyError

from commands.screen import guard_streams
from triage.errors import TandemError

FOLDER = Path(__file__).parent / "commands"
# Helpers of the commands; every other file is a command.
HELPERS = {
    "__init__",
    "answers",
    "backtest_screen",
    "calendar_yaml",
    "closed",
    "connect_ask",
    "connect_proof",
    "connect_remove",
    "connect_run",
    "connect_screen",
    "crew",
    "lessons",
    "past",
    "period",
    "rivals",
    "rows",
    "sandboxed",
    "screen",
    "shared",
    "sla_table",
    "tuning_material",
    "tuning_state",
    "stack",
}


class Commands(click.Group):
    """Finds the commands by their file names."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in alphabetical order."""
        del ctx
        return sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in HELPERS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of that name."""
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = importlib.import_module(f"commands.{cmd_name}").command
        return command


@click.command(cls=Commands, context_settings={"max_content_width": 80})
def main() -> None:
    """Tandem: AI triage for the helpdesk you already have."""


def fail(reason: str) -> int:
    """Say what went wrong and return the exit code."""
    click.echo(f"error: {reason}", err=True)
    return 2


if __name__ == "__main__":
    guard_streams()
    try:
        main()
    except TandemError as error:
        sys.exit(fail(str(error)))
    except SQLAlchemyError as error:
        # Its own text holds statements and values.
        sys.exit(fail(f"the database failed ({type(error).__name__}): start it, or correct DATABASE_URL in .env"))
    except OSError as error:
        sys.exit(fail(f"{error.filename or 'the system'}: {(error.strerror or type(error).__name__).lower()}"))
