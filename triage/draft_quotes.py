"""A suggestion without a model: what the best article and the closest solved ticket say, a few sentences of each."""

from __future__ import annotations

import re
from typing import Final

from triage.classification import Classification
from triage.clean import clean_ticket, strip_signature
from triage.decision import Decision
from triage.draft import Draft, Quote, Wishes, for_a_team
from triage.draft_rules import sentences, undecorated, visible
from triage.draft_support import Close, count, nothing_close, shared_words
from triage.draft_words import COURTESY
from triage.sources import SHOWN, TICKET, Source, Sources
from triage.ticket import Ticket

MOST_WORDS = 60
MOST_SENTENCES = 3
LEAST_WORDS = 4
"""A shorter line is a heading, a button or a crumb of navigation."""
MAX_TITLE = 100
_TRAIL: Final = re.compile(r"\s[>»›|/→]\s.*\s[>»›|/→]\s")
_END: Final = re.compile(r"[.!?…:。！？]\W*$")
_COURTESY: Final = re.compile(rf"^\W*(?:{COURTESY})", re.IGNORECASE)
_GREETING: Final = (
    r"^\W*(?:hi|hello|hey|dear|good (?:morning|afternoon|evening)|hallo|guten (?:tag|morgen|abend)|liebe[rs]?"
    r"|sehr geehrte[rs]?|bonjour|bonsoir|cher|chère|hola|buen[oa]s|estimad[oa]|olá|bom dia|boa (?:tarde|noite)"
    r"|prezad[oa]|ciao|buongiorno|gentile|beste|geachte)\b"
)
_HELLO: Final = re.compile(rf"{_GREETING}.{{0,60}}$", re.IGNORECASE)
_HELLO_FIRST: Final = re.compile(rf"{_GREETING}[^.,;:!?]{{0,40}}[,!]\s+(?=\w)", re.IGNORECASE)


def no_model_draft(
    ticket: Ticket, answer: Classification, decision: Decision, sources: Sources, wishes: Wishes,
    close: Close = nothing_close,
) -> Draft:  # fmt: skip
    """Return what the best source of each kind says; nothing where it is not known who should answer."""
    del wishes  # a quotation cannot be made shorter or put into German
    if not for_a_team(answer, decision):
        return Draft()
    said = clean_ticket(ticket)
    question = f"{said.subject}\n{said.latest}"
    quotes = []
    numbered, tickets = sources.numbered(), len(sources.tickets[:SHOWN])
    for number, best in (*numbered[tickets : tickets + 1], *numbered[: min(tickets, 1)]):
        if text := passage_for(question, best, close):
            quotes.append(Quote(kind=best.kind, number=number, title=visible(best.title)[:MAX_TITLE], text=text))
    return Draft(quotes=quotes, language=answer.language)


def passage_for(question: str, source: Source, close: Close = nothing_close) -> str:
    """Return the sentences of `source` in a row that are closest to `question`, MOST_WORDS words at most."""
    found = _telling(source)
    if not found:
        return ""
    meanings = close(found, [question])
    near = [meaning + shared_words(one, question) for meaning, one in zip(meanings, found, strict=True)]
    best = max(range(len(found)), key=near.__getitem__)
    words = " ".join(found[_around(best, found, near)]).split()
    return " ".join(words) if len(words) <= 2 * MOST_WORDS else " ".join(words[: 2 * MOST_WORDS]) + " …"


def _around(best: int, found: list[str], near: list[float]) -> slice:
    """Return the run of sentences with the `best` one in it that says most about the question, within the bounds."""
    runs = [
        slice(start, end)
        for start in range(max(0, best - MOST_SENTENCES + 1), best + 1)
        for end in range(best + 1, min(len(found), start + MOST_SENTENCES) + 1)
        if count(" ".join(found[start:end])) <= MOST_WORDS
    ]

    def worth(run: slice) -> tuple[float, int]:
        return sum(near[run]), run.start - run.stop

    return max(runs, key=worth, default=slice(best, best + 1))


def _telling(source: Source) -> list[str]:
    """Return the whole sentences of a source, without headings, navigation, greetings and thanks."""
    text = strip_signature(source.passage) if source.kind == TICKET else source.passage
    found = []
    for line in text.splitlines():
        plain = undecorated(visible(line))
        if source.kind == TICKET and (hello := _HELLO_FIRST.match(plain)):
            plain = plain[hello.end()].upper() + plain[hello.end() + 1 :]
        if _TRAIL.search(plain) or not _END.search(plain) or (source.kind == TICKET and _HELLO.match(plain)):
            continue
        for one in sentences(plain):
            if count(one) >= LEAST_WORDS and not _COURTESY.match(one):
                found.append(one)
    return found
