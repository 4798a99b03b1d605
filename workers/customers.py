"""What is known of a desk's customers: remembered for its connector, and kept up with each page of changed tickets."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from connectors.base import Changed
from triage.store import Store
from triage.ticket import CustomerTicket

logger = logging.getLogger(__name__)
# A page may be asked for some time after its round began.
SLACK_SECONDS = 60.0


@dataclass(frozen=True)
class KnownCustomers:
    """The customers of one desk, for its connector; a dry run goes on without a database."""

    desk: str
    store: Store

    def tickets_of(self, requester_id: str) -> tuple[CustomerTicket, ...] | None:
        """Return every ticket of a customer; None where they are not known to be all, and as they are."""
        try:
            return self.store.customers.tickets_of(self.desk, requester_id, time.time())
        except SQLAlchemyError as error:
            self._tell(error)
            return None

    def listed(self, requester_id: str, tickets: Sequence[CustomerTicket], asked_at: float) -> None:
        """Remember a customer's whole list, asked for at `asked_at`."""
        try:
            self.store.customers.listed(self.desk, requester_id, tickets, asked_at)
        except SQLAlchemyError as error:
            self._tell(error)

    def seen(self, ticket: CustomerTicket) -> None:
        """Remember a ticket as it was just read."""
        try:
            self.store.customers.seen(self.desk, (ticket,))
        except SQLAlchemyError as error:
            self._tell(error)

    def gone(self, ticket_id: str) -> None:
        """Leave out a ticket that was deleted or is spam."""
        try:
            self.store.customers.gone(self.desk, ticket_id)
        except SQLAlchemyError as error:
            self._tell(error)

    def _tell(self, error: SQLAlchemyError) -> None:
        logger.warning("desk %s: what is known of its customers is out of reach (%s)", self.desk, type(error).__name__)


def keep_up(store: Store, desk: str, tickets: Sequence[Changed], now: float) -> None:
    """Take in a page of changed tickets; where that fails, no list read before is trusted any more.

    Raises only where that cannot be written down either: then the page must come again.
    """
    try:
        store.customers.seen(desk, [one.asked for one in tickets if one.asked])
    except Exception as error:  # finding lost tickets goes on whatever this trips over
        logger.error("reconcile: desk=%s: customers are not kept up (%s)", desk, type(error).__name__)
        store.customers.broken(desk, now + SLACK_SECONDS)
