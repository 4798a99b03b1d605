"""Connectors: everything that talks to a helpdesk's API. A new vendor is one line in `PLATFORMS`."""

from __future__ import annotations

from connectors.base import Connector
from connectors.budget import Budget
from connectors.freshdesk import Freshdesk
from connectors.freshdesk_setup import FreshdeskSetup
from connectors.http import Guard
from connectors.known import Known
from connectors.setup import Setup
from connectors.zendesk import Zendesk
from connectors.zendesk_setup import ZendeskSetup
from triage.settings import Desk

PLATFORMS: dict[str, type[Freshdesk] | type[Zendesk]] = {"zendesk": Zendesk, "freshdesk": Freshdesk}

SETUPS: dict[str, type[FreshdeskSetup] | type[ZendeskSetup]] = {"zendesk": ZendeskSetup, "freshdesk": FreshdeskSetup}


def open_setup(name: str, desk: Desk, budget: Budget) -> tuple[Connector, Setup]:
    """Return a desk's connector and what sets its account up, both signed in as the same bot."""
    connector = PLATFORMS[desk.platform](name, desk, budget)
    return connector, SETUPS[desk.platform](connector.api)


def open_connector(
    name: str,
    desk: Desk,
    budget: Budget,
    *,
    own_clocks: bool = True,
    guard: Guard = lambda: None,
    known: Known | None = None,
) -> Connector:
    """Return the connector of desk `name`; `own_clocks` says whether to read the helpdesk's SLA clocks.

    `guard` is called right before each write and raises Wait while nothing may be written. `known` remembers the
    desk's customers.
    """
    return PLATFORMS[desk.platform](name, desk, budget, own_clocks=own_clocks, guard=guard, known=known)
