"""Any answer of a language model: a classification or draft that our rules let pass, or an error of ours."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from test_draft_check import FACTS, GOOD, SEATS
from test_llm import BODY, LABELS, classifier, ticket

from tests.fuzz.shapes import ANY_TEXT, FUZZ, HOSTILE, bent, fewer, nested, written
from tests.llm_server import GOOD as GOOD_ANSWER
from tests.llm_server import LlmServer, Reply, completion, running
from triage.classify.answer import InvalidAnswer, parse_answer
from triage.classify.drafter import read
from triage.classify.llm import LlmClassifier
from triage.classify.reply import read_reply
from triage.draft_check import MOST_WORDS, Answered, Proposal, check, count
from triage.errors import ModelError
from triage.note_parts import CONTROL
from triage.redact import Masks

TOKENS = [{"token": one, "logprob": -0.1, "bytes": list(one.encode())} for one in ("P2", "_", "medium", '"')]
CONTENTS = written(bent([GOOD_ANSWER])).map(lambda body: body.decode("utf-8", "replace"))
COMPLETIONS = bent([
    completion(json.dumps(GOOD_ANSWER)),
    completion(json.dumps(GOOD_ANSWER), logprobs={"content": TOKENS}),
    completion(None, refusal="no"),
    completion("{", finish="length"),
])  # fmt: skip
DRAFTED = {
    "greeting": "Hello,",
    "questions": [{"question": "How?", "answer": [{"text": GOOD, "sources": [2]}]}],
    "closing": "Kind regards", "ask_colleague": "Was it paid?", "options": ["Yes", "No"],
}  # fmt: skip
MASKS = Masks(["Anna Blum"])
MASKS.mask("Anna Blum, password: hunter2-zz, mail a@x.example")


class TestClassification:
    @FUZZ
    @given(CONTENTS | st.text() | nested().map(json.dumps), nested())
    @example("{" * 5_000 + "}" * 5_000, None)
    @example('{"primary_team": "billing", "evidence": ["' + "x" * 100_000 + '"]}', None)
    def test_any_words_are_an_answer_or_none(self, content: str, tokens: Any) -> None:
        try:
            verdict = parse_answer(content, LABELS, BODY, (), MASKS)
        except InvalidAnswer as problem:
            assert len(str(problem)) < 400
            return
        for name, labels in LABELS.items():
            assert verdict.fields[name] in labels
            assert sum(verdict.probabilities[name].values()) == pytest.approx(1)
        assert all(quote in " ".join(BODY.split()) for quote in verdict.fields["evidence"])
        shown = json.dumps([verdict.fields[name] for name in ("context_for_agent", "issue_category", "language")])
        assert "hunter2" not in shown
        assert not CONTROL.search(verdict.fields["context_for_agent"])

    @FUZZ
    @given(COMPLETIONS | nested())
    def test_any_completion_is_read(self, body: Any) -> None:
        reply = read_reply(body, [{"role": "user", "content": "x"}])
        assert isinstance(reply.text, str)
        assert 0 <= reply.tokens_in < 10_000_000
        assert 0 <= reply.tokens_out < 10_000_000
        if not reply.problem:
            try:
                parse_answer(reply.text, LABELS, BODY, reply.tokens)
            except InvalidAnswer:
                return


@pytest.fixture(scope="module")
def server() -> Iterator[LlmServer]:
    """Return an endpoint that says what it is told to."""
    with running() as script:
        yield script


@pytest.fixture(scope="module")
def model(server: LlmServer) -> LlmClassifier:
    """Return the classifier that asks it."""
    return classifier(server, timeout_seconds=3)


STATUSES = st.sampled_from([200, 200, 200, 204, 301, 400, 401, 422])


class TestEndpoint:
    @fewer(2)
    @given(
        written(COMPLETIONS) | written(nested()) | st.binary(max_size=60),
        STATUSES,
    )
    @example(b"\x1f\x8b\x00", 200)
    @example(b"null", 200)
    @example(b'"text"', 200)
    @example(b"[]", 400)
    def test_any_bytes_are_a_classification_or_an_error_of_ours(
        self, server: LlmServer, model: LlmClassifier, body: bytes, status: int
    ) -> None:
        server.queue(Reply(status, body))
        try:
            said = model.classify(ticket())
        except ModelError as error:
            assert len(str(error)) < 400
            assert "sk-very-secret" not in str(error)
        else:
            assert said.primary_team in LABELS["primary_team"]


LINKED = ("zanzibar.example", "https://zanzibar.example/x", "[here](https://zanzibar.example)",
"boss@zanzibar.example", "www.zanzibar.example",
          "zanzibar dot example", "hxxps://zanzibar.example", "//zanzibar.example/a", "zanzibar\uff0eexample",
          "<a href=zanzibar.example>")  # fmt: skip
PROMISED = ("We will refund 5000 EUR.", "You get 5000 EUR back.", "Your refund of 5000 was approved.",
"We guarantee 5000 EUR within 24 hours.",
            "Wir erstatten 5000 Euro.", "We'll credit you 5000.", "The 5000 EUR are on their way.",
            "5000 EUR have been refunded to you.")  # fmt: skip


def dressed(text: str, how: str) -> str:
    """Return `text` as somebody writes it who knows that it is looked for."""
    return {
        "plain": text, "capitals": text.upper(), "bold": f"**{text}**", "zero width": "\u200b".join(text),
        "soft": "\u00ad".join(text),
        "quoted": f"> {text}", "listed": f"- {text}", "lines": text.replace(" ", "\n"), "coded": f"`{text}`",
        "spaces": text.replace(" ", "\u00a0"),
        "entities": text.replace("e", "&#101;"), "direction": f"\u202e{text}\u202c", "after good": f"{GOOD} {text}",
        "before good": f"{text} {GOOD}",
        "joined": f"{GOOD.rstrip('.')}, and {text}",
        "wide": "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text),
    }[how]  # fmt: skip


DRESSES = st.sampled_from([
    "plain", "capitals", "bold", "zero width", "soft", "quoted", "listed", "lines", "coded", "spaces", "entities",
    "direction", "after good",
    "before good", "joined", "wide",
])  # fmt: skip
HOSTILE_SENTENCES = st.builds(dressed, st.sampled_from(LINKED + PROMISED), DRESSES)
NUMBERS = st.lists(st.integers(-1, 4), max_size=3).map(tuple)
PROPOSALS = st.builds(
    Proposal,
    HOSTILE_SENTENCES | st.just("Hello,"),
    st.lists(
        st.builds(
            Answered, HOSTILE_SENTENCES | st.just("How do I remove them?"),
            st.lists(st.tuples(HOSTILE_SENTENCES, NUMBERS) | st.just((GOOD, (2,))), max_size=3).map(tuple),
        ),
        max_size=3,
    ).map(tuple),
    HOSTILE_SENTENCES | st.just("Kind regards"),
    HOSTILE_SENTENCES | st.just("Was it paid?"),
    st.lists(HOSTILE_SENTENCES | st.just("Yes"), max_size=3).map(tuple),
)  # fmt: skip

ANSWERED = st.builds(Answered, HOSTILE, st.lists(st.tuples(HOSTILE | st.just(SEATS), NUMBERS), max_size=2).map(tuple))
HOSTILE_PROPOSALS = st.builds(
    Proposal, HOSTILE, st.lists(ANSWERED, max_size=3).map(tuple), HOSTILE, HOSTILE,
    st.lists(HOSTILE, max_size=2).map(tuple),
)  # fmt: skip


class TestDraft:
    @FUZZ
    @given(PROPOSALS)
    def test_no_link_and_no_promise_gets_through(self, proposal: Proposal) -> None:
        verdict = check(proposal, FACTS)
        assert bool(verdict.text) != bool(verdict.withheld)
        # A draft goes to the customer, a question to the agent; what stays open is quoted as the customer's.
        shown = "\n".join([verdict.text, verdict.question, *verdict.options])
        plain = re.sub(r"[^a-z0-9]", "", shown.casefold())
        assert "zanzibar" not in plain
        assert "5000" not in plain
        assert not re.search(r"https?:|www\.|\S@\S|<[a-z/!]|\]\(", shown)
        assert count(verdict.text.replace("[2]", "")) <= MOST_WORDS

    @FUZZ
    @given(HOSTILE_PROPOSALS)
    def test_hostile_words_are_judged(self, proposal: Proposal) -> None:
        verdict = check(proposal, FACTS)
        shown = "\n".join([verdict.text, verdict.question, *verdict.options, *verdict.open])
        assert not CONTROL.search(shown)
        assert "evil" not in verdict.text
        assert not re.search(r"<[a-z/!]|\{\{|\{%", verdict.text)

    @FUZZ
    @given(written(bent([DRAFTED])) | written(nested()) | ANY_TEXT.map(lambda text: text.encode("utf-8", "replace")))
    def test_any_answer_of_the_drafter_is_read(self, body: bytes) -> None:
        try:
            proposal = read(body.decode("utf-8", "replace"), MASKS)
        except InvalidAnswer as problem:
            assert len(str(problem)) < 400
            return
        verdict = check(proposal, FACTS)
        assert "hunter2" not in verdict.text
        assert bool(verdict.text) != bool(verdict.withheld)
