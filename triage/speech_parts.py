"""What the note says about who may speak."""

from __future__ import annotations

from triage.note_parts import Part
from triage.speech import REPLY, SAFE, Speech

SAFE_LINE = "Safe to send as is: {why}."
REPLIED = "An automated public reply was sent to the customer: the draft ({why})."
CLOSING = "AI: an automated reply was sent to the customer, who was told that it is automated."


def speech_parts(speech: Speech | None) -> list[Part]:
    """Return the line about the draft, or nothing where it is a draft like any other."""
    if speech is None or not speech.reasons or speech.level not in (SAFE, REPLY):
        return []
    why = speech.reasons[0].partition(": ")[2]
    return [Part((REPLIED if speech.sent else SAFE_LINE).format(why=why), strong=True)]


def closing(speech: Speech | None) -> str:
    """Return the line that says that the customer has been sent something, else an empty text."""
    return CLOSING if speech is not None and speech.sent else ""
