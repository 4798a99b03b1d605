"""One call to a language model as it happened, and who writes it down.

The classifier is shared by threads that work on different tickets: the recorder belongs to the thread that asks, so it
stands in a context variable and not in an argument of every classifier.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Call:
    """What leaves the house: masked, as it is sent."""

    purpose: str
    """classify, draft; with ` repair` after it where an answer that could not be used is asked for again."""
    host: str
    """Name and port, never a user or a path."""
    model: str
    messages: Sequence[dict[str, str]]


@dataclass(frozen=True)
class Outcome:
    """What came back."""

    answer: str = ""
    problem: str = ""
    """Why there is no answer, or why it cannot be read."""
    seconds: float = 0.0
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float = 0.0


class Recorder(Protocol):
    """Writes calls down: each before it leaves, so that a killed process leaves no unknown one."""

    def sent(self, call: Call) -> int:
        """Write `call` down and return its number."""

    def came(self, number: int, outcome: Outcome) -> None:
        """Add what came of it."""


_recorder: ContextVar[Recorder | None] = ContextVar("recorder", default=None)


def recorder() -> Recorder | None:
    """Return who writes down what is asked here; nobody outside of `recorded`."""
    return _recorder.get()


@contextmanager
def recorded(by: Recorder) -> Iterator[None]:
    """Have every call of the block written down by `by`."""
    before = _recorder.set(by)
    try:
        yield
    finally:
        _recorder.reset(before)
