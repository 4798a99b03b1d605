"""The commands as an admin types them: help, errors with a remedy, and what they leave behind."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import requests
from click.testing import CliRunner, Result

from commands import shared, up
from commands.doctor import command as doctor
from commands.stack import ROOT
from connectors.budget import connect
from manage import Commands, main
from sandbox.config import SandboxConfig
from sandbox.testing import Running, running
from triage.errors import TandemError
from triage.settings import DEFAULT_TEAMS
from triage.settings_file import parse_settings
from triage.store import Store
from triage.store.calibrations import NewCalibration
from triage.store.deliveries import DEAD, DONE, IGNORED, QUEUED, RECEIVED
from triage.store.effects import CONFIRMED
from triage.store.marks import BEAT, EVERY_DESK

SECRETS = {
    "CLIENT_SECRET": "client-secret-of-the-bot",
    "API_KEY": "api-key-of-the-bot",
    "WEBHOOK_SECRET": "a-long-webhook-secret",
}
SETTINGS = """
desks:
  acme:
    platform: zendesk
    url: {url}/zendesk
    auth: {{oauth: {{client_id: tandem, client_secret: ${{CLIENT_SECRET}}}}}}
    webhook_secrets: [${{WEBHOOK_SECRET}}]
    mode: {mode}
  globex:
    platform: freshdesk
    url: {url}/freshdesk
    auth: {{api_key: ${{API_KEY}}}}
    webhook_secrets: [${{WEBHOOK_SECRET}}]
    mode: {mode}
"""
VENDORS = {"acme": "zendesk", "globex": "freshdesk"}
COMMANDS = Commands().list_commands(click.Context(main))
# Nobody listens there.
NOWHERE = "127.0.0.1:1"
PASSWORD = "hunter2-hunter2"


def run(*arguments: str) -> Result:
    """Run a command in this process, as `manage.py` does."""
    return CliRunner().invoke(main, list(arguments))


def error_of(result: Result) -> str:
    """Return the sentence that `manage.py` would print."""
    assert isinstance(result.exception, TandemError), result.output
    return str(result.exception)


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep out the developer's .env, settings and the server of a `make run` next door."""
    monkeypatch.chdir(tmp_path)
    # Celery's settings are read when first imported; each test has its own REDIS_URL.
    monkeypatch.delitem(sys.modules, "celeryconfig", raising=False)
    monkeypatch.setattr(shared, "REDIS_FILE", tmp_path / "redis_url")


@pytest.fixture
def store(sqlite_store: Store, tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Return the database the commands work on; Redis runs, too."""
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/tandem.db")
    monkeypatch.setenv("REDIS_URL", redis_url)
    return sqlite_store


def leaves() -> list[str]:
    """Return the commands that do something, those below another one included: `sla work`."""
    group = Commands()
    found = []
    for name in COMMANDS:
        command = group.get_command(click.Context(main), name)
        below = list(command.commands) if isinstance(command, click.Group) else []
        runs_alone = not isinstance(command, click.Group) or command.invoke_without_command
        found += [name] * runs_alone + [f"{name} {one}" for one in below]
    return found


class TestHelp:
    @pytest.mark.parametrize("name", COMMANDS)
    def test_says_what_it_does_on_a_narrow_terminal(self, name: str) -> None:
        result = run(name, "--help")
        assert result.exit_code == 0
        assert max(map(len, result.output.splitlines())) <= 80
        words = result.output.partition("Options:")[0]
        assert re.search(r"\w+[.:]\n", words), "a sentence says what it does"

    @pytest.mark.parametrize("path", leaves())
    def test_gives_an_example_that_names_the_command(self, path: str) -> None:
        result = run(*path.split(), "--help")
        assert max(map(len, result.output.splitlines())) <= 80
        assert re.search(rf"^ +(?:[A-Z]+=\S+ )?python manage\.py {path}\b", result.output, re.M)

    def test_the_list_shows_every_command_with_a_sentence(self) -> None:
        lines = run("--help").output.partition("Commands:\n")[2].splitlines()
        assert [line.split()[0] for line in lines] == COMMANDS
        assert all(len(line.split()) > 3 for line in lines)
        assert {"up", "web", "worker", "beat", "migrate", "doctor", "triage", "classify", "replay", "smoke"} <= set(
            COMMANDS
        )

    def test_an_unknown_command_is_a_usage_error(self) -> None:
        result = run("clasify")
        assert result.exit_code == 2
        assert "No such command" in result.output

    def test_helpers_are_no_commands(self) -> None:
        assert not {"shared", "stack", "sandboxed", "__init__"} & set(COMMANDS)
        assert run("shared").exit_code == 2

    def test_errors_end_the_process_with_one_sentence(self, tmp_path: Path) -> None:
        done = subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), "doctor"],
            cwd=tmp_path,
            env={name: value for name, value in os.environ.items() if name != "TANDEM_CONFIG"},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (done.returncode, done.stdout) == (2, "")
        assert re.fullmatch(r"error: tandem\.yaml does not exist; copy .* or set TANDEM_CONFIG\n", done.stderr)


GOOD_ROWS = [
    {"id": 7, "subject": "Charged twice", "body": "I was charged twice for invoice 4711, please refund one."},
    {"id": "b-1", "subject": "", "body": ""},
    {
        "id": 3,
        "subject": "Outage",
        "body": "All our calls to the API answer 503 since 10:20.",
        "tier": "enterprise",
        "mrr": 9000,
        "ticket_count_30d": 4,
        "conversation": [{"author": "agent", "body": "We look at it."}, {"author": "customer", "body": "Still down!"}],
    },
]
FIELDS = ("primary_team", "priority", "sentiment", "churn_risk")


class TestClassify:
    @pytest.fixture
    def source(self, tmp_path: Path) -> Path:
        path = tmp_path / "in.jsonl"
        path.write_text("\n".join(json.dumps(row) for row in GOOD_ROWS) + "\n\n", encoding="utf-8")
        return path

    def classify(self, source: Path, target: Path, *more: str) -> Result:
        return run("classify", "--file", str(source), "--out", str(target), *more)

    def bad(self, tmp_path: Path, line: str) -> str:
        """Classify a file whose second line is `line`; return the error. Nothing may be left behind."""
        source = tmp_path / "in.jsonl"
        source.write_text(json.dumps(GOOD_ROWS[0]) + "\n" + line + "\n", encoding="utf-8")
        said = error_of(self.classify(source, tmp_path / "out.jsonl"))
        assert [path.name for path in tmp_path.glob("out*")] == []
        return said

    def test_answers_every_row_in_order(self, source: Path, tmp_path: Path) -> None:
        result = self.classify(source, tmp_path / "out.jsonl")
        assert result.exit_code == 0, result.output
        assert result.stdout == ""  # OUT may be /dev/stdout
        assert "3 tickets classified, 0 (0%) by the language model: 0 tokens in, 0 out, 0.0000 USD" in result.stderr
        answers = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
        assert [answer["id"] for answer in answers] == [7, "b-1", 3]
        for answer in answers:
            assert list(answer) == [
                "id",
                "primary_team",
                "secondary_team",
                "priority",
                "sentiment",
                "churn_risk",
                "language",
                "abstained",
                "probabilities",
                "classifier",
            ]
            assert set(answer["probabilities"]) == set(FIELDS)
            for name in FIELDS:
                labels = answer["probabilities"][name]
                assert sum(labels.values()) == pytest.approx(1, abs=1e-6)
                assert answer[name] in labels
            assert set(answer["probabilities"]["primary_team"]) == {*DEFAULT_TEAMS, "none"}
        assert answers[0]["primary_team"] == "billing"
        assert answers[0]["classifier"] == "embedded"

    def test_an_old_answer_stays_until_the_new_one_is_whole(self, source: Path, tmp_path: Path) -> None:
        target = tmp_path / "out.jsonl"
        target.write_text("the answer of yesterday")
        source.write_text(source.read_text() + "nonsense\n")
        error_of(self.classify(source, target))
        assert target.read_text() == "the answer of yesterday"
        source.write_text(json.dumps(GOOD_ROWS[0]))
        assert self.classify(source, target).exit_code == 0
        assert json.loads(target.read_text())["id"] == 7
        assert not list(tmp_path.glob("*.part"))

    def test_the_input_is_never_written_over(self, source: Path) -> None:
        before = source.read_bytes()
        assert "--out is the input itself" in error_of(self.classify(source, source))
        assert source.read_bytes() == before

    def test_an_empty_file_gives_an_empty_file(self, tmp_path: Path) -> None:
        (tmp_path / "in.jsonl").write_text("")
        result = self.classify(tmp_path / "in.jsonl", tmp_path / "out.jsonl")
        assert (result.exit_code, (tmp_path / "out.jsonl").read_bytes()) == (0, b"")
        assert "0 tickets" in result.stderr

    def test_a_file_of_an_editor_that_marks_utf8_is_read(self, tmp_path: Path) -> None:
        (tmp_path / "in.jsonl").write_text(json.dumps(GOOD_ROWS[0]), encoding="utf-8-sig")
        assert self.classify(tmp_path / "in.jsonl", tmp_path / "out.jsonl").exit_code == 0

    @pytest.mark.parametrize(
        ("line", "remedy"),
        [
            ("nonsense", "each line is one JSON object"),
            ("[" * 100_000, "each line is one JSON object"),
            ('["a"]', "needs an object with id, subject and body"),
            ('{"subject": "no id"}', "needs an object with id"),
            ('{"id": {"a": 1}}', "give each row a string or a number"),
            ('{"id": 1, "body": 5}', "'body' must be a string"),
            ('{"id": 1, "mrr": "much"}', "'mrr' must be a number"),
            ('{"id": 1, "ticket_count_30d": -1}', "'ticket_count_30d' must be a whole number"),
            ('{"id": 1, "conversation": [{"author": "boss", "body": "x"}]}', "'author' must be customer or agent"),
        ],
    )
    def test_a_bad_row_is_named_with_its_line_and_the_remedy(self, tmp_path: Path, line: str, remedy: str) -> None:
        said = self.bad(tmp_path, line)
        assert said.startswith("in.jsonl line 2: ")
        assert remedy in said

    def test_an_error_quotes_nothing_of_the_ticket(self, tmp_path: Path) -> None:
        assert "secret words" not in self.bad(tmp_path, '{"id": 1, "mrr": 1, "body": ["secret words"]}')

    def test_a_folder_that_is_not_there_is_said_before_the_work(self, source: Path, tmp_path: Path) -> None:
        said = error_of(self.classify(source, tmp_path / "nope" / "out.jsonl"))
        assert "does not exist; make it or name another" in said

    def test_a_file_that_is_not_there_is_a_usage_error(self, tmp_path: Path) -> None:
        assert self.classify(tmp_path / "nope.jsonl", tmp_path / "out.jsonl").exit_code == 2

    def test_a_model_that_is_not_configured_is_said_with_the_variables(self, source: Path, tmp_path: Path) -> None:
        said = error_of(self.classify(source, tmp_path / "out.jsonl", "--classifier", "llm"))
        assert "OPENAI_API_KEY" in said

    def test_an_unknown_desk_is_said_with_the_known_ones(
        self, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_settings(tmp_path, "https://127.0.0.1", "watch", monkeypatch)
        # The sandbox's path is only allowed on this machine.
        said = error_of(self.classify(source, tmp_path / "out.jsonl", "--desk", "nope"))
        assert "--desk nope: no such desk" in said
        assert "acme, globex" in said

    def test_a_desks_own_thresholds_are_used(
        self, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = write_settings(tmp_path, "https://127.0.0.1", "watch", monkeypatch)
        path.write_text(path.read_text() + "    thresholds: {sentiment: 1.0}\n")
        assert self.classify(source, tmp_path / "out.jsonl", "--desk", "globex").exit_code == 0
        answers = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
        assert all("sentiment" in answer["abstained"] for answer in answers)

    def test_what_outcomes_taught_flattens_the_probabilities_and_moves_no_label(
        self, source: Path, tmp_path: Path, desks: Running, store: Store
    ) -> None:
        def answer() -> dict[str, Any]:
            assert self.classify(source, tmp_path / "out.jsonl", "--desk", "acme").exit_code == 0
            row: dict[str, Any] = json.loads((tmp_path / "out.jsonl").read_text("utf-8").splitlines()[0])
            return row

        before = answer()
        store.calibrations.activate("acme", NewCalibration("embedded", "priority", 5.0, {}, {}, 60), time.time())
        after = answer()
        assert after["priority"] == before["priority"]
        assert max(after["probabilities"]["priority"].values()) < max(before["probabilities"]["priority"].values())
        assert after["probabilities"]["sentiment"] == before["probabilities"]["sentiment"]


def write_settings(folder: Path, url: str, mode: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a settings file with both desks and let the commands use it."""
    path = folder / "tandem.yaml"
    path.write_text(SETTINGS.format(url=url, mode=mode))
    monkeypatch.setenv("TANDEM_CONFIG", str(path))
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    return path


class TestReplay:
    def deliveries(self, store: Store) -> dict[str, int]:
        """Put one delivery of each kind into the inbox and return their ids."""
        ids: dict[str, int] = {}
        for number, (name, desk) in enumerate(
            (("dead", "acme"), ("dead too", "globex"), ("done", "acme"), ("open", "acme"), ("ignored", "acme")), 1
        ):
            state = IGNORED if name == "ignored" else RECEIVED
            received = store.deliveries.receive(
                desk, f"key-{number}", ticket_id=str(number), event="created", body=b"{}", now=1.0, state=state
            )
            ids[name] = received.id
            if name.startswith("dead"):
                store.deliveries.finish(received.id, DEAD, 2.0, "refused")
        store.deliveries.finish(ids["done"], DONE, 2.0)
        return ids

    def states(self, store: Store, ids: dict[str, int]) -> dict[str, str]:
        return {name: found.state for name, id_ in ids.items() if (found := store.deliveries.get(id_))}

    def test_every_dead_delivery(self, store: Store) -> None:
        ids = self.deliveries(store)
        result = run("replay", "--dead")
        assert result.exit_code == 0, result.output
        assert "2 of 2 deliveries sent through again" in result.output
        wanted = {"dead": QUEUED, "dead too": QUEUED, "done": DONE, "open": RECEIVED, "ignored": IGNORED}
        assert self.states(store, ids) == wanted
        assert store.deliveries.get(ids["dead"]).attempts == 0  # type: ignore[union-attr]

    def test_only_those_of_one_desk(self, store: Store) -> None:
        ids = self.deliveries(store)
        assert "1 of 1" in run("replay", "--dead", "--desk", "globex").output
        states = self.states(store, ids)
        assert (states["dead"], states["dead too"]) == (DEAD, QUEUED)

    def test_by_id_and_what_was_left_alone_is_said(self, store: Store) -> None:
        ids = self.deliveries(store)
        result = run("replay", str(ids["done"]), str(ids["open"]), str(ids["ignored"]), "4711")
        assert "1 of 4 deliveries sent through again" in result.output
        left = f"{ids['open']}, {ids['ignored']}, 4711"
        assert f"left alone (unknown, still open, ignored or unreadable): {left}" in result.output
        assert self.states(store, ids)["done"] == QUEUED

    def test_again_changes_nothing(self, store: Store) -> None:
        self.deliveries(store)
        run("replay", "--dead")
        assert "0 of 0 deliveries" in run("replay", "--dead").output

    def test_wakes_a_worker(self, store: Store, redis_url: str) -> None:
        ids = self.deliveries(store)
        redis = connect(redis_url)
        redis.delete("triage")
        run("replay", str(ids["dead"]))
        assert redis.llen("triage") == 1
        redis.delete("triage")

    def test_without_redis_the_sweep_finds_it(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("REDIS_URL", f"redis://:{PASSWORD}@{NOWHERE}/0")
        ids = self.deliveries(store)
        result = run("replay", str(ids["dead"]))
        assert result.exit_code == 0
        assert PASSWORD not in result.output
        assert ids["dead"] in store.deliveries.claim_due(time.time(), 10)

    @pytest.mark.parametrize("arguments", [(), ("--dead", "17"), ("--desk", "acme")])
    def test_says_what_to_name(self, arguments: tuple[str, ...]) -> None:
        result = run("replay", *arguments)
        assert result.exit_code == 2
        assert "name delivery ids, or --dead" in result.output


class TestDatabaseErrors:
    """A database that is away or empty is one sentence: its own text holds statements and values."""

    @pytest.mark.parametrize("arguments", [("replay", "--dead"), ("replay", "1")])
    def test_without_tables(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]) -> None:
        monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/empty.db")
        said = error_of(run(*arguments))
        assert "python manage.py migrate" in said
        assert "SELECT" not in said

    @pytest.mark.parametrize("arguments", [("migrate",), ("replay", "--dead")])
    def test_away(self, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]) -> None:
        monkeypatch.setenv("DATABASE_URL", f"postgresql://tandem:{PASSWORD}@{NOWHERE}/tandem")
        said = error_of(run(*arguments))
        assert "correct DATABASE_URL" in said
        assert PASSWORD not in said

    def test_migrate_makes_the_tables_and_may_be_repeated(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/new.db")
        for _ in range(2):
            assert run("migrate").output == "tables are up to date\n"
        assert run("replay", "--dead").exit_code == 0


@pytest.fixture(scope="module")
def box() -> Iterator[Running]:
    """Return the two pretend helpdesks."""
    config = SandboxConfig(
        zendesk_client_id="tandem",
        zendesk_client_secret=SECRETS["CLIENT_SECRET"],
        freshdesk_api_key=SECRETS["API_KEY"],
    )
    with running(config) as found:
        yield found


@pytest.fixture
def desks(box: Running, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Running:
    """Return the helpdesks, with settings of mode `tag` for both."""
    write_settings(tmp_path, box.url, "tag", monkeypatch)
    return box


def ticket_of(box: Running, desk: str) -> str:
    """Let a customer write and return the ticket's id."""
    body = {"vendor": VENDORS[desk], "subject": "Charged twice", "body": "I was charged twice, please refund one."}
    return str(requests.post(f"{box.url}/sandbox/tickets", json=body | {"silent": True}, timeout=10).json()["id"])


def shown(box: Running, desk: str, ticket_id: str) -> dict[str, Any]:
    """Return the ticket as the helpdesk shows it."""
    state = requests.get(f"{box.url}/sandbox/state", timeout=10).json()
    return next(one for one in state[VENDORS[desk]] if str(one["id"]) == ticket_id)


def notes(ticket: dict[str, Any]) -> list[dict[str, Any]]:
    assert len([one for one in ticket["comments"] if one["public"]]) == 1
    return [one for one in ticket["comments"] if not one["public"]]


class TestDoctor:
    def lines(self, result: Result) -> dict[str, str]:
        """Return each check's state by its name."""
        found = re.findall(r"^(ok|warning|broken) +(.{16}) ", result.output, re.M)
        return {name.strip(): state for state, name in found}

    def test_all_is_well(self, desks: Running, store: Store) -> None:
        store.cursors.set(EVERY_DESK, BEAT, "alive", time.time())
        result = run("doctor")
        assert result.exit_code == 0, result.output
        checks = ("settings", "database", "worker and beat", "inbox", "disk", "redis", "desk acme", "desk globex")
        models = ("embedded model", "classifier")
        # No web process runs here.
        assert re.search(r"^ok +desk acme +zendesk as ", result.output, re.M)
        # Nor has anything called yet, and links need a key.
        warned = dict.fromkeys(("public address", "desk acme", "desk globex", "links in notes"), "warning")
        assert self.lines(result) == dict.fromkeys((*checks, *models, "drafts"), "ok") | warned

    def test_what_is_broken_is_said_with_the_remedy(
        self, desks: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DATABASE_URL", f"postgresql://tandem:{PASSWORD}@{NOWHERE}/tandem")
        monkeypatch.setenv("REDIS_URL", f"redis://:{PASSWORD}@{NOWHERE}/0")
        monkeypatch.setenv("BROKER_URL", f"amqp://tandem:{PASSWORD}@{NOWHERE}//")
        monkeypatch.setenv("API_KEY", "a-key-that-is-wrong")
        result = run("doctor")
        assert result.exit_code == 1
        states = self.lines(result)
        assert {name for name, state in states.items() if state == "broken"} == {
            "database",
            "redis",
            "broker",
            "desk globex",
        }
        for remedy in (
            "correct DATABASE_URL",
            "correct REDIS_URL",
            "correct BROKER_URL",
            "correct desks.globex.auth",
        ):
            assert f"-> {'start' if 'URL' in remedy else remedy}" in result.output
            assert remedy in result.output
        assert result.output.count("->") == len(
            re.findall(r"^(?:broken|warning) (?!.*need the d)", result.output, re.M)
        )
        for secret in (PASSWORD, "a-key-that-is-wrong", *SECRETS.values()):
            assert secret not in result.output

    def test_tables_that_are_missing(self, desks: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/empty.db")
        result = run("doctor")
        assert result.exit_code == 1
        assert "-> python manage.py migrate" in result.output

    def test_a_silent_worker_and_waiting_and_dead_deliveries(self, desks: Running, store: Store) -> None:
        store.cursors.set(EVERY_DESK, BEAT, "alive", time.time() - 600)
        for key in ("a", "b"):
            store.deliveries.receive("acme", key, ticket_id="1", event="created", body=b"", now=time.time() - 600)
        store.deliveries.finish(2, DEAD, time.time(), "refused")
        result = run("doctor")
        assert result.exit_code == 1
        states = self.lines(result)
        assert (states["worker and beat"], states["inbox"]) == ("broken", "warning")
        assert "1 dead" in result.output

    def test_an_api_token_is_counted_down(
        self, box: Running, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = write_settings(tmp_path, box.url, "watch", monkeypatch)
        oauth = re.search(r"auth: \{oauth.*", path.read_text())
        assert oauth
        monkeypatch.setenv("TOKEN", "legacy-token-of-the-bot")
        token = "auth: {email: bot@acme.example, api_token: ${TOKEN}}"
        path.write_text(path.read_text().replace(oauth[0], token))
        config = SandboxConfig(zendesk_email="bot@acme.example", zendesk_api_token="legacy-token-of-the-bot")
        with running(config) as legacy:
            path.write_text(path.read_text().replace(f"{box.url}/zendesk", legacy.zendesk))
            output = run("doctor").output
        assert re.search(
            r"^warning desk acme .*API token stops working in -?\d+ days\n +-> .*docs/zendesk\.md", output, re.M
        )

    def test_finds_the_server_of_a_run_next_door(
        self, desks: Running, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("REDIS_URL", "")
        (tmp_path / "redis_url").write_text(redis_url)
        assert self.lines(run("doctor"))["redis"] == "ok"
        (tmp_path / "redis_url").write_text("redis+socket:///gone/redis.sock")
        monkeypatch.setenv("REDIS_URL", "")
        assert shared.read_environment().redis_url == "redis://127.0.0.1:6379/0"

    def test_is_the_command_of_that_name(self) -> None:
        assert Commands().get_command(click.Context(main), "doctor") is doctor


class TestTriage:
    @pytest.mark.parametrize("desk", VENDORS)
    def test_a_dry_run_shows_everything_and_writes_nothing(self, desks: Running, store: Store, desk: str) -> None:
        ticket_id = ticket_of(desks, desk)
        before = shown(desks, desk, ticket_id)
        result = run("triage", "--desk", desk, ticket_id)
        assert result.exit_code == 0, result.output
        assert result.output.startswith("Billing (")
        for words in ("“I was charged twice", "ai_team_billing", "Fields: none", "mode tag", "nothing was written"):
            assert words in result.output
        said = json.loads(run("triage", "--desk", desk, "--json", ticket_id).output)
        assert (said["written"], said["classification"]["primary_team"], said["speech"]["level"]) == (
            False, "billing", "note",
        )  # fmt: skip
        assert "ai_team_billing" in said["decision"]["tags"]
        assert said["note"].startswith("Billing (")
        assert run("triage", "--desk", desk, "--json", "--write", ticket_id).exit_code == 2
        assert shown(desks, desk, ticket_id) == before
        assert store.deliveries.counts() == {}
        assert store.runs.counts() == {}

    @pytest.mark.parametrize("desk", VENDORS)
    def test_write_writes_one_note_and_tags_and_again_none(self, desks: Running, store: Store, desk: str) -> None:
        ticket_id = ticket_of(desks, desk)
        result = run("triage", "--desk", desk, "--write", ticket_id)
        assert result.exit_code == 0, result.output
        first, *effects = result.output.splitlines()[-3:]
        assert re.fullmatch(r"delivery \d+: done \(run \d+\)", first)
        assert effects == ["  note: confirmed", "  tags: confirmed"]
        ticket = shown(desks, desk, ticket_id)
        assert len(notes(ticket)) == 1
        assert {"ai_triaged", "ai_team_billing"} <= set(ticket["tags"])
        (written,) = store.runs.recent(10)
        assert written.reference in notes(ticket)[0]["html"]
        assert {effect.kind: effect.state for effect in store.effects.of_run(written.id)} == {
            "note": CONFIRMED,
            "tags": CONFIRMED,
        }
        again = run("triage", "--desk", desk, "--write", ticket_id)
        assert "has triaged this ticket" in again.output
        assert shown(desks, desk, ticket_id) == ticket

    def test_a_dry_run_after_the_writing_says_what_it_would_say(self, desks: Running) -> None:
        ticket_id = ticket_of(desks, "acme")
        run("triage", "--desk", "acme", "--write", ticket_id)
        assert "nothing was written" in run("triage", "--desk", "acme", ticket_id).output

    def test_in_mode_watch_write_says_that_nothing_was_written(
        self, desks: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_settings(tmp_path, desks.url, "watch", monkeypatch)
        ticket_id = ticket_of(desks, "acme")
        result = run("triage", "--desk", "acme", "--write", ticket_id)
        assert "set desks.acme.mode to note, tag or write first" in result.output
        assert notes(shown(desks, "acme", ticket_id)) == []

    def test_a_ticket_that_is_not_there(self, desks: Running, store: Store) -> None:
        assert "404" in error_of(run("triage", "--desk", "acme", "99999"))
        result = run("triage", "--desk", "acme", "--write", "99999")
        assert "done" in result.output
        assert store.runs.counts() == {"skipped": 1}

    @pytest.mark.parametrize("ticket_id", ["abc", "1/../2", "-1"])
    def test_what_is_no_ticket_number(self, desks: Running, ticket_id: str) -> None:
        result = run("triage", "--desk", "acme", "--", ticket_id)
        assert result.exit_code != 0
        assert "not a number" in error_of(result)

    def test_an_unknown_desk_is_said_with_the_known_ones(self, desks: Running) -> None:
        assert "it has acme, globex" in error_of(run("triage", "--desk", "nope", "1"))

    def test_a_wrong_credential_is_said_with_the_remedy_and_without_it(
        self, desks: Running, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ticket_id = ticket_of(desks, "acme")
        monkeypatch.setenv("CLIENT_SECRET", "a-secret-that-is-wrong")
        said = error_of(run("triage", "--desk", "acme", ticket_id))
        assert "check client_id and client_secret" in said
        assert "a-secret-that-is-wrong" not in said
        result = run("triage", "--desk", "acme", "--write", ticket_id)
        assert result.exit_code == 1
        assert "queued" in result.output

    def test_without_a_database_a_dry_run_still_works(self, desks: Running, monkeypatch: pytest.MonkeyPatch) -> None:
        ticket_id = ticket_of(desks, "acme")
        monkeypatch.setenv("DATABASE_URL", f"postgresql://tandem:{PASSWORD}@{NOWHERE}/tandem")
        assert run("triage", "--desk", "acme", ticket_id).exit_code == 0
        said = error_of(run("triage", "--desk", "acme", "--write", ticket_id))
        assert "correct DATABASE_URL" in said
        assert notes(shown(desks, "acme", ticket_id)) == []


def test_without_a_desk_and_without_the_sandbox_there_are_settings_to_connect_into() -> None:
    assert parse_settings(up.NO_DESK_YET, {}).desks == {}
