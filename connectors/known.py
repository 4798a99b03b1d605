"""What is remembered of a desk's customers from earlier lists: a customer whose tickets are known costs no list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from triage.ticket import CustomerTicket


class Known(Protocol):
    """The customers of one desk; a trouble of whoever remembers is nobody else's: then nothing is known."""

    def tickets_of(self, requester_id: str) -> Sequence[CustomerTicket] | None:
        """Return every ticket of a customer; None where they are not known to be all, and as they are."""

    def listed(self, requester_id: str, tickets: Sequence[CustomerTicket], asked_at: float) -> None:
        """Remember a customer's whole list, asked for at `asked_at` (UTC seconds)."""

    def seen(self, ticket: CustomerTicket) -> None:
        """Remember a ticket as it was just read."""

    def gone(self, ticket_id: str) -> None:
        """Leave out a ticket that was deleted or is spam."""


class NobodyKnown:
    """Remembers nothing: every list is asked for."""

    def tickets_of(self, _requester_id: str) -> None:
        """Return None."""

    def listed(self, _requester_id: str, _tickets: Sequence[CustomerTicket], _asked_at: float) -> None:
        """Do nothing."""

    def seen(self, _ticket: CustomerTicket) -> None:
        """Do nothing."""

    def gone(self, _ticket_id: str) -> None:
        """Do nothing."""
