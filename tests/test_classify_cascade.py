"""Who is asked, and who answers when the model cannot."""

from __future__ import annotations

import pytest

from triage.classification import Classification
from triage.classify import build_classifier
from triage.classify.base import Classifier, PaidModelError
from triage.classify.cascade import Ask, Cascade
from triage.classify.recalibrate import LOGPROBS, as_said, recalibrated
from triage.errors import ModelError, SettingsError
from triage.settings import Llm, Settings
from triage.ticket import Author, Message, Ticket

TICKET = Ticket("acme", "1")
SURE = {"primary_team": "billing", "sentiment": "neutral", "churn_risk": "low"}


class Fake:
    """Answers with a fixed certainty, or fails with a fixed error; counts how often it was asked."""

    def __init__(self, name: str, certainty: float = 0.9, error: ModelError | None = None) -> None:
        self.name = name
        self.certainty = certainty
        self.error = error
        self.asked = 0

    def classify(self, ticket: Ticket) -> Classification:
        self.asked += 1
        if self.error:
            raise self.error
        rest = 1 - self.certainty
        return Classification(
            primary_team="billing", priority="P2_medium", sentiment="neutral", churn_risk="low", classifier=self.name,
            probabilities={
                "primary_team": {"billing": 0.9, "none": 0.1},
                "priority": {"P2_medium": self.certainty, "P1_high": rest},
                "sentiment": {"neutral": 0.9, "positive": 0.1}, "churn_risk": {"low": 0.9, "high": 0.1},
            },
        )  # fmt: skip


@pytest.mark.parametrize(
    ("ask", "certainty", "who"),
    [
        ("always", 0.9, "llm"),
        ("unsure", 0.4, "llm+embedded"),
        ("unsure", 0.9, "embedded"),
        ("never", 0.1, "embedded"),
    ],
)
def test_who_answers(ask: Ask, certainty: float, who: str) -> None:
    embedded, llm = Fake("embedded", certainty), Fake("llm")
    answer = Cascade(embedded, llm, ask, Settings()).classify(TICKET)
    assert answer.classifier == who
    assert answer.fallback_reason == ""
    assert llm.asked == who.startswith("llm")
    assert embedded.asked == (ask != "always")


@pytest.mark.parametrize("ask", ["always", "unsure"])
def test_failing_model_is_replaced_and_said(ask: Ask) -> None:
    embedded, llm = Fake("embedded", 0.4), Fake("llm", error=ModelError("the model did not answer in time"))
    answer = Cascade(embedded, llm, ask, Settings()).classify(TICKET)
    assert answer.classifier == "embedded"
    assert answer.fallback_reason == "the model did not answer in time"
    assert embedded.asked == 1


class Says(Fake):
    """Answers with the labels and certainties named: `priority=("P0_critical", 0.9)`."""

    def __init__(self, name: str, **fields: tuple[str, float]) -> None:
        super().__init__(name)
        self.fields = fields

    def classify(self, ticket: Ticket) -> Classification:
        labels = {name: label for name, (label, _) in self.fields.items()}
        spread = {name: {label: p, "other": 1 - p} for name, (label, p) in self.fields.items()}
        said = super().classify(ticket)
        return said.model_copy(update={**labels, "probabilities": said.probabilities | spread})


def test_asked_where_unsure_the_model_answers_the_unsure_fields_alone() -> None:
    own = Says("embedded", primary_team=("security", 0.8), priority=("P1_high", 0.4), churn_risk=("high", 0.3))
    llm = Says("llm", primary_team=("data_privacy", 0.9), priority=("P3_low", 0.7), sentiment=("frustrated", 0.9))
    said = Cascade(own, llm, "unsure", Settings()).classify(TICKET)
    assert (said.primary_team, said.priority, said.sentiment) == ("security", "P3_low", "neutral")
    assert (said.churn_risk, said.probability("churn_risk")) == ("low", 0.9)
    assert (said.probability("primary_team"), said.probability("priority")) == (0.8, 0.7)
    assert said.classifier == "llm+embedded"
    assert "security" in said.escalation_reason


def test_always_asked_the_model_answers_every_field_nobody_taught() -> None:
    own, llm = Says("embedded", priority=("P1_high", 0.99)), Says("llm", priority=("P3_low", 0.3))
    said = Cascade(own, llm, "always", Settings()).classify(TICKET)
    assert (said.priority, said.classifier) == ("P3_low", "llm")


@pytest.mark.parametrize(("certainty", "team"), [(0.7, "billing"), (0.95, "none")])
def test_none_of_the_teams_goes_to_the_model_unless_it_is_plain(certainty: float, team: str) -> None:
    own, llm = Says("embedded", primary_team=("none", certainty)), Fake("llm")
    said = Cascade(own, llm, "unsure", Settings()).classify(TICKET)
    assert (said.primary_team, llm.asked) == (team, int(team == "billing"))


def test_automatic_mail_of_nobody_is_never_worth_a_model() -> None:
    mail = Message("1", Author.CUSTOMER, "I am out of the office until Monday.", automatic=True)
    own, llm = Says("embedded", primary_team=("none", 0.6), priority=("P3_low", 0.3)), Fake("llm")
    said = Cascade(own, llm, "unsure", Settings()).classify(Ticket("acme", "1", messages=(mail,)))
    assert (said.classifier, llm.asked) == ("embedded", 0)


def test_the_target_precision_is_what_a_field_needs_where_nothing_was_fitted() -> None:
    llm = Fake("llm", 0.97)
    own = Says("embedded", **{name: (label, 0.96) for name, label in SURE.items()} | {"priority": ("P1_high", 0.9)})
    assert Cascade(own, llm, "unsure", Settings()).classify(TICKET).classifier == "embedded"
    said = Cascade(own, llm, "unsure", Settings(target_precision=0.95)).classify(TICKET)
    assert (said.classifier, said.priority, said.probability("sentiment")) == ("llm+embedded", "P2_medium", 0.96)


class Taught:
    """Answers team and priority as a desk's own models would, over another classifier."""

    name = "embedded+learned"

    def __init__(self, own: Classifier, **certainty: float) -> None:
        self.own = own
        self.certainty = certainty

    def classify(self, ticket: Ticket) -> Classification:
        said = self.own.classify(ticket)
        team, priority = self.certainty["team"], self.certainty["priority"]
        learned = {
            "primary_team": {"security": team, "billing": 1 - team},
            "priority": {"P0_critical": priority, "P2_medium": 1 - priority},
        }
        update = {"primary_team": "security", "priority": "P0_critical", "thresholds": {"primary_team": 0.8}}
        return said.model_copy(
            update={**update, "probabilities": said.probabilities | learned, "classifier": self.name}
        )


def taught(ask: Ask, embedded: Fake, llm: Fake, **certainty: float) -> Cascade:
    below = Cascade(embedded, llm, ask, Settings())
    return below.over(lambda own: Taught(own, **certainty), ["primary_team", "priority"])


def test_the_learned_answer_is_judged_by_its_own_threshold() -> None:
    llm = Fake("llm")
    # The embedded one would be unsure of the priority; what the desk has taught is not.
    sure = taught("unsure", Fake("embedded", 0.4), llm, team=0.9, priority=0.9).classify(TICKET)
    assert (sure.classifier, llm.asked) == ("embedded+learned", 0)
    # 70 % is above the settings' 50 % and below the 80 % that keeps the target precision.
    asked = taught("unsure", Fake("embedded"), llm, team=0.7, priority=0.9).classify(TICKET)
    assert llm.asked == 1
    assert (asked.primary_team, asked.priority) == ("billing", "P0_critical")
    assert asked.thresholds == {}


def test_a_sure_learned_answer_stands_beside_the_model() -> None:
    said = taught("always", Fake("embedded"), Fake("llm"), team=0.9, priority=0.4).classify(TICKET)
    assert (said.primary_team, said.priority, said.classifier) == ("security", "P2_medium", "llm+learned")
    assert said.thresholds == {"primary_team": 0.8}
    assert "security" in said.escalation_reason
    assert said.issue_category == ""


def test_what_is_known_of_the_models_probabilities_stays_with_its_own_fields() -> None:
    class Tempered(Fake):
        def classify(self, ticket: Ticket) -> Classification:
            sources = {"primary_team": LOGPROBS, "priority": LOGPROBS}
            said = super().classify(ticket).model_copy(update={"probability_sources": sources})
            return recalibrated(said, {"primary_team": 1.5, "priority": 1.5})

    said = taught("always", Fake("embedded"), Tempered("llm"), team=0.9, priority=0.4).classify(TICKET)
    assert said.temperatures == {"priority": 1.5}
    assert said.probability_sources == {"priority": LOGPROBS}
    assert as_said(said)["primary_team"] == said.probabilities["primary_team"]


def test_the_model_cannot_name_a_team_that_the_desk_does_not_have() -> None:
    class Own(Taught):
        def classify(self, ticket: Ticket) -> Classification:
            said = super().classify(ticket)
            probabilities = said.probabilities | {"primary_team": {"Tier 2": 0.6, "Tier 1": 0.4}}
            return said.model_copy(update={"primary_team": "Tier 2", "probabilities": probabilities})

    below = Cascade(Fake("embedded"), Fake("llm"), "unsure", Settings())
    said = below.over(lambda own: Own(own, team=0.6, priority=0.9), ["primary_team", "priority"]).classify(TICKET)
    assert said.primary_team == "Tier 2"
    assert said.probability("primary_team") < said.needed("primary_team", 0.5)


def test_what_was_learned_answers_when_the_model_fails() -> None:
    llm = Fake("llm", error=ModelError("no answer"))
    said = taught("unsure", Fake("embedded"), llm, team=0.7, priority=0.9).classify(TICKET)
    assert (said.primary_team, said.classifier, said.fallback_reason) == ("security", "embedded+learned", "no answer")


def test_useless_model_answer_is_still_accounted_for() -> None:
    llm = Fake("llm", error=PaidModelError("cut off", 900, 100, 0.02))
    answer = Cascade(Fake("embedded"), llm, "always", Settings()).classify(TICKET)
    assert (answer.tokens_in, answer.tokens_out, answer.cost_usd) == (900, 100, 0.02)


def test_without_a_model_the_embedded_one_answers() -> None:
    assert Cascade(Fake("embedded"), None, "always", Settings()).classify(TICKET).classifier == "embedded"


@pytest.mark.parametrize(
    ("which", "key", "name"),
    [
        ("auto", "", "embedded"),
        ("auto", "sk-1", "cascade"),
        ("embedded", "sk-1", "embedded"),
        ("llm", "sk-1", "cascade"),
    ],
)
def test_builder(which: str, key: str, name: str) -> None:
    built = build_classifier(
        Settings(llm=Llm(ask="unsure")), openai_base_url="", openai_api_key=key, openai_model="m",
        spent_today=lambda: 0.0, which=which,  # type: ignore[arg-type]
    )  # fmt: skip
    assert built.name == name


@pytest.mark.parametrize("which", ["llm", "cascade"])
def test_builder_names_the_missing_setting(which: str) -> None:
    with pytest.raises(SettingsError, match="OPENAI_API_KEY"):
        build_classifier(
            Settings(), openai_base_url="", openai_api_key="", openai_model="m",
            spent_today=lambda: 0.0, which=which,  # type: ignore[arg-type]
        )  # fmt: skip
