"""The private note: what an agent reads in twenty seconds. Pure: composed from data, rendered from escaped text.

Order (fixed): verdict, why, customer, SLA, similar tickets, sources, what is missing, draft, feedback, closing lines.
Parts without data are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from triage.classification import NO_TEAM, Classification
from triage.clean import html_to_text
from triage.clock_sources import clocks_of
from triage.decision import Decision
from triage.draft import Draft
from triage.note_parts import Link, Part, named, quoted, short
from triage.settings import Settings
from triage.sla_words import note_line
from triage.sources import SHOWN, Source, Sources
from triage.speech import Speech
from triage.speech_parts import closing, speech_parts
from triage.summary import fit_summary
from triage.ticket import Ticket

CLOSING = "AI suggestion: nothing was sent to the customer."
REFERENCE_LINE = "Tandem · ref {reference}"
NOT_SURE = "Not sure, please triage."
NO_DRAFT = "No draft: sources only, and none were found."
SOURCES_ONLY = "No draft: sources only."
SIMILAR = "Similar solved tickets:"
SOURCES = "Sources:"
UNTITLED = "(no title)"
TITLE_LENGTH = 100
NOTHING_FOUND = Sources()
DRAFT_TITLE = "Draft reply (edit before sending):"
QUOTES = 2
# A helpdesk refuses a comment above 64 KB, and then there would be no note at all.
DRAFT_LENGTH = 5000


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
    speech: Speech | None = None


def compose(material: Material) -> list[Part]:
    """Return the parts of the note in order."""
    ticket, answer, decision, sources = material.ticket, material.answer, material.decision, material.sources
    parts = [Part(_verdict(answer, decision), strong=True)]
    if decision.escalate:
        parts.append(Part(f"Escalate: {short(decision.escalation_reason).rstrip('.')}.", strong=True))
    if answer.evidence:
        parts.append(Part("Why: the customer writes", items=tuple(quoted(q) for q in answer.evidence[:QUOTES])))
    parts += [Part(line) for line in (_customer(ticket), _sla(material)) if line]
    if told := _fit(answer.context_for_agent, material):
        parts.append(Part(short(told, 400)))
    if answer.fallback_reason:
        reason = short(answer.fallback_reason)
        parts.append(Part(f"The language model did not answer ({reason}); the built-in classifier did."))
    parts += [*_listed(SIMILAR, sources.tickets), *_listed(SOURCES, sources.articles)]
    parts += _draft(material)
    parts += speech_parts(material.speech)
    parts += [Part(closing(material.speech) or CLOSING), Part(REFERENCE_LINE.format(reference=material.reference))]
    return parts


def _fit(text: str, material: Material) -> str:
    """Return what the classifier says; a model's words only where they may be read as ours."""
    if not material.answer.model:
        return text
    ticket = material.ticket
    bodies = [html_to_text(one.body) if one.html else one.body for one in ticket.messages]
    return fit_summary(text, "\n".join([ticket.subject, ticket.organization.name, ticket.requester.name, *bodies]))


def _verdict(answer: Classification, decision: Decision) -> str:
    team = _team(answer, decision)
    words = [team]
    if "priority" not in decision.abstained:
        words.append(f"{answer.priority.replace('_', ' ')} ({answer.probability('priority'):.0%})")
    else:
        words.append(f"priority unclear{_either(answer, 'priority')}")
    if "sentiment" not in decision.abstained:
        words.append(answer.sentiment)
    if "churn_risk" not in decision.abstained:
        words.append(f"churn risk {answer.churn_risk}")
    return " · ".join(words)


def _team(answer: Classification, decision: Decision) -> str:
    if answer.primary_team == NO_TEAM:
        return "Fits no team"
    if "primary_team" in decision.abstained:
        return f"Team unclear{_either(answer, 'primary_team')}"
    also = f", also {_words(answer.secondary_team)}" if answer.secondary_team else ""
    return f"{_words(answer.primary_team).capitalize()} ({answer.probability('primary_team'):.0%}){also}"


def _either(answer: Classification, name: str) -> str:
    """Return the two likeliest labels of an undecided field."""
    first = f"{_words(str(getattr(answer, name)))} {answer.probability(name):.0%}"
    second = answer.runner_up(name)
    return f" ({first} or {_words(second[0])} {second[1]:.0%})" if second else f" ({first})"


def _words(label: str) -> str:
    return "no team" if label == NO_TEAM else label.replace("_", " ")


def _customer(ticket: Ticket) -> str:
    organization = ticket.organization
    facts = [organization.name and named(organization.name, 80)]
    facts.append(organization.tier and f"tier {named(organization.tier, 40)}")
    facts.append(organization.plan and f"plan {named(organization.plan, 40)}")
    facts.append(f"MRR {organization.mrr:,.0f}" if organization.mrr is not None else "")
    if ticket.earlier:
        latest = ticket.earlier[0]
        facts.append(f"{_count(ticket.ticket_count_30d)} in 30 days, latest: {quoted(latest.subject, 80)}")
    known = [fact for fact in facts if fact]
    return "Customer: " + " · ".join(known) if known else ""


def _count(number: int) -> str:
    return "1 other ticket" if number == 1 else f"{number} other tickets"


def _sla(material: Material) -> str:
    ticket, judged = material.ticket, material.decision.judged(material.answer)
    if ticket.created_at is None or not (judged.priority or ticket.priority):
        return ""
    return note_line(clocks_of(ticket, material.settings, material.now.timestamp(), judged))


def _listed(line: str, found: Sequence[Source]) -> list[Part]:
    """Return titles that lead to their pages, or nothing where nothing was found."""
    links = tuple(Link(short(one.title, TITLE_LENGTH) or UNTITLED, one.url) for one in found[:SHOWN])
    return [Part(line, links)] if links else []


def _draft(material: Material) -> list[Part]:
    decision, sources = material.decision, material.sources
    draft = material.draft.text or _fit(material.answer.auto_response_draft, material)
    if decision.needs_triage:
        return [Part(NOT_SURE)]
    if draft:
        cut = draft if len(draft) <= DRAFT_LENGTH else draft[: DRAFT_LENGTH - 1].rstrip() + "…"
        return [Part(DRAFT_TITLE, quote=cut)]
    return [Part(SOURCES_ONLY if sources.articles or sources.tickets else NO_DRAFT)]
