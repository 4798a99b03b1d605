"""The private note: what an agent reads in twenty seconds. Pure: composed from data, rendered from escaped text.

Order (fixed): verdict, why, customer, SLA, similar tickets, sources, what is missing, draft, feedback, closing lines.
Parts without data are left out. Before the draft there are at most LINES_BEFORE_DRAFT lines: each part says with `rank`
and `kin` (see `note_parts.fit`) what becomes of it where room is short.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from triage.ask import Ask, ask_parts
from triage.changes import News
from triage.classification import NO_TEAM, Classification
from triage.clean import clean_ticket, html_to_text
from triage.clock_sources import clocks_of
from triage.context_packet import files, packet
from triage.decision import Decision
from triage.draft import Draft
from triage.draft_parts import draft_parts
from triage.missing import missing
from triage.note_parts import BETWEEN, LINE_LENGTH, Link, Part, fit, quoted, short
from triage.settings import Settings
from triage.sla_words import note_line
from triage.sources import TICKET, Source, Sources
from triage.speech import Speech
from triage.speech_parts import closing, speech_parts
from triage.summary import fault, fit_summary, speaks_to_software
from triage.ticket import Ticket

LINES_BEFORE_DRAFT = 8
MOST_SURE = 0.99
CLOSING = "AI suggestion: nothing was sent to the customer."
REFERENCE_LINE = "Tandem · ref {reference}"
SIMILAR = "Similar solved tickets:"
SOURCES = "Sources:"
UNTITLED = "(no title)"
TITLE_LENGTH = 60
# Two lines, with teams of any name.
VERDICT_LENGTH = 2 * LINE_LENGTH
QUOTE_LENGTH = 140
# Two quotes share two lines.
HALF_QUOTE_LENGTH = 105
REASON_LENGTH = 105
SUMMARY_LENGTH = 115
NOTHING_FOUND = Sources()
FEEDBACK = "Feedback:"
QUOTES = 2


@dataclass(frozen=True)
class Material:
    """Everything a note is made of."""

    ticket: Ticket
    answer: Classification
    decision: Decision
    settings: Settings
    reference: str
    now: datetime
    """Only used to say how long is left."""
    sources: Sources = NOTHING_FOUND
    draft: Draft = field(default_factory=Draft)
    moods: Mapping[str, str] = field(default_factory=dict)
    """Ticket id -> the mood an earlier run saw, of the requester's other tickets and of this one."""
    ask: Ask | None = None
    votes: tuple[Link, ...] = ()
    """The feedback links."""
    news: News | None = None
    """What has changed since the note was first written, where it is written anew."""
    speech: Speech | None = None


def compose(material: Material) -> list[Part]:
    """Return the parts of the note in order."""
    before = [
        *_verdict(material),
        *_news(material),
        *_why(material),
        *_customer(material),
        *_sla(material),
        *source_parts(material),
        *_missing(material),
        *ask_parts(material.ask),
    ]
    return [
        *fit(before, LINES_BEFORE_DRAFT),
        *draft_parts(material.draft, material.answer, material.decision, material.sources),
        *speech_parts(material.speech),
        *closing_parts(material),
    ]


def _told(text: str, material: Material) -> str:
    """Return what the classifier says; a model's words only where they may be read as ours."""
    if not material.answer.model:
        return text
    ticket = material.ticket
    return fit_summary(text, "\n".join([ticket.organization.name, ticket.requester.name, _said(ticket)]))


def _said(ticket: Ticket) -> str:
    bodies = [html_to_text(one.body) if one.html else one.body for one in ticket.messages]
    return "\n".join([ticket.subject, *bodies])


def _quotable(material: Material) -> list[str]:
    """Return the evidence that an agent may read: of a ticket written for software nothing that orders or promises."""
    quotes = [quote for quote in material.answer.evidence if not speaks_to_software(quote)]
    if speaks_to_software(_said(material.ticket)):
        return [quote for quote in quotes if not fault(quote, "")]
    return quotes


def _verdict(material: Material) -> list[Part]:
    answer, decision = material.answer, material.decision
    words = [_team(answer, decision)]
    if "priority" not in decision.abstained:
        words.append(f"{answer.priority.replace('_', ' ')} ({_sure(answer.probability('priority'))})")
    else:
        words.append(f"priority unclear{_either(answer, 'priority')}")
    if "sentiment" not in decision.abstained:
        words.append(answer.sentiment)
    if "churn_risk" not in decision.abstained:
        words.append(f"churn risk {answer.churn_risk}")
    parts = [Part(short(BETWEEN.join(words), VERDICT_LENGTH), strong=True)]
    if decision.escalate:
        parts.append(Part(f"Escalate: {short(decision.escalation_reason, REASON_LENGTH).rstrip('.')}.", strong=True))
    return parts


def _team(answer: Classification, decision: Decision) -> str:
    if answer.primary_team == NO_TEAM:
        return "Fits no team"
    if "primary_team" in decision.abstained:
        return f"Team unclear{_either(answer, 'primary_team')}"
    also = f", also {_words(answer.secondary_team)}" if answer.secondary_team else ""
    return f"{_words(answer.primary_team).capitalize()} ({_sure(answer.probability('primary_team'))}){also}"


def _sure(probability: float) -> str:
    # Nobody is ever wholly sure of a ticket.
    return f"{min(probability, MOST_SURE):.0%}"


def _either(answer: Classification, name: str) -> str:
    """Return the two likeliest labels of an undecided field."""
    first = f"{_words(str(getattr(answer, name)))} {answer.probability(name):.0%}"
    second = answer.runner_up(name)
    return f" ({first} or {_words(second[0])} {second[1]:.0%})" if second else f" ({first})"


def _words(label: str) -> str:
    return "no team" if label == NO_TEAM else label.replace("_", " ")


def _news(material: Material) -> list[Part]:
    """Return what has changed since the note was first written: its title, and one line for each change."""
    if material.news is None:
        return []
    return [
        Part(f"{material.news.title}."),
        *(Part(line, label="→", rank=1, kin="news") for line in material.news.lines),
    ]


def _why(material: Material) -> list[Part]:
    """Return the customer's own words that decided, and a model's summary where there is room for it."""
    answer, parts = material.answer, []
    if said := _quotable(material)[:QUOTES]:
        length = QUOTE_LENGTH if len(said) == 1 else HALF_QUOTE_LENGTH
        quotes = " ".join(quoted(quote, length) for quote in said)
        parts.append(Part(quotes, label="Why:", rank=1))
    if told := _told(answer.context_for_agent, material):
        parts.append(Part(short(told, SUMMARY_LENGTH), label="In short:", rank=5))
    return parts


def _customer(material: Material) -> list[Part]:
    answer, decision = material.answer, material.decision
    mood = "" if "sentiment" in decision.abstained else answer.sentiment
    known = packet(material.ticket, material.now, moods=material.moods, mood=mood, prefix=material.settings.tag_prefix)
    lines = (
        ("Customer:", known.customer, 1, ""),
        ("History:", known.history, 2, "details"),
        ("Details:", known.details, 3, "details"),
    )
    return [Part(BETWEEN.join(facts), label=label, rank=rank, kin=kin) for label, facts, rank, kin in lines if facts]


def _sla(material: Material) -> list[Part]:
    ticket, judged = material.ticket, material.decision.judged(material.answer)
    if ticket.created_at is None or not (judged.priority or ticket.priority):
        return []
    line = note_line(clocks_of(ticket, material.settings, material.now.timestamp(), judged))
    label, _, rest = line.partition(": ")
    return [Part(rest, label=f"{label}:", rank=1)] if line else []


def source_parts(material: Material) -> list[Part]:
    """Return what was found, each with the number by which a draft cites it."""
    found = material.sources.numbered()
    kinds = (
        (SIMILAR, [one for one in found if one[1].kind == TICKET]),
        (SOURCES, [one for one in found if one[1].kind != TICKET]),
    )
    return [
        Part("", label=label, links=tuple(_link(number, one) for number, one in some), rank=1, kin="sources")
        for label, some in kinds
        if some
    ]


def _link(number: int, source: Source) -> Link:
    return Link(f"[{number}] {short(source.title, TITLE_LENGTH) or UNTITLED}", source.url)


def _missing(material: Material) -> list[Part]:
    said = clean_ticket(material.ticket)
    lacks = () if said.automatic else missing(said.subject, said.text, files(material.ticket))
    return [Part(BETWEEN.join(lacks), label="Missing:", rank=4)] if lacks else []


def closing_parts(material: Material) -> list[Part]:
    """Return what every note ends with: the feedback links, that nothing was sent, and the reference."""
    parts = [Part("", label=FEEDBACK, links=material.votes)] if material.votes else []
    if reason := material.answer.fallback_reason:
        said = short(reason, REASON_LENGTH)
        parts.append(Part(f"The language model did not answer ({said}); the built-in classifier did."))
    return [
        *parts,
        Part(closing(material.speech) or CLOSING),
        Part(REFERENCE_LINE.format(reference=material.reference)),
    ]
