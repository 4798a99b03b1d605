"""Which group a team probably is: by the settings, by its name, by what the group has closed; else none."""

from __future__ import annotations

from collections import Counter

import pytest

from triage.settings import DEFAULT_TEAMS
from triage.team_groups import BY_NAME, BY_SETTINGS, BY_TICKETS, NONE, Match, propose


def proposed(groups: list[str], closed: dict[str, Counter[str]] | None = None) -> dict[str, Match]:
    return {one.team: one for one in propose(DEFAULT_TEAMS, groups, closed)}


def test_a_group_that_the_settings_name_is_taken_in_any_case() -> None:
    assert proposed(["FINANCE & billing"])["billing"] == Match("billing", "FINANCE & billing", BY_SETTINGS)


@pytest.mark.parametrize(
    ("team", "group"),
    [
        ("billing", "Billing Team"),
        ("billing", "Finance"),
        ("technical_bug", "Technical Team L2"),
        ("security", "IT-Security"),
        ("data_privacy", "Data Privacy Office"),
        ("onboarding", "Onboarding & Training"),
        ("api_integration", "API"),
    ],
)
def test_a_like_name_is_proposed(team: str, group: str) -> None:
    found = proposed([group, "Elephants"])[team]
    assert (found.group, found.why) == (group, BY_NAME)


@pytest.mark.parametrize("group", ["Support", "Tier 1", "Elephants", "Vertrieb", "日本語", ""])
def test_a_name_that_says_nothing_is_not_guessed(group: str) -> None:
    assert {one.group for one in proposed([group]).values()} == {""}


def test_a_group_is_proposed_once() -> None:
    found = proposed(["Billing", "Billing Enterprise"])
    groups = [one.group for one in found.values() if one.group]
    assert len(groups) == len(set(groups))
    assert found["billing"].group == "Billing"


def test_what_a_group_has_closed_counts_where_names_say_nothing() -> None:
    closed = {
        "Elephants": Counter(billing=8, security=1),
        "Tigers": Counter(security=3),  # too few
        "Lions": Counter(onboarding=4, billing=4, data_privacy=4),  # of everything
        "Bears": Counter(none=20),
    }
    found = proposed(list(closed), closed)
    assert found["billing"] == Match("billing", "Elephants", BY_TICKETS)
    assert {one.why for team, one in found.items() if team != "billing"} == {NONE}
