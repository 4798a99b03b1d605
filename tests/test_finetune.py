"""Fine-tuning: what is exported from outcomes, their tickets read again from both sandboxes, and files; the job."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result
from test_connector_sandbox import Box, box, sandbox  # noqa: F401  (fixtures)

from commands import finetune, tuning_state
from commands.finetune import command
from commands.tuning_material import PIECE, Notebook, from_outcomes
from tests.fakes import own_sleep
from tests.llm_jobs import Jobs
from tests.llm_server import GOOD, LlmServer, running
from triage.classification import Classification
from triage.classify.answer import parse_answer
from triage.classify.prompt import labels_of
from triage.classify.question import Questionnaire
from triage.classify.tuning import LEAST_EXAMPLES, Example, deduplicated, example_of, price_of, split, tokens_in
from triage.settings import DEFAULT_PRIORITIES, DEFAULT_TEAMS
from triage.store import Store, open_store
from triage.store.migrate import migrate
from triage.store.outcomes import Outcome
from triage.ticket import Author, Message, Requester, Ticket

QUESTIONS = Questionnaire(DEFAULT_TEAMS, DEFAULT_PRIORITIES)
LABELS = labels_of(DEFAULT_TEAMS, DEFAULT_PRIORITIES)
BODY = "Hello, I am Zebediah Quux (zeb@quux.example). We were charged twice."
WORDS = [
    "red", "green", "blue", "round", "square", "flat", "tall", "short", "warm", "cold", "early", "late",
    "wooden", "paper",
]  # fmt: skip


def ticket(body: str = BODY, name: str = "7") -> Ticket:
    message = Message("1", Author.CUSTOMER, body)
    return Ticket("acme", name, "Invoice", requester=Requester(name="Zebediah Quux"), messages=(message,))


def said(**changes: Any) -> Classification:
    spread: dict[str, Any] = {
        name: {label: 1 / len(labels) for label in labels} for name, labels in LABELS.items()
    }  # fmt: skip
    return Classification(
        **{
            "primary_team": "billing", "priority": "P2_medium", "sentiment": "neutral", "churn_risk": "low",
            "language": "en", "classifier": "llm", "probabilities": spread, "evidence": ["We were charged twice."],
            "context_for_agent": "Zebediah Quux was charged twice.",
            "auto_response_draft": "Dear Zebediah Quux, sorry.", "issue_category": "double_charge",
            "secondary_team": "account_management",
        } | changes
    )  # fmt: skip


class TestExample:
    def test_asks_as_live_and_answers_with_what_people_made_of_it(self) -> None:
        one = example_of(QUESTIONS, ticket(), {"priority": "P1_high"}, 5.0, said())
        assert one
        chat = json.loads(one.line(QUESTIONS.system))["messages"]
        assert [message["role"] for message in chat] == ["system", "user", "assistant"]
        live = QUESTIONS.question(ticket()).messages
        assert chat[:2] == live
        answer = json.loads(chat[2]["content"])
        assert (answer["primary_team"], answer["priority"], answer["secondary_team"]) == (
            "billing", "P1_high", "account_management",
        )  # fmt: skip
        assert answer["summary"] == "[NAME_1] was charged twice."
        assert one.corrected
        # What a tuned model would say can be read as any answer.
        assert parse_answer(chat[2]["content"], LABELS, "We were charged twice.").fields["priority"] == "P1_high"

    def test_nothing_private_goes_out(self) -> None:
        one = example_of(QUESTIONS, ticket(), {"primary_team": "billing"}, None, said(evidence=[BODY]))
        assert one
        for private in ("Quux", "Zebediah", "quux.example"):
            assert private not in one.line(QUESTIONS.system)

    def test_words_said_about_another_team_are_left_out(self) -> None:
        one = example_of(QUESTIONS, ticket(), {"primary_team": "security"}, None, said())
        assert one
        assert one.answer["primary_team"] == "security"
        assert one.answer["priority"] == "P2_medium"
        assert not {"summary", "evidence", "secondary_team"} & set(one.answer)

    def test_the_embedded_classifier_gives_labels_and_no_words(self) -> None:
        one = example_of(QUESTIONS, ticket(), {"primary_team": "billing"}, None, said(classifier="embedded"))
        assert one
        assert not one.corrected
        assert set(one.answer) == {"primary_team", "priority", "sentiment", "churn_risk", "language"}

    def test_what_people_had_otherwise_is_not_taught_as_we_said_it(self) -> None:
        one = example_of(QUESTIONS, ticket(), {"primary_team": "Fleet", "priority": "P1_high"}, None, said())
        assert one
        assert one.answer["priority"] == "P1_high"
        assert not {"primary_team", "summary"} & set(one.answer)

    def test_without_text_or_known_label_there_is_none(self) -> None:
        assert example_of(QUESTIONS, ticket(), {"primary_team": "Fleet"}, None) is None
        assert example_of(QUESTIONS, ticket(), {}, None, said()) is None
        empty = Ticket("acme", "1", "", messages=())
        assert example_of(QUESTIONS, empty, {"primary_team": "billing"}, None) is None


def example(text: str, at: float | None, team: str = "billing") -> Example:
    return Example(text, text, {"primary_team": team}, at)


def test_each_text_stands_once_with_its_newest_labels() -> None:
    kept = deduplicated([example("Order 12", 9, "security"), example("order 7!", 3), example("Other", None)])
    assert [(one.user, one.answer["primary_team"]) for one in kept] == [("Other", "billing"), ("Order 12", "security")]


def test_the_newest_fifth_validates_where_enough_are_left() -> None:
    many = [example(str(at), float(at)) for at in range(20)]
    training, validation = split(many)
    assert (len(training), [one.at for one in validation]) == (16, [16, 17, 18, 19])
    assert split(many[:LEAST_EXAMPLES]) == (many[:LEAST_EXAMPLES], [])


def test_size_and_price_are_estimates() -> None:
    assert tokens_in("abcd" * 1000) == 1000
    assert price_of(1_000_000, 3.0) == 9.0


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/tandem.db")
    monkeypatch.setattr(finetune, "DATA", tmp_path / "data")
    for module in (finetune, tuning_state):
        monkeypatch.setattr(module, "STATE", tmp_path / "data" / "finetune.json")
    desk = (
        "{platform: freshdesk, url: 'https://a.freshdesk.com', auth: {api_key: k}, webhook_secrets: [a-long-secret-1]}"
    )
    Path("tandem.yaml").write_text(f"desks: {{desk: {desk}}}\n")
    return tmp_path


def run(*arguments: str, text: str | None = None) -> Result:
    return CliRunner().invoke(command, arguments, input=text)


def watched(store: Store, ticket_id: str, answer: Classification, theirs: str) -> int:
    """Record a run of a ticket, and what people ended with; return the run's id."""
    now = time.time()
    found, _ = store.runs.claim("desk", ticket_id, "created", owner="w", now=now, lease_until=now + 30)
    store.runs.save(found, classification=answer.model_dump())
    outcome = Outcome(
        desk="desk", ticket_id=ticket_id, run_id=found.id, field="primary_team", ours=answer.primary_team,
        theirs=theirs, agreed=answer.primary_team == theirs, written=False, probability=0.5, probabilities=None,
        classifier=answer.classifier, final=True, observed_at=now + found.id,
    )  # fmt: skip
    store.outcomes.save([outcome])
    return found.id


class TestExport:
    def test_from_outcomes_reads_the_tickets_again(
        self,
        box: Box,  # noqa: F811
        home: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        store = open_store(f"sqlite:///{home}/tandem.db")
        migrate(store.engine)
        bodies = [f"My name is Zebediah Quux. The {word} invoice was charged twice." for word in WORDS]
        ids = [box.ticket(subject="Invoice", body=body) for body in bodies]
        for place, ticket_id in enumerate(ids):
            box.act(ticket_id, reply="Refunded, says Quentin.", status="closed")
            watched(store, ticket_id, said(), "security" if place % 2 else "billing")
        watched(store, "999999", said(), "security")
        store.engine.dispose()
        runtime = SimpleNamespace(connector=lambda _desk: box.connector)
        monkeypatch.setattr(finetune, "Runtime", lambda _environment, _settings: runtime)
        result = run("export", "--desk", "desk", "--out", "tuning", "--usd-per-million", "3")
        assert result.exit_code == 0, result.output
        assert "12 examples to train on, 2 to validate on\n7 of them corrected by people, 0 duplicates" in result.output
        assert all(len(line) <= 80 for line in result.stdout.splitlines())
        assert "USD for 3 rounds" in result.output
        lines = Path("tuning.train.jsonl").read_text().splitlines()
        answers = [json.loads(json.loads(line)["messages"][2]["content"]) for line in lines]
        assert [answer["primary_team"] for answer in answers] == ["billing", "security"] * 6
        for private in ("Quux", "Zebediah", "Refunded"):
            assert private not in "".join(lines)
        assert Path("tuning.train.jsonl").stat().st_mode & 0o077 == 0
        assert not list((home / "data").glob("*.part.jsonl"))

    def test_goes_on_where_it_was_interrupted(self, store: Store, home: Path) -> None:
        settled = {
            watched(store, str(number), said(), "security"): str(number) for number in range(PIECE + 5)
        }  # fmt: skip
        asked: list[int] = []

        class Helpdesk:
            def past(self, ids: list[str]) -> tuple[Any, ...]:
                asked.append(len(ids))
                if len(asked) == 2:
                    raise KeyboardInterrupt
                return tuple(SimpleNamespace(ticket=ticket(f"text {'x' * int(name)}", name)) for name in ids)

        outcomes = store.outcomes.settled("desk", 0)
        assert list(outcomes) == list(settled)
        notebook = Notebook(home / "n.jsonl", QUESTIONS.system)
        arguments: list[Any] = [store, Helpdesk(), QUESTIONS, outcomes]
        with pytest.raises(KeyboardInterrupt):
            from_outcomes(*arguments, notebook, lambda _count: None)
        with (home / "n.jsonl").open("a") as file:
            file.write('{"torn": ')
        assert len(notebook.read()) == PIECE
        assert Notebook(home / "n.jsonl", "another prompt").read() == {}
        found = from_outcomes(*arguments, notebook, lambda _count: None)
        assert asked == [PIECE, 5, 5]
        assert len(found) == PIECE + 5
        assert "Quux" not in (home / "n.jsonl").read_text()

    def test_from_a_file(self) -> None:
        rows = [
            {"id": at, "subject": "x", "body": f"The {word} button fails.", "created_at": at, "primary_team": "billing"}
            for at, word in enumerate([*WORDS, "red"])
        ]  # fmt: skip
        Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        result = run("export", "--file", "rows.jsonl", "--out", "tuning", "--json")
        assert result.exit_code == 0, result.output
        about = json.loads(result.output)
        assert (about["examples"], about["validation_examples"], about["duplicates"]) == (12, 2, 1)
        assert about["cost_usd"] is None
        assert about["tokens"] > 12 * len(QUESTIONS.system) // 5
        newest = Path("tuning.validation.jsonl").read_text()
        assert "The red button" in newest
        assert "The green button" not in newest
        assert "price unknown" in run("export", "--file", "rows.jsonl", "--out", "tuning").output

    def test_labels_the_settings_do_not_have_are_named(self) -> None:
        rows = [
            {"id": at, "body": f"The {word} button fails.", "primary_team": "Fleet" if at % 7 == 0 else "billing"}
            for at, word in enumerate(WORDS)
        ]  # fmt: skip
        Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        told = run("export", "--file", "rows.jsonl", "--out", "t").output
        assert "10 examples" in told
        assert "the settings have no such primary_team: Fleet (2)" in told
        about = json.loads(run("export", "--file", "rows.jsonl", "--out", "t", "--json").stdout)
        assert about["dropped_labels"] == {"primary_team": {"Fleet": 2}}

    def test_a_field_of_which_nothing_is_left_is_refused(self) -> None:
        rows = [
            {"id": at, "body": f"The {word} button fails.", "primary_team": f"Team {at}", "priority": "P1_high"}
            for at, word in enumerate(WORDS)
        ]  # fmt: skip
        Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        said = " ".join(str(run("export", "--file", "rows.jsonl", "--out", "t").exception).split())
        assert "no label of 'primary_team' is one of the settings'" in said
        assert "Team 0 (1), " in said
        assert "and 9 more" in said
        assert not Path("t.train.jsonl").exists()

    def test_too_few_are_refused(self) -> None:
        Path("rows.jsonl").write_text('{"id": 1, "body": "Help", "primary_team": "billing"}\n')
        assert "1 usable examples are too few" in str(run("export", "--file", "rows.jsonl", "--out", "t").exception)
        assert "no outcome was observed on desk desk" in str(run("export", "--desk", "desk", "--out", "t").exception)
        assert not Path("t.train.jsonl").exists()

    def test_wrong_options_are_named(self) -> None:
        assert "--desk" in str(run("export", "--out", "t").exception)
        assert "does not exist" in str(run("export", "--desk", "desk", "--out", "no/t").exception)
        assert "no such desk" in str(run("export", "--desk", "nope", "--out", "t").exception)
        assert "--since" in str(run("export", "--desk", "desk", "--since", "soon", "--out", "t").exception)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[LlmServer]:
    with running() as script:
        script.jobs = Jobs()
        script.jobs.statuses = ["running", "succeeded"]
        monkeypatch.setenv("OPENAI_BASE_URL", script.url)
        own_sleep(monkeypatch, finetune, lambda _seconds: None)
        yield script


@pytest.fixture
def files() -> list[str]:
    lines = "".join(example(word, None).line("system") + "\n" for word in WORDS)
    Path("t.train.jsonl").write_text(lines)
    Path("t.validation.jsonl").write_text(lines)
    return ["--train", "t.train.jsonl", "--validation", "t.validation.jsonl", "--model", "base-model"]


def jobs_of(server: LlmServer) -> Jobs:
    assert server.jobs
    return server.jobs


class TestJob:
    def test_is_started_followed_and_ends_with_the_line_for_env(self, server: LlmServer, files: list[str]) -> None:
        result = run("start", *files, "--suffix", "acme", "--yes", "--usd-per-million", "25")
        assert result.exit_code == 0, result.output
        assert "14 examples" in result.output
        job = jobs_of(server).tunings["ftjob-1"]
        assert (job["model"], job["suffix"]) == ("base-model", "acme")
        assert (job["training_file"], job["validation_file"]) == ("file-1", "file-1")
        assert len(jobs_of(server).lines("file-1")) == 14
        assert run("status").exit_code == 3
        result = run("status", "--watch")
        assert result.exit_code == 0
        assert "OPENAI_MODEL=ft:base-model:org:acme:1" in result.output
        assert "Created job" in result.output
        assert jobs_of(server).deleted == ["file-1"]

    def test_asks_before_money_is_spent(self, server: LlmServer, files: list[str]) -> None:
        result = run("start", *files, text="n\n")
        assert result.exit_code == 1
        assert "price unknown" in result.output
        assert server.paths == []

    def test_broken_start_uploads_nothing_twice_and_a_running_job_is_not_doubled(
        self, server: LlmServer, files: list[str]
    ) -> None:
        jobs_of(server).refuse = {"fine_tuning": 404}
        assert "HTTP 404" in str(run("start", *files, "--yes").exception)
        jobs_of(server).refuse = {}
        assert run("start", *files, "--yes").exit_code == 0
        assert len(jobs_of(server).files) == 1
        assert "ftjob-1 is under way" in str(run("start", *files, "--yes").exception)
        assert len(jobs_of(server).tunings) == 1

    def test_failure_is_said(self, server: LlmServer, files: list[str]) -> None:
        jobs_of(server).statuses = ["failed"]
        run("start", *files, "--yes")
        result = run("status", "--watch")
        assert result.exit_code == 1
        assert "line 3 is too long" in result.output
        assert run("start", *files, "--yes").exit_code == 0

    def test_watching_can_be_left(self, server: LlmServer, files: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        def interrupt(_seconds: float) -> None:
            raise KeyboardInterrupt

        run("start", *files, "--yes")
        own_sleep(monkeypatch, finetune, interrupt)
        result = run("status", "--watch")
        assert result.exit_code == 3
        assert "the job goes on" in result.output

    def test_files_that_are_no_training_files(self, server: LlmServer, files: list[str]) -> None:
        Path("t.train.jsonl").write_text(json.dumps(GOOD) + "\n")
        assert "line 1: no training example" in str(run("start", *files, "--yes").exception)
        Path("t.train.jsonl").write_text(example("x", None).line("s") + "\n")
        assert "too few" in str(run("start", *files, "--yes").exception)
        assert "18 characters" in str(run("start", *files, "--suffix", "x" * 19).exception)
        assert server.paths == []

    def test_status_without_a_job(self, home: Path) -> None:
        assert "no job was started" in str(run("status").exception)
        (home / "data").mkdir(exist_ok=True)
        (home / "data" / "finetune.json").write_text("{oops")
        assert "delete it" in str(run("status").exception)
