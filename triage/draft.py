"""A reply that an agent may send after a look at it: what it holds, and when one is worth asking a model for."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pydantic import BaseModel, Field

from triage.classification import NO_TEAM, Classification
from triage.decision import Decision
from triage.draft_words import LANGUAGES
from triage.sources import Sources

READY, QUOTED, WITHHELD, NONE = "ready", "quoted", "withheld", "none"
"""What a run's draft came to: shown, passages shown in its place, kept back, nothing to say."""
MAX_HINT = 200
"""Characters of an agent's wish that are read."""
MAX_FACTS, MAX_FACT = 5, 300
_MARK = re.compile(r" ?\[\d{1,2}\]")


class Quote(BaseModel):
    """A passage of a source as a suggestion, where no model has written a reply."""

    kind: str
    """Of `triage.sources`."""
    number: int
    """Of `Sources.numbered`, as in the note's lists."""
    title: str
    text: str


class Draft(BaseModel):
    """What may be answered."""

    text: str = ""
    """Ready to edit, with source numbers like [1]; empty where there is none."""
    quotes: list[Quote] = Field(default_factory=list)
    withheld: list[str] = Field(default_factory=list)
    """Why a model's draft is not shown, in plain sentences."""
    removed: list[str] = Field(default_factory=list)
    """Why sentences of the shown draft were taken out."""
    open: list[str] = Field(default_factory=list)
    """Questions of the ticket that the draft does not answer."""
    facts: list[str] = Field(default_factory=list)
    """What people answered, in the order of their numbers, which go on after the sources'."""
    question: str = ""
    """A fact that only a person can judge."""
    options: list[str] = Field(default_factory=list)
    language: str = ""
    asked: bool = False
    """A model was asked for it."""
    model: str = ""
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float = 0.0

    @property
    def plain(self) -> str:
        """Return the text without source numbers."""
        return _MARK.sub("", self.text)

    @property
    def state(self) -> str:
        """Return READY, WITHHELD, QUOTED or NONE."""
        if self.text:
            return READY
        if self.withheld:
            return WITHHELD
        return QUOTED if self.quotes else NONE


@dataclass(frozen=True)
class Wishes:
    """What people said about the draft."""

    hint: str = ""
    """An agent's own words: "shorter", "in German", "offer a call"."""
    facts: tuple[str, ...] = ()
    """What people answered to the question of an earlier draft."""


def for_a_team(answer: Classification, decision: Decision) -> bool:
    """Say whether it is known who answers: what fits no team, or perhaps another, is not answered by guessing."""
    return answer.primary_team != NO_TEAM and "primary_team" not in decision.abstained


def worth_asking(answer: Classification, decision: Decision, sources: Sources) -> bool:
    """Say whether a model should be asked for a draft: there is something to draft from, and a note to put it into."""
    return decision.note and for_a_team(answer, decision) and bool(sources.articles or sources.tickets)


def wanted_language(ticket_language: str, hint: str) -> str:
    """Return the language a draft must be in: the one an agent names, else the customer's; `und` where unknown."""
    said = hint[:MAX_HINT].casefold()
    for code, names in LANGUAGES.items():
        if re.search(rf"(?<!\w)(?:in|auf|en|em|op|på|w|to|into|nach)\s+(?:het |the )?(?:{names})(?!\w)", said):
            return code
    return ticket_language
