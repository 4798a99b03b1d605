"""Our own example tickets, held out by group: how right the answers are, and whether the languages agree."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np

from evaluation import measures
from evaluation.measures import Outcome
from evaluation.train_heads import Read, build, noise_head, read_tickets, sentence_heads, ticket_of
from triage.classification import DECIDED_FIELDS
from triage.classify.embedded import EmbeddedClassifier
from triage.classify.encoder import Encoder
from triage.classify.seeds import LANGUAGES, TicketSeed, fold_of
from triage.settings import DEFAULT_PRIORITIES, DEFAULT_TEAMS

HEADER = "| field | n | accuracy | macro-F1 | ECE | more |\n| --- | --- | --- | --- | --- | --- |\n"
AGREEMENT_HEADER = (
    "| field | groups | same label in all five | pairs of languages that agree |\n| --- | --- | --- | --- |\n"
)
Chances = Mapping[str, dict[str, float]]


def held_out(encoder: Encoder, data: Path) -> list[tuple[TicketSeed, Chances]]:
    """Return each example ticket with what heads say that were fitted without its fold.

    The heads over single sentences are fitted once, on sentences only but for a little of the noise head.
    """
    sentences = {"noise": noise_head(encoder)} | sentence_heads(encoder, data)
    reads = read_tickets(encoder, sentences["noise"])
    answers = []
    for fold in sorted({fold_of(each.seed.group) for each in reads}):
        seen = [each for each in reads if fold_of(each.seed.group) != fold]
        weights = build(encoder, sentences, seen)
        classifier = EmbeddedClassifier(DEFAULT_TEAMS, DEFAULT_PRIORITIES, encoder, weights)
        answers += [(each.seed, _chances(classifier, each)) for each in reads if fold_of(each.seed.group) == fold]
    return answers


def figures(answers: Sequence[tuple[TicketSeed, Chances]]) -> str:
    """Return the table of held-out figures."""
    lines = []
    for field in DECIDED_FIELDS:
        outcome = Outcome(
            [seed.labels[field] for seed, _ in answers],
            [chances[field] for _, chances in answers],
            [seed.group for seed, _ in answers],
            [""] * len(answers),
        )
        right = measures.with_interval(outcome, measures.accuracy(outcome.right()))
        macro = measures.macro_f1(outcome)(np.ones(len(answers)))
        cells = [field, str(len(answers)), right.text, f"{macro:.2f}", f"{measures.calibration_error(outcome):.2f}"]
        lines.append(f"| {' | '.join(cells)} | {measures.beyond_accuracy(field, outcome)} |\n")
    return HEADER + "".join(lines)


def agreement(answers: Sequence[tuple[TicketSeed, Chances]]) -> str:
    """Return the table of how often the translations of one ticket get the same label."""
    groups: dict[str, list[Chances]] = defaultdict(list)
    for seed, chances in answers:
        groups[seed.group].append(chances)
    translated = [found for found in groups.values() if len(found) == len(LANGUAGES)]
    lines = []
    for field in DECIDED_FIELDS:
        labels = [[max(each[field], key=lambda label: each[field][label]) for each in found] for found in translated]
        whole = np.mean([len(set(found)) == 1 for found in labels])
        pairs = np.mean([a == b for found in labels for a, b in combinations(found, 2)])
        lines.append(f"| {field} | {len(translated)} | {whole:.0%} | {pairs:.0%} |\n")
    return AGREEMENT_HEADER + "".join(lines)


def _chances(classifier: EmbeddedClassifier, read: Read) -> Chances:
    return classifier.classify(ticket_of(read.seed)).probabilities
