"""One ticket: everything Tandem knows and did, over all runs; and a delivery as it was received, for admins."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, flash
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from triage.store.browse import Wanted
from triage.store.deliveries import CLOCK, DEAD, DONE
from triage.store.effects import CONFIRMED, SENT
from triage.store.runs import Run
from triage.store.tickets import OneRun
from triage.store.undone import Choice
from webhooks.frame import ID, Console, to
from webhooks.replay import replay
from webhooks.shown import ticket_url
from webhooks.words import FIELD_NAMES

# A webhook's body has 1 MiB at most; a page of it is not read by anybody.
SHOWN_BODY = 200_000
NOTHING_TO_REPLAY = "There is no closed delivery of this ticket to send through again."
REPLAYED = "Delivery {id} was sent through again."
UNDOING = "A worker takes it back now; what a person has changed since stays. Look again in a moment."
NOT_UNDONE = "The queue does not answer, so nothing is taken back. Try again, or use python manage.py undo."
UNDER_WAY = "Nothing to replay: it is under way already."


@dataclass(frozen=True)
class Judged:
    """One decided field of a run: what was said with which probability, and what people made of it."""

    field: str
    label: str
    probability: float
    others: list[tuple[str, float]]
    """The other labels, the most probable first."""
    is_sure: bool
    outcome: dict[str, Any] | None


@dataclass(frozen=True)
class RunView:
    """A run as its section shows it."""

    record: OneRun
    judged: list[Judged]
    seconds: float
    longest: float
    """Of its steps; 1 where none took time."""
    changed: list[tuple[str, str, str]] | None
    """(field, label that stood, label now) of a later run; None for the first one."""

    @property
    def run(self) -> Run:
        """Return the run itself."""
        return self.record.run


def views(found: Sequence[OneRun]) -> list[RunView]:
    """Return runs, the newest first, as their sections show them; rows of older versions may lack anything."""
    shown, stands, is_later = [], dict[str, str](), False
    for one in reversed(found):
        judged = judged_of(one)
        # What Tandem is not sure of takes nothing back.
        sure = {each.field: each.label for each in judged if each.is_sure}
        changed = [(field, stands.get(field, ""), label) for field, label in sure.items() if label != stands.get(field)]
        timings = one.run.timings or {}
        longest = max([*timings.values(), 0.0]) or 1.0
        shown.append(RunView(one, judged, sum(timings.values()), longest, changed if is_later and judged else None))
        stands, is_later = stands | sure, is_later or bool(judged)
    return shown[::-1]


def judged_of(one: OneRun) -> list[Judged]:
    """Return the decided fields of a run."""
    answer = one.run.classification or {}
    abstained = (one.run.decision or {}).get("abstained", [])
    seen = {row["field"]: row for row in one.outcomes}
    found = []
    for field in FIELD_NAMES:
        if not (label := answer.get(field)):
            continue
        known = dict(answer.get("probabilities", {}).get(field, {}))
        chosen = known.pop(label, 0.0)
        others = sorted(known.items(), key=lambda pair: pair[1], reverse=True)
        found.append(Judged(field, label, chosen, others, field not in abstained, seen.get(field)))
    return found


class Page:
    """The page and its buttons."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._store = console.store

    def ticket(self, desk: str, ticket_id: str) -> str:
        """Show a ticket."""
        record = self._store.tickets.record(desk, ticket_id)
        if not record.runs and not record.deliveries:
            raise NotFound
        return self._console.show(
            "ticket",
            time.time(),
            desk=desk,
            ticket_id=ticket_id,
            record=record,
            runs=views(record.runs),
            url=ticket_url(self._console.settings, desk, ticket_id),
        )

    def body(self, desk: str, delivery_id: int) -> str:
        """Show a delivery as it was received; that somebody read it is recorded."""
        found = self._store.tickets.body(desk, delivery_id)
        if found is None:
            raise NotFound
        delivery, raw = found
        self._console.record("body read", desk=desk, subject=f"delivery {delivery_id}")
        text = None if raw is None else raw[:SHOWN_BODY].decode("utf-8", "replace")
        is_cut = raw is not None and len(raw) > SHOWN_BODY
        return self._console.show("body", time.time(), delivery=delivery, text=text, is_cut=is_cut)

    def replay_ticket(self, desk: str, ticket_id: str) -> Response:
        """Send the newest closed delivery of a ticket through again."""
        rows = self._store.browse.deliveries(Wanted(desks=(desk,), ticket_id=ticket_id)).rows
        closed = [row.id for row in rows if row.state in (DEAD, DONE) and row.occasion != CLOCK]
        if not closed:
            flash(NOTHING_TO_REPLAY)
        elif opened := replay(self._store, self._console.wakeup, closed[:1]):
            self._console.record("replay", desk=desk, subject=f"ticket {ticket_id}", ids=opened)
            flash(REPLAYED.format(id=opened[0]))
        else:
            flash(UNDER_WAY)
        return to("ticket", desk=desk, ticket_id=ticket_id)

    def undo(self, desk: str, ticket_id: str) -> str:
        """Show what can be taken back."""
        record = self._store.tickets.record(desk, ticket_id)
        if not record.runs:
            raise NotFound
        written = [effect for one in record.runs for effect in one.effects if effect.state in (SENT, CONFIRMED)]
        return self._console.show("undo", time.time(), desk=desk, ticket_id=ticket_id, written=written)

    def undo_ticket(self, desk: str, ticket_id: str) -> Response:
        """Have a worker take it back."""
        self._console.desk(desk)
        if not self._store.tickets.record(desk, ticket_id).runs:
            raise NotFound
        is_sent = self._console.wakeup.undo(self._console.user.actor, Choice(desk=desk, ticket_id=ticket_id))
        if is_sent:
            self._console.record("undo asked for", desk=desk, subject=f"ticket {ticket_id}")
        flash(UNDOING if is_sent else NOT_UNDONE)
        return to("ticket", desk=desk, ticket_id=ticket_id)


def register(routes: Blueprint, console: Console) -> None:
    """Add the routes."""
    page = Page(console)
    # A helpdesk's ids are numbers; a test helpdesk's may be words. No slash is in either.
    place = "desks/<desk>/tickets/<string(maxlength=40):ticket_id>"
    console.page(routes, place, "ticket", page.ticket)
    console.action(routes, f"{place}/replay", "replay_ticket", page.replay_ticket)
    console.page(routes, f"{place}/undo", "undo", page.undo, admin=True)
    console.action(routes, f"{place}/undo", "undo_ticket", page.undo_ticket)
    console.page(routes, f"desks/<desk>/deliveries/<{ID}:delivery_id>", "body", page.body, admin=True)
