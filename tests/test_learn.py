"""Learning from a file, from the command line: what is activated, what classify then says, what is refused."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result

from commands.classify import command as classify
from commands.learn import command as learn
from commands.rivals import ASKED_AT_MOST, LEAST_TICKETS, Rival, rows_to_ask
from tests.llm_server import LlmServer, running
from triage.store import open_store
from triage.store.migrate import migrate

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


def ran(content: list[dict[str, Any]], *options: str, desk: str = "acme") -> Result:
    """Run `learn`."""
    arguments = ["--file", written("train.jsonl", content), "--desk", desk, *options]
    return CliRunner().invoke(learn, arguments, catch_exceptions=False)


def taught(content: list[dict[str, Any]], *options: str, desk: str = "acme") -> str:
    """Run `learn` and return what it printed, on one line."""
    return " ".join(ran(content, *options, desk=desk).output.split())


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


class TestWhatCountsAsBetter:
    def test_equal_does_not_win(self) -> None:
        truth = list("abababababab")
        assert not Rival("x", truth, truth, truth, range(12)).beaten
        assert "no better" in Rival("x", truth, truth, truth, range(12)).verdict

    def test_a_clear_gain_on_ten_tickets_does(self) -> None:
        assert Rival("x", list("ababababab"), list("aaaaaaaaaa"), list("ababababab"), range(10)).beaten

    def test_one_ticket_more_is_chance(self) -> None:
        truth, ours = list("ab" * 20), list("ab" * 15 + "ba" * 5)
        theirs = ["a", "a", *ours[2:]]
        rival = Rival("x", truth, theirs, ours, range(40))
        assert not rival.beaten
        assert "perhaps chance" in rival.verdict

    def test_near_duplicates_are_one_proof(self) -> None:
        """Twelve copies of one ticket are drawn together, so that one stroke of luck does not count twelve times."""
        truth, theirs = ["a"] * 12 + ["b"] * 12, ["b"] * 12 + ["b"] * 12
        ours = list(truth)
        apart = Rival("x", truth, theirs, ours, range(24))
        together = Rival("x", truth, theirs, ours, [0] * 12 + list(range(1, 13)))
        assert apart.beaten
        assert not together.beaten

    def test_few_tickets_say_nothing(self) -> None:
        truth = list("abababa")
        rival = Rival("x", truth, ["b"] * 7, truth, range(7))
        assert len(truth) < LEAST_TICKETS
        assert not rival.beaten
        assert f"too few test tickets to tell: 7, it takes {LEAST_TICKETS}" in rival.verdict


def test_thirty_tickets_are_too_few_to_tell() -> None:
    assert "NOT activated: too few test tickets to tell" in taught(rows()[:30])
    assert "ACTIVE as model 1" in taught(rows()[:30], "--force")


def test_the_same_tickets_again_win_nothing() -> None:
    assert "ACTIVE" in taught(rows())
    said = taught(rows())
    assert "NOT activated" in said
    assert "running: learned before" in said
    assert "which flatters it" in said


def test_a_label_that_only_the_test_has_is_named() -> None:
    content = [row for row in rows() if row["primary_team"] != "Fleet"]
    content += [row for row in rows() if row["primary_team"] == "Fleet"][:20]
    for number, row in enumerate(content):
        row["created_at"] = number + 1
    assert "the test counts them as wrong: Fleet (20)" in taught(content)


def test_it_fits_a_terminal_of_80_columns() -> None:
    names = dict(zip(["\x1b[31m" + "Warehouse number one, " * 3, "B" * 90, "C"], MATTERS.values(), strict=True))
    content = rows(names)
    for row in content[::4]:
        row["primary_team"] = "C"
    content.append({"id": "x", "body": "The roof is leaking", "primary_team": "Roofers " * 20})
    for _ in range(2):  # the second time there is something learned before
        result = ran(content)
        assert "\x1b" not in result.stdout
        assert "read as" in result.stdout
        assert max(map(len, result.stdout.splitlines())) <= 80


def test_json_for_programs() -> None:
    found = json.loads(ran(rows(), "--json").stdout)
    (field,) = found["fields"]
    assert (field["field"], field["labels"], field["model"]) == ("primary_team", sorted(MATTERS), 1)
    assert field["running"]["name"] == "most frequent label"
    assert field["running"]["macro_f1"] < field["running"]["macro_f1_learned"] == field["macro_f1"]
    assert (found["asked"], found["cost_usd"]) == (0, 0.0)


@pytest.mark.parametrize("since", ["soon", "2999-01-01", "365"])
def test_a_period_that_is_none(since: str) -> None:
    with pytest.raises(Exception, match="--since"):
        CliRunner().invoke(learn, ["--desk", "acme", "--since", since], catch_exceptions=False)


def test_a_date_is_a_period_and_an_unknown_desk_is_named() -> None:
    with pytest.raises(Exception, match=r"--desk acme: no such desk in .* \(it has none\); name one, or a file"):
        CliRunner().invoke(learn, ["--desk", "acme", "--since", "2026-01-01"], catch_exceptions=False)


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[LlmServer]:
    with running() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        yield server


def known_teams(count: int) -> list[dict[str, Any]]:
    """Return dated tickets of teams that the language model knows."""
    content = rows(dict(zip(["billing", "security", "technical_bug"], MATTERS.values(), strict=True)))[:count]
    return [row | {"created_at": number + 1} for number, row in enumerate(content)]


def three_fields() -> list[dict[str, Any]]:
    """Return 60 dated tickets with three fields whose labels the language model knows."""
    content = known_teams(60)
    for number, row in enumerate(content):
        row["priority"] = "P1_high" if number % 2 else "P3_low"
        row["sentiment"] = "neutral" if number % 3 else "angry"
    return content


class TestAskingTheModel:
    def test_each_held_out_ticket_is_asked_once_for_all_fields_and_the_cost_is_told(self, model: LlmServer) -> None:
        Path("tandem.yaml").write_text("llm: {usd_per_million_input: 10, usd_per_million_output: 10}\n")
        result = ran(three_fields())
        assert len(model.calls) == 12
        assert len({model.prompt(call) for call in range(12)}) == 12
        told = " ".join(result.stderr.split())
        assert "answered 12 held-out tickets, the language model 12 of them: 10800 tokens in, 1200 out" in told
        assert "0.1200 USD" in told
        assert result.stdout.count("running: cascade") == 3
        assert max(map(len, result.output.splitlines())) <= 80

    def test_the_daily_cap_holds(self, model: LlmServer) -> None:
        priced = "usd_per_million_input: 10, usd_per_million_output: 10"
        Path("tandem.yaml").write_text(f"llm: {{{priced}, daily_cap_usd: 0.05}}\n")
        result = ran(known_teams(50))
        assert len(model.calls) == 5  # a cent each
        assert "5 answered by the embedded classifier: daily cap" in " ".join(result.stderr.split())

    def test_what_workers_spent_today_counts(self, model: LlmServer) -> None:
        priced = "usd_per_million_input: 10, usd_per_million_output: 10"
        Path("tandem.yaml").write_text(f"llm: {{{priced}, daily_cap_usd: 0.05}}\n")
        store = open_store(f"sqlite:///{Path.cwd()}/tandem.db")
        migrate(store.engine)
        now = datetime.now(UTC).timestamp()
        run, _ = store.runs.claim("acme", "1", "created", owner="w", now=now, lease_until=now + 30)
        store.runs.save(run, cost_usd=0.03)
        ran(known_teams(50))
        assert len(model.calls) == 2

    def test_nothing_is_sent_without_leave(self, model: LlmServer) -> None:
        assert "running: embedded" in ran(known_teams(50), "--no-model", "--force").stdout
        # Nor where something was learned already: that is what it is compared with.
        assert "running: learned before" in ran(known_teams(50)).stdout
        assert model.calls == []


def test_so_many_are_asked_at_most() -> None:
    lessons: Any = [SimpleNamespace(test_rows=range(0, 900)), SimpleNamespace(test_rows=range(500, 1500))]
    asked_rows = rows_to_ask(lessons)
    assert len(asked_rows) == len(set(asked_rows)) == ASKED_AT_MOST
    assert (asked_rows[0], asked_rows[-1]) == (0, 1499)
    assert rows_to_ask([]) == []
