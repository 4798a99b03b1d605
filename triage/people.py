"""What people made of a ticket, in our words: their group as a team, the helpdesk's priority as one of ours."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from triage.classification import CHURN_RISKS, NO_TEAM, PRIORITIES, SENTIMENTS
from triage.clean import clean_message
from triage.decision import HELPDESK_WORDS, tag_of
from triage.settings import Settings
from triage.ticket import Ticket


def teams_by_group(settings: Settings) -> Mapping[str, str]:
    """Return group (its name in small letters) -> team; of several teams with one group, the last."""
    return {_key(team.group): name for name, team in settings.teams.items() if team.group}


def team_of(group: str, settings: Settings) -> str:
    """Return the team that has `group` in the settings, else the group's own name: a learned model knows it by that."""
    return teams_by_group(settings).get(_key(group), group.strip())


def one_of_its_group(team: str, settings: Settings) -> str:
    """Return the team that stands for all teams with the group of `team`: people cannot tell them apart."""
    known = settings.teams.get(team)
    return team if known and not known.group else team_of(known.group if known else team, settings)


def priority_of(word: str | None, settings: Settings) -> str:
    """Return our priority for the helpdesk's `word` (urgent, high, normal, low), "" where there is none."""
    words = {HELPDESK_WORDS.get(one.helpdesk, one.helpdesk): str(name) for name, one in settings.priorities.items()}
    return words.get(word or "", "")


def team_beside(ours: str, group: str, settings: Settings) -> str:
    """Return the team that has `group`, as `team_of`; of several the one we chose, as people cannot tell them apart."""
    known = settings.teams.get(ours)
    return ours if _key(group) in (_key(known.group) if known else "", _key(ours)) else team_of(group, settings)


def priority_beside(ours: str, word: str, settings: Settings) -> str:
    """Return our priority for the helpdesk's `word`, else the word; of several the one we chose."""
    known = settings.priority_of(ours)
    said = HELPDESK_WORDS.get(word, word)
    same = ours == word or (known is not None and HELPDESK_WORDS.get(known.helpdesk, known.helpdesk) == said)
    return ours if same else priority_of(said, settings) or word


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


def first_words(ticket: Ticket) -> str:
    """Return the cleaned messages of a closed ticket as one text: what `learn` reads of it."""
    return "\n\n".join(clean_message(message.body, message.html) for message in ticket.messages)


def _key(group: str) -> str:
    return group.strip().casefold()
