"""Who is asking: what an agent would look up before answering, in a few words. Pure; what is unknown is left out.

The texts are customers' and admins' own and are hostile until escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby

from triage.classification import SENTIMENTS
from triage.note_parts import named, quoted, short
from triage.ticket import Author, Rating, Ticket

ARROW = " → "
MAX_FACTS = 4
MAX_FILES = 3
NAME_LENGTH = 50
VALUE_LENGTH = 30
SUBJECT_LENGTH = 40
MOODS = 4
SOON_DAYS = 90
MONTH_DAYS = 30.44
YEAR_DAYS = 365.25


@dataclass(frozen=True)
class Packet:
    """Short facts, each empty where nothing is known."""

    customer: tuple[str, ...] = ()
    """What they are to us: name, tier, plan, MRR, age of the account, renewal."""
    history: tuple[str, ...] = ()
    """How it went so far: open tickets, contacts, moods, last rating."""
    details: tuple[str, ...] = ()
    """What comes with the ticket: product facts, files."""


def packet(ticket: Ticket, now: datetime, *, moods: Mapping[str, str], mood: str, prefix: str) -> Packet:
    """Return the packet of `ticket`.

    `moods`: ticket id -> what an earlier run saw, this ticket's own included; `mood`: what this run sees, empty where
    it is not sure; `prefix`: of our tags, which go before `moods`, because agents correct them.
    """
    return Packet(_customer(ticket, now), _history(ticket, _path(ticket, moods, mood, prefix)), _details(ticket))


def files(ticket: Ticket) -> tuple[str, ...]:
    """Return the names of the files the customer sent, each once."""
    sent = (name for one in ticket.messages if one.author is Author.CUSTOMER for name in one.attachments)
    return tuple(dict.fromkeys(sent))


def _known(facts: Iterable[str]) -> tuple[str, ...]:
    return tuple(fact for fact in facts if fact)


def _customer(ticket: Ticket, now: datetime) -> tuple[str, ...]:
    one = ticket.organization
    since = one.created_at or ticket.requester.created_at
    return _known(
        (
            one.name and named(one.name, NAME_LENGTH),
            one.tier and f"tier {named(one.tier, VALUE_LENGTH)}",
            one.plan and f"plan {named(one.plan, VALUE_LENGTH)}",
            f"MRR {one.mrr:,.0f}" if one.mrr is not None else "",
            _age(since, now) if since else "",
            _renewal(one.renewal, now.date()) if one.renewal else "",
        )
    )


def _age(since: datetime, now: datetime) -> str:
    days = max((now - since).days, 0)
    if days >= 2 * YEAR_DAYS:
        return f"account {int(days / YEAR_DAYS)} years old"
    if days >= 2 * MONTH_DAYS:
        return f"account {int(days / MONTH_DAYS)} months old"
    return f"account {days} days old" if days > 1 else "new account"


def _renewal(renewal: date, today: date) -> str:
    days = (renewal - today).days
    if days == 0:
        return "renews today"
    if days > SOON_DAYS:
        return f"renews {renewal}"
    return f"renews in {_days(days)}" if days > 0 else f"renewal passed {_days(-days)} ago"


def _days(days: int) -> str:
    return "1 day" if days == 1 else f"{days} days"


def _history(ticket: Ticket, path: list[str]) -> tuple[str, ...]:
    latest = f", latest: {quoted(ticket.earlier[0].subject, SUBJECT_LENGTH)}" if ticket.earlier else ""
    count, opened = ticket.ticket_count_30d, ticket.background.open_tickets
    return _known(
        (
            f"{opened} more open" if opened else "",
            f"{count} other ticket{'s' if count > 1 else ''} in 30 days{latest}" if count else "",
            f"mood: {_way(path)}" if len(path) > 1 else "",
            _rating(ticket.background.rating),
        )
    )


def _way(path: list[str]) -> str:
    """Return moods in order, each stretch of the same one once, with how often."""
    runs = ((mood, len(list(same))) for mood, same in groupby(path))
    return ARROW.join(f"{mood} ×{times}" if times > 1 else mood for mood, times in runs)


def _rating(rating: Rating | None) -> str:
    if rating is None:
        return ""
    day = f", {rating.at:%Y-%m-%d}" if rating.at else ""
    return f"last CSAT: {rating.word} (ticket {short(rating.ticket_id, 20)}{day})"


def _path(ticket: Ticket, moods: Mapping[str, str], mood: str, prefix: str) -> list[str]:
    """Return the last MOODS moods: of other tickets, oldest first, then what this one was before and is now."""
    tagged = {f"{prefix}sentiment_{word}": word for word in SENTIMENTS}

    def seen(ticket_id: str, tags: Iterable[str]) -> str:
        return next((tagged[tag] for tag in tags if tag in tagged), moods.get(ticket_id, ""))

    before = [seen(one.id, one.tags) for one in reversed(ticket.background.before)]
    own = moods.get(ticket.id, "")
    return list(_known((*before, own if own != mood else "", mood)))[-MOODS:]


def _details(ticket: Ticket) -> tuple[str, ...]:
    told = [f"{label}: {named(value, VALUE_LENGTH)}" for label, value in ticket.background.facts[:MAX_FACTS]]
    sent = files(ticket)
    if sent:
        more = f" and {len(sent) - MAX_FILES} more" if len(sent) > MAX_FILES else ""
        names = ", ".join(named(name, VALUE_LENGTH) for name in sent[:MAX_FILES])
        told.append(f"attached: {names}{more}")
    return tuple(told)
