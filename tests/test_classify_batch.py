"""The batch contract of docs: rows in, rows out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from triage.classification import Classification
from triage.classify.batch import row_from, ticket_from_row
from triage.settings import Settings, Thresholds
from triage.ticket import Author

ANSWER = Classification(
    primary_team="billing", secondary_team="security", priority="P2_medium", sentiment="neutral", churn_risk="low",
    language="en", classifier="embedded",
    probabilities={
        "primary_team": {"billing": 1 / 3 + 1e-3, "security": 1 / 3, "none": 1 / 3 - 1e-3},
        "priority": {"P0_critical": 0.1, "P1_high": 0.2, "P2_medium": 0.5, "P3_low": 0.2},
        "sentiment": {"frustrated": 0.1, "neutral": 0.8, "positive": 0.1},
        "churn_risk": {"high": 0.1, "medium": 0.1, "low": 0.8},
    },
)  # fmt: skip


def test_full_row_becomes_a_ticket() -> None:
    row = {
        "id": 7, "subject": "Invoice", "body": "First", "tier": "enterprise", "mrr": 1200, "ticket_count_30d": 3,
        "conversation": [{"author": "agent", "body": "Second"}, {"author": "customer", "body": "Third"}],
        "primary_team": "labels of the learn command are ignored",
    }  # fmt: skip
    ticket = ticket_from_row(row)
    assert (ticket.id, ticket.subject, ticket.ticket_count_30d) == ("7", "Invoice", 3)
    assert (ticket.organization.tier, ticket.organization.mrr) == ("enterprise", 1200.0)
    assert [(message.author, message.body) for message in ticket.messages] == [
        (Author.CUSTOMER, "First"), (Author.AGENT, "Second"), (Author.CUSTOMER, "Third"),
    ]  # fmt: skip


def test_body_repeated_in_the_conversation_counts_once() -> None:
    row = {"id": "a", "body": "Hello ", "conversation": [{"author": "customer", "body": "Hello"}]}
    assert len(ticket_from_row(row).messages) == 1


@pytest.mark.parametrize(
    "row", [{"id": "a"}, {"id": "a", "subject": None, "body": None, "mrr": None, "conversation": None}]
)
def test_bare_row_is_fine(row: dict[str, Any]) -> None:
    ticket = ticket_from_row(row)
    assert (ticket.messages, ticket.organization.mrr) == ((), None)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"id": None}, "row without 'id'"),
        ({"id": ["x"]}, "row without 'id'"),
        ({"body": 3}, "row x: 'body' must be a string, not int"),
        ({"subject": []}, "'subject' must be a string, not list"),
        ({"tier": 1}, "'tier' must be a string"),
        ({"mrr": "much"}, "'mrr' must be a number, not str"),
        ({"mrr": True}, "'mrr' must be a number"),
        ({"ticket_count_30d": -1}, "'ticket_count_30d' must be a whole number"),
        ({"ticket_count_30d": 1.5}, "'ticket_count_30d' must be a whole number"),
        ({"conversation": {"a": 1}}, "'conversation' must be a list of objects"),
        ({"conversation": ["hi"]}, r"'conversation\[0\]' must be an object"),
        ({"conversation": [{"author": "boss"}]}, r"conversation\[0\]: 'author' must be customer or agent"),
        ({"conversation": [{"author": ["x"]}]}, r"conversation\[0\]: 'author' must be customer or agent"),
        ({"conversation": [{"author": "agent", "body": 1}]}, "'body' must be a string"),
    ],
)
def test_wrong_row_is_named(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ticket_from_row({"id": "x", "subject": "s", "body": "b"} | change)


def test_row_out_follows_the_contract() -> None:
    row = row_from(ANSWER, 7, Thresholds())
    assert list(row) == [
        "id", "primary_team", "secondary_team", "priority", "sentiment", "churn_risk", "language", "abstained",
        "probabilities", "classifier",
    ]  # fmt: skip
    assert row["id"] == 7
    assert row["abstained"] == ["primary_team"]
    for chances in json.loads(json.dumps(row))["probabilities"].values():
        assert sum(chances.values()) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(("sure", "abstained"), [(0.9, []), (0.45, ["primary_team"])])
def test_none_of_the_teams_is_an_answer_where_it_is_sure(sure: float, abstained: list[str]) -> None:
    spread = {"none": sure, "billing": 1 - sure}
    nobodys = ANSWER.model_copy(
        update={"primary_team": "none", "probabilities": ANSWER.probabilities | {"primary_team": spread}}
    )
    assert row_from(nobodys, 7, Thresholds())["abstained"] == abstained


def test_rows_abstain_below_the_target_precision() -> None:
    thresholds = Settings(target_precision=0.8).thresholds_of("")
    assert row_from(ANSWER, 7, thresholds)["abstained"] == ["primary_team", "priority"]
    fitted = ANSWER.model_copy(update={"thresholds": {"priority": 0.45, "sentiment": 0.85}})
    assert row_from(fitted, 7, thresholds)["abstained"] == ["primary_team", "sentiment"]


def test_what_is_no_number_is_not_sure() -> None:
    broken = ANSWER.model_copy(
        update={"probabilities": ANSWER.probabilities | {"priority": {"P0_critical": float("nan")}}}
    )
    broken = broken.model_copy(update={"priority": "P0_critical"})
    assert "priority" in row_from(broken, 7, Thresholds(priority=0.0))["abstained"]
