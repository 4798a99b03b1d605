"""Learning from a file, from the command line: what is activated, what classify then says, what is refused."""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from commands.classify import command as classify
from commands.learn import command as learn
from triage.store import open_store

MATTERS = {
    "Kitchen & Catering": ["the oven in the canteen", "lunch for the board", "the coffee machine", "vegan dishes"],
    "Payroll": ["my payslip for March", "the overtime of last month", "my bonus payment", "the tax form"],
    "Fleet": ["the delivery van", "a flat tyre", "the fuel card", "the company car"],
}
ASKS = [
    "Please look at {}.",
    "There is a problem with {} again.",
    "Who can help me with {}?",
    "I have to ask about {}.",
]
ENDS = ["Thanks, Kim", "It is urgent today.", "No hurry at all.", "My colleague said to write here.", "Best, Lou"]


def rows(labels: dict[str, list[str]] = MATTERS, field: str = "primary_team") -> list[dict[str, Any]]:
    """Return 80 tickets per label in an order that is always the same."""
    made = [
        {"id": f"{label}-{ask}-{end}-{what}", "subject": "", "body": f"{ask.format(what)} {end}", field: label}
        for label, known in labels.items()
        for what, ask, end in itertools.product(known, ASKS, ENDS)
    ]
    random.Random(3).shuffle(made)
    return made


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/tandem.db")


def written(name: str, content: list[dict[str, Any]]) -> str:
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in content))
    return name


def taught(content: list[dict[str, Any]], *options: str, desk: str = "acme") -> str:
    """Run `learn` and return what it printed."""
    arguments = ["--file", written("train.jsonl", content), "--desk", desk, *options]
    return CliRunner().invoke(learn, arguments, catch_exceptions=False).output


def asked(bodies: list[str], desk: str = "acme") -> list[dict[str, Any]]:
    """Run `classify` and return its rows."""
    source = written("in.jsonl", [{"id": number, "body": body} for number, body in enumerate(bodies)])
    result = CliRunner().invoke(
        classify, ["--file", source, "--out", "out.jsonl", "--desk", desk], catch_exceptions=False
    )
    assert result.exit_code == 0
    return [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]


def test_a_desk_nobody_set_up_learns_its_own_teams_and_uses_them() -> None:
    said = taught(rows())
    assert "ACTIVE as model 1" in said
    assert "random fifth" in said
    answers = asked(["The espresso machine is leaking", "My salary slip is wrong", "The van will not start", ""])
    assert [row["primary_team"] for row in answers[:3]] == list(MATTERS)
    for row in answers:
        assert set(row["probabilities"]["primary_team"]) <= {*MATTERS, "none"}
        assert row["priority"] in {"P0_critical", "P1_high", "P2_medium", "P3_low"}  # nothing learned: as before
        for chances in row["probabilities"].values():
            assert sum(chances.values()) == pytest.approx(1, abs=1e-6)
    assert answers[0]["classifier"] == "embedded+learned"
    assert "primary_team" in answers[3]["abstained"]


def test_own_names_work_for_every_field() -> None:
    content = rows()
    for row, other in zip(content, rows(dict(zip("ABC", MATTERS.values(), strict=True)), "priority"), strict=True):
        row["priority"] = other["priority"]
        row["sentiment"] = "calm" if "hurry" in row["body"] else "tense"
    said = taught(content)
    assert said.count("ACTIVE") == 3
    (row,) = asked(["No hurry at all: a question about the fuel card"])
    assert (row["priority"], row["sentiment"]) == ("C", "calm")


def test_the_newest_tickets_are_the_test() -> None:
    content = rows()
    for number, row in enumerate(content):
        row["created_at"] = f"2026-{1 + number // 28:02d}-{1 + number % 28:02d}T08:00:00Z"
    assert "the newest fifth (48 tickets)" in taught(content)


def test_what_is_no_better_is_not_activated() -> None:
    taught(rows())
    # The newest fifth is labelled well, so what is running is right there; all older tickets are labelled at random.
    wrong = rows()
    older = len(wrong) * 4 // 5
    labels = [row["primary_team"] for row in wrong[:older]]
    random.Random(1).shuffle(labels)
    for number, row in enumerate(wrong):
        label = labels[number] if number < older else row["primary_team"]
        row |= {"primary_team": label, "body": f"{row['body']} Ticket of day {number}.", "created_at": number + 1}
    assert "NOT activated" in taught(wrong)
    assert asked(["My salary slip is wrong"])[0]["primary_team"] == "Payroll"
    assert "ACTIVE as model 2" in taught(wrong, "--force")


def test_a_dry_run_keeps_nothing() -> None:
    assert "dry run: would be activated" in taught(rows(), "--dry-run")
    assert open_store(f"sqlite:///{Path.cwd()}/tandem.db").models.active("acme") == []


def test_labels_with_too_few_tickets_are_named_and_left_out() -> None:
    said = taught([*rows(), {"id": "x", "body": "The roof is leaking", "primary_team": "Roofers"}])
    assert "left out: Roofers (1)" in said
    assert "Roofers" not in asked(["The roof is leaking"])[0]["probabilities"]["primary_team"]


def test_fifty_tickets_are_a_start() -> None:
    assert "ACTIVE" in taught(rows()[:50])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([{"id": 1, "body": "x"}], "no row has a label"),
        ([{"id": 1, "body": "x", "priority": ["a"]}], "line 1: 'priority' must be a string"),
        ([{"id": 1, "body": "x", "priority": "a", "created_at": "soon"}], "line 1: 'created_at' must be an ISO time"),
        ([{"id": 1, "body": 5, "priority": "a"}], "line 1: row 1: 'body' must be a string"),
    ],
)
def test_wrong_rows_are_named(content: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(Exception, match=said):
        taught(content)


def test_too_few_tickets_say_how_many_are_needed() -> None:
    content = [{"id": number, "body": "x", "primary_team": "a"} for number in range(30)]
    arguments = ["--file", written("train.jsonl", content), "--desk", "acme"]
    result = CliRunner().invoke(learn, arguments, catch_exceptions=False)
    assert "30 usable tickets with 1 labels; learning needs 20 tickets and 2 labels" in " ".join(result.stderr.split())
    assert "ACTIVE" not in result.stdout


def test_a_desk_without_settings_and_lessons_is_an_error_that_helps() -> None:
    with pytest.raises(
        Exception, match=r"nothing was learned under that name; .* learn --file TRAIN.jsonl --desk acme"
    ):
        asked(["x"])
