"""What a breach changes on a ticket, and the line that says so."""

from __future__ import annotations

from connectors.base import Fields
from triage.sla_words import escalation_line
from triage.store.acts import CONFIRMED, DROPPED, FAILED, FIELDS, Act
from triage.ticket import Ticket
from workers.sla_tools import SlaTools

PRIORITY_ORDER = ("low", "normal", "high", "urgent")


def escalation(ticket: Ticket, tools: SlaTools) -> Fields:
    """Return what a breach changes: a higher priority, another group; only what is unset or what Tandem has set."""
    wanted = tools.settings.sla.on_breach
    ours = _set_by_tandem(ticket, tools)
    priority, group = wanted.priority, wanted.group or None
    if ticket.priority != ours.get("priority"):
        priority = None  # a person's, or ours put back to the default, which reads as none
    elif priority and ticket.priority is not None:
        higher = PRIORITY_ORDER.index(priority) > PRIORITY_ORDER.index(ticket.priority)
        priority = priority if higher else None
    if group and (ticket.assignee_id or (ticket.group_id and ticket.group != ours.get("group"))):
        # Somebody works on it, or a person has routed it.
        group = None
    if group and ticket.group.casefold() == group.casefold():
        group = None
    return Fields(priority=priority, group=group)


def _set_by_tandem(ticket: Ticket, tools: SlaTools) -> dict[str, str]:
    """Return the priority and the group that Tandem's own writes left on the ticket, the latest of each."""
    effects = tools.store.effects.of_ticket(ticket.desk, ticket.id)
    done = [(effect.confirmed_at or 0.0, effect.after or {}) for effect in effects]
    done += [(act.confirmed_at or 0.0, act.after or {}) for act in tools.store.acts.of_ticket(ticket.desk, ticket.id)]
    written = [after for _, after in sorted(done, key=lambda one: one[0])]
    return {name: str(one[name]) for one in written for name in ("priority", "group") if one.get(name)}


def escalated(act: Act, ticket: Ticket, tools: SlaTools) -> list[str]:
    """Return the line about the escalation that belongs to the stage of `act`, done or about to be; else nothing."""
    acts = tools.store.acts.of_ticket(act.desk, act.ticket_id)
    same = (act.episode, act.stage, FIELDS)
    ours = next((one for one in acts if (one.episode, one.stage, one.kind) == same), None)
    if ours is None or ours.state in (DROPPED, FAILED):
        return []
    after = ours.after or {}
    if ours.state != CONFIRMED:
        # The note is written before the fields.
        planned = escalation(ticket, tools)
        after = {"priority": planned.priority, "group": planned.group}
    line = escalation_line(str(after.get("priority") or ""), str(after.get("group") or ""))
    return [line] if line else []
