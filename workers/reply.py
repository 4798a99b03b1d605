"""The public auto-reply: intent, last looks, one call, outcome. Reached only where `triage.speech` allows a reply.

Exactly once like a note: what may have been sent is looked for before it is sent again. Where anything stands against
it, the note is all there is.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from connectors.base import Connector
from triage.classification import Classification
from triage.decision import Decision
from triage.draft import Draft
from triage.errors import Conflict, Refused
from triage.note_parts import render_html
from triage.reply import compose_reply
from triage.settings import Desk, Settings
from triage.sources import Sources
from triage.speech import NOTE, REPLY, SAFE, Speech, speak
from triage.store import Store
from triage.store.effects import CONFIRMED, FAILED, SENT, Effect
from triage.store.effects import REPLY as REPLY_EFFECT
from triage.store.runs import Run, new_reference
from triage.ticket import Author, Ticket

TRIES = 3
ANSWERED = "Tandem has answered this ticket before"
HAD_ONE = "this customer had an automated reply within the last 24 hours"
WRITTEN_AGAIN = "the customer has written again meanwhile"
RESTLESS = "the ticket was changed by others each time a reply was to be sent"


@dataclass(frozen=True)
class Turn:
    """One run that may speak."""

    run: Run
    answer: Classification
    decision: Decision
    draft: Draft
    sources: Sources
    connector: Connector
    store: Store
    settings: Settings
    desk: Desk
    hold: Callable[[str], None]
    """Lengthens the run's lease right before a call, or raises: another worker has it. Given the step's name."""
    checkpoint: Callable[[str], None]
    behind: bool = False
    """The customer has written on since the draft was made."""

    def speak(self, ticket: Ticket) -> Speech:
        """Return how far Tandem goes on `ticket` as it is now."""
        if self.behind:
            return Speech(NOTE, [WRITTEN_AGAIN])
        return speak(ticket, self.answer, self.decision, self.draft, self.settings, self.desk, self.sources)


def speak_up(turn: Turn, ticket: Ticket) -> tuple[Ticket, Speech]:
    """Send the public reply where one is allowed; return the ticket as read last, and how far Tandem went."""
    effects = turn.store.effects
    # Only an earlier attempt can have left effects.
    earlier = effects.of_run(turn.run.id) if turn.run.attempts > 1 else []
    effect = next((one for one in earlier if one.kind == REPLY_EFFECT), None)
    if effect and _has_gone_out(effect, turn, ticket):
        return ticket, Speech(REPLY, [effect.intent["why"]], effect.intent["category"], sent=True)
    speech = turn.speak(ticket)
    if speech.level != REPLY:
        if effect and effect.state != FAILED:
            effects.fail(effect, {"reply": speech.reasons[0]})
        return ticket, speech
    if effect and effect.state == FAILED:
        return ticket, _held_back(speech, (effect.refused or {}).get("reply", ""))
    if turn.store.answered.ticket(ticket.desk, ticket.id, turn.run.id):
        return ticket, _held_back(speech, ANSWERED)
    if not turn.store.answered.take_turn(ticket.desk, ticket.requester.id, turn.run.id, time.time()):
        return ticket, _held_back(speech, HAD_ONE)
    intent = {"reference": new_reference(), "category": speech.category, "why": speech.reasons[0]}
    return _send(effects.plan(turn.run.id, REPLY_EFFECT, intent, time.time()), turn, ticket, speech)


def _has_gone_out(effect: Effect, turn: Turn, ticket: Ticket) -> bool:
    """Say whether an earlier attempt's reply stands on the ticket."""
    if effect.state == SENT:
        try:
            found = turn.connector.find_reply(ticket.id, effect.intent["reference"])
        except Refused as error:
            turn.store.effects.fail(effect, {"reply": str(error)})
            return False
        if found:
            turn.store.effects.confirm(effect, time.time(), note_id=found.note_id)
        return found is not None
    return effect.state == CONFIRMED


def _send(effect: Effect, turn: Turn, ticket: Ticket, speech: Speech) -> tuple[Ticket, Speech]:
    effects, reference = turn.store.effects, effect.intent["reference"]
    rules = turn.settings.speech_of(turn.desk)
    html = render_html(compose_reply(turn.draft, turn.sources, rules, speech.language, reference))
    why = RESTLESS
    for _ in range(TRIES):
        # Before each call: whether it took effect only the helpdesk knows then.
        effects.sent(effect, time.time())
        turn.hold("before_reply")
        try:
            written = turn.connector.reply(ticket, html, reference)
        except Conflict as error:
            why, asked = str(error), _asked(ticket)
            ticket = turn.connector.read(ticket.id)
            fresh = turn.speak(ticket) if _asked(ticket) == asked else Speech(NOTE, [WRITTEN_AGAIN])
            if fresh.level != REPLY:
                effects.fail(effect, {"reply": fresh.reasons[0]})
                return ticket, fresh
            continue
        except Refused as error:
            why = str(error)
            ticket = turn.connector.read(ticket.id)
            break
        turn.checkpoint("after_reply")
        effects.confirm(effect, time.time(), note_id=written.note_id)
        # Our own comment has changed the ticket: the note needs its new stamp.
        return turn.connector.read(ticket.id), replace(speech, sent=True)
    effects.fail(effect, {"reply": why})
    return ticket, _held_back(speech, why)


def _held_back(speech: Speech, why: str) -> Speech:
    said = speech.reasons[0].partition(": ")[2]
    return replace(speech, level=SAFE, reasons=[f"safe to send: {said}", f"no auto-reply: {why}"])


def _asked(ticket: Ticket) -> list[str]:
    """Return what the customer has said; a draft answers that and nothing else."""
    return [one.body for one in ticket.messages if one.author is Author.CUSTOMER and one.public]
