"""The audit of the pinned packages: a known vulnerability fails it, a service that is away is said loudly."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence

import pytest

from tools.dependencies import LOCK_FILES, ROOT, audit, pip_audit

AWAY = "Dependency not found on PyPI and could not be audited: left (1.0)"
SOUND = {"name": "sound", "version": "2.0", "vulns": []}
HURT = {"name": "hurt", "version": "1.0", "vulns": [{"id": "PYSEC-2026-1", "fix_versions": ["1.1"], "aliases": []}]}
HOPELESS = {"name": "worse", "version": "3.0", "vulns": [{"id": "GHSA-x", "fix_versions": [], "aliases": []}]}
SKIPPED = {"name": "left", "skip_reason": AWAY}


class FakeTool:
    """Answers as pip-audit does, the rehearsal first."""

    def __init__(self, packages: list[dict[str, object]] | None, *, stderr: str = "", total: int = 3) -> None:
        self.rehearsal = f"INFO:pip_audit._audit:Dry run: would have audited {total} packages"
        self.stdout = "" if packages is None else json.dumps({"dependencies": packages, "fixes": []})
        self.stderr = stderr

    def __call__(self, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
        if "--dry-run" in arguments:
            return subprocess.CompletedProcess([], 0, "", self.rehearsal)
        return subprocess.CompletedProcess([], 1 if self.stderr else 0, self.stdout, self.stderr)


def test_packages_without_a_vulnerability_pass() -> None:
    assert audit(FakeTool([SOUND, SOUND, SOUND])) == (0, ["AUDIT: 3 packages asked about, 0 known vulnerabilities"])


def test_a_vulnerability_fails_and_names_the_version_to_take() -> None:
    assert audit(FakeTool([SOUND, HURT, HOPELESS])) == (
        1,
        [
            "AUDIT: 3 packages asked about, 2 known vulnerabilities",
            "  hurt 1.0: PYSEC-2026-1, mended in 1.1",
            "  worse 3.0: GHSA-x, mended in no version",
        ],
    )


def test_packages_the_service_does_not_know_are_counted_beside_those_it_does() -> None:
    code, lines = audit(FakeTool([HURT, SKIPPED, SKIPPED]))
    assert code == 1
    assert lines[-1] == f"AUDIT: PyPI COULD NOT BE ASKED: 2 of 3 packages NOT audited ({AWAY})"


@pytest.mark.parametrize("stderr", ["ERROR: Could not connect to PyPI's vulnerability feed", ""])
def test_a_service_that_is_away_fails_nothing_and_is_said(stderr: str) -> None:
    code, (line,) = audit(FakeTool(None, stderr=stderr))
    assert code == 0
    assert "3 of 3 packages NOT audited" in line
    assert (stderr or "no answer") in line


def test_requirements_that_cannot_be_read_fail() -> None:
    def broken(_: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], 1, "", "ERROR: requirement x does not contain a hash")

    assert audit(broken) == (1, ["the requirements cannot be audited:", "ERROR: requirement x does not contain a hash"])


def test_every_lock_file_is_read_by_the_real_tool() -> None:
    """Without the network: the rehearsal asks nobody."""
    names = {file.name for file in ROOT.glob(LOCK_FILES)}
    assert names >= {"requirements.txt", "requirements-dev.txt", "requirements-traces.txt", "requirements-model.txt"}
    done = pip_audit(["--dry-run"])
    assert done.returncode == 0, done.stderr
    assert "would have audited" in done.stderr
