"""The short note that follows the first one where a helpdesk cannot change notes, and the title of every update."""

from __future__ import annotations

from triage.ask import Ask, ask_parts
from triage.changes import News
from triage.draft import Draft
from triage.note import CLOSING, DRAFT_LENGTH, DRAFT_TITLE, FEEDBACK, REFERENCE_LINE
from triage.note_parts import Link, Part, short

MESSAGE_TITLE = "Update after the customer's new message"
ASKED_TITLE = "Fresh look, as asked"
HINT_TITLE = "Fresh look, as asked: “{hint}”"
ANSWER_TITLE = "Update with your answer: “{fact}”"
NOTHING_NEW = "The verdict stands: nothing that matters has changed."
NO_DRAFT = "No draft."
MOOD = "Sentiment so far: {path}"
FACT_LENGTH = 120


def title(hint: str, facts: tuple[str, ...], *, asked: bool) -> str:
    """Return the first line of an update."""
    if facts:
        return ANSWER_TITLE.format(fact=short("; ".join(facts), FACT_LENGTH))
    if hint:
        return HINT_TITLE.format(hint=short(hint, FACT_LENGTH))
    return ASKED_TITLE if asked else MESSAGE_TITLE


def delta_note(
    news: News,
    draft: Draft,
    reference: str,
    *,
    with_draft: bool,
    ask: Ask | None = None,
    votes: tuple[Link, ...] = (),
) -> list[Part]:
    """Return the parts of the short note; `with_draft` says so too where there is no draft."""
    parts = [Part(news.title, items=news.lines, strong=True)]
    if not news.lines:
        parts.append(Part(NOTHING_NEW))
    parts += ask_parts(ask)
    if draft.text:
        cut = draft.text if len(draft.text) <= DRAFT_LENGTH else draft.text[: DRAFT_LENGTH - 1].rstrip() + "…"
        parts.append(Part(DRAFT_TITLE, quote=cut))
    elif draft.quotes:
        parts += [Part(f"{one.title}:", quote=short(one.text, 600)) for one in draft.quotes]
    elif with_draft:
        parts.append(Part(NO_DRAFT))
    parts += [Part("", label=FEEDBACK, links=votes)] if votes else []
    return [*parts, Part(CLOSING), Part(REFERENCE_LINE.format(reference=reference))]
