"""The draft in the note: "ready to edit" with its text, or "sources only" with quotations, and why there is no more."""

from __future__ import annotations

from triage.classification import Classification
from triage.decision import Decision
from triage.draft import Draft, for_a_team
from triage.note_parts import Part, quoted, short
from triage.sources import TICKET, Sources

# The two states, told apart at a glance.
READY, SOURCES_ALONE = "✎ READY TO EDIT", "SOURCES ONLY"
DRAFT_TITLE = "Draft reply: check it, then send it yourself."
SOURCES_ONLY = "No draft: sources only."
NO_DRAFT = "No draft: sources only, and none were found."
QUOTED = "No draft: sources only. Quoted, not written for this customer:"
NOT_SURE = "Not sure, please triage."
WITHHELD = "A draft was withheld: {why}."
REMOVED = "Sentences were taken out of it: {why}."
OPEN = "Not answered yet:"
FACT = "[{number}] a colleague's answer"
ARTICLE_SAYS, TICKET_SAYS = "[{number}] says: “{text}”", "[{number}] was answered: “{text}”"
REASONS = 2
DRAFT_LENGTH = 5000
"""A helpdesk refuses a comment above 64 KB, and then there would be no note at all."""
QUOTE_LENGTH = 700


def draft_parts(draft: Draft, answer: Classification, decision: Decision, sources: Sources) -> list[Part]:
    """Return what the note says about a reply: always at least one line."""
    if draft.text:
        return _ready(draft, sources)
    unsure = not for_a_team(answer, decision)
    why = [Part(WITHHELD.format(why=_reasons(draft.withheld)))] if draft.withheld else []
    if unsure:
        return [Part(NOT_SURE, strong=True), *why]
    if draft.quotes:
        says = {TICKET: TICKET_SAYS}
        items = tuple(
            says.get(one.kind, ARTICLE_SAYS).format(number=one.number, text=short(one.text, QUOTE_LENGTH))
            for one in draft.quotes
        )
        return [Part(QUOTED, items, label=SOURCES_ALONE), *why]
    if decision.needs_triage:
        return [Part(NOT_SURE, strong=True), *why]
    return [Part(SOURCES_ONLY if sources.articles or sources.tickets else NO_DRAFT, label=SOURCES_ALONE), *why]


def _ready(draft: Draft, sources: Sources) -> list[Part]:
    text = draft.text
    cut = text if len(text) <= DRAFT_LENGTH else text[: DRAFT_LENGTH - 1].rstrip() + "…"
    parts = [Part(DRAFT_TITLE, quote=cut, label=READY)]
    first = len(sources.numbered()) + 1
    used = [(number, fact) for number, fact in enumerate(draft.facts, first) if f"[{number}]" in text]
    parts += [Part(f"{FACT.format(number=number)}: {short(fact, 120)}") for number, fact in used]
    if draft.open:
        parts.append(Part(OPEN, tuple(quoted(one) for one in draft.open)))
    if draft.removed:
        parts.append(Part(REMOVED.format(why=_reasons(draft.removed))))
    return parts


def _reasons(reasons: list[str]) -> str:
    more = f" (and {len(reasons) - REASONS} more)" if len(reasons) > REASONS else ""
    return "; ".join(short(one) for one in reasons[:REASONS]) + more
