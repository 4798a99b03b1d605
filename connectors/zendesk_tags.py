"""Tags of a Zendesk ticket: PUT adds and DELETE removes, both keep the rest (POST would replace the list).

https://developer.zendesk.com/api-reference/ticketing/ticket-management/tags/
"""

from __future__ import annotations

from typing import Any

from connectors.base import Written
from connectors.helpdesk import reason, usable_tags
from connectors.http import Client
from connectors.values import as_dict, as_list, text
from triage.errors import Refused, Retry
from triage.ticket import Ticket

TAGS = "/tickets/{id}/tags.json"
TAGS_MISSING = "Zendesk took the tags but does not show them"


class TagsAlong:
    """Tags that go along with a guarded update, as the whole list that the ticket is to have.

    Only where the guard sees every change since the ticket was read: the list replaces what is there.
    """

    def __init__(self, ticket: Ticket, tags: tuple[str, ...]) -> None:
        self._before = list(ticket.tags)
        self._good, self._refused = usable_tags(tags)

    @property
    def payload(self) -> dict[str, list[str]]:
        """Return what the update says of tags: nothing where nothing is new."""
        new = [tag for tag in self._good if tag not in self._before]
        return {"tags": self._before + new} if new else {}

    def written(self, answer: dict[str, Any]) -> Written | None:
        """Return what became of them, None where they did not go along or the answer does not show them."""
        shown = [text(tag) for tag in as_list(as_dict(answer.get("ticket")).get("tags"))]
        if not self.payload or set(self._good) - set(shown):
            return None
        return Written(before={"tags": self._before}, after={"tags": shown}, refused=self._refused)


class TagSet:
    """One ticket's tags as it was read."""

    def __init__(self, api: Client, ticket: Ticket) -> None:
        self._api = api
        self._ticket = ticket
        self._before = {"tags": list(ticket.tags)}

    def add(self, tags: tuple[str, ...]) -> Written:
        """Add `tags`, keeping every other tag."""
        good, refused = usable_tags(tags)
        if not set(good) - set(self._ticket.tags):
            return Written(before=self._before, after=self._before, refused=refused)
        shown, more = self._put(good)
        if set(good) - set(shown) - set(more):
            raise Retry(TAGS_MISSING)
        return Written(before=self._before, after={"tags": shown or list(self._ticket.tags)}, refused=refused | more)

    def remove(self, tags: tuple[str, ...]) -> Written:
        """Take `tags` away; no call where none of them is there."""
        there = [tag for tag in self._ticket.tags if tag in tags]
        if there:
            self._api.send("DELETE", TAGS, self._ticket.id, body={"tags": there}, repeatable=True)
        kept = [tag for tag in self._ticket.tags if tag not in tags]
        return Written(before=self._before, after={"tags": kept})

    def _put(self, tags: list[str]) -> tuple[list[str], dict[str, str]]:
        """Return the tags shown now and those refused; tags refused together go alone, so that the good ones land."""
        try:
            answer = self._api.send("PUT", TAGS, self._ticket.id, body={"tags": tags}, repeatable=True)
        except Refused as error:
            if len(tags) == 1:
                return [], {tags[0]: reason(error, tags[0])}
        else:
            return [text(tag) for tag in as_list(as_dict(answer).get("tags"))], {}
        shown: list[str] = []
        refused: dict[str, str] = {}
        for tag in tags:
            now, more = self._put([tag])
            shown, refused = now or shown, refused | more
        return shown, refused
