"""Who may speak: how sure Tandem must be, and for which tickets it may answer a customer by itself."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from triage.settings_base import Section

ReplyLanguage = Literal["en", "de", "fr", "es", "it", "pt", "nl"]
"""Languages for which there is a text that says who writes."""
NEVER_ANSWERED = ("security", "data_privacy")
"""Teams whose tickets are never answered without a person, whatever the settings say."""
NEVER = "'{team}' tickets are never answered without a person; remove this category"
ESCALATED = "'{team}' tickets are always escalated, so they are never answered without a person; remove this category"
UNKNOWN_TEAM = "'{team}' is no team; the teams are {known}"
LEAST_TEXT, LONGEST_TEXT = 40, 1000
TEXT = f"needs {LEAST_TEXT} to {LONGEST_TEXT} characters: say that the answer is automated and how to reach a person"
LEAST_PROBABILITY = 0.8
"""No setting lets a public reply go out on less."""


class SafeToSend(Section):
    """When the note may say that its draft is safe to send as it is."""

    min_probability: float = Field(default=0.8, ge=0.5, le=1)
    """Of team and of priority."""
    min_sources: int = Field(default=1, ge=1, le=3)
    """Help-centre articles that are close to the question."""
    max_contacts: int = Field(default=3, ge=0)
    """Other tickets of the requester in 30 days."""
    max_mrr: float | None = Field(default=None, ge=0)
    """Monthly recurring revenue of the customer."""


class AutoReply(Section):
    """A category of tickets that are answered in public without a person."""

    team: str
    issues: list[str] = Field(default_factory=list)
    """Issue categories as the decisions show them; none: every one of the team's."""
    languages: list[ReplyLanguage] = Field(default_factory=list)
    """None: every language there is a text for."""
    min_probability: float = Field(default=0.95, ge=LEAST_PROBABILITY, le=1)
    """Of team and of priority."""
    min_sources: int = Field(default=1, ge=1, le=3)


class SpeechRules(Section):
    """Who may speak, and how sure Tandem must be."""

    silent: bool = False
    """Write no note where there is nothing to say: automatic mail, spam, thanks. Tags are set all the same."""
    silent_probability: float = Field(default=0.9, ge=0.5, le=1)
    """Of "none of the teams"."""
    safe: SafeToSend = SafeToSend()
    vip_tags: list[str] = Field(default_factory=lambda: ["vip"])
    """Tags of customers to whom only people write."""
    auto_reply: dict[str, AutoReply] = Field(default_factory=dict)
    """The categories that are switched on, by a name of the admin's."""
    automated_text: dict[ReplyLanguage, str] = Field(default_factory=dict)
    """Replaces the text that says that the reply is automated and how to reach a person."""

    @field_validator("auto_reply")
    @classmethod
    def _check_teams(cls, categories: dict[str, AutoReply]) -> dict[str, AutoReply]:
        for category in categories.values():
            if category.team in NEVER_ANSWERED:
                raise ValueError(NEVER.format(team=category.team))
        return categories

    @field_validator("automated_text")
    @classmethod
    def _check_text(cls, texts: dict[str, str]) -> dict[str, str]:
        for text in texts.values():
            if not LEAST_TEXT <= len(text) <= LONGEST_TEXT:
                raise ValueError(TEXT)
        return texts

    def over(self, wide: SpeechRules) -> SpeechRules:
        """Return `wide` with what these rules name in its place."""
        return wide.model_copy(update={name: getattr(self, name) for name in self.model_fields_set})
