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
from triage.store.questions import ANSWERED, BY_LINK, MOST_OPTIONS, OPTION_LENGTH, TEXT_LENGTH, Question
from triage.store.runs import Run
from triage.ticket import Status, Ticket

OVER = (Status.SOLVED, Status.CLOSED, Status.DELETED, Status.SPAM)
NOTE_AUTHOR = "private note"


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
    drafted: tuple[str, Sequence[str]] = ("", ()),
) -> Ask | None:
    """Open the question of the run's note and return how it is asked, with what was answered before.

    `drafted` is what the drafter asks, with its options; it goes before the rules of the settings.
    """
    earlier = store.questions.of_ticket(run.desk, run.ticket_id)
    used = tuple(used_line(one.text, one.answer, one.answered_by == BY_LINK) for one in earlier if one.answer)
    text, options = short(drafted[0], TEXT_LENGTH), [short(one, OPTION_LENGTH) for one in drafted[1]]
    if not text:
        done = [one.text for one in earlier if one.state == ANSWERED]
        rule = question_of(ticket, answer, settings.questions, done)
        text, options = (rule.ask, rule.options) if rule else ("", [])
    now = time.time()
    kept = list(dict.fromkeys(filter(None, options)))[:MOST_OPTIONS]
    question = store.questions.open(run.id, run.desk, run.ticket_id, text, kept, now) if text else None
    if question is None:
        return Ask(used=used) if used else None
    return Ask(question.text, _options(question, run, store, links, now), used)


def facts_of(store: Store, run: Run) -> tuple[str, ...]:
    """Return what people have answered about the ticket of `run`, each as one fact."""
    known = store.questions.of_ticket(run.desk, run.ticket_id)
    return tuple(fact_of(one.text, one.answer) for one in known if one.answer)


def take_answer(ticket: Ticket, store: Store, now: float) -> bool:
    """Take an agent's private note that begins with @tandem for the answer to the ticket's open question, if any."""
    question = store.questions.open_of(ticket.desk, ticket.id)
    if question is None:
        return False
    words = answer_of_note(ticket, question.options, question.created_at)
    return words is not None and store.questions.answer(question.id, words, NOTE_AUTHOR, now)


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
