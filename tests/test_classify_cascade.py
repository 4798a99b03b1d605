"""Who is asked, and who answers when the model cannot."""

from __future__ import annotations

import pytest

from triage.classification import Classification
from triage.classify import build_classifier
from triage.classify.base import PaidModelError
from triage.classify.cascade import Ask, Cascade
from triage.errors import ModelError, SettingsError
from triage.settings import Llm, Settings, Thresholds
from triage.ticket import Ticket

TICKET = Ticket("acme", "1")


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
        ("unsure", 0.4, "llm"),
        ("unsure", 0.9, "embedded"),
        ("never", 0.1, "embedded"),
    ],
)
def test_who_answers(ask: Ask, certainty: float, who: str) -> None:
    embedded, llm = Fake("embedded", certainty), Fake("llm")
    answer = Cascade(embedded, llm, ask, lambda _desk: Thresholds()).classify(TICKET)
    assert answer.classifier == who
    assert answer.fallback_reason == ""
    assert llm.asked == (who == "llm")
    assert embedded.asked == (ask != "always")


@pytest.mark.parametrize("ask", ["always", "unsure"])
def test_failing_model_is_replaced_and_said(ask: Ask) -> None:
    embedded, llm = Fake("embedded", 0.4), Fake("llm", error=ModelError("the model did not answer in time"))
    answer = Cascade(embedded, llm, ask, lambda _desk: Thresholds()).classify(TICKET)
    assert answer.classifier == "embedded"
    assert answer.fallback_reason == "the model did not answer in time"
    assert embedded.asked == 1


def test_useless_model_answer_is_still_accounted_for() -> None:
    llm = Fake("llm", error=PaidModelError("cut off", 900, 100, 0.02))
    answer = Cascade(Fake("embedded"), llm, "always", lambda _desk: Thresholds()).classify(TICKET)
    assert (answer.tokens_in, answer.tokens_out, answer.cost_usd) == (900, 100, 0.02)


def test_without_a_model_the_embedded_one_answers() -> None:
    assert (
        Cascade(Fake("embedded"), None, "always", lambda _desk: Thresholds()).classify(TICKET).classifier == "embedded"
    )


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
