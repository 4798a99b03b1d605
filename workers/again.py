"""A later run of a ticket: read and judge it again, compare with what stood, and write only what is new.

read ─▶ still wanted? ─▶ clocks ─▶ classify ─▶ look up ─▶ decide ─▶ compare ─▶ draft ─▶ note ─▶ tags

Where the helpdesk can change notes, the first note is brought up to date; elsewhere one short note follows, and only
where something has changed that matters, or somebody asked. What people have set or taken away stays theirs.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

from connectors.base import Written
from triage.changes import Change, Labels, News, changes, path, quote, retag, stand
from triage.classification import Classification
from triage.clocks import Judged, Picture
from triage.decision import Decision, decide
from triage.delta import MOOD, delta_note, title
from triage.draft import Draft
from triage.errors import Gone, Refused, Wait
from triage.later import CREATED, GONE, for_judging, new_words, newest_id
from triage.note import Material, compose
from triage.note_parts import render_html
from triage.settings import Mode
from triage.sla_words import note_line
from triage.sources import Sources
from triage.speech import REPLY, Speech
from triage.store.effects import CONFIRMED, FAILED, NOTE, PLANNED, SENT, TAGS, UPDATE, Effect
from triage.store.effects import REPLY as REPLY_EFFECT
from triage.store.runs import DONE, RUNNING, WAITING, Run
from triage.ticket import Ticket
from workers.asking import ask, votes
from workers.clocks import follow
from workers.later import notice
from workers.moods import moods_of
from workers.pipeline import OFF, classify, draft_reply, finish, look_up
from workers.scene import Scene, read_scene
from workers.tools import Steps, Tools
from workers.writing import THERE, announce, confirm, hold, record_note, still_ours, write_fields, write_note
from workers.wrote import PRINT, as_if_untouched, fingerprint

HOUR = 3600.0
FIRST_SECONDS = 10.0
FIRST = "the ticket's first triage goes first"
TOO_MANY = "{limit} later runs of this ticket within an hour; it waits until there is room (living.runs_per_hour)"
DELETED = "somebody has deleted the note"


def judge_again(run: Run, tools: Tools) -> None:
    """Carry out the later run `run`, which this worker holds. Raises the errors of `triage.errors`."""
    tools.checkpoint("after_claim")
    if tools.desk.mode is Mode.OFF:
        raise Gone(OFF)
    steps = Steps()
    with steps.timed("read"):
        scene = read_scene(run, tools)
    follow(scene.ticket, tools.settings, tools.store, time.time(), edits_notes=tools.connector.edits_notes)
    notice(scene.ticket, tools.settings, tools.store, time.time(), asks_only=True)
    if not scene.mine and (reason := scene.no_longer(scene.ticket)):
        raise Gone(reason)
    _wait_for_turn(scene)
    tools.checkpoint("after_read")
    judged = for_judging(scene.ticket, scene.bot_id)
    run = _as_kept(scene)
    with steps.timed("classify"):
        answer = classify(judged, run, tools, heard=newest_id(scene.ticket))
    tools.checkpoint("after_classify")
    with steps.timed("knowledge"):
        answer, sources = look_up(judged, answer, run, tools)
    decision = _decide(scene, scene.ticket, answer)
    labels = stand(scene.labels, answer, decision)
    sure = Judged(priority=labels.get("priority", ""), team=labels.get("primary_team", ""))
    _, picture = follow(
        scene.ticket, tools.settings, tools.store, time.time(), judged=sure, edits_notes=tools.connector.edits_notes
    )
    found = _changes(scene, answer, decision, labels)
    draft = Draft()
    if _is_told(scene, found):
        with steps.timed("draft"):
            draft = draft_reply(judged, answer, decision, sources, scene.wishes, run, tools)
    tools.checkpoint("after_draft")
    if not scene.mine or all(effect.state == PLANNED for effect in scene.mine.values()):
        hold(tools.store.runs.save(run, decision=decision.model_dump(), policy=tools.settings.policy_version()))
    with steps.timed("note"):
        _write(scene, Judgement(answer, decision, sources, draft, found, labels, picture))
    with steps.timed("tags"):
        _write_tags(scene, answer, decision, labels)
    tools.checkpoint("before_finish")
    finish(run, steps, tools)


@dataclass(frozen=True)
class Judgement:
    """What this run has come to."""

    answer: Classification
    decision: Decision
    sources: Sources
    draft: Draft
    found: Sequence[Change]
    labels: Labels
    picture: Picture


def _wait_for_turn(scene: Scene) -> None:
    now = time.time()
    if any(one.occasion == CREATED and one.state in (WAITING, RUNNING) for one in scene.others):
        raise Wait(FIRST, FIRST_SECONDS)
    limit = scene.tools.settings.living.runs_per_hour
    ended = sorted(
        one.finished_at
        for one in scene.others
        if one.occasion != CREATED and one.state == DONE and one.finished_at and one.finished_at > now - HOUR
    )
    if len(ended) >= limit and not scene.mine:
        raise Wait(TOO_MANY.format(limit=limit), ended[-limit] + HOUR - now)


def _as_kept(scene: Scene) -> Run:
    """Return the run with what an earlier attempt has kept, as far as that is about the conversation as it is now."""
    run = scene.run
    if scene.mine or run.heard == newest_id(scene.ticket)[:40]:
        return run
    return replace(run, classification=None, draft=None)


def _decide(scene: Scene, ticket: Ticket, answer: Classification) -> Decision:
    """Return what is to be written; a value that stands already is none, nor is one that a person has set."""
    tools = scene.tools
    decision = decide(as_if_untouched(ticket, scene.wrote), answer, tools.settings, tools.desk)
    if decision.priority == ticket.priority:
        decision.priority = None
    if decision.group and decision.group.strip().casefold() == ticket.group.strip().casefold():
        decision.group = None
    decision.custom = {key: value for key, value in decision.custom.items() if ticket.fields.get(key) != value}
    return decision


def _changes(scene: Scene, answer: Classification, decision: Decision, labels: Labels) -> list[Change]:
    if not scene.verdicts:
        return []
    said = quote(new_words(scene.ticket, scene.past), answer.evidence)
    escalated = any(before.escalate for _, before in scene.verdicts)
    return changes(scene.labels, labels, escalated, decision, said)


def _is_told(scene: Scene, found: Sequence[Change]) -> bool:
    """Say whether an agent will read of this run: a draft for nobody is not worth a call to a model."""
    return NOTE in scene.mine or scene.is_asked or any(one.matters for one in found) or bool(_standing_note(scene))


def _news(scene: Scene, made: Judgement) -> News:
    found = made.found
    lines = [one.line for one in found]
    if way := path([labels for labels, _ in scene.verdicts] + [made.labels]):
        lines.append(MOOD.format(path=way))
    if any(one.field == "priority" for one in found) and (left := note_line(made.picture)):
        lines.append(left)
    wishes = scene.wishes
    return News(title(wishes.hint, scene.cause, asked=scene.is_asked), tuple(lines))


def _write(scene: Scene, made: Judgement) -> None:
    """Bring the note up to date, add one, or write the fields alone."""
    tools, run, decision = scene.tools, scene.run, made.decision
    news = _news(scene, made)
    if not decision.note:
        write_fields(run, scene.ticket, decision, tools)
        return
    scene = _last_look(scene)
    note = _standing_note(scene)
    if note and _update(scene, made, note, news):
        write_fields(run, scene.ticket, decision, tools)
    elif NOTE in scene.mine or scene.is_asked or any(one.matters for one in made.found):
        _add_note(scene, made, news)
    else:
        write_fields(run, scene.ticket, decision, tools)


def _last_look(scene: Scene) -> Scene:
    """Return the scene with what was written while the model thought; Gone where it ends the run.

    Elsewhere the helpdesk itself refuses a note on a ticket that has changed.
    """
    if not scene.tools.connector.edits_notes:
        return scene
    ticket = scene.tools.connector.look(scene.run.ticket_id)
    reason = f"the ticket is {ticket.status}" if ticket.status in GONE else scene.no_longer(ticket)
    if reason and not scene.mine:
        raise Gone(reason)
    return replace(scene, ticket=replace(scene.ticket, messages=ticket.messages))


def _standing_note(scene: Scene) -> Effect | None:
    """Return the note to bring up to date: our newest, where the helpdesk can change notes and no person has."""
    if not scene.tools.connector.edits_notes:
        return None
    earlier = [one for one in scene.effects if one.run_id != scene.run.id]
    note = next((one for one in reversed(earlier) if one.kind == NOTE and one.state == CONFIRMED and one.note_id), None)
    if note is None:
        return None
    updates = [one for one in scene.effects if one.kind == UPDATE and one.intent.get("note_id") == note.note_id]
    if any(one.state == FAILED for one in updates):
        return None
    # What is in doubt may stand there or not; both are ours.
    prints = [one.intent.get(PRINT) for one in (note, *updates) if one.state in (CONFIRMED, SENT)]
    shown = next((one.body for one in scene.ticket.messages if one.id == note.note_id), "")
    is_ours = not shown or None in prints or fingerprint(shown) in prints
    return note if is_ours else None


def _update(scene: Scene, made: Judgement, note: Effect, news: News) -> bool:
    """Replace the text of our note; False where a person has deleted it."""
    tools, run = scene.tools, scene.run
    reference = next(one.reference for one in scene.others if one.id == note.run_id)
    html = render_html(compose(_material(scene, made, reference, news, repeat=True)))
    before = next((one.body for one in scene.ticket.messages if one.id == note.note_id), "")
    intent: dict[str, object] = {"note_id": note.note_id, "reference": reference, PRINT: fingerprint(html)}
    effect = tools.store.effects.plan(run.id, UPDATE, intent, time.time())
    if effect.state == CONFIRMED:
        return True
    announce(run, effect, made.decision, tools, intent)
    try:
        written = tools.connector.update_note(run.ticket_id, note.note_id, html, reference)
    except Gone:
        tools.store.effects.fail(effect, {"note": DELETED})
        return False
    except Refused as error:
        tools.store.effects.fail(effect, {"note": str(error)})
        raise
    tools.checkpoint("after_note")
    record_note(run, effect, replace(written, before={"note": before}, after={"note": html}), tools)
    return True


def _add_note(scene: Scene, made: Judgement, news: News) -> None:
    """Write this run's own note, once."""
    tools, run = scene.tools, scene.run

    # Asked about a ticket nobody has judged yet: there is no note this one could follow.
    is_first = not scene.verdicts
    page = compose if is_first else partial(delta_note, with_draft=scene.is_asked)

    def look_again(material: Material) -> Material:
        ticket = tools.connector.read(run.ticket_id)
        if reason := scene.no_longer(ticket):
            raise Gone(reason)
        return replace(material, ticket=ticket, decision=_decide(scene, ticket, made.answer))

    material = _material(scene, made, run.reference, None if is_first else news, repeat=is_first)
    write_note(run, material, tools, page, look_again)


def _material(scene: Scene, made: Judgement, reference: str, news: News | None, *, repeat: bool) -> Material:
    """Return what the note is made of; `repeat` says again what earlier notes ask, for it takes their place."""
    ticket, tools, draft = scene.ticket, scene.tools, made.draft
    question = draft.question, draft.options
    has_replied = any(one.kind == REPLY_EFFECT and one.state == CONFIRMED for one in scene.effects)
    return Material(
        ticket,
        made.answer,
        made.decision,
        tools.settings,
        reference,
        datetime.now(UTC),
        made.sources,
        draft,
        moods_of(ticket, tools.store),
        ask(scene.run, ticket, made.answer, tools.settings, tools.store, tools.links, drafted=question, repeat=repeat),
        votes(tools.links, reference, drafted=bool(draft.text or draft.quotes)),
        news,
        # Said by no line but the last: what was sent then was another draft.
        Speech(REPLY, sent=True) if has_replied else None,
    )


def _write_tags(scene: Scene, answer: Classification, decision: Decision, labels: Labels) -> None:
    """Add the new tags, then take away those of ours that are wrong now, and the one that asked for this run."""
    tools, run, ticket = scene.tools, scene.run, scene.ticket
    settings = tools.settings
    plan = retag(decision, answer, labels, ticket.tags, scene.wrote.tags, settings.tag_prefix)
    served = {settings.please_tag} & set(ticket.tags) if scene.is_asked and decision.note else set()
    intent = {"tags": list(plan.add), THERE: [], "removed": [*plan.remove, *served], "served": list(served)}
    if not any(intent.values()) and TAGS not in scene.mine:
        return
    effect = tools.store.effects.plan(run.id, TAGS, intent, time.time())
    if effect.state == CONFIRMED:
        return
    # What an earlier attempt meant to do: halfway through, our own tags look like a person's work.
    intent = effect.intent
    add, remove = tuple(intent["tags"]), tuple(intent["removed"])
    still_ours(run, tools)
    tools.store.effects.sent(effect, time.time(), intent)
    tools.checkpoint("before_tags")
    written = Written(before={"tags": list(ticket.tags)}, after={"tags": list(ticket.tags)})
    if add:
        written = tools.connector.add_tags(ticket, add)
    if remove:
        shown = replace(ticket, tags=tuple(written.after.get("tags", ticket.tags)))
        after = tools.connector.remove_tags(shown, remove).after
        written = replace(written, after=after)
    tools.checkpoint("after_tags")
    confirm(effect, written, tools)
