"""What people made of a ticket, in our words: their group as a team, the helpdesk's priority as one of ours."""

from __future__ import annotations

from collections.abc import Mapping

from triage.decision import HELPDESK_WORDS
from triage.settings import Settings


def teams_by_group(settings: Settings) -> Mapping[str, str]:
    """Return group (its name in small letters) -> team; of several teams with one group, the last."""
    return {_key(team.group): name for name, team in settings.teams.items() if team.group}


def team_of(group: str, settings: Settings) -> str:
    """Return the team that has `group` in the settings, else the group's own name: a learned model knows it by that."""
    return teams_by_group(settings).get(_key(group), group.strip())


def one_of_its_group(team: str, settings: Settings) -> str:
    """Return the team that stands for all teams with the group of `team`: people cannot tell them apart."""
    known = settings.teams.get(team)
    return team_of(known.group, settings) if known and known.group else team


def priority_of(word: str | None, settings: Settings) -> str:
    """Return our priority for the helpdesk's `word` (urgent, high, normal, low), "" where there is none."""
    words = {HELPDESK_WORDS.get(one.helpdesk, one.helpdesk): str(name) for name, one in settings.priorities.items()}
    return words.get(word or "", "")


def _key(group: str) -> str:
    return group.strip().casefold()
