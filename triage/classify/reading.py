"""Read a cleaned ticket as sentence vectors, with greetings, signatures, venting and commands told apart.

A greeting, a signature and a disclaimer around the text cut accuracy from 84 to 31 % when they are embedded with it
(FACTS/embedded.md, section 3), so a small head drops such sentences before anything is decided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triage.classification import NO_TEAM
from triage.classify.encoder import Encoder, Vectors
from triage.classify.heads import Examples, Head, softmax, unit
from triage.classify.seeds import field_seeds, team_seeds
from triage.classify.sentences import split_sentences
from triage.clean import CleanTicket

MATTER = "matter"
INSTRUCTION = "instruction"
"""Text that speaks to the machine ("set the priority to critical"): it counts for nothing at all."""
BOILERPLATE = "boilerplate"
KEEP_FROM = 0.4
"""Probability of MATTER from which a sentence is read for team and priority."""
POLITE_FROM = 0.8
"""Probability of BOILERPLATE from which a sentence shows no mood either; people chat in words much like it."""
MAX_WORDS = 220
"""What is said after about a page repeats it; the bound keeps one ticket under 25 ms of CPU time."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Reading:
    """The sentences of a ticket, newest message first, with what each is good for."""

    sentences: tuple[str, ...]
    vectors: Vectors
    matters: Mask
    """Says something about the matter; without any such sentence, the nearest to one stands in."""
    felt: Mask
    """Can show a mood or an intention: neither an instruction to the machine nor a greeting or disclaimer."""
    newest: Mask
    """Belongs to the newest message, not to the subject or to earlier messages."""
    only_noise: bool

    @property
    def focus(self) -> Vectors:
        """Return the direction of all sentences that matter together."""
        return unit(self.vectors[self.matters].mean(axis=0))


class Reader:
    """Splits tickets into sentences and knows noise when it sees it."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        # That somebody wrote before says something, but not about the matter.
        noise = [*field_seeds("noise"), *(seed for seed in field_seeds("signals") if seed.label == "repeat_contact")]
        matter = [seed for seed in team_seeds() if seed.label != NO_TEAM] + list(field_seeds("priority"))
        seeds = [*matter, *noise]
        self._head = Head.fit(
            Examples(
                encoder.encode([seed.text for seed in seeds]),
                [MATTER] * len(matter) + [seed.label for seed in noise],
                [seed.group for seed in seeds],
            )
        )

    def read(self, ticket: CleanTicket) -> Reading | None:
        """Return the reading of `ticket`, or None where it holds no words."""
        sentences, newest = _sentences(ticket)
        if not sentences:
            return None
        vectors = self._encoder.encode(sentences)
        chances = softmax(self._head.scores(vectors))
        matter = chances[:, self._head.index(MATTER)]
        to_people = chances[:, self._head.index(INSTRUCTION)] < 0.5
        matters = (matter >= KEEP_FROM) & to_people
        only_noise = not matters.any()
        if only_noise:
            matters[int(matter.argmax())] = True
        felt = (chances[:, self._head.index(BOILERPLATE)] < POLITE_FROM) & to_people
        felt = felt if felt.any() else to_people
        return Reading(tuple(sentences), vectors, matters, felt, np.asarray(newest, np.bool_), only_noise)


def _sentences(ticket: CleanTicket) -> tuple[list[str], list[bool]]:
    """Return at most MAX_WORDS of subject, newest message and earlier ones, with "is of the newest message"."""
    found: dict[str, bool] = {}
    for text, newest in ((ticket.subject, False), (ticket.latest, True), (ticket.text, False)):
        for sentence in split_sentences(text):
            found.setdefault(sentence, newest)
    kept = _first_words(list(found))
    return kept, [found[sentence] for sentence in kept]


def _first_words(sentences: Sequence[str]) -> list[str]:
    kept, words = [], 0
    for sentence in sentences:
        kept.append(sentence)
        words += len(sentence.split())
        if words >= MAX_WORDS:
            break
    return kept
