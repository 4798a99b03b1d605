"""The checks that ask others: each helpdesk, the models, our own public address, the channels for messages."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from sqlalchemy.exc import SQLAlchemyError

from connectors.base import Connector
from triage.classify import shared_encoder
from triage.environment import Environment
from triage.errors import Retry, TandemError, Wait
from triage.settings import LOOPBACK, Desk
from triage.sources import ARTICLE, TICKET
from workers import desk_account, model_health
from workers.desk_account import ago
from workers.health import Finding, State, skew
from workers.notify import check

if TYPE_CHECKING:
    from workers.runtime import Runtime

PUBLIC_SECONDS = 5.0
LOW_SHARE = 0.2
# An index that has missed so many rounds is late.
LATE_ROUNDS = 3


def look_around(runtime: Runtime, now: float) -> Iterator[Finding]:
    """Yield how everything stands that is not on our own side. Asks the language model once, where one is set."""
    yield public_address(runtime.environment, runtime.settings.desks)
    for name, one in runtime.settings.desks.items():
        found = list(desk(name, one, runtime, now))
        yield from found
        if found[0].state is State.OK:
            yield desk_account.rights(name, runtime)
            try:
                yield from knowledge(name, runtime, now)
                yield desk_account.webhook(name, one, runtime, now)
            except (SQLAlchemyError, OSError, ValueError):
                # What is wrong with the database is a line of its own.
                yield Finding(f"desk {name}", State.WARNING, "webhook and knowledge need the database", sure=False)
    yield encoder()
    yield from model_health.look(runtime)
    yield links(runtime)
    yield from channels(runtime)


def desk(name: str, settings: Desk, runtime: Runtime, now: float) -> Iterator[Finding]:
    """Yield credential, token, clock and rate limit of one desk: the credential first, it costs one call."""
    what = f"desk {name}"
    try:
        connector: Connector = runtime.connector(name)
        account = connector.account()
    except TandemError as error:
        if isinstance(error, Wait):
            yield Finding(what, State.WARNING, str(error), sure=False)
        elif isinstance(error, Retry):
            yield Finding(what, State.BROKEN, str(error), f"look at {settings.url}: is it there?", sure=False)
        else:
            yield Finding(what, State.BROKEN, str(error), f"correct desks.{name}.auth or the bot's role")
        return
    role = f" ({account.role})" if account.role else ""
    who = account.name or account.user_id
    yield Finding(what, State.OK, f"{settings.platform} as {who}{role}, mode {settings.mode}")
    days = settings.token_days_left(datetime.now(UTC).date())
    if days is not None:
        remedy = "use an OAuth client, see docs/zendesk.md"
        yield Finding(what, State.WARNING, f"its API token stops working in {days} days", remedy)
    if connector.clock_skew is not None:
        drift = skew(what, connector.clock_skew)
        if drift.state is not State.OK:
            yield drift
    if (room := runtime.headroom(name, now)) is not None:
        left, limit = room
        low = left < limit * LOW_SHARE
        remedy = "another app uses up the account's calls; see sizing in docs/operations.md" if low else ""
        state = State.WARNING if low else State.OK
        yield Finding(what, state, f"{left:.0f} of {limit:.0f} calls left this minute", remedy)


def knowledge(name: str, runtime: Runtime, now: float) -> Iterator[Finding]:
    """Yield how old the index of a desk is, nothing where nothing is to be read."""
    wanted = runtime.settings.desks[name].knowledge
    kinds = [(ARTICLE, "articles")] * wanted.articles + [(TICKET, "solved tickets")] * wanted.tickets
    said, is_late = [], False
    for kind, label in kinds:
        stands = runtime.store.knowledge.round(name, kind)
        late = stands.finished_at is None or now - stands.finished_at > LATE_ROUNDS * wanted.every * 60
        # The first round over a year of tickets takes its time.
        is_late |= bool(stands.reason) or (late and stands.started_at is None)
        read = "never read" if stands.finished_at is None else f"read {ago(now - stands.finished_at)}"
        said.append(f"{label} {read}{', under way' if stands.started_at else ''}{_reason(stands.reason)}")
    if not said:
        return
    state = State.WARNING if is_late else State.OK
    remedy = f"python manage.py knowledge sync --desk {name}" if is_late else ""
    yield Finding(f"desk {name}", state, f"knowledge: {'; '.join(said)}", remedy)


def _reason(reason: str) -> str:
    return f" ({reason})" if reason else ""


def links(runtime: Runtime) -> Finding:
    """Return whether notes can hold links for votes and answers."""
    what, wanted = "links in notes", runtime.settings.feedback
    if not wanted.links:
        return Finding(what, State.OK, "switched off by feedback.links")
    missing = [
        name
        for name, value in (
            ("SECRET_KEY", runtime.environment.secret_key.get_secret_value()),
            ("PUBLIC_URL", runtime.environment.public_url),
        )
        if not value
    ]
    linked = [name for name in runtime.settings.desks if runtime.links(name)]
    if len(linked) == len(runtime.settings.desks):
        return Finding(what, State.OK, f"signed, good for {wanted.days} days")
    said = f"none: {' and '.join(missing)} not set, so nobody can vote or answer"
    return Finding(what, State.WARNING, said, "set " + " and ".join(missing) + " in .env")


def public_address(environment: Environment, desks: dict[str, Desk]) -> Finding:
    """Return whether our public address leads to us, as far as can be told from here."""
    what, url = "public address", environment.public
    is_local = urlsplit(url).hostname in LOOPBACK
    if is_local and any(urlsplit(one.url).hostname not in LOOPBACK for one in desks.values()):
        said = f"{url} is this machine's own: no helpdesk reaches it"
        return Finding(what, State.WARNING, said, "set PUBLIC_URL to the https address of your proxy")
    try:
        with urllib.request.urlopen(f"{url}/healthz", timeout=PUBLIC_SECONDS) as answer:  # noqa: S310 - our own address  # nosec B310
            is_ours = b'"status"' in answer.read(200)
    except HTTPError as error:
        return Finding(what, State.BROKEN, f"{url} answers {error.code}", "correct PUBLIC_URL, or the proxy before web")
    except (URLError, OSError, ValueError) as error:
        reason = type(getattr(error, "reason", error)).__name__
        remedy = "start python manage.py web; correct PUBLIC_URL, its certificate, or the proxy before web"
        return Finding(what, State.WARNING, f"{url} cannot be reached from here ({reason})", remedy)
    if not is_ours:
        return Finding(what, State.BROKEN, f"{url} is answered by something else", "correct PUBLIC_URL or the proxy")
    return Finding(what, State.OK, f"{url} leads here")


def encoder() -> Finding:
    """Return whether the built-in model is there and answers the numbers it should."""
    try:
        return Finding("embedded model", State.OK, shared_encoder().model_id)
    except (TandemError, ImportError, OSError) as error:
        text = str(error) if isinstance(error, TandemError) else type(error).__name__
        return Finding("embedded model", State.BROKEN, text, "pip install --force-reinstall -r requirements.txt")


def channels(runtime: Runtime) -> Iterator[Finding]:
    """Look at the addresses only: a check sends nobody a message."""
    given = runtime.settings.sla.channels
    for name in given:
        try:
            check(given, name)
            yield Finding(f"channel {name}", State.OK, "an address Apprise knows")
        except TandemError as error:
            yield Finding(f"channel {name}", State.BROKEN, str(error), f"correct sla.channels.{name}")
