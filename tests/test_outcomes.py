"""What people made of a triage: read off the changed tickets of both vendors, once, whatever order they come in."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
import requests
from test_connector_sandbox import CREDENTIALS, Box

from connectors.base import Changed, Changes
from sandbox.config import SandboxConfig
from sandbox.testing import Running, running
from tests.fakes import FakeClassifier, FakeConnector, answer
from triage.classification import NO_TEAM, Classification
from triage.classify.correction import Correction, corrected
from triage.classify.recalibrate import DEFAULTS, LOGPROBS
from triage.people import agrees, labels_in, priority_beside, team_beside
from triage.settings import Mode, Settings
from triage.store import Store, tables
from triage.store.marks import POLL
from triage.store.outcomes import Agreement, Outcome
from triage.store.runs import Run
from triage.ticket import Status
from webhooks.metrics import StoreCollector
from workers.outcomes import observe
from workers.pipeline import triage
from workers.sweep import DAY_SECONDS, forget, reconcile, reconcile_due
from workers.tools import Tools

START = 1_795_000_000.0
# Whole seconds pass between what we write and what people do.
LATER = 60.0


def with_mode(settings: Settings, mode: Mode, desk: str = "acme") -> Settings:
    changed = settings.desks[desk].model_copy(update={"mode": mode})
    return settings.model_copy(update={"desks": {**settings.desks, desk: changed}})


class Case:
    """One ticket that was triaged in one mode, and what people do with it."""

    def __init__(self, store: Store, settings: Settings, mode: Mode, given: Classification, **ticket: Any) -> None:
        self.store, self.settings = store, with_mode(settings, mode)
        connector = FakeConnector()
        connector.add("7", **ticket)
        run, _ = store.runs.claim("acme", "7", "created", owner="w", now=time.time(), lease_until=time.time() + 30)
        triage(run, Tools(connector, FakeClassifier(given), store, self.settings, self.settings.desks["acme"]))
        done = store.runs.get(run.id)
        assert done is not None
        self.run: Run = done
        shown = connector.tickets["7"].ticket
        moment = datetime.fromtimestamp(done.finished_at or 0, UTC)
        # The pretend helpdesk keeps a group by its name.
        self.row = Changed("7", Status.OPEN, moment, moment, shown.group_id, shown.priority, tags=shown.tags)

    def row_of(self, after: float = LATER, **changes: Any) -> Changed:
        """Return the ticket as it stands `after` seconds, with what people changed."""
        moment = datetime.fromtimestamp((self.run.finished_at or 0) + after, UTC)
        return replace(self.row, updated_at=moment, **changes)

    def see(self, *rows: Changed) -> dict[str, Outcome]:
        observe(self.settings, self.store, "acme", rows)
        return self.store.outcomes.of_run(self.run.id)

    def retagged(self, old: str, new: str) -> tuple[str, ...]:
        return tuple(new if tag == old else tag for tag in self.row.tags)


@pytest.fixture
def written(sqlite_store: Store, settings: Settings) -> Case:
    """Return a ticket on which everything was written: billing, P1, frustrated, medium."""
    case = Case(sqlite_store, settings, Mode.WRITE, answer())
    assert (case.row.group, case.row.priority) == ("Finance & Billing", "high")
    return case


@pytest.fixture
def written_in_both(store: Store, settings: Settings) -> Case:
    """Return the same, once per kind of database."""
    return Case(store, settings, Mode.WRITE, answer())


@pytest.fixture
def watched(sqlite_store: Store, settings: Settings) -> Case:
    """Return a ticket on which nothing was written."""
    return Case(sqlite_store, settings, Mode.WATCH, answer())


class TestATicketThatWentOn:
    def later(self, case: Case, given: Classification) -> Run:
        """Let a later run of the ticket be done."""
        now = (case.run.finished_at or 0) + 5
        run, _ = case.store.runs.claim("acme", "7", "message:5", owner="w", now=now, lease_until=now + 30)
        case.store.runs.save(run, classification=given.model_dump(), classifier="fake")
        case.store.runs.finish(run, "done", now)
        return run

    def test_counts_once_by_its_last_run(self, written_in_both: Case) -> None:
        case = written_in_both
        assert len(case.see(case.row_of(status=Status.SOLVED))) == 4
        run = self.later(case, answer(priority="P0_critical"))
        assert case.see(case.row_of(LATER * 2, status=Status.SOLVED)) == {}
        found = case.store.outcomes.of_run(run.id)
        assert (found["priority"].ours, found["priority"].theirs) == ("P0_critical", "P1_high")
        agreement = case.store.outcomes.agreement("acme", 0, time.time() + DAY_SECONDS)
        assert {one.n for one in agreement.values()} == {1}

    def test_what_the_first_run_wrote_still_is_ours(self, written_in_both: Case) -> None:
        case = written_in_both
        run = self.later(case, answer())
        case.see(case.row_of(LATER * 2, group="Security"))
        found = case.store.outcomes.of_run(run.id)
        assert (found["primary_team"].theirs, found["primary_team"].written) == ("security", True)


class TestWritten:
    def test_our_own_echo_proves_nothing(self, written: Case) -> None:
        assert written.see(written.row_of()) == {}

    def test_what_stands_at_the_end_was_agreed_with(self, written: Case) -> None:
        found = written.see(written.row_of(status=Status.SOLVED))
        assert {name: (one.ours, one.theirs, one.agreed) for name, one in found.items()} == {
            "primary_team": ("billing", "billing", True),
            "priority": ("P1_high", "P1_high", True),
            "sentiment": ("frustrated", "frustrated", True),
            "churn_risk": ("medium", "medium", True),
        }
        assert all(one.final and one.written for one in found.values())
        team = found["primary_team"]
        assert (team.classifier, team.probability, team.ticket_id, team.desk) == ("fake", 0.9, "7", "acme")
        assert team.probabilities is not None
        assert sum(team.probabilities.values()) == pytest.approx(1)

    def test_what_a_person_replaces_is_an_override_at_once(self, written: Case) -> None:
        found = written.see(written.row_of(group="Security", priority="urgent"))
        assert set(found) == {"primary_team", "priority"}
        assert (found["primary_team"].theirs, found["priority"].theirs) == ("security", "P0_critical")
        assert not any(one.agreed or one.final for one in found.values())

    def test_and_is_forgotten_when_it_is_taken_back(self, written: Case) -> None:
        written.see(written.row_of(group="Security"))
        assert written.see(written.row_of(2 * LATER)) == {}
        found = written.see(written.row_of(3 * LATER, status=Status.SOLVED))
        assert found["primary_team"].agreed

    def test_a_replaced_tag_is_an_override_too(self, written: Case) -> None:
        tags = written.retagged("ai_sentiment_frustrated", "ai_sentiment_neutral")
        found = written.see(written.row_of(tags=tags))
        assert {name: one.theirs for name, one in found.items()} == {"sentiment": "neutral"}

    def test_a_tag_beside_ours_is_one_as_well(self, written: Case) -> None:
        found = written.see(written.row_of(tags=(*written.row.tags, "ai_churn_high")))
        assert {name: one.theirs for name, one in found.items()} == {"churn_risk": "high"}

    def test_a_tag_that_was_only_removed_says_nothing(self, written: Case) -> None:
        tags = tuple(tag for tag in written.row.tags if "churn" not in tag)
        found = written.see(written.row_of(tags=tags, status=Status.SOLVED))
        assert "churn_risk" not in found

    def test_nor_does_a_group_that_was_only_removed(self, written: Case) -> None:
        assert "primary_team" not in written.see(written.row_of(group=None, status=Status.SOLVED))

    def test_the_vendors_default_is_a_choice_where_we_had_set_another(self, written: Case) -> None:
        found = written.see(written.row_of(priority="low", priority_is_default=True))
        assert found["priority"].theirs == "P3_low"

    def test_a_group_that_is_no_teams_keeps_its_name(self, written: Case) -> None:
        found = written.see(written.row_of(group="Legal", status=Status.CLOSED))
        assert (found["primary_team"].theirs, found["primary_team"].agreed) == ("Legal", False)


class TestWatched:
    def test_nothing_counts_before_the_end(self, watched: Case) -> None:
        assert watched.see(watched.row_of(group="Security", priority="urgent")) == {}

    def test_group_and_priority_are_the_truth_at_the_end(self, watched: Case) -> None:
        found = watched.see(watched.row_of(group="security ", priority="high", status=Status.SOLVED))
        assert {name: (one.theirs, one.agreed, one.written) for name, one in found.items()} == {
            "primary_team": ("security", False, False),
            "priority": ("P1_high", True, False),
        }

    def test_a_default_priority_and_no_group_are_nobodys_choice(self, watched: Case) -> None:
        row = watched.row_of(priority="low", priority_is_default=True, status=Status.SOLVED)
        assert watched.see(row) == {}
        assert watched.see(replace(row, priority=None, priority_is_default=False)) == {}

    def test_tags_that_people_set_count(self, watched: Case) -> None:
        found = watched.see(watched.row_of(tags=("ai_team_security", "ai_sentiment_positive"), status=Status.SOLVED))
        assert {name: (one.theirs, one.written) for name, one in found.items()} == {
            "primary_team": ("security", False),
            "sentiment": ("positive", False),
        }

    def test_two_tags_say_nothing(self, watched: Case) -> None:
        tags = ("ai_sentiment_positive", "ai_sentiment_neutral")
        assert watched.see(watched.row_of(tags=tags, status=Status.SOLVED)) == {}

    @pytest.mark.parametrize(
        "end", [{"status": Status.DELETED}, {"status": Status.SPAM}, {"status": Status.CLOSED, "merged": True}]
    )
    def test_what_nobody_worked_on_says_nothing(self, watched: Case, end: dict[str, Any]) -> None:
        assert watched.see(watched.row_of(group="Security", **end)) == {}


class TestOtherCases:
    def test_tagged_only_and_routed_by_people(self, sqlite_store: Store, settings: Settings) -> None:
        case = Case(sqlite_store, settings, Mode.TAG, answer())
        assert case.see(case.row_of(group="Security")) == {}
        found = case.see(case.row_of(group="Security", status=Status.SOLVED))
        assert (found["primary_team"].theirs, found["primary_team"].written) == ("security", True)

    def test_none_of_our_teams_is_right_for_a_foreign_group(self, sqlite_store: Store, settings: Settings) -> None:
        case = Case(sqlite_store, settings, Mode.WATCH, answer(NO_TEAM))
        found = case.see(case.row_of(group="Legal", status=Status.SOLVED))
        assert found["primary_team"].agreed
        found = case.see(case.row_of(2 * LATER, group="Security", status=Status.SOLVED))
        assert not found["primary_team"].agreed

    def test_what_was_said_before_a_correction_is_kept(self, sqlite_store: Store, settings: Settings) -> None:
        """Else the next fit would start from the last one's result."""
        said = answer(sure=0.97)
        shown = corrected(said, {("fake", "primary_team"): Correction(2.0, {})}, None)
        case = Case(sqlite_store, settings, Mode.WRITE, shown)
        team = case.see(case.row_of(status=Status.SOLVED))["primary_team"]
        assert team.probability == pytest.approx(shown.probability("primary_team"))
        assert team.probability < 0.9
        assert team.probabilities == pytest.approx(said.probabilities["primary_team"])

    @pytest.mark.parametrize(("source", "temperature"), [({}, 1.0), ({"priority": LOGPROBS}, DEFAULTS[LOGPROBS])])
    def test_the_temperature_it_is_shown_with_anyway_is_kept(
        self, sqlite_store: Store, settings: Settings, source: dict[str, str], temperature: float
    ) -> None:
        case = Case(sqlite_store, settings, Mode.WRITE, answer(probability_sources=source))
        found = case.see(case.row_of(status=Status.SOLVED))
        assert found["priority"].default_temperature == temperature
        assert found["primary_team"].default_temperature == 1.0

    def test_what_was_read_before_we_wrote_is_no_override(self, written: Case) -> None:
        assert written.see(written.row_of(-2.0, group=None, priority="low", priority_is_default=True)) == {}

    def test_tickets_without_a_done_run_are_left_alone(self, sqlite_store: Store, settings: Settings) -> None:
        sqlite_store.runs.claim("acme", "7", "created", owner="w", now=START, lease_until=START + 30)
        moment = datetime.fromtimestamp(START + 99, UTC)
        observe(settings, sqlite_store, "acme", [Changed("7", Status.SOLVED, moment, moment, "Security", "high")])
        observe(settings, sqlite_store, "acme", [])
        assert sqlite_store.outcomes.counts() == {}

    def test_a_run_whose_details_are_gone_says_nothing_new(self, watched: Case) -> None:
        assert watched.store.runs.drop_details(time.time() + 99) == 1
        assert watched.see(watched.row_of(group="Security", status=Status.SOLVED)) == {}


class TestOrder:
    def test_pages_may_come_again(self, written_in_both: Case) -> None:
        rows = [
            written_in_both.row_of(group="Security"),
            written_in_both.row_of(2 * LATER, group="Security", status=Status.SOLVED),
        ]
        first = written_in_both.see(*rows)
        assert written_in_both.see(*rows) == first
        assert written_in_both.see(*reversed(rows), *rows) == first
        assert written_in_both.store.outcomes.counts() == {
            ("acme", "primary_team", False): 1,
            ("acme", "priority", True): 1,
            ("acme", "sentiment", True): 1,
            ("acme", "churn_risk", True): 1,
        }

    def test_and_late(self, written_in_both: Case) -> None:
        final = written_in_both.see(written_in_both.row_of(3 * LATER, group="Product", status=Status.SOLVED))
        assert final["primary_team"].theirs == "feature_request"
        assert written_in_both.see(written_in_both.row_of(LATER, group="Security")) == final
        assert written_in_both.see(written_in_both.row_of(2 * LATER)) == final

    def test_a_ticket_opened_again_is_judged_again_when_it_ends(self, written_in_both: Case) -> None:
        written_in_both.see(written_in_both.row_of(status=Status.SOLVED))
        assert written_in_both.see(written_in_both.row_of(2 * LATER))["primary_team"].agreed
        found = written_in_both.see(written_in_both.row_of(3 * LATER, group="Security", status=Status.SOLVED))
        assert found["primary_team"].theirs == "security"

    def test_two_observers_at_once_write_one_row(self, written_in_both: Case) -> None:
        rows = [written_in_both.row_of(n, group="Security", status=Status.SOLVED) for n in (10.0, 20.0)]
        errors: list[BaseException] = []

        def look(which: int) -> None:
            try:
                for _ in range(10):
                    written_in_both.see(rows[which])
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=look, args=(which,)) for which in (0, 1, 0, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors
        found = written_in_both.store.outcomes.of_run(written_in_both.run.id)
        assert found["primary_team"].observed_at == rows[1].updated_at.timestamp()
        assert sum(written_in_both.store.outcomes.counts().values()) == 4


def test_a_long_page_of_open_and_solved_tickets(store: Store, settings: Settings) -> None:
    count, said, moment = 400, answer().model_dump(), datetime.fromtimestamp(START, UTC)
    run = {"desk": "acme", "occasion": "created", "state": "done", "created_at": START, "finished_at": START}
    wrote = {"priority": "high", "group": "Security"}
    effect = {"kind": "note", "state": "confirmed", "intent": wrote, "after": wrote, "created_at": START}
    numbers = range(1, count + 1)
    with store.engine.begin() as connection:
        rows = [{"id": n, "ticket_id": str(n), "reference": str(n), "classification": said, **run} for n in numbers]
        connection.execute(tables.runs.insert(), rows)
        connection.execute(tables.effects.insert(), [{"run_id": n, **effect} for n in numbers])
    row = Changed("", Status.OPEN, moment, moment, "Privacy", "high")
    observe(settings, store, "acme", [replace(row, ticket_id=str(n)) for n in numbers])
    assert store.outcomes.counts() == {("acme", "primary_team", False): count}
    later = replace(row, updated_at=datetime.fromtimestamp(START + LATER, UTC), group="Security")
    ends = (Status.OPEN, Status.SOLVED)
    observe(settings, store, "acme", [replace(later, ticket_id=str(n), status=ends[n % 2]) for n in numbers])
    # All were taken back, and half were solved; the group that was written counts, whatever the settings name by now.
    assert store.outcomes.counts() == {
        ("acme", "primary_team", True): count // 2,
        ("acme", "priority", True): count // 2,
    }


class TestInOurWords:
    def test_ties_are_for_what_we_chose(self, settings: Settings) -> None:
        teams = {
            name: team.model_copy(update={"group": "Support"}) if name in ("billing", "onboarding") else team
            for name, team in settings.teams.items()
        }
        priorities = {
            name: priority.model_copy(update={"helpdesk": "medium"}) if name != "P0_critical" else priority
            for name, priority in settings.priorities.items()
        }
        shared = settings.model_copy(update={"teams": teams, "priorities": priorities})
        assert team_beside("billing", "SUPPORT", shared) == "billing"
        assert team_beside("security", "support", shared) == "onboarding"
        assert priority_beside("P2_medium", "normal", shared) == "P2_medium"
        assert priority_beside("P0_critical", "normal", shared) == "P3_low"
        assert priority_beside("P1_high", "low", shared) == "low"

    def test_a_desks_own_labels_are_compared_by_name(self, settings: Settings) -> None:
        assert team_beside("fleet", "Fleet", settings) == "fleet"
        assert agrees("primary_team", "fleet", "fleet", settings)

    def test_labels_are_read_back_from_tags(self, settings: Settings) -> None:
        tags = ("vip", "ai_triaged", "ai_priority_p0", "ai_team_data_privacy", "ai_sentiment_bored")
        assert labels_in(tags, "priority", settings) == {"P0_critical"}
        assert labels_in(tags, "primary_team", settings) == {"data_privacy"}
        assert labels_in(tags, "sentiment", settings) == set()


def outcome_of(run_id: int, **changes: Any) -> Outcome:
    """Return an outcome that agreed, with what `changes` says otherwise."""
    values: dict[str, Any] = {
        "desk": "acme",
        "ticket_id": str(run_id),
        "run_id": run_id,
        "field": "priority",
        "ours": "P1_high",
        "theirs": "P1_high",
        "agreed": True,
        "written": False,
        "probability": 0.9,
        "probabilities": {"P1_high": 0.9, "P2_medium": 0.1},
        "classifier": "embedded",
        "final": True,
        "observed_at": START,
    }
    return Outcome(**{**values, **changes})


class TestStore:
    def fill(self, store: Store, *changes: dict[str, Any]) -> None:
        for number, change in enumerate(changes):
            run, _ = store.runs.claim("acme", str(number), "created", owner="w", now=START + number, lease_until=START)
            store.outcomes.save([outcome_of(run.id, **change)])

    def test_agreement_is_counted_by_field_and_classifier(self, store: Store) -> None:
        wrong = {"theirs": "P2_medium", "agreed": False}
        self.fill(
            store,
            {},
            {},
            wrong,
            {"classifier": "llm", **wrong},
            {"field": "primary_team"},
            {"desk": "globex"},
            {"observed_at": START + 100},
            {"final": False, **wrong},
        )
        found = store.outcomes.agreement("acme", START, START + 100)
        assert set(found) == {"priority", "primary_team"}
        priority = found["priority"]
        assert (priority.n, priority.agreed, priority.overridden, priority.share) == (4, 2, 2, 0.5)
        assert dict(priority.by_classifier) == {"embedded": Agreement(3, 2), "llm": Agreement(1, 0)}
        assert store.outcomes.agreement("initech", 0, START * 2) == {}

    def test_metrics_count_every_outcome(self, store: Store) -> None:
        wrong = {"theirs": "P2_medium", "agreed": False}
        self.fill(store, {}, {}, wrong, {"final": False, **wrong}, {"desk": "globex"})
        (family,) = (one for one in StoreCollector(store).collect() if one.name == "tandem_outcomes_total")
        assert {tuple(one.labels.values()): one.value for one in family.samples} == {
            ("acme", "priority", "true"): 2,
            ("acme", "priority", "false"): 2,
            ("globex", "priority", "true"): 1,
        }

    def test_the_newest_final_ones_are_given_oldest_first(self, store: Store) -> None:
        self.fill(
            store,
            *({"observed_at": START + n, "ours": str(n)} for n in range(5)),
            {"final": False},
            {"probabilities": {}, "classifier": "llm"},
        )
        newest = store.outcomes.final("acme", "priority", "embedded", 0, 3)
        assert [one.ours for one in newest] == ["2", "3", "4"]
        assert [one.ours for one in store.outcomes.final("acme", "priority", "embedded", START + 4, 3)] == ["4"]
        assert store.outcomes.kinds("acme") == [("embedded", "priority"), ("llm", "priority")]

    def test_probabilities_are_kept_as_long_as_run_details(self, store: Store, settings: Settings) -> None:
        days = settings.retention.run_details
        self.fill(
            store, {"observed_at": START - (days + 1) * DAY_SECONDS}, {"observed_at": START - (days - 1) * DAY_SECONDS}
        )
        assert forget(settings, store, START) == 1
        assert forget(settings, store, START) == 0
        assert len(store.outcomes.final("acme", "priority", "embedded", 0, 9)) == 1
        assert store.outcomes.agreement("acme", 0, START)["priority"].n == 2


class TestReconcile:
    def test_every_page_is_observed(self, written: Case) -> None:
        connector = FakeConnector()
        reconcile("acme", connector, written.store, START)
        for cursor, more, row in (
            ("c1", True, written.row_of(group="Security")),
            ("c2", False, written.row_of(90.0, group="Product")),
        ):
            connector.pages.append(Changes((row,), cursor, more))
        now = time.time()
        reconcile_due(written.settings, written.store, lambda _: connector, now)
        assert written.store.outcomes.of_run(written.run.id)["primary_team"].theirs == "feature_request"

    def test_a_failing_observer_breaks_nothing(self, sqlite_store: Store, caplog: pytest.LogCaptureFixture) -> None:
        connector = FakeConnector()
        reconcile("acme", connector, sqlite_store, START)
        moment = datetime.fromtimestamp(START + 10, UTC)
        seen: list[str] = []

        def broken(_desk: str, _tickets: object) -> None:
            raise KeyError("my card is 4111")

        connector.pages.append(Changes((Changed("1", Status.NEW, moment, moment),), "c1", more=False))
        caplog.set_level(logging.DEBUG)
        observers = (broken, lambda desk, tickets: seen.append(f"{desk} {tickets[0].ticket_id}"))
        assert reconcile("acme", connector, sqlite_store, START + 300, observers) == 1
        assert seen == ["acme 1"]
        assert "an observer failed (KeyError)" in caplog.text
        assert "4111" not in caplog.text
        saved = sqlite_store.cursors.get("acme", POLL)
        assert saved is not None
        assert '"c1"' in saved[0]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Running]:
    with running(SandboxConfig(**CREDENTIALS, zendesk_incremental_limit=1000)) as found:
        yield found


@pytest.mark.parametrize("vendor", ["zendesk", "freshdesk"])
class TestSandbox:
    """Both helpdesks, from triage to the agent's last click, through the reconciliation itself."""

    def triaged(self, store: Store, box: Box, mode: Mode, count: int = 1) -> tuple[Settings, list[str]]:
        settings = Settings(desks={"desk": box.settings.model_copy(update={"mode": mode})})
        # As if reconciliation had begun before any of the sandbox's tickets.
        cursor = {"zendesk": "1600000000", "freshdesk": "2020-01-01T00:00:00Z"}[box.vendor]
        store.cursors.set("desk", POLL, f'{{"cursor": "{cursor}", "since": 0}}', 0.0)
        ids = [box.ticket() for _ in range(count)]
        for ticket_id in ids:
            now = time.time()
            run, _ = store.runs.claim("desk", ticket_id, "created", owner="w", now=now, lease_until=now + 30)
            triage(run, Tools(box.connector, FakeClassifier(), store, settings, settings.desks["desk"]))
        return settings, ids

    def outcomes(self, store: Store, settings: Settings, box: Box, ticket_id: str) -> dict[str, tuple[str, bool, bool]]:
        reconcile("desk", box.connector, store, time.time(), (partial(observe, settings, store),))
        run = store.runs.of_ticket("desk", ticket_id)
        assert run is not None
        return {name: (one.theirs, one.agreed, one.final) for name, one in store.outcomes.of_run(run.id).items()}

    def test_from_our_note_to_the_agents_last_click(self, store: Store, sandbox: Running, vendor: str) -> None:
        box = Box(sandbox, vendor)
        settings, (kept, moved) = self.triaged(store, box, Mode.WRITE, 2)
        assert (box.shown(moved)["group"], box.shown(moved)["priority"]) == ("Finance & Billing", "high")
        assert self.outcomes(store, settings, box, moved) == {}
        time.sleep(1.1)  # the vendors' times have whole seconds
        box.act(moved, group="Security", priority="urgent", tags_remove=["ai_churn_medium"], tags_add=["ai_churn_high"])
        assert self.outcomes(store, settings, box, moved) == {
            "primary_team": ("security", False, False),
            "priority": ("P0_critical", False, False),
            "churn_risk": ("high", False, False),
        }
        end = {"zendesk": "solved", "freshdesk": "resolved"}[vendor]
        for ticket_id in (kept, moved):
            box.act(ticket_id, status=end)
        assert self.outcomes(store, settings, box, kept) == {
            "primary_team": ("billing", True, True),
            "priority": ("P1_high", True, True),
            "sentiment": ("frustrated", True, True),
            "churn_risk": ("medium", True, True),
        }
        assert self.outcomes(store, settings, box, moved) == {
            "primary_team": ("security", False, True),
            "priority": ("P0_critical", False, True),
            "sentiment": ("frustrated", True, True),
            "churn_risk": ("high", False, True),
        }

    def test_watching_learns_from_what_people_set(self, store: Store, sandbox: Running, vendor: str) -> None:
        box = Box(sandbox, vendor)
        settings, (untouched, set_) = self.triaged(store, box, Mode.WATCH, 2)
        time.sleep(1.1)
        end = {"zendesk": "solved", "freshdesk": "resolved"}[vendor]
        box.act(untouched, status=end)
        box.act(set_, group="Finance & Billing", priority="urgent", status=end)
        assert self.outcomes(store, settings, box, untouched) == {}
        assert self.outcomes(store, settings, box, set_) == {
            "primary_team": ("billing", True, True),
            "priority": ("P0_critical", False, True),
        }

    def test_costs_the_list_and_the_groups_names_once(self, store: Store, sandbox: Running, vendor: str) -> None:
        box = Box(sandbox, vendor)
        settings, (ticket_id,) = self.triaged(store, box, Mode.WRITE)
        time.sleep(1.1)
        box.act(ticket_id, group="Security")
        requests.delete(f"{box.url}/calls", timeout=10)
        fresh = Box(sandbox, vendor)
        assert self.outcomes(store, settings, fresh, ticket_id)
        box.act(ticket_id, group="Product")
        assert self.outcomes(store, settings, fresh, ticket_id)
        calls = requests.get(f"{box.url}/calls", timeout=10).json()["calls"]
        paths = [call["path"] for call in calls if "oauth" not in call["path"]]
        assert len([path for path in paths if "groups" in path]) == 1
        assert not [
            path
            for path in paths
            if "groups" not in path and "incremental" not in path and not path.endswith("/tickets")
        ]
