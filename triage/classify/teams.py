"""Which team: a head over descriptions and examples, and how much speaks for none of the teams."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import cycle

import numpy as np

from triage.classification import NO_TEAM
from triage.classify import kernel
from triage.classify.encoder import Encoder, Vectors
from triage.classify.heads import ALWAYS_TRAIN, TRANSFER, Examples, Head, Scores
from triage.classify.kernel import likeness
from triage.classify.reading import Reading
from triage.classify.seeds import LANGUAGES, Seed, fold_of, team_seeds, ticket_seeds
from triage.classify.weights import Weights
from triage.settings import DEFAULT_TEAMS, Team

USUAL_RATE = 0.1
NO_TEAM_RATE = 0.07
RATES = {
    "technical_bug": 0.14,
    "billing": 0.11,
    "account_management": 0.11,
    "api_integration": 0.085,
    "data_privacy": 0.085,
    "enterprise_support": 0.085,
}
"""How often a ticket is for one of the default teams, halfway to the shares of real desks: examples say it too."""
FAR = 0.24
"""Similarity to the nearest example below which a ticket is like nothing the teams do."""
FAR_WIDTH = 0.03
FAR_WEIGHT = 0.5
"""Examples never span all that a team does, so distance alone is weak evidence."""
FULLY_KNOWN = 20
"""Examples per team from which "like nothing they do" weighs in full: a bare description is far from every sentence."""
NONE_AT_LEAST = 0.2
OWN_WEIGHT = 15.0
"""What the admin's words count against shipped ones: they are this desk's own."""
ADDED_BONUS = 6.0
"""Log-odds for a team the admin added: its few examples stand against thousands of shipped ones."""
ADDED_FROM, ADDED_WIDTH = -0.12, 0.03
"""Similarity that its nearest example may be behind the nearest shipped one."""
OWN = "own"
TICKET = "ticket"
OFF_TOPIC = "off_topic"
"""Shipped examples of what no software team does; a desk with teams of its own may well do it."""
NOISE_WEIGHT = 0.6
"""Greetings and thanks without a matter belong to nobody."""
NEAR = 0.4
"""Similarity to an example from which a sentence is about a matter however polite it sounds."""
SECOND_TEAM_FROM = 0.2
CATEGORY_FROM = 0.35
NOT_OURS = "none of the teams: spam, advertising, automatic mail, thanks"


@dataclass(frozen=True)
class TeamVerdict:
    """The answer about the team."""

    probabilities: dict[str, float]
    team: str
    second: str | None
    category: str


@dataclass(frozen=True)
class Known:
    """Every example of the teams in force, with its vector and what it counts."""

    seeds: tuple[Seed, ...]
    vectors: Vectors
    weights: tuple[float, ...]
    teams: int

    @classmethod
    def of(cls, encoder: Encoder, teams: Mapping[str, Team], shipped: Weights) -> Known:
        """Gather shipped examples of the named teams, their descriptions, and the admin's own examples."""
        stays = _stays(teams)
        rows = [row for row, seed in enumerate(team_seeds()) if stays(seed.label, seed.category)]
        sentences = [team_seeds()[row] for row in rows]
        gists, tickets = _tickets(shipped, stays)
        own = _own_words(teams)
        vectors = [shipped.team_seeds[rows], gists, encoder.encode([seed.text for seed in own])]
        # A team that is not ours has no shipped examples to hold its own against.
        against_ours = [seed.category == OWN and seed.label in DEFAULT_TEAMS for seed in own]
        weights = [1.0] * (len(sentences) + len(tickets)) + [OWN_WEIGHT if each else 1.0 for each in against_ours]
        return cls((*sentences, *tickets, *own), np.vstack(vectors), tuple(weights), len(teams))

    @property
    def completeness(self) -> float:
        """Return how well the teams are known, from 0 (bare descriptions) to 1."""
        told = sum(
            min(weight, 1.0)
            for seed, weight in zip(self.seeds, self.weights, strict=True)
            if seed.group != ALWAYS_TRAIN and seed.label != NO_TEAM
        )
        return min(1.0, told / self.teams / FULLY_KNOWN)


def fit_teams(known: Known) -> Head:
    """Fit the head over all teams and "none of them", by likeness to what is known."""
    labels = [seed.label for seed in known.seeds]
    rates = {label: RATES.get(label, USUAL_RATE) for label in labels}
    rates[NO_TEAM] = NO_TEAM_RATE * max(known.completeness, NONE_AT_LEAST)
    groups = [seed.group for seed in known.seeds]
    return kernel.fit(Examples(known.vectors, labels, groups, known.weights), rates, TRANSFER)


class TeamHead:
    """Knows the teams of the settings; default teams bring the shipped examples along."""

    def __init__(self, encoder: Encoder, teams: Mapping[str, Team], shipped: Weights) -> None:
        self._known = Known.of(encoder, teams, shipped)
        self._of_a_team = np.asarray([seed.label != NO_TEAM for seed in self._known.seeds])
        # What looks strange or empty beside our teams may be the daily work of others.
        self._trust = self._known.completeness
        labels = np.asarray([seed.label for seed in self._known.seeds])
        self._ours = np.isin(labels, [*DEFAULT_TEAMS, NO_TEAM])
        added = teams.keys() - DEFAULT_TEAMS.keys()
        # Without any of our teams there are no shipped examples of work to stand against.
        self._added = {team: labels == team for team in sorted(added)} if teams.keys() & DEFAULT_TEAMS.keys() else {}
        as_shipped = dict(teams) == DEFAULT_TEAMS
        self._head = shipped.heads["team"] if as_shipped else fit_teams(self._known)

    def judge(self, reading: Reading) -> TeamVerdict:
        """Return probabilities, first and second team and the issue category."""
        scores = self._scores(reading.gist[None, :])[0] + self._nearer(reading.gist)
        probabilities = self._with_none(self._head.named(scores), reading)
        ranked = sorted(probabilities, key=lambda team: -probabilities[team])
        team = ranked[0]
        others = [name for name in ranked[1:] if name != NO_TEAM and probabilities[name] >= SECOND_TEAM_FROM]
        second = others[0] if others and team != NO_TEAM else None
        return TeamVerdict(probabilities, team, second, self._category(team, reading.focus))

    def support(self, team: str, vectors: Vectors) -> Scores:
        """Return how strongly each sentence speaks for `team` against the average of the others."""
        scores = self._scores(vectors)
        margin: Scores = scores[:, self._head.index(team)] - scores.mean(axis=1)
        return margin

    def _scores(self, vectors: Vectors) -> Scores:
        return self._head.scores(likeness(vectors, self._known.vectors))

    def _nearer(self, gist: Vectors) -> Scores:
        """Return log-odds for each added team whose examples are nearly as near as the nearest shipped one."""
        bonus = np.zeros(len(self._head.labels))
        alike = self._known.vectors @ gist if self._added else np.empty(0)
        for team, rows in self._added.items():
            lead = float(alike[rows].max() - alike[self._ours].max())
            bonus[self._head.index(team)] = ADDED_BONUS / (1.0 + np.exp((ADDED_FROM - lead) / ADDED_WIDTH))
        return bonus

    def _with_none(self, probabilities: dict[str, float], reading: Reading) -> dict[str, float]:
        nearest = float((self._known.vectors[self._of_a_team] @ reading.focus).max())
        far = FAR_WEIGHT / (1.0 + np.exp((nearest - FAR) / FAR_WIDTH))
        stranger = self._trust * max(float(far), NOISE_WEIGHT * (reading.only_noise and nearest < NEAR))
        mixed = {team: p * (1 - stranger) for team, p in probabilities.items()}
        mixed[NO_TEAM] += stranger
        return mixed

    def _category(self, team: str, focus: Vectors) -> str:
        similar = [
            (float(vector @ focus), seed.category)
            for vector, seed in zip(self._known.vectors, self._known.seeds, strict=True)
            if seed.label == team and seed.category not in ("", OWN, TICKET)
        ]
        best = max(similar, default=(0.0, ""))
        return best[1] if best[0] >= CATEGORY_FROM else ""


def _stays(teams: Mapping[str, Team]) -> Callable[[str, str], bool]:
    """Return whether an example of a label and category says something about `teams`."""
    only_ours = all(name in DEFAULT_TEAMS for name in teams)
    # What our teams do not do, a desk with teams of its own may well do.
    return lambda label, category: (
        label in teams or (label == NO_TEAM and (only_ours or category not in (OFF_TOPIC, TICKET)))
    )


def _tickets(shipped: Weights, stays: Callable[[str, str], bool]) -> tuple[Vectors, list[Seed]]:
    """Return the gist of each ticket that stays, and the tickets as examples."""
    tickets = {ticket.id: ticket for ticket in ticket_seeds()}
    learned = [tickets[name] for name in shipped.tickets]
    rows = [row for row, ticket in enumerate(learned) if stays(ticket.labels["primary_team"], TICKET)]
    seeds = [Seed("", learned[row].labels["primary_team"], fold_of(learned[row].group), TICKET) for row in rows]
    return shipped.ticket_gists[rows], seeds


def _own_words(teams: Mapping[str, Team]) -> list[Seed]:
    """Return the descriptions and the admin's own examples."""
    # Keeps every label in every fold, also for a desk whose only examples are in one language.
    seeds = [Seed(NOT_OURS, NO_TEAM, ALWAYS_TRAIN)]
    for name, team in teams.items():
        seeds.append(Seed(f"{name.replace('_', ' ')}: {team.description}", name, ALWAYS_TRAIN))
        seeds += [
            Seed(text, name, group, OWN)
            for text, group in zip(team.examples, cycle(LANGUAGES), strict=False)
            if text.strip()
        ]
    return seeds
