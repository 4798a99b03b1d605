"""Does what was decided about a ticket's SLA stage: a note, an escalation, tags, messages.

Each act was recorded before (`workers/clocks.py`), is claimed, marked as sent, done, and confirmed. One that may have
been done already is looked for first; one that is no longer true is dropped. Nothing a person has set is changed.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Any

from connectors.base import Fields, Leak, Written
from triage.errors import (
    Conflict,
    DeskLocked,
    FeatureOff,
    Gone,
    Refused,
    Retry,
    Stop,
    TandemError,
    UnknownOutcome,
    Wait,
)
from triage.note import REFERENCE_LINE
from triage.note_parts import Part, render_html
from triage.settings import Mode
from triage.sla import TAGS as TAG_NAMES
from triage.sla import Stage
from triage.sla_words import message, note_title, stage_lines, title
from triage.store.acts import FIELDS, NOTE, SENT, TAGS, Act
from triage.store.marks import DESK_LOCKED, PUBLIC_NOTE, SLA_ACT
from workers.clocks import follow, let_go, mode_of
from workers.deliver import TAKEN_BACK, describe, pause_after
from workers.escalation import escalated, escalation
from workers.foresight import outlook
from workers.later import notice
from workers.sla_tools import LEASE_SECONDS, SlaTools, View
from workers.writing import CONFLICTS, HELD_UP, LEAKS, PAUSE_SECONDS

# Note and fields first: on Zendesk tags would make the reading stale that guards them.
ORDER = (NOTE, FIELDS, TAGS)
NEEDED = {NOTE: Mode.NOTE, FIELDS: Mode.WRITE, TAGS: Mode.TAG}
MESSAGE_TRIES = 4
ALARM_AFTER = 4
NOT_ANY_MORE = "the ticket is no longer at this stage"
NOT_ALLOWED = "the desk's mode does not allow it any more"
NO_NOTE = "there is no note to bring up to date"
NOTE_DELETED = "somebody has deleted the note"
A_PERSONS = "a person has set it, or it stands already"
TICKET_GONE = "the ticket is gone"
NOT_REPEATED = "it may or may not have been sent, and is not sent again"
MAY_BE_SENT = f"the worker ended while it was being sent; {NOT_REPEATED}"
IN_TROUBLE = "{kind} about the SLA could not be done: {reason}"


class TakenOverError(Exception):
    """The claim has run out and another worker has this act."""


def look(desk: str, ticket_id: str, tools: SlaTools) -> View:
    """Read a ticket again and bring its clocks up to date. Raises the errors of `triage.errors`."""
    connector = tools.open_connector(desk)
    ticket = connector.look(ticket_id)
    now = time.time()
    # First: once the clocks say that this state of the ticket was seen, nobody comes back for it.
    notice(ticket, tools.settings, tools.store, now)
    watch, picture = follow(ticket, tools.settings, tools.store, now, edits_notes=connector.edits_notes)
    return View(ticket, watch, picture, now)


def carry_out(acts: list[Act], tools: SlaTools, view: View | None = None) -> None:
    """Do the acts of one ticket, `view` being what it was just read as; what fails is tried again later."""
    try:
        view = view or look(acts[0].desk, acts[0].ticket_id, tools)
    except Exception as error:
        for act in acts:
            unread(act, error, tools)
        return
    for act in sorted(acts, key=lambda one: ORDER.index(one.kind)):
        try:
            if reason := _outdated(act, view, tools):
                tools.store.acts.drop(act, reason)
            else:
                DO[act.kind](act, view, tools)
        except TakenOverError:
            continue
        except Exception as error:
            _after_error(act, error, tools)


def send_message(act: Act, tools: SlaTools, view: View) -> None:
    """Send one message, if it is still true. Raises Retry or Refused where the channel does not take it."""
    if reason := _outdated(act, view, tools):
        tools.store.acts.drop(act, reason)
        return
    if act.state == SENT:
        # Whoever had it ended in the middle: an alarm instead of a second message.
        _fail(act, MAY_BE_SENT, tools)
        return
    head = title(Stage(act.stage), act.desk, act.ticket_id, view.picture)
    text = "\n".join([*_added(act, view, tools), message(view.picture, view.ticket.url)])
    _announce(act, tools)
    tools.notify(act.channel, head, text)
    tools.checkpoint("sla_after_message")
    tools.store.acts.confirm(act, time.time())


def unread(act: Act, error: Exception, tools: SlaTools) -> None:
    """Decide what becomes of an act whose ticket could not be read: only a refused write ends one."""
    lasting = isinstance(error, (Stop, Refused, FeatureOff)) and not isinstance(error, DeskLocked)
    _after_error(act, Retry(describe(error)) if lasting else error, tools)


def give_up_or_later(act: Act, error: Exception, tools: SlaTools) -> None:
    """Decide what becomes of a message that was not taken."""
    # It may be there already, and one warning is better than two.
    if isinstance(error, UnknownOutcome):
        _fail(act, f"{describe(error)}; {NOT_REPEATED}", tools)
    elif isinstance(error, Refused) or act.attempts >= MESSAGE_TRIES:
        _fail(act, describe(error), tools)
    else:
        pause = 30.0 * 4.0 ** (act.attempts - 1)
        tools.store.acts.postpone(act, time.time() + pause, describe(error), not_sent=isinstance(error, TandemError))


def _outdated(act: Act, view: View, tools: SlaTools) -> str:
    """Return why the act is not to be done any more, or an empty text."""
    if (act.episode, act.stage) != (view.watch.episode, view.watch.stage):
        if act.kind == NOTE and act.state == SENT:
            _remember_note(act, view, tools)
        return NOT_ANY_MORE
    if act.kind in NEEDED and tools.store.undone.is_undone(act.desk, act.ticket_id):
        return TAKEN_BACK
    desk = tools.settings.desks[act.desk]
    needed = NEEDED.get(act.kind, Mode.WATCH)
    return "" if mode_of(desk, view.watch.team).allows(needed) else NOT_ALLOWED


def _remember_note(act: Act, view: View, tools: SlaTools) -> None:
    """A note whose outcome nobody has recorded is the one to bring up to date later."""
    connector = tools.open_connector(act.desk)
    if connector.edits_notes and not view.watch.note_id:
        found = connector.find_note(act.ticket_id, act.reference)
        if found and found.note_id:
            tools.store.clocks.note_written(act.desk, act.ticket_id, found.note_id)


def _announce(act: Act, tools: SlaTools, before: dict[str, Any] | None = None) -> None:
    """Write down that the act is about to be done, on the condition that it still is ours.

    With `before`, what an attempt that ends without a word would not find again.
    """
    now = time.time()
    if not tools.store.acts.sent(act, now, now + LEASE_SECONDS, before):
        raise TakenOverError
    tools.checkpoint(f"sla_before_{act.kind}")
    if time.time() - now > PAUSE_SECONDS:
        raise Retry(HELD_UP)


def _note(act: Act, view: View, tools: SlaTools) -> None:
    connector, store = tools.open_connector(act.desk), tools.store
    note_id = view.watch.note_id if connector.edits_notes else ""
    if act.stage == Stage.OK and not note_id:
        store.acts.drop(act, NO_NOTE)
        return
    doubtful = act.state == SENT
    for _ in range(CONFLICTS):
        html = _html(act, view, tools)
        if doubtful and not note_id and (found := connector.find_note(act.ticket_id, act.reference)):
            _record_note(act, found, tools)
            return
        _announce(act, tools)
        try:
            if note_id:
                written = connector.update_note(act.ticket_id, note_id, html, act.reference)
            else:
                written = connector.post(view.ticket, html, act.reference, Fields())
        except Conflict:
            # Somebody was faster: look at what they did first.
            doubtful, view = True, look(act.desk, act.ticket_id, tools)
            if reason := _outdated(act, view, tools):
                store.acts.drop(act, reason)
                return
            continue
        except Gone:
            if note_id:
                store.acts.drop(act, NOTE_DELETED)
                return
            raise
        tools.checkpoint("sla_after_note")
        _record_note(act, written, tools)
        return
    raise Retry("the ticket was changed by others each time the SLA note was to be written")


def _added(act: Act, view: View, tools: SlaTools) -> list[str]:
    """Return what stands beside the clocks: how likely a breach is, or what the breach changes on the ticket."""
    if act.stage == Stage.AT_RISK:
        return outlook(tools.store, view.watch, view.picture, time.time())
    return escalated(act, view.ticket, tools)


def _html(act: Act, view: View, tools: SlaTools) -> str:
    told = [one.created_at for one in tools.store.acts.of_ticket(act.desk, act.ticket_id) if one.id < act.id]
    head = note_title(Stage(act.stage), view.picture, max(told, default=0.0))
    parts = [Part(f"{head}.", items=(*stage_lines(view.picture), *_added(act, view, tools)), strong=True)]
    return render_html([*parts, Part(REFERENCE_LINE.format(reference=act.reference))])


def _record_note(act: Act, written: Written, tools: SlaTools) -> None:
    if written.leak:
        tools.store.alarms.raise_(act.desk, PUBLIC_NOTE, LEAKS[written.leak], time.time(), act.ticket_id)
    if written.leak is Leak.PUBLIC:
        raise Retry(LEAKS[Leak.PUBLIC])
    if written.note_id and tools.open_connector(act.desk).edits_notes:
        tools.store.clocks.note_written(act.desk, act.ticket_id, written.note_id)
    tools.store.acts.confirm(act, time.time(), note_id=written.note_id)


def _fields(act: Act, view: View, tools: SlaTools) -> None:
    store, earlier = tools.store, view.watch.escalated or {}
    for _ in range(CONFLICTS):
        fields = escalation(view.ticket, tools)
        if not fields:
            store.acts.drop(act, A_PERSONS)
            return
        # Before the call: what a lost answer leaves behind must not be taken for a person's choice.
        store.clocks.escalated(act.desk, act.ticket_id, _ours(earlier, fields.priority, fields.group, view))
        _announce(act, tools)
        try:
            written = tools.open_connector(act.desk).set_fields(view.ticket, fields)
        except Conflict:
            # Nothing was set: what stands there now is not ours.
            store.clocks.escalated(act.desk, act.ticket_id, earlier)
            view = look(act.desk, act.ticket_id, tools)
            if reason := _outdated(act, view, tools):
                store.acts.drop(act, reason)
                return
            continue
        except Wait:
            # Nor here: writing is stopped, or there is no room for the call.
            store.clocks.escalated(act.desk, act.ticket_id, earlier)
            raise
        ours = _ours(earlier, written.after.get("priority"), written.after.get("group"), view)
        store.clocks.escalated(act.desk, act.ticket_id, ours)
        store.acts.confirm(act, time.time(), before=written.before, after=written.after, refused=written.refused)
        return
    raise Retry("the ticket was changed by others each time it was to be escalated")


def _ours(earlier: dict[str, Any], priority: str | None, group: str | None, view: View) -> dict[str, Any]:
    """Return what our escalations have set so far: what was not set now stays as an earlier one left it."""
    was = view.watch.priority if priority or not earlier.get("was") else earlier["was"]
    return {"priority": priority or earlier.get("priority"), "group": group or earlier.get("group"), "was": was}


def _tags(act: Act, view: View, tools: SlaTools) -> None:
    sla, prefix = tools.settings.sla, tools.settings.tag_prefix
    kept = {Stage.AT_RISK: sla.on_risk.tag, Stage.BREACHED: sla.on_breach.tag}.get(Stage(act.stage), False)
    wanted = (prefix + TAG_NAMES[act.stage],) if kept else ()
    others = tuple(prefix + tag for tag in TAG_NAMES.values() if prefix + tag not in wanted)
    connector = tools.open_connector(act.desk)
    # Ours alone: between two attempts people may add theirs.
    own = {tag.casefold() for tag in (*wanted, *others)}
    before = act.before or {"tags": _of(own, view.ticket.tags)}
    _announce(act, tools, before)
    written = Written(before={"tags": list(view.ticket.tags)}, after={"tags": list(view.ticket.tags)})
    if wanted:
        written = connector.add_tags(view.ticket, wanted)
    tags = tuple(written.after.get("tags", view.ticket.tags))
    removed = connector.remove_tags(replace(view.ticket, tags=tags), others)
    tools.checkpoint("sla_after_tags")
    after = {"tags": _of(own, removed.after.get("tags", ()))}
    tools.store.acts.confirm(act, time.time(), before=before, after=after, refused=written.refused | removed.refused)


def _of(own: Collection[str], tags: Iterable[str]) -> list[str]:
    return [tag for tag in tags if tag.casefold() in own]


DO = {NOTE: _note, FIELDS: _fields, TAGS: _tags}


def _after_error(act: Act, error: Exception, tools: SlaTools) -> None:
    """Drop, wait, try again later or give up, as the error says."""
    now = time.time()
    if isinstance(error, Gone):
        let_go(act.desk, act.ticket_id, tools.store, now)
        tools.store.acts.drop(act, TICKET_GONE)
        return
    if isinstance(error, DeskLocked):
        tools.store.alarms.raise_(act.desk, DESK_LOCKED, str(error), now)
    reason = describe(error)
    pause = pause_after(error, act.attempts)
    if pause is None:
        _fail(act, reason, tools)
        return
    if act.attempts >= ALARM_AFTER and not isinstance(error, Wait):
        _alarm(act, reason, tools)
    tools.store.acts.postpone(act, now + pause, reason, uncount=isinstance(error, (Wait, DeskLocked)))


def _fail(act: Act, reason: str, tools: SlaTools) -> None:
    tools.store.acts.fail(act, reason)
    _alarm(act, reason, tools)


def _alarm(act: Act, reason: str, tools: SlaTools) -> None:
    kind = f"the message to '{act.channel}'" if act.channel else f"the {act.kind}"
    text = IN_TROUBLE.format(kind=kind, reason=reason)
    tools.store.alarms.raise_(act.desk, SLA_ACT, text, time.time(), act.ticket_id)
