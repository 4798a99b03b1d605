"""How a ticket is built, in numbers: how long, how much of it asks, lists, logs or fills in a form.

Said by no word and lost in the mean of its sentences, and yet a report, a wish and a question are built differently.
"""

from __future__ import annotations

import re

import numpy as np

from triage.classify.encoder import Vectors

MAX_CHARS = 20_000
_ASKS = re.compile(
    r"^\W*(?:how|why|what|when|where|which|who|is|are|can|could|does|do|should|would|will|any"
    r"|wie|warum|was|wann|wo|welche\w*|wer|kann|ist|comment|pourquoi|quand|où|quel\w*|est-ce"
    r"|cómo|por qué|qué|cuándo|dónde|puede\w*|como|por que|quando|onde|pode\w*)\b",
    re.IGNORECASE,
)
_FAILS = re.compile(
    r"\b(?:not|fail\w*|crash\w*|wrong|broken|bug|error|fehler|kaputt|erreur|falla|erro)\b|n['’]t\b", re.I
)
_WISHES = re.compile(
    r"\b(?:add|support|allow|feature|request|option|improve\w*|make|implement|wunsch|ajouter|añadir|adicionar)\b", re.I
)
_WE = re.compile(r"\b(?:i|we|my|our|ich|wir|je|nous|yo|eu)\b", re.IGNORECASE)
_YOU = re.compile(r"\b(?:you|your|sie|ihr|vous|votre|usted|você)\b", re.IGNORECASE)
_LINK = re.compile(r"https?://")
_HEADING = re.compile(r"^\s*#+ |^\*\*[^*\n]+\*\*", re.MULTILINE)
_ITEM = re.compile(r"^\s*(?:\d+[.)]|[-*•]) ", re.MULTILINE)
_BOX = re.compile(r"\[[ xX]\]")
_LOG = re.compile(r"^\s+at |Traceback|File \"|0x[0-9a-fA-F]{4}|Error\b|Exception|error:", re.MULTILINE)
_FORM_FIELD = re.compile(r"^[\w.\-/ ]{1,40}[:=]", re.MULTILINE)

SIZE = 27


def shape_of(subject: str, text: str) -> Vectors:
    """Return SIZE numbers of an ordinary size; shape (SIZE,), zeros for an empty ticket."""
    text = text[:MAX_CHARS]
    if not (subject or text):
        return np.zeros(SIZE, np.float32)
    lines = [line for line in text.splitlines() if line.strip()]
    words, letters = max(1, len(text.split())), max(1, len(text))
    found = [_LINK, _HEADING, _ITEM, _BOX, _LOG, _FORM_FIELD]
    signs = ["?", "!", "`", "```", "!["]
    return np.asarray(
        [
            *(np.log1p(len(one)) for one in (text, subject, lines)),
            *(np.log1p(text.count(sign)) for sign in signs),
            *(np.log1p(len(pattern.findall(text))) for pattern in found),
            sum(character.isdigit() for character in text) / letters,
            sum(character.isupper() for character in text) / letters,
            sum(not (character.isalnum() or character.isspace()) for character in text) / letters,
            len(_WE.findall(text)) / words,
            len(_YOU.findall(text)) / words,
            sum(bool(_ASKS.match(line)) for line in lines) / max(1, len(lines)),
            "|" in text,
            "?" in subject,
            subject.endswith("?"),
            bool(_ASKS.match(subject)),
            subject.startswith("["),
            bool(_FAILS.search(subject)),
            bool(_WISHES.search(subject)),
        ],
        np.float32,
    )
