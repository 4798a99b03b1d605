"""Runs the web process."""

import resource
import signal
import sys

import click
from flask import Flask
from waitress import serve
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError

from commands.shared import checked_settings
from webhooks.wsgi import build

# Requests are read before a thread takes them, so slow senders hold a connection and nothing else; these bound them.
SILENCE_SECONDS = 20
CONNECTIONS = 4000
# What the database, the broker, logs and files need beside the connections.
OTHER_FILES = 200
# Enough for any helpdesk and browser; each connection may hold that much.
HEADER_BYTES = 64 * 1024
SEND_BYTES = 18_000


class OneLengthParser(HTTPRequestParser):  # type: ignore[misc]
    """Refuses a request whose end two programs in a row may see in two places (request smuggling)."""

    def parse_header(self, header_plus: bytes) -> None:
        """Read the head of a request. Raises ParsingError."""
        super().parse_header(header_plus)
        if self.chunked and "CONTENT_LENGTH" in self.headers:
            raise ParsingError("both Transfer-Encoding and Content-Length")


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--threads", default=32, show_default=True, help="Requests answered at the same time.")
def command(host: str, threads: int) -> None:
    """Run the web process: webhooks, health, metrics and console.

    \b
    Examples:
      python manage.py web
      python manage.py web --host 0.0.0.0 --threads 64
    """
    environment, _ = checked_settings()
    # Waitress lets the requests under way end on SystemExit.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    listen(build(), host, environment.port, threads)


def listen(app: Flask, host: str, port: int, threads: int) -> None:
    """Serve `app` until the process is told to end."""
    HTTPChannel.parser_class = OneLengthParser
    serve(
        app,
        host=host,
        port=port,
        threads=threads,
        channel_timeout=SILENCE_SECONDS,
        cleanup_interval=5,
        connection_limit=connections(),
        # select() ends the process at the first file above number 1023.
        asyncore_use_poll=True,
        max_request_header_size=HEADER_BYTES,
        # Head and body of an answer leave together: with each piece sent by itself the loop that watches all
        # connections turns around five times a request, for there is always one with something left to send.
        send_bytes=SEND_BYTES,
        # A little more than ours, so that ours answers first.
        max_request_body_size=2 * 1024 * 1024,
        # The application trusts TRUSTED_PROXIES itself.
        clear_untrusted_proxy_headers=False,
        ident="tandem",
    )


def connections() -> int:
    """Return how many connections may be open, after asking the system for as many files as they need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + OTHER_FILES
    if 0 <= soft < wanted:
        soft = wanted if hard < 0 else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return CONNECTIONS if soft < 0 else max(1, min(CONNECTIONS, soft - OTHER_FILES))
