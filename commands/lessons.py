"""How a lesson reads in the terminal, and how what was running did on the same tickets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click
import numpy as np

from triage.classify.base import Classifier
from triage.classify.head import LearnedHead, fingerprint
from triage.classify.learned_features import Features
from triage.classify.measures import macro_f1
from triage.classify.training import PRECISION, Lesson
from triage.ticket import Ticket

ASKED_AT_MOST = 300
"""Held-out tickets that a running classifier answers: a language model is paid for each."""
LEAST_UNSEEN = 20
PAIR_WIDTH = 60


@dataclass(frozen=True)
class Rival:
    """What is running, on held-out tickets that it has not learned from, beside the lesson on the same tickets."""

    name: str
    tickets: int
    macro_f1: float
    accuracy: float
    ours: float
    """Macro-F1 of the lesson on these tickets."""

    @property
    def beaten(self) -> bool:
        """Say whether the lesson is better."""
        return self.ours > self.macro_f1


def against_base(lesson: Lesson, base: Classifier, labels: set[str], tickets: Sequence[Ticket]) -> Rival:
    """Return how `base`, which knows `labels`, did; it is not asked where it knows no label of the truth."""
    if not labels & set(lesson.truth):
        name = f"{base.name} (knows none of these labels)"
        return Rival(name, len(lesson.truth), 0.0, 0.0, macro_f1(lesson.truth, lesson.said))
    places = np.unique(np.linspace(0, len(lesson.truth) - 1, ASKED_AT_MOST).astype(int))
    said = [str(getattr(base.classify(tickets[lesson.test_rows[place]]), lesson.field)) for place in places]
    return _rival(base.name, lesson, [int(place) for place in places], said)


def against_head(lesson: Lesson, head: LearnedHead, metrics: Mapping[str, Any], features: Features) -> Rival:
    """Return how the model learned earlier did; where it has seen the tickets, what its own test said counts."""
    places = [place for place, row in enumerate(lesson.test_rows) if fingerprint(features.texts[row]) not in head.seen]
    if len(places) < LEAST_UNSEEN:
        # On its own held-out tickets; equal is enough, for this one knows at least as much.
        was = float(metrics["macro_f1"])
        ours = max(lesson.figures.macro_f1, np.nextafter(was, 2) if lesson.figures.macro_f1 >= was else 0.0)
        return Rival("learned before (its own test)", int(metrics["tickets"]), was, float(metrics["accuracy"]), ours)
    chances = head.probabilities(features.part(lesson.test_rows[places]))
    return _rival("learned before", lesson, places, [max(one, key=one.__getitem__) for one in chances])


def _rival(name: str, lesson: Lesson, places: Sequence[int], said: Sequence[str]) -> Rival:
    truth = [lesson.truth[place] for place in places]
    right = sum(one == other for one, other in zip(truth, said, strict=True)) / len(truth)
    ours = macro_f1(truth, [lesson.said[place] for place in places])
    return Rival(name, len(places), macro_f1(truth, said), right, ours)


def metrics_of(lesson: Lesson) -> dict[str, Any]:
    """Return the figures as plain data, to be kept with the model."""
    figures = lesson.figures
    return {
        "tickets": figures.tickets,
        "macro_f1": round(figures.macro_f1, 4),
        "accuracy": round(figures.accuracy, 4),
        "calibration_error": round(figures.error, 4),
        "threshold": round(figures.at_target.threshold, 4),
        "coverage": round(figures.at_target.share, 4),
        "precision": round(figures.at_target.precision, 4),
        "precision_at_70": round(figures.at_70.precision, 4),
        "split": lesson.split,
        "curve": [[count, round(quality, 4)] for count, quality in lesson.curve],
        "rare": lesson.rare,
    }


def show(lesson: Lesson, rival: Rival, say: Callable[[str], None] = click.echo) -> None:
    """Print what was learned about one field."""
    figures = lesson.figures
    how = "the newest fifth" if lesson.split == "time" else "a random fifth, near-duplicates kept together"
    say(f"\n{lesson.field}: {len(lesson.head.labels)} labels, tested on {how} ({figures.tickets} tickets)")
    say(f"  {'':34}macro-F1  accuracy")
    say(f"  {'learned now':34}{figures.macro_f1:8.3f}  {figures.accuracy:8.3f}")
    beside = "" if rival.tickets == figures.tickets else f", {rival.tickets} tickets (ours there {rival.ours:.3f})"
    say(f"  {'running: ' + rival.name:34}{rival.macro_f1:8.3f}  {rival.accuracy:8.3f}{beside}")
    at = figures.at_target
    if at.threshold >= 1:
        say(f"  no threshold reaches {PRECISION:.0%} precision")
    else:
        found = f"answers {at.share:.0%} of the tickets, {at.precision:.1%} of these right"
        say(f"  for {PRECISION:.0%} precision: threshold {at.threshold:.2f}, {found}")
    say(f"  at 70% coverage: {figures.at_70.precision:.1%} right; calibration error (ECE) {figures.error:.3f}")
    say("  learning curve: " + ", ".join(f"{count} tickets {quality:.3f}" for count, quality in lesson.curve))
    for one, other, count in lesson.confused:
        say(f"  confused {count:4d} x  {one} read as {other}"[: PAIR_WIDTH + 40])
    say(f"  recipe: {lesson.recipe}")
    if lesson.rare:
        named = ", ".join(f"{label} ({count})" for label, count in sorted(lesson.rare.items()))
        say(f"  warning: too few tickets to learn these labels, left out: {named}")
