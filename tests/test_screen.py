"""What commands print: no value of a helpdesk, a customer or a model commands the terminal."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.screen import Screen, coloured, harmless
from tests.desks import SETTINGS, VARIABLES
from triage.store import Store

ROOT = Path(__file__).parents[1]
# Clears the screen, sets the title, hides what follows, one-byte commands, a bell, a line drawn over.
ATTACK = "x\x1b[2J\x1b]0;owned\x07\x1b[8mhidden\x1b[0m\x9b31m\x1bP1$r\x1b\\\ry\x00\ud800z"


def test_only_colours_reach_a_terminal() -> None:
    assert coloured("\x1b[1;31mred\x1b[0m ok\n\t") == "\x1b[1;31mred\x1b[0m ok\n\t"
    shown = coloured(ATTACK)
    assert "\x1b[0m" in shown
    assert not {"\x07", "\x9b", "\r", "\x00"} & set(shown)
    assert shown.count("\x1b") == 1
    assert "\x1b[8m" not in coloured("\x1b[1;8m\x1b[8m\x1b[8;1m")
    assert "\x1b" not in harmless(ATTACK)


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_can_be_printed(text: str) -> None:
    buffer = io.BytesIO()
    screen = Screen(buffer, "utf-8", "backslashreplace", line_buffering=True)
    assert screen.write(text) == len(text)
    screen.flush()
    assert not set(buffer.getvalue()) & {0, 7, 8, 13, 127}


COMMANDS = [
    ["show", "--desk", "acme", "7"],
    ["show", "--desk", "acme", "7", "--json"],
    ["audit", "show"],
    ["audit", "show", "--json"],
    ["triage", "--desk", "\x1b[2J\x07", "7"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command[:2]))
def test_no_command_passes_them_on(command: list[str], tmp_path: Path, sqlite_store: Store) -> None:
    (tmp_path / "tandem.yaml").write_text(SETTINGS)
    now = time.time()
    hostile = ATTACK.replace("\ud800", "").replace("\x00", "")
    run, _ = sqlite_store.runs.claim("acme", "7", "created", owner="w", now=now, lease_until=now + 60)
    sqlite_store.runs.finish(run, "dead", now, reason=hostile)
    sqlite_store.audit.record(hostile, hostile, now, desk=hostile, subject=hostile, value=hostile)
    sqlite_store.deliveries.receive("acme", hostile, ticket_id="7", event=hostile, body=b"{}", now=now, reason=hostile)
    surroundings = VARIABLES | {
        "TANDEM_CONFIG": str(tmp_path / "tandem.yaml"), "DATABASE_URL": f"sqlite:///{tmp_path}/tandem.db",
        "TANDEM_ENV_FILE": "/nowhere", "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, ROOT / "manage.py", *command], capture_output=True, cwd=tmp_path, env=surroundings, timeout=120
    )
    out = done.stdout + done.stderr
    assert b"Traceback" not in out
    assert b"\x1b[2J" not in out
    assert b"\x1b]" not in out
    assert b"\x1b[8m" not in out
    assert not set(out) & {0x00, 0x07, 0x0D, 0x7F}
    out.decode()
    if "--json" in command:
        text = done.stdout.decode()
        for document in text.splitlines() if "audit" in command else [text]:
            json.loads(document)
