"""What the processes log: one line each, for people or as JSON with the ids of what is worked on."""

from __future__ import annotations

import json
import logging
import threading
from typing import Any

import pytest

from triage.logs import about, configure_logging

log = logging.getLogger("workers.deliver")


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_json_line_names_what_is_worked_on(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", "json")
    with about(delivery=7, desk="acme"), about(run=3):
        log.info("run %d of ticket %s done", 3, "19")
    log.info("idle")
    first, second = lines(capsys)
    assert first.pop("time").endswith("+00:00")
    assert first == {
        "level": "INFO", "logger": "workers.deliver", "message": "run 3 of ticket 19 done",
        "delivery": 7, "desk": "acme", "run": 3,
    }  # fmt: skip
    assert {"delivery", "desk", "run"}.isdisjoint(second)


def test_threads_do_not_mix_their_tickets(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", "json")
    both = threading.Barrier(2)

    def work(number: int) -> None:
        with about(ticket=number):
            both.wait(10)
            log.info("here")
            both.wait(10)

    threads = [threading.Thread(target=work, args=(number,)) for number in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert {line["ticket"] for line in lines(capsys)} == {1, 2}


def test_an_exception_is_named_by_its_kind_only(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", "json")
    try:
        raise ValueError("the customer wrote this")
    except ValueError:
        log.exception("failed")
    (line,) = lines(capsys)
    assert (line["exception"], line["message"]) == ("ValueError", "failed")
    assert "customer" not in json.dumps(line)


def test_a_line_break_in_a_message_stays_in_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info", "json")
    log.info("one\ntwo")
    (line,) = lines(capsys)
    assert line["message"] == "one\ntwo"


def test_in_text_too_a_value_begins_no_line_and_commands_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info")
    log.info("desk %s", "a\n2026-11-22 10:00:00 INFO workers: all is well\r\x1b[2J\u2028x")
    out = capsys.readouterr().out
    assert len(out.splitlines()) == 1
    assert "a\\n2026" in out
    assert "\x1b" not in out


def test_in_text_an_exception_says_where_and_not_what(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("info")
    try:
        raise ValueError("the customer wrote this\nINFO all is well")
    except ValueError:
        log.exception("failed")
    out = capsys.readouterr().out
    assert "test_logs.py" in out
    assert out.rstrip().endswith("ValueError")
    assert "all is well" not in out.replace('raise ValueError("the customer wrote this\\nINFO all is well")', "")
