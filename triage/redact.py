"""Private data out of texts before they leave the house, and back again: the one door to redaction.

Patterns and check digits, no model: what is found is replaced by a placeholder like [EMAIL_1], the same one for the
same words within one set of texts. Every step is linear in the length of the text.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from triage.errors import ModelError
from triage.redact_contacts import find_emails, find_ips, find_phones
from triage.redact_ids import find_ids
from triage.redact_names import Hints, find_names, gather_names
from triage.redact_numbers import find_cards, find_ibans
from triage.redact_plain import plain
from triage.redact_secrets import find_secrets, find_urls
from triage.redact_spans import KINDS, LITERAL, NAME, PHONE, Span

SHOWN: Final = frozenset({NAME, PHONE})
"""Kinds that may come back in what a model wrote for people; evidence gets all of them back, from the ticket itself."""
_PLACEHOLDER: Final = re.compile(rf"\[({'|'.join(KINDS)})_(\d{{1,6}})\]")
UNMASKED: Final = "the ticket's private data could not be masked ({kind}), so it was not sent"

logger = logging.getLogger(__name__)
_FINDERS: Final = (find_urls, find_secrets, find_emails, find_ibans, find_ids, find_cards, find_ips, find_phones)


class RedactionError(ModelError):
    """Masking failed: nothing may go out, and another classifier answers."""


class Masks:
    """The placeholders of one set of texts. `names` are people known to occur, like the requester."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = [name for name in names if name.strip()]
        self._placeholders: dict[tuple[str, str], str] = {}
        self._originals: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        self._hints: Hints = {}

    def mask(self, text: str) -> str:
        """Return `text` with a placeholder for everything private that was found. Raises RedactionError."""
        parts = []
        at = 0
        with _or_nothing():
            spans = find(text, self._names, self._hints)
        for span in spans:
            parts += [text[at : span.start], self._placeholder(span.kind, text[span.start : span.end])]
            at = span.end
        return "".join([*parts, text[at:]])

    def mask_all(self, texts: Sequence[str]) -> list[str]:
        """Return `texts` masked, where a name that one gives away is masked in all. Raises RedactionError."""
        with _or_nothing():
            self._names += gather_names(map(plain, texts), self._hints)
        return [self.mask(text) for text in texts]

    def restore(self, text: str, kinds: Collection[str] = KINDS) -> str:
        """Return `text` with the placeholders of `kinds` replaced by what they stand for; foreign ones stay."""

        def original(found: re.Match[str]) -> str:
            return self._originals.get(found.group(), found.group()) if found[1] in kinds else found.group()

        return _PLACEHOLDER.sub(original, text)

    def _placeholder(self, kind: str, original: str) -> str:
        key = kind, original
        if key not in self._placeholders:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            placeholder = f"[{kind}_{self._counts[kind]}]"
            self._placeholders[key] = placeholder
            self._originals[placeholder] = original
        return self._placeholders[key]


@contextmanager
def _or_nothing() -> Iterator[None]:
    """Turn whatever a finder stumbles over into RedactionError: a text half searched must not go out."""
    try:
        yield
    except Exception as error:
        # The error's own text may hold the customer's.
        logger.error("redaction failed (%s)", type(error).__name__)
        raise RedactionError(UNMASKED.format(kind=type(error).__name__)) from None


def find(text: str, names: Iterable[str] = (), hints: Hints | None = None) -> list[Span]:
    """Return everything private in `text`, in its order, no two overlapping; `hints` are names found in it before."""
    taken = bytearray(len(text))
    kept = []
    for span in _all(plain(text), [plain(name) for name in names], hints):
        if span.end > span.start and taken.find(1, span.start, span.end) < 0:
            taken[span.start : span.end] = b"\x01" * (span.end - span.start)
            kept.append(span)
    return sorted(kept, key=lambda span: span.start)


def _all(text: str, names: Iterable[str], hints: Hints | None) -> Iterator[Span]:
    for found in _PLACEHOLDER.finditer(text):
        yield Span(LITERAL, found.start(), found.end())
    for finder in _FINDERS:
        yield from finder(text)
    yield from find_names(text, names, hints)
