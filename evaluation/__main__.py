"""Measure the embedded classifier: `python -m evaluation DATA [--out docs/quality.md]` (`make eval DATA=...`)."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from evaluation import hostile_drafts, hostile_notes, injection, own
from evaluation.baselines import Baseline
from evaluation.cache import CACHE, CachedEncoder
from evaluation.items import Role, Source, sample
from evaluation.page import put
from evaluation.sources import SOURCES
from evaluation.table import HEADER, line, rows_of
from triage.classification import DECIDED_FIELDS
from triage.classify.batch import ticket_from_row
from triage.classify.embedded import EmbeddedClassifier
from triage.classify.encoder import UseEncoder, closest
from triage.settings import DEFAULT_PRIORITIES, DEFAULT_TEAMS

START, END = "<!-- figures: make eval -->\n", "<!-- end of figures -->\n"
TITLES = {
    Role.TEST: "### Reported sets: never used to choose anything\n\n",
    Role.DEV: "### Development sets: looked at while choosing, so these figures flatter\n\n",
}
OWN_TITLE = "### Our own example tickets, held out by group of neighbours\n\n"
AGREEMENT_TITLE = "\n### The same held-out ticket in five languages\n\n"
NOTES_TITLE = "\n### Attack texts in the note\n\n"
DRAFTS_TITLE = "\n### Attack texts in the draft\n\n"
INJECTION_TITLE = "\n### Attack texts beside a ticket\n\n"


def measured(sources: tuple[Source, ...], data: Path) -> str:
    """Return the tables of `sources`, real and synthetic sets line by line and never pooled."""
    encoder = CachedEncoder(UseEncoder(), CACHE)
    classifier = EmbeddedClassifier(DEFAULT_TEAMS, DEFAULT_PRIORITIES, encoder)
    baselines = {field: Baseline(field) for field in DECIDED_FIELDS}
    parts = []
    for role in (Role.TEST, Role.DEV):
        chosen = [source for source in sources if source.role is role]
        parts += [TITLES[role], HEADER] if chosen else []
        for source in chosen:
            items = sample(source.load(data))
            ours = [classifier.classify(ticket_from_row(item.row)).probabilities for item in items]
            plain = {field: each.chances([item.text for item in items]) for field, each in baselines.items()}
            lines = [line(row) for row in rows_of(source, items, ours, plain)]
            sys.stdout.writelines(lines)
            sys.stdout.flush()
            parts += lines
        parts.append("\n" if chosen else "")
    return "".join(parts)


def own_figures(data: Path) -> str:
    """Return the tables about our own examples and about attack texts."""
    encoder = CachedEncoder(UseEncoder(), CACHE)
    answers = own.held_out(encoder, data)
    classifier = EmbeddedClassifier(DEFAULT_TEAMS, DEFAULT_PRIORITIES, encoder)
    parts = [OWN_TITLE, own.figures(answers), AGREEMENT_TITLE, own.agreement(answers)]
    parts += [INJECTION_TITLE, injection.table(classifier, data), NOTES_TITLE, hostile_notes.table(classifier, data)]
    parts += [DRAFTS_TITLE, hostile_drafts.table(partial(closest, encoder), data)]
    return "".join([*parts, "\n"])


def main() -> None:
    """Print the tables and put them between the marks of the page."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("data", type=Path)
    reader.add_argument("--out", type=Path)
    reader.add_argument("--only", choices=[*(role.value for role in Role), "own"], help="measure one part")
    asked = reader.parse_args()
    sources = tuple(source for source in SOURCES if asked.only in (None, source.role.value))
    figures = measured(sources, asked.data) if asked.only != "own" else ""
    if asked.only in (None, "own"):
        ours = own_figures(asked.data)
        sys.stdout.write(ours)
        figures += ours
    if asked.out:
        put(asked.out, START, END, figures)


if __name__ == "__main__":
    main()
