"""A pretend helpdesk and a pretend classifier: they do what they are told, and go wrong where they are told to."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from connectors.base import Account, Changed, Changes, Fields, History, Leak, Past, Written
from triage.classification import CHURN_RISKS, PRIORITIES, SENTIMENTS, Classification
from triage.errors import Conflict, Gone
from triage.settings import DEFAULT_TEAMS
from triage.ticket import Author, Message, Organization, Requester, Status, Ticket

CREATED_AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class Killed(BaseException):
    """The process ends here, as by kill -9: nothing catches it."""


def answer(team: str = "billing", sure: float = 0.9, **changes: Any) -> Classification:
    """Return a classification whose chosen labels have the probability `sure`, with what `changes` says otherwise."""
    values: dict[str, Any] = {
        "primary_team": team,
        "priority": "P1_high",
        "sentiment": "frustrated",
        "churn_risk": "medium",
        "language": "en",
        "classifier": "fake",
        **changes,
    }
    labels = {
        "primary_team": (*DEFAULT_TEAMS, "none"),
        "priority": PRIORITIES,
        "sentiment": SENTIMENTS,
        "churn_risk": CHURN_RISKS,
    }
    values.setdefault("probabilities", {})
    for name, known in labels.items():
        if name not in values["probabilities"]:
            chosen = values[name]
            others = [label for label in known if label != chosen]
            values["probabilities"] = {
                **values["probabilities"],
                name: {chosen: sure, **{label: (1 - sure) / len(others) for label in others}},
            }
    return Classification(**values)


class FakeClassifier:
    """Gives the queued answers (an exception is raised), then the last one again; remembers whom it was asked about."""

    name = "fake"

    def __init__(self, *answers: Classification | BaseException) -> None:
        self.answers = deque(answers or (answer(),))
        self.asked: list[str] = []
        self.meanwhile: Callable[[], None] = lambda: None

    def classify(self, ticket: Ticket) -> Classification:
        """Return or raise the next answer."""
        self.asked.append(ticket.id)
        self.meanwhile()
        given = self.answers[0] if len(self.answers) == 1 else self.answers.popleft()
        if isinstance(given, BaseException):
            raise given
        return given


@dataclass
class Note:
    """A comment that stands on the pretend ticket."""

    id: str
    html: str
    public: bool = False


@dataclass
class Pretend:
    """What the helpdesk shows of one ticket; every change moves its stamp on."""

    ticket: Ticket
    notes: list[Note] = field(default_factory=list)
    replies: list[Note] = field(default_factory=list)
    version: int = 1

    def change(self, **values: Any) -> None:
        """Change the ticket as an agent would."""
        self.version += 1
        self.ticket = replace(self.ticket, **values)


@dataclass
class Fault:
    """What goes wrong with one call: `action` runs first, then the call is applied as far as `applied` says."""

    error: BaseException | None = None
    applied: str = ""
    """"" nothing; "note": the note only; "all"."""
    action: Callable[[], None] = lambda: None


class FakeConnector:
    """One desk's helpdesk in memory. `guarded` refuses a note on a ticket that changed since it was read.

    `settled`: its guard sees every change, so tags go along with the note.
    """

    def __init__(self, desk: str = "acme", *, guarded: bool = True, settled: bool = False) -> None:
        self.desk = desk
        self.guarded = guarded
        self.settled = settled
        self.tickets: dict[str, Pretend] = {}
        self.calls: list[tuple[str, str]] = []
        self.pages: deque[Changes | BaseException] = deque()
        self.cursors: list[str] = []
        self.refuses: dict[str, str] = {}
        self.edits_notes = False
        self.clock_skew: float | None = None
        self.publishes = False
        self.hides = True
        self._faults: dict[str, deque[Fault]] = {}
        self._lock = threading.RLock()

    # What a test arranges and looks at.

    def add(self, ticket_id: str = "7", **values: Any) -> Pretend:
        """Put a new ticket on the helpdesk."""
        given: dict[str, Any] = {
            "subject": "Charged twice",
            "status": Status.NEW,
            "created_at": CREATED_AT,
            "requester": Requester("9", "Ada Example", "ada@customer.example"),
            "organization": Organization("3", "Customer Ltd", "gold", "pro", 1200.0),
            "messages": (Message("1", Author.CUSTOMER, "I was charged twice, please refund one."),),
            **values,
        }
        self.tickets[ticket_id] = Pretend(Ticket(desk=self.desk, id=ticket_id, **given))
        return self.tickets[ticket_id]

    def fail(self, call: str, error: BaseException, *, applied: str = "", times: int = 1) -> None:
        """Let the next `times` calls of that name raise `error`, after having taken effect as `applied` says."""
        self._faults.setdefault(call, deque()).extend([Fault(error, applied)] * times)

    def meanwhile(self, call: str, action: Callable[[], None]) -> None:
        """Run `action` when the next call of that name arrives, before it is looked at."""
        self._faults.setdefault(call, deque()).append(Fault(action=action))

    def heal(self) -> None:
        """Forget every fault that has not happened yet."""
        self._faults.clear()

    def names(self) -> list[str]:
        """Return the names of the calls so far."""
        return [name for name, _ in self.calls]

    # The protocol.

    def account(self) -> Account:
        """Return the bot."""
        return self._call("account", "", lambda _: Account("777", "Tandem"))  # type: ignore[no-any-return]

    def read(self, ticket_id: str) -> Ticket:
        """Return the ticket as it stands."""
        shown = self.tickets[ticket_id]

        def read(_: str) -> Ticket:
            return replace(shown.ticket, stamp=str(shown.version), settled=self.settled)

        return self._call("read", ticket_id, read)  # type: ignore[no-any-return]

    def look(self, ticket_id: str) -> Ticket:
        """Return the ticket as it stands, a solved one too."""
        shown = self.tickets[ticket_id]
        return self._call("look", ticket_id, lambda _: replace(shown.ticket, stamp=str(shown.version)))  # type: ignore[no-any-return]

    def find_note(self, ticket_id: str, reference: str) -> Written | None:
        """Return our note; a public one is hidden where that works."""

        def look(_: str) -> Written | None:
            notes = self.tickets[ticket_id].notes
            note = next((note for note in reversed(notes) if reference in note.html), None)
            if note is None:
                return None
            return Written(note.id, leak=self._hide(note) if note.public else None)

        return self._call("find_note", ticket_id, look)  # type: ignore[no-any-return]

    def post(
        self, ticket: Ticket, note_html: str, reference: str, fields: Fields, tags: tuple[str, ...] = ()
    ) -> Written:
        """Add the note with its tags, then the fields."""
        assert reference in note_html

        def apply(how_far: str) -> Written:
            shown = self.tickets[ticket.id]
            if self.guarded and ticket.stamp != str(shown.version):
                raise Conflict("the ticket was changed meanwhile")
            note = Note(f"note-{len(shown.notes) + 1}", note_html, public=self.publishes)
            leak = self._hide(note) if note.public else None
            shown.notes.append(note)
            shown.version += 1
            tagged = None
            if tags:
                assert ticket.settled
                before = list(shown.ticket.tags)
                shown.change(tags=tuple(dict.fromkeys([*before, *tags])))
                tagged = Written(before={"tags": before}, after={"tags": list(shown.ticket.tags)})
            written = self._set(ticket.id, fields) if how_far == "all" else Written()
            return replace(written, note_id=note.id, leak=leak, tagged=tagged)

        return self._call("post", ticket.id, apply)  # type: ignore[no-any-return]

    def _hide(self, note: Note) -> Leak:
        if not self.hides:
            return Leak.PUBLIC
        note.public = False
        return Leak.HIDDEN

    def reply(self, ticket: Ticket, html: str, reference: str) -> Written:
        """Add a public comment unless anybody has written since `ticket` was read."""
        assert reference in html

        def apply(_: str) -> Written:
            shown = self.tickets[ticket.id]
            if ticket.stamp != str(shown.version):
                raise Conflict("the ticket was changed meanwhile")
            reply = Note(f"reply-{len(shown.replies) + 1}", html, public=True)
            shown.replies.append(reply)
            message = Message(reply.id, Author.AGENT, html, html=True, author_id="777")
            shown.change(messages=(*shown.ticket.messages, message))
            return Written(reply.id)

        return self._call("reply", ticket.id, apply)  # type: ignore[no-any-return]

    def find_reply(self, ticket_id: str, reference: str) -> Written | None:
        """Return our public reply."""

        def look(_: str) -> Written | None:
            found = [one for one in self.tickets[ticket_id].replies if reference in one.html]
            return Written(found[0].id) if found else None

        return self._call("find_reply", ticket_id, look)  # type: ignore[no-any-return]

    def update_note(self, ticket_id: str, note_id: str, note_html: str, reference: str) -> Written:
        """Replace the text of a note."""
        assert self.edits_notes and reference in note_html

        def apply(_: str) -> Written:
            note = next((one for one in self.tickets[ticket_id].notes if one.id == note_id), None)
            if note is None:
                raise Gone("no such note")
            note.html = note_html
            return Written(note_id)

        return self._call("update_note", ticket_id, apply)  # type: ignore[no-any-return]

    def set_fields(self, ticket: Ticket, fields: Fields) -> Written:
        """Set the fields."""
        return self._call("set_fields", ticket.id, lambda _: self._set(ticket.id, fields))  # type: ignore[no-any-return]

    def put_back(self, ticket: Ticket, ours: Mapping[str, Any], before: Mapping[str, Any]) -> Written:
        """Give priority and group the values from before."""

        def apply(_: str) -> Written:
            names = {"priority": "priority", "group": "group_id"}
            self.tickets[ticket.id].change(**{names[name]: before.get(name) for name in ours})
            return Written(before=dict(ours), after={name: before.get(name) for name in ours})

        return self._call("put_back", ticket.id, apply)  # type: ignore[no-any-return]

    def add_tags(self, ticket: Ticket, tags: tuple[str, ...]) -> Written:
        """Add the tags."""

        def apply(_: str) -> Written:
            shown = self.tickets[ticket.id]
            before = shown.ticket.tags
            shown.change(tags=tuple(dict.fromkeys((*before, *tags))))
            return Written(before={"tags": list(before)}, after={"tags": list(shown.ticket.tags)})

        return self._call("add_tags", ticket.id, apply)  # type: ignore[no-any-return]

    def remove_tags(self, ticket: Ticket, tags: tuple[str, ...]) -> Written:
        """Take the tags away."""

        def apply(_: str) -> Written:
            shown = self.tickets[ticket.id]
            before = shown.ticket.tags
            shown.change(tags=tuple(tag for tag in before if tag not in tags))
            return Written(before={"tags": list(before)}, after={"tags": list(shown.ticket.tags)})

        return self._call("remove_tags", ticket.id, apply)  # type: ignore[no-any-return]

    def history(self, cursor: str, since: datetime) -> History:
        """Return no past: the tests of learning bring their own."""
        return History((), cursor, more=False)

    def past(self, ticket_ids: Sequence[str]) -> tuple[Past, ...]:
        """Return no past, as above."""
        return ()

    def changes(self, cursor: str) -> Changes:
        """Return the next queued page, then empty ones."""
        self.cursors.append(cursor)
        page = self.pages.popleft() if self.pages else Changes((), cursor or "start", more=False)
        if isinstance(page, BaseException):
            raise page
        return page

    def _set(self, ticket_id: str, fields: Fields) -> Written:
        shown = self.tickets[ticket_id]
        wanted = {"priority": fields.priority, "group": fields.group, **fields.custom}
        wanted = {name: value for name, value in wanted.items() if value and name not in self.refuses}
        old = shown.ticket
        before = {"priority": old.priority, "group": old.group_id, **old.fields}
        if wanted:
            shown.change(
                priority=wanted.get("priority", old.priority),
                group_id=wanted.get("group", old.group_id),
                fields={**old.fields, **{key: value for key, value in wanted.items() if key in fields.custom}},
            )
        return Written(before={name: before.get(name) for name in wanted}, after=wanted, refused=dict(self.refuses))

    def _call(self, name: str, ticket_id: str, apply: Callable[[str], Any]) -> Any:
        queued = self._faults.get(name)
        fault = queued.popleft() if queued else Fault()
        # Outside the lock: what happens meanwhile may itself be another worker's calls.
        fault.action()
        with self._lock:
            self.calls.append((name, ticket_id))
            if fault.error is None:
                return apply("all")
            if fault.applied:
                apply(fault.applied)
            raise fault.error


def changed(ticket_id: str, created_at: float, status: Status = Status.NEW) -> Changed:
    """Return a row of the catch-up list."""
    moment = datetime.fromtimestamp(created_at, UTC)
    return Changed(ticket_id, status, moment, moment)


def own_sleep(patch: pytest.MonkeyPatch, module: ModuleType, sleep: Callable[[float], object]) -> None:
    """Have `module` alone sleep so: threads of other tests sleep on, and one that never slept would never rest."""
    patch.setattr(module, "time", SimpleNamespace(**{**vars(time), "sleep": sleep}))
