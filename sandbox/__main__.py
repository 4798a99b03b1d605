"""Run the sandbox helpdesk: `python -m sandbox --port 8001 --deliver-to http://127.0.0.1:8000`."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import sys
import threading
import time
from pathlib import Path

import click
import requests
from werkzeug.serving import make_server

from sandbox.app import create_app, sandbox_of
from sandbox.config import CREDENTIALS, ConfigError, SandboxConfig
from sandbox.state import Sandbox

HOST = "127.0.0.1"  # never anything else: the control API has no login
READY_PATH = "/healthz"
OWN_NAMES = {"zendesk_desk": "yours", "freshdesk_desk": "yours"}
GIVE_UP_AFTER = 120.0
LIMITS = ("zendesk_limit", "zendesk_update_limit", "zendesk_incremental_limit", "freshdesk_limit")
UPDATES: dict[str, frozenset[str]] = {
    "zendesk_events": frozenset(
        ["created", "comment_added", "tags_changed", "status_changed", "priority_changed", "group_assignment_changed"]
    ),
    "freshdesk_events": frozenset(["ticket_created", "ticket_updated"]),
}


@click.command()
@click.option("--port", default=8001, show_default=True, help="Port on 127.0.0.1.")
@click.option("--deliver-to", default="", help="Where Tandem listens; empty sends no webhooks.")
@click.option("--tickets", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Sample tickets, JSONL.")
@click.option("--every", default=2.0, show_default=True, help="Seconds between two sample tickets.")
@click.option("--updates", is_flag=True, help="Send webhooks about changes too, not only about new tickets.")
@click.option("--feed", is_flag=True, help="Push the sample tickets as soon as --deliver-to answers.")
@click.option("--zendesk-desk", default="acme", show_default=True, help="Desk name in Zendesk's webhook URL.")
@click.option("--freshdesk-desk", default="globex", show_default=True, help="Desk name in Freshdesk's webhook URL.")
@click.option("--own-port", type=int, help="Serve a second, empty pair of accounts there, for you to connect.")
@click.option("--calls-per-minute", type=int, help="Every rate limit, for load tests; else those of the vendors.")
@click.option("--verbose", is_flag=True, help="Log every request.")
def main(
    port: int,
    deliver_to: str,
    tickets: Path | None,
    every: float,
    updates: bool,
    feed: bool,
    zendesk_desk: str,
    freshdesk_desk: str,
    own_port: int | None,
    calls_per_minute: int | None,
    verbose: bool,
) -> None:
    """Pretend to be a Zendesk and a Freshdesk account; credentials come from SANDBOX_* variables."""
    if not verbose:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
    config = SandboxConfig.from_environment(
        os.environ,
        deliver_to=deliver_to,
        tickets=tickets,
        every=every,
        zendesk_desk=zendesk_desk,
        freshdesk_desk=freshdesk_desk,
        **(UPDATES if updates else {}),
        **(dict.fromkeys(LIMITS, calls_per_minute) if calls_per_minute else {}),
    )
    try:
        app = create_app(config)
    except ConfigError as error:
        click.echo(f"sandbox: {error}", err=True)
        sys.exit(2)
    try:
        server = make_server(HOST, port, app, threaded=True)
    except (OSError, SystemExit):
        click.echo(f"sandbox: port {port} is taken; choose another with --port", err=True)
        sys.exit(2)
    if own_port:
        serve_own(own_port, tickets, every)
    if feed:
        threading.Thread(target=feed_when_ready, args=(sandbox_of(app), deliver_to), daemon=True).start()
    click.echo(f"Sandbox helpdesk on http://{HOST}:{server.port}/")
    try:
        server.serve_forever()
    finally:
        sandbox_of(app).close()
    sys.stdout.flush()
    os._exit(0)  # a webhook under way would keep the process for up to 12 seconds; nothing here is worth saving


def serve_own(port: int, tickets: Path | None, every: float) -> None:
    """Serve a second pair of accounts in the background, with credentials that its first page shows."""
    made = {name: secrets.token_urlsafe(18) for name in CREDENTIALS} | {"SANDBOX_ZENDESK_CLIENT_ID": "tandem"}
    config = SandboxConfig.from_environment(made, tickets=tickets, every=every, own=True, **OWN_NAMES)
    try:
        server = make_server(HOST, port, create_app(config), threaded=True)
    except (OSError, SystemExit):
        click.echo(f"sandbox: port {port} is taken; choose another with --own-port", err=True)
        sys.exit(2)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def feed_when_ready(sandbox: Sandbox, deliver_to: str) -> None:
    """Wait until Tandem answers, then start the feed: a webhook to nobody is lost, as in real life."""
    until = time.monotonic() + GIVE_UP_AFTER
    with requests.Session() as session:
        session.trust_env = False
        while deliver_to and time.monotonic() < until:
            try:
                if session.get(deliver_to.rstrip("/") + READY_PATH, timeout=2).ok:
                    break
            except requests.RequestException:
                pass
            time.sleep(0.5)
    with contextlib.suppress(RuntimeError):  # somebody pressed the button first
        sandbox.feed.start()


if __name__ == "__main__":
    main()
