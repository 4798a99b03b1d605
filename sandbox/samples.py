"""Make tickets: from the sample file, from the control API and from the form on the start page."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

from sandbox import markup
from sandbox.config import SandboxConfig
from sandbox.desk import Desk
from sandbox.records import NewComment, Rating, Ticket, Vendor, now

CHANNELS = ("email", "web", "api", "chat")
SOLVED = {"zendesk": "solved", "freshdesk": "resolved"}
ANSWERED_AFTER = timedelta(hours=2)
RATED_AFTER = timedelta(hours=20)
EARLIER_BODY = "Earlier conversation about: {subject}"
STATUS_WORDS = {
    "zendesk": {"new", "open", "pending", "hold", "solved", "closed"},
    "freshdesk": {"open", "pending", "resolved", "closed", "waiting on customer", "waiting on third party"},
}
OTHER_WORD = {"solved": "resolved", "resolved": "solved", "new": "open", "hold": "pending"}


def status_word(vendor: str, word: str) -> str:
    """Translate a status name of the other vendor."""
    word = word.lower()
    if word in STATUS_WORDS[vendor]:
        return word
    return OTHER_WORD.get(word, "open")


def priority_word(vendor: str, word: str) -> str:
    """Translate a priority name of the other vendor."""
    word = word.lower()
    if word not in ("low", "normal", "medium", "high", "urgent"):
        raise ValueError(f"{word} is no priority")
    return {"medium": "normal"}.get(word, word) if vendor == "zendesk" else {"normal": "medium"}.get(word, word)


def read(path: Path) -> list[dict[str, Any]]:
    """Read sample tickets, one JSON object per line."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def open_sample(desk: Desk, sample: dict[str, Any], ticket_id: int | None = None, *, silent: bool = False) -> Ticket:
    """Open the ticket a sample describes, with its later messages, and announce it unless `silent`."""
    with desk.lock:
        requester = person_of(desk, sample)
        channel = sample.get("channel", "email")
        first = NewComment(
            html=_html(sample.get("body", ""), bool(sample.get("html"))),
            public=True,
            author_id=requester,
            incoming=True,
            attachments=tuple(sample.get("attachments") or ()),
        )
        status = sample.get("status")
        ticket = desk.open_ticket(
            str(sample.get("subject", "")),
            first,
            channel if channel in CHANNELS else "email",
            ticket_id=ticket_id,
            sample_id=sample.get("id"),
            status=status_word(desk.vendor, status) if status else None,
            created_at=now() - timedelta(minutes=float(age)) if (age := sample.get("age_minutes")) else None,
        )
        if tags := sample.get("tags"):
            ticket.tags = sorted(set(tags)) if desk.vendor == "zendesk" else list(tags)
        for message in sample.get("conversation") or ():
            _add_message(desk, ticket, message, bool(sample.get("html")))
        if not silent:
            desk.announce(ticket, "created", {}, requester)
        return ticket


def open_earlier(desk: Desk, sample: dict[str, Any]) -> list[Ticket]:
    """Open the requester's earlier tickets silently, in the past."""
    tickets = []
    with desk.lock:
        requester = person_of(desk, sample)
        for old in sample.get("earlier") or ():
            at = now() - timedelta(days=float(old.get("days_ago", 1)))
            text = old.get("body") or EARLIER_BODY.format(subject=old.get("subject", ""))
            first = NewComment(markup.from_text(text), True, requester, incoming=True)
            status = status_word(desk.vendor, old.get("status", SOLVED[desk.vendor]))
            ticket = desk.open_ticket(str(old.get("subject", "")), first, "email", status=status, created_at=at)
            ticket.tags = list(old.get("tags") or ())
            if reply := old.get("reply"):
                answer = NewComment(markup.from_text(reply), True, desk.agent.id)
                desk.write(ticket, desk.agent.id, {}, answer, channel="email", moment=at + ANSWERED_AFTER, quiet=True)
            if score := old.get("rating"):
                ticket.rating = Rating(desk.new_id(), score, at + RATED_AFTER)
            tickets.append(ticket)
    return tickets


def person_of(desk: Desk, sample: dict[str, Any]) -> int:
    """Find or add the requester and the organization of a sample; return the requester's id."""
    organization = desk.organization(sample.get("organization"))
    who = sample.get("requester") or {}
    name, email = str(who.get("name") or "Customer"), who.get("email")
    # Whoever has asked before was there then.
    before = (float(old.get("days_ago", 1)) for old in sample.get("earlier") or ())
    since = now() - timedelta(days=max(float(who.get("days_old", 0)), *before, 0.0))
    company_id = organization.id if organization else None
    return desk.person(name, email, organization_id=company_id, created_at=since).id


def _add_message(desk: Desk, ticket: Ticket, message: dict[str, Any], is_html: bool) -> None:
    agent = message.get("author") == "agent"
    public = bool(message.get("public", True))
    author = desk.agent.id if agent else ticket.requester_id
    comment = NewComment(_html(message.get("body", ""), is_html), public, author, note=not public, incoming=not agent)
    desk.write(ticket, author, {}, comment, channel=ticket.channel, quiet=True)


def _html(text: str, is_html: bool) -> str:
    return markup.clean(text) if is_html else markup.from_text(text)


class Feed:
    """Push the sample tickets to both vendors, all at once or one every few seconds."""

    def __init__(self, desks: dict[Vendor, Desk], config: SandboxConfig) -> None:
        self._desks = desks
        self._config = config
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._total = self._sent = 0
        self._running = self._started = False

    def start(self, every: float | None = None, limit: int | None = None) -> dict[str, dict[str, int]]:
        """Start a feed and say which ticket ids each sample will have; a feed under way raises RuntimeError."""
        samples = read(self._config.tickets)[:limit] if self._config.tickets else []
        with self._lock:
            if self._running:
                raise RuntimeError("a feed is already running")
            self._running = self._started = True
            self._total, self._sent = len(samples), 0
        ids: dict[Vendor, list[int]] = {}
        for vendor, desk in self._desks.items():
            for sample in samples:
                open_earlier(desk, sample)
            ids[vendor] = desk.reserve(len(samples))
        plan = [(sample, {v: ids[v][place] for v in ids}) for place, sample in enumerate(samples)]
        pause = self._config.every if every is None else every
        if pause <= 0:
            self._push(plan, 0.0)
        else:
            threading.Thread(target=self._push, args=(plan, pause), name="sandbox-feed", daemon=True).start()
        return {
            str(sample.get("id", place)): {str(v): n for v, n in tickets.items()}
            for place, (sample, tickets) in enumerate(plan)
        }

    def _push(self, plan: list[tuple[dict[str, Any], dict[Vendor, int]]], pause: float) -> None:
        for sample, tickets in plan:
            for vendor, ticket_id in tickets.items():
                open_sample(self._desks[vendor], sample, ticket_id)
            with self._lock:
                self._sent += 1
            if pause and self._stop.wait(pause):
                break
        with self._lock:
            self._running = False

    def stop(self) -> None:
        """End a running feed after the ticket it is at."""
        self._stop.set()

    def as_dict(self) -> dict[str, Any]:
        """Show how far the feed is."""
        with self._lock:
            return {
                "total": self._total,
                "sent": self._sent,
                "running": self._running,
                "done": self._started and not self._running and self._sent == self._total,
            }
