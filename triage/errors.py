"""What went wrong, said as what to do next: wait, try again, end quietly, or stop.

Everything below `workers` raises one of these; `workers/deliver.py` is the one place that turns them into a new
due time, a dead delivery or a quiet end. Messages are shown to admins: they never hold ticket text or secrets.
"""

from __future__ import annotations


class TandemError(Exception):
    """Base of every error Tandem raises on purpose."""


class SettingsError(TandemError):
    """A setting is wrong; the message names file and line or variable, and the remedy."""


class Retry(TandemError):
    """Something passing failed: try again later, this counts as one attempt."""

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.after = after
        """Seconds to wait at least, where the other side said so."""


class UnknownOutcome(Retry):
    """A write was sent and no answer came back: it may have taken effect. Look before sending again."""


class Wait(TandemError):
    """A rate limit asks for patience: come back after `seconds`, this is no attempt."""

    def __init__(self, reason: str, seconds: float) -> None:
        super().__init__(reason)
        self.seconds = seconds


class Stop(TandemError):
    """Trying again cannot help until a person changes something: the delivery is dead, with this reason."""


class Forbidden(Stop):
    """The helpdesk forbids this one ticket to our role."""


class DeskLocked(Stop):
    """The helpdesk refused our credential or our role: no ticket of this desk can go on until it is mended."""


class Gone(TandemError):
    """The ticket is closed, merged, deleted or spam: nothing is left to do, the delivery ends quietly."""


class Conflict(TandemError):
    """Somebody changed the ticket after we read it: read again, then decide again."""


class Refused(TandemError):
    """The helpdesk accepted us but not these values; `fields` maps the field's name to what it said."""

    def __init__(self, reason: str, fields: dict[str, str] | None = None) -> None:
        super().__init__(reason)
        self.fields = fields or {}


class FeatureOff(TandemError):
    """The helpdesk's plan or our role lacks this feature: go on without it."""


class ModelError(TandemError):
    """The language model could not be reached or gave nothing usable; another classifier answers instead."""
