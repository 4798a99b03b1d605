"""Fit the heads that ship with Tandem: `python -m evaluation.train_heads DATA` writes triage/classify/weights.npz.

Fitted on our own sentences and tickets (triage/classify/seeds) and, for the mood of single sentences only, on
GoEmotions (Demszky et al. 2020, Apache-2.0). None of that data's text enters the repository.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path

import numpy as np

from evaluation.cache import CACHE, CachedEncoder
from evaluation.items import sample
from evaluation.sources import goemotions
from triage.classification import NO_TEAM, PRIORITIES
from triage.classify import kernel
from triage.classify import weights as weights_module
from triage.classify.encoder import Encoder, UseEncoder, Vectors
from triage.classify.features import beside
from triage.classify.fields import (
    AT_LEAST_RATES,
    CHURN_RATES,
    GIST_WEIGHT,
    NO,
    SENTIMENT_RATES,
    SIGNALS,
    YES,
    FieldHeads,
)
from triage.classify.heads import ALWAYS_TRAIN, TRANSFER, Examples, Head
from triage.classify.reading import MATTER, Reader, Reading
from triage.classify.seeds import (
    Seed,
    TicketSeed,
    field_seeds,
    fingerprint,
    fold_of,
    other_seeds,
    team_seeds,
    ticket_seeds,
)
from triage.classify.sentences import split_sentences
from triage.classify.teams import Known, fit_teams
from triage.classify.weights import Weights, as_saved
from triage.clean import clean_ticket
from triage.settings import DEFAULT_TEAMS
from triage.ticket import Author, Message, Ticket

MOODS = 12_000
"""Comments of GoEmotions that are learned from; more change nothing."""
MOOD_WEIGHT = 0.2
"""What a stranger's comment counts against a sentence written for Tandem."""
CALM_WEIGHT = 0.3
CATEGORY_WEIGHT = 0.4
"""A category's usual priority says less than a sentence written to show one."""
TICKET_SENTENCE_WEIGHT = 0.3
"""Sentences of example tickets are about the matter, mostly."""
SIGNAL_RATE = 0.3
OTHER = "other"
SENTENCE_WEIGHT = 0.3
"""What a ticket of one sentence counts against a whole one."""
MAY_LEAVE = ("cancel", "sla", "contract")
"""Issue categories that say nothing against leaving."""
BOILERPLATE_LIKE = 0.7


@dataclass(frozen=True)
class Read:
    """An example ticket and its reading."""

    seed: TicketSeed
    reading: Reading
    sentence: int | None = None
    """Its row among the team examples, where it is one of them."""


def ticket_of(seed: TicketSeed) -> Ticket:
    """Return the example as the pipeline would see it."""
    return Ticket("", seed.id, subject=seed.subject, messages=(Message("1", Author.CUSTOMER, seed.body),))


def read_tickets(encoder: Encoder, noise: Head) -> list[Read]:
    """Return all example tickets that hold words, read."""
    reader = Reader(encoder, noise)
    pairs = [(seed, reader.read(clean_ticket(ticket_of(seed)))) for seed in ticket_seeds()]
    return [Read(seed, reading) for seed, reading in pairs if reading is not None]


def read_sentences(encoder: Encoder, noise: Head) -> list[Read]:
    """Return the example sentences read as tickets of one sentence: short tickets are told from long ones by them."""
    told = [(number, seed, _labels_of(seed)) for number, seed in enumerate(team_seeds()) if seed.label != NO_TEAM]
    more = enumerate(other_seeds(), len(team_seeds()))
    told += [(number, seed, {field: seed.label}) for number, (field, seed) in more]
    reader = Reader(encoder, noise)
    reads = []
    for number, seed, labels in told:
        ticket = TicketSeed(f"s{number}", f"s{number}", seed.group, "", seed.text, labels)
        reading = reader.read(clean_ticket(ticket_of(ticket)))
        reads += [Read(ticket, reading, number)] if reading else []
    return reads


def _labels_of(seed: Seed) -> dict[str, str]:
    """Return what an example sentence of a team says about the other fields."""
    labels = {"sentiment": "neutral"}
    if seed.category not in MAY_LEAVE:
        labels["churn_risk"] = "low"
    if seed.priority:
        labels["priority"] = seed.priority
    return labels


def noise_head(encoder: Encoder) -> Head:
    """Fit the head that tells matter from greetings, venting and orders to the machine."""
    # That somebody wrote before says something, but not about the matter.
    noise = [*field_seeds("noise"), *(seed for seed in field_seeds("signals") if seed.label == "repeat_contact")]
    matter = [seed for seed in team_seeds() if seed.label != NO_TEAM] + list(field_seeds("priority"))
    known = [(seed.text, MATTER, seed.group, 1.0) for seed in matter]
    known += [(seed.text, seed.label, seed.group, 1.0) for seed in noise]
    known += [(text, MATTER, ALWAYS_TRAIN, TICKET_SENTENCE_WEIGHT) for text in _ticket_sentences(encoder)]
    return _fit(encoder, known)


def sentence_heads(encoder: Encoder, data: Path) -> dict[str, Head]:
    """Fit the heads over single sentences."""
    polite = [seed for seed in field_seeds("noise") if seed.label == "boilerplate"]
    stay = [(seed.text, "low", ALWAYS_TRAIN, CALM_WEIGHT) for seed in team_seeds() if seed.category not in MAY_LEAVE]
    usual = [(seed.text, seed.priority, seed.group, CATEGORY_WEIGHT) for seed in team_seeds() if seed.priority]
    heads = {
        "tone": _tone(encoder, data),
        "urgency": _fit(encoder, [*_plain("priority"), *usual]),
        # Neither polite phrases nor matters are a sign of leaving.
        "leaving": _fit(encoder, [*_plain("churn"), *((seed.text, "low", seed.group, 1.0) for seed in polite), *stay]),
    }
    return heads | {name: _signal(encoder, name) for name in SIGNALS}


def ticket_heads(sentences: Mapping[str, Head], reads: Sequence[Read], points: Vectors) -> dict[str, Head]:
    """Fit the heads over whole tickets; `points` holds the example sentences and then the tickets among `reads`."""
    fields = FieldHeads(sentences, points)
    tickets = count(len(team_seeds()) + len(other_seeds()))
    rows = [next(tickets) if each.sentence is None else each.sentence for each in reads]
    alike = partial(_by_likeness, reads, points, rows)
    heads = {
        "sentiment": _mood(reads, fields),
        "churn": alike(fields.leaving_extras, lambda seed: seed.labels.get("churn_risk"), CHURN_RATES, CHURN_SHARPNESS),
    }
    for name in PRIORITIES[:-1]:
        rates = {YES: AT_LEAST_RATES[name], NO: 1 - AT_LEAST_RATES[name]}
        heads[f"at_least_{name}"] = alike(
            fields.urgency_extras, partial(_reaches, priority=name), rates, PRIORITY_SHARPNESS
        )
    return heads


def build(encoder: Encoder, sentences: Mapping[str, Head], tickets: Sequence[Read]) -> Weights:
    """Return everything that ships, fitted on `tickets`, the team examples and the sentence heads."""
    reads = [*tickets, *read_sentences(encoder, sentences["noise"])]
    seeds = encoder.encode([seed.text for seed in team_seeds()])
    gists = np.stack([each.reading.gist for each in tickets])
    names = tuple(each.seed.id for each in tickets)
    others = encoder.encode([seed.text for _, seed in other_seeds()])
    made = Weights({}, as_saved(seeds), as_saved(others), as_saved(gists), names, fingerprint(), encoder.model_id)
    teams = {"team": fit_teams(Known.of(encoder, DEFAULT_TEAMS, made))}
    return replace(made, heads={**sentences, **ticket_heads(sentences, reads, made.points), **teams})


def _reaches(seed: TicketSeed, priority: str) -> str | None:
    if "priority" not in seed.labels:
        return None
    return YES if PRIORITIES.index(seed.labels["priority"]) <= PRIORITIES.index(priority) else NO


def _mood(reads: Sequence[Read], fields: FieldHeads) -> Head:
    """Fit moods by the sentences that show them; likeness to whole examples says no more, held out."""
    reads = [each for each in reads if "sentiment" in each.seed.labels]
    rows = [beside(GIST_WEIGHT * fields.mood(each.reading), fields.mood_extras(each.reading)) for each in reads]
    labels = [each.seed.labels["sentiment"] for each in reads]
    groups = [ALWAYS_TRAIN if each.sentence is not None else fold_of(each.seed.group) for each in reads]
    shares = [weight_of(each) for each in reads]
    examples = Examples(np.stack(rows).astype(np.float32), labels, groups, shares)
    return Head.fit(examples, SENTIMENT_RATES, TICKET_TRANSFER)


def _by_likeness(
    reads: Sequence[Read],
    points: Vectors,
    rows: Sequence[int],
    extras: Callable[[Reading], list[float]],
    label: Callable[[TicketSeed], str | None],
    rates: Mapping[str, float],
    sharpness: float,
) -> Head:
    """Return a head over the likeness to all `points`; those that say nothing about the field weigh nothing."""
    told = [(label(each.seed), row, each) for each, row in zip(reads, rows, strict=True)]
    known = [(name, row, each) for name, row, each in told if name is not None]
    places = [row for _, row, _ in known]
    examples = Examples(points[places], [name for name, _, _ in known], [], [weight_of(each) for _, _, each in known])
    more = np.asarray([extras(each.reading) for _, _, each in known])
    head = kernel.fit(examples, rates, extras=more, sharpness=sharpness)
    weights = np.zeros((len(points) + more.shape[1], len(head.labels)))
    weights[places] = head.weights[: len(places)]
    weights[len(points) :] = head.weights[len(places) :]
    return Head(head.labels, weights, head.bias)


def weight_of(read: Read) -> float:
    """Return what an example counts in training."""
    return SENTENCE_WEIGHT if read.sentence is not None else 1.0


PRIORITY_SHARPNESS, CHURN_SHARPNESS = 5.0, 6.0
"""Log-odds per unit of the regression (see kernel.SHARPNESS)."""
TICKET_TRANSFER = 1.2
"""Whole tickets are closer to what customers send than sentences are (see heads.TRANSFER)."""


def _tone(encoder: Encoder, data: Path) -> Head:
    calm = [seed.text for seed in team_seeds()] + [seed.text for seed in field_seeds("priority")]
    known = [*_plain("sentiment"), *((text, "neutral", ALWAYS_TRAIN, CALM_WEIGHT) for text in calm)]
    for item in sample(goemotions(data, held_out=False), MOODS):
        known.append((item.row["body"], item.labels["sentiment"], ALWAYS_TRAIN, MOOD_WEIGHT))
    return _fit(encoder, known)


def _signal(encoder: Encoder, name: str) -> Head:
    meant = [(seed.text, name, seed.group, 1.0) for seed in field_seeds("signals") if seed.label == name]
    rest = [*field_seeds("noise"), *field_seeds("sentiment"), *team_seeds(), *field_seeds("priority")]
    if name == "outage":  # critical situations are near enough to an outage to teach nothing against it
        rest = [seed for seed in rest if "P0_critical" not in (seed.label, seed.priority)]
    known = [*meant, *((seed.text, OTHER, seed.group, 1.0) for seed in rest)]
    return _fit(encoder, known, {name: SIGNAL_RATE, OTHER: 1 - SIGNAL_RATE})


def _plain(name: str) -> list[tuple[str, str, str, float]]:
    return [(seed.text, seed.label, seed.group, 1.0) for seed in field_seeds(name)]


def _fit(
    encoder: Encoder, known: Sequence[tuple[str, str, str, float]], rates: Mapping[str, float] | None = None
) -> Head:
    texts, labels, groups, shares = zip(*known, strict=True)
    return Head.fit(Examples(encoder.encode(texts), labels, groups, shares), rates, TRANSFER)


def _ticket_sentences(encoder: Encoder) -> list[str]:
    """Return the sentences of example tickets that are like no greeting and no venting."""
    texts = [text for seed in ticket_seeds() for part in (seed.subject, seed.body) for text in split_sentences(part)]
    noise = encoder.encode(
        [
            seed.text
            for seed in [*field_seeds("noise"), *field_seeds("sentiment")]
            if seed.label not in ("instruction", "neutral")
        ]
    )
    nearest = (encoder.encode(texts) @ noise.T).max(axis=1)
    return [text for text, near in zip(texts, nearest, strict=True) if near < BOILERPLATE_LIKE]


def train(data: Path, cache: Path) -> Weights:
    """Return the weights that ship, fitted on everything we may learn from."""
    encoder = CachedEncoder(UseEncoder(), cache)
    sentences = {"noise": noise_head(encoder)} | sentence_heads(encoder, data)
    return build(encoder, sentences, read_tickets(encoder, sentences["noise"]))


def main() -> None:
    """Write the weights file."""
    target = Path(weights_module.__file__).with_name(weights_module.FILE)
    train(Path(sys.argv[1]), CACHE).save(target)
    sys.stdout.write(f"{target}: {target.stat().st_size // 1024} KiB\n")


if __name__ == "__main__":
    main()
