"""What has happened on a ticket since Tandem last read it, and whether that calls for another run. Pure.

One rule for everybody who reads a ticket, whoever told them to. A run's occasion says what it is about:
`created`, `message:<id>` (the customer wrote again), `asked:<id>` (an agent's `@tandem` line in a private note),
`asked:tag:<second>` (the tag `ai_please`), `answer:<id>` (a person answered a question of ours).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from triage.clean import by_machine, html_to_text
from triage.clean_quotes import is_forward_line
from triage.settings import Mode, Settings
from triage.ticket import Author, Message, Status, Ticket

CREATED, MESSAGE, ASKED, TAG, ANSWER = "created", "message:", "asked:", "asked:tag:", "answer:"
LATER = (MESSAGE, ASKED, ANSWER)
GONE = {Status.CLOSED, Status.DELETED, Status.SPAM}
ASK = re.compile(r"^[ \t]*@tandem(?![\w.@-])[ \t:,;–-]*(.*)$", re.IGNORECASE | re.MULTILINE)
QUOTED = re.compile(r"<blockquote\b", re.IGNORECASE)
HINT_LENGTH = 300
OVER = "the ticket is solved"
READ = "an earlier run has read this message already"
REPLIED = "a person has replied to the customer"
TAKEN_BACK = "the request was taken back"
SWITCHED_OFF = "the settings leave this to people (living)"


@dataclass(frozen=True)
class Handled:
    """One run of the ticket: what it was about and how far it has read."""

    occasion: str
    done: bool
    skipped: bool
    """There was nothing to do."""
    at: float
    """When it ended, or began where it has not."""
    heard: str | None = None
    """Id of the newest message it read; empty where that was the first one, None where it is not known."""


def newest_id(ticket: Ticket) -> str:
    """Return how far a reading of `ticket` goes: what `Handled.heard` holds."""
    return ticket.messages[-1].id if ticket.messages else ""


def next_occasion(ticket: Ticket, past: Sequence[Handled], settings: Settings, bot_id: str) -> str | None:
    """Return the occasion of the run that `ticket` calls for now, None where it calls for none.

    Without `bot_id`, the bot's own user, no note can be told from its own, so none is taken for a request.
    """
    if ticket.status in GONE:
        return None
    if settings.living.asked:
        if asks := open_asks(ticket, past, bot_id):
            return f"{ASKED}{asks[-1].id}"
        if settings.please_tag in ticket.tags and _is_new_tag(ticket, past, settings):
            return f"{TAG}{ticket.updated_at.timestamp() if ticket.updated_at else 0:.0f}"
    said = new_words(ticket, past)
    if said and not no_longer(f"{MESSAGE}{said[-1].id}", ticket, past, settings, bot_id):
        return f"{MESSAGE}{said[-1].id}"
    return None


def _is_new_tag(ticket: Ticket, past: Sequence[Handled], settings: Settings) -> bool:
    """Say whether the tag asks anew: not while a run is at it, nor where one has failed or could not take it away."""
    runs = [run for run in past if run.occasion.startswith(TAG)]
    writes = settings.desks[ticket.desk].mode.allows(Mode.NOTE)
    return all(run.skipped or (run.done and writes) for run in runs)


def no_longer(occasion: str, ticket: Ticket, past: Sequence[Handled], settings: Settings, bot_id: str) -> str:
    """Return why a run of `occasion` is not needed (any more), "" where it is; `past` are the ticket's other runs."""
    if occasion.startswith(MESSAGE):
        if not settings.living.messages:
            return SWITCHED_OFF
        if ticket.status is Status.SOLVED:
            return OVER
        if not new_words(ticket, past):
            return READ
        return REPLIED if has_replied(ticket, bot_id) else ""
    if occasion.startswith(ASKED) and not settings.living.asked:
        return SWITCHED_OFF
    if occasion.startswith(TAG):
        return "" if settings.please_tag in ticket.tags else TAKEN_BACK
    if occasion.startswith(ASKED):
        wanted = occasion.removeprefix(ASKED)
        return "" if any(note.id == wanted for note in asks_of(ticket, bot_id)) else TAKEN_BACK
    return ""


def new_words(ticket: Ticket, past: Sequence[Handled]) -> list[Message]:
    """Return what customers have written since the last run that was done; none where none was, or no person wrote."""
    done = _last_done(past)
    if done is None:
        return []
    return [
        one
        for one in _since(ticket, done)
        if one.author is Author.CUSTOMER and one.public and one.id and not by_machine(ticket, one)
    ]


def written_since(ticket: Ticket, heard: str | None) -> list[Message]:
    """Return what customers have written after the message `heard`."""
    later = _since(ticket, Handled(CREATED, done=True, skipped=False, at=0.0, heard=heard))
    return [one for one in later if one.author is Author.CUSTOMER and one.public]


def has_replied(ticket: Ticket, bot_id: str) -> bool:
    """Say whether a person has answered the customer; a first message by an agent is the ticket itself."""
    return any(
        one.author is Author.AGENT and one.public and not one.automatic and (one.author_id or "?") != bot_id
        for one in ticket.messages[1:]
    )


def for_judging(ticket: Ticket, bot_id: str) -> Ticket:
    """Return `ticket` without our own notes and without what agents ask of us: neither is part of the matter."""
    asks = {note.id for note in asks_of(ticket, bot_id)}
    ours = [one.id for one in ticket.messages if bot_id and one.author_id == bot_id and not one.public]
    left_out = asks.union(ours) - {""}
    return replace(ticket, messages=tuple(one for one in ticket.messages if one.id not in left_out))


def asks_of(ticket: Ticket, bot_id: str) -> list[Message]:
    """Return the private notes in which an agent asks Tandem for something, oldest first."""
    return [one for one in ticket.messages if _may_ask(one, bot_id) and ASK.search(_words(one))]


def open_asks(ticket: Ticket, past: Sequence[Handled], bot_id: str) -> list[Message]:
    """Return the notes that no run has taken up."""
    taken = [run.occasion.removeprefix(ASKED) for run in past if run.occasion.startswith(ASKED)]
    asks = asks_of(ticket, bot_id)
    last = max((place for place, note in enumerate(asks) if note.id in taken), default=-1)
    return asks[last + 1 :]


def hint_of(ticket: Ticket, occasion: str, past: Sequence[Handled], bot_id: str) -> str:
    """Return what the agent asked for beside `@tandem`; of several notes taken up by one run, all of it."""
    wanted = occasion.removeprefix(ASKED)
    others = [run for run in past if run.occasion != occasion]
    notes = [note for note in open_asks(ticket, others, bot_id) if _number(note.id) <= _number(wanted)]
    notes = notes or [note for note in asks_of(ticket, bot_id) if note.id == wanted]
    hints = [found[1].strip() for note in notes for found in ASK.finditer(_words(note))]
    return "; ".join(dict.fromkeys(hint for hint in hints if hint))[:HINT_LENGTH]


def _may_ask(message: Message, bot_id: str) -> bool:
    from_agent = message.author is Author.AGENT and not message.public and not message.automatic
    return from_agent and bool(message.id and bot_id) and message.author_id != bot_id


def _words(message: Message) -> str:
    """Return what the agent wrote above anything quoted or passed on: a customer's "@tandem" asks for nothing."""
    body = html_to_text(QUOTED.split(message.body, maxsplit=1)[0]) if message.html else message.body
    own = takewhile(lambda line: not line.startswith(">") and not is_forward_line(line), body.splitlines())
    return "\n".join(own)


def _last_done(past: Sequence[Handled]) -> Handled | None:
    return max((run for run in past if run.done), key=lambda run: run.at, default=None)


def _since(ticket: Ticket, run: Handled) -> Sequence[Message]:
    """Return the messages that came after what `run` has read; the first message is the ticket itself."""
    messages = ticket.messages
    if run.heard is None:
        return [one for one in messages[1:] if one.created_at and one.created_at.timestamp() > run.at]
    if not run.heard:
        return messages[1:]
    for place, one in enumerate(messages):
        if one.id == run.heard:
            return messages[place + 1 :]
    # It was deleted since, or lies in the middle of a very long thread; ids count up.
    return [one for one in messages[1:] if _number(one.id) > _number(run.heard)]


def _number(ident: str) -> int:
    return int(ident) if ident.isascii() and ident.isdigit() else 0
