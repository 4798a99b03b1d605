"""What agents may say by links in a note, and what a note may ask them."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from triage.settings_base import Section

Option = Annotated[str, Field(min_length=1, max_length=60)]
Word = Annotated[str, Field(min_length=2, max_length=80)]


class Feedback(Section):
    """The links in notes."""

    links: bool = True
    """Needs SECRET_KEY and PUBLIC_URL."""
    days: int = Field(default=30, ge=1, le=365)
    """How long a link works."""


class When(Section):
    """Which tickets a question is about: every condition that is given must hold."""

    teams: list[str] = Field(default_factory=list)
    words: list[Word] = Field(default_factory=list)
    """One of them stands in what the customer wrote."""


class Question(Section):
    """One fact that a person can judge and no ticket says."""

    ask: str = Field(min_length=5, max_length=200)
    options: list[Option] = Field(min_length=2, max_length=6)
    when: When

    @model_validator(mode="after")
    def _check_when(self) -> Self:
        if not (self.when.teams or self.when.words):
            raise ValueError("when: needs teams: or words:, else every ticket would be asked about")
        if len(set(self.options)) < len(self.options):
            raise ValueError("options: two are the same")
        return self
