"""Measure what learning from history reaches: `python -m evaluation.history DATA [--out PAGE]` (`make eval DATA=...`).

Every ticket that is measured on was held out whole: neither views nor mix nor temperature nor threshold saw it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evaluation import measures
from evaluation.baselines import majority, plain_learner
from evaluation.cache import CACHE, CachedEncoder
from evaluation.histories import HISTORIES, OUT_OF_SCOPE, HistorySource, Past, clinc150
from evaluation.measures import Outcome
from evaluation.page import put
from triage.classification import NO_TEAM
from triage.classify.batch import ticket_from_row
from triage.classify.encoder import Encoder, UseEncoder
from triage.classify.head import LearnedHead
from triage.classify.learned_features import Features, read_features
from triage.classify.splits import Rows, folds, groups_of, split
from triage.classify.training import PRECISION, Material, learn
from triage.settings import Thresholds

START, END = "<!-- learned figures: make eval -->\n", "<!-- end of learned figures -->\n"
HEADER = (
    "| set | tested on | majority | TF-IDF F1 | **macro-F1** | aim | ECE | right at 70 % coverage "
    "| coverage at 95 % | own 95 % threshold: answered, right | seconds |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
)
FIELD = "primary_team"
FOLDS = 5
MANY = 4000
"""From so many tickets on one fold of five is a test large enough."""
COVERAGE = 0.7
SCOPE_TICKETS = 3000


@dataclass(frozen=True)
class Measured:
    """What the models of all folds said about the tickets they had not seen."""

    outcome: Outcome
    baseline: Outcome
    answered: Sequence[bool]
    """At the threshold the model itself set for PRECISION."""
    how: str
    seconds: float
    """To learn one model, features read already."""


def measured(source: HistorySource, data: Path, encoder: Encoder) -> Measured:
    """Learn from parts of `source` and answer the rest."""
    pasts = source.load(data)
    features = read_features([ticket_from_row(past.row) for past in pasts], encoder)
    groups = groups_of(features.texts)
    labels = [past.label for past in pasts]
    truth, chances, plain, answered, tested, took = [], [], [], [], [], []
    how, parts = _splits(pasts, groups)
    for train, test in parts:
        begin = time.perf_counter()
        head = _learned(pasts, features, groups, train, encoder)
        took.append(time.perf_counter() - begin)
        found = head.probabilities(features.part(test))
        limit = head.threshold(PRECISION) or 1.0
        chances += found
        answered += [max(one.values()) >= limit for one in found]
        truth += [labels[row] for row in test]
        tested += [str(groups[row]) for row in test]
        texts = [features.texts[row] for row in train], [features.texts[row] for row in test]
        plain += plain_learner(texts[0], [labels[row] for row in train], texts[1])
    nothing = [""] * len(truth)
    return Measured(
        Outcome(truth, chances, tested, nothing),
        Outcome(truth, [{label: 1.0} for label in plain], tested, nothing),
        answered,
        how,
        float(np.median(took)),
    )


def _splits(pasts: Sequence[Past], groups: Rows) -> tuple[str, list[tuple[Rows, Rows]]]:
    """Return how rows were told apart, and pairs of rows to learn from and rows to test on."""
    labels = [past.label for past in pasts]
    if len(pasts) >= MANY:
        train, test, how = split(labels, groups, [past.time for past in pasts])
        return "the newest fifth" if how == "time" else "a random fifth", [(train, test)]
    fold = folds(labels, groups, FOLDS)
    return f"all, in {FOLDS} folds", [
        (np.flatnonzero(fold != one), np.flatnonzero(fold == one)) for one in range(FOLDS)
    ]


def _learned(pasts: Sequence[Past], features: Features, groups: Rows, rows: Rows, encoder: Encoder) -> LearnedHead:
    labels, times = [pasts[row].label for row in rows], [pasts[row].time for row in rows]
    return learn(Material(FIELD, features.part(rows), labels, groups[rows], times), encoder.model_id).head


def line(source: HistorySource, found: Measured) -> str:
    """Return one line of the table."""
    outcome = found.outcome
    macro = measures.with_interval(outcome, measures.macro_f1(outcome))
    ones = np.ones(len(outcome.truth))
    right, answered = outcome.right(), np.asarray(found.answered)
    surest = np.argsort(-outcome.certainty(), kind="stable")[: round(COVERAGE * len(right))]
    own = f"{answered.mean():.0%}, {right[answered].mean():.1%}" if answered.any() else "none"
    plain = measures.macro_f1(found.baseline)(ones)
    cells = [
        source.name, f"{len(right)} ({found.how})", f"{majority(outcome.truth):.2f}", f"{plain:.3f}",
        f"{macro.value:.3f} ({macro.low:.3f}-{macro.high:.3f})",
        f"{source.aim:.2f}{'' if macro.value > source.aim else ' missed'}",
        f"{measures.calibration_error(outcome):.3f}", f"{right[surest].mean():.1%}",
        f"{measures.coverage(outcome):.0%}", own, f"{found.seconds:.0f}",
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |\n"


def out_of_scope(data: Path, encoder: Encoder) -> str:
    """Return a sentence on how often a ticket that fits no team is left to a person, learned from CLINC150."""
    pasts = clinc150(data, "train")
    chosen = np.random.default_rng(0).permutation(len(pasts))[:SCOPE_TICKETS]
    pasts = [pasts[row] for row in chosen]
    known = read_features([ticket_from_row(past.row) for past in pasts], encoder)
    head = _learned(pasts, known, groups_of(known.texts), np.arange(len(pasts)), encoder)
    shares: list[float] = []
    for asked in (clinc150(data, "oos_train", "oos_val"), clinc150(data, "val")):
        asked = [past for past in asked if (past.label == OUT_OF_SCOPE) == (not shares)]
        found = head.probabilities(read_features([ticket_from_row(past.row) for past in asked], encoder))
        none = [max(one, key=one.__getitem__) == NO_TEAM for one in found]
        unsure = [max(one.values()) < Thresholds().primary_team for one in found]
        left = [one or other for one, other in zip(none, unsure, strict=True)]
        shares += [float(np.mean(none)), float(np.mean(left))]
    return (
        f"\nTaught {SCOPE_TICKETS} sentences of CLINC150 with their ten domains as teams: of its sentences on other "
        f"matters {shares[0]:.0%} are called none of the teams and {shares[1]:.0%} are left to a person at the default "
        f"threshold; of those on the teams' own matters {shares[2]:.1%} and {shares[3]:.1%}.\n"
    )


def main() -> None:
    """Print the table and put it between the marks of the page."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("data", type=Path)
    reader.add_argument("--out", type=Path)
    reader.add_argument("--only", choices=[source.name for source in HISTORIES])
    asked = reader.parse_args()
    encoder = CachedEncoder(UseEncoder(), CACHE)
    figures = HEADER
    for source in HISTORIES:
        if asked.only in (None, source.name):
            figures += line(source, measured(source, asked.data, encoder))
            sys.stdout.write(figures.splitlines(keepends=True)[-1])
            sys.stdout.flush()
    if not asked.only:
        figures += out_of_scope(asked.data, encoder)
        sys.stdout.write(figures.splitlines(keepends=True)[-1])
    if asked.out:
        put(asked.out, START, END, figures + "\n")


if __name__ == "__main__":
    main()
