"""Becomes the beat process."""

import os
import sys
from pathlib import Path

import click

from commands.shared import checked_settings


@click.command()
@click.option(
    "--schedule",
    default="data/beat-schedule",
    show_default=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="File that remembers when each task last ran.",
)
def command(schedule: Path) -> None:
    """Run beat: starts the sweep, the reconciliation and the retention on time.

    One is enough; a second one by mistake does no harm.

    \b
    Example:
      python manage.py beat
    """
    environment, _ = checked_settings()
    schedule.parent.mkdir(parents=True, exist_ok=True)
    arguments = [
        sys.executable,
        "-m",
        "celery",
        *("--app", "workers.app", "--quiet", "beat"),
        *("--schedule", str(schedule), "--loglevel", environment.log_level),
        # No pid file: one left by a killed beat would stop the next, and two beats do no harm.
        *("--pidfile", ""),
    ]
    os.execv(sys.executable, arguments)  # noqa: S606 - fixed arguments  # nosec B606
