"""Runs the web process."""

import signal
import sys

import click
from flask import Flask
from waitress import serve

from commands.shared import checked_settings
from webhooks.wsgi import build

# Requests are read before a thread takes them, so slow senders hold a connection and nothing else; these bound them.
SILENCE_SECONDS = 20
CONNECTIONS = 1000
SEND_BYTES = 18_000


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--threads", default=8, show_default=True, help="Requests answered at the same time.")
def command(host: str, threads: int) -> None:
    """Run the web process: webhooks, health, metrics and console.

    \b
    Examples:
      python manage.py web
      python manage.py web --host 0.0.0.0 --threads 16
    """
    environment, _ = checked_settings()
    # Waitress lets the requests under way end on SystemExit.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    listen(build(), host, environment.port, threads)


def listen(app: Flask, host: str, port: int, threads: int) -> None:
    """Serve `app` until the process is told to end."""
    serve(
        app,
        host=host,
        port=port,
        threads=threads,
        channel_timeout=SILENCE_SECONDS,
        cleanup_interval=5,
        connection_limit=CONNECTIONS,
        # Head and body of an answer leave together: with each piece sent by itself the loop that watches all
        # connections turns around five times a request, for there is always one with something left to send.
        send_bytes=SEND_BYTES,
        # A little more than ours, so that ours answers first.
        max_request_body_size=2 * 1024 * 1024,
        # The application trusts TRUSTED_PROXIES itself.
        clear_untrusted_proxy_headers=False,
        ident="tandem",
    )
