"""The Zendesk connector.

One guarded call writes note and fields together; tags go by the additive call. Pages are asked for by cursor and end
with `meta.has_more`, because `links.next` stays set on the last page (recorded).
https://developer.zendesk.com/api-reference/ticketing/introduction/
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar

from connectors import zendesk_guard, zendesk_guide, zendesk_reply, zendesk_schedules, zendesk_ticket
from connectors.base import Account, Articles, Changes, Fields, History, Leak, Past, Written
from connectors.budget import ACCOUNT, BULK_SPARE, SPARE, Need
from connectors.helpdesk import (
    Before,
    Helpdesk,
    check_reference,
    reason,
    set_alone,
    set_together_else_alone,
)
from connectors.http import Client, StaticCredential
from connectors.probe import Probe
from connectors.schedules import Schedule
from connectors.ticket_rows import Others, others
from connectors.values import as_dict, ident, records, rows, text, when
from connectors.zendesk_auth import credential
from connectors.zendesk_clocks import SIDELOAD, SlaProbe
from connectors.zendesk_errors import EXPORTS, HELP_CENTER, UPDATES, ZendeskDialect
from connectors.zendesk_pages import PAGE_SIZE, pages
from connectors.zendesk_tags import TagsAlong, TagSet
from connectors.zendesk_ticket import HALF_AN_ANSWER
from triage.errors import (
    Conflict,
    DeskLocked,
    FeatureOff,
    Forbidden,
    Gone,
    Refused,
    Retry,
    TandemError,
    UnknownOutcome,
)
from triage.missing import mentions_attachment
from triage.ticket import Message, Rating, Ticket

log = logging.getLogger(__name__)
TICKET = "/tickets/{id}.json"
COMMENTS = "/tickets/{id}/comments.json"
MAKE_PRIVATE = "/tickets/{id}/comments/{comment}/make_private"
REQUESTED = "/users/{id}/tickets/requested.json"
PEOPLE = "/users/search.json"
GROUPS = "/groups.json"
ME = "/users/me.json"
MANY = "/tickets/show_many.json"
EXPORT = "/incremental/tickets/cursor.json"
TOKENS = "/oauth/tokens"

SIDELOADS = f"users,groups,organizations,comment_count,{SIDELOAD}"
PAST_SIDELOADS = "users,organizations"
# An export page can hold 1,000 tickets with their descriptions; this many stay well under the answer's size cap.
EXPORT_PAGE = "200"
MAX_COMMENT_PAGES = 3
# 10,000 tickets of one person.
MAX_REQUESTED_PAGES = 100
MAX_GROUP_PAGES = 20
# Of the helpdesk's clock against its own stamps; one second would do if both were of one machine.
SETTLED_SECONDS = 2.0
# The export refuses a start time of less than a minute ago.
EXPORT_DELAY = 60
# Where a cursor is lost, so much of the past is looked at again; what is known already costs nothing.
LOST_CURSOR_SECONDS = 86_400
# Ticket, comments, history, note with its tags, which alone counts against the limit on updates. What a ticket takes
# beyond that (tags apart, fields) is charged as it comes and eats into the spare fifth.
TICKET_CALLS = 4.0
TICKET_UPDATES = 1.0
# Ticket, comments, SLA clocks.
LOOK_CALLS = 3.0
NOBODY = "Zendesk answers, but the credential signs in nobody: check this desk's `auth`"
NO_FIELD = "'{}' is no Zendesk field id (a number)"
NO_COMMENT = "Zendesk took the comment but does not show it"
NO_EDITING = "Zendesk cannot change a comment"
CHANGED_MEANWHILE = "somebody changed the ticket since Tandem read it"


class Zendesk(Helpdesk):
    """One Zendesk account."""

    priorities: ClassVar[Mapping[str, Any]] = {
        "urgent": "urgent",
        "high": "high",
        "normal": "normal",
        "medium": "normal",
        "low": "low",
    }
    edits_notes = False

    def _open(self) -> Client:
        desk, dialect = self._settings, ZendeskDialect()
        # A token may be asked for twice without harm, and signing in needs no credential.
        sign_in = Client(desk.url, StaticCredential(""), dialect, self._budget)

        def fetch(body: dict[str, str]) -> Any:
            return sign_in.send("POST", TOKENS, body=body, repeatable=True)

        signed = credential(desk.auth, fetch)
        api = Client(f"{desk.url}/api/v2", signed, dialect, self._budget, self._guard)
        self._sla = SlaProbe(api)
        self._probe = Probe(api)
        return api

    def account(self) -> Account:
        """Return who we are; proves the credential with a call that really needs it."""
        user = as_dict(as_dict(self._api.get(ME)).get("user"))
        if not user:
            raise Retry(HALF_AN_ANSWER)
        # Without a valid credential Zendesk answers 200 "Anonymous user", with no id.
        if not ident(user.get("id")):
            raise DeskLocked(NOBODY)
        return Account(text(user["id"]), text(user.get("name")), text(user.get("role")))

    def read(self, ticket_id: str) -> Ticket:
        """Return the ticket with conversation, requester, organization and 30 days of history; Gone if it is over."""
        self._budget.admit(
            [
                Need(ACCOUNT, TICKET_CALLS),
                Need(UPDATES[0], TICKET_UPDATES, UPDATES[1]),
            ]
        )
        began = time.time()
        answer = self._api.get(TICKET, ticket_id, query={"include": SIDELOADS})
        raw = zendesk_ticket.living(answer)
        settled = self._is_settled(raw, began)
        found, rated = self._asked_before(raw, lambda: self._history(answer, raw))
        return replace(self._normal(answer, raw, found, rated), settled=settled)

    def _is_settled(self, raw: dict[str, Any], began: float) -> bool:
        """Say whether the second of the ticket's last change was over, on the helpdesk's clock, when we asked."""
        changed, skew = when(raw.get("updated_at")), self._api.clock_skew
        return changed is not None and skew is not None and began - skew - changed.timestamp() >= SETTLED_SECONDS

    def _history(self, answer: dict[str, Any], raw: dict[str, Any]) -> Before:
        requester_id = ident(raw.get("requester_id"))
        person = zendesk_ticket.people(answer).get(requester_id or "", {})
        if self._is_newcomer(raw, person):
            return Others(open=0), None
        # The requester's list, not the search: the search index lags minutes behind, and somebody who writes three
        # times in ten minutes is who this is for. `-id` is newest first; one page is more than anyone asks in 30 days.
        query = {"sort": "-id", "page[size]": PAGE_SIZE}
        page = self._probe.get(REQUESTED, requester_id, query=query) if requester_id else None
        listed = rows(page.get("tickets")) if isinstance(page, dict) else None
        found = others(listed, text(raw["id"]), self._month_ago(), zendesk_ticket.status)
        return found, zendesk_ticket.rating(listed or ())

    def look(self, ticket_id: str) -> Ticket:
        """Return the ticket as `read` does without the earlier ones, solved and closed ones too; Gone if deleted."""
        self._budget.admit([Need(ACCOUNT, LOOK_CALLS)])
        answer = self._api.get(TICKET, ticket_id, query={"include": f"{SIDELOADS},metric_sets"})
        raw = zendesk_ticket.existing(answer)
        return self._normal(answer, raw)

    def _normal(
        self,
        answer: dict[str, Any],
        raw: dict[str, Any],
        others: Others = zendesk_ticket.NOTHING,
        rated: Rating | None = None,
    ) -> Ticket:
        messages = self._messages(raw, zendesk_ticket.people(answer))
        ticket = zendesk_ticket.normalize(self.desk, self._settings, answer, messages, others, rated)
        return replace(ticket, clocks=self._sla.clocks(answer)) if self._own_clocks else ticket

    def _messages(self, raw: dict[str, Any], known: zendesk_ticket.People) -> list[Message]:
        # The comments alone name the files, so they are asked for where the words speak of one.
        if zendesk_ticket.description_is_all(raw, known) and not mentions_attachment(text(raw.get("description"))):
            return [zendesk_ticket.description(raw, known)]
        found: list[Message] = []
        more = False
        # Newest first, so that a very long thread loses its middle and not its end.
        for page in self._comment_pages(text(raw["id"])):
            known = known | zendesk_ticket.people(page)
            found += [zendesk_ticket.message(one, raw, known) for one in rows(page.get("comments"))]
            more = bool(as_dict(page.get("meta")).get("has_more"))
        return [zendesk_ticket.description(raw, known)] * more + found[::-1]

    def _comment_pages(self, ticket_id: str) -> Iterator[dict[str, Any]]:
        query = {"sort": "-created_at", "include": "users"}
        return pages(self._api, COMMENTS, (ticket_id,), query, most=MAX_COMMENT_PAGES)

    def find_note(self, ticket_id: str, reference: str) -> Written | None:
        """Return our note that carries `reference` among the newest 100 comments, or None; a public one is hidden."""
        for comment in self._newest_comments(ticket_id):
            if reference not in text(comment.get("html_body")) + text(comment.get("plain_body") or comment.get("body")):
                continue
            comment_id = text(comment.get("id"))
            if comment.get("public") is False:
                return Written(comment_id)
            # A customer may quote a note that leaked; only our own words are ours to hide.
            if text(comment.get("author_id")) == self.account().user_id:
                return Written(comment_id, leak=self._hide(ticket_id, comment_id))
        return None

    def post(
        self, ticket: Ticket, note_html: str, reference: str, fields: Fields, tags: tuple[str, ...] = ()
    ) -> Written:
        """Add one private note, `fields` and `tags` in one guarded call; what is refused never costs the note."""
        check_reference(note_html, reference)
        wanted, unresolved = self._resolve(fields)
        if wanted:
            self._look_again(ticket, wanted)
        note = {"comment": {"html_body": note_html, "public": False}}
        # The value of a drop-down field is a tag too: with one of them, tags take a call of theirs.
        tagging = TagsAlong(ticket, tags if ticket.settled and not fields.custom else ())
        try:
            answer = self._put(ticket, ticket.stamp, note | _payload(wanted) | tagging.payload)
            after = self._spared(ticket, answer, wanted)
            refused, taken = {}, {name: CHANGED_MEANWHILE for name in wanted if name not in after}
        except Refused as error:
            if not wanted and not tagging.payload:
                raise
            answer = self._put(ticket, ticket.stamp, note)
            tagging = TagsAlong(ticket, ())
            after, taken, refused = {}, {}, {name: reason(error, name) for name in wanted}
        found = self._check_note(ticket.id, answer, reference)
        if refused and len(wanted) > 1 and not found.leak:
            after, refused = set_alone(wanted, self._sender(ticket, answer))
        before = self._before(ticket, after)
        return Written(found.note_id, before, after, unresolved | refused | taken, found.leak, tagging.written(answer))

    def _check_note(self, ticket_id: str, answer: dict[str, Any], reference: str) -> Written:
        """Return the note the answer shows, hidden if it came back public."""
        events = rows(as_dict(answer.get("audit")).get("events"))
        comment = next((event for event in events if event.get("type") == "Comment"), None)
        if comment is None:
            if found := self.find_note(ticket_id, reference):
                return found
            raise UnknownOutcome(NO_COMMENT)
        comment_id = text(comment.get("id"))
        if comment.get("public") is False:
            return Written(comment_id)
        return Written(comment_id, leak=self._hide(ticket_id, comment_id))

    def _hide(self, ticket_id: str, comment_id: str) -> Leak:
        try:
            self._api.send("PUT", MAKE_PRIVATE, ticket_id, comment_id, repeatable=True, urgent=True)
            self._alarm(ticket_id, comment_id, "made private at once")
            return Leak.HIDDEN
        except TandemError as error:
            # Never lost in an exception: the caller must still learn that the note is there and was public.
            self._alarm(ticket_id, comment_id, f"STILL PUBLIC, make it private by hand ({error})")
            return Leak.PUBLIC

    def reply(self, ticket: Ticket, html: str, reference: str) -> Written:
        """Answer the customer by one public comment, guarded by the ticket's stamp; Conflict if anybody has written."""
        check_reference(html, reference)
        self._look_again(ticket, {})
        # The stamp has whole seconds: the comments themselves say whether somebody was faster within this one.
        zendesk_reply.check_unanswered(ticket, self._newest_comments(ticket.id))
        answer = self._put(ticket, ticket.stamp, {"comment": {"html_body": html, "public": True}})
        sent = zendesk_reply.sent_reply(answer) or self.find_reply(ticket.id, reference)
        if sent is None:
            raise UnknownOutcome(NO_COMMENT)
        return sent

    def find_reply(self, ticket_id: str, reference: str) -> Written | None:
        """Return our public reply that carries `reference` among the newest 100 comments, or None."""
        comments = self._newest_comments(ticket_id)
        return zendesk_reply.found_reply(comments, reference, self.account().user_id)

    def _newest_comments(self, ticket_id: str) -> list[dict[str, Any]]:
        return rows(next(self._comment_pages(ticket_id)).get("comments"))

    def update_note(self, ticket_id: str, note_id: str, note_html: str, reference: str) -> Written:
        """Refuse: a comment cannot be changed."""
        del ticket_id, note_id, note_html, reference
        raise FeatureOff(NO_EDITING)

    def _look_again(self, ticket: Ticket, wanted: Mapping[str, Any]) -> None:
        """Raise Conflict if the ticket is not as it was read.

        The guard compares whole seconds: a person's change within the second of the stamp we hold would pass it.
        """
        raw = zendesk_ticket.living(self._api.get(TICKET, ticket.id))
        now, then = zendesk_guard.held(raw, wanted), zendesk_guard.read(ticket, wanted)
        if text(raw.get("updated_at")) != ticket.stamp or now != then:
            raise Conflict(CHANGED_MEANWHILE)

    def _set(self, ticket: Ticket, wanted: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
        self._look_again(ticket, wanted)
        return set_together_else_alone(wanted, self._sender(ticket))

    def _sender(self, ticket: Ticket, answer: dict[str, Any] | None = None) -> Any:
        """Return a function that sets values, each call guarded by the `updated_at` the one before it left."""
        stamp = [_stamp(answer) or ticket.stamp if answer else ticket.stamp]

        def send(values: dict[str, Any]) -> dict[str, Any]:
            answered = self._put(ticket, stamp[0], _payload(values))
            stamp[0] = _stamp(answered) or stamp[0]
            return self._spared(ticket, answered, values)

        return send

    def _spared(self, ticket: Ticket, answer: dict[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the helpdesk shows of `wanted`, less what a person had set in the second of our stamp.

        That passed the guard, so it is given back.
        """
        lost = zendesk_guard.replaced(answer, ticket, wanted)
        if lost:
            try:
                self._put(ticket, _stamp(answer), _payload(lost))
            except TandemError as error:
                # Something newer stands there, or nothing can be written: what we replaced is in the ticket's audit.
                log.warning("desk %s: ticket %s: %s not given back: %s", self.desk, ticket.id, sorted(lost), error)
        return {name: value for name, value in self._shown(answer, wanted).items() if name not in lost}

    def _put(self, ticket: Ticket, stamp: str, values: dict[str, Any]) -> dict[str, Any]:
        # Without the guard a person's change since our read would be overwritten in silence.
        guard = {"updated_stamp": stamp, "safe_update": True}
        return as_dict(self._api.send("PUT", TICKET, ticket.id, body={"ticket": values | guard}))

    def _shown(self, answer: dict[str, Any], names: Mapping[str, Any]) -> dict[str, Any]:
        raw = as_dict(answer.get("ticket"))
        held = {"priority": raw.get("priority"), "group": self._group_name(ident(raw.get("group_id")))}
        custom = zendesk_ticket.custom_fields(raw)
        return {name: held[name] if name in held else custom.get(name) for name in names}

    def _custom_value(self, name: str, value: str) -> Any:
        if not name.isascii() or not name.isdigit():
            raise Refused(NO_FIELD.format(name))
        return value

    def _load_groups(self) -> dict[str, str] | None:
        found = pages(self._api, GROUPS, most=MAX_GROUP_PAGES, optional=True)
        listed = [one for page in found for one in rows(page.get("groups"))]
        return {text(one.get("id")): text(one.get("name")) for one in listed if not one.get("deleted")}

    def add_tags(self, ticket: Ticket, tags: tuple[str, ...]) -> Written:
        """Add `tags`, keeping every other tag."""
        return TagSet(self._api, ticket).add(tags)

    def remove_tags(self, ticket: Ticket, tags: tuple[str, ...]) -> Written:
        """Take `tags` away, keeping every other tag."""
        return TagSet(self._api, ticket).remove(tags)

    def schedules(self) -> tuple[Schedule, ...]:
        """Return the helpdesk's business hours; FeatureOff where the plan or our role has none."""
        return zendesk_schedules.schedules(self._api)

    def tickets_of(self, email: str) -> tuple[str, ...]:
        """Return the ids of every ticket a user with this address has asked."""
        self._budget.admit([Need(ACCOUNT, 2)], spare=BULK_SPARE)
        # A search for an address also finds those that only begin like it.
        found = as_dict(self._api.get(PEOPLE, query={"query": f'email:"{email}"'}))
        people = [one for one in records(found.get("users")) if text(one.get("email")).casefold() == email.casefold()]
        asked = (pages(self._api, REQUESTED, (text(one["id"]),), most=MAX_REQUESTED_PAGES) for one in people)
        return tuple(text(one["id"]) for of_one in asked for page in of_one for one in records(page.get("tickets")))

    def changes(self, cursor: str) -> Changes:
        """Return tickets changed since `cursor` (empty: a minute ago; digits: that epoch), oldest change first."""
        try:
            page, following, more = self._export(cursor)
        except FeatureOff:
            if not cursor or cursor.isdigit():
                raise
            # May we not export at all, or is it a cursor they do not know (any more)? A time tells, and goes on.
            page, following, more = self._export(str(int(time.time()) - LOST_CURSOR_SECONDS))
        listed = records(page.get("tickets"))
        groups = self._groups_of(listed)
        return Changes(tuple(zendesk_ticket.listed(raw, groups) for raw in listed), following, more)

    def history(self, cursor: str, since: datetime) -> History:
        """Return tickets solved since `since`, oldest change first; only admins may export."""
        page, following, more = self._export(cursor or str(int(since.timestamp())), PAST_SIDELOADS, BULK_SPARE)
        done = [raw for raw in records(page.get("tickets")) if zendesk_ticket.finished(raw)]
        return History(self._past(done, page), following, more)

    def past(self, ticket_ids: Sequence[str]) -> tuple[Past, ...]:
        """Return those of at most 100 tickets that are to be had, by one call."""
        self._budget.admit([Need(ACCOUNT, 1)], spare=BULK_SPARE)
        wanted = ",".join(one for one in ticket_ids if one.isascii() and one.isdigit())
        page = as_dict(self._api.get(MANY, query={"ids": wanted, "include": PAST_SIDELOADS}))
        return self._past(records(page.get("tickets")), page)

    def articles(self, cursor: str) -> Articles:
        """Return a page of the articles everybody may read; the help centre counts calls apart from the tickets."""
        self._budget.admit([Need(HELP_CENTER[0], 1, HELP_CENTER[1])], spare=BULK_SPARE)
        return zendesk_guide.list_articles(self._api, cursor)

    def replies(self, ticket: Ticket) -> tuple[Message, ...]:
        """Return the newest public messages of `ticket`, at most 100."""
        self._budget.admit([Need(ACCOUNT, 1)], spare=BULK_SPARE)
        try:
            page = next(self._comment_pages(ticket.id))
        except (Gone, Forbidden):
            return ()
        known, raw = zendesk_ticket.people(page), {"requester_id": ticket.requester.id}
        found = (zendesk_ticket.message(one, raw, known) for one in rows(page.get("comments"))[::-1])
        return tuple(one for one in found if one.public)

    def _past(self, listed: Iterable[dict[str, Any]], page: dict[str, Any]) -> tuple[Past, ...]:
        groups = self._groups()
        known = zendesk_ticket.people(page)
        return tuple(zendesk_ticket.past(self.desk, self._settings, page, raw, known, groups) for raw in listed)

    def _export(self, cursor: str, sideloads: str = "", spare: float = SPARE) -> tuple[dict[str, Any], str, bool]:
        """Return a page of changed tickets, the cursor that goes on after it, and whether there are more now."""
        self._budget.admit([Need(ACCOUNT, 1), Need(EXPORTS[0], 1, EXPORTS[1])], spare=spare)
        newest = int(time.time()) - EXPORT_DELAY
        start = min(int(cursor), newest) if cursor.isdigit() else newest
        where = {"cursor": cursor} if cursor and not cursor.isdigit() else {"start_time": str(start)}
        where |= {"per_page": EXPORT_PAGE} | ({"include": sideloads} if sideloads else {})
        # Only admins may export; FeatureOff tells the caller to poll otherwise.
        page = as_dict(self._api.get(EXPORT, query=where, optional=True))
        following = text(page.get("after_cursor"))
        more = page.get("end_of_stream") is False and following not in ("", cursor)
        return page, following or cursor or str(start), more


def _payload(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return ticket values under Zendesk's names."""
    names = {"priority": "priority", "group": "group_id"}
    values = {names[name]: value for name, value in wanted.items() if name in names}
    custom = [{"id": int(name), "value": value} for name, value in wanted.items() if name not in names]
    return values | ({"custom_fields": custom} if custom else {})


def _stamp(answer: dict[str, Any]) -> str:
    return text(as_dict(answer.get("ticket")).get("updated_at"))
