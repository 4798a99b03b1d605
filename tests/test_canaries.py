"""The watch over the suite's own output sees what it must, so that its silence means something."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.canaries import SECRETS, WATCH, WORDS, secrets_of, seen_in

ROOT = Path(__file__).parents[1]
LEAKY = """
import logging, subprocess, sys
import click, pytest
from click.testing import CliRunner
from tests.canaries import SECRETS, WORDS
from triage.errors import Retry

SECRET, WORD = SECRETS["API_KEY"], next(iter(WORDS.values()))

def test_prints(): print("the key is", SECRET)
def test_prints_to_stderr(): print(SECRET, file=sys.stderr)
def test_logs(): logging.getLogger("workers.x").warning("key %s", SECRET)
def test_logs_below_the_level(): logging.getLogger("connectors.http").debug("key %s", SECRET)
def test_logs_a_word(): logging.getLogger("triage.store").info("body %s", WORD)
def test_logs_elsewhere(): logging.getLogger("urllib3").warning("key %s", SECRET)
def test_raises_and_catches():
    with pytest.raises(Retry):
        raise Retry(f"401 for {SECRET}")
def test_command():
    @click.command()
    def command(): click.echo(SECRET)
    CliRunner().invoke(command)
def test_process_prints():
    told = f"print({SECRET[:9]!r} + {SECRET[9:]!r})"
    subprocess.run([sys.executable, "-c", told], capture_output=True)
def test_process_is_started_with(): subprocess.run(["true", SECRET])
def test_capsys(capsys):
    print(SECRET)
    capsys.readouterr()
def test_capfd(capfd):
    print(SECRET)
    capfd.readouterr()
@pytest.fixture
def late():
    yield
    print(SECRET)
def test_teardown(late): pass
def test_says_nothing(): logging.getLogger("workers.x").warning("ticket %d of %s", 7, "acme")
def test_shows_a_word(): print(WORD)
"""
QUIET = {"test_says_nothing", "test_shows_a_word"}


def test_each_way_out_is_seen(tmp_path: Path) -> None:
    # Below the tests' own folder, so that their conftest counts.
    file = ROOT / "tests" / f"leaky_{tmp_path.name}.py"
    file.write_text(LEAKY)
    try:
        done = subprocess.Popen(
            [sys.executable, "-m", "pytest", str(file), "-q", "--tb=no", "-rA", "-p", "no:randomly"],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        # Not `run`: what this prints is meant to hold them.
        said, _ = done.communicate(timeout=120)
    finally:
        file.unlink()
    failed = {line.split("::")[1].split()[0] for line in said.splitlines() if line.startswith(("FAILED", "ERROR"))}
    wanted = {line[4:].partition("(")[0] for line in LEAKY.splitlines() if line.startswith("def test_")} - QUIET
    assert failed == wanted, said
    assert done.returncode == 1


def test_the_canaries_are_told_apart_from_chance() -> None:
    assert all(len(value) >= 10 for value in (*SECRETS.values(), *WORDS.values()))
    assert seen_in("xx api-key-of-the-bot", SECRETS) == ["API_KEY"]
    assert seen_in("nothing", SECRETS | WORDS) == []
    assert secrets_of({"SECRET_KEY": "k" * 20, "API_TOKEN": "short", "PORT": "8000" * 5}) == {"SECRET_KEY": "k" * 20}


def test_what_was_seen_is_told_once() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WATCH, "leaks", [])
        WATCH.look("somewhere", b"api-key-of-the-bot")
        WATCH.look("somewhere", ["api-key-of-the-bot"])
        assert WATCH.taken() == ["API_KEY in somewhere"]
        assert WATCH.taken() == []
