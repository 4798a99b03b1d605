"""Run benchmarks: `python -m benchmarks [NAME ...] [--short] [--json FILE]` (`make bench`).

A benchmark is a module of this folder with `run(short) -> Result`; it is found by its name. Exit code 1: a target is
missed; of a short run, one that does not depend on how fast the machine is.
"""

from __future__ import annotations

import argparse
import json
import sys
from importlib import import_module
from pathlib import Path

from benchmarks.result import Result, as_data, heading, machine, table


def names() -> list[str]:
    """Return the names of all benchmarks: the other modules here are their parts."""
    return sorted(file.stem for file in Path(__file__).parent.glob("*.py") if "\ndef run(short" in file.read_text())


def main() -> None:
    """Run what is asked for, print it, and say by the exit code whether all targets are met."""
    reader = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    reader.add_argument("name", nargs="*", help=f"which ones: {', '.join(names())}; all of them where none is named")
    reader.add_argument("--json", type=Path, metavar="FILE", help="write the figures to FILE too")
    reader.add_argument("--short", action="store_true", help="few rounds: shows that it works, not how fast it is")
    asked = reader.parse_args()
    if unknown := set(asked.name) - set(names()):
        reader.error(f"no benchmark {', '.join(sorted(unknown))}; there are: {', '.join(names())}")
    about = machine()
    print(heading(about))
    results: list[Result] = []
    for name in asked.name or names():
        results.append(import_module(f"benchmarks.{name}").run(asked.short))
        print(f"\n{table(results[-1])}", flush=True)
    if asked.json:
        asked.json.write_text(json.dumps({"machine": about, "results": [as_data(one) for one in results]}, indent=2))
    judged = [figure for result in results for figure in result.figures if figure.counted or not asked.short]
    sys.exit(0 if all(figure.reached for figure in judged) else 1)


if __name__ == "__main__":
    main()
