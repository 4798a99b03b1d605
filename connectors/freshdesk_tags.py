"""Changing tags where the API can only replace the whole list."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from connectors.freshdesk_ticket import living, tags
from connectors.helpdesk import reason
from connectors.http import Client
from connectors.values import as_dict
from triage.errors import Refused, Retry

TICKET = "/tickets/{id}"
TRIES = 3
LOST = "the tags do not stay on the ticket, something else writes them at the same time"


class TagList:
    """One ticket's tags; the caller holds the ticket's lock, and `hold` makes sure of it right before each write.

    What was written is checked in the PUT's own answer: a GET right after it would show the same moment, and no call
    can see who overwrites us a second later.
    """

    def __init__(self, api: Client, ticket_id: str, hold: Callable[[], None]) -> None:
        self._api = api
        self._ticket_id = ticket_id
        self._hold = hold

    def add(self, wanted: list[str]) -> tuple[list[str], list[str], dict[str, str]]:
        """Return the tags before and after, and those refused with the reason.

        An account may forbid to make new tags (`cannot_create_new_tag`), which fails the whole call: then each tag
        goes alone, so that the known ones still land.
        """
        before = self._read()
        try:
            return before, self._merge(before, wanted), {}
        except Refused as error:
            if len(wanted) == 1:
                return before, before, {wanted[0]: reason(error, "tags")}
        after, refused = before, {}
        for tag in wanted:
            try:
                after = self._merge(after, [tag])
            except Refused as error:
                refused[tag] = reason(error, "tags")
        return before, after, refused

    def remove(self, unwanted: Iterable[str]) -> tuple[list[str], list[str]]:
        """Return the tags before and after; what is not there costs no write."""
        names = {tag.casefold() for tag in unwanted}
        before = current = self._read()
        for _ in range(TRIES):
            kept = [tag for tag in current if tag.casefold() not in names]
            if kept == current:
                return before, current
            current = self._write(kept)
        raise Retry(LOST)

    def _merge(self, current: list[str], wanted: Iterable[str]) -> list[str]:
        """Write until the answer shows ours; never write what changes nothing."""
        for _ in range(TRIES):
            if not (missing := _missing(current, wanted)):
                return current
            shown = self._write(current + missing)
            if not _missing(shown, wanted):
                return shown
            current = self._read()
        if _missing(current, wanted):
            raise Retry(LOST)
        return current

    def _write(self, wanted: list[str]) -> list[str]:
        self._hold()
        answer = self._api.send("PUT", TICKET, self._ticket_id, body={"tags": wanted}, repeatable=True)
        return list(tags(as_dict(answer)))

    def _read(self) -> list[str]:
        return list(tags(living(self._api.get(TICKET, self._ticket_id))))


def _missing(current: Iterable[str], wanted: Iterable[str]) -> list[str]:
    held = {tag.casefold() for tag in current}
    return [tag for tag in wanted if tag.casefold() not in held]
