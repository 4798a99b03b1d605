"""One helpdesk account in memory: people, groups and tickets behind one lock."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sandbox import knowledge
from sandbox.config import GROUPS, SandboxConfig
from sandbox.records import Attachment, Audit, Comment, Group, NewComment, Organization, Person, Ticket, Vendor, now

# Ids are as large as the vendors', so that nothing downstream may store them in 32 bits.
FIRST_ID = {"zendesk": 26155588908179, "freshdesk": 67013469919}
ID_STEP = {"zendesk": 128, "freshdesk": 3}
BOT_NAME = "Tandem"
AGENT_NAME = "Robin Hale"
# Statuses in which SLA clocks stand still.
PAUSING = frozenset({"pending", "hold", "waiting on customer", "waiting on third party"})
FIRST_STATUS = {"zendesk": "new", "freshdesk": "open"}
FIRST_PRIORITY: dict[str, str | None] = {"zendesk": None, "freshdesk": "low"}

Listener = Callable[["Desk", Ticket, str, dict[str, Any], int], None]
FieldTags = dict[str, tuple[str, ...]]


class Desk:
    """Keep the records of one account; hold `lock` around anything that reads more than one of them."""

    def __init__(self, vendor: Vendor, name: str, config: SandboxConfig, listener: Listener) -> None:
        self.vendor = vendor
        self.name = name
        self.config = config
        self.lock = threading.RLock()
        self._listener = listener
        self._ids = itertools.count(FIRST_ID[vendor], ID_STEP[vendor])
        self._next_ticket = 1
        self.tickets: dict[int, Ticket] = {}
        self.people: dict[int, Person] = {}
        self.organizations: dict[int, Organization] = {}
        self.groups: dict[int, Group] = {}
        email = config.zendesk_email if vendor == "zendesk" else ""
        admin = config.zendesk_role == "admin" if vendor == "zendesk" else config.freshdesk_admin
        self.bot = self.person(BOT_NAME, email or f"tandem@{name}.example", "admin" if admin else "agent")
        self.agent = self.person(AGENT_NAME, f"robin@{name}.example", "agent")
        for title in GROUPS:
            group = Group(self.new_id(), title, now())
            self.groups[group.id] = group
        # A Zendesk drop-down stores its value as a tag; the ids of its two custom fields are fixed at start.
        self.field_ids = {"sentiment": self.new_id(), "churn_risk": self.new_id()}
        self.articles = knowledge.read(self.new_id)

    def new_id(self) -> int:
        """Give the next id of anything but a ticket."""
        with self.lock:
            return next(self._ids)

    def reserve(self, count: int) -> list[int]:
        """Take ticket ids in advance, so that a slow feed can say at once which ids it will use."""
        with self.lock:
            first = self._next_ticket
            self._next_ticket += count
            return list(range(first, first + count))

    def person(
        self,
        name: str,
        email: str | None,
        role: str = "end-user",
        organization_id: int | None = None,
        created_at: datetime | None = None,
    ) -> Person:
        """Find a person by e-mail address or add one."""
        with self.lock:
            for known in self.people.values():
                if email and known.email == email:
                    if organization_id is not None:
                        known.organization_id = organization_id
                    return known
            kind: Any = role
            person = Person(self.new_id(), name, email, kind, created_at or now(), organization_id)
            self.people[person.id] = person
            return person

    def organization(self, details: dict[str, Any] | None) -> Organization | None:
        """Find an organization by name, or add it; later details win."""
        if not details or not details.get("name"):
            return None
        with self.lock:
            found = next((o for o in self.organizations.values() if o.name == details["name"]), None)
            if found is None:
                age = timedelta(days=float(details.get("days_old", 0)))
                found = Organization(self.new_id(), str(details["name"]), now() - age)
                self.organizations[found.id] = found
            found.tier = details.get("tier", found.tier)
            found.plan = details.get("plan", found.plan)
            found.mrr = details.get("mrr", found.mrr)
            found.more |= details.get("more") or {}
            if "renews_in_days" in details:
                found.renewal = now().replace(hour=0, minute=0, second=0) + timedelta(days=details["renews_in_days"])
            return found

    def group_named(self, name: str) -> Group | None:
        """Find a group by its exact name."""
        return next((group for group in self.groups.values() if group.name == name), None)

    def field_tags(self) -> FieldTags:
        """List the drop-down fields whose option values are tags (Zendesk only)."""
        if self.vendor != "zendesk":
            return {}
        return {
            str(self.field_ids["sentiment"]): self.config.zendesk_sentiments,
            str(self.field_ids["churn_risk"]): self.config.zendesk_churn_risks,
        }

    def open_ticket(
        self,
        subject: str,
        first: NewComment,
        channel: str,
        *,
        ticket_id: int | None = None,
        sample_id: str | None = None,
        status: str | None = None,
        created_at: datetime | None = None,
    ) -> Ticket:
        """Create a ticket without telling anybody; `announce` does that once the ticket is complete."""
        with self.lock:
            moment = created_at or now()
            requester = self.people[first.author_id]
            ticket = Ticket(
                id=ticket_id if ticket_id is not None else self.reserve(1)[0],
                subject=subject,
                requester_id=requester.id,
                organization_id=requester.organization_id,
                status=status or FIRST_STATUS[self.vendor],
                priority=FIRST_PRIORITY[self.vendor],
                channel=channel,
                created_at=moment,
                updated_at=moment,
                status_at=moment,
                touched=time.time(),
                sample_id=sample_id,
                sla_ready_at=(moment.timestamp() if created_at else time.time()) + self.config.freshdesk_due_delay,
            )
            self.tickets[ticket.id] = ticket
            audit = self._audit(ticket, requester.id, moment, channel)
            facts = {"requester_id": str(requester.id), "subject": subject, "status": ticket.status}
            audit.changes = [
                {"id": self.new_id(), "type": "Create", "value": value, "field_name": field}
                for field, value in facts.items()
            ]
            self._add_comment(ticket, audit, first, moment)
            return ticket

    def announce(self, ticket: Ticket, kind: str, event: dict[str, Any], actor_id: int) -> None:
        """Tell the listener (the webhook sender) that something happened."""
        self._listener(self, ticket, kind, event, actor_id)

    def write(
        self,
        ticket: Ticket,
        actor_id: int,
        changes: dict[str, Any],
        comment: NewComment | None = None,
        *,
        metadata: dict[str, Any] | None = None,
        channel: str = "api",
        moment: datetime | None = None,
        quiet: bool = False,
    ) -> Audit:
        """Apply field changes and at most one comment as one step, and announce what really changed."""
        with self.lock:
            at = moment or now()
            audit = self._audit(ticket, actor_id, at, channel, metadata)
            before = _Before(ticket)
            self.settle_sla(ticket)
            for field, value in changes.items():
                self._set(ticket, audit, field, value)
            self._follow_field_tags(ticket, audit, changes)
            if comment:
                self._add_comment(ticket, audit, comment, at)
            if audit.changes or comment:
                ticket.updated_at = at
                ticket.touched = time.time()
            if ticket.status != before.status:
                ticket.status_at = at
                self._pause(ticket, at)
            if ticket.priority != before.priority:
                ticket.sla_ready_at = time.time() + self.config.freshdesk_due_delay
            if not quiet:
                self._announce_all(ticket, audit, before)
            return audit

    def touch(self, ticket: Ticket) -> None:
        """Mark a ticket as changed without a change an audit would show."""
        ticket.updated_at, ticket.touched = now(), time.time()

    def _pause(self, ticket: Ticket, at: datetime) -> None:
        """Stop the SLA clocks, or let them go on."""
        if ticket.status in PAUSING:
            ticket.paused_at = ticket.paused_at or at
        elif ticket.paused_at:
            ticket.pauses.append((ticket.paused_at, at))
            ticket.paused_at = None

    def settle_sla(self, ticket: Ticket) -> None:
        """Let the SLA follow the priority once the vendor has had its seconds."""
        if time.time() >= ticket.sla_ready_at:
            ticket.sla_priority = ticket.priority

    def visible(self, ticket_id: int) -> Ticket | None:
        """Find a ticket that is not deleted."""
        ticket = self.tickets.get(ticket_id)
        return ticket if ticket and not ticket.deleted else None

    def _audit(
        self, ticket: Ticket, actor_id: int, at: datetime, channel: str, metadata: dict[str, Any] | None = None
    ) -> Audit:
        audit = Audit(self.new_id(), ticket.id, actor_id, at, channel, dict(metadata or {}))
        ticket.audits.append(audit)
        return audit

    def _add_comment(self, ticket: Ticket, audit: Audit, new: NewComment, at: datetime) -> None:
        files = [Attachment(self.new_id(), name, at) for name in new.attachments]
        audit.comment = Comment(
            id=self.new_id(),
            audit_id=audit.id,
            author_id=new.author_id,
            html=new.html,
            public=new.public,
            channel=audit.channel,
            created_at=at,
            updated_at=at,
            incoming=new.incoming,
            note=new.note,
            attachments=files,
            metadata=audit.metadata,
        )
        ticket.comments.append(audit.comment)

    def _set(self, ticket: Ticket, audit: Audit, field: str, value: Any) -> None:
        custom = field.startswith("custom:")
        key = field.removeprefix("custom:")
        old = ticket.custom_fields.get(key) if custom else getattr(ticket, field)
        if old == value:
            return
        if custom:
            ticket.custom_fields[key] = value
        else:
            setattr(ticket, field, value)
        change = {"type": "Change", "value": _text(value), "field_name": key, "previous_value": _text(old)}
        audit.changes.append({"id": self.new_id(), **change})

    def _follow_field_tags(self, ticket: Ticket, audit: Audit, changes: dict[str, Any]) -> None:
        """Keep drop-down values and tags in step: at Zendesk they are one thing."""
        for key, options in self.field_tags().items():
            value = ticket.custom_fields.get(key)
            if f"custom:{key}" in changes:
                kept = [tag for tag in ticket.tags if tag not in options]
                self._set(ticket, audit, "tags", sorted({*kept, value} if value else kept))
            elif "tags" in changes and value not in ticket.tags:
                self._set(ticket, audit, f"custom:{key}", next((t for t in ticket.tags if t in options), None))

    def _announce_all(self, ticket: Ticket, audit: Audit, before: _Before) -> None:
        actor = audit.author_id
        if comment := audit.comment:
            author = self.people[comment.author_id]
            described = {
                "id": str(comment.id),
                "html": comment.html,
                "is_public": comment.public,
                "author": {"id": str(author.id), "is_staff": author.role != "end-user", "name": author.name},
            }
            self.announce(ticket, "comment_added", {"comment": described}, actor)
        for field in ("status", "priority", "type", "subject"):
            old, new = getattr(before, field), getattr(ticket, field)
            if old != new:
                self.announce(ticket, f"{field}_changed", {"current": new, "previous": old}, actor)
        if before.group_id != ticket.group_id:
            groups = {"current": str(ticket.group_id or ""), "previous": str(before.group_id or "")}
            self.announce(ticket, "group_assignment_changed", groups, actor)
        if before.tags != ticket.tags:
            added = [tag for tag in ticket.tags if tag not in before.tags]
            removed = [tag for tag in before.tags if tag not in ticket.tags]
            self.announce(ticket, "tags_changed", {"tags_added": added, "tags_removed": removed}, actor)
        if audit.changes or audit.comment:
            self.announce(ticket, "updated", {}, actor)


class _Before:
    """Remember what a ticket looked like before a write."""

    def __init__(self, ticket: Ticket) -> None:
        self.status, self.priority = ticket.status, ticket.priority
        self.type, self.subject = ticket.type, ticket.subject
        self.group_id, self.tags = ticket.group_id, list(ticket.tags)


def _text(value: Any) -> Any:
    """Write a value as an audit does: ids as strings, lists and nothing as they are."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value
