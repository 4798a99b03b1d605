"""What a note asks a person and how they may answer: the question of a run, its links, and what was answered."""

from __future__ import annotations

import time
from collections.abc import Sequence

from connectors.base import Changed
from triage.ask import Ask, answer_of_note, fact_of, question_of, used_line
from triage.classification import Classification
from triage.links import Links
from triage.note_parts import Link, short
from triage.settings import Settings
from triage.store import Store
from triage.store.questions import ANSWERED, BY_LINK, MOST_OPTIONS, OPEN, OPTION_LENGTH, TEXT_LENGTH, Question
from triage.store.runs import Run
from triage.ticket import Status, Ticket

OVER = (Status.SOLVED, Status.CLOSED, Status.DELETED, Status.SPAM)


def votes(links: Links | None, reference: str, *, drafted: bool) -> tuple[Link, ...]:
    """Return the feedback links of the note `reference`."""
    return links.votes(reference, time.time(), drafted=drafted) if links else ()


def ask(
    run: Run,
    ticket: Ticket,
    answer: Classification,
    settings: Settings,
    store: Store,
    links: Links | None,
    *,
    drafted: tuple[str, Sequence[str]] = ("", ()),
    repeat: bool = True,
) -> Ask | None:
    """Open the question of the run's note and return how it is asked, with what was answered before.

    `drafted` is what the drafter asks, with its options; it goes before the rules of the settings. What an earlier
    note asks, and the answers it names, are said again only with `repeat`: where that note is replaced.
    """
    earlier = store.questions.of_ticket(run.desk, run.ticket_id)
    used = tuple(
        used_line(one.text, one.answer, one.answered_by == BY_LINK) for one in earlier if one.answer and repeat
    )
    text, options = short(drafted[0], TEXT_LENGTH), [short(one, OPTION_LENGTH) for one in drafted[1]]
    if not text:
        rule = question_of(ticket, answer, settings.questions, [one.text for one in earlier if one.state == ANSWERED])
        text, options = (rule.ask, rule.options) if rule else ("", [])
    now = time.time()
    kept = list(dict.fromkeys(filter(None, options)))[:MOST_OPTIONS]
    question = store.questions.open(run.id, run.desk, run.ticket_id, text, kept, now) if text else None
    question = question or next((one for one in earlier if one.state == OPEN), None)
    if question is None or (question.run_id != run.id and not repeat):
        return Ask(used=used) if used else None
    return Ask(question.text, _options(question, run, store, links, now), used)


def facts_of(store: Store, run: Run) -> tuple[str, ...]:
    """Return what people have answered about the ticket of `run`, each as one fact."""
    known = store.questions.of_ticket(run.desk, run.ticket_id)
    return tuple(fact_of(one.text, one.answer) for one in known if one.answer)


def take_answer(run: Run, ticket: Ticket, store: Store, now: float) -> bool:
    """Say whether the private note that `run` is about answers a question of ours; record it where it does."""
    question = store.questions.open_of(run.desk, run.ticket_id)
    if question is not None:
        words = answer_of_note(ticket, question.options, question.created_at)
        if words is not None:
            store.questions.answer(question.id, words, run.occasion, now)
    # Also when an earlier attempt of this run has recorded it.
    return any(one.answered_by == run.occasion for one in store.questions.of_ticket(run.desk, run.ticket_id))


def close_questions(store: Store, desk: str, tickets: Sequence[Changed]) -> None:
    """Close what is still asked about the tickets of a page that are solved, closed or gone."""
    over = [ticket.ticket_id for ticket in tickets if ticket.status in OVER]
    if over:
        store.questions.drop(desk, over)


def _options(question: Question, run: Run, store: Store, links: Links | None, now: float) -> tuple[Link, ...]:
    """Return the options; a question that an earlier note asks is answered by that note's reference."""
    asked_by = run if question.run_id == run.id else store.runs.get(question.run_id)
    if links is None or asked_by is None:
        return tuple(Link(option) for option in question.options)
    return links.answers(asked_by.reference, question.options, now)
