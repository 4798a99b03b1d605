"""What the helpdesk shows, in our labels: groups as teams, its priority words as ours, our tags as labels again.

Pure, and kind to us only where two of our labels mean the same to the helpdesk: then the one we chose counts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from triage.classification import CHURN_RISKS, NO_TEAM, PRIORITIES, SENTIMENTS
from triage.decision import HELPDESK_WORDS, tag_of
from triage.settings import Settings


def team_of(group: str, settings: Settings, ours: str = "") -> str:
    """Return the team that has `group`, else the group's own name; `ours` breaks a tie."""
    named = _same(group)
    return _one_of([name for name, team in settings.teams.items() if _same(team.group) == named], group, ours)


def priority_of(word: str, settings: Settings, ours: str = "") -> str:
    """Return our priority for the helpdesk's `word` (urgent, high, normal, low), else the word; `ours` breaks a tie."""
    named = HELPDESK_WORDS.get(word, word)
    fitting = [
        str(name)
        for name, priority in settings.priorities.items()
        if HELPDESK_WORDS.get(priority.helpdesk, priority.helpdesk) == named
    ]
    return _one_of(fitting, word, ours)


def labels_in(tags: Collection[str], field: str, settings: Settings) -> set[str]:
    """Return the labels of `field` that `tags` name."""
    known: Mapping[str, Sequence[str]] = {
        "primary_team": tuple(settings.teams),
        "priority": PRIORITIES,
        "sentiment": SENTIMENTS,
        "churn_risk": CHURN_RISKS,
    }
    return {label for label in known[field] if tag_of(field, label, settings.tag_prefix) in tags}


def agrees(field: str, ours: str, theirs: str, settings: Settings) -> bool:
    """Say whether people ended with what we said; "none of our teams" is right for every group that is no team's."""
    if field == "primary_team" and ours == NO_TEAM:
        return theirs == NO_TEAM or theirs not in settings.teams
    return ours == theirs


def _one_of(fitting: Sequence[str], raw: str, ours: str) -> str:
    if ours in fitting or _same(ours) == _same(raw):
        return ours
    return fitting[0] if fitting else raw


def _same(name: str) -> str:
    return name.strip().casefold()
