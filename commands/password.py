"""Make the hash of a console password, so that the password itself need not stand in `.env`."""

from __future__ import annotations

import sys

import click
from werkzeug.security import generate_password_hash

LEAST = 8
TOO_SHORT = f"a console password has at least {LEAST} characters"


@click.command()
@click.option("--viewer", is_flag=True, help="For those who may look and change nothing.")
def command(viewer: bool) -> None:
    """Print the line for .env that lets people sign in to the console.

    Asks for the password, or reads it from standard input where that is a pipe:
    on the command line others on the machine could read it.

    \b
    Examples:
      python manage.py password >> .env
      python manage.py password --viewer >> .env
    """
    if sys.stdin.isatty():
        # On stderr: standard output is the line itself.
        password = str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if len(password) < LEAST:
        raise click.UsageError(TOO_SHORT)
    name = "CONSOLE_VIEWER_PASSWORD_HASH" if viewer else "CONSOLE_PASSWORD_HASH"
    # In single quotes a shell, compose and dotenv all leave the dollar signs alone.
    click.echo(f"{name}='{generate_password_hash(password)}'")
