"""What Tandem may read to find sources for a ticket."""

from __future__ import annotations

from pydantic import Field

from triage.settings_base import Minutes, Section


class Knowledge(Section):
    """A desk's help centre, solved tickets and Markdown files as sources for the note."""

    articles: bool = True
    """Published articles of the help centre that everybody may read."""
    tickets: bool = True
    """Solved tickets and the public reply that solved them, masked."""
    tickets_days: int = Field(default=365, ge=1, le=3650)
    """Older solved tickets are forgotten."""
    folder: str = ""
    """A folder of Markdown files, for a desk without a help centre."""
    every: Minutes = 60
