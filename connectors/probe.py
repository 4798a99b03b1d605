"""Reads that Tandem can do without: what is not to be had leaves a line out of the note and costs no more calls.

One refusal says nothing (a customer may be deleted), a few in a row say that the plan or our role has no such thing:
then the path is left alone for an hour.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from connectors.cache import Cache
from connectors.http import Client
from triage.errors import FeatureOff, Retry

log = logging.getLogger(__name__)

OFF_SECONDS = 3600.0
MISSES = 3


class Probe:
    """Asks one account for what may be missing; remembers which paths are."""

    def __init__(self, api: Client, off: Cache | None = None) -> None:
        self._api = api
        self._off = off or Cache(OFF_SECONDS)
        self._misses: dict[str, int] = {}

    def get(self, path: str, *ids: str, query: Mapping[str, str] | None = None) -> Any:
        """Return the decoded answer, None where it is not to be had now; only a rate limit still asks to wait."""
        try:
            return self.ask(path, *ids, query=query)
        except (FeatureOff, Retry) as error:
            log.info("going on without %s: %s", path, error)
            return None

    def ask(self, path: str, *ids: str, query: Mapping[str, str] | None = None) -> Any:
        """Return the decoded answer. Raises FeatureOff, without a call where the path is known to be off, and Retry."""
        if self._off.peek(path):
            raise FeatureOff(f"{path} was refused before")
        try:
            found = self._api.get(path, *ids, query=query, optional=True)
        except FeatureOff:
            self._misses[path] = self._misses.get(path, 0) + 1
            if self._misses[path] >= MISSES:
                self._misses[path] = 0
                self._off.get(path, lambda: True)
            raise
        self._misses[path] = 0
        return found
