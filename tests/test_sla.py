"""What is promised: targets by priority, tier, team and brand, and how a clock stands."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from triage.settings import Settings
from triage.settings_file import parse_settings
from triage.sla import Stage, priority_name, read_clock, stage_at, terms_for

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC).timestamp()
OVERRIDES = """
priorities: {P2: {next_response: 2h}}
sla:
  calendar: office
  calendars:
    office: {time_zone: Europe/Berlin, hours: {mon-fri: 09:00-17:00}}
  overrides:
    - {tier: Enterprise, team: billing, priorities: {P2: {first_response: 30m}}}
    - tier: [enterprise, gold]
      calendar: always
      priorities: {P2: {first_response: 1h, resolution: 8h}, P0: {first_response: 5m}}
    - {brand: 360001, priorities: {P2: {first_response: 2d}}}
"""


@pytest.fixture
def own() -> Settings:
    return parse_settings(OVERRIDES, {})


def test_the_defaults_are_around_the_clock() -> None:
    terms = terms_for(Settings(), "P0_critical")
    assert dict(terms.targets) == {"first_response": 15, "next_response": 15, "resolution": 240}
    assert terms.calendar.due(START, 15) == START + 900


@pytest.mark.parametrize(
    ("who", "first", "following", "resolution", "calendar"),
    [
        ({}, 240, 120, 72 * 60, "office"),
        ({"tier": "gold"}, 60, 120, 480, "always"),
        ({"tier": "ENTERPRISE"}, 60, 120, 480, "always"),
        ({"tier": "enterprise", "team": "billing"}, 30, 120, 480, "always"),
        ({"tier": "free", "team": "billing"}, 240, 120, 72 * 60, "office"),
        ({"brand": "360001", "tier": "gold"}, 60, 120, 480, "always"),
        ({"brand": "360001"}, 2880, 120, 72 * 60, "office"),
    ],
)
def test_the_first_override_that_names_a_value_decides_it(
    own: Settings, who: dict[str, str], first: int, following: int, resolution: int, calendar: str
) -> None:
    terms = terms_for(own, "P2_medium", **who)
    assert dict(terms.targets) == {"first_response": first, "next_response": following, "resolution": resolution}
    assert terms.calendar_name == calendar


def test_the_next_response_follows_the_first_where_nobody_names_it(own: Settings) -> None:
    assert terms_for(own, "P0_critical", tier="gold").targets["next_response"] == 5
    assert terms_for(own, "P1_high").targets["next_response"] == 60


def test_an_unknown_priority_has_the_default_targets(own: Settings) -> None:
    assert terms_for(own, "sev1") == terms_for(own, "P2_medium")


def test_only_the_clocks_that_are_kept() -> None:
    assert set(terms_for(parse_settings("sla: {clocks: [resolution]}", {}), "P0_critical").targets) == {"resolution"}


def test_a_clock_says_how_it_stands() -> None:
    terms = terms_for(Settings(), "P1_high")
    states = [read_clock(START, 60, terms, START + minutes * 60) for minutes in (0, 44, 45, 59, 60, 90)]
    assert [one.stage for one in states] == [Stage.OK, Stage.OK, *[Stage.AT_RISK] * 2, *[Stage.BREACHED] * 2]
    assert [one.left for one in states] == [60, 16, 15, 1, 0, -30]
    assert [round(one.share, 2) for one in states] == [0, 0.73, 0.75, 0.98, 1, 1.5]
    assert [one.next_check_at for one in states] == [START + 2700] * 2 + [START + 3600] * 2 + [None] * 2


def test_a_paused_clock_is_due_never_and_keeps_what_was_reached() -> None:
    terms = terms_for(Settings(), "P1_high")
    held = read_clock(START, 60, terms, START + 90 * 60, [(START + 50 * 60, float("inf"))])
    assert (held.age, held.left, held.due_at, held.stage, held.next_check_at) == (50, 10, None, Stage.AT_RISK, None)


def test_the_helpdesks_word_counts_before_the_judged_priority() -> None:
    plain = Settings()
    assert priority_name(plain, None, "P1_high") == "P1_high"
    assert priority_name(plain, "urgent", "P3_low") == "P0_critical"
    shared = parse_settings("priorities: {P1: {helpdesk: urgent}, P2: {helpdesk: medium}}", {})
    assert priority_name(shared, "urgent", "P1_high") == "P1_high"
    assert priority_name(shared, "urgent", "P3_low") == "P0_critical"
    assert priority_name(shared, "normal", "") == "P2_medium"
    assert priority_name(shared, "high", "P1_high") == "P1_high", "no priority has this word any more"


def test_stages_begin_at_their_moment() -> None:
    assert [stage_at(now, 10, 20) for now in (9.9, 10, 19.9, 20)] == ["ok", "at_risk", "at_risk", "breached"]
    assert stage_at(99, None, None) is Stage.OK
