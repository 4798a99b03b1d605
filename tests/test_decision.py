"""The rules between an answer and the helpdesk: modes, thresholds, abstaining, escalation, and a person's word."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.desks import SETTINGS, VARIABLES
from tests.fakes import answer
from triage.classification import CHURN_RISKS, PRIORITIES, SENTIMENTS, Classification
from triage.classify.escalation import CRITICAL
from triage.decision import TEAM_ESCALATES, Decision, decide
from triage.settings import DEFAULT_TEAMS, Mode, Settings, Team, Thresholds
from triage.settings_file import parse_settings
from triage.ticket import Ticket

EVERY_TAG = {
    "ai_triaged", "ai_needs_triage", "ai_escalate",
    *(f"ai_team_{team}" for team in DEFAULT_TEAMS),
    "ai_priority_p0", "ai_priority_p1", "ai_priority_p2", "ai_priority_p3",
    "ai_sentiment_frustrated", "ai_sentiment_neutral", "ai_sentiment_positive",
    "ai_churn_high", "ai_churn_medium", "ai_churn_low",
}  # fmt: skip
TICKET = Ticket(desk="acme", id="7")
FIELDS = ("primary_team", "priority", "sentiment", "churn_risk")


def made(given_answer: Classification, ticket: Ticket = TICKET, **desk: Any) -> Decision:
    settings = parse_settings(SETTINGS, VARIABLES)
    settings.desks["acme"] = settings.desks["acme"].model_copy(update=desk)
    return decide(ticket, given_answer, settings, settings.desks["acme"])


def unsure_of(*names: str, **changes: Any) -> Classification:
    """Return an answer that is 40 % sure of `names` and 90 % of the rest."""
    sure = answer(**changes)
    low = answer(sure=0.4, **changes)
    return sure.model_copy(
        update={"probabilities": sure.probabilities | {name: low.probabilities[name] for name in names}}
    )


class TestModes:
    @pytest.mark.parametrize("mode", [Mode.OFF, Mode.WATCH])
    def test_off_and_watch_write_nothing(self, mode: Mode) -> None:
        decision = made(answer("security"), mode=mode)
        assert (decision.note, decision.tags, decision.priority, decision.group, decision.custom) == (
            False, [], None, None, {},
        )  # fmt: skip
        # What would have been said is there to be looked at.
        assert (decision.escalate, len(decision.steps) >= 5) == (True, True)

    def test_note_writes_the_note_alone(self) -> None:
        decision = made(answer(), mode=Mode.NOTE)
        assert (decision.note, decision.tags, decision.priority, decision.group) == (True, [], None, None)

    def test_tag_writes_the_tags_of_the_contract_too(self) -> None:
        decision = made(answer())
        assert decision.tags == [
            "ai_triaged", "ai_team_billing", "ai_priority_p1", "ai_sentiment_frustrated", "ai_churn_medium",
        ]  # fmt: skip
        assert (decision.priority, decision.group, decision.custom) == (None, None, {})

    def test_write_sets_priority_group_and_mapped_fields(self) -> None:
        decision = made(answer(), mode=Mode.WRITE, mapped_fields={"sentiment": 4711, "churn_risk": "cf_churn"})
        assert (decision.priority, decision.group) == ("high", "Finance & Billing")
        assert decision.custom == {"4711": "frustrated", "cf_churn": "medium"}
        assert len(decision.tags) == 5

    @pytest.mark.parametrize(
        ("priority", "word"),
        [("P0_critical", "urgent"), ("P1_high", "high"), ("P2_medium", "normal"), ("P3_low", "low")],
    )
    def test_write_knows_the_helpdesks_words(self, priority: str, word: str) -> None:
        assert made(answer(priority=priority), mode=Mode.WRITE).priority == word

    def test_medium_is_freshdesks_word_for_normal(self) -> None:
        settings = parse_settings(SETTINGS + "priorities: {P2: {helpdesk: medium}}", VARIABLES)
        desk = settings.desks["globex"].model_copy(update={"mode": Mode.WRITE})
        assert decide(TICKET, answer(priority="P2_medium"), settings, desk).priority == "normal"

    def test_a_team_without_a_group_assigns_none(self) -> None:
        settings = parse_settings(SETTINGS + "teams: {billing: {description: Money}}", VARIABLES)
        desk = settings.desks["acme"].model_copy(update={"mode": Mode.WRITE})
        assert decide(TICKET, answer(), settings, desk).group is None


class TestOverrides:
    def test_a_field_may_go_further_than_the_desk(self) -> None:
        decision = made(answer(), fields={"priority": Mode.WRITE})
        assert (decision.priority, decision.group) == ("high", None)
        decision = made(answer(), mode=Mode.NOTE, fields={"primary_team": Mode.TAG})
        assert decision.tags == ["ai_triaged", "ai_team_billing"]

    def test_a_field_may_stay_behind(self) -> None:
        decision = made(answer(), mode=Mode.WRITE, fields={"churn_risk": Mode.NOTE, "priority": Mode.TAG})
        assert "ai_churn_medium" not in decision.tags
        assert "ai_priority_p1" in decision.tags
        assert (decision.priority, decision.group) == (None, "Finance & Billing")

    @pytest.mark.parametrize(
        ("mode", "note", "tags"), [(Mode.WATCH, False, 0), (Mode.NOTE, True, 0), (Mode.TAG, True, 5)]
    )
    def test_a_team_may_narrow(self, mode: Mode, note: bool, tags: int) -> None:
        decision = made(answer(), mode=Mode.WRITE, teams={"billing": mode}, fields={"priority": Mode.WRITE})
        assert (decision.note, len(decision.tags), decision.priority, decision.group) == (note, tags, None, None)
        other = made(answer("onboarding"), mode=Mode.WRITE, teams={"billing": mode})
        assert other.group == "Onboarding"

    def test_a_team_never_widens(self) -> None:
        decision = made(answer(), mode=Mode.WATCH, teams={"billing": Mode.WRITE})
        assert (decision.note, decision.tags) == (False, [])
        decision = made(answer(), mode=Mode.NOTE, teams={"billing": Mode.WRITE})
        assert (decision.note, decision.tags, decision.priority) == (True, [], None)


class TestThresholds:
    def test_count_from_their_own_value_on(self) -> None:
        for needed, abstained in ((0.9, []), (0.91, ["sentiment"])):
            decision = made(answer(sure=0.9), thresholds=Thresholds(sentiment=needed))
            assert decision.abstained == abstained

    @pytest.mark.parametrize("name", FIELDS)
    def test_below_them_the_field_is_left_to_a_person(self, name: str) -> None:
        fields: dict[str, Any] = dict.fromkeys(FIELDS, "x")
        decision = made(unsure_of(name), mode=Mode.WRITE, mapped_fields=fields | {name: "4711"})
        assert decision.abstained == [name]
        assert "4711" not in decision.custom
        assert any(step.startswith(f"{name}: 40% is below 50%") for step in decision.steps)
        assert len(decision.tags) == (5 if name in {"primary_team", "priority"} else 4)

    @pytest.mark.parametrize(
        ("name", "needs"), [("primary_team", True), ("priority", True), ("sentiment", False), ("churn_risk", False)]
    )
    def test_unsure_of_team_or_priority_asks_for_a_person(self, name: str, needs: bool) -> None:
        decision = made(unsure_of(name))
        assert decision.needs_triage is needs
        assert ("ai_needs_triage" in decision.tags) is needs

    def test_unsure_of_all_tags_only_that(self) -> None:
        decision = made(unsure_of(*FIELDS), mode=Mode.WRITE)
        assert decision.tags == ["ai_triaged", "ai_needs_triage"]
        assert (decision.note, decision.priority, decision.group) == (True, None, None)

    def test_of_the_desk_stand_for_the_general_ones(self) -> None:
        settings = parse_settings(SETTINGS + "thresholds: {priority: 0.95}", VARIABLES)
        desk = settings.desks["acme"]
        assert decide(TICKET, answer(), settings, desk).abstained == ["priority"]
        settings = settings.model_copy(
            update={"desks": {"acme": desk.model_copy(update={"thresholds": Thresholds(priority=0.5)})}}
        )
        assert decide(TICKET, answer(), settings, settings.desks["acme"]).abstained == []

    @pytest.mark.parametrize(("target", "kept"), [(0.85, True), (0.95, False)])
    def test_no_field_needs_less_than_the_target_precision(self, target: float, kept: bool) -> None:
        decision = made(answer(sure=0.9), mode=Mode.WRITE, target_precision=target)
        assert decision.abstained == ([] if kept else list(FIELDS))
        assert decision.priority == ("high" if kept else None)
        assert any(("(needs 85%)" if kept else "is below 95%") in step for step in decision.steps)

    def test_a_fitted_threshold_knows_better_than_the_target(self) -> None:
        fitted = answer(sure=0.9, thresholds={"priority": 0.7})
        assert "priority" not in made(fitted, target_precision=0.95).abstained

    def test_a_threshold_above_the_target_stands(self) -> None:
        decision = made(answer(sure=0.9), target_precision=0.8, thresholds=Thresholds(sentiment=0.92))
        assert decision.abstained == ["sentiment"]

    def test_no_team_is_no_team_however_sure(self) -> None:
        decision = made(answer("none", sure=0.99), mode=Mode.WRITE)
        assert decision.abstained == ["primary_team"]
        assert (decision.group, "ai_needs_triage" in decision.tags) == (None, True)
        assert not any(tag.startswith("ai_team_") for tag in decision.tags)

    @pytest.mark.parametrize("team", ["vip", "billing\nvip", "Billing", "", "p0", "x" * 500])
    def test_an_invented_team_is_no_team_either(self, team: str) -> None:
        """A model's invention, or what a customer talked it into, becomes no tag and no group."""
        decision = made(answer(team, sure=0.99), mode=Mode.WRITE, mapped_fields={"primary_team": "4711"})
        assert decision.abstained == ["primary_team"]
        assert (decision.group, decision.custom) == (None, {})
        assert set(decision.tags) <= EVERY_TAG


SECURITY = TEAM_ESCALATES.format(team="security")


class TestEscalation:
    @pytest.mark.parametrize("sure", [0.99, 0.5, 0.2])
    def test_security_always_escalates_however_unsure(self, sure: float) -> None:
        decision = made(answer("security", sure=sure))
        assert (decision.escalate, decision.escalation_reason) == (True, "every security ticket is escalated")
        assert "ai_escalate" in decision.tags

    def test_the_reason_stands_there_once(self) -> None:
        said = answer("security", escalation_needed=True, escalation_reason=f"{SECURITY}; {CRITICAL}")
        assert made(said).escalation_reason == f"{SECURITY}; {CRITICAL}"

    def test_also_as_the_second_team(self) -> None:
        assert made(answer(secondary_team="security")).escalate

    def test_also_where_the_classifier_sees_no_need(self) -> None:
        assert made(answer("security", escalation_needed=False, priority="P3_low")).escalate

    def test_other_tickets_escalate_where_the_classifier_asks(self) -> None:
        decision = made(answer(escalation_needed=True, escalation_reason="threatens to sue"))
        assert (decision.escalate, decision.escalation_reason) == (True, "threatens to sue")
        assert made(answer(escalation_needed=True)).escalation_reason == "the classifier asks for it"
        assert not made(answer()).escalate
        assert "ai_escalate" not in made(answer()).tags

    def test_any_team_may_be_marked_so(self) -> None:
        settings = parse_settings(SETTINGS, VARIABLES)
        teams = {**settings.teams, "billing": Team(description="Money", escalate=True)}
        settings = settings.model_copy(update={"teams": teams})
        assert decide(TICKET, answer(), settings, settings.desks["acme"]).escalate


class TestAPersonsWord:
    @pytest.mark.parametrize("set_", ["urgent", "high", "normal", "low"])
    def test_on_the_priority_stands(self, set_: str) -> None:
        decision = made(answer(), Ticket(desk="acme", id="7", priority=set_), mode=Mode.WRITE)
        assert decision.priority is None
        assert f"priority: a person has set {set_}, left alone" in decision.steps
        assert "ai_priority_p1" in decision.tags

    def test_on_the_group_stands(self) -> None:
        decision = made(answer(), Ticket(desk="acme", id="7", group_id="5"), mode=Mode.WRITE)
        assert (decision.group, decision.priority) == (None, "high")
        assert "group: set already, left alone" in decision.steps

    @pytest.mark.parametrize("value", ["calm", 0, False, [], ["a"], {}])
    def test_on_a_mapped_field_stands(self, value: Any) -> None:
        ticket = Ticket(desk="acme", id="7", fields={"4711": value})
        assert made(answer(), ticket, mode=Mode.WRITE, mapped_fields={"sentiment": 4711}).custom == {}

    @pytest.mark.parametrize("fields", [{}, {"4711": None}, {"4711": ""}])
    def test_is_none_where_the_field_is_empty(self, fields: dict[str, Any]) -> None:
        ticket = Ticket(desk="acme", id="7", fields=fields)
        decision = made(answer(), ticket, mode=Mode.WRITE, mapped_fields={"sentiment": 4711})
        assert decision.custom == {"4711": "frustrated"}


class TestTags:
    @given(
        st.sampled_from([*DEFAULT_TEAMS, "none", "invented"]),
        st.sampled_from(PRIORITIES),
        st.sampled_from(SENTIMENTS),
        st.sampled_from(CHURN_RISKS),
        st.floats(0, 1),
        st.booleans(),
        st.sampled_from(list(Mode)),
        st.dictionaries(st.sampled_from(FIELDS), st.sampled_from(list(Mode))),
        st.dictionaries(st.sampled_from(list(DEFAULT_TEAMS)), st.sampled_from(list(Mode))),
    )
    def test_are_only_ever_those_of_the_contract(
        self, team: str, priority: str, mood: str, churn: str, sure: float, escalate: bool, mode: Mode, fields: Any,
        teams: Any,
    ) -> None:  # fmt: skip
        given_answer = answer(
            team, sure, priority=priority, sentiment=mood, churn_risk=churn, escalation_needed=escalate
        )
        decision = made(given_answer, mode=mode, fields=fields, teams=teams)
        assert set(decision.tags) <= EVERY_TAG
        assert len(decision.tags) == len(set(decision.tags))
        assert all(len(tag) <= 32 for tag in decision.tags)
        assert ("ai_triaged" in decision.tags) == bool(decision.tags)
        if mode is Mode.OFF or not (decision.note or fields):
            assert (decision.tags, decision.priority, decision.group, decision.custom) == ([], None, None, {})
        for name in ("priority", "primary_team"):
            if name in decision.abstained:
                assert {"priority": decision.priority, "primary_team": decision.group}[name] is None

    def test_fit_with_the_longest_prefix(self) -> None:
        settings = parse_settings(SETTINGS + "tag_prefix: x2345678", VARIABLES)
        for team in DEFAULT_TEAMS:
            for mood in SENTIMENTS:
                tags = decide(TICKET, answer(team, sentiment=mood), settings, settings.desks["acme"]).tags
                assert all(tag.startswith("x2345678") and len(tag) <= 32 for tag in tags)

    def test_of_nothing_may_be_prefixed(self, settings: Settings) -> None:
        bare = settings.model_copy(update={"tag_prefix": ""})
        assert decide(TICKET, answer(), bare, bare.desks["acme"]).tags[0] == "triaged"


def test_the_steps_explain_every_field() -> None:
    steps = made(unsure_of("churn_risk")).steps
    assert steps[:4] == [
        "primary_team: billing with 90% (needs 50%)",
        "priority: P1_high with 90% (needs 50%)",
        "sentiment: frustrated with 90% (needs 50%)",
        "churn_risk: 40% is below 50%, left to a person",
    ]
    assert "mode tag: a private note is written" in steps
