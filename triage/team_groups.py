"""Which group of the helpdesk a team probably is: by their names, and by the tickets a group has closed."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from triage.settings import Team

WORD = re.compile(r"[^\W_]+")
# Words that say nothing about which team it is.
# L2, IT, EU.
SHORT = 2
EMPTY = {"team", "support", "group", "and", "the", "of", "level", "tier", "dept", "department", "desk", "help"}
# Half of what a group's name says is about the team.
SURE_NAME = 0.5
# Of the tickets a group has closed, the share that must look like the team's, and how many there must be.
SURE_SHARE, LEAST_TICKETS = 0.5, 5
BY_SETTINGS, BY_NAME, BY_TICKETS, NONE = "as it is set", "by its name", "by closed tickets", "none fits"


@dataclass(frozen=True)
class Match:
    """The group proposed for a team, empty where none fits, and why."""

    team: str
    group: str
    why: str


def propose(
    teams: Mapping[str, Team], groups: Sequence[str], closed: Mapping[str, Counter[str]] | None = None
) -> list[Match]:
    """Return one proposal for each team; `closed` says for a group how many of its tickets look like which team's.

    A group is proposed once, for the team it fits best; what the settings name already goes first.
    """
    found: dict[str, Match] = {}
    known = {group.casefold(): group for group in groups}
    for name, team in teams.items():
        if group := known.get(team.group.strip().casefold(), ""):
            found[name] = Match(name, group, BY_SETTINGS)
    taken = {match.group for match in found.values()}
    scores = [
        (likeness(name, team, group), name, group)
        for name, team in teams.items()
        for group in groups
        if name not in found
    ]
    for score, name, group in sorted(scores, key=lambda one: -one[0]):
        if score >= SURE_NAME and name not in found and group not in taken:
            found[name] = Match(name, group, BY_NAME)
            taken.add(group)
    for group, counts in (closed or {}).items():
        (name, count), total = counts.most_common(1)[0], counts.total()
        sure = count >= LEAST_TICKETS and count / total >= SURE_SHARE
        if sure and name in teams and name not in found and group not in taken:
            found[name] = Match(name, group, BY_TICKETS)
            taken.add(group)
    return [found.get(name, Match(name, "", NONE)) for name in teams]


def likeness(name: str, team: Team, group: str) -> float:
    """Return how much a group's name is like the team's, 0 to 1: shared words count, then spelling."""
    ours, theirs = _words(f"{name} {team.group}"), _words(group)
    if not ours or not theirs:
        return 0.0
    best = [max(difflib.SequenceMatcher(None, word, other).ratio() for other in ours) for word in theirs]
    close = [one for one in best if one >= 0.75]
    return sum(close) / len(best)


def _words(text: str) -> list[str]:
    found = WORD.findall(text.casefold().replace("_", " "))
    return [word for word in found if word not in EMPTY and (len(word) > SHORT or not word.isascii())]
