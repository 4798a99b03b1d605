"""`classify --batch` against a scripted batch API: what goes up, what comes back, and every way it can be cut short."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from commands.classify import command as classify
from tests.fakes import own_sleep
from tests.llm_jobs import Jobs
from tests.llm_server import GOOD, LlmServer, completion, fails, running, says
from triage import redact
from triage.classify import build_bulk, bulk
from triage.classify.base import PaidModelError
from triage.classify.bulk import BATCH_PRICE, MAX_ROWS, Bulk
from triage.classify.bulk_state import BulkError, NoBatchesError, Part, Prepared, State, code_of, result_of
from triage.classify.llm import LlmClassifier
from triage.errors import ModelError
from triage.redact_spans import Span
from triage.settings import DEFAULT_PRIORITIES, DEFAULT_TEAMS, Llm
from triage.ticket import Author, Message, Ticket

BODIES = ["We were charged twice.", "The export is broken.", "How do I add a user?", "Cancel my account."]
TEAMS = {"charged": "billing", "export": "technical_bug", "add a user": "onboarding", "Cancel": "account_management"}
YAML = "llm: {usd_per_million_input: 1, usd_per_million_output: 10}\n"


def by_text(request: dict[str, Any]) -> tuple[int, Any]:
    """Answer a request of a batch by a word of its ticket."""
    told = request["body"]["messages"][1]["content"]
    team = next(team for word, team in TEAMS.items() if word in told)
    return 200, completion(json.dumps(GOOD | {"primary_team": team, "evidence": []}))


@pytest.fixture
def server() -> Iterator[LlmServer]:
    with running() as script:
        script.jobs = Jobs(by_text)
        yield script


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: LlmServer) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/tandem.db")
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    own_sleep(monkeypatch, bulk, lambda _seconds: None)
    desk = "desks: {acme: {platform: freshdesk, url: 'https://a.freshdesk.com', auth: {api_key: k}, "
    Path("tandem.yaml").write_text(desk + "webhook_secrets: [a-long-enough-secret]}}\n" + YAML)
    rows = [{"id": place, "subject": "Help", "body": body} for place, body in enumerate(BODIES)]
    Path("in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def run(*options: str) -> Result:
    arguments = ["--file", "in.jsonl", "--out", "out.jsonl", "--classifier", "llm", "--batch", *options]
    return CliRunner().invoke(classify, arguments)


def rows_out() -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]


def jobs_of(server: LlmServer) -> Jobs:
    assert server.jobs
    return server.jobs


def test_waits_and_maps_the_answers_back_by_their_ids(server: LlmServer) -> None:
    jobs_of(server).shuffle = True
    result = run("--wait")
    assert result.exit_code == 0, result.output
    assert [row["primary_team"] for row in rows_out()] == list(TEAMS.values())
    assert [row["id"] for row in rows_out()] == [0, 1, 2, 3]
    sent = jobs_of(server).lines("file-1")
    assert [line["custom_id"] for line in sent] == [f"ticket-{place}" for place in range(4)]
    assert {(line["method"], line["url"]) for line in sent} == {("POST", "/v1/chat/completions")}
    # The very request a live call makes: one prefix, the schema, the model.
    assert sent[1]["body"]["messages"][0] == server.calls[0]["messages"][0]
    assert sent[1]["body"]["response_format"] == server.calls[0]["response_format"]
    # Half of 4 x (900 x 1 + 100 x 10) millionths.
    assert "4 (100%) by the language model: 3600 tokens in, 400 out, 0.0038 USD" in result.output
    assert not Path("out.jsonl.batch.json").exists()
    assert set(jobs_of(server).deleted) == {"file-1", "file-batch_1-output_file_id"}


def test_what_the_endpoint_refuses_is_learnt_before_the_batch(server: LlmServer) -> None:
    server.queue(fails(400, "logprobs is not supported with this model"), says(json.dumps(GOOD)))
    assert run("--wait").exit_code == 0
    assert all("logprobs" not in line["body"] for line in jobs_of(server).lines("file-1"))


def test_goes_on_where_it_was_left(server: LlmServer) -> None:
    first = run()
    assert first.exit_code == 3
    assert "not ready yet" in first.output
    state = Path("out.jsonl.batch.json")
    assert state.stat().st_mode & 0o077 == 0
    assert "charged" not in state.read_text()
    assert not Path("out.jsonl").exists()
    assert run().exit_code == 3
    assert run().exit_code == 0
    assert len(jobs_of(server).batches) == 1
    assert len(server.calls) == 1
    assert rows_out()[3]["primary_team"] == "account_management"


def test_ctrl_c_loses_nothing(server: LlmServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        own_sleep(patched, bulk, interrupt)
        stopped = run("--wait")
    assert stopped.exit_code == 3
    assert "nothing is lost" in stopped.output
    assert run("--wait").exit_code == 0
    assert len(jobs_of(server).batches) == 1


def test_state_of_other_work_is_never_mixed_up(server: LlmServer) -> None:
    run()
    Path("in.jsonl").write_text('{"id": 1, "subject": "x", "body": "The export is broken, another one."}\n')
    said = run()
    assert isinstance(said.exception, BulkError)
    assert "batch_1" in str(said.exception)
    Path("out.jsonl.batch.json").write_text("{oops")
    assert "delete it" in str(run().exception)


def bad_rows(request: dict[str, Any]) -> tuple[int, Any]:
    place = int(request["custom_id"].split("-")[1])
    bad = [(429, {"error": {}}), (200, completion("no idea")), (200, {"choices": 3}), by_text(request)]
    return bad[place]


def test_failed_rows_are_answered_by_the_embedded_classifier(server: LlmServer) -> None:
    server.jobs = Jobs(bad_rows)
    result = run("--wait")
    assert result.exit_code == 0
    assert [row["classifier"] for row in rows_out()] == ["embedded", "embedded", "embedded", "llm"]
    assert "1 answered by the embedded classifier: the model endpoint answered HTTP 429" in result.output
    assert "cannot be used" in result.output
    # The useless answer is paid too.
    assert "1800 tokens in, 200 out" in result.output


@pytest.mark.parametrize("status", ["expired", "cancelled"])
def test_what_came_back_of_an_unfinished_batch_is_used(server: LlmServer, status: str) -> None:
    jobs_of(server).statuses = [status]
    result = run("--wait")
    assert result.exit_code == 0
    expected = 2 if status == "expired" else 4
    assert [row["classifier"] for row in rows_out()] == ["llm"] * expected + ["embedded"] * (4 - expected)


def test_batch_that_failed_as_a_whole_is_an_error(server: LlmServer) -> None:
    jobs_of(server).statuses = ["failed"]
    said = run("--wait")
    assert "batch_1 failed (invalid_model)" in str(said.exception)
    assert not Path("out.jsonl.batch.json").exists()


@pytest.mark.parametrize(("path", "status"), [("POST /v1/files", 404), ("POST /v1/batches", 501), ("batches", 400)])
def test_endpoint_without_batches_is_asked_live(server: LlmServer, path: str, status: int) -> None:
    jobs_of(server).refuse = {path: status}
    result = run("--wait")
    assert result.exit_code == 0
    assert f"no batch API (HTTP {status}); the tickets are asked one by one, at full price" in result.output
    assert len(server.calls) == 1 + len(BODIES)
    assert len(rows_out()) == len(BODIES)


def test_wrong_key_is_an_error_and_not_a_missing_api(server: LlmServer) -> None:
    jobs_of(server).refuse = {"files": 401}
    assert "HTTP 401" in str(run("--wait").exception)


def test_passing_troubles_while_waiting_are_sat_out(server: LlmServer) -> None:
    run()
    jobs_of(server).refuse = {"GET /v1/batches": 503}
    assert run().exit_code == 3
    jobs_of(server).refuse = {}
    assert run("--wait").exit_code == 0


@pytest.mark.parametrize(("options", "said"), [([], "--classifier llm"), (["--classifier", "cascade"], "--classifier")])
def test_batch_is_for_the_language_model(options: list[str], said: str) -> None:
    arguments = ["--file", "in.jsonl", "--out", "out.jsonl", "--batch", *options]
    assert said in str(CliRunner().invoke(classify, arguments).exception)


def llm_of(server: LlmServer, **settings: Any) -> LlmClassifier:
    return LlmClassifier(
        base_url=server.url, api_key="", model="m", settings=Llm(**settings), teams=DEFAULT_TEAMS,
        priorities=DEFAULT_PRIORITIES, spent_today=lambda: 0.0,
    )  # fmt: skip


def tickets(count: int) -> list[Ticket]:
    words = [BODIES[place % 4] for place in range(count)]
    return [Ticket("", str(place), messages=(Message("1", Author.CUSTOMER, body),)) for place, body in enumerate(words)]


def test_many_tickets_go_in_parts(server: LlmServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert MAX_ROWS <= 50_000
    monkeypatch.setattr("triage.classify.bulk.MAX_ROWS", 3)
    asked = tickets(8)
    bulk = build_bulk(llm_of(server), asked, tmp_path / "state.json", lambda _line: None)
    jobs_of(server).refuse = {"POST /v1/batches": 500}
    with pytest.raises(ModelError):
        bulk.start()
    jobs_of(server).refuse = {}
    bulk.start()
    assert [len(jobs_of(server).lines(batch["input_file_id"])) for batch in jobs_of(server).batches.values()] == [
        3,
        3,
        2,
    ]
    assert bulk.ready(wait=True)
    known = Prepared(asked, bulk.answers())
    assert [known.classify(ticket).primary_team for ticket in asked] == [
        list(TEAMS.values())[at % 4] for at in range(8)
    ]


def test_part_sent_before_an_interruption_is_not_sent_again(
    server: LlmServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("triage.classify.bulk.MAX_ROWS", 3)
    said: list[str] = []

    def stop(line: str) -> None:
        said.append(line)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Bulk(llm_of(server), tickets(5), tmp_path / "s.json", stop).start()
    Bulk(llm_of(server), tickets(5), tmp_path / "s.json").start()
    assert [len(jobs_of(server).lines(name)) for name in ("file-1", "file-2")] == [3, 2]
    state = State.read(tmp_path / "s.json")
    assert state
    assert [(part.first, part.count, part.batch) for part in state.parts] == [(0, 3, "batch_1"), (3, 2, "batch_2")]


def test_batch_above_the_daily_cap_is_not_sent(server: LlmServer, tmp_path: Path) -> None:
    dear = llm_of(server, usd_per_million_input=1000, usd_per_million_output=1000, daily_cap_usd=1)
    with pytest.raises(BulkError, match=r"above llm\.daily_cap_usd"):
        Bulk(dear, tickets(4), tmp_path / "s.json").start()
    assert server.paths == []
    assert BATCH_PRICE == 0.5


def test_no_batch_api_is_told_apart_from_a_bad_day(server: LlmServer, tmp_path: Path) -> None:
    server.jobs = None
    with pytest.raises(NoBatchesError, match="HTTP 404"):
        Bulk(llm_of(server), tickets(1), tmp_path / "s.json").start()
    assert not (tmp_path / "s.json").exists()
    assert not issubclass(NoBatchesError, PaidModelError)


@pytest.mark.parametrize(
    "line", ["", "{", "[]", "3", "{}", '{"custom_id": 3}', '{"custom_id": "a", "response": 3}', "[" * 50_000]
)
def test_lines_that_make_no_sense_are_left_out(line: str) -> None:
    assert result_of(line) is None


def test_lines_without_a_body_say_so() -> None:
    assert result_of('{"custom_id": "a", "response": null, "error": {"code": "x"}}') == (
        "a", "the model endpoint answered HTTP of no kind",
    )  # fmt: skip
    assert result_of('{"custom_id": "a", "response": {"status_code": 200, "body": {"x": 1}}}') == ("a", {"x": 1})


def test_reason_of_a_failed_batch_is_a_word_or_nothing() -> None:
    assert code_of({"errors": {"data": [{"code": "token_limit_exceeded", "message": "ticket text"}]}}) == (
        "token_limit_exceeded"
    )
    assert code_of({"errors": {"data": [{"code": "We were charged twice."}]}}) == "no reason given"
    assert code_of({}) == "no reason given"


PART = {"first": 0, "count": 2, "file": "f", "batch": "batch_1", "output": "", "errors": "", "status": "completed"}
PLAN = {"form": 0, "limit_key": "max_tokens", "temperature": True, "logprobs": True}


@pytest.mark.parametrize(
    "held",
    [
        "[" * 100_000, "[]", "{}", "3",
        {"fingerprint": 3}, {"plan": []}, {"plan": {}}, {"plan": PLAN | {"form": "0"}}, {"plan": PLAN | {"more": 1}},
        {"parts": [PART | {"first": -1}]}, {"parts": [PART | {"first": 1}]}, {"parts": [PART | {"count": 0}]},
        {"parts": [PART | {"count": True}]}, {"parts": [PART | {"first": "0"}]}, {"parts": [PART | {"output": None}]},
        {"parts": [PART, PART]}, {"parts": [PART, PART | {"first": 2}]}, {"parts": [PART | {"batch": ""}, PART]},
        {"parts": [PART | {"more": 1}]}, {"parts": {"0": PART}}, {"parts": [3]}, {"parts": None},
    ],
    ids=str,
)  # fmt: skip
def test_state_of_a_wrong_shape_is_refused_with_the_remedy(tmp_path: Path, held: Any) -> None:
    path = tmp_path / "state.json"
    whole = {"fingerprint": "x", "plan": PLAN, "parts": [PART]}
    path.write_text(json.dumps(whole))
    assert State.read(path) == State("x", PLAN, [Part(**PART)])  # type: ignore[arg-type]
    path.write_text(held if isinstance(held, str) else json.dumps(whole | held))
    with pytest.raises(BulkError, match=r"state\.json cannot be read; delete it to start anew"):
        State.read(path)


def test_state_with_more_tickets_than_there_are_is_refused(server: LlmServer) -> None:
    run()
    state = Path("out.jsonl.batch.json")
    held = json.loads(state.read_text())
    held["parts"][0]["count"] = 99
    state.write_text(json.dumps(held))
    said = run("--wait")
    assert isinstance(said.exception, BulkError)
    assert "delete it" in str(said.exception)


def test_an_answer_stands_although_a_failure_follows(server: LlmServer, monkeypatch: pytest.MonkeyPatch) -> None:
    finish = Jobs._finish

    def twice(jobs: Jobs, batch: dict[str, Any], rows: list[dict[str, Any]]) -> None:
        finish(jobs, batch, rows)
        failed = [json.dumps({"custom_id": row["custom_id"], "response": {"status_code": 500}}) for row in rows]
        batch["error_file_id"] = "file-failed"
        jobs.files["file-failed"] = "batch_output", "\n".join(failed).encode()

    monkeypatch.setattr(Jobs, "_finish", twice)
    assert run("--wait").exit_code == 0
    assert [row["primary_team"] for row in rows_out()] == list(TEAMS.values())
    assert {row["classifier"] for row in rows_out()} == {"llm"}


def test_a_ticket_that_cannot_be_masked_stays_out_of_the_batch(
    server: LlmServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(text: str) -> Iterator[Span]:
        if "export" in text:
            raise KeyError(text)
        yield from ()

    monkeypatch.setattr(redact, "_FINDERS", (broken,))
    assert run("--wait").exit_code == 0
    sent = [line["custom_id"] for line in jobs_of(server).lines("file-1")]
    assert sent == ["ticket-0", "ticket-2", "ticket-3"]
    assert ["llm" in row["classifier"] for row in rows_out()] == [True, False, True, True]
