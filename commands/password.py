"""Make the hash of a console password, so that the password itself need not stand in `.env`."""

from __future__ import annotations

import click
from werkzeug.security import generate_password_hash

LEAST = 8
TOO_SHORT = f"a console password has at least {LEAST} characters"


@click.command(epilog="Example: python manage.py password --viewer >> .env")
@click.option("--viewer", is_flag=True, help="For those who may look and change nothing.")
@click.option("--password", prompt=True, hide_input=True, confirmation_prompt=True, help="Asked for where not given.")
def command(viewer: bool, password: str) -> None:
    """Print the line for .env that lets people sign in to the console with a password."""
    if len(password) < LEAST:
        raise click.UsageError(TOO_SHORT)
    name = "CONSOLE_VIEWER_PASSWORD_HASH" if viewer else "CONSOLE_PASSWORD_HASH"
    # In single quotes a shell, compose and dotenv all leave the dollar signs alone.
    click.echo(f"{name}='{generate_password_hash(password)}'")
