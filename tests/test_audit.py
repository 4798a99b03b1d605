"""The audit log on paper: complete, in order, and harmless to open."""

from __future__ import annotations

import csv
import json
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from commands.audit import command
from triage.cells import safe_cell
from triage.store import Store

NOW = 1_793_000_000.0


@pytest.fixture(autouse=True)
def _here(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", store.engine.url.render_as_string(hide_password=False))
    store.audit.record("command:ada", "mode", NOW, desk="acme", subject="desk", before={"mode": "tag"}, after={})
    store.audit.record("console:=1+1", "undo", NOW + 3600, desk="acme", subject="ticket 7", tags=["ai_x"])


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments)


def test_lines(tmp_path: Path) -> None:
    out = tmp_path / "audit.jsonl"
    assert "2 entries written" in run("export", "--out", str(out)).output
    first, second = [json.loads(line) for line in out.read_text().splitlines()]
    assert (first["actor"], first["action"], first["detail"]["before"]) == ("command:ada", "mode", {"mode": "tag"})
    assert second["at"] == "2026-10-26T12:33:20Z" or second["at"].endswith("Z")
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert list(tmp_path.glob("*.part")) == []


def test_a_sheet_holds_no_formula(tmp_path: Path, store: Store) -> None:
    store.audit.record("=cmd|' /C calc'!A0", "login", NOW, subject="@SUM(1)", desk="-1")
    out = tmp_path / "audit.csv"
    run("export", "--out", str(out))
    rows = list(csv.DictReader(out.open(newline="")))
    assert len(rows) == 3
    assert rows[2]["actor"] == "'=cmd|' /C calc'!A0"
    assert (rows[2]["subject"], rows[2]["desk"]) == ("'@SUM(1)", "'-1")
    assert not [cell for row in rows for cell in row.values() if cell[:1] in "=+-@\t\r" and cell]


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@a", "\tx", "\rx", "\nx", " =1", "\u00a0+1", "\uff1d1"])
def test_cells(text: str) -> None:
    assert safe_cell(text) == f"'{text}"
    assert safe_cell("plain = 1") == "plain = 1"


def test_from_a_time_on(tmp_path: Path) -> None:
    out = tmp_path / "a.jsonl"
    assert "0 entries" in run("export", "--out", str(out), "--since", "2030-01-01").output
    assert run("export", "--out", str(tmp_path / "a.xls")).exit_code == 2
    assert run("export", "--out", str(out), "--since", "soon").exit_code != 0


def test_more_than_a_piece(tmp_path: Path, sqlite_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("triage.store.audit.PIECE", 2)
    for number in range(5):
        sqlite_store.audit.record("a", "b", NOW + number)
    found = [one.at for one in sqlite_store.audit.since(NOW + 1) if one.actor == "a"]
    assert found == [NOW + 1, NOW + 2, NOW + 3, NOW + 4]


def test_shown() -> None:
    output = run("show").output
    assert "command:ada  mode acme desk" in output
    assert json.loads(run("show", "--json", "--limit", "1").output)["action"] == "undo"
    assert all(len(line) <= 80 for line in output.splitlines())
