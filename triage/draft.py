"""A reply for a person to edit, and where it came from."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, Field


class Quote(BaseModel):
    """What a source says, word for word, where there is no model to write a reply."""

    kind: str
    number: int
    title: str
    text: str


class Draft(BaseModel):
    """A draft reply; empty where there is nothing good to say."""

    text: str = ""
    """Ready to edit; carries source numbers like [1]."""
    quotes: list[Quote] = Field(default_factory=list)
    withheld: list[str] = Field(default_factory=list)
    """Why a model's draft is not shown."""
    removed: list[str] = Field(default_factory=list)
    """Why sentences of the shown draft were taken out."""
    open: list[str] = Field(default_factory=list)
    """Questions of the ticket that the draft does not answer."""
    question: str = ""
    options: list[str] = Field(default_factory=list)
    language: str = ""


@dataclass(frozen=True)
class Wishes:
    """What people asked of a draft."""

    hint: str = ""
    facts: tuple[str, ...] = ()
