"""Connects a helpdesk account, repairs the connection, or takes it away."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from commands.connect_ask import Options, pairs
from commands.connect_proof import Room
from commands.connect_remove import remove
from commands.connect_run import Connecting
from commands.connect_screen import Talk
from commands.shared import find_embedded_redis
from triage.desk_plan import Files
from triage.environment import env_file, read_environment
from triage.logs import configure_logging
from triage.settings import Mode

WAIT_SECONDS = 60.0
STOPPED = "\nstopped. Run it again when you like: what is done already is found and kept."
# Plain words: of an enum, click takes the members' names only.
MODES = [str(mode) for mode in Mode]


def _or_empty(_context: click.Context, _option: click.Parameter, value: str | None) -> str:
    """Return the choice, or nothing where there is none."""
    return value or ""


@click.command()
@click.argument("platform", type=click.Choice(["zendesk", "freshdesk"]))
@click.option("--desk", default="", help="Its name here, part of the webhook URL.")
@click.option("--url", default="", help="The account's address, like https://acme.zendesk.com.")
@click.option(
    "--auth", "kind", type=click.Choice(["oauth", "token", "key"]), callback=_or_empty, help="How to sign in."
)
@click.option("--client-id", default="", help="Identifier of the OAuth client.")
@click.option("--email", default="", help="The bot's address, with --auth token.")
@click.option("--scope", default="", help="OAuth scope to ask for instead of `read write`.")
@click.option("--secret-env", default="", metavar="NAME", help="Variable that holds the secret.")
@click.option("--secret-stdin", is_flag=True, help="Read the secret from standard input.")
@click.option("--map", "maps", multiple=True, metavar="TEAM=GROUP", help="A team's group; may come often.")
@click.option("--mode", type=click.Choice(MODES), callback=_or_empty, help="What Tandem may do; first: watch.")
@click.option("--by", default="auto", type=click.Choice(["auto", "events", "trigger"]), help="Kind of webhook.")
@click.option("--public-url", default="", help="Where the helpdesk reaches Tandem; goes into .env.")
@click.option("--wait", default=WAIT_SECONDS, show_default=True, help="Seconds to wait for the test.")
@click.option("--dry-run", is_flag=True, help="Look and show only; change nothing anywhere.")
@click.option("--remove", "removing", is_flag=True, help="Take webhook, desk and secrets away.")
@click.option("--show-secret", is_flag=True, help="Print Freshdesk's webhook secret in the rule.")
@click.option("--yes", is_flag=True, help="Ask nothing; take what is proposed.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON; implies --yes.")
def command(
    *,
    maps: tuple[str, ...],
    by: str,
    public_url: str,
    wait: float,
    dry_run: bool,
    removing: bool,
    show_secret: bool,
    yes: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Connect a Zendesk or Freshdesk account, or repair it.

    Asks for what it needs, proves the credential, shows what Tandem may and
    finds, maps teams to groups, makes the webhook (Zendesk) or prints the rules
    (Freshdesk), writes tandem.yaml and .env, and waits for a test to arrive.
    Running it again repairs. Secrets are asked for hidden, or read from .env,
    the environment or standard input; never from the command line.

    \b
    Examples:
      python manage.py connect zendesk
      python manage.py connect zendesk --url https://acme.zendesk.com \\
          --client-id tandem --secret-env SECRET --map billing=Finance --yes
      python manage.py connect freshdesk --url https://acme.freshdesk.com \\
          --secret-stdin --yes --json < key.txt
      python manage.py connect zendesk --desk acme --remove

    Ends with 0 when all is done, 1 when something is left to do by hand.
    """
    configure_logging("CRITICAL")
    find_embedded_redis()
    environment = read_environment()
    talk = Talk(yes or as_json, as_json)
    room = Room(talk, environment, Files(Path(environment.tandem_config), env_file()), wait)
    options = Options(**given)
    try:
        if removing:
            remove(room, options)
        else:
            Connecting(room, options, by, show_secret=show_secret).run(pairs(maps), public_url, dry_run=dry_run)
    except (click.Abort, KeyboardInterrupt):
        click.echo(STOPPED, err=True)
        sys.exit(1)
    talk.result["left"] = room.left
    if as_json:
        click.echo(json.dumps(talk.result, indent=2))
    sys.exit(1 if room.left else 0)
