"""The private note: what an agent reads in twenty seconds. Pure: composed from data, rendered from escaped text.

Order (fixed): verdict, why, customer, SLA, similar tickets, sources, what is missing, draft, feedback, closing lines.
Parts without data are left out.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from triage.classification import NO_TEAM, Classification
from triage.clock_sources import clocks_of
from triage.decision import Decision
from triage.settings import Settings
from triage.sla_words import note_line
from triage.sources import SHOWN, Source, Sources
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
QUOTE_LENGTH = 200
QUOTES = 2
# A helpdesk refuses a comment above 64 KB, and then there would be no note at all.
DRAFT_LENGTH = 5000
# Not U+200C and U+200D: Persian, Hindi and composed emoji are spelt with them.
CONTROL = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]"
)


@dataclass(frozen=True)
class Link:
    """A line of a list that leads somewhere; an empty address makes it plain text."""

    text: str
    url: str = ""


@dataclass(frozen=True)
class Part:
    """One part of the note: a line, a list under a line, or quoted text."""

    line: str
    items: tuple[str | Link, ...] = ()
    quote: str = ""
    strong: bool = False


def compose(
    ticket: Ticket,
    answer: Classification,
    decision: Decision,
    settings: Settings,
    reference: str,
    now: datetime,
    sources: Sources = NOTHING_FOUND,
) -> list[Part]:
    """Return the parts of the note in order; `now` is only used to say how long is left."""
    parts = [Part(_verdict(answer, decision), strong=True)]
    if decision.escalate:
        parts.append(Part(f"Escalate: {_short(decision.escalation_reason).rstrip('.')}.", strong=True))
    if answer.evidence:
        parts.append(Part("Why: the customer writes", items=tuple(f"“{_short(q)}”" for q in answer.evidence[:QUOTES])))
    parts += [Part(line) for line in (_customer(ticket), _sla(ticket, answer, decision, settings, now)) if line]
    if answer.context_for_agent:
        parts.append(Part(_short(answer.context_for_agent, 400)))
    if answer.fallback_reason:
        reason = _short(answer.fallback_reason)
        parts.append(Part(f"The language model did not answer ({reason}); the built-in classifier did."))
    parts += [*_listed(SIMILAR, sources.tickets), *_listed(SOURCES, sources.articles)]
    parts += _draft(answer, decision, sources)
    parts += [Part(CLOSING), Part(REFERENCE_LINE.format(reference=reference))]
    return parts


def render_html(parts: list[Part]) -> str:
    """Return the note as the small HTML both helpdesks keep: p, b, ul, li, a, blockquote, br."""
    return "".join(_part_html(part) for part in parts)


def render_text(parts: list[Part]) -> str:
    """Return the note for a terminal."""
    lines: list[str] = []
    for part in parts:
        lines.append(_clean(part.line))
        lines += [f"  - {_clean(_item_text(item))}" for item in part.items]
        lines += [f"  | {line}" for line in _clean(part.quote).splitlines()]
    return "\n".join(lines)


def _part_html(part: Part) -> str:
    line = _escape(part.line)
    out = f"<p><b>{line}</b></p>" if part.strong else f"<p>{line}</p>"
    if part.items:
        out += "<ul>" + "".join(f"<li>{_item_html(item)}</li>" for item in part.items) + "</ul>"
    if part.quote:
        out += "<blockquote>" + "<br>".join(_escape(line) for line in part.quote.splitlines()) + "</blockquote>"
    return out


def _item_html(item: str | Link) -> str:
    if isinstance(item, str) or not item.url:
        return _escape(_item_text(item))
    return f'<a href="{_escape(item.url)}">{_escape(item.text)}</a>'


def _item_text(item: str | Link) -> str:
    if isinstance(item, str):
        return item
    return f"{item.text} {item.url}".strip()


def _escape(text: str) -> str:
    return html.escape(_clean(text), quote=True)


def _clean(text: str) -> str:
    """Return `text` without control and direction characters, which can make a line read as something else."""
    return CONTROL.sub("", text.encode("utf-8", "replace").decode("utf-8"))


def _short(text: str, length: int = QUOTE_LENGTH) -> str:
    flat = " ".join(_clean(text).split())
    return flat if len(flat) <= length else flat[: length - 1].rstrip() + "…"


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
    facts = [organization.name and _short(organization.name, 80)]
    facts.append(organization.tier and f"tier {_short(organization.tier, 40)}")
    facts.append(organization.plan and f"plan {_short(organization.plan, 40)}")
    facts.append(f"MRR {organization.mrr:,.0f}" if organization.mrr is not None else "")
    if ticket.earlier:
        latest = ticket.earlier[0]
        facts.append(f"{_count(ticket.ticket_count_30d)} in 30 days, latest: “{_short(latest.subject, 80)}”")
    known = [fact for fact in facts if fact]
    return "Customer: " + " · ".join(known) if known else ""


def _count(number: int) -> str:
    return "1 other ticket" if number == 1 else f"{number} other tickets"


def _sla(ticket: Ticket, answer: Classification, decision: Decision, settings: Settings, now: datetime) -> str:
    judged = decision.judged(answer)
    if ticket.created_at is None or not (judged.priority or ticket.priority):
        return ""
    return note_line(clocks_of(ticket, settings, now.timestamp(), judged))


def _listed(line: str, found: Sequence[Source]) -> list[Part]:
    """Return titles that lead to their pages, or nothing where nothing was found."""
    links = tuple(Link(_short(one.title, TITLE_LENGTH) or UNTITLED, one.url) for one in found[:SHOWN])
    return [Part(line, links)] if links else []


def _draft(answer: Classification, decision: Decision, sources: Sources) -> list[Part]:
    if decision.needs_triage:
        return [Part(NOT_SURE)]
    if answer.auto_response_draft:
        draft = answer.auto_response_draft
        cut = draft if len(draft) <= DRAFT_LENGTH else draft[: DRAFT_LENGTH - 1].rstrip() + "…"
        return [Part(DRAFT_TITLE, quote=cut)]
    return [Part(SOURCES_ONLY if sources.articles or sources.tickets else NO_DRAFT)]
