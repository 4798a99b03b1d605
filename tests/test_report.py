"""The queue report: what is counted, what needs a person, and which period it is about."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fakes import answer

from commands.period import moment, period
from commands.report import command as report
from triage.decision import decide
from triage.errors import SettingsError
from triage.queue_report import agreement_of, queue_report
from triage.settings import Settings
from triage.store import Store
from triage.store.feedback import Vote
from triage.store.outcomes import Agreement, Outcome
from triage.store.runs import DONE, SKIPPED
from triage.ticket import Ticket

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = 86_400.0
YAML = """
desks:
  acme:
    platform: zendesk
    url: https://acme.zendesk.com
    auth: {oauth: {client_id: tandem, client_secret: secret}}
    webhook_secrets: [a-long-enough-secret]
"""


def triaged(
    store: Store,
    settings: Settings,
    ticket: str,
    at: float,
    desk: str = "acme",
    by: str = "embedded",
    drafted: str = "",
    **said: Any,
) -> None:
    """Record a run as the pipeline does."""
    occasion = said.pop("occasion", "created")
    run, _ = store.runs.claim(desk, ticket, occasion, owner="w", now=at, lease_until=at + 30)
    given = answer(said.pop("team", "billing"), said.pop("sure", 0.9), **said)
    decision = decide(Ticket(desk=desk, id=ticket), given, settings, settings.desks["acme"])
    kept = {"classification": given.model_dump(), "decision": decision.model_dump(), "classifier": by}
    store.runs.save(run, **kept, policy="p", cost_usd=0.5, drafted=drafted)
    store.runs.finish(run, DONE, at + 1)


def test_a_ticket_that_goes_on_counts_once_by_its_last_word(store: Store, settings: Settings) -> None:
    at = NOW.timestamp()
    triaged(store, settings, "1", at - 3 * DAY, priority="P2_medium")
    triaged(store, settings, "1", at - 2 * DAY, occasion="message:5", priority="P0_critical")
    waiting, _ = store.runs.claim("acme", "1", "asked:6", owner="w", now=at - DAY, lease_until=at)
    store.runs.finish(waiting, SKIPPED, at, "taken back")
    # This one came in before the period.
    triaged(store, settings, "2", at - 2 * DAY, occasion="message:7", priority="P0_critical")
    found = counted(store)
    assert (found["triaged"]["n"], found["states"], found["cost_usd"]) == (1, {DONE: 1}, 1.5)
    assert [(one["label"], one["n"]) for one in found["by"]["priority"] if one["n"]] == [("P0_critical", 1)]


@pytest.fixture
def queue(store: Store, settings: Settings) -> Store:
    """Return a store with a week of tickets and one ticket of the week before."""
    at = NOW.timestamp()
    triaged(store, settings, "1", at - 5 * DAY, priority="P0_critical", churn_risk="high")
    triaged(store, settings, "2", at - 4 * DAY, team="security", priority="P3_low", sentiment="neutral")
    triaged(store, settings, "3", at - 3 * DAY, sure=0.3, priority="P0_critical")
    triaged(store, settings, "4", at - 2 * DAY, desk="globex", priority="P2_medium", auto_resolution_possible=True)
    triaged(store, settings, "5", at - 8 * DAY, priority="P1_high")
    skipped, _ = store.runs.claim("acme", "6", "created", owner="w", now=at - DAY, lease_until=at)
    store.runs.finish(skipped, SKIPPED, at, "the ticket is closed")
    return store


def counted(store: Store, desk: str = "") -> dict[str, Any]:
    at = NOW.timestamp()
    runs = store.runs
    return queue_report(
        runs.begun_between(at - 7 * DAY, at, desk), runs.begun_between(at - 14 * DAY, at - 7 * DAY, desk), 2
    )


def rows(found: dict[str, Any], kind: str) -> dict[str, tuple[int, float, int]]:
    return {row["label"]: (row["n"], row["share"], row["before"]) for row in found["by"][kind]}


def test_counts_with_shares_and_the_period_before(queue: Store) -> None:
    found = counted(queue)
    assert found["triaged"] == {"n": 4, "before": 1}
    assert found["states"] == {"done": 4, "skipped": 1}
    assert rows(found, "priority") == {
        "P0_critical": (1, 0.25, 0),
        "P1_high": (0, 0.0, 1),
        "P2_medium": (1, 0.25, 0),
        "P3_low": (1, 0.25, 0),
        "not sure": (1, 0.25, 0),
    }
    assert rows(found, "primary_team") == {"billing": (2, 0.5, 1), "security": (1, 0.25, 0), "not sure": (1, 0.25, 0)}
    assert rows(found, "sentiment")["frustrated"] == (2, 0.5, 1)
    assert rows(found, "classifier") == {"embedded": (4, 1.0, 1)}
    assert found["cost_usd"] == pytest.approx(2.0)


def test_what_needs_attention_is_listed(queue: Store) -> None:
    concerns = {name: (one["n"], one["before"], one["tickets"]) for name, one in counted(queue)["attention"].items()}
    assert concerns == {
        "urgent": (1, 1, [{"desk": "acme", "id": "1"}]),
        "escalated": (1, 0, [{"desk": "acme", "id": "2"}]),
        "high_churn": (1, 0, [{"desk": "acme", "id": "1"}]),
        "abstained": (1, 0, [{"desk": "acme", "id": "3"}]),
        "auto_resolvable": (1, 0, [{"desk": "globex", "id": "4"}]),
    }


def test_one_desk_only_and_the_newest_tickets_first(queue: Store, settings: Settings) -> None:
    assert counted(queue, "globex")["triaged"] == {"n": 1, "before": 0}
    for number in range(5):
        triaged(queue, settings, f"9{number}", NOW.timestamp() - 100 + number, priority="P1_high")
    urgent = counted(queue)["attention"]["urgent"]
    assert (urgent["n"], [one["id"] for one in urgent["tickets"]]) == (6, ["94", "93"])


def test_what_was_forgotten_is_told_and_not_counted(queue: Store) -> None:
    assert queue.runs.drop_details(NOW.timestamp() - 4.5 * DAY) == 2
    found = counted(queue)
    assert (found["triaged"]["n"], found["forgotten"]) == (3, 1)


def test_agreement_with_people_is_added_up_over_desks() -> None:
    found = agreement_of([{"priority": Agreement(8, 6)}, {"priority": Agreement(2, 2), "sentiment": Agreement(0, 0)}])
    assert found == {"priority": {"n": 10, "agreed": 8, "share": 0.8}}


class TestCommand:
    @pytest.fixture
    def here(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sqlite_store: Store, settings: Settings) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "tandem.yaml").write_text(YAML)
        monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/tandem.db")
        for number in range(30):
            triaged(sqlite_store, settings, f"{number}", time.time() - 3600, priority="P1_high")

    def test_says_how_often_people_agreed(self, here: None, sqlite_store: Store) -> None:
        given = {"theirs": "P1_high", "written": True, "probability": 0.9, "probabilities": {}}
        for number, ours in enumerate(["P1_high", "P1_high", "P1_high", "P2_medium"]):
            seen = {"ours": ours, "agreed": ours == "P1_high", "final": True, "observed_at": time.time() - 60, **given}
            outcome = Outcome("acme", str(number), number + 1, "priority", classifier="embedded", **seen)
            sqlite_store.outcomes.save([outcome])
        lines = self.run().splitlines()
        place = lines.index("On tickets closed meanwhile, people agreed with")
        assert lines[place + 1].split() == ["priority", "4", "75%"]
        assert json.loads(self.run("--json"))["agreement"] == {"priority": {"n": 4, "agreed": 3, "share": 0.75}}

    def test_says_what_agents_said_by_links(self, here: None, sqlite_store: Store) -> None:
        assert "What agents said" not in self.run()
        assert json.loads(self.run("--json"))["feedback"]["draft_use"] is None
        said = ["right"] * 3 + ["wrong_team"] + ["draft_used"] * 3 + ["draft_unusable"]
        for number, verdict in enumerate(said):
            about, reason = ("draft", "too long") if verdict.startswith("draft") else ("triage", "")
            reason = reason if verdict == "draft_unusable" else ""
            at = time.time() - 60
            vote = Vote(1 + number % 4, "acme", "1", f"v{number}", about, verdict, reason=reason, created_at=at)
            sqlite_store.feedback.vote(vote)
        lines = self.run().splitlines()
        place = lines.index("What agents said by the links in 4 notes")
        assert [line.split() for line in lines[place + 1 : place + 6]] == [
            ["right", "3"],
            ["wrong", "team", "1"],
            ["wrong", "priority", "0"],
            ["draft", "used", "3", "75%", "of", "4"],
            ["draft", "unusable", "1", "1", "with", "a", "reason"],
        ]
        assert max(map(len, lines)) <= 80
        found = json.loads(self.run("--json", "--desk", "acme"))["feedback"]
        assert found == {
            "notes": 4,
            "right": 3,
            "wrong_team": 1,
            "wrong_priority": 0,
            "draft_used": 3,
            "draft_unusable": 1,
            "draft_use": 0.75,
            "reasons": 1,
        }

    def run(self, *options: str) -> str:
        done = CliRunner(env={"COLUMNS": "80"}).invoke(report, options, catch_exceptions=False)
        assert done.exit_code == 0
        return done.stdout

    def test_reads_well_in_80_columns(self, here: None) -> None:
        said = self.run("--tickets", "3")
        assert max(map(len, said.splitlines())) <= 80
        assert "30  100%  P0 and P1 (0 before)" in said
        assert "and 27 more" in said
        assert "P1 high" in said
        assert "no ticket was triaged" in self.run("--until", "2020-01-02", "--since", "2020-01-01")

    def test_what_only_a_model_says_is_no_nought_without_one(
        self, here: None, sqlite_store: Store, settings: Settings
    ) -> None:
        assert "-     -  an answer could resolve it: needs a language model" in self.run()
        assert json.loads(self.run("--json"))["by_model"] == 0
        triaged(sqlite_store, settings, "40", time.time() - 60, by="llm", auto_resolution_possible=False)
        assert "0    0%  an answer could resolve it (0 before)" in self.run()
        assert json.loads(self.run("--json"))["by_model"] == 1

    def test_counts_drafts_and_those_withheld(self, here: None, sqlite_store: Store, settings: Settings) -> None:
        assert "drafted" not in json.loads(self.run("--json"))["by"]
        for number, state in enumerate(["ready", "ready", "withheld"]):
            triaged(sqlite_store, settings, f"d{number}", time.time() - 60, drafted=state)
        found = {row["label"]: row["n"] for row in json.loads(self.run("--json"))["by"]["drafted"]}
        assert found == {"ready": 2, "withheld": 1, "quoted": 0, "none": 0}
        assert "draft reply" in self.run()

    def test_needs_no_settings(self, here: None, tmp_path: Path) -> None:
        (tmp_path / "tandem.yaml").unlink()
        assert "30 tickets triaged" in self.run()

    def test_programs_read_json(self, here: None) -> None:
        found = json.loads(self.run("--json", "--desk", "acme", "--since", "24h"))
        assert (found["desk"], found["triaged"]["n"]) == ("acme", 30)
        lengths = [datetime.fromisoformat(found[name]) for name in ("before_since", "since", "until")]
        assert lengths[2] - lengths[1] == lengths[1] - lengths[0]

    def test_a_desk_that_is_none_is_named(self, here: None) -> None:
        with pytest.raises(SettingsError, match=r"no such desk .* acme"):
            self.run("--desk", "nobody")


class TestPeriod:
    @pytest.mark.parametrize(
        ("given", "wanted"),
        [
            ("7d", "2026-11-13T12:00:00+00:00"),
            ("36h", "2026-11-19T00:00:00+00:00"),
            ("2026-11-01", "2026-11-01T00:00:00+00:00"),
            ("2026-11-01T12:30+02:00", "2026-11-01T12:30:00+02:00"),
        ],
    )
    def test_times_are_written_in_several_ways(self, given: str, wanted: str) -> None:
        assert moment("--since", given, NOW) == datetime.fromisoformat(wanted)

    @pytest.mark.parametrize("given", ["", "soon", "7w", "999999d", "2026-13-01", "x" * 500, "d"])
    def test_anything_else_is_an_error_that_helps(self, given: str) -> None:
        with pytest.raises(SettingsError, match=r"--since .* is no time; write it like 90d"):
            moment("--since", given, NOW)

    def test_the_end_is_after_the_start(self) -> None:
        with pytest.raises(SettingsError, match="--since 1d is not before --until 2d"):
            period("1d", "2d", NOW)
        assert period("1d", "", NOW)[1] == NOW
