"""Becomes the web process."""

import os
import sys

import click

from commands.shared import checked_settings


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--threads", default=8, show_default=True, help="Requests answered at the same time.")
def command(host: str, threads: int) -> None:
    """Run the web process: webhooks, health, metrics and console."""
    environment, _ = checked_settings()
    arguments = [
        sys.executable,
        "-m",
        "gunicorn",
        "webhooks.wsgi:build()",
        *("--bind", f"{host}:{environment.port}"),
        *("--worker-class", "gthread", "--workers", "1", "--threads", str(threads)),
        # A request that hangs this long is cut off; the helpdesks give up after 12 s.
        *("--timeout", "30", "--graceful-timeout", "20"),
        *("--log-level", "warning"),
    ]
    os.execv(sys.executable, arguments)  # noqa: S606 - fixed arguments
