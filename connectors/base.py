"""What every helpdesk connector does, in our words; `zendesk.py` and `freshdesk.py` hold the differences.

Reads normalize, writes are additive and repeatable. Only `post` and `reply` are not: the helpdesks take no idempotency
key for comments, so after any doubt call `find_note` or `find_reply` first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from connectors.schedules import Schedule
from triage.ticket import Message, Status, Ticket


@dataclass(frozen=True)
class Account:
    """Whom Tandem is signed in as."""

    user_id: str
    name: str
    role: str = ""


@dataclass(frozen=True)
class Fields:
    """Ticket values to set; None and empty mean "leave alone"."""

    priority: str | None = None
    """urgent, high, normal or low."""
    group: str | None = None
    """The group's name, as the helpdesk shows it."""
    custom: dict[str, str] = field(default_factory=dict)
    """Custom field (Zendesk id, Freshdesk `cf_` name) -> value."""

    def __bool__(self) -> bool:
        return bool(self.priority or self.group or self.custom)


class Leak(StrEnum):
    """What became of a note of ours that customers could see for a moment."""

    HIDDEN = "hidden"
    """Made private at once."""
    REMOVED = "removed"
    """Taken off the ticket where it cannot be made private; it is not written again, for it could leak again."""
    PUBLIC = "public"
    """Still public: hiding it failed and must be tried again."""


@dataclass(frozen=True)
class Written:
    """What one write did: values before and after by name, and what the helpdesk refused with its reason."""

    note_id: str = ""
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    leak: Leak | None = None
    """Set when our note was found public: an alarm."""
    tagged: Written | None = None
    """What became of the tags that went along with a note."""


@dataclass(frozen=True)
class Changed:
    """One ticket of the catch-up list."""

    ticket_id: str
    status: Status
    created_at: datetime
    updated_at: datetime
    group: str | None = None
    """The group's name; None where the ticket has none or our role may not list the names."""
    priority: str | None = None
    """urgent, high, normal or low."""
    priority_is_default: bool = False
    """The vendor gives this priority to every new ticket, so it need not be anybody's choice."""
    tags: tuple[str, ...] = ()
    merged: bool = False
    """Closed because it was merged into another ticket: nobody worked on it here."""


@dataclass(frozen=True)
class Changes:
    """A page of the catch-up list; `cursor` continues it (now when `more`, else next time)."""

    tickets: tuple[Changed, ...]
    cursor: str
    more: bool


@dataclass(frozen=True)
class Past:
    """One solved ticket: what the customer first wrote, and what people made of it."""

    ticket: Ticket
    """With its first message only, and with the values it had last."""
    group: str
    """The name of the group that had it last; empty where none had."""


@dataclass(frozen=True)
class History:
    """A page of solved tickets; `cursor` continues it where `more`."""

    tickets: tuple[Past, ...]
    cursor: str
    more: bool


@dataclass(frozen=True)
class Article:
    """One help-centre article in one language that everybody may read."""

    id: str
    language: str
    """The vendor's locale, like `en-us`; empty where the list does not say it."""
    title: str
    html: str
    path: str
    """Of its page on the desk's host."""
    updated_at: str
    """As the vendor writes it."""


@dataclass(frozen=True)
class Articles:
    """A page of the help centre; `cursor` continues it where `more`. Drafts and internal articles are never in it."""

    articles: tuple[Article, ...]
    cursor: str
    more: bool


class Connector(Protocol):
    """One desk's helpdesk. Every method may raise the errors of `triage.errors`."""

    desk: str
    edits_notes: bool
    """Whether `update_note` works."""

    @property
    def clock_skew(self) -> float | None:
        """Return the seconds by which our clock is ahead of the helpdesk's; None before its first answer."""

    def account(self) -> Account:
        """Return who we are; proves the credential with a call that really needs it."""

    def read(self, ticket_id: str) -> Ticket:
        """Return the ticket with conversation, requester, organization and 30 days of history; Gone if it is over."""

    def look(self, ticket_id: str) -> Ticket:
        """Return the ticket as `read` does without the earlier ones, solved and closed ones too; Gone if deleted."""

    def find_note(self, ticket_id: str, reference: str) -> Written | None:
        """Return our note that carries `reference`, or None; one found public is hidden or removed, and says so."""

    def post(
        self, ticket: Ticket, note_html: str, reference: str, fields: Fields, tags: tuple[str, ...] = ()
    ) -> Written:
        """Add one private note and set `fields`; a refused field never costs the note. Conflict if read is stale.

        `tags`, only for a ticket that is `settled`, go along with the note where they can; `tagged` says so.
        """

    def reply(self, ticket: Ticket, html: str, reference: str) -> Written:
        """Answer the customer in public. Looks right before: Conflict if anybody has written since `ticket` was read.

        Refused if the helpdesk kept it private. After any doubt call `find_reply` first.
        """

    def find_reply(self, ticket_id: str, reference: str) -> Written | None:
        """Return our public reply that carries `reference`, or None."""

    def update_note(self, ticket_id: str, note_id: str, note_html: str, reference: str) -> Written:
        """Replace the text of our note; FeatureOff where the helpdesk has no such thing."""

    def set_fields(self, ticket: Ticket, fields: Fields) -> Written:
        """Set `fields` without a note (the note is there already)."""

    def add_tags(self, ticket: Ticket, tags: tuple[str, ...]) -> Written:
        """Add `tags`, keeping every other tag."""

    def remove_tags(self, ticket: Ticket, tags: tuple[str, ...]) -> Written:
        """Take `tags` away, keeping every other tag."""

    def put_back(self, ticket: Ticket, ours: Mapping[str, Any], before: Mapping[str, Any]) -> Written:
        """Give `ticket`, as just read, the values from before us, by the names of `Written`; only where ours stand.

        Conflict if somebody has changed it since; a group that is gone is refused.
        """

    def schedules(self) -> tuple[Schedule, ...]:
        """Return the helpdesk's business hours; FeatureOff where the plan or our role has none."""

    def tickets_of(self, email: str) -> tuple[str, ...]:
        """Return the ids of every ticket somebody with this address has asked; none where nobody has it."""

    def changes(self, cursor: str) -> Changes:
        """Return tickets changed since `cursor` (empty: since one minute ago), oldest change first.

        A first cursor may also be an epoch in whole seconds; tickets may come more than once.
        FeatureOff where our role may not list changes.
        """

    def history(self, cursor: str, since: datetime) -> History:
        """Return tickets solved and changed since `since`; `cursor` (empty at first) continues; FeatureOff as above.

        A ticket may come more than once; the last one holds. Organizations may have their id only.
        """

    def past(self, ticket_ids: Sequence[str]) -> tuple[Past, ...]:
        """Return those of at most 100 tickets that are to be had, with their organizations, in any order."""

    def articles(self, cursor: str) -> Articles:
        """Return a page of the articles everybody may read, by one call; `cursor` (empty at first) continues.

        FeatureOff where the desk has no help centre or our role may not list it.
        """

    def replies(self, ticket: Ticket) -> tuple[Message, ...]:
        """Return the newest public messages of `ticket`, oldest first, by one call; none where it is gone."""
