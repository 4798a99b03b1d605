"""Refitting from outcomes: over-confidence is mended, honesty left alone, labels never moved, and workers follow."""

from __future__ import annotations

import json
import random
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from test_outcomes import START, outcome_of

from commands.calibrate import command
from tests.desks import SETTINGS, VARIABLES
from tests.fakes import FakeClassifier, answer
from triage.classification import NO_TEAM
from triage.classify.calibration import SURELY
from triage.classify.correction import Corrected, Correction, corrected, threshold_at
from triage.classify.recalibrate import as_said
from triage.classify.refit import LEAST, LEAST_FOR_THRESHOLDS, Seen, fit_temperature, refit
from triage.draft_quotes import no_model_draft
from triage.environment import read_environment
from triage.settings import Settings
from triage.store import Store, open_store
from triage.store.calibrations import KEPT, NewCalibration
from triage.store.migrate import migrate
from triage.store.models import NewModel
from triage.store.tables import calibrations, runs
from triage.ticket import Ticket
from workers import tasks
from workers.calibrate import APPLIED, FAILED, NOT_APPLIED, THRESHOLDS, TOO_FEW, calibrate, calibrate_due, evidence
from workers.corrections import corrections_of
from workers.runtime import LOOK_EVERY_SECONDS, Answers, Runtime

LABELS = ("P0_critical", "P1_high", "P2_medium", "P3_low")


def tickets(count: int, temperature: float, seed: int = 1, default: float = 1.0) -> list[Seen]:
    """Return outcomes of a classifier whose honest probabilities were sharpened: the true fit is `temperature`."""
    rng = np.random.default_rng(seed)
    found = []
    for logits in rng.normal(0, 1.6, (count, len(LABELS))):
        honest = np.exp(logits) / np.exp(logits).sum()
        theirs = LABELS[rng.choice(len(LABELS), p=honest)]
        said = honest**temperature / (honest**temperature).sum()
        ours = LABELS[int(said.argmax())]
        probabilities = dict(zip(LABELS, map(float, said), strict=True))
        found.append(Seen(probabilities, ours, theirs, default))
    return found


class TestRefit:
    @pytest.mark.parametrize("truth", [0.6, 1.0, 2.0, 4.0])
    def test_finds_the_temperature_that_was_put_in(self, truth: float) -> None:
        assert fit_temperature(tickets(2000, truth)) == pytest.approx(truth, rel=0.12)

    @pytest.mark.parametrize("seed", range(5))
    def test_mends_a_classifier_that_is_too_sure(self, seed: int) -> None:
        found = refit(tickets(600, 3.0, seed))
        assert found is not None
        assert found.temperature == pytest.approx(3.0, rel=0.2)
        assert found.after.error < found.before.error / 2
        assert found.after.log_loss < found.before.log_loss

    def test_and_one_that_is_too_modest(self) -> None:
        found = refit(tickets(600, 0.55))
        assert found is not None
        assert found.temperature is not None
        assert found.temperature < 0.75
        assert found.after.log_loss < found.before.log_loss

    def test_leaves_an_honest_one_alone_nearly_always(self) -> None:
        """The newest fifth is small, so now and then chance looks like gain; then the fit is close to 1."""
        fits = [fit for seed in range(40) if (fit := refit(tickets(150, 1.0, seed)))]
        applied = [fit.temperature for fit in fits if fit.temperature is not None]
        assert len(fits) == 40
        assert len(applied) <= 10
        assert all(0.6 < temperature < 1.6 for temperature in applied)

    def test_nothing_is_applied_where_the_newest_tickets_say_otherwise(self) -> None:
        """The classifier was too sure and no longer is: what the older tickets ask for does harm now."""
        found = refit([*tickets(160, 4.0, 1), *tickets(40, 0.6, 2)])
        assert found is not None
        assert found.temperature is None
        assert found.after.log_loss > found.before.log_loss

    def test_few_say_little(self) -> None:
        """With the same evidence for each ticket, 50 move the fit less than 2,000."""
        few, many = (abs(np.log(fit_temperature(tickets(count, 4.0)))) for count in (5, 2000))
        assert few < many
        assert refit(tickets(LEAST - 1, 4.0)) is None
        assert refit(tickets(LEAST, 4.0)) is not None

    def test_a_default_temperature_is_what_it_must_beat(self) -> None:
        """A model shown with 1.5 that ought to be: raw probabilities look too sure, what people see does not."""
        fits = [fit for seed in range(20) if (fit := refit(tickets(200, 1.5, seed, default=1.5)))]
        assert sum(fit.temperature is None for fit in fits) >= 15
        raw = refit(tickets(2000, 1.5))
        assert raw is not None
        assert raw.temperature == pytest.approx(1.5, rel=0.1)

    def test_labels_may_differ_from_ticket_to_ticket_and_be_impossible(self) -> None:
        mixed = tickets(200, 3.0)
        odd = [Seen({"billing": 1.0, "security": 0.0}, "billing", "security")] * 10
        found = refit([*mixed[:100], *odd, *mixed[100:]])
        assert found is not None
        assert np.isfinite([found.fitted, found.before.log_loss, found.after.log_loss]).all()

    def test_thresholds_keep_the_precision_on_tickets_to_come(self) -> None:
        found = refit(tickets(1500, 3.0))
        assert found is not None
        threshold = found.thresholds["0.90"]
        later = tickets(3000, 3.0, seed=77)
        sure = [one for one in later if shown(one, found.temperature) >= threshold]
        assert len(sure) > 300
        assert sum(one.ours == one.theirs for one in sure) / len(sure) >= 0.88

    def test_thresholds_without_a_temperature_need_more(self) -> None:
        honest = next(fit for seed in range(9) if (fit := refit(tickets(100, 1.0, seed))) and fit.temperature is None)
        assert not honest.is_useful
        many = refit([*tickets(LEAST_FOR_THRESHOLDS * 4 // 5, 4.0), *tickets(LEAST_FOR_THRESHOLDS // 5, 0.6)])
        assert many is not None
        assert many.temperature is None
        assert many.thresholds
        assert many.is_useful


def shown(one: Seen, temperature: float | None) -> float:
    given = answer(priority=one.ours, probabilities={"priority": dict(one.probabilities)})
    after = corrected(given, {("fake", "priority"): Correction(temperature, {})}, None)
    return after.probability("priority")


class TestCorrection:
    def test_labels_stay_whatever_the_temperature(self) -> None:
        rng = random.Random(4)
        for _ in range(200):
            given = answer(sure=rng.uniform(0.12, SURELY), team=rng.choice(["billing", NO_TEAM]))
            cold = {("fake", field): Correction(rng.uniform(0.5, 8), {}) for field in given.probabilities}
            after = corrected(given, cold, 0.95)
            assert after.model_dump(exclude={"probabilities", "temperatures"}) == given.model_dump(
                exclude={"probabilities", "temperatures"}
            )
            for field, chances in after.probabilities.items():
                assert sum(chances.values()) == pytest.approx(1)
                before = given.probabilities[field]
                assert sorted(chances, key=chances.__getitem__) == sorted(before, key=before.__getitem__)

    def test_what_was_said_can_be_had_back(self) -> None:
        given = answer(sure=0.93)
        after = corrected(given, {("fake", "priority"): Correction(2.5, {})}, None)
        assert after.probability("priority") < 0.7
        assert as_said(after)["priority"] == pytest.approx(given.probabilities["priority"])
        assert after.probabilities["sentiment"] == given.probabilities["sentiment"]

    def test_thresholds_are_those_of_the_target(self) -> None:
        known = {("fake", "priority"): Correction(None, {"0.90": 0.7, "0.95": 0.8})}
        given = answer(thresholds={"priority": 0.5, "primary_team": 0.6})
        assert corrected(given, known, 0.95).thresholds == {"priority": 0.8, "primary_team": 0.6}
        assert corrected(given, known, 0.92).thresholds["priority"] == 0.8
        assert corrected(given, known, None).thresholds == given.thresholds
        assert corrected(given, known, 0.95).probabilities == given.probabilities
        assert threshold_at({"0.90": 0.7}, 0.99) is None

    def test_another_classifiers_answers_are_left_alone(self) -> None:
        given = answer(classifier="llm")
        assert corrected(given, {("embedded", "priority"): Correction(3.0, {})}, 0.9) is given
        wrapped = Corrected(FakeClassifier(given), {("llm", "priority"): Correction(3.0, {})}, 0.9)
        assert wrapped.name == "fake"
        assert wrapped.classify(Ticket(desk="acme", id="1")).probability("priority") < given.probability("priority")


def fill(store: Store, seen: list[Seen], desk: str = "acme", first: int = 0, **changes: Any) -> None:
    """Store outcomes, one solved ticket each."""
    with store.engine.begin() as connection:
        for number, _ in enumerate(seen, first):
            values = {"id": first_id(desk) + number, "desk": desk, "ticket_id": str(number), "occasion": "created"}
            times = {"state": "done", "created_at": START + number, "reference": f"{desk}-{number}"}
            connection.execute(runs.insert().values({**values, **times}))
    store.outcomes.save(
        [
            outcome_of(
                first_id(desk) + number,
                **{
                    "desk": desk,
                    "ours": one.ours,
                    "theirs": one.theirs,
                    "agreed": one.ours == one.theirs,
                    "probabilities": dict(one.probabilities),
                    "observed_at": START + number,
                    **changes,
                },
            )
            for number, one in enumerate(seen, first)
        ]
    )


def first_id(desk: str) -> int:
    return {"acme": 1, "globex": 100_000}[desk]


def rows_of(store: Store) -> int:
    with store.engine.connect() as connection:
        return len(connection.execute(calibrations.select()).all())


class TestCalibrate:
    def test_what_helps_is_applied(self, store: Store) -> None:
        fill(store, tickets(150, 4.0))
        (verdict,) = calibrate("acme", store, START)
        assert (verdict.result, verdict.outcomes, verdict.classifier) == (APPLIED, 150, "embedded")
        (kept,) = store.calibrations.active("acme")
        assert kept.temperature == pytest.approx(4.0, rel=0.3)
        assert kept.metrics["after"]["log_loss"] < kept.metrics["before"]["log_loss"]
        assert kept.tickets == 150
        assert corrections_of(store, "acme")["embedded", "priority"].temperature == kept.temperature
        assert corrections_of(store, "globex") == {}

    def test_fits_do_not_pile_up(self, sqlite_store: Store) -> None:
        """Shown probabilities change with the first fit, but a fit starts from what was said."""
        fill(sqlite_store, tickets(200, 3.0))
        calibrate("acme", sqlite_store, START)
        (first,) = sqlite_store.calibrations.active("acme")
        calibrate("acme", sqlite_store, START + 1)
        (second,) = sqlite_store.calibrations.active("acme")
        assert second.id != first.id
        assert second.temperature == first.temperature

    def test_many_outcomes_give_thresholds_where_no_temperature_helps(self, sqlite_store: Store) -> None:
        fill(sqlite_store, [*tickets(400, 4.0), *tickets(100, 0.6)])
        assert calibrate("acme", sqlite_store, START)[0].result == THRESHOLDS
        correction = corrections_of(sqlite_store, "acme")["embedded", "priority"]
        assert correction.temperature is None
        assert "0.95" in correction.thresholds

    def test_a_dry_run_changes_nothing(self, sqlite_store: Store) -> None:
        fill(sqlite_store, tickets(150, 4.0))
        assert calibrate("acme", sqlite_store, START, dry_run=True)[0].result == APPLIED
        assert rows_of(sqlite_store) == 0

    def test_too_few_keep_what_there_is(self, sqlite_store: Store) -> None:
        sqlite_store.calibrations.activate("acme", NewCalibration("embedded", "priority", 2.0, {}, {}, 60), START)
        fill(sqlite_store, tickets(LEAST - 1, 4.0))
        assert calibrate("acme", sqlite_store, START + 1)[0].result == TOO_FEW
        assert sqlite_store.calibrations.active("acme")[0].temperature == 2.0

    def test_what_no_longer_helps_is_taken_back(self, store: Store) -> None:
        fill(store, [*tickets(120, 4.0, 1), *tickets(30, 0.6, 2)])
        store.calibrations.activate("acme", NewCalibration("embedded", "priority", 4.0, {}, {}, 60), START)
        assert calibrate("acme", store, START + 1)[0].result == NOT_APPLIED
        assert store.calibrations.active("acme") == []

    @pytest.mark.parametrize("field", ["sentiment", "churn_risk"])
    def test_a_tag_of_ours_that_nobody_touched_teaches_nothing(self, sqlite_store: Store, field: str) -> None:
        """Agents seldom correct a mood: to learn from that would make Tandem sure of anything."""
        quiet = [Seen(one.probabilities, one.ours, one.ours) for one in tickets(300, 1.0)]
        fill(sqlite_store, quiet, field=field, written=True)
        assert calibrate("acme", sqlite_store, START)[0].result == TOO_FEW
        fill(sqlite_store, tickets(200, 4.0), first=300, field=field, written=False)
        assert calibrate("acme", sqlite_store, START)[0].result == APPLIED

    def test_groups_of_no_team_teach_nothing(self, sqlite_store: Store) -> None:
        """Else a desk that keeps everything in one group would make Tandem doubt all it says."""
        fill(sqlite_store, tickets(150, 1.0), theirs="Support", agreed=False)
        assert calibrate("acme", sqlite_store, START)[0].result == TOO_FEW

    def test_only_final_outcomes_teach(self, sqlite_store: Store) -> None:
        fill(sqlite_store, tickets(100, 4.0), final=False)
        assert calibrate("acme", sqlite_store, START) == []

    def test_what_an_earlier_model_said_teaches_nothing_about_the_next(self, sqlite_store: Store) -> None:
        name = "embedded+learned"
        fill(sqlite_store, tickets(150, 4.0), classifier=name)
        assert calibrate("acme", sqlite_store, START + 200)[0].result == APPLIED
        model = NewModel("priority", "k", LABELS, {}, {}, "e", b"1")
        sqlite_store.models.activate("acme", model, START + 300)
        assert corrections_of(sqlite_store, "acme") == {}
        verdict = calibrate("acme", sqlite_store, START + 400)[0]
        assert (verdict.result, verdict.outcomes) == (TOO_FEW, 0)
        fill(sqlite_store, tickets(150, 4.0), first=301, classifier=name)
        assert calibrate("acme", sqlite_store, START + 500)[0].outcomes == 150
        assert corrections_of(sqlite_store, "acme")

    def test_old_fits_are_kept_for_a_while(self, store: Store) -> None:
        for number in range(KEPT + 5):
            new = NewCalibration("llm", "priority", 1.0 + number, {"0.95": 0.8}, {"a": 1}, 60)
            store.calibrations.activate("acme", new, START + number)
        assert rows_of(store) == KEPT + 1
        (active,) = store.calibrations.active("acme")
        assert (active.temperature, active.thresholds) == (KEPT + 5.0, {"0.95": 0.8})
        assert store.calibrations.active_ids("acme") == (active.id,)
        store.calibrations.retire("acme", "llm", "priority")
        assert store.calibrations.active_ids("acme") == ()

    def test_beat_asks_each_desk_once_a_day(self, sqlite_store: Store) -> None:
        fill(sqlite_store, tickets(150, 4.0))
        for hour in range(48):
            calibrate_due(["acme", "globex"], sqlite_store, START + hour * 3600)
        assert rows_of(sqlite_store) == 2


class TestWorkers:
    def test_the_task_refits_the_desks_of_the_settings(
        self, sqlite_store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fill(sqlite_store, tickets(150, 4.0))
        runtime = Runtime(read_environment(), settings)
        runtime.__dict__["store"] = sqlite_store
        monkeypatch.setattr(tasks, "runtime", lambda: runtime)
        tasks.calibrate_desks()
        assert len(sqlite_store.calibrations.active("acme")) == 1

    def test_two_at_once_leave_one_fit(self, store: Store) -> None:
        fill(store, tickets(150, 4.0))
        errors: list[BaseException] = []

        def work() -> None:
            try:
                for _ in range(4):
                    calibrate("acme", store, START)
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors
        assert len(store.calibrations.active("acme")) == 1

    def test_a_fit_is_used_without_a_restart(
        self, sqlite_store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        targeted = settings.model_copy(update={"target_precision": 0.95})
        runtime = Runtime(read_environment(), targeted)
        fake = FakeClassifier(answer(sure=0.99))
        runtime.__dict__ |= {"store": sqlite_store, "_build": lambda given: Answers(given, fake, no_model_draft)}
        ticket = Ticket(desk="acme", id="1")
        clock = time.monotonic()
        monkeypatch.setattr("workers.runtime.time.monotonic", lambda: clock)
        assert runtime.classifier_of("acme").classify(ticket).probability("priority") == pytest.approx(0.99)
        new = NewCalibration("fake", "priority", 3.0, {"0.95": 0.97}, {}, 60)
        sqlite_store.calibrations.activate("acme", new, START)
        assert runtime.classifier_of("acme").classify(ticket).temperatures == {}
        clock += LOOK_EVERY_SECONDS + 1
        after = runtime.tools("acme").classifier.classify(ticket)
        assert after.probability("priority") < 0.9
        assert after.needed("priority", 0.5) == 0.97
        assert runtime.classifier_of("globex").classify(ticket).probability("priority") == pytest.approx(0.99)
        sqlite_store.calibrations.retire("acme", "fake", "priority")
        clock += LOOK_EVERY_SECONDS + 1
        assert runtime.classifier_of("acme").classify(ticket).temperatures == {}


class TestCommand:
    @pytest.fixture(autouse=True)
    def _home(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "tandem.yaml").write_text(SETTINGS)
        monkeypatch.chdir(tmp_path)
        for name, value in {**VARIABLES, "DATABASE_URL": f"sqlite:///{tmp_path}/tandem.db"}.items():
            monkeypatch.setenv(name, value)
        self.store = open_store(f"sqlite:///{tmp_path}/tandem.db")
        migrate(self.store.engine)

    def run(self, *arguments: str) -> str:
        result = CliRunner().invoke(command, arguments, catch_exceptions=False)
        assert result.exit_code == 0
        return result.output

    def test_tells_what_it_found_within_80_columns(self) -> None:
        fill(self.store, tickets(150, 4.0))
        fill(self.store, tickets(60, 1.0)[:10], first=500, field="primary_team", classifier="embedded+learned")
        said = self.run()
        assert max(map(len, said.splitlines())) <= 80
        assert "priority" in said
        assert APPLIED in said
        assert TOO_FEW in said
        assert "no solved ticket" in said  # globex

    def test_json_and_dry_run(self) -> None:
        fill(self.store, tickets(150, 4.0))
        said = json.loads(self.run("--desk", "acme", "--dry-run", "--json"))
        (fit,) = said["fits"]
        assert said["dry_run"] is True
        assert (fit["result"], fit["tickets"]) == (APPLIED, 150)
        assert fit["after"]["error"] < fit["before"]["error"]
        assert self.store.calibrations.active("acme") == []

    def test_an_unknown_desk_is_named(self) -> None:
        result = CliRunner().invoke(command, ["--desk", "acne"])
        assert "no such desk" in str(result.exception)
        assert result.exit_code


def test_without_outcomes_there_is_no_legend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in {**VARIABLES, "DATABASE_URL": f"sqlite:///{tmp_path}/t.db"}.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "tandem.yaml").write_text(SETTINGS)
    migrate(open_store(f"sqlite:///{tmp_path}/t.db").engine)
    said = CliRunner().invoke(command, [], catch_exceptions=False).output
    assert "no solved ticket" in said
    assert "log-loss" not in said


BAD = [
    {"probabilities": {"P1_high": float("nan"), "P2_medium": 0.1}}, {"probabilities": {"P1_high": None}},
    {"probabilities": {"P1_high": "0.9"}}, {"probabilities": {"P1_high": 7.0}}, {"probabilities": {"P1_high": 0.0}},
    {"probabilities": {"P1_high": True}}, {"probabilities": {"P2_medium": 1.0}}, {"probabilities": ["P1_high"]},
    {"probabilities": {}}, {"default_temperature": 0.0}, {"default_temperature": float("nan")},
    {"default_temperature": -1.0}, {"default_temperature": float("inf")},
]  # fmt: skip


@pytest.mark.parametrize("change", BAD, ids=str)
def test_rows_that_cannot_be_computed_with_are_left_out(change: dict[str, Any]) -> None:
    found = evidence([outcome_of(1), outcome_of(2, **change), outcome_of(3)])
    assert len(found) == 2
    assert refit(found * LEAST) is not None


def test_one_field_or_desk_that_fails_does_not_hold_up_the_others(
    sqlite_store: Store, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for desk in ("acme", "globex"):
        for place, field in enumerate(("priority", "primary_team")):
            run, _ = sqlite_store.runs.claim(desk, str(place), "created", owner="w", now=START, lease_until=START)
            sqlite_store.outcomes.save([outcome_of(run.id, desk=desk, field=field)])
    done: list[str] = []

    def fails_once(seen: list[Seen]) -> None:
        done.append("")
        if len(done) == 1:
            raise ZeroDivisionError("a customer's text")

    monkeypatch.setattr("workers.calibrate.refit", fails_once)
    results = [one.result for one in calibrate("acme", sqlite_store, START)]
    assert sorted(results) == [FAILED, TOO_FEW]
    monkeypatch.setattr("workers.calibrate.taught_since", lambda _store, desk: {}[desk])
    calibrate_due(["acme", "globex"], sqlite_store, START)
    assert "of embedded failed (ZeroDivisionError)" in caplog.text
    assert "desk=globex: failed (KeyError)" in caplog.text
    assert "customer" not in caplog.text
