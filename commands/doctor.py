"""Checks everything Tandem stands on; one line each, with the remedy."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import click
from kombu.connection import Connection
from redis import Redis, RedisError
from sqlalchemy.exc import SQLAlchemyError

from commands.shared import find_embedded_redis
from connectors.budget import redis_url
from triage.environment import Environment
from triage.errors import ModelError, TandemError
from triage.logs import configure_logging
from triage.settings import Desk
from triage.store.marks import BEAT, EVERY_DESK
from triage.store.migrate import is_current
from triage.ticket import Author, Message, Ticket
from workers.notify import check
from workers.runtime import Runtime

OK, WARNING, BROKEN = "ok", "warning", "broken"
COLOURS = {OK: "green", WARNING: "yellow", BROKEN: "red"}
BEAT_SECONDS = 30.0
QUEUE_SECONDS = 120.0


@dataclass(frozen=True)
class Finding:
    """What one check found; `remedy` says what to do about it."""

    what: str
    state: str
    text: str
    remedy: str = ""


@click.command()
def command() -> None:
    """Check database, broker, worker, beat, helpdesks and model.

    One line each: ok, warning or broken, and the remedy. Ends with code 1 when
    something is broken.
    """
    # What a warning would say is a finding below.
    configure_logging("ERROR")
    find_embedded_redis()
    runtime = Runtime.from_environment()
    broken = False
    for finding in findings(runtime):
        broken |= finding.state == BROKEN
        click.secho(f"{finding.state:8}", fg=COLOURS[finding.state], nl=False)
        click.echo(f"{finding.what:22} {finding.text}")
        if finding.remedy:
            click.echo(f"{'':30} -> {finding.remedy}")
    sys.exit(1 if broken else 0)


def findings(runtime: Runtime) -> Iterator[Finding]:
    """Yield every check's finding."""
    yield Finding("settings", OK, f"{len(runtime.settings.desks)} desks, {len(runtime.settings.teams)} teams")
    yield from _database(runtime)
    yield _redis(runtime.environment)
    if runtime.environment.broker_url:
        yield _broker(runtime.environment.broker_url)
    for name, desk in runtime.settings.desks.items():
        yield from _desk(runtime, name, desk)
    yield _classifier(runtime)
    yield from _channels(runtime)


def _database(runtime: Runtime) -> Iterator[Finding]:
    try:
        if not is_current(runtime.store.engine):
            yield Finding("database", BROKEN, "the tables are not up to date", "python manage.py migrate")
            return
        yield Finding("database", OK, runtime.store.engine.dialect.name)
        yield _beat(runtime)
        yield _queue(runtime)
    except (SQLAlchemyError, OSError, ValueError) as error:
        # An address that cannot be one is a ValueError, a folder that cannot be made an OSError.
        yield Finding("database", BROKEN, type(error).__name__, "start the database or correct DATABASE_URL")


def _beat(runtime: Runtime) -> Finding:
    seen = runtime.store.cursors.get(EVERY_DESK, BEAT)
    if seen is None:
        return Finding("worker and beat", WARNING, "never seen", "start python manage.py worker and beat")
    age = time.time() - seen[1]
    if age > BEAT_SECONDS:
        return Finding("worker and beat", BROKEN, f"last seen {age:.0f} s ago", "start worker and beat again")
    return Finding("worker and beat", OK, f"last seen {age:.0f} s ago")


def _queue(runtime: Runtime) -> Finding:
    oldest = runtime.store.deliveries.oldest_open()
    age = time.time() - oldest if oldest else 0.0
    dead = runtime.store.deliveries.counts().get("dead", 0)
    text = f"oldest open delivery {age:.0f} s, {dead} dead"
    if age > QUEUE_SECONDS:
        return Finding("inbox", WARNING, text, "look at the console for what it waits for; start more workers")
    return Finding("inbox", WARNING if dead else OK, text, "python manage.py replay --dead" if dead else "")


def _redis(environment: Environment) -> Finding:
    try:
        Redis.from_url(redis_url(environment.redis_url), socket_timeout=2, socket_connect_timeout=2).ping()
    except (RedisError, OSError, ValueError) as error:
        return Finding("redis", BROKEN, type(error).__name__, "start Redis or correct REDIS_URL")
    return Finding("redis", OK, "answers")


def _broker(url: str) -> Finding:
    try:
        with Connection(url, connect_timeout=2) as connection:  # type: ignore[no-untyped-call]
            connection.ensure_connection(max_retries=1, timeout=2)
    except Exception as error:  # each broker's client raises its own
        return Finding("broker", BROKEN, type(error).__name__, "start the broker or correct BROKER_URL")
    return Finding("broker", OK, "answers")


def _desk(runtime: Runtime, name: str, desk: Desk) -> Iterator[Finding]:
    try:
        account = runtime.connector(name).account()
        yield Finding(f"desk {name}", OK, f"{desk.platform} as {account.name or account.user_id}, mode {desk.mode}")
        days = desk.token_days_left(datetime.now(UTC).date())
        if days is not None:
            remedy = "use an OAuth client, see docs/zendesk.md"
            yield Finding(f"desk {name}", WARNING, f"its API token stops working in {days} days", remedy)
    except TandemError as error:
        yield Finding(f"desk {name}", BROKEN, str(error), f"correct desks.{name}.auth or the bot's role")


def _channels(runtime: Runtime) -> Iterator[Finding]:
    """Look at the addresses only: a check sends nobody a message."""
    channels = runtime.settings.sla.channels
    for name in channels:
        try:
            check(channels, name)
            yield Finding(f"channel {name}", OK, "an address Apprise knows")
        except TandemError as error:
            yield Finding(f"channel {name}", BROKEN, str(error), f"correct sla.channels.{name}")


def _classifier(runtime: Runtime) -> Finding:
    ticket = Ticket(desk="", id="1", subject="Doctor", messages=(Message("1", Author.CUSTOMER, "I cannot log in"),))
    try:
        answer = runtime.classifier.classify(ticket)
    except ModelError as error:
        return Finding("classifier", BROKEN, str(error), "check OPENAI_BASE_URL, OPENAI_API_KEY and OPENAI_MODEL")
    if answer.fallback_reason:
        remedy = "check OPENAI_BASE_URL, OPENAI_API_KEY and OPENAI_MODEL"
        return Finding("classifier", WARNING, f"embedded answers: {answer.fallback_reason}", remedy)
    return Finding("classifier", OK, answer.model or answer.classifier)
