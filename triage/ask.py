"""One question to the agent in the note, and what earlier answers were used. Pure.

Asked is what only a person can judge: by the drafter, or by a rule of the settings. An answer is a person's word and
data all the same: it is cut, escaped where shown, and given on as a fact, never as an instruction.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from triage.classification import Classification
from triage.clean import clean_message, clean_ticket
from triage.note_parts import BETWEEN, LINE_LENGTH, Link, Part, clean, short
from triage.settings_feedback import Question
from triage.ticket import Author, Ticket

MENTION = "@tandem"
# At the beginning of a line, so that a mail that speaks of us is no answer.
ANSWER_LINE = re.compile(rf"^[^\w\n]{{0,3}}{MENTION}\b[\s:,.;–-]*(.*)\Z", re.IGNORECASE | re.MULTILINE | re.DOTALL)
ANSWER_LENGTH = 500
SHOWN_LENGTH = 120
# Stands in every note of ours, which is no answer however it reads.
OURS = "Tandem · ref"
QUESTION = "Question for you:"
ANSWER = "Answer:"
OTHER = f"or answer in a private note beginning with {MENTION}"
USED = "Used:"


@dataclass(frozen=True)
class Ask:
    """What a note asks for and what it has been told; either may be empty."""

    text: str = ""
    options: tuple[Link, ...] = ()
    used: tuple[str, ...] = ()
    """Answers of this ticket, ready to be shown."""


def ask_parts(ask: Ask | None) -> list[Part]:
    """Return the lines of the note: what was used, then the question with its links."""
    if ask is None:
        return []
    parts = [Part(short(fact, 2 * SHOWN_LENGTH), label=USED, rank=1, kin="used") for fact in ask.used]
    if ask.text:
        parts.append(Part(short(ask.text), label=QUESTION, strong=True))
        parts.append(Part("", label=ANSWER, links=(*_in_two_lines(ask.options), Link(OTHER))))
    return parts


def _in_two_lines(options: tuple[Link, ...]) -> tuple[Link, ...]:
    """Return the options, each cut to its share where they would take more than two lines of the note."""
    room = 2 * LINE_LENGTH - len(ANSWER) - len(OTHER) - len(BETWEEN) * (len(options) + 1)
    if sum(len(option.text) for option in options) <= room:
        return options
    return tuple(replace(option, text=short(option.text, room // len(options))) for option in options)


def question_of(
    ticket: Ticket, answer: Classification, questions: Mapping[str, Question], asked: Collection[str]
) -> Question | None:
    """Return the first configured question that fits `ticket` and is not among the texts `asked` before."""
    fresh = [question for question in questions.values() if question.ask not in asked]
    if not fresh:
        return None
    text = clean_ticket(ticket)
    words = f"{text.subject}\n{text.text}".casefold()
    return next((question for question in fresh if _fits(question, answer.primary_team, words)), None)


def _fits(question: Question, team: str, words: str) -> bool:
    when = question.when
    if when.teams and team not in when.teams:
        return False
    return not when.words or any(_stands_in(word.casefold(), words) for word in when.words)


def _stands_in(word: str, words: str) -> bool:
    """Say whether `word` stands in `words` as a whole; scripts without spaces have no other bounds than the text's."""
    bound = r"(?<!\w){}(?!\w)" if word.isascii() else "{}"
    return bool(re.search(bound.format(re.escape(word)), words))


def answer_of_note(ticket: Ticket, options: Iterable[str], since: float) -> str | None:
    """Return what an agent's newest private note answers to the question asked at `since`, None where none does.

    A note that begins a line with @tandem is the answer; one that repeats an option is that option.
    """
    for message in reversed(ticket.messages):
        if message.author is not Author.AGENT or message.public or message.automatic or OURS in message.body:
            continue
        # By whole seconds, as the helpdesks write them.
        if message.created_at is not None and message.created_at.timestamp() < math.floor(since):
            break
        found = ANSWER_LINE.search(clean_message(message.body, message.html))
        if found and (words := bounded(found[1])):
            return next((option for option in options if option.casefold() == words.casefold().rstrip(".! ")), words)
    return None


def bounded(text: str) -> str:
    """Return an answer on one line without what makes text read as something else, cut."""
    return short(clean(text), ANSWER_LENGTH)


def fact_of(text: str, answer: str) -> str:
    """Return question and answer as one fact, for the drafter."""
    return f"{short(text, ANSWER_LENGTH)} {short(answer, ANSWER_LENGTH)}".strip()


def used_line(text: str, answer: str, by_link: bool) -> str:
    """Return how the note names an answer it has used."""
    how = "answered by link" if by_link else "answered in a private note"
    return f"{short(text, SHOWN_LENGTH)} {short(answer, SHOWN_LENGTH)} ({how})"
