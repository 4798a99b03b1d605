"""Check business time against counted cases: `python -m evaluation.sla_cases DATA`; exit code 1 when one is wrong.

DATA (or `sla-golden` below it) holds `calendars.json` (name -> tz, week of local windows, holidays) and `cases.jsonl`:
`kind` due (start and minutes -> expect_due) or elapsed (start and end -> expect_minutes), each with `pauses`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from triage import settings_sla
from triage.calendars import Calendar

BELOW = "sla-golden"


def calendars(text: str) -> dict[str, Calendar]:
    """Return the calendars of `calendars.json`, read as an admin's settings are."""
    return {name: _calendar(given) for name, given in json.loads(text).items()}


def wrong(case: dict[str, Any], known: dict[str, Calendar]) -> str:
    """Return what is wrong about our answer, or an empty text."""
    calendar, start = known[case["calendar"]], _moment(case["start"])
    pauses = [(_moment(begin), _moment(end)) for begin, end in case["pauses"]]
    if case["kind"] == "due":
        expected, found = _moment(case["expect_due"]), calendar.due(start, case["minutes"], pauses)
    else:
        expected, found = case["expect_minutes"], calendar.elapsed(start, _moment(case["end"]), pauses)
    return "" if found == expected else f"{case['id']}: {found}, should be {expected}"


def read(data: Path) -> tuple[dict[str, Calendar], list[dict[str, Any]]]:
    """Return the calendars and the cases of a folder, or of `sla-golden` below it."""
    folder = data if (data / "cases.jsonl").exists() else data / BELOW
    lines = (folder / "cases.jsonl").read_text("utf-8").splitlines()
    return calendars((folder / "calendars.json").read_text("utf-8")), [json.loads(one) for one in lines if one.strip()]


def main(argv: Sequence[str] | None = None) -> int:
    """Print the cases that are wrong and a count; return the exit code."""
    reader = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    reader.add_argument("data", type=Path)
    arguments = reader.parse_args(argv)
    try:
        known, cases = read(arguments.data)
        start = time.perf_counter()
        faults = [fault for case in cases if (fault := wrong(case, known))]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        where = f"{arguments.data} holds no cases that can be read"
        reader.error(f"{where} ({type(error).__name__}: {str(error).splitlines()[0]}); --help says what it should hold")
    seconds = time.perf_counter() - start
    sys.stdout.writelines(f"{fault}\n" for fault in faults)
    sys.stdout.write(f"{len(cases) - len(faults)} of {len(cases)} cases right, in {seconds * 1000:.0f} ms\n")
    return 1 if faults else 0


def _calendar(given: dict[str, Any]) -> Calendar:
    hours = {day: ["-".join(window) for window in windows] for day, windows in given["week"].items()}
    written = {"time_zone": given["tz"], "hours": hours, "closed": given["holidays"]}
    return Calendar.of(settings_sla.Calendar.model_validate(written))


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


if __name__ == "__main__":
    sys.exit(main())
