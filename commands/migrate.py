"""Brings the database's tables up to date."""

import click

from commands.shared import database_errors
from triage.environment import read_environment
from triage.store import open_store
from triage.store.migrate import migrate


@click.command()
@database_errors()
def command() -> None:
    """Create or upgrade the database's tables; safe to run again.

    \b
    Example:
      python manage.py migrate
    """
    migrate(open_store(read_environment().database_url).engine)
    click.echo("tables are up to date")
