"""Becomes a worker process."""

import os
import sys

import click

from commands.shared import checked_settings
from workers.notify import check_channels


@click.command()
@click.option("--concurrency", default=20, show_default=True, help="Tickets worked on at the same time.")
@click.option("--queues", default="triage,sweep,bulk", show_default=True, help="Queues to take work from.")
def command(concurrency: int, queues: str) -> None:
    """Run a worker: reads, classifies and writes tickets.

    Start as many as you like. SIGTERM ends it: what it has begun is finished,
    for up to 30 seconds.

    \b
    Examples:
      python manage.py worker
      python manage.py worker --concurrency 40
      python manage.py worker --queues sweep
    """
    environment, settings = checked_settings()
    check_channels(settings, environment.tandem_config)
    arguments = [
        sys.executable,
        "-m",
        "celery",
        *("--app", "workers.app", "--quiet", "worker"),
        *("--queues", queues, "--concurrency", str(concurrency)),
        *("--loglevel", environment.log_level),
        # Workers need not know of each other: leases are in the database.
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
    ]
    os.execv(sys.executable, arguments)  # noqa: S606 - fixed arguments  # nosec B606
