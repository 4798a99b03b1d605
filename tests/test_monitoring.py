"""The dashboard and the alert rules: real metrics only, and rules that Prometheus takes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from triage.store import Store
from triage.store.marks import BEAT, DESK_LOCKED, EVERY_DESK, HEADROOM
from triage.store.runs import DONE
from webhooks.metrics import StoreCollector

FOLDER = Path(__file__).parent.parent / "monitoring"
DASHBOARD, ALERTS = FOLDER / "grafana-dashboard.json", FOLDER / "alerts.yml"
NAME = re.compile(r"\btandem_[a-z_]+\b")


def samples(store: Store) -> dict[str, dict[tuple[str, ...], float]]:
    """Return metric -> values of its labels in the order of their names -> value."""
    return {
        family.name: {tuple(value for _, value in sorted(one.labels.items())): one.value for one in family.samples}
        for family in StoreCollector(store).collect()
    }


def expressions() -> list[str]:
    panels: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    asked = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    rules = YAML(typ="safe").load(ALERTS.read_text())["groups"][0]["rules"]
    return asked + [rule["expr"] for rule in rules]


def test_every_metric_that_is_asked_for_exists(sqlite_store: Store) -> None:
    asked = {name for expression in expressions() for name in NAME.findall(expression)}
    assert len(asked) > 8
    assert asked <= set(samples(sqlite_store))


def test_no_two_panels_lie_on_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells


def test_every_alert_says_what_to_do() -> None:
    for rule in YAML(typ="safe").load(ALERTS.read_text())["groups"][0]["rules"]:
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert rule["annotations"]["summary"]
        assert len(rule["annotations"]["description"]) > 20


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs Debian's prometheus")
def test_prometheus_takes_the_rules() -> None:
    done = subprocess.run(["promtool", "check", "rules", str(ALERTS)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_times_headroom_alarms_and_signs_of_life_are_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_700_000_000.0
    monkeypatch.setattr("webhooks.metrics.time.time", lambda: now)
    for number in range(1, 21):
        begun = now - 60 - number  # the run takes `number` seconds
        run, _ = store.runs.claim("acme", str(number), "created", owner="a", now=begun, lease_until=now)
        store.runs.save(run, timings={"read": number / 10, "classify": 0.02})
        store.runs.finish(run, DONE, now - 60)
    old, _ = store.runs.claim("acme", "99", "created", owner="a", now=now - 9000, lease_until=now)
    store.runs.finish(old, DONE, now - 5000)
    store.cursors.set("acme", HEADROOM, "[150.0, 200.0]", now - 5)
    store.cursors.set("globex", HEADROOM, "[1.0, 50.0]", now - 500)  # of a minute long past
    store.cursors.set(EVERY_DESK, BEAT, "", now - 7)
    store.alarms.raise_("acme", DESK_LOCKED, "no", now)
    told = samples(store)
    assert told["tandem_run_seconds"] == {("0.5",): pytest.approx(10.5), ("0.95",): pytest.approx(19.05)}
    assert told["tandem_step_seconds"]["0.5", "read"] == pytest.approx(1.05)
    assert told["tandem_step_seconds"]["0.95", "classify"] == pytest.approx(0.02)
    assert told["tandem_rate_limit_left"] == {("acme",): 150.0}
    assert told["tandem_rate_limit"] == {("acme",): 200.0}
    assert told["tandem_worker_seen_seconds"] == {(): pytest.approx(7.0)}
    assert told["tandem_alarms"] == {("desk_locked",): 1}
