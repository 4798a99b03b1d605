"""What both connectors do alike: ask the budget, resolve field values, set them one by one where needed, and alarm.

A vendor's file holds only the differences: paths, words, and how its note is written.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from connectors.base import Fields, Written
from connectors.budget import Budget
from connectors.cache import Cache
from connectors.http import Client, Guard
from connectors.known import Known, NobodyKnown
from connectors.ticket_rows import Others, is_newcomer
from connectors.values import when
from triage.errors import Conflict, FeatureOff, Gone, Refused, TandemError
from triage.settings import TAG_LENGTH, Desk
from triage.ticket import Rating, Ticket

log = logging.getLogger(__name__)

HISTORY_DAYS = 30
NO_SUCH_GROUP = "the helpdesk has no group called '{}'"
GROUPS_HIDDEN = "our role may not list the helpdesk's groups"
NO_SUCH_PRIORITY = "the helpdesk has no priority '{}'"
TAG_TOO_LONG = f"longer than {TAG_LENGTH} characters"
TAG_WITH_SPACE = "empty or with a space"
NOT_OURS_NOW = "somebody has changed it since"
SKIPPED_AFTER_LEAK = "not set: the note came back public, a person should look first"

Before = tuple[Others, Rating | None]
"""What else the requester of a ticket has asked, and the last rating they gave."""

Send = Callable[[dict[str, Any]], dict[str, Any]]
"""Set these values by our names in one call and return what the helpdesk then shows, by our names."""


class Helpdesk(ABC):
    """The part of a connector that is the same for every vendor."""

    priorities: ClassVar[Mapping[str, Any]]
    """Our priority word -> the vendor's."""
    no_priority: ClassVar[Any] = None
    """What the vendor gives a ticket nobody has given a priority."""

    def __init__(
        self,
        name: str,
        desk: Desk,
        budget: Budget,
        *,
        own_clocks: bool = True,
        guard: Guard = lambda: None,
        known: Known | None = None,
    ) -> None:
        """Take the desk; `own_clocks` says whether to read the helpdesk's SLA clocks, where it keeps some."""
        self.desk = name
        self._known = known or NobodyKnown()
        self._guard = guard
        self._own_clocks = own_clocks
        self._settings = desk
        self._budget = budget
        self._cache = Cache()
        # Apart from the others: it fills up with tickets and is emptied then.
        self._recent = Cache()
        self._api: Client = self._open()

    @property
    def api(self) -> Client:
        """Return the client itself, for setting an account up."""
        return self._api

    @property
    def clock_skew(self) -> float | None:
        """Return the seconds by which our clock is ahead of the helpdesk's; None before its first answer."""
        return self._api.clock_skew

    @abstractmethod
    def _open(self) -> Client:
        """Return the client that speaks to this desk."""

    @abstractmethod
    def _load_groups(self) -> dict[str, str] | None:
        """Return group names by id."""

    @abstractmethod
    def _custom_value(self, name: str, value: str) -> Any:
        """Return a custom field's value as the vendor wants it; Refused if `name` is no field of theirs."""

    @abstractmethod
    def _set(self, ticket: Ticket, wanted: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
        """Set resolved values; return what the helpdesk shows now and what it refused."""

    def set_fields(self, ticket: Ticket, fields: Fields) -> Written:
        """Set `fields` without a note (the note is there already)."""
        wanted, refused = self._resolve(fields)
        if not wanted:
            return Written(refused=refused)
        after, more = self._set(ticket, wanted)
        return Written(before=self._before(ticket, after), after=after, refused=refused | more)

    def put_back(self, ticket: Ticket, ours: Mapping[str, Any], before: Mapping[str, Any]) -> Written:
        """Give `ticket`, as just read, the values from before us; only where ours stand."""
        groups = self._groups() if "group" in ours else {}
        wanted: dict[str, Any] = {}
        refused: dict[str, str] = {}
        for name, value in ours.items():
            shown = {"priority": ticket.priority, "group": ticket.group_id}.get(name, ticket.fields.get(name))
            if name == "group" and shown:
                shown = groups.get(str(shown), shown)
            if not same_value(shown, value):
                refused[name] = NOT_OURS_NOW
                continue
            try:
                wanted[name] = self._earlier_value(name, before.get(name))
            except Refused as error:
                refused[name] = str(error)
        after, more = self._set(ticket, wanted) if wanted else ({}, {})
        return Written(before=self._before(ticket, after), after=after, refused=refused | more)

    def _earlier_value(self, name: str, value: Any) -> Any:
        if name == "priority":
            return self.priorities[value] if value else self.no_priority
        if name == "group":
            return self._group_id(str(value)) if value else None
        return value

    def _month_ago(self) -> datetime:
        return datetime.now(UTC) - timedelta(days=HISTORY_DAYS)

    def _asked_before(self, raw: Mapping[str, Any], load: Callable[[], Before]) -> Before:
        """Return what `load` brings, kept for later looks at the same ticket; a list that failed is not kept."""
        key = f"before {raw.get('requester_id')} {raw['id']}"
        kept: Before | None = self._recent.peek(key)
        if kept is None:
            kept = load()
            if kept[0].open is not None:
                self._recent.keep(key, kept)
        return kept

    def _is_newcomer(self, raw: Mapping[str, Any], person: Mapping[str, Any]) -> bool:
        """Say whether `raw` is the only ticket of `person`: both came into being in one go, just now."""
        first = self._recent.get(f"requester {raw.get('requester_id')}", lambda: raw["id"])
        if first != raw["id"]:
            # Who sends a form twice within a second has two.
            return False
        return is_newcomer(when(person.get("created_at")), when(raw.get("created_at")), datetime.now(UTC))

    def _groups(self) -> dict[str, str]:
        found: dict[str, str] = self._cache.get("groups", self._load_groups) or {}
        return found

    def _groups_of(self, listed: Iterable[Mapping[str, Any]]) -> dict[str, str]:
        """Return the groups' names for a list of tickets, none where no ticket has a group or they cannot be had."""
        if not any(raw.get("group_id") for raw in listed):
            return {}
        try:
            return self._groups()
        except TandemError as error:
            # The list is what matters: a missing name costs no more than what could be learned from it.
            log.warning("desk %s: the groups' names cannot be read: %s", self.desk, error)
            return {}

    def _resolve(self, fields: Fields) -> tuple[dict[str, Any], dict[str, str]]:
        """Turn our words into the vendor's; what cannot be is refused here and costs no call."""
        wanted: dict[str, Any] = {}
        refused: dict[str, str] = {}
        if fields.priority and fields.priority in self.priorities:
            wanted["priority"] = self.priorities[fields.priority]
        elif fields.priority:
            refused["priority"] = NO_SUCH_PRIORITY.format(fields.priority)
        if fields.group:
            try:
                wanted["group"] = self._group_id(fields.group)
            except (Refused, FeatureOff) as error:
                refused["group"] = str(error)
        for name, value in fields.custom.items():
            try:
                wanted[name] = self._custom_value(name, value)
            except Refused as error:
                refused[name] = str(error)
        return wanted, refused

    def _group_id(self, name: str) -> int:
        groups = self._groups()
        if not groups:
            raise Refused(GROUPS_HIDDEN)
        for ident, known in groups.items():
            if known.strip().casefold() == name.strip().casefold() and ident.isascii() and ident.isdigit():
                return int(ident)
        raise Refused(NO_SUCH_GROUP.format(name))

    def _group_name(self, ident: str | None) -> str | None:
        # Only what is known already: a call after a write could fail and hide that the write was done.
        known: dict[str, str] = self._cache.peek("groups") or {}
        return known.get(ident, ident) if ident else None

    def _before(self, ticket: Ticket, names: Iterable[str]) -> dict[str, Any]:
        """Return what `ticket` held under `names` when it was read."""
        held = {"priority": ticket.priority, "group": self._group_name(ticket.group_id)}
        return {name: held[name] if name in held else ticket.fields.get(name) for name in names}

    def _alarm(self, ticket_id: str, note_id: str, outcome: str) -> None:
        """Tell whoever is on duty that customers may have seen our note."""
        log.critical("PUBLIC NOTE desk=%s ticket=%s note=%s: %s", self.desk, ticket_id, note_id, outcome)


def same_value(one: Any, other: Any) -> bool:
    """Say whether two values mean the same: helpdesks write numbers as text and names in any case."""
    return str(one or "").strip().casefold() == str(other or "").strip().casefold()


def check_reference(note_html: str, reference: str) -> None:
    """Refuse to write a note that could not be found again."""
    if not reference or reference not in note_html:
        raise ValueError("a note without its reference could not be found again before a resend")


def set_together_else_alone(wanted: dict[str, Any], send: Send) -> tuple[dict[str, Any], dict[str, str]]:
    """Set all values in one call; if the helpdesk refuses, each alone, so that one bad value costs only itself."""
    try:
        return send(wanted), {}
    except Refused as error:
        if len(wanted) == 1:
            return {}, {name: reason(error, name) for name in wanted}
    return set_alone(wanted, send)


def set_alone(wanted: dict[str, Any], send: Send) -> tuple[dict[str, Any], dict[str, str]]:
    """Set each value with its own call; return what is shown now and what was refused."""
    after: dict[str, Any] = {}
    refused: dict[str, str] = {}
    for name, value in wanted.items():
        try:
            after |= send({name: value})
        except (Refused, Conflict, Gone) as error:
            refused[name] = reason(error, name)
    return after, refused


def reason(error: Exception, name: str) -> str:
    """Return what the helpdesk said about `name`, in as few words as it gave."""
    said = error.fields if isinstance(error, Refused) else {}
    return said.get(name) or "; ".join(said.values()) or str(error)


def usable_tags(tags: Iterable[str]) -> tuple[list[str], dict[str, str]]:
    """Split `tags` into those a helpdesk can hold and those it cannot, with the reason."""
    good: list[str] = []
    bad: dict[str, str] = {}
    for tag in tags:
        if len(tag) > TAG_LENGTH:
            bad[tag] = TAG_TOO_LONG
        elif not tag or any(char.isspace() for char in tag):
            bad[tag] = TAG_WITH_SPACE
        elif tag not in good:
            good.append(tag)
    return good, bad
