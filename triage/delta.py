"""The short note that follows the first one where a helpdesk cannot change notes, and the title of every update."""

from __future__ import annotations

from triage.ask import ask_parts
from triage.draft_parts import draft_parts
from triage.note import Material, closing_parts, source_parts
from triage.note_parts import Part, quoted

MESSAGE_TITLE = "Update after the customer's new message"
ASKED_TITLE = "Fresh look, as asked"
HINT_TITLE = "Fresh look, as asked: {hint}"
ANSWER_TITLE = "Update with your answer: {fact}"
NOTHING_NEW = "The verdict stands: nothing that matters has changed."
MOOD = "Sentiment so far: {path}"
# With the words before it one line.
FACT_LENGTH = 90


def title(hint: str, facts: tuple[str, ...], *, asked: bool) -> str:
    """Return the first line of an update."""
    if facts:
        return ANSWER_TITLE.format(fact=quoted("; ".join(facts), FACT_LENGTH))
    if hint:
        return HINT_TITLE.format(hint=quoted(hint, FACT_LENGTH))
    return ASKED_TITLE if asked else MESSAGE_TITLE


def delta_note(material: Material, *, with_draft: bool) -> list[Part]:
    """Return the parts of the short note about `material.news`; `with_draft` says so too where there is no draft."""
    news = material.news
    assert news is not None
    parts = [Part(news.title, items=news.lines, strong=True)]
    if not news.lines:
        parts.append(Part(NOTHING_NEW))
    parts += ask_parts(material.ask)
    if material.draft.text or with_draft:
        parts += [
            *source_parts(material),
            *draft_parts(material.draft, material.answer, material.decision, material.sources),
        ]
    return [*parts, *closing_parts(material)]
