"""The frame of the benchmarks, and the classifier's own parts; how fast it is, only `make bench` says."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import __main__ as main_module
from benchmarks import tickets
from benchmarks.classifier import _cpu
from benchmarks.meter import Meter
from benchmarks.plant import Flow
from benchmarks.result import Figure, Result, as_data, heading, machine, table
from benchmarks.tickets import LONG, long_tickets, sample_tickets

FAST = Figure("one ticket", 12.345, "ms", 25)
SLOW = Figure("tickets", 12, "tickets/s", 30, at_least=True)


def run(monkeypatch: pytest.MonkeyPatch, figures: list[Figure], *arguments: str) -> int:
    """Run the command line with a benchmark that returns `figures`; return its exit code."""
    monkeypatch.setattr(
        main_module, "import_module", lambda _: SimpleNamespace(run=lambda _short: Result("mine", figures))
    )
    monkeypatch.setattr("sys.argv", ["benchmarks", *arguments])
    with pytest.raises(SystemExit) as end:
        main_module.main()
    return int(end.value.code or 0)


def test_a_figure_knows_whether_it_reaches_its_target() -> None:
    assert (FAST.reached, FAST.aim) == (True, "at most 25")
    assert (SLOW.reached, SLOW.aim) == (False, "at least 30  MISSED")
    assert (Figure("x", 1, "ms").reached, Figure("x", 1, "ms").aim) == (True, "")


def test_tables_are_readable_at_80_columns() -> None:
    text = table(Result("mine", [FAST, SLOW], ["a note"])) + heading(machine())
    assert max(map(len, text.splitlines())) <= 80
    assert "12.35 ms" in text


def test_the_exit_code_says_whether_targets_are_met(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, [FAST], "classifier", "--json", str(tmp_path / "out.json")) == 0
    written = json.loads((tmp_path / "out.json").read_text())
    assert written["results"] == [json.loads(json.dumps(as_data(Result("mine", [FAST]))))]
    assert written["machine"]["cpu"]
    assert run(monkeypatch, [FAST, SLOW], "classifier") == 1
    assert "MISSED" in capsys.readouterr().out


def test_a_short_run_is_held_to_counts_only(monkeypatch: pytest.MonkeyPatch) -> None:
    doubled = Figure("second notes", 1, "", 0, counted=True)
    assert run(monkeypatch, [SLOW], "classifier", "--short") == 0
    assert run(monkeypatch, [SLOW, doubled], "classifier", "--short") == 1


def test_an_unknown_name_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, [FAST], "nope") == 2
    assert "no benchmark nope; there are: burst, calls, classifier" in capsys.readouterr().err


def test_benchmarks_are_told_from_their_parts() -> None:
    assert {"classifier", "ingest", "worker_cpu"} <= set(main_module.names())
    assert not {"__main__", "result", "tickets"} & set(main_module.names())
    for name in main_module.names():
        assert callable(main_module.import_module(f"benchmarks.{name}").run)


def test_tickets_are_real_ones_and_long_ones() -> None:
    samples = sample_tickets()
    assert len(samples) >= 40
    assert any(message.html for ticket in samples for message in ticket.messages)
    assert [len(ticket.messages[0].body) for ticket in long_tickets()] == list(LONG)


def test_cpu_time_is_that_of_the_work() -> None:
    assert 0 < _cpu(lambda: sum(range(10**6))) < 10


def test_time_belongs_to_the_innermost_step_and_to_one_thread() -> None:
    meter = Meter("rest")
    inner = meter.around("inner", lambda: sum(range(3 * 10**5)))
    with meter.counting():
        with meter.step("outer"):
            inner()
        other = threading.Thread(target=inner)
        other.start()
        other.join()
    assert set(meter.seconds) == {"rest", "outer", "inner"}
    assert meter.seconds["inner"] > meter.seconds["outer"] + meter.seconds["rest"]


def test_functions_are_counted_by_their_place_while_they_are_watched() -> None:
    meter = Meter("rest")
    with meter.watching({"benchmarks.tickets.sample_tickets": "reading"}), meter.counting():
        assert len(tickets.sample_tickets()) >= 40
    assert meter.seconds["reading"] > 0
    assert tickets.sample_tickets is sample_tickets


def test_ideal_is_what_waiting_alone_would_allow() -> None:
    flow = Flow(tickets=40, seconds=4.0, cpu=0.4, waited=60.0, most_memory=300.0, told={})
    assert flow.of_ideal(20) == pytest.approx(0.75)
