"""The writes of a run: intent, one guarded call, outcome. Each may be broken off after any line and be done again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection

from connectors.base import Fields, Leak, Written
from connectors.helpdesk import same_value
from triage.decision import Decision
from triage.errors import Conflict, Refused, Retry
from triage.note import Material
from triage.note_parts import Part, render_html
from triage.store.effects import CONFIRMED, NOTE, PLANNED, SENT, TAGS, Effect
from triage.store.effects import FIELDS as FIELDS_EFFECT
from triage.store.marks import PUBLIC_NOTE
from triage.store.runs import Run
from triage.ticket import Ticket
from workers.leases import LEASE_SECONDS
from workers.tools import Tools
from workers.wrote import PRINT, fingerprint

CONFLICTS = 3
# Between the last look at the lease and the call; longer means that this process stood still and the lease may be gone.
# With connectors.http.WRITE_LIMITS this stays below a lease.
PAUSE_SECONDS = 4.0
HELD_UP = "this worker was held up right before writing; the ticket is looked at again first"
WAS = "was"
"""Where the intent of a note or of fields keeps what the ticket held before: a later attempt sees our own values."""
THERE = "there"
"""Where the intent of tags keeps those of them that were on the ticket already."""
LEAKS = {
    Leak.HIDDEN: "a note came back public and was made private at once; check the ticket and the bot's permissions",
    Leak.REMOVED: "a note came back public and was removed at once, the ticket has none; check the bot's permissions",
    Leak.PUBLIC: "a note is PUBLIC and could not be hidden: hide it by hand now; Tandem goes on trying",
}


class LeaseLostError(Exception):
    """Another worker has taken the run over: this one must not write."""


def write_note(
    run: Run,
    material: Material,
    tools: Tools,
    page: Callable[[Material], list[Part]],
    look_again: Callable[[Material], Material],
    *,
    tagging: bool = False,
    kept: dict[str, Any] | None = None,
) -> Decision:
    """Make sure that the note of `run` and the fields stand on the ticket; return the decision that was carried out.

    `page` composes the note; `look_again` reads and decides anew where somebody was faster. `tagging` lets the
    decision's tags go along where they can; `write_tags` sees to them afterwards in any case. `kept` is stored in the
    run with the intent.
    """
    effects = tools.store.effects
    # Only an earlier attempt can have left one.
    effect = effects.plan(run.id, NOTE, intent_of(material.decision), time.time()) if run.attempts > 1 else None
    if effect and effect.state == CONFIRMED:
        return material.decision
    doubtful = effect is not None and effect.state != PLANNED
    for _ in range(CONFLICTS):
        ticket, decision = material.ticket, material.decision
        if effect and doubtful and (found := tools.connector.find_note(ticket.id, run.reference)):
            if found.leak is None:
                # In this order: once the note is confirmed, no later attempt comes back for the fields.
                write_fields(run, ticket, decision, tools)
                effect = effects.plan(run.id, NOTE, {}, time.time())
                before, after = _landed(effect, ticket, tools)
                found = replace(found, before=before, after=after)
            record_note(run, effect, found, tools)
            return decision
        note = render_html(page(replace(material, now=datetime.now(UTC))))
        intent = intent_of(decision) | {WAS: _held(ticket, decision), PRINT: fingerprint(note)}
        go_along, now = tagging and ticket.settled and bool(decision.tags), time.time()
        with tools.store.engine.begin() as both:
            effect = _mean(run, effect, decision, tools, intent, now, both, kept)
            tags = plan_tags(run, ticket, decision, tools, now, both) if go_along else None
        _go(now, tools)
        try:
            along = {"tags": tuple(decision.tags)} if tags and tags.state != CONFIRMED else {}
            written = tools.connector.post(ticket, note, run.reference, fields_of(decision), **along)
        except Conflict:
            # Somebody was faster: look at what they did, then decide and try again.
            doubtful = True
            material = look_again(material)
            continue
        except Refused as error:
            effects.fail(effect, {"note": str(error)})
            tools.store.questions.drop_of_run(run.id)
            raise
        tools.checkpoint("after_note")
        record_note(run, effect, written, tools)
        if tags and written.tagged:
            confirm(tags, written.tagged, tools)
        return decision
    raise Retry("the ticket was changed by others each time a note was to be written")


def announce(run: Run, effect: Effect, decision: Decision, tools: Tools, intent: dict[str, object]) -> None:
    """Write down that the note is about to leave, with a lease that outlasts the call."""
    now = time.time()
    with tools.store.engine.begin() as both:
        _mean(run, effect, decision, tools, intent, now, both)
    _go(now, tools)


def _mean(
    run: Run,
    effect: Effect | None,
    decision: Decision,
    tools: Tools,
    intent: dict[str, object],
    now: float,
    within: Connection,
    kept: dict[str, Any] | None = None,
) -> Effect:
    """Write down what a note is to say, one never meant yet where `effect` is None, and lengthen the lease."""
    values = {"decision": decision.model_dump(), "lease_until": now + LEASE_SECONDS, **(kept or {})}
    hold(tools.store.runs.save(run, within=within, **values))
    if effect:
        tools.store.effects.sent(effect, now, intent, within=within)
        return effect
    effect = tools.store.effects.plan(run.id, NOTE, intent, now, within=within, leaving=True)
    if effect.created_at != now:
        # Meant before after all: whether it stands there is looked for first.
        raise Retry(HELD_UP)
    return effect


def _go(since: float, tools: Tools) -> None:
    """Go on to the call, unless this process stood still since the lease was looked at."""
    tools.checkpoint("before_note")
    if time.time() - since > PAUSE_SECONDS:
        raise Retry(HELD_UP)


def hold_for(run: Run, tools: Tools, step: str) -> None:
    """Lengthen the lease right before a call that must not be made twice, or raise: another worker has the run."""
    now = time.time()
    hold(tools.store.runs.save(run, lease_until=now + LEASE_SECONDS))
    tools.checkpoint(step)
    if time.time() - now > PAUSE_SECONDS:
        raise Retry(HELD_UP)


def record_note(run: Run, effect: Effect, written: Written, tools: Tools) -> None:
    """Record the outcome, and an alarm where the note was public."""
    if written.leak:
        tools.store.alarms.raise_(run.desk, PUBLIC_NOTE, LEAKS[written.leak], time.time(), run.ticket_id)
    if written.leak is Leak.PUBLIC:
        # The effect stays in doubt, so the next attempt finds the note and tries to hide it again.
        raise Retry(LEAKS[Leak.PUBLIC])
    confirm(effect, written, tools)


def write_fields(run: Run, ticket: Ticket, decision: Decision, tools: Tools) -> None:
    """Set the fields without a note: none is wanted, or that of an earlier attempt was found."""
    fields, effects = fields_of(decision), tools.store.effects
    of_run = effects.of_run(run.id) if run.attempts > 1 else []
    earlier = next((one for one in of_run if one.kind == FIELDS_EFFECT), None)
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    if earlier and earlier.state == SENT:
        before, after = _landed(earlier, ticket, tools)
    elif earlier:
        before, after = earlier.before or {}, earlier.after or {}
    if not fields:
        if earlier and earlier.state == SENT and after:
            confirm(earlier, Written(before=before, after=after), tools)
        return
    still_ours(run, tools)
    intent = intent_of(decision) | {WAS: _held(ticket, decision)}
    effect = effects.plan(run.id, FIELDS_EFFECT, intent, time.time())
    effects.sent(effect, time.time(), _together(effect.intent, intent))
    written = tools.connector.set_fields(ticket, fields)
    confirm(effect, replace(written, before=before | written.before, after=after | written.after), tools)


def _held(ticket: Ticket, decision: Decision) -> dict[str, Any]:
    """Return what `ticket` holds under the names that `decision` sets."""
    held: dict[str, Any] = {"priority": ticket.priority, "group": ticket.group or ticket.group_id}
    names = [name for name in held if getattr(decision, name)]
    return {name: held[name] for name in names} | {name: ticket.fields.get(name) for name in decision.custom}


def _landed(effect: Effect, ticket: Ticket, tools: Tools) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return before and after of the values that an attempt without an outcome has set, by the ticket as it is now."""
    wanted: dict[str, Any] = {name: effect.intent[name] for name in ("priority", "group") if name in effect.intent}
    wanted |= effect.intent.get("custom") or {}
    if "group" in wanted and ticket.group_id and not ticket.group:
        # Its name, which not every reading brings.
        ticket = replace(ticket, group=tools.connector.look(ticket.id).group)
    held: dict[str, Any] = {"priority": ticket.priority, "group": ticket.group}
    shown = {name: held[name] if name in held else ticket.fields.get(name) for name in wanted}
    after: dict[str, Any] = {name: shown[name] for name, value in wanted.items() if same_value(shown[name], value)}
    was = effect.intent.get(WAS) or {}
    return {name: was.get(name) for name in after}, after


def _together(earlier: dict[str, Any], intent: dict[str, Any]) -> dict[str, Any]:
    """Return an intent with what an earlier attempt meant to set beside what is still to be set."""
    parts = {name: {**(earlier.get(name) or {}), **(intent.get(name) or {})} for name in ("custom", WAS)}
    # What was there before us an earlier attempt has seen.
    parts[WAS] |= earlier.get(WAS) or {}
    return earlier | intent | parts


def write_tags(run: Run, ticket: Ticket, decision: Decision, tools: Tools) -> None:
    """Add the tags of `decision`."""
    if not decision.tags:
        return
    effects, now = tools.store.effects, time.time()
    with tools.store.engine.begin() as both:
        effect = effects.plan(run.id, TAGS, _intent_of_tags(ticket, decision), now, within=both, leaving=True)
        if effect.state == CONFIRMED:
            return
        hold(tools.store.runs.save(run, owner=run.owner, within=both))
        if effect.created_at != now:
            effects.sent(effect, now, within=both)
    written = tools.connector.add_tags(ticket, tuple(decision.tags))
    tools.checkpoint("after_tags")
    confirm(effect, written, tools)


def plan_tags(run: Run, ticket: Ticket, decision: Decision, tools: Tools, now: float, within: Connection) -> Effect:
    """Write down that the tags are about to leave together with the note."""
    intent = _intent_of_tags(ticket, decision)
    effect = tools.store.effects.plan(run.id, TAGS, intent, now, within=within, leaving=True)
    if effect.state != CONFIRMED and effect.created_at != now:
        # Of this look at the ticket: where the note did not land, an earlier attempt's tags did not either.
        tools.store.effects.sent(effect, now, intent, within=within)
    return effect


def _intent_of_tags(ticket: Ticket, decision: Decision) -> dict[str, Any]:
    held = {one.casefold() for one in ticket.tags}
    return {"tags": decision.tags, THERE: [tag for tag in decision.tags if tag.casefold() in held]}


def confirm(effect: Effect, written: Written, tools: Tools) -> None:
    """Record what the helpdesk confirmed."""
    tools.store.effects.confirm(
        effect,
        time.time(),
        before=written.before,
        after=written.after,
        refused=written.refused,
        note_id=written.note_id,
    )


def intent_of(decision: Decision) -> dict[str, object]:
    """Return the fields a decision sets, as plain data."""
    return decision.model_dump(include={"priority", "group", "custom"}, exclude_none=True)


def fields_of(decision: Decision) -> Fields:
    """Return the fields a decision sets."""
    return Fields(priority=decision.priority, group=decision.group, custom=decision.custom)


def still_ours(run: Run, tools: Tools) -> None:
    """Make sure, right before a write, that no other worker has the run."""
    hold(tools.store.runs.save(run, owner=run.owner))


def hold(saved: bool) -> None:
    """End this attempt where a write to the run found that it is another worker's now."""
    if not saved:
        raise LeaseLostError
