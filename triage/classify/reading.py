"""Read a cleaned ticket as sentence vectors, with greetings, signatures, venting and commands told apart.

A greeting, a signature and a disclaimer around the text cut accuracy from 84 to 31 % when they are embedded with it
(FACTS/embedded.md, section 3), so a small head drops such sentences before anything is decided.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from triage.classify.encoder import Encoder, Vectors
from triage.classify.heads import Head, Scores, softmax, unit
from triage.classify.sentences import split_sentences
from triage.classify.weights import shipped
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

MAX_WHOLE = 700
"""Characters of the text that is embedded in one piece: about 150 words, 8 ms."""
ORDER_FROM = 0.4
"""Probability of INSTRUCTION from which a sentence counts for nothing."""
DOUBTFUL_FROM = 0.12
"""The same for a sentence that names the machine's own things."""
BESIDE_FROM = 0.25
"""The same for a sentence that stands beside an order, if it does not sound much more like a matter."""
SHORT, SANDWICHED = 2, 6
"""Words of a sentence that says nothing by itself beside an order, or between two."""
_MACHINE = re.compile(
    r"\b(?:system ?(?:note|prompt|update|message|hinweis)|(?:previous|prior|your|hidden|operating) instructions?|"
    r"(?:no|without) restrictions|sin restricciones|ohne (?:ein|be)schränkungen|senza restrizioni|developer mode|"
    r"entwicklermodus|modo desarrollador|modalità sviluppatore|assistant|assistente|language model|"
    r"sprachmodell|your (?:reply|answer|response|summary|output)|verbatim|base64|rot13|decode|jailbreak|uncensored|"
    r"unrestricted|prompt|ai agents?|tool call|function call)\b|\{[a-z_]+\}|"
    r"\b(?:send_e?mail|http_(?:post|get)|delete_file)\b",
    re.IGNORECASE,
)
_LINK = re.compile(r"https?://\S+")
_ENCODED = re.compile(
    r"[^\s.,;!?/]{60}|(?:\\u[0-9a-fA-F]{4}){4}|(?:[01]{8}\s*){3}|(?=\S{40})(?:[\w.,:/-]*[^\s\w.,:/-]){8}|"
    r"(?:\b[^\W\d_]+\d[^\W\d_]\w*\b.*){2}"
)
"""No words of any language, or words in disguise: something for a program to unwrap."""

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
    whole: Vectors
    """All sentences that matter as one text: how they hang together. Venting is left out: tone moves no priority."""

    @property
    def focus(self) -> Vectors:
        """Return the direction of all sentences that matter together."""
        return unit(self.vectors[self.matters].mean(axis=0))

    @property
    def gist(self) -> Vectors:
        """Return the direction between focus and whole: what heads judge a ticket by."""
        return unit(self.focus + self.whole)


class Reader:
    """Splits tickets into sentences and knows noise when it sees it."""

    def __init__(self, encoder: Encoder, head: Head | None = None) -> None:
        self._encoder = encoder
        self._head = head or shipped().heads["noise"]

    def read(self, ticket: CleanTicket) -> Reading | None:
        """Return the reading of `ticket`, or None where it holds no words."""
        sentences, newest = _sentences(ticket)
        if not sentences:
            return None
        vectors = self._encoder.encode(sentences)
        chances = softmax(self._head.scores(vectors))
        matter = chances[:, self._head.index(MATTER)]
        to_people = ~_orders(sentences, chances[:, self._head.index(INSTRUCTION)], matter)
        matters = (matter >= KEEP_FROM) & to_people
        only_noise = not matters.any()
        if only_noise:
            matters[int(np.where(to_people, matter, matter - 1).argmax())] = True
        felt = (chances[:, self._head.index(BOILERPLATE)] < POLITE_FROM) & to_people
        felt = felt if felt.any() else to_people
        felt = felt if felt.any() else matters
        whole = self._whole(sentences, matters)
        return Reading(tuple(sentences), vectors, matters, felt, np.asarray(newest, np.bool_), only_noise, whole)

    def _whole(self, sentences: Sequence[str], kept: Mask) -> Vectors:
        told = ". ".join(sentence.rstrip(".") for sentence, keep in zip(sentences, kept, strict=True) if keep)
        vector: Vectors = self._encoder.encode([told[:MAX_WHOLE]])[0]
        return vector


def _orders(sentences: Sequence[str], chances: Scores, matter: Scores) -> Mask:
    """Return which sentences speak to the machine: the plain ones, and doubtful ones that stand beside them."""
    hinted = np.asarray([bool(_MACHINE.search(sentence)) for sentence in sentences])
    encoded = np.asarray([bool(_ENCODED.search(_LINK.sub("", sentence))) for sentence in sentences])
    found: Mask = encoded | (chances >= np.where(hinted, DOUBTFUL_FROM, ORDER_FROM))
    words = np.asarray([len(sentence.split()) for sentence in sentences])
    between = np.zeros(len(found), bool)
    between[1:-1] = found[:-2] & found[2:] & (words[1:-1] <= SANDWICHED)
    found |= between
    doubtful = ((chances >= BESIDE_FROM) & (2 * chances >= matter)) | (words <= SHORT)
    for order in (range(len(found)), reversed(range(len(found)))):  # an attack is told in one piece
        beside = False
        for row in order:
            beside = bool(found[row] | (doubtful[row] & beside))
            found[row] = beside
    return found


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
