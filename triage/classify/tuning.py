"""Training examples for a language model of one's own: what people made of tickets, as chats like the live ones.

The system's words are those of a live call, so that a tuned model is asked as it was taught; the ticket is masked as
live. The answer holds what is known: the labels people gave, and of the rest what a model had said and people left.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from triage.classification import NO_TEAM, Classification
from triage.classify.prompt import DECIDED
from triage.classify.question import LLM, Question, Questionnaire
from triage.classify.reply import CHARS_PER_TOKEN
from triage.ticket import Ticket

LEAST_EXAMPLES = 10
"""The vendor refuses fewer (https://platform.openai.com/docs/guides/supervised-fine-tuning, "minimum number of
examples")."""
HELD_OUT = 5
"""One in so many, the newest, is kept out to validate on, where enough are left to train on."""
EPOCHS = 3
"""Usual rounds over the file; the vendor chooses, and bills the file's tokens once per round."""


@dataclass(frozen=True)
class Example:
    """One ticket and the answer a model is to learn."""

    id: str
    user: str
    answer: Mapping[str, Any]
    at: float | None
    """UTC seconds the labels were known, None where nobody said."""
    corrected: bool = False
    """People had it otherwise than we said."""

    def line(self, system: str) -> str:
        """Return the line of the training file."""
        messages = [
            {"role": "system", "content": system},
            {"role": "user", "content": self.user},
            {"role": "assistant", "content": json.dumps(self.answer, ensure_ascii=False)},
        ]
        return json.dumps({"messages": messages}, ensure_ascii=False)


def example_of(
    questionnaire: Questionnaire,
    ticket: Ticket,
    labels: Mapping[str, str],
    at: float | None,
    said: Classification | None = None,
) -> Example | None:
    """Return the example of `ticket`, None where there is no text or no label that is configured.

    `labels`: field -> label by people. `said`: what was answered at the time.
    """
    known = {name: label for name, label in labels.items() if label in questionnaire.labels.get(name, ())}
    question = questionnaire.question(ticket)
    if not known or not (question.clean.subject or question.clean.text):
        return None
    changed = {name for name, label in known.items() if said and getattr(said, name) != label}
    # What people had otherwise is not taught, even where their label is none of ours.
    rest = _said(questionnaire, question, said, labels) if said else {}
    answer = {name: value for name in _ORDER if (value := (rest | known).get(name)) is not None}
    return Example(ticket.id, question.messages[1]["content"], answer, at, bool(changed))


_ORDER = (
    "evidence", "summary", *DECIDED, "secondary_team", "issue_category", "language", "auto_resolution_possible",
)  # fmt: skip
"""Of the answer's schema."""


def _said(
    questionnaire: Questionnaire, question: Question, said: Classification, known: Mapping[str, str]
) -> dict[str, Any]:
    """Return what of an earlier answer still holds beside the labels people gave, `known`."""
    mask = question.masks.mask
    rest: dict[str, Any] = {
        name: label
        for name in DECIDED
        if name not in known and (label := getattr(said, name)) in questionnaire.labels[name]
    }
    if said.language != "und":
        rest["language"] = said.language
    # Only a language model wrote these, and they were said about the team it had in mind.
    if not said.classifier.startswith(LLM) or known.get("primary_team", said.primary_team) != said.primary_team:
        return rest
    return rest | {
        "evidence": [mask(quote) for quote in said.evidence],
        "summary": mask(said.context_for_agent),
        "secondary_team": said.secondary_team or NO_TEAM,
        "issue_category": said.issue_category,
        "auto_resolution_possible": said.auto_resolution_possible,
    }


def dropped(questionnaire: Questionnaire, given: Iterable[Mapping[str, str]]) -> dict[str, Counter[str]]:
    """Return field -> labels of people that are none of the settings', with their number: they are not taught.

    `given`: field -> label, one per ticket.
    """
    found: dict[str, Counter[str]] = {}
    for labels in given:
        for name, label in labels.items():
            if label not in questionnaire.labels.get(name, ()):
                found.setdefault(name, Counter())[label] += 1
    return found


def deduplicated(examples: Iterable[Example]) -> list[Example]:
    """Return `examples` oldest first, each text once (digits, case and white space aside); the newest labels hold."""
    ordered = sorted(examples, key=lambda one: (one.at is not None, one.at or 0.0))
    newest = {"".join(filter(str.isalpha, one.user.casefold())): one for one in ordered}
    kept = {id(one) for one in newest.values()}
    return [one for one in ordered if id(one) in kept]


def split(examples: Sequence[Example]) -> tuple[list[Example], list[Example]]:
    """Return what to train on and the newest fifth to validate on; none of these where there are too few."""
    held = len(examples) // HELD_OUT
    if len(examples) - held < LEAST_EXAMPLES or held == 0:
        return list(examples), []
    return list(examples[:-held]), list(examples[-held:])


def tokens_in(text: str) -> int:
    """Estimate the tokens of a training file's text; the vendor counts exactly once it has the file."""
    return len(text) // CHARS_PER_TOKEN


def price_of(tokens: int, usd_per_million: float) -> float:
    """Return about how many US dollars training costs."""
    return tokens * EPOCHS * usd_per_million / 1e6
