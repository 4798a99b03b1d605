"""One ticket from delivery to note. Read this page first.

read ─▶ start clocks ─▶ classify ─▶ look up ─▶ decide ─▶ clocks again
─▶ compose ─▶ record intent ─▶ write ─▶ record outcome

Everything it needs is handed in. It may be killed after any line and be run again: a classification is kept, an effect
is recorded before it is sent, and a note that may have been written is looked for before it is sent again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pydantic import ValidationError

from connectors.base import Connector, Fields, Leak, Written
from triage.classification import Classification, KbArticle
from triage.classify.base import Classifier
from triage.clocks import Judged
from triage.decision import Decision, decide
from triage.errors import Conflict, Gone, Refused, Retry
from triage.note import Material, compose
from triage.note_parts import render_html
from triage.settings import Desk, Mode, Settings
from triage.sources import Sources
from triage.store import Store
from triage.store.effects import CONFIRMED, NOTE, PLANNED, TAGS, Effect
from triage.store.effects import FIELDS as FIELDS_EFFECT
from triage.store.marks import PUBLIC_NOTE
from triage.store.runs import DONE, SKIPPED, Run
from triage.ticket import Status, Ticket
from triage.traces import span
from workers.clocks import follow
from workers.leases import LEASE_SECONDS

logger = logging.getLogger(__name__)
OVER = {
    Status.CLOSED: "the ticket is closed",
    Status.DELETED: "the ticket is deleted",
    Status.SPAM: "the ticket is spam",
    Status.SOLVED: "the ticket is solved",
}
CONFLICTS = 3
# A ticket that is late already when it is triaged: its own note and fields first, what the SLA asks for after them.
SLA_WAIT_SECONDS = 20.0
# Between the last look at the lease and the call; longer means that this process stood still and the lease may be gone.
# With connectors.http.WRITE_LIMITS this stays below a lease.
PAUSE_SECONDS = 4.0
OFF = "mode off: this desk's tickets are left alone"
ALREADY = "the ticket carries {tag} already"
HELD_UP = "this worker was held up right before writing; the ticket is looked at again first"
LEAKS = {
    Leak.HIDDEN: "a note came back public and was made private at once; check the ticket and the bot's permissions",
    Leak.REMOVED: "a note came back public and was removed at once, the ticket has none; check the bot's permissions",
    Leak.PUBLIC: "a note is PUBLIC and could not be hidden: hide it by hand now; Tandem goes on trying",
}


class LeaseLostError(Exception):
    """Another worker has taken the run over: this one must not write."""


@dataclass(frozen=True)
class Tools:
    """What one triage needs."""

    connector: Connector
    classifier: Classifier
    store: Store
    settings: Settings
    desk: Desk
    checkpoint: Callable[[str], None] = lambda _step: None
    """Called after each step; tests end the process there."""
    find: Callable[[Ticket], Sources] = lambda _ticket: Sources()
    """Finds what the desk knows about a ticket."""


@dataclass
class Steps:
    """Seconds spent per step."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Add the time of the block to `step`."""
        start = time.perf_counter()
        try:
            with span(step):
                yield
        finally:
            self.seconds[step] = round(self.seconds.get(step, 0.0) + time.perf_counter() - start, 4)


def triage(run: Run, tools: Tools) -> None:
    """Triage the ticket of `run`, which this worker holds. Raises the errors of `triage.errors`."""
    if tools.desk.mode is Mode.OFF:
        raise Gone(OFF)
    steps = Steps()
    with steps.timed("read"):
        ticket = tools.connector.read(run.ticket_id)
    # Only an earlier attempt can have left effects.
    effects = {effect.kind: effect for effect in tools.store.effects.of_run(run.id)} if run.attempts > 1 else {}
    if ticket.status not in OVER or tools.store.clocks.watch(ticket.desk, ticket.id):
        # Before anything that may fail: a ticket nobody can classify is late all the same.
        _follow(ticket, tools)
    _check_open(ticket, tools, begun=bool(effects))
    tools.checkpoint("after_read")
    with steps.timed("classify"):
        answer = _classify(ticket, run, tools)
    tools.checkpoint("after_classify")
    with steps.timed("knowledge"):
        answer, sources = _look_up(ticket, answer, run, tools)
    decision = decide(ticket, answer, tools.settings, tools.desk)
    _follow(ticket, tools, decision.judged(answer))
    if NOTE not in effects or effects[NOTE].state == PLANNED:
        # Later attempts see what the first one set as set by somebody: their decision is not the one to keep.
        _hold(tools.store.runs.save(run, decision=decision.model_dump(), policy=tools.settings.policy_version()))
    with steps.timed("note"):
        if decision.note:
            decision = _write_note(run, ticket, answer, sources, decision, tools)
        else:
            _write_fields(run, ticket, decision, tools)
    with steps.timed("tags"):
        _write_tags(run, ticket, decision, tools)
    tools.checkpoint("before_finish")
    _hold(tools.store.runs.save(run, timings=steps.seconds))
    tools.store.runs.finish(run, DONE, time.time())


def _follow(ticket: Ticket, tools: Tools, judged: Judged | None = None) -> None:
    follow(
        ticket,
        tools.settings,
        tools.store,
        time.time(),
        judged=judged,
        edits_notes=tools.connector.edits_notes,
        wait=SLA_WAIT_SECONDS,
    )


def _check_open(ticket: Ticket, tools: Tools, *, begun: bool) -> None:
    if reason := OVER.get(ticket.status):
        raise Gone(reason)
    tag = tools.settings.tag_prefix + "triaged"
    if tag in ticket.tags and not begun:
        # Our own earlier life (a lost database) or a second Tandem: one note is enough.
        raise Gone(ALREADY.format(tag=tag))


def _classify(ticket: Ticket, run: Run, tools: Tools) -> Classification:
    """Return the answer an earlier attempt has kept, else ask and keep it."""
    if run.classification:
        with suppress(ValidationError):  # one of another version is asked for again
            return Classification.model_validate(run.classification)
    answer = tools.classifier.classify(ticket)
    kept = tools.store.runs.save(
        run,
        classification=answer.model_dump(),
        # As long as the columns: what a server calls its model is not ours to bound.
        classifier=answer.classifier[:40],
        model=answer.model[:120],
        tokens_in=answer.tokens_in,
        tokens_out=answer.tokens_out,
        cost_usd=answer.cost_usd,
    )
    _hold(kept)
    return answer


def _look_up(ticket: Ticket, answer: Classification, run: Run, tools: Tools) -> tuple[Classification, Sources]:
    """Return the answer with the articles worth reading, and everything found; without it the note is shorter."""
    try:
        found = tools.find(ticket)
    except Exception as error:  # whatever is wrong with the index, the ticket goes on
        logger.error("knowledge: desk=%s ticket=%s: %s", run.desk, ticket.id, type(error).__name__)
        return answer, Sources()
    articles = [KbArticle(title=one.title, url=one.url) for one in found.articles]
    answer = answer.model_copy(update={"suggested_kb_articles": articles})
    _hold(tools.store.runs.save(run, classification=answer.model_dump(), sources=found.ids()))
    return answer, found


def _write_note(
    run: Run, ticket: Ticket, answer: Classification, sources: Sources, decision: Decision, tools: Tools
) -> Decision:
    """Make sure that the note and the fields stand on the ticket; return the decision that was carried out."""
    effects = tools.store.effects
    effect = effects.plan(run.id, NOTE, _intent(decision), time.time())
    if effect.state == CONFIRMED:
        return decision
    doubtful = effect.state != PLANNED
    for _ in range(CONFLICTS):
        if doubtful and (found := tools.connector.find_note(ticket.id, run.reference)):
            if found.leak is None:
                # In this order: once the note is confirmed, no later attempt comes back for the fields.
                _write_fields(run, ticket, decision, tools)
            _record_note(run, effect, found, tools)
            return decision
        now = datetime.now(UTC)
        material = Material(ticket, answer, decision, tools.settings, run.reference, now, sources)
        note = render_html(compose(material))
        _announce(run, effect, decision, tools)
        try:
            written = tools.connector.post(ticket, note, run.reference, _fields(decision))
        except Conflict:
            # Somebody was faster: look at what they did, then decide and try again.
            doubtful = True
            ticket = tools.connector.read(run.ticket_id)
            _check_open(ticket, tools, begun=True)
            decision = decide(ticket, answer, tools.settings, tools.desk)
            continue
        except Refused as error:
            effects.fail(effect, {"note": str(error)})
            raise
        tools.checkpoint("after_note")
        _record_note(run, effect, written, tools)
        return decision
    raise Retry("the ticket was changed by others each time a note was to be written")


def _announce(run: Run, effect: Effect, decision: Decision, tools: Tools) -> None:
    """Write down that the note is about to leave, with a lease that outlasts the call."""
    now = time.time()
    _hold(tools.store.runs.save(run, decision=decision.model_dump(), lease_until=now + LEASE_SECONDS))
    tools.store.effects.sent(effect, now, _intent(decision))
    tools.checkpoint("before_note")
    if time.time() - now > PAUSE_SECONDS:
        raise Retry(HELD_UP)


def _record_note(run: Run, effect: Effect, written: Written, tools: Tools) -> None:
    if written.leak:
        tools.store.alarms.raise_(run.desk, PUBLIC_NOTE, LEAKS[written.leak], time.time(), run.ticket_id)
    if written.leak is Leak.PUBLIC:
        # The effect stays in doubt, so the next attempt finds the note and tries to hide it again.
        raise Retry(LEAKS[Leak.PUBLIC])
    _confirm(effect, written, tools)


def _write_fields(run: Run, ticket: Ticket, decision: Decision, tools: Tools) -> None:
    """Set the fields without a note: none is wanted, or that of an earlier attempt was found."""
    fields = _fields(decision)
    if fields:
        _still_ours(run, tools)
        effect = tools.store.effects.plan(run.id, FIELDS_EFFECT, _intent(decision), time.time())
        _confirm(effect, tools.connector.set_fields(ticket, fields), tools)


def _write_tags(run: Run, ticket: Ticket, decision: Decision, tools: Tools) -> None:
    if not decision.tags:
        return
    effect = tools.store.effects.plan(run.id, TAGS, {"tags": decision.tags}, time.time())
    if effect.state != CONFIRMED:
        _still_ours(run, tools)
        tools.store.effects.sent(effect, time.time())
        _confirm(effect, tools.connector.add_tags(ticket, tuple(decision.tags)), tools)


def _confirm(effect: Effect, written: Written, tools: Tools) -> None:
    tools.store.effects.confirm(
        effect,
        time.time(),
        before=written.before,
        after=written.after,
        refused=written.refused,
        note_id=written.note_id,
    )


def _intent(decision: Decision) -> dict[str, object]:
    return decision.model_dump(include={"priority", "group", "custom"}, exclude_none=True)


def _fields(decision: Decision) -> Fields:
    return Fields(priority=decision.priority, group=decision.group, custom=decision.custom)


def _still_ours(run: Run, tools: Tools) -> None:
    _hold(tools.store.runs.save(run, owner=run.owner))


def _hold(still_ours: bool) -> None:
    if not still_ours:
        raise LeaseLostError


def skip(run: Run, store: Store, reason: str) -> None:
    """Close a run that has nothing to do."""
    store.runs.finish(run, SKIPPED, time.time(), reason)
