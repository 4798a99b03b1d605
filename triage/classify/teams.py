"""Which team: a head over descriptions and examples, and how much speaks for none of the teams."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import cycle

import numpy as np

from triage.classification import NO_TEAM
from triage.classify.encoder import Encoder, Vectors
from triage.classify.heads import ALWAYS_TRAIN, Examples, Head, Scores
from triage.classify.reading import Reading
from triage.classify.seeds import LANGUAGES, Seed, team_seeds
from triage.settings import DEFAULT_TEAMS, Team

USUAL_RATE = 0.1
RATES = {
    "technical_bug": 0.25,
    "billing": 0.15,
    "account_management": 0.15,
    "data_privacy": 0.05,
    "enterprise_support": 0.05,
}
"""How often a ticket is for one of the default teams, where that is far from USUAL_RATE."""
FAR = 0.24
"""Similarity to the nearest example below which a ticket is like nothing the teams do."""
FAR_WIDTH = 0.03
FAR_WEIGHT = 0.5
"""Examples never span all that a team does, so distance alone is weak evidence."""
FULLY_KNOWN = 20
"""Examples per team from which "like nothing they do" weighs in full: a bare description is far from every sentence."""
NONE_AT_LEAST = 0.2
OWN_WEIGHT = 4.0
"""What the admin's examples count against shipped ones: they are this desk's own tickets."""
OWN = "own"
OFF_TOPIC = "off_topic"
"""Shipped examples of what no software team does; a desk with teams of its own may well do it."""
NOISE_WEIGHT = 0.6
"""Greetings and thanks without a matter belong to nobody."""
SECOND_TEAM_FROM = 0.2
CATEGORY_FROM = 0.35


@dataclass(frozen=True)
class TeamVerdict:
    """The answer about the team."""

    probabilities: dict[str, float]
    team: str
    second: str | None
    category: str


class TeamHead:
    """Knows the teams of the settings; default teams bring the shipped examples along."""

    def __init__(self, encoder: Encoder, teams: Mapping[str, Team]) -> None:
        self._seeds = _seeds_of(teams)
        self._vectors = encoder.encode([seed.text for seed in self._seeds])
        self._of_a_team = np.asarray([seed.label != NO_TEAM for seed in self._seeds])
        labels, groups = [seed.label for seed in self._seeds], [seed.group for seed in self._seeds]
        per_team = sum(seed.group != ALWAYS_TRAIN for seed in self._seeds if seed.label != NO_TEAM) / len(teams)
        known = min(1.0, per_team / FULLY_KNOWN)
        self._far_weight = FAR_WEIGHT * known
        rates = {label: RATES.get(label, USUAL_RATE) for label in labels}
        rates[NO_TEAM] = USUAL_RATE * max(known, NONE_AT_LEAST)
        weights = [OWN_WEIGHT if seed.category == OWN else 1.0 for seed in self._seeds]
        self._head = Head.fit(Examples(self._vectors, labels, groups, weights), rates)

    def judge(self, reading: Reading) -> TeamVerdict:
        """Return probabilities, first and second team and the issue category."""
        probabilities = self._with_none(self._head.named(self._head.scores(reading.focus[None, :])[0]), reading)
        ranked = sorted(probabilities, key=lambda team: -probabilities[team])
        team = ranked[0]
        others = [name for name in ranked[1:] if name != NO_TEAM and probabilities[name] >= SECOND_TEAM_FROM]
        second = others[0] if others and team != NO_TEAM else None
        return TeamVerdict(probabilities, team, second, self._category(team, reading.focus))

    def support(self, team: str, vectors: Vectors) -> Scores:
        """Return how strongly each sentence speaks for `team` against the average of the others."""
        scores = self._head.scores(vectors)
        margin: Scores = scores[:, self._head.index(team)] - scores.mean(axis=1)
        return margin

    def _with_none(self, probabilities: dict[str, float], reading: Reading) -> dict[str, float]:
        nearest = float((self._vectors[self._of_a_team] @ reading.focus).max())
        far = self._far_weight / (1.0 + np.exp((nearest - FAR) / FAR_WIDTH))
        stranger = max(float(far), NOISE_WEIGHT * reading.only_noise)
        mixed = {team: p * (1 - stranger) for team, p in probabilities.items()}
        mixed[NO_TEAM] += stranger
        return mixed

    def _category(self, team: str, focus: Vectors) -> str:
        similar = [
            (float(vector @ focus), seed.category)
            for vector, seed in zip(self._vectors, self._seeds, strict=True)
            if seed.label == team and seed.category not in ("", OWN)
        ]
        best = max(similar, default=(0.0, ""))
        return best[1] if best[0] >= CATEGORY_FROM else ""


def _seeds_of(teams: Mapping[str, Team]) -> list[Seed]:
    """Return shipped examples of the named teams, their descriptions, and the admin's own examples."""
    only_ours = all(name in DEFAULT_TEAMS for name in teams)
    seeds = [
        seed
        for seed in team_seeds()
        if seed.label in teams or (seed.label == NO_TEAM and (only_ours or seed.category != OFF_TOPIC))
    ]
    for name, team in teams.items():
        seeds.append(Seed(f"{name.replace('_', ' ')}: {team.description}", name, ALWAYS_TRAIN))
        seeds += [
            Seed(text, name, group, OWN)
            for text, group in zip(team.examples, cycle(LANGUAGES), strict=False)
            if text.strip()
        ]
    # Keeps every label in every fold, also for a desk whose only examples are in one language.
    seeds.append(Seed("none of the teams: spam, advertising, automatic mail, thanks", NO_TEAM, ALWAYS_TRAIN))
    return seeds
