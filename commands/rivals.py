"""Compares a lesson with what is running, on the same held-out tickets: it must be better by more than chance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from triage.classification import Classification
from triage.classify.base import Classifier
from triage.classify.head import LearnedHead, fingerprint
from triage.classify.learned_features import Features
from triage.classify.measures import macro_f1, weighted_macro_f1
from triage.classify.splits import Rows
from triage.classify.training import Lesson
from triage.ticket import Ticket

ASKED_AT_MOST = 300
"""Held-out tickets that a running classifier answers, for all fields together: a language model is paid for each."""
LEAST_TICKETS = 8
"""Test tickets; fewer say nothing. 50 tickets, the least `learn` is advised for, leave about 10."""
SURE = 0.9
"""Share of the draws in which the lesson must be better."""
DRAWS = 1000
SEED = 1


@dataclass(frozen=True)
class Rival:
    """What is running and the lesson on the same held-out tickets."""

    name: str
    truth: Sequence[str]
    said: Sequence[str]
    """By what is running."""
    ours: Sequence[str]
    groups: Sequence[int]
    """Near-duplicates share one: they are drawn together."""
    remark: str = ""

    @cached_property
    def better(self) -> float:
        """Return the share of draws of these tickets, with replacement, in which the lesson's macro-F1 is higher."""
        if not self.truth:
            return 0.0
        ours, theirs = weighted_macro_f1(self.truth, self.ours), weighted_macro_f1(self.truth, self.said)
        _, index = np.unique(np.asarray(self.groups), return_inverse=True)
        count = int(index.max()) + 1
        draw, won = np.random.default_rng(SEED), 0
        for _ in range(DRAWS):
            weights = np.bincount(draw.integers(0, count, count), minlength=count)[index].astype(np.float64)
            won += ours(weights) > theirs(weights) + 1e-9
        return won / DRAWS

    @property
    def beaten(self) -> bool:
        """Say whether the lesson is better by more than chance."""
        return len(self.truth) >= LEAST_TICKETS and self.better >= SURE

    @property
    def verdict(self) -> str:
        """Return in words how the comparison ended."""
        tickets = len(self.truth)
        if tickets < LEAST_TICKETS:
            return f"too few test tickets to tell: {tickets}, it takes {LEAST_TICKETS}"
        if self.beaten:
            return f"better than what is running in {self.better:.0%} of {DRAWS} draws of the test tickets"
        if macro_f1(self.truth, self.ours) <= macro_f1(self.truth, self.said):
            return "no better than what is running"
        return f"perhaps better, perhaps chance: better in {self.better:.0%} of {DRAWS} draws, it takes {SURE:.0%}"


def rows_to_ask(lessons: Sequence[Lesson]) -> list[int]:
    """Return the held-out tickets that a running classifier is asked about, each once for all fields."""
    rows = sorted({int(row) for lesson in lessons for row in lesson.test_rows})
    places = np.unique(np.linspace(0, len(rows) - 1, min(len(rows), ASKED_AT_MOST)).astype(int))
    return [rows[place] for place in places]


def answers_of(
    base: Classifier, tickets: Sequence[Ticket], rows: Sequence[int], heard: Callable[[Classification], None]
) -> dict[int, Classification]:
    """Return row -> answer of `base`; `heard` gets each answer as it comes."""
    found = {}
    for row in rows:
        found[row] = base.classify(tickets[row])
        heard(found[row])
    return found


def against_base(lesson: Lesson, name: str, answers: Mapping[int, Classification], groups: Rows) -> Rival:
    """Return how what is running did by the `answers` it gave."""
    places = [place for place, row in enumerate(lesson.test_rows) if int(row) in answers]
    said = [str(getattr(answers[int(lesson.test_rows[place])], lesson.field)) for place in places]
    return _rival(name, lesson, places, said, groups)


def against_usual(lesson: Lesson, name: str, labels: Sequence[str], groups: Rows) -> Rival:
    """Return how the most frequent label would do: the running classifier, `name`, knows none of the labels.

    `labels`: of all tickets, "" for none.
    """
    held = set(map(int, lesson.test_rows))
    usual = Counter(label for row, label in enumerate(labels) if label and row not in held).most_common(1)[0][0]
    remark = f"{name} knows none of these labels"
    return _rival("most frequent label", lesson, range(len(lesson.truth)), [usual] * len(lesson.truth), groups, remark)


def against_head(lesson: Lesson, head: LearnedHead, features: Features, groups: Rows) -> Rival:
    """Return how the model learned earlier did, on test tickets it has not learned from where there are enough.

    Where there are not, it is asked about all of them: that flatters it, so what beats it is better all the more.
    """
    every = range(len(lesson.test_rows))
    unseen = [place for place in every if fingerprint(features.texts[lesson.test_rows[place]]) not in head.seen]
    enough = len(unseen) >= LEAST_TICKETS
    places = unseen if enough else every
    chances = head.probabilities(features.part(lesson.test_rows[list(places)]))
    said = [max(one, key=one.__getitem__) for one in chances]
    remark = "" if enough else f"it has learned from {len(every) - len(unseen)} of these tickets, which flatters it"
    return _rival("learned before", lesson, places, said, groups, remark)


def _rival(
    name: str, lesson: Lesson, places: Sequence[int], said: Sequence[str], groups: Rows, remark: str = ""
) -> Rival:
    return Rival(
        name,
        [lesson.truth[place] for place in places],
        said,
        [lesson.said[place] for place in places],
        [int(groups[lesson.test_rows[place]]) for place in places],
        remark,
    )
