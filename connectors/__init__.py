"""Connectors: everything that talks to a helpdesk's API. A new vendor is one line in `PLATFORMS`."""

from __future__ import annotations

from connectors.base import Connector
from connectors.budget import Budget
from connectors.freshdesk import Freshdesk
from connectors.http import OnCall
from connectors.zendesk import Zendesk
from triage.settings import Desk

PLATFORMS: dict[str, type[Freshdesk] | type[Zendesk]] = {"zendesk": Zendesk, "freshdesk": Freshdesk}


def open_connector(name: str, desk: Desk, budget: Budget, on_call: OnCall | None = None) -> Connector:
    """Return the connector of desk `name`; `on_call` hears of every call made (for metrics)."""
    return PLATFORMS[desk.platform](name, desk, budget, on_call)
