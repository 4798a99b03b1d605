"""What a terminal is sent: colours of ours, and never a command that a helpdesk, a customer or a model wrote."""

from __future__ import annotations

import io
import re
import sys
from typing import TextIO

REPLACED = "\N{REPLACEMENT CHARACTER}"
# What moves a cursor, changes colours, sets a title or turns the direction of writing.
COMMANDING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
# What stands in a file or a pipe is read by programs, where a mark of direction is a letter like any other.
CONTROL = re.compile("\x1b\\[(?!(?:[0-9]{1,3};){0,9}8[;m])[0-9;]{0,30}m|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def harmless(text: str) -> str:
    """Return `text` without what moves a cursor, changes colours or turns the direction of writing."""
    return COMMANDING.sub(REPLACED, text)


def coloured(text: str) -> str:
    """Return `text` with no more power over a terminal than to set colours."""
    return CONTROL.sub(lambda found: found[0] if len(found[0]) > 1 else REPLACED, text)


class Screen(io.TextIOWrapper):
    """A stream that a printed value cannot use to command the terminal; what cannot be encoded is spelt out."""

    def write(self, text: str, /) -> int:
        """Write `text`, its commands replaced."""
        super().write(coloured(text))
        return len(text)


def guard_streams() -> None:
    """Let everything that this process prints go through a Screen."""
    sys.stdout, sys.stderr = _guarded(sys.stdout), _guarded(sys.stderr)


def _guarded(stream: TextIO) -> TextIO:
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    # Line by line, as the streams of a terminal are: two writers of one buffer keep their order so.
    return Screen(stream.buffer, stream.encoding, "backslashreplace", line_buffering=True)
