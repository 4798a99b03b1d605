"""Answers of `classify` that were paid for: kept when it is stopped, not asked for twice, in the order of the rows."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from fakes import answer

from commands.answers import Answer, Answers, ask_all
from commands.classify import THREADS
from commands.classify import command as classify
from tests.llm_server import LlmServer, Reply, fails, running
from triage.classification import Classification
from triage.ticket import Ticket

ROOT = Path(__file__).parent.parent
TICKETS = 40
YAML = "llm: {usd_per_million_input: 1, usd_per_million_output: 10}\n"
EACH = (900 * 1 + 100 * 10) / 1e6
OPTIONS = ["--file", "in.jsonl", "--out", "out.jsonl", "--classifier", "llm"]
KEPT = Answer('{"id": 1}', "2026-11-22", True, 900, 100, EACH, "")


class Slow(LlmServer):
    """Counts how many are asked at once; every other answer takes longer."""

    busy = most = 0
    lock = threading.Lock()

    def next_reply(self) -> Reply:
        with self.lock:
            self.busy += 1
            self.most = max(self.most, self.busy)
        time.sleep(0.05 + 0.1 * (len(self.calls) % 2))
        with self.lock:
            self.busy -= 1
        return self.replies[0]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    monkeypatch.setattr("tests.llm_server.LlmServer", Slow)
    with running() as script:
        assert isinstance(script, Slow)
        yield script


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Slow) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/tandem.db")
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    Path("tandem.yaml").write_text(YAML)
    rows = [{"id": place, "body": f"We were charged twice. {place}"} for place in range(TICKETS)]
    Path("in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def run(*options: str) -> Result:
    return CliRunner().invoke(classify, [*OPTIONS, *options], catch_exceptions=False)


def test_ctrl_c_loses_no_paid_answer_and_the_same_command_goes_on(server: Slow) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / "manage.py"), "classify", *OPTIONS]
    # A suite that runs in the background ignores SIGINT, and so would its children.
    listens = partial(signal.signal, signal.SIGINT, signal.default_int_handler)
    first = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, preexec_fn=listens)
    end = time.monotonic() + 120
    while len(server.calls) < 2 * THREADS:
        assert time.monotonic() < end
        assert first.poll() is None, "it was over before it could be stopped"
        time.sleep(0.01)
    first.send_signal(signal.SIGINT)
    said = first.communicate(timeout=60)[1]
    assert first.returncode == 130
    assert "the same command goes on from here" in said
    assert "Traceback" not in said
    asked = len(server.calls)
    assert asked < TICKETS
    assert not Path("out.jsonl").exists()
    assert "charged" not in Path("out.jsonl.part").read_text()

    second = run()
    assert f"{asked} tickets are answered already" in second.stderr
    assert len(server.calls) == TICKETS
    assert f"{TICKETS} tickets classified, {TICKETS} (100%)" in second.stderr
    assert f"{TICKETS * EACH:.4f} USD" in second.stderr
    rows = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == list(range(TICKETS))
    assert {row["classifier"] for row in rows} == {"llm"}
    assert not Path("out.jsonl.part").exists()


def test_a_model_is_asked_several_tickets_at_once(server: Slow) -> None:
    run()
    assert 1 < server.most <= THREADS


def test_a_reached_cap_is_said_once(server: Slow, caplog: pytest.LogCaptureFixture) -> None:
    Path("tandem.yaml").write_text(YAML.replace("{", f"{{daily_cap_usd: {EACH}, "))
    with caplog.at_level(logging.INFO):
        done = run()
    assert 1 <= len(server.calls) <= 2 * THREADS
    assert f"{TICKETS - len(server.calls)} answered by the embedded classifier: daily cap" in done.stderr
    assert not [record for record in caplog.records if record.name.startswith("triage")]


def test_answers_of_other_work_are_not_taken(server: Slow) -> None:
    Path("out.jsonl.part").write_text(json.dumps({"work": "another"}) + "\n" + json.dumps({"place": 0}) + "\n")
    assert "is of another input, classifier or settings: begun anew" in run().stderr
    assert len(server.calls) == TICKETS


def test_what_a_model_did_not_answer_for_nothing_is_asked_again(server: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    server.queue(fails(401))
    with monkeypatch.context() as patched:
        # Whatever ends the command after the answers.
        patched.setattr(Answers, "whole", lambda *_args, **_options: (_ for _ in ()).throw(OSError("disk full")))
        with pytest.raises(OSError, match="disk full"):
            run()
    server.queue(*LlmServer().replies)
    server.calls.clear()
    assert f"{TICKETS} (100%) by the language model" in run().stderr


def test_a_line_cut_short_costs_that_line_only(tmp_path: Path) -> None:
    file, said = tmp_path / "x.part", list[str]()
    with Answers(file, "mine", said.append) as answers:
        answers.add(0, KEPT)
        answers.add(2, replace(KEPT, row='{"id": 3}'))
    file.write_text(file.read_text() + '{"place": 1, "row": "{')
    with Answers(file, "mine", said.append) as answers:
        assert sorted(answers.by_place) == [0, 2]
        answers.add(1, replace(KEPT, row='{"id": 2}'))
    last = Answers(file, "mine", said.append)
    assert [line.split(": ")[1][:2] for line in said] == ["2 ", "3 "]
    last.whole(tmp_path / "out", replace=True)
    assert (tmp_path / "out").read_text() == '{"id": 1}\n{"id": 2}\n{"id": 3}\n'
    assert not file.exists()


def test_what_was_under_way_is_handed_over_when_one_fails() -> None:
    given = answer()
    started, taken = threading.Event(), list[int]()

    def ask(ticket: Ticket) -> Classification:
        if ticket.id == "0":
            started.wait(10)
            raise ValueError("broken")
        started.set()
        time.sleep(0.1)
        return given

    with pytest.raises(ValueError, match="broken"):
        ask_all({n: Ticket("", str(n)) for n in range(20)}, ask, 2, lambda place, _said: taken.append(place))
    assert 1 in taken
    assert len(taken) < 10
