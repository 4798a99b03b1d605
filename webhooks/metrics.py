"""Prometheus metrics, read from the database at each scrape: true whichever process did the work."""

from __future__ import annotations

import json
import statistics
import time
from collections import Counter
from collections.abc import Iterator, Sequence

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from triage.controlled import held_desks
from triage.store import Store
from triage.store.marks import BEAT, EVERY_DESK, HEADROOM
from workers.health import State, remembered

# How far back the times of runs are looked at, and at how many of them.
PACE_SECONDS = 900.0
PACE_RUNS = 1000
# Older than this it says nothing about the present minute.
HEADROOM_SECONDS = 60.0


class StoreCollector(Collector):
    """Counts deliveries, runs, drafts, clocks, outcomes and what models cost, and tells what has waited longest."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def collect(self) -> Iterator[Metric]:
        """Yield the families."""
        now = time.time()
        families = (
            ("tandem_deliveries", "Deliveries by state", self._store.deliveries.counts()),
            ("tandem_runs", "Runs by state", self._store.runs.counts()),
        )
        for name, text, counts in families:
            family = GaugeMetricFamily(name, text, labels=["state"])
            for state, count in sorted(counts.items()):
                family.add_metric([state], count)
            yield family
        yield self._outcomes()
        yield self._drafts()
        yield self._speech()
        yield from self._people()
        yield from self._spending()
        oldest = self._store.deliveries.oldest_open()
        yield GaugeMetricFamily(
            "tandem_oldest_open_delivery_seconds",
            "Age of the oldest delivery that is not finished",
            value=max(0.0, now - oldest) if oldest else 0.0,
        )
        yield from self._paces(now)
        yield from self._headroom(now)
        yield from self._signs(now)
        yield self._desks(now)
        yield self._held()
        clocks = GaugeMetricFamily("tandem_sla_clocks", "Open SLA clocks", labels=["desk", "metric", "stage"])
        for (desk, metric, stage), count in sorted(self._open_clocks().items()):
            clocks.add_metric([desk, metric, stage], count)
        yield clocks
        due = self._store.clocks.oldest_due()
        yield GaugeMetricFamily(
            "tandem_sla_overdue_seconds",
            "How long the SLA clock that waits longest has been due",
            value=max(0.0, now - due) if due else 0.0,
        )

    def _paces(self, now: float) -> Iterator[Metric]:
        """Yield how long the runs of the last minutes took: a summary of a window, for no process sees them all."""
        paces = self._store.runs.paces(now - PACE_SECONDS, PACE_RUNS)
        whole = GaugeMetricFamily("tandem_run_seconds", "From first attempt to note, lately", labels=["quantile"])
        steps = GaugeMetricFamily("tandem_step_seconds", "Time of one step, lately", labels=["step", "quantile"])
        if paces:
            for name, value in _quantiles([one.whole for one in paces]):
                whole.add_metric([name], value)
        for step in sorted({step for one in paces for step in one.steps}):
            for name, value in _quantiles([one.steps[step] for one in paces if step in one.steps]):
                steps.add_metric([step, name], value)
        yield from (whole, steps)

    def _headroom(self, now: float) -> Iterator[Metric]:
        left = GaugeMetricFamily("tandem_rate_limit_left", "Calls left this minute", labels=["desk"])
        limit = GaugeMetricFamily("tandem_rate_limit", "Calls the helpdesk allows a minute", labels=["desk"])
        for desk, (value, at) in sorted(self._store.cursors.all_named(HEADROOM).items()):
            if now - at < HEADROOM_SECONDS:
                room = json.loads(value)
                left.add_metric([desk], room[0])
                limit.add_metric([desk], room[1])
        yield from (left, limit)

    def _desks(self, now: float) -> Metric:
        family = GaugeMetricFamily(
            "tandem_desk_health", "How each desk stood when last checked", labels=["desk", "state"]
        )
        for desk, report in remembered(self._store, now).items():
            for state in State:
                family.add_metric([desk, state], float(report.worst is state))
        return family

    def _held(self) -> Metric:
        family = GaugeMetricFamily(
            "tandem_held", "Desks where writing is paused, * where it is stopped", labels=["desk"]
        )
        for desk in sorted(held_desks(self._store.controls.all())):
            family.add_metric([desk], 1)
        return family

    def _speech(self) -> Metric:
        family = GaugeMetricFamily("tandem_speech", "Runs by how far they were let speak", labels=["desk", "level"])
        for (desk, level), count in sorted(self._store.runs.speeches().items()):
            family.add_metric([desk, level], count)
        return family

    def _signs(self, now: float) -> Iterator[Metric]:
        alarms = GaugeMetricFamily("tandem_alarms", "What an admin must see, by kind", labels=["kind"])
        for kind, count in sorted(self._store.alarms.counts().items()):
            alarms.add_metric([kind], count)
        yield alarms
        seen = self._store.cursors.get(EVERY_DESK, BEAT)
        age = max(0.0, now - seen[1]) if seen else None
        yield GaugeMetricFamily("tandem_worker_seen_seconds", "Since worker and beat last showed up", value=age)

    def _open_clocks(self) -> Counter[tuple[str, str, str]]:
        found: Counter[tuple[str, str, str]] = Counter()
        for one in self._store.clock_views.standings():
            found[one.desk, one.metric, one.stage] += one.count
        return found

    def _outcomes(self) -> Metric:
        # A gauge for all its name: an agent who changes their mind moves a ticket from one side to the other.
        family = GaugeMetricFamily(
            "tandem_outcomes_total", "What people made of decided fields", labels=["desk", "field", "agreed"]
        )
        for (desk, field, agreed), count in sorted(self._store.outcomes.counts().items()):
            family.add_metric([desk, field, "true" if agreed else "false"], count)
        return family

    def _drafts(self) -> Metric:
        family = GaugeMetricFamily("tandem_drafts", "Runs by what their draft came to", labels=["desk", "state"])
        for (desk, state), count in sorted(self._store.runs.drafts().items()):
            family.add_metric([desk, state], count)
        return family

    def _people(self) -> Iterator[Metric]:
        feedback = GaugeMetricFamily("tandem_feedback", "Votes by the links in notes", labels=["desk", "verdict"])
        for (desk, verdict), count in sorted(self._store.feedback.counts().items()):
            feedback.add_metric([desk, verdict], count)
        questions = GaugeMetricFamily("tandem_questions", "Questions in notes by state", labels=["desk", "state"])
        for (desk, state), count in sorted(self._store.questions.counts().items()):
            questions.add_metric([desk, state], count)
        yield from (feedback, questions)

    def _spending(self) -> Iterator[Metric]:
        spent = self._store.runs.spending()
        labels = ["classifier", "model"]
        answers = GaugeMetricFamily("tandem_answers", "Runs by who answered", labels=labels)
        tokens = GaugeMetricFamily("tandem_tokens", "Tokens of the language model", labels=[*labels, "direction"])
        cost = GaugeMetricFamily("tandem_cost_usd", "US dollars the language model has cost", labels=labels)
        for one in sorted(spent, key=lambda one: (one.classifier, one.model)):
            who = [one.classifier, one.model]
            answers.add_metric(who, one.runs)
            tokens.add_metric([*who, "in"], one.tokens_in)
            tokens.add_metric([*who, "out"], one.tokens_out)
            cost.add_metric(who, one.cost_usd)
        yield from (answers, tokens, cost)

    def describe(self) -> Iterator[Metric]:
        """Yield nothing: registering must not touch the database."""
        return iter(())


def _quantiles(values: Sequence[float]) -> list[tuple[str, float]]:
    """Return the median and the 95th percentile."""
    if len(values) == 1:
        return [("0.5", values[0]), ("0.95", values[0])]
    parts = statistics.quantiles(values, n=20, method="inclusive")
    return [("0.5", parts[9]), ("0.95", parts[18])]
