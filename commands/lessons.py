"""How a lesson reads in the terminal and as JSON, beside what was running on the same tickets."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from commands.rivals import Rival
from triage.classify.measures import macro_f1
from triage.classify.training import PRECISION, Lesson

WIDTH = 79
LABEL_WIDTH = 30
ROW = "  {:<40}{:>8}  {:>8}  {:>7}"
UNTAUGHT = "warning: labels of test tickets that no ticket learned from has, so that the test counts them as wrong: "
RARE = "warning: too few tickets to learn these labels, left out: "


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


def as_data(lesson: Lesson, rival: Rival) -> dict[str, Any]:
    """Return what was learned about one field for programs."""
    running = {
        "name": rival.name,
        "remark": rival.remark,
        "tickets": len(rival.truth),
        "macro_f1": _rounded(macro_f1, rival.truth, rival.said),
        "accuracy": _rounded(_accuracy, rival.truth, rival.said),
        "macro_f1_learned": _rounded(macro_f1, rival.truth, rival.ours),
        "accuracy_learned": _rounded(_accuracy, rival.truth, rival.ours),
        "better_in_draws": rival.better,
    }
    confused = [{"right": one, "said": other, "tickets": count} for one, other, count in lesson.confused]
    about = {"field": lesson.field, "labels": list(lesson.head.labels), "recipe": lesson.recipe}
    return {**about, **metrics_of(lesson), "untaught": lesson.untaught, "confused": confused, "running": running}


def _rounded(
    measure: Callable[[Sequence[str], Sequence[str]], float], truth: Sequence[str], said: Sequence[str]
) -> float | None:
    return round(measure(truth, said), 4) if truth else None


def _accuracy(truth: Sequence[str], said: Sequence[str]) -> float:
    return sum(one == other for one, other in zip(truth, said, strict=True)) / len(truth)


def show(lesson: Lesson, rival: Rival) -> None:
    """Print what was learned about one field."""
    figures = lesson.figures
    how = "the newest fifth" if lesson.split == "time" else "a random fifth"
    click.echo(f"\n{lesson.field}: {len(lesson.head.labels)} labels, tested on {how} ({figures.tickets} tickets)")
    if lesson.split != "time":
        say("near-duplicates are kept together")
    click.echo(ROW.format("", "macro-F1", "accuracy", "tickets"))
    _row("learned now", lesson.truth, lesson.said)
    if len(rival.truth) != figures.tickets:
        _row("learned now, of these only", rival.truth, rival.ours)
    _row(f"running: {rival.name}", rival.truth, rival.said)
    if rival.remark:
        say(rival.remark)
    at = figures.at_target
    if at.threshold >= 1:
        say(f"no threshold reaches {PRECISION:.0%} precision")
    else:
        found = f"answers {at.share:.0%} of the tickets, {at.precision:.1%} of these right"
        say(f"for {PRECISION:.0%} precision: threshold {at.threshold:.2f}, {found}")
    say(f"at 70% coverage: {figures.at_70.precision:.1%} right; calibration error (ECE) {figures.error:.3f}")
    say("learning curve: " + ", ".join(f"{count} tickets {quality:.3f}" for count, quality in lesson.curve))
    for one, other, count in lesson.confused:
        click.echo(f"  confused {count:4d} x  {_short(one)} read as {_short(other)}")
    say(f"recipe: {lesson.recipe}")
    if lesson.untaught:
        say(UNTAUGHT + _counted(lesson.untaught))
    if lesson.rare:
        say(RARE + _counted(lesson.rare))


def say(text: str, *, err: bool = False) -> None:
    """Print `text` indented, in as many lines as it takes."""
    filled = textwrap.fill(text, WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)
    click.echo(filled, err=err)


def _row(name: str, truth: Sequence[str], said: Sequence[str]) -> None:
    figures = (f"{macro_f1(truth, said):.3f}", f"{_accuracy(truth, said):.3f}") if truth else ("", "")
    click.echo(ROW.format(name, *figures, len(truth)))


def _counted(labels: Mapping[str, int]) -> str:
    return ", ".join(f"{_short(label)} ({count})" for label, count in sorted(labels.items()))


def _short(label: str) -> str:
    """Return a label on part of a line, without what a terminal would obey: anyone may have written it."""
    plain = "".join(character for character in label if character.isprintable())
    return plain if len(plain) <= LABEL_WIDTH else plain[: LABEL_WIDTH - 1] + "…"
