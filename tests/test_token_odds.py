"""Probabilities read from tokens: several tokenisations of the same answer, honest endpoints and broken ones."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.llm_server import GOOD, fails, running, says, spoken
from tests.test_llm import classifier, ticket
from triage.classification import DECIDED_FIELDS
from triage.classify.recalibrate import as_said
from triage.classify.token_odds import Token, label_odds, tokens_of, value_spans

TEAMS = ["billing", "technical_bug", "team_sales", "api", "api_integration", "none"]
PRIORITIES = ["P0_critical", "P1_high", "P2_medium", "P3_low"]
LABELS = {"team": TEAMS, "priority": PRIORITIES}
Piece = str | tuple[str, dict[str, float]]


def odds(pieces: Sequence[Piece], labels: dict[str, list[str]] | None = None) -> dict[str, dict[str, float]]:
    body = json.loads(spoken(pieces).body)["choices"][0]
    return label_odds(body["message"]["content"], tokens_of(body), labels or LABELS)


@pytest.mark.parametrize(
    "pieces",
    [
        # The value is one token, its own; the quote stands before it.
        ['{"team": "', ("billing", {"billing": 0.8, "technical": 0.15, "none": 0.05}), '"}'],
        # The quote is part of the token, as most vocabularies have it.
        ['{"team":', (' "billing', {' "billing': 0.8, ' "technical': 0.15, ' "none': 0.05}), '"}'],
        # The value and what follows it are one token.
        ['{"team": ', ('"billing"}', {'"billing"}': 0.8, '"technical': 0.15, '"none': 0.05})],
        # Letter by letter: only the first one tells labels apart.
        ['{"team": "', ("b", {"b": 0.8, "t": 0.15, "n": 0.05}), *"illing", '"}'],
        # Alternatives of the same label add up; what is no label is left out.
        ['{"team": "', ("bill", {"bill": 0.3, "b": 0.1, "tech": 0.075, "n": 0.025, "xy": 0.4, "I": 0.1}), "ing", '"}'],
        # Labels in another case, after white space.
        ['{\n "team" :\t"', ("Billing", {"Billing": 0.8, "Technical": 0.15, "None": 0.05}), '",\n "x": 1}'],
    ],
)
def test_tokenisations_of_one_answer(pieces: list[Piece]) -> None:
    spread = odds(pieces)["team"]
    assert sum(spread.values()) == pytest.approx(1)
    assert spread["billing"] == pytest.approx(0.8, abs=0.02)
    assert spread["technical_bug"] + spread["team_sales"] == pytest.approx(0.15, abs=0.04)
    assert spread["none"] == pytest.approx(0.05, abs=0.01)


def test_shared_beginnings_are_followed_until_they_part() -> None:
    pieces: list[Piece] = [
        '{"priority": "', ("P", {"P": 0.99, "p": 0.01}), ("1", {"1": 0.6, "0": 0.3, "2": 0.1}), "_high", '"}'
    ]  # fmt: skip
    spread = odds(pieces)["priority"]
    assert spread["P1_high"] == pytest.approx(0.6, abs=0.01)
    assert spread["P0_critical"] == pytest.approx(0.3, abs=0.01)
    assert spread["P3_low"] < 0.01
    both: list[Piece] = ['{"team": "', ("te", {"te": 0.5, "bill": 0.5}), ("chn", {"chn": 0.9, "am": 0.1}), 'ical_bug"}']
    spread = odds(both)["team"]
    assert (spread["billing"], spread["technical_bug"]) == (pytest.approx(0.5), pytest.approx(0.45))
    assert spread["team_sales"] == pytest.approx(0.05)


@pytest.mark.parametrize(("end", "label"), [('"}', "api"), ("_integration", "api_integration")])
def test_a_label_that_begins_another_one_ends_with_its_quote(end: str, label: str) -> None:
    chances = {'"}': 0.7, "_integration": 0.3} if label == "api" else {"_integration": 0.7, '"}': 0.3}
    spread = odds(['{"team": "', ("api", {"api": 1.0}), (end, chances), *([] if label == "api" else ['"}'])])["team"]
    assert spread[label] == pytest.approx(0.7, abs=0.01)


def test_probabilities_from_before_the_grammar_are_scaled_to_the_labels() -> None:
    # llama.cpp: the model would rather have said something else altogether.
    pieces: list[Piece] = ['{"team": "', ("b", {"\n": 0.9, "The": 0.05, "b": 0.03, "n": 0.01, "x": 0.01}), 'illing"}']
    spread = odds(pieces)["team"]
    assert spread["billing"] == pytest.approx(0.75, abs=0.02)
    # A label that was written without being among the likely ones is no certainty.
    unlikely: list[Piece] = ['{"team": "', ("b", {"b": 0.001, "\n": 0.5, "x": 0.2, "y": 0.1}), 'illing"}']
    assert odds(unlikely)["team"]["billing"] < 0.3


def test_only_the_outermost_value_of_the_field_counts() -> None:
    text = '{"note": "\\"team\\": \\"none\\" é", "inner": {"team": "api"}, "team": "none", "n": 3, "team": "billing"}'
    start, end = value_spans(text)["team"]
    assert text[start:end] == "billing"
    assert text[start - 1] == text[end] == '"'
    assert value_spans("[1, 2]") == value_spans('{"team": ') == value_spans("") == {}


def test_letters_split_over_tokens_and_thinking_before_the_answer() -> None:
    said = '{"note": "é", "team": "'
    raw = [b"<think>hm</think>", said.encode()[:11], said.encode()[11:]]
    tokens = [Token(part, {part: 1.0}) for part in raw]
    tokens += [Token(b"none", {b"none": 0.6, b"api": 0.4}), Token(b'"}', {b'"}': 1.0})]
    spread = label_odds(said + 'none"}', tokens, LABELS)["team"]
    assert spread["none"] == pytest.approx(0.6, abs=0.01)
    assert spread["api"] + spread["api_integration"] == pytest.approx(0.4, abs=0.01)


@pytest.mark.parametrize(
    "logprobs",
    [
        None, [], 3, {"content": None}, {"content": [3]}, {"content": [{}]}, {"content": [{"token": 1, "logprob": 0}]},
        {"content": [{"token": "x", "logprob": "0"}]}, {"content": [{"token": "other", "logprob": 0.0}]},
        {"content": [{"token": "{", "logprob": float("nan")}]}, {"content": [{"token": "{", "logprob": 10**400}]},
        {"content": [{"token": "{", "logprob": -(10**400)}]}, {"content": [{"token": "a", "logprob": 1}] * 20_001},
    ],
)  # fmt: skip
def test_broken_log_probabilities_leave_the_self_report(logprobs: Any) -> None:
    with running() as server:
        server.queue(says(json.dumps(GOOD), logprobs=logprobs))
        answer = classifier(server).classify(ticket())
    assert answer.probability_sources["priority"] == "self_report"
    assert as_said(answer)["priority"]["P2_medium"] == pytest.approx(0.7)


def pieces_of(changed: dict[str, dict[str, float]]) -> list[Piece]:
    """Return GOOD in tokens, the values of the fields in `changed` with these chances."""
    pieces: list[Piece] = ["{"]
    for key, value in GOOD.items():
        if key in changed:
            pieces += [f'"{key}":"', (str(value), changed[key]), '",']
        else:
            pieces.append(f'"{key}":{json.dumps(value)},')
    return [*pieces[:-1], str(pieces[-1]).rstrip(",") + "}"]


def test_classifier_asks_for_them_and_says_where_a_probability_came_from() -> None:
    with running() as server:
        server.queue(spoken(pieces_of({"primary_team": {"billing": 0.6, "security": 0.3, "none": 0.1}})))
        answer = classifier(server).classify(ticket())
        assert (server.calls[0]["logprobs"], server.calls[0]["top_logprobs"]) == (True, 5)
    assert answer.probability_sources["primary_team"] == "logprobs"
    assert as_said(answer)["primary_team"]["billing"] == pytest.approx(0.59, abs=0.01)
    assert answer.runner_up("primary_team")[0] == "security"  # type: ignore[index]
    for name in DECIDED_FIELDS:
        assert sum(answer.probabilities[name].values()) == pytest.approx(1, abs=1e-9)


def test_likelier_label_than_the_one_drawn_counts() -> None:
    with running() as server:
        server.queue(spoken(pieces_of({"sentiment": {"neutral": 0.2, "frustrated": 0.8}}), with_bytes=False))
        answer = classifier(server).classify(ticket())
    assert answer.sentiment == "frustrated"
    assert answer.probability("sentiment") == max(answer.probabilities["sentiment"].values())


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, "Unsupported parameter: 'logprobs' is not supported with this model."),
        (403, "You are not allowed to request logprobs from this model"),
        (422, "extra_forbidden: body.top_logprobs"),
        (500, "logprobs is not supported for models created with logits_all=False"),
    ],
)
def test_refusal_of_log_probabilities_is_remembered(status: int, message: str) -> None:
    with running() as server:
        model = classifier(server)
        server.queue(fails(status, message), says(json.dumps(GOOD)))
        assert model.classify(ticket()).primary_team == "billing"
        model.classify(ticket())
        assert [call.get("logprobs") for call in server.calls] == [True, None, None]
        assert server.calls[1]["response_format"]["type"] == "json_schema"


words = st.sampled_from(["P", "0", "1_high", "P2", '"', "_", "x", "", "p3 low", "billing", "\n"])


@given(st.lists(st.tuples(words, st.floats(-60, 0))), st.dictionaries(words, st.floats(-60, 2), max_size=6))
def test_any_tokens_give_a_spread_or_nothing(written: list[tuple[str, float]], others: dict[str, float]) -> None:
    said = '{"priority": "' + "".join(text for text, _ in written) + '"}'
    top = [{"token": text, "logprob": log} for text, log in others.items()]
    content = [{"token": '{"priority": "', "logprob": 0.0}]
    content += [{"token": text, "logprob": log, "top_logprobs": top} for text, log in written]  # type: ignore[list-item]
    tokens = tokens_of({"logprobs": {"content": [*content, {"token": '"}', "logprob": 0}]}})
    for spread in label_odds(said, tokens, LABELS).values():
        assert set(spread) == set(PRIORITIES)
        assert sum(spread.values()) == pytest.approx(1)
        assert all(0 <= chance <= 1 and not math.isnan(chance) for chance in spread.values())


def test_an_alternative_that_no_float_holds_is_left_out() -> None:
    top = [{"token": "b", "logprob": 10**400}, {"token": "c", "logprob": -1.0}]
    (token,) = tokens_of({"logprobs": {"content": [{"token": "a", "logprob": -0.5, "top_logprobs": top}]}})
    assert set(token.chances) == {b"a", b"c"}
