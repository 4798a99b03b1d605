"""`show`: what it prints of a ticket's runs, with and without a language model, and what it never prints."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from manage import main
from tests.desks import SETTINGS, VARIABLES
from tests.fakes import FakeConnector, answer
from tests.llm_server import LlmServer, answers, running
from tests.test_drafter import KEY, TestInTheRun, drafts
from tests.test_pipeline import Bench
from triage.errors import TandemError
from triage.settings import Settings
from triage.store import Store
from workers.pipeline import triage


@pytest.fixture
def server() -> Iterator[LlmServer]:
    with running() as script:
        yield script


@pytest.fixture
def bench(
    store: Store, settings: Settings, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Bench:
    """Return a bench whose database and settings the command reads."""
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "tandem.yaml").write_text(SETTINGS)
    monkeypatch.setenv("TANDEM_CONFIG", str(tmp_path / "tandem.yaml"))
    monkeypatch.setenv("DATABASE_URL", database_url)
    return Bench(store, settings, FakeConnector())


def show(*arguments: str) -> str:
    result = CliRunner().invoke(main, ["show", "--desk", "acme", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def asked(bench: Bench, server: LlmServer, *replies: Any) -> None:
    """Run a triage with the scripted model."""
    server.queue(*replies)
    triage(bench.claim(), TestInTheRun().tools(bench, server))


def test_prints_every_call_as_it_was_sent(bench: Bench, server: LlmServer) -> None:
    asked(bench, server, answers(), drafts())
    host = server.url.split("/")[2]
    text = show("7")
    assert max(map(len, text.splitlines())) <= 80
    for words in (
        "acme.zendesk.com", f"call 1: classify, sent to {host}", f"call 2: draft, sent to {host}", "| <<<TICKET",
        "billing 8", "1,800 tokens in", "note · confirmed", "ready to edit",
    ):  # fmt: skip
        assert words in text
    told = json.loads(show("7", "--json"))
    (run,) = told["runs"]
    assert [call["messages"] for call in run["calls"]] == [call["messages"] for call in server.calls]
    assert (told["helpdesk"], run["draft"]["state"], run["nothing_sent"]) == ("acme.zendesk.com", "ready", "")


def test_never_prints_a_customers_words_unmasked_nor_a_key(bench: Bench, server: LlmServer) -> None:
    asked(
        bench,
        server,
        answers(summary="[NAME_1] was charged.", evidence=["I was charged twice, please refund one."]),
        drafts(),
    )
    for text in (show("7"), show("7", "--json")):
        assert "[NAME_1]" in text
        for secret in ("Ada", "Example", KEY, *VARIABLES.values()):
            assert secret not in text


def test_says_plainly_that_nothing_left_the_house(bench: Bench) -> None:
    triage(bench.claim(), bench.tools())
    text = show("7")
    assert "Nothing was sent to a language model" in text
    assert "call 1" not in text
    assert json.loads(show("7", "--json"))["runs"][0]["calls"] == []


def test_says_so_where_nothing_was_written(bench: Bench) -> None:
    bench.connector.fail("read", TandemError("away"))
    with pytest.raises(TandemError):
        triage(bench.claim(), bench.tools())
    assert "Nothing was written to acme.zendesk.com." in show("7")


def test_says_so_where_it_is_past_its_retention(bench: Bench, server: LlmServer) -> None:
    asked(bench, server, answers(), drafts())
    later = bench.now + 1000
    assert bench.store.runs.drop_details(later)
    assert bench.store.exchanges.drop(later)
    text = show("7")
    assert "past its retention" in text
    assert "ready to edit" in text


def test_shows_what_a_failing_model_did_and_why(bench: Bench) -> None:
    bench.classifier.answers[0] = answer(fallback_reason="daily cap of 2.00 USD is reached")
    triage(bench.claim(), bench.tools())
    assert "the model did not answer: daily cap of 2.00 USD is reached" in show("7")


def test_a_terminal_is_safe_from_what_a_model_writes(bench: Bench, server: LlmServer) -> None:
    asked(bench, server, answers(summary="\x1b[31mred\x1b[0m \u202egnp.exe"), drafts())
    assert not {"\x1b", "\u202e"} & set(show("7"))


def test_an_unknown_ticket_is_an_error_that_says_what_to_do(bench: Bench) -> None:
    assert bench.shown
    result = CliRunner().invoke(main, ["show", "--desk", "acme", "99"])
    assert isinstance(result.exception, TandemError)
    assert "python manage.py triage" in str(result.exception)
