"""Asks PyPI which of the pinned packages have a known vulnerability: `make audit`.

One that is found ends with code 1. A service that cannot be asked is said so and ends with 0: it says nothing of the
packages, and who works without a network must be able to go on.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
# All that is pinned by its hash, for production and for tests.
LOCK_FILES = "requirements*.txt"
WOULD_AUDIT = re.compile(r"would have audited (\d+) packages")

Run = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]


def pip_audit(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run pip-audit without installing anything."""
    files = [part for file in sorted(ROOT.glob(LOCK_FILES)) for part in ("--requirement", str(file))]
    command = [sys.executable, "-m", "pip_audit", "--require-hashes", "--disable-pip", "--progress-spinner", "off"]
    return subprocess.run([*command, *files, *arguments], capture_output=True, text=True, check=False)


def audit(run: Run = pip_audit) -> tuple[int, list[str]]:
    """Return the exit code, and what to say."""
    # First without asking anybody: what fails now is the fault of our files.
    rehearsal = run(["--dry-run"])
    counted = WOULD_AUDIT.search(rehearsal.stderr)
    if rehearsal.returncode or not counted:
        return 1, ["the requirements cannot be audited:", rehearsal.stderr.strip()]
    total = int(counted[1])
    asked = run(["--format", "json", "--desc", "off"])
    try:
        packages = json.loads(asked.stdout)["dependencies"]
    except (ValueError, KeyError):
        return 0, [_not_asked(total, total, _last_line(asked.stderr))]
    found = [line for package in packages for line in _vulnerabilities(package)]
    missed = [package for package in packages if "skip_reason" in package]
    lines = [f"AUDIT: {total - len(missed)} packages asked about, {len(found)} known vulnerabilities", *found]
    if missed:
        lines.append(_not_asked(len(missed), total, missed[0]["skip_reason"]))
    return (1 if found else 0), lines


def _vulnerabilities(package: dict[str, Any]) -> list[str]:
    name = f"{package['name']} {package.get('version', '')}"
    return [
        f"  {name}: {one['id']}, mended in {', '.join(one['fix_versions']) or 'no version'}"
        for one in package.get("vulns", [])
    ]


def _not_asked(missed: int, total: int, reason: str) -> str:
    return f"AUDIT: PyPI COULD NOT BE ASKED: {missed} of {total} packages NOT audited ({reason})"


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no answer"])[-1]


if __name__ == "__main__":
    code, said = audit()
    print("\n".join(said))
    sys.exit(code)
