"""Takes back what Tandem has written on tickets: fields, tags and escalations that are still ours, and the notes.

May be killed after any line and be run again: what is to be done is recorded first, values go back only while ours
stand, tags are removed only where they are, and a withdrawing note is looked for before it is sent. Writes although
writing is stopped: that is what one does after stopping.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from connectors.base import Connector, Fields
from triage.errors import Conflict, DeskLocked, FeatureOff, Forbidden, Gone, Refused, Retry, TandemError, Wait
from triage.note import REFERENCE_LINE
from triage.note_parts import Part, render_html
from triage.store import Store
from triage.store.runs import new_reference
from triage.store.undone import ACT, Choice, Trace
from triage.ticket import Status, Ticket
from workers.undo_plan import WITHDRAWN, Plan, plan

TRIES = 3
BATCH = 20
# Ids are numbers: no ticket of a desk comes after this, however a database sorts.
BEHIND_ALL = "zzzz"
WITHDRAWS = "Withdrawn by your team on {day}: please disregard Tandem's note {references}."
CLOSED = "the ticket is closed: nothing on it can be changed any more"
UNDER_WAY = "a worker is at this ticket right now; undo it again in a minute"
NO_NOTE = "the note is not on the ticket any more"


@dataclass
class Result:
    """What became of one ticket."""

    desk: str
    ticket_id: str
    before: dict[str, Any] = field(default_factory=dict)
    """Values as they were right before taking back."""
    after: dict[str, Any] = field(default_factory=dict)
    """The same as they are now."""
    tags: list[str] = field(default_factory=list)
    """Removed."""
    tags_back: list[str] = field(default_factory=list)
    """Added again."""
    notes: int = 0
    """Withdrawn."""
    notes_back: int = 0
    """That say again what they said before."""
    left: dict[str, str] = field(default_factory=dict)
    """What stays, and why."""
    refused: bool = False
    """The helpdesk has refused a part: undoing it again tries that again."""


@dataclass(frozen=True)
class Batch:
    """Some tickets, the last one done (None: there are no more), and the seconds to wait before the next."""

    results: list[Result]
    after: tuple[str, str] | None
    pause: float = 0.0


def preview(desk: str, ticket_id: str, choice: Choice, store: Store, connector: Connector) -> Result:
    """Return what undoing would do to one ticket, without doing it."""
    result = Result(desk, ticket_id)
    try:
        wanted = plan(
            connector.look(ticket_id),
            store.undone.traces(choice, desk, ticket_id),
            edits_notes=connector.edits_notes,
        )
    except TandemError as error:
        result.left["ticket"] = str(error)
        return result
    result.before, result.after, result.tags = wanted.ours, wanted.before, list(wanted.tags)
    result.tags_back, result.notes_back = list(wanted.tags_back), len(wanted.notes_back)
    result.notes, result.left = len(wanted.notes), wanted.left
    return result


def undo_ticket(desk: str, ticket_id: str, choice: Choice, store: Store, connector: Connector, actor: str) -> Result:
    """Take back the chosen writes on one ticket. Raises Wait, Retry and DeskLocked as every call to a helpdesk does."""
    result = Result(desk, ticket_id)
    traces = store.undone.traces(choice, desk, ticket_id)
    if not traces:
        return result
    if store.undone.is_under_way(desk, ticket_id, time.time()):
        result.left["ticket"] = UNDER_WAY
        return result
    try:
        ticket = connector.look(ticket_id)
    except Gone as error:
        result.left["ticket"] = str(error)
        store.undone.finish(traces, _record(result, actor), done=True)
        return result
    if ticket.status is Status.CLOSED:
        result.left["ticket"] = CLOSED
        return result
    for _ in range(TRIES):
        wanted = plan(ticket, traces, edits_notes=connector.edits_notes)
        held = store.undone.begin(traces, {"actor": actor, "note": new_reference(), "target": wanted.before})
        try:
            _carry_out(ticket, wanted, traces, connector, held["note"], result)
            break
        except Conflict:
            ticket = connector.look(ticket_id)
    else:
        raise Retry("the ticket was changed by others each time something was to be taken back")
    store.undone.finish(traces, held | _record(result, actor), done=not result.refused)
    if any(one.source == ACT for one in traces):
        # The next word about its clocks begins a note of its own.
        store.clocks.note_written(desk, ticket_id, "")
    detail = {name: value for name, value in asdict(result).items() if name not in ("desk", "ticket_id") and value}
    store.audit.record(actor, "undo", time.time(), desk=desk, subject=f"ticket {ticket_id}", **detail)
    return result


def undo_some(
    choice: Choice,
    store: Store,
    open_connector: Callable[[str], Connector],
    actor: str,
    after: tuple[str, str] = ("", ""),
    limit: int = BATCH,
) -> Batch:
    """Take back the chosen writes on the next tickets, in the order of desk and id, those after `after`."""
    results: list[Result] = []
    tickets = store.undone.tickets(choice, after, limit)
    for desk, ticket_id in tickets:
        try:
            results.append(undo_ticket(desk, ticket_id, choice, store, open_connector(desk), actor))
        except Wait as error:
            return Batch(results, after, error.seconds)
        except DeskLocked as error:
            # Each further call of this desk would be refused too, and some helpdesks count those.
            results.append(Result(desk, ticket_id, left={"ticket": str(error)}))
            return Batch(results, (desk, BEHIND_ALL))
        except TandemError as error:
            results.append(Result(desk, ticket_id, left={"ticket": str(error)}))
        after = desk, ticket_id
    return Batch(results, after if len(tickets) == limit else None)


def _carry_out(
    ticket: Ticket, wanted: Plan, traces: list[Trace], connector: Connector, reference: str, result: Result
) -> None:
    result.left |= wanted.left
    if wanted.ours:
        with_care(result, "fields", lambda: _put_back(ticket, wanted, connector, result))
    if wanted.tags:
        with_care(result, "tags", lambda: _untag(ticket, wanted, connector, result))
    if wanted.tags_back:
        with_care(result, "tags", lambda: _tag_again(ticket, wanted, connector, result))
    for one in wanted.notes_back:
        with_care(result, f"note {one.reference}", lambda one=one: _say_again(ticket, one, connector, result))  # type: ignore[misc]
    if connector.edits_notes:
        for one in wanted.notes:
            with_care(result, f"note {one.reference}", lambda one=one: _rewrite(ticket, one, connector, result))  # type: ignore[misc]
    elif wanted.notes:
        with_care(result, "notes", lambda: _withdraw(ticket, wanted, traces, connector, reference, result))


def with_care(result: Result, what: str, do: Callable[[], None]) -> None:
    """Do one part; what the helpdesk refuses for good costs that part only."""
    try:
        do()
    except Gone as error:
        result.left[what] = str(error)
    except (Refused, FeatureOff, Forbidden) as error:
        result.left[what] = str(error)
        result.refused = True


def _put_back(ticket: Ticket, wanted: Plan, connector: Connector, result: Result) -> None:
    written = connector.put_back(ticket, wanted.ours, wanted.before)
    result.before |= {name: wanted.ours[name] for name in written.after}
    result.after |= written.after
    result.left |= written.refused


def _untag(ticket: Ticket, wanted: Plan, connector: Connector, result: Result) -> None:
    written = connector.remove_tags(ticket, wanted.tags)
    kept = {str(tag).casefold() for tag in written.after.get("tags", ())}
    result.tags += [tag for tag in wanted.tags if tag.casefold() not in kept]


def _tag_again(ticket: Ticket, wanted: Plan, connector: Connector, result: Result) -> None:
    shown = replace(ticket, tags=tuple(tag for tag in ticket.tags if tag not in result.tags))
    written = connector.add_tags(shown, wanted.tags_back)
    result.tags_back += [tag for tag in wanted.tags_back if tag not in written.refused]
    result.left |= written.refused


def _say_again(ticket: Ticket, one: Trace, connector: Connector, result: Result) -> None:
    """Give our own note the words back that stood there before the update."""
    connector.update_note(ticket.id, one.note_id, one.earlier, one.reference)
    result.notes_back += 1


def _rewrite(ticket: Ticket, one: Trace, connector: Connector, result: Result) -> None:
    """Replace the text of our own note: no word of the suggestion stays."""
    note_id = one.note_id
    if not note_id:
        found = connector.find_note(ticket.id, one.reference)
        note_id = found.note_id if found else ""
    if not note_id:
        raise Gone(NO_NOTE)
    html = _html(WITHDRAWN.format(day=_today()), one.reference)
    connector.update_note(ticket.id, note_id, html, one.reference)
    result.notes += 1


def _withdraw(
    ticket: Ticket, wanted: Plan, traces: list[Trace], connector: Connector, reference: str, result: Result
) -> None:
    """Add one short note that withdraws ours: a comment cannot be changed, and redacting is for ever."""
    begun = any(one.undo for one in traces)
    if not (begun and connector.find_note(ticket.id, reference)):
        references = ", ".join(one.reference for one in wanted.notes)
        # Fields and tags have moved the ticket on.
        fresh = connector.look(ticket.id) if wanted.ours or wanted.tags else ticket
        html = _html(WITHDRAWS.format(day=_today(), references=references), reference)
        connector.post(fresh, html, reference, Fields())
    result.notes += len(wanted.notes)


def _html(text: str, reference: str) -> str:
    return render_html([Part(text, strong=True), Part(REFERENCE_LINE.format(reference=reference))])


def _record(result: Result, actor: str) -> dict[str, Any]:
    kept = {name: value for name, value in asdict(result).items() if name not in ("desk", "ticket_id")}
    return kept | {"actor": actor, "at": time.time()}


def _today() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d}"
