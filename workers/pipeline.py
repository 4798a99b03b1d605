"""One ticket from delivery to note. Read this page first.

read ─▶ start clocks ─▶ classify ─▶ look up ─▶ decide ─▶ clocks again ─▶ draft ─▶ who may speak
─▶ compose ─▶ record intent ─▶ write ─▶ record outcome

Everything it needs is handed in. It may be killed after any line and be run again: a classification and a draft are
kept, an effect is recorded before it is sent, and a note that may have been written is looked for before it is sent
again.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from pydantic import ValidationError

from triage.ask import Ask
from triage.classification import Classification, KbArticle
from triage.clocks import Judged
from triage.decision import Decision, decide
from triage.draft import Draft, Wishes
from triage.errors import Gone
from triage.exchange import recorded
from triage.later import newest_id, written_since
from triage.note import Material, compose
from triage.note_parts import Link
from triage.settings import Mode
from triage.sources import Sources
from triage.speech import SILENT, speak
from triage.store import Store
from triage.store.effects import NOTE, PLANNED
from triage.store.runs import DONE, SKIPPED, Run
from triage.ticket import Status, Ticket
from workers.asking import ask, votes
from workers.clocks import Known, follow
from workers.later import notice
from workers.moods import moods_of
from workers.reply import Turn, speak_up
from workers.tools import Steps, Tools
from workers.writing import hold, hold_for, write_fields, write_note, write_tags

logger = logging.getLogger(__name__)
OVER = {
    Status.CLOSED: "the ticket is closed",
    Status.DELETED: "the ticket is deleted",
    Status.SPAM: "the ticket is spam",
    Status.SOLVED: "the ticket is solved",
}
# A ticket that is late already when it is triaged: its own note and fields first, what the SLA asks for after them.
SLA_WAIT_SECONDS = 20.0
OFF = "mode off: this desk's tickets are left alone"
ALREADY = "the ticket carries {tag} already"


def triage(run: Run, tools: Tools) -> None:
    """Triage the ticket of `run`, which this worker holds. Raises the errors of `triage.errors`."""
    tools.checkpoint("after_claim")
    if tools.desk.mode is Mode.OFF:
        raise Gone(OFF)
    steps = Steps()
    with steps.timed("read"):
        ticket = tools.connector.read(run.ticket_id)
    # Only an earlier attempt can have left effects.
    effects = {effect.kind: effect for effect in tools.store.effects.of_run(run.id)} if run.attempts > 1 else {}
    known = Known()
    if ticket.status not in OVER or tools.store.clocks.watch(ticket.desk, ticket.id):
        # Before anything that may fail: a ticket nobody can classify is late all the same.
        _follow(ticket, tools, known)
    # An agent may have asked for something already; what customers have written is what is judged now.
    notice(ticket, tools.settings, tools.store, time.time(), asks_only=True)
    _check_open(ticket, tools, begun=bool(effects))
    tools.checkpoint("after_read")
    with steps.timed("classify"):
        answer = classify(ticket, run, tools, heard=newest_id(ticket))
    tools.checkpoint("after_classify")
    with steps.timed("knowledge"):
        answer, sources = look_up(ticket, answer, run, tools)
    decision = decide(ticket, answer, tools.settings, tools.desk)
    _follow(ticket, tools, known, decision.judged(answer))
    with steps.timed("draft"):
        draft = draft_reply(ticket, answer, decision, sources, Wishes(), run, tools)
    tools.checkpoint("after_draft")
    with steps.timed("reply"):
        holding = partial(hold_for, run, tools)
        mine = (tools.connector, tools.store, tools.settings, tools.desk, holding, tools.checkpoint)
        # What an earlier attempt has kept answers what was written by then.
        behind = bool(run.classification) and bool(written_since(ticket, run.heard))
        ticket, speech = speak_up(Turn(run, answer, decision, draft, sources, *mine, behind=behind), ticket)
    decision.steps += speech.reasons
    decision.note = decision.note and (speech.level != SILENT or NOTE in effects)
    kept: dict[str, Any] = {}
    if NOTE not in effects or effects[NOTE].state == PLANNED:
        # Later attempts see what the first one set as set by somebody: their decision is not the one to keep.
        kept = {"speech": speech.level, "policy": tools.settings.policy_version()}
    if kept and (run.attempts > 1 or not decision.note):
        hold(tools.store.runs.save(run, decision=decision.model_dump(), **kept))
    with steps.timed("note"):
        if decision.note:
            facts = (tools.settings, run.reference, datetime.now(UTC), sources, draft, moods_of(ticket, tools.store))
            asked = _asked(run, ticket, answer, draft, tools)
            material = Material(ticket, answer, decision, *facts, *asked, speech=speech)
            again = partial(_look_again, run, tools)
            decision = write_note(run, material, tools, compose, again, tagging=True, kept=kept)
        else:
            write_fields(run, ticket, decision, tools)
    with steps.timed("tags"):
        write_tags(run, ticket, decision, tools)
    tools.checkpoint("before_finish")
    finish(run, steps, tools)


def finish(run: Run, steps: Steps, tools: Tools) -> None:
    """Close the run, and what called for it: both or neither."""
    now = time.time()
    with tools.store.engine.begin() as both:
        hold(tools.store.runs.finish(run, DONE, now, within=both, timings=steps.seconds))
        tools.closing(both, now)


def _follow(ticket: Ticket, tools: Tools, known: Known, judged: Judged | None = None) -> None:
    follow(
        ticket,
        tools.settings,
        tools.store,
        time.time(),
        judged=judged,
        edits_notes=tools.connector.edits_notes,
        wait=SLA_WAIT_SECONDS,
        known=known,
    )


def _check_open(ticket: Ticket, tools: Tools, *, begun: bool) -> None:
    if reason := OVER.get(ticket.status):
        raise Gone(reason)
    tag = tools.settings.tag_prefix + "triaged"
    if tag in ticket.tags and not begun:
        # Our own earlier life (a lost database) or a second Tandem: one note is enough.
        raise Gone(ALREADY.format(tag=tag))


def classify(ticket: Ticket, run: Run, tools: Tools, *, heard: str) -> Classification:
    """Return the answer an earlier attempt has kept, else ask and keep it; `heard` is the newest message's id."""
    if run.classification:
        with suppress(ValidationError):  # one of another version is asked for again
            return Classification.model_validate(run.classification)
    with recorded(tools.store.exchanges.of(run.id)):
        answer = tools.classifier.classify(ticket)
    tools.heard(answer)
    kept = tools.store.runs.save(
        run,
        classification=answer.model_dump(),
        # As long as the columns: what a server calls its model is not ours to bound.
        classifier=answer.classifier[:40],
        model=answer.model[:120],
        # On top of what an earlier attempt has paid for an answer that could not be kept.
        tokens_in=run.tokens_in + answer.tokens_in,
        tokens_out=run.tokens_out + answer.tokens_out,
        cost_usd=run.cost_usd + answer.cost_usd,
        # Made from that answer.
        draft=None,
        drafted="",
        # Later runs go on from here.
        heard=heard[:40],
    )
    hold(kept)
    return answer


def look_up(ticket: Ticket, answer: Classification, run: Run, tools: Tools) -> tuple[Classification, Sources]:
    """Return the answer with the articles worth reading, and everything found; without it the note is shorter."""
    try:
        found = tools.find(ticket)
    except Exception as error:  # whatever is wrong with the index, the ticket goes on
        logger.error("knowledge: desk=%s ticket=%s: %s", run.desk, ticket.id, type(error).__name__)
        return answer, Sources()
    articles = [KbArticle(title=one.title, url=one.url) for one in found.articles]
    before = answer.suggested_kb_articles
    answer = answer.model_copy(update={"suggested_kb_articles": articles})
    # Where nothing was found, and nothing before, the answer stands as it was kept.
    changed: dict[str, Any] = {"classification": answer.model_dump()} if articles or before else {}
    hold(tools.store.runs.save(run, sources=found.ids(), **changed))
    return answer, found


def draft_reply(
    ticket: Ticket,
    answer: Classification,
    decision: Decision,
    sources: Sources,
    wishes: Wishes,
    run: Run,
    tools: Tools,
) -> Draft:
    """Return the draft an earlier attempt has kept, else ask and keep it."""
    if run.draft:
        with suppress(ValidationError):  # as above
            return Draft.model_validate(run.draft)
    with recorded(tools.store.exchanges.of(run.id)):
        draft = tools.draft(ticket, answer, decision, sources, wishes)
    said = answer.model_copy(update={"auto_response_draft": draft.plain})
    # The classification of this attempt has been paid for meanwhile.
    paid = (tools.store.runs.get(run.id) or run) if draft.tokens_in or draft.tokens_out else None
    kept = tools.store.runs.save(
        run,
        classification=said.model_dump(),
        draft=draft.model_dump(),
        drafted=draft.state,
        model=(draft.model or answer.model)[:120],
        **(_cost_with(draft, paid) if paid else {}),
    )
    hold(kept)
    return draft


def _cost_with(draft: Draft, paid: Run) -> dict[str, Any]:
    """Return what the run has cost with `draft`."""
    return {
        "tokens_in": paid.tokens_in + draft.tokens_in,
        "tokens_out": paid.tokens_out + draft.tokens_out,
        "cost_usd": paid.cost_usd + draft.cost_usd,
    }


def _asked(
    run: Run, ticket: Ticket, answer: Classification, draft: Draft, tools: Tools
) -> tuple[Ask | None, tuple[Link, ...]]:
    """Return the question of the note and its feedback links."""
    drafted = draft.question, draft.options
    question = ask(run, ticket, answer, tools.settings, tools.store, tools.links, drafted=drafted)
    return question, votes(tools.links, run.reference, drafted=bool(draft.text or draft.quotes))


def _look_again(run: Run, tools: Tools, material: Material) -> Material:
    """Return the material of a ticket that others have changed; what the customer was sent stays sent."""
    ticket = tools.connector.read(run.ticket_id)
    _check_open(ticket, tools, begun=True)
    decision = decide(ticket, material.answer, tools.settings, tools.desk)
    speech = material.speech
    if speech is None or not speech.sent:
        speech = speak(ticket, material.answer, decision, material.draft, tools.settings, tools.desk, material.sources)
    decision.steps += speech.reasons
    return replace(material, ticket=ticket, decision=decision, speech=speech)


def skip(run: Run, store: Store, reason: str) -> None:
    """Close a run that has nothing to do."""
    store.runs.finish(run, SKIPPED, time.time(), reason)
