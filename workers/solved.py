"""Solved tickets as knowledge: what was asked, and the last public reply of an agent, both masked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from connectors.base import Connector, Past
from triage.clean import clean_message, clean_ticket
from triage.errors import TandemError
from triage.knowledge.documents import MAX_TITLE, Document
from triage.redact import Masks
from triage.sources import TICKET
from triage.store import Store
from triage.store.marks import FORGOTTEN
from triage.ticket import Author, Message

Mask = Callable[[Sequence[str], Sequence[str]], list[str]]
"""Texts of one ticket, and names known to occur in them -> the texts without private data."""
LEAST_REPLY = 40
"""Characters: "Done, thanks!" teaches nobody anything."""
Taken = tuple[list[tuple[Past, tuple[Message, ...]]], str, bool]


def take_solved(
    connector: Connector, store: Store, desk: str, cursor: str, earliest: float, calls: int
) -> Iterator[Taken]:
    """Yield (tickets with their replies, cursor that goes on after them, whether these were the last).

    At most `calls` calls. A page that they do not suffice for is begun again next time: what is kept of it by then is
    not asked for again.
    """
    since = datetime.fromtimestamp(earliest, UTC)
    while calls > 0:
        page = connector.history(cursor, since)
        calls -= 1
        known = store.knowledge.known(desk, TICKET, [past.ticket.id for past in page.tickets])
        gone = store.cursors.among(desk, [FORGOTTEN + past.ticket.id for past in page.tickets])
        fresh = {
            past.ticket.id: past
            for past in page.tickets
            if known.get(past.ticket.id, ("",))[0] != past.ticket.stamp and FORGOTTEN + past.ticket.id not in gone
        }
        whole = len(fresh) <= calls
        taken: list[tuple[Past, tuple[Message, ...]]] = []
        try:
            for past in list(fresh.values())[:calls]:
                taken.append((past, connector.replies(past.ticket)))
        except TandemError:
            # What was read is kept, else a small budget would read the same tickets for ever.
            yield taken, cursor, False
            raise
        calls -= len(taken)
        cursor = page.cursor if whole else cursor
        yield taken, cursor, whole and not page.more
        if not whole or not page.more:
            return


def masked(texts: Sequence[str], names: Sequence[str]) -> list[str]:
    """Return the texts of one ticket with a placeholder for everything private that was found."""
    return Masks(names).mask_all(texts)


def document_of(past: Past, replies: Sequence[Message], desk_url: str, mask: Mask = masked) -> Document:
    """Return the ticket's document; without words where no agent has answered in public, so that it is not asked again.

    Automatic mail is nobody's question and no answer.
    """
    ticket = past.ticket
    said = clean_ticket(ticket)
    answers = [one for one in replies if one.author is Author.AGENT and one.public and not one.automatic]
    answer = clean_message(answers[-1].body, answers[-1].html) if answers else ""
    useful = len(answer) >= LEAST_REPLY and not said.automatic and bool(said.text)
    texts = [said.subject, said.text, answer] if useful else ["", "", ""]
    title, question, reply = mask(texts, [ticket.requester.name] if ticket.requester.name else []) if useful else texts
    return Document(
        kind=TICKET,
        key=ticket.id,
        group=ticket.id,
        language=said.language,
        title=title[:MAX_TITLE],
        path=ticket.url.removeprefix(desk_url) if useful else "",
        body=question,
        answer=reply,
        stamp=past.ticket.stamp,
        created_at=ticket.created_at.timestamp() if ticket.created_at else 0.0,
    )
