"""What the SLA sweep and its acts work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from connectors.base import Connector
from triage.clocks import Picture
from triage.settings import Settings
from triage.store import Store
from triage.store.clocks import Watch
from triage.ticket import Ticket

# Longer than a batch takes with a slow helpdesk; a killed worker's clocks and acts are free again after this.
LEASE_SECONDS = 90.0

Notify = Callable[[str, str, str], None]
"""Send (channel, title, text); Retry where it may work later, Refused where it cannot."""


@dataclass(frozen=True)
class SlaTools:
    """Everything is handed in."""

    settings: Settings
    store: Store
    open_connector: Callable[[str], Connector]
    notify: Notify
    checkpoint: Callable[[str], None] = field(default=lambda _step: None)
    """Called after each step; tests end the process there."""
    held: Callable[[], frozenset[str]] = field(default=frozenset)
    """Returns the desks whose acts must wait now; "*" is all of them."""


@dataclass(frozen=True)
class View:
    """A ticket as it was just read, and its clocks as stored."""

    ticket: Ticket
    watch: Watch
    picture: Picture
    at: float
