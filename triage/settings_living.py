"""What Tandem does when a ticket goes on after its first triage."""

from __future__ import annotations

from pydantic import Field

from triage.settings_base import Section


class Living(Section):
    """Later runs of a ticket."""

    messages: bool = True
    """A new message of the customer is judged again, until a person has replied."""
    asked: bool = True
    """An `@tandem` line in a private note, or the tag `ai_please`, is answered."""
    runs_per_hour: int = Field(default=12, ge=1, le=60)
    """Most later runs of one ticket; what comes faster waits and is taken together."""
