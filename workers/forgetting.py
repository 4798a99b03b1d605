"""Forgets a person: finds their tickets at the helpdesks and in our own tables, deletes, and looks again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from connectors.base import Connector
from triage.errors import TandemError
from triage.sources import TICKET
from triage.store import Store
from triage.store.forgetting import Key
from triage.store.marks import FORGOTTEN

UNDER_WAY = "a worker is at this ticket right now; run the command again in a minute"


@dataclass
class Found:
    """Whose tickets these are: desk and ticket id, and the desks that could not be asked, with the reason."""

    tickets: list[Key] = field(default_factory=list)
    unasked: dict[str, str] = field(default_factory=dict)


def find(
    email: str, desks: Iterable[str], only: str, open_connector: Callable[[str], Connector], store: Store
) -> Found:
    """Return the tickets of `email`: what the helpdesks of `desks` name, and what our own tables name (of `only`)."""
    found = Found()
    tickets: set[Key] = store.forgetting.naming(email, only)
    for desk in desks:
        try:
            tickets |= {(desk, one) for one in open_connector(desk).tickets_of(email)}
        except TandemError as error:
            found.unasked[desk] = str(error)
    found.tickets = sorted(tickets)
    return found


def forget_ticket(desk: str, ticket_id: str, store: Store, *, with_ids: bool = False) -> dict[str, int | str]:
    """Delete what is held of a ticket; returns table -> rows that are left, which is nothing if all went well."""
    now = time.time()
    if store.undone.is_under_way(desk, ticket_id, now):
        return {"runs": UNDER_WAY}
    # First, so that a round that reads solved tickets at this moment does not bring it back.
    store.cursors.set(desk, FORGOTTEN + ticket_id, "", now)
    store.forgetting.forget(desk, ticket_id, now, with_ids=with_ids)
    store.knowledge.drop(desk, TICKET, [ticket_id], now)
    return dict(store.forgetting.held(desk, ticket_id))
