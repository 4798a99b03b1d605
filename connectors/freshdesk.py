"""The Freshdesk connector.

Freshdesk has no guarded write and replaces the whole tag list: the note goes first, fields and tags are written
right after a fresh look, tags under a lock. https://developers.freshdesk.com/api/
"""

from __future__ import annotations

import base64
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar

from connectors import freshdesk_clocks, freshdesk_reply, freshdesk_schedules, freshdesk_solutions, freshdesk_ticket
from connectors.base import Account, Articles, Changes, Fields, History, Leak, Past, Written
from connectors.budget import ACCOUNT, BULK_SPARE, Need
from connectors.freshdesk_customer import Customers
from connectors.freshdesk_errors import FreshdeskDialect
from connectors.freshdesk_poll import PAGE_SIZE, Place, iso
from connectors.freshdesk_tags import TagList
from connectors.freshdesk_ticket import HALF_AN_ANSWER
from connectors.helpdesk import (
    SKIPPED_AFTER_LEAK,
    Before,
    Helpdesk,
    check_reference,
    set_together_else_alone,
    usable_tags,
)
from connectors.http import Client, StaticCredential
from connectors.lock import ticket_lock
from connectors.schedules import Schedule
from connectors.ticket_rows import Others, customer_ticket, customer_tickets, others
from connectors.values import as_dict, ident, records, rows, text
from connectors.verdict import Call
from triage.errors import DeskLocked, Forbidden, Gone, Refused, Retry, TandemError, UnknownOutcome
from triage.ticket import CustomerTicket, Message, Rating, Status, Ticket

TICKETS = "/tickets"
TICKET = "/tickets/{id}"
CONVERSATIONS = "/tickets/{id}/conversations"
NOTES = "/tickets/{id}/notes"
REPLY = "/tickets/{id}/reply"
CONVERSATION = "/conversations/{id}"
GROUPS = "/groups"
ME = "/agents/me"

# Each include costs a credit. `company` holds only id and name, `stats` nothing we read: both are left out.
INCLUDES = "conversations,requester"
# The ticket embeds the ten oldest conversations and does not say whether there are more.
EMBEDDED = 10
MAX_PAGES = 10
# 10,000 tickets of one person.
MAX_LIST_PAGES = 100
EVER = "2010-01-01T00:00:00Z"
log = logging.getLogger(__name__)
CUSTOM_PREFIX = "cf_"
NEXT = re.compile(r"""rel\s*=\s*["']?next\b""")
# Ticket 3, company 1, history 1, note 1, tags 2 credits.
TICKET_CREDITS = 8.0
# Ticket with conversations, requester and stats, company.
LOOK_CREDITS = 5.0
# Each include of a list costs two.
LIST_WITH_TEXT = 5.0
SCOPES = {"1": "global access", "2": "group access", "3": "restricted access"}
NOBODY = "Freshdesk answers without saying who we are: check this desk's `auth` and `url`"
NOT_OURS = "the ticket is deleted, or outside of what the bot's agent may see"
NO_REPLY_ID = "Freshdesk took the reply but named no id"
NO_NOTE_ID = "Freshdesk took the note but named no id"
REMOVED_TEXT = "<p>Removed.</p>"
NOTE_REMOVED = "it came back public and was removed at once; Tandem does not write it again on its own"
NOTE_STILL_PUBLIC = "it is public and could not be removed: remove it by hand"
CHANGED_MEANWHILE = "somebody changed it since Tandem read the ticket"
NO_FIELD = "'{}' is no Freshdesk custom field (their names start with cf_)"


class Freshdesk(Helpdesk):
    """One Freshdesk account."""

    priorities: ClassVar[Mapping[str, Any]] = {"urgent": 4, "high": 3, "normal": 2, "medium": 2, "low": 1}
    no_priority = 1
    edits_notes = True

    def _open(self) -> Client:
        desk = self._settings
        assert desk.auth.api_key  # the settings refuse a desk without
        # The key is the user name, the password is any text.
        pair = base64.b64encode(f"{desk.auth.api_key.get_secret_value()}:X".encode()).decode()
        self._dialect = FreshdeskDialect(desk.rate_limit)
        signed = StaticCredential(f"Basic {pair}")
        api = Client(f"{desk.url}/api/v2", signed, self._dialect, self._budget, self._guard)
        self._customers = Customers(api)
        return api

    def account(self) -> Account:
        """Return who we are; proves the credential."""
        agent = as_dict(self._api.get(ME))
        if not agent:
            raise Retry(HALF_AN_ANSWER)
        if not ident(agent.get("id")):
            raise DeskLocked(NOBODY)
        name = text(as_dict(agent.get("contact")).get("name"))
        return Account(text(agent["id"]), name, SCOPES.get(text(agent.get("ticket_scope")), ""))

    def read(self, ticket_id: str) -> Ticket:
        """Return the ticket with conversation, requester, organization and 30 days of history; Gone if it is over."""
        self._budget.admit(
            [
                Need(ACCOUNT, TICKET_CREDITS),
                self._dialect.list_need(),
                self._dialect.update_need(),
            ]
        )
        raw = freshdesk_ticket.living(self._existing(ticket_id, INCLUDES))
        customer = self._customers.of(raw)
        found, rated = self._asked_before(raw, lambda: self._history(raw, customer[1]))
        return self._normal(raw, self._cache.peek("groups") or {}, customer, found, rated)

    def _history(self, raw: dict[str, Any], contact: dict[str, Any]) -> Before:
        found = self._known_tickets(raw)
        if found is None and self._is_newcomer(raw, contact):
            if own := customer_ticket(raw, freshdesk_ticket.status):
                self._known.listed(own.requester_id, (own,), time.time())
            return Others(open=0), None
        if found is None:
            found = self._listed_tickets(raw)
        return others(found, text(raw["id"]), self._month_ago()), self._customers.rating(raw)

    def _known_tickets(self, raw: dict[str, Any]) -> Sequence[CustomerTicket] | None:
        """Return the tickets of the requester of `raw` as far as they are known without a call."""
        own = customer_ticket(raw, freshdesk_ticket.status)
        known = self._known.tickets_of(own.requester_id) if own else None
        if known is None or own is None or own in known:
            return known
        # Told before it is asked: of two tickets written at once, and read at once, one at least sees the other.
        self._known.seen(own)
        return self._known.tickets_of(own.requester_id)

    def _listed_tickets(self, raw: dict[str, Any]) -> Sequence[CustomerTicket] | None:
        """Return the newest tickets of the requester of `raw`, None where they are not to be had."""
        asked_at = time.time()
        listed = self._customers.tickets(raw)
        found = customer_tickets(listed, freshdesk_ticket.status)
        own = customer_ticket(raw, freshdesk_ticket.status)
        if own and found is not None and len(rows(listed)) < PAGE_SIZE:
            # The ticket itself may be too new for the list.
            self._known.listed(own.requester_id, (*found, own), asked_at)
        return found

    def look(self, ticket_id: str) -> Ticket:
        """Return the ticket as `read` does without the earlier ones, solved and closed ones too; Gone if deleted."""
        self._budget.admit([Need(ACCOUNT, LOOK_CREDITS)])
        raw = self._existing(ticket_id, f"{INCLUDES},stats")
        return self._normal(raw, self._groups() if ident(raw.get("group_id")) else {}, self._customers.of(raw))

    def _normal(
        self,
        raw: dict[str, Any],
        groups: Mapping[str, str],
        customer: tuple[dict[str, Any], dict[str, Any]],
        others: Others = freshdesk_ticket.NOTHING,
        rated: Rating | None = None,
    ) -> Ticket:
        conversations = rows(raw.get("conversations"))
        if len(conversations) >= EMBEDDED:
            conversations = list(self._listed(CONVERSATIONS, text(raw["id"])))
        ticket = freshdesk_ticket.normalize(
            self.desk, self._settings, raw, conversations, customer, groups, others, rated
        )
        return replace(ticket, clocks=freshdesk_clocks.clocks(raw)) if self._own_clocks else ticket

    def _existing(self, ticket_id: str, includes: str) -> dict[str, Any]:
        """Return a ticket; Gone if it is deleted or spam, and then it is no longer one of its customer's."""
        try:
            return freshdesk_ticket.existing(self._ticket(ticket_id, includes))
        except Gone:
            self._known.gone(ticket_id)
            raise

    def _ticket(self, ticket_id: str, includes: str) -> Any:
        try:
            return self._api.get(TICKET, ticket_id, query={"include": includes})
        except Forbidden as error:
            # Freshdesk says 403 for a soft-deleted ticket too; whether it is the credential, another call tells.
            self.account()
            raise Gone(NOT_OURS) from error

    def _listed(
        self,
        path: str,
        *ids: str,
        optional: bool = False,
        query: Mapping[str, str] | None = None,
        most: int = MAX_PAGES,
    ) -> Iterator[dict[str, Any]]:
        """Yield the rows of all pages; the `Link` header only says whether another page follows."""
        for page in range(1, most + 1):
            asked = {**(query or {}), "per_page": str(PAGE_SIZE), "page": str(page)}
            reply = self._api.call(Call("GET", path, ids, asked, optional=optional))
            yield from rows(reply.data)
            if not NEXT.search(reply.headers.get("Link", "")):
                return

    def find_note(self, ticket_id: str, reference: str) -> Written | None:
        """Return our note that carries `reference`, or None; a public one is removed. The list starts at the oldest."""
        for one in self._listed(CONVERSATIONS, ticket_id):
            if reference not in text(one.get("body")) + text(one.get("body_text")):
                continue
            note_id = text(one.get("id"))
            if one.get("private") is True:
                return Written(note_id)
            # A customer may quote a note that leaked; only our own words are ours to remove.
            if not one.get("incoming") and text(one.get("user_id")) == self.account().user_id:
                return self._leaked(ticket_id, note_id, {})
        return None

    def post(
        self, ticket: Ticket, note_html: str, reference: str, fields: Fields, _tags: tuple[str, ...] = ()
    ) -> Written:
        """Add one private note, then set `fields`; a refused field never costs the note. Tags take a call of theirs."""
        check_reference(note_html, reference)
        wanted, refused = self._resolve(fields)
        note = as_dict(self._api.send("POST", NOTES, ticket.id, body={"body": note_html, "private": True}))
        note_id = ident(note.get("id"))
        if not note_id:
            raise UnknownOutcome(NO_NOTE_ID)
        if note.get("private") is not True:
            return self._leaked(ticket.id, note_id, refused | dict.fromkeys(wanted, SKIPPED_AFTER_LEAK))
        after: dict[str, Any] = {}
        try:
            after, more = self._set(ticket, wanted) if wanted else ({}, {})
        except Gone as error:
            more = dict.fromkeys(wanted, str(error))
        return Written(note_id, self._before(ticket, after), after, refused | more)

    def reply(self, ticket: Ticket, html: str, reference: str) -> Written:
        """Answer the customer by mail; Conflict if anybody has written up to right before."""
        check_reference(html, reference)
        freshdesk_ticket.living(self._api.get(TICKET, ticket.id))
        freshdesk_reply.check_unanswered(ticket, self._listed(CONVERSATIONS, ticket.id))
        sent = as_dict(self._api.send("POST", REPLY, ticket.id, body={"body": html}))
        reply_id = ident(sent.get("id"))
        if not reply_id:
            raise UnknownOutcome(NO_REPLY_ID)
        if sent.get("private") is True:
            raise Refused(freshdesk_reply.KEPT_PRIVATE)
        return Written(reply_id)

    def find_reply(self, ticket_id: str, reference: str) -> Written | None:
        """Return our public reply that carries `reference`, or None. The list starts at the oldest."""
        return freshdesk_reply.found_reply(self._listed(CONVERSATIONS, ticket_id), reference, self.account().user_id)

    def update_note(self, ticket_id: str, note_id: str, note_html: str, reference: str) -> Written:
        """Replace the text of our note; Gone if somebody has deleted it. Only the text can be changed."""
        check_reference(note_html, reference)
        note = as_dict(self._api.send("PUT", CONVERSATION, note_id, body={"body": note_html}, repeatable=True))
        # Its privacy cannot have changed; not every account's answer names it.
        return self._leaked(ticket_id, note_id, {}) if note.get("private") is False else Written(note_id)

    def _leaked(self, ticket_id: str, note_id: str, refused: dict[str, str]) -> Written:
        """Remove a note that came back public; it is not written again, for it could leak again."""
        if self._remove(ticket_id, note_id):
            return Written("", refused=refused | {"note": NOTE_REMOVED}, leak=Leak.REMOVED)
        return Written(note_id, refused=refused | {"note": NOTE_STILL_PUBLIC}, leak=Leak.PUBLIC)

    def _remove(self, ticket_id: str, note_id: str) -> bool:
        # Freshdesk edits a note's body, never its privacy: delete it, else take its words away.
        for method, body in (("DELETE", None), ("PUT", {"body": REMOVED_TEXT})):
            try:
                self._api.send(method, CONVERSATION, note_id, body=body, repeatable=True, urgent=True)
            except TandemError as error:
                self._alarm(ticket_id, note_id, f"STILL PUBLIC, {method} failed ({error})")
            else:
                self._alarm(ticket_id, note_id, f"removed at once ({method})")
                return True
        return False

    def _set(self, ticket: Ticket, wanted: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
        # There is no guarded write: looking again right before leaves a person milliseconds to be overwritten in.
        fresh = freshdesk_ticket.living(self._api.get(TICKET, ticket.id))
        now = _held(fresh)
        read = {"priority": ticket.priority, "group": ticket.group_id}
        others = {name for name in wanted if now(name) != (read[name] if name in read else ticket.fields.get(name))}
        free = {name: value for name, value in wanted.items() if name not in others}
        taken = dict.fromkeys(others, CHANGED_MEANWHILE)
        if not free:
            return {}, taken
        after, refused = set_together_else_alone(free, lambda values: self._put(ticket.id, values))
        return after, refused | taken

    def _put(self, ticket_id: str, values: Mapping[str, Any]) -> dict[str, Any]:
        held = _held(as_dict(self._api.send("PUT", TICKET, ticket_id, body=_payload(values), repeatable=True)))
        return {name: self._group_name(held(name)) if name == "group" else held(name) for name in values}

    def _custom_value(self, name: str, value: str) -> Any:
        if not name.startswith(CUSTOM_PREFIX):
            raise Refused(NO_FIELD.format(name))
        return value

    def _load_groups(self) -> dict[str, str] | None:
        return {text(one.get("id")): text(one.get("name")) for one in self._listed(GROUPS, optional=True)}

    def add_tags(self, ticket: Ticket, tags: tuple[str, ...]) -> Written:
        """Add `tags` by reading, merging, writing and checking, as one writer per ticket; other tags stay."""
        good, refused = usable_tags(tags)
        if not good:
            return Written(refused=refused)
        with ticket_lock(self._budget.redis, f"{self._budget.account}:{ticket.id}") as hold:
            before, after, more = TagList(self._api, ticket.id, hold).add(good)
        return Written(before={"tags": before}, after={"tags": after}, refused=refused | more)

    def remove_tags(self, ticket: Ticket, tags: tuple[str, ...]) -> Written:
        """Take `tags` away by reading, writing the rest and checking, as one writer per ticket."""
        if not {tag.casefold() for tag in tags} & {tag.casefold() for tag in ticket.tags}:
            return Written(before={"tags": list(ticket.tags)}, after={"tags": list(ticket.tags)})
        with ticket_lock(self._budget.redis, f"{self._budget.account}:{ticket.id}") as hold:
            before, after = TagList(self._api, ticket.id, hold).remove(tags)
        return Written(before={"tags": before}, after={"tags": after})

    def schedules(self) -> tuple[Schedule, ...]:
        """Return the helpdesk's business hours; FeatureOff where the plan or our role has none."""
        return freshdesk_schedules.schedules(self._api)

    def tickets_of(self, email: str) -> tuple[str, ...]:
        """Return the ids of every ticket a contact with this address has asked, deleted and spam too."""
        self._budget.admit([Need(ACCOUNT, 3), self._dialect.list_need()], spare=BULK_SPARE)
        found: list[str] = []
        for view in ({}, {"filter": "deleted"}, {"filter": "spam"}):
            # Without a time only the last thirty days are listed.
            query = {"email": email.lower(), "updated_since": EVER, **view}
            try:
                found += [text(one.get("id")) for one in self._listed(TICKETS, query=query, most=MAX_LIST_PAGES)]
            except Refused as error:
                # No contact has this address.
                log.info("desk %s: %s", self.desk, error)
        return tuple(dict.fromkeys(found))

    def changes(self, cursor: str) -> Changes:
        """Return tickets changed since `cursor` (empty: a minute ago; an ISO time), oldest change first."""
        self._budget.admit([Need(ACCOUNT, 1), self._dialect.list_need()])
        place = Place.parse(cursor, datetime.now(UTC))
        found = records(self._api.get(TICKETS, query=place.query()))
        groups = self._groups_of(found)
        listed = [freshdesk_ticket.listed(raw, groups) for raw in found]
        following = place.after([one.updated_at for one in listed])
        return Changes(tuple(listed), str(following), more=len(listed) >= PAGE_SIZE)

    def history(self, cursor: str, since: datetime) -> History:
        """Return tickets solved since `since`, oldest change first; texts and names cost four more credits a page."""
        groups = self._groups()
        self._budget.admit([Need(ACCOUNT, LIST_WITH_TEXT), self._dialect.list_need()], spare=BULK_SPARE)
        place = Place.parse(cursor or iso(since), datetime.now(UTC))
        listed = records(self._api.get(TICKETS, query=place.query() | {"include": "description,requester"}))
        following = place.after([freshdesk_ticket.listed(raw, groups).updated_at for raw in listed])
        done = [raw for raw in listed if freshdesk_ticket.status(raw) in (Status.SOLVED, Status.CLOSED)]
        past = tuple(freshdesk_ticket.past(self.desk, self._settings, raw, {}, groups) for raw in done)
        return History(past, str(following), more=len(listed) >= PAGE_SIZE)

    def past(self, ticket_ids: Sequence[str]) -> tuple[Past, ...]:
        """Return those of some tickets that are to be had, by one call each and one per company."""
        groups = self._groups()
        self._budget.admit([Need(ACCOUNT, len(ticket_ids))], spare=BULK_SPARE)
        found = []
        for ticket_id in ticket_ids:
            raw = as_dict(self._shown(ticket_id))
            if ident(raw.get("id")) and freshdesk_ticket.status(raw) not in (Status.DELETED, Status.SPAM):
                company_id = ident(raw.get("company_id"))
                company = self._customers.company(company_id) if company_id else {}
                found.append(freshdesk_ticket.past(self.desk, self._settings, raw, company, groups))
        return tuple(found)

    def articles(self, cursor: str) -> Articles:
        """Return a page of the articles everybody may read: often an empty one, folders take calls of their own."""
        self._budget.admit([Need(ACCOUNT, 1 if cursor else 2)], spare=BULK_SPARE)
        return freshdesk_solutions.list_articles(self._api, cursor)

    def replies(self, ticket: Ticket) -> tuple[Message, ...]:
        """Return the first 100 public messages of `ticket`: the list starts at the oldest, and few are longer."""
        self._budget.admit([Need(ACCOUNT, 1)], spare=BULK_SPARE)
        try:
            listed = rows(self._api.get(CONVERSATIONS, ticket.id, query={"per_page": str(PAGE_SIZE)}))
        except (Gone, Forbidden):
            return ()
        found = (freshdesk_ticket.message(one, ticket.requester.id) for one in listed)
        return tuple(one for one in found if one.public)

    def _shown(self, ticket_id: str) -> Any:
        """Return one ticket, None where it is deleted or not for us to see."""
        try:
            return self._api.get(TICKET, ticket_id)
        except (Gone, Forbidden):
            return None


def _held(raw: dict[str, Any]) -> Callable[[str], Any]:
    """Return a look-up of what a ticket holds, by our names."""
    fields = freshdesk_ticket.custom_fields(raw)
    values = {"priority": freshdesk_ticket.priority(raw), "group": ident(raw.get("group_id"))}
    return lambda name: values[name] if name in values else fields.get(name)


def _payload(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return ticket values under Freshdesk's names."""
    names = {"priority": "priority", "group": "group_id"}
    values = {names[name]: value for name, value in wanted.items() if name in names}
    custom = {name: value for name, value in wanted.items() if name not in names}
    return values | ({"custom_fields": custom} if custom else {})
