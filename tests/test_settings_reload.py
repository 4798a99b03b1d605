"""The settings file may change while everything runs: soon in force, and never half of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.desks import SETTINGS, VARIABLES
from triage.environment import Environment, read_environment, variables
from triage.errors import SettingsError
from triage.live import Live
from triage.settings import Settings
from triage.settings_file import load_settings
from triage.settings_reload import SettingsFile
from triage.store import Store


class Bench:
    """A settings file, the variables it may name, and a clock that is pushed by hand."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path, self.env = folder / "tandem.yaml", folder / ".env"
        self.path.write_text(SETTINGS)
        self.env.write_text("")
        self.values = dict(VARIABLES)
        self.now = 1000.0
        monkeypatch.setenv("TANDEM_ENV_FILE", str(self.env))
        monkeypatch.setattr("triage.settings_reload.time.monotonic", lambda: self.now)

    def open(self, check: Callable[[Settings], None] = lambda _: None) -> SettingsFile:
        settings = load_settings(self.path, self.values)
        environment = read_environment(self.values)
        return SettingsFile(self.path, settings, environment, check=check, read=lambda: self.values)

    def write(self, text: str) -> None:
        before = self.path.stat().st_mtime_ns
        self.path.write_text(text)
        # A test is faster than some file systems' clocks.
        os.utime(self.path, ns=(before + 1_000_000, before + 1_000_000))

    def pass_seconds(self, file: SettingsFile, seconds: int = 3) -> Settings:
        for _ in range(seconds):
            self.now += 1.0
            file.current()
        return file.current()


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


def test_one_look_is_enough_at_a_file_nobody_has_touched_for_a_while(bench: Bench) -> None:
    file = bench.open()
    bench.path.write_text(SETTINGS.replace("acme:", "initech:"))
    for path in (bench.path, bench.env):
        os.utime(path, (1e9, 1e9))
    bench.now += 3600.0
    assert "initech" in file.current().desks


def test_who_misses_a_desk_looks_at_once(bench: Bench, sqlite_store: Store) -> None:
    file = bench.open()
    live = Live(file.current(), sqlite_store, file)
    bench.write(SETTINGS.replace("acme:", "initech:"))
    assert live.knows("initech")
    assert not live.knows("acme")
    assert "initech" in live.settings().desks
    bench.write("desks: [")
    assert not live.knows("umbrella")
    assert live.knows("initech")


def test_a_change_is_in_force_within_seconds(bench: Bench) -> None:
    file = bench.open()
    first = file.current()
    bench.write(SETTINGS + "tag_prefix: t_\n")
    assert file.current() is first  # not looked at for every ticket
    assert bench.pass_seconds(file).tag_prefix == "t_"
    assert first.tag_prefix == "ai_"  # who is at work with them keeps them


def test_a_file_that_says_the_same_is_the_same(bench: Bench) -> None:
    file = bench.open()
    first = file.current()
    bench.write(SETTINGS + "# a comment\n")
    assert bench.pass_seconds(file) is first


def test_half_a_file_never_counts(bench: Bench) -> None:
    file = bench.open()
    desks = dict(file.current().desks)
    whole = SETTINGS + "tag_prefix: t_\n"
    # As an editor that writes in pieces: each piece is valid, and holds no or one desk.
    for part in ("", SETTINGS[: SETTINGS.index("  globex")], whole):
        bench.write(part)
        bench.now += 1.0
        assert dict(file.current().desks) == desks
    assert bench.pass_seconds(file).tag_prefix == "t_"


@pytest.mark.parametrize("broken", ["desks: [", SETTINGS + "colour: red\n", SETTINGS.replace("${API_KEY}", "${NOPE}")])
def test_a_broken_file_leaves_the_last_good_settings(bench: Bench, broken: str) -> None:
    file = bench.open()
    first = file.current()
    bench.write(broken)
    assert bench.pass_seconds(file) is first
    assert file.problem.startswith("tandem.yaml line ")
    bench.write(SETTINGS)
    assert bench.pass_seconds(file) is first
    assert file.problem == ""


def test_a_file_that_is_gone_leaves_the_last_good_settings(bench: Bench) -> None:
    file = bench.open()
    bench.path.unlink()
    assert len(bench.pass_seconds(file).desks) == 2
    assert "does not exist" in file.problem


def test_what_a_process_cannot_work_with_is_refused_like_a_broken_file(bench: Bench) -> None:
    def check(settings: Settings) -> None:
        if settings.tag_prefix != "ai_":
            raise SettingsError("tandem.yaml: tag_prefix: not here")

    file = bench.open(check)
    bench.write(SETTINGS + "tag_prefix: t_\n")
    assert bench.pass_seconds(file).tag_prefix == "ai_"
    assert file.problem == "tandem.yaml: tag_prefix: not here"


def test_a_secret_of_the_environment_file_is_read_again(bench: Bench) -> None:
    file = bench.open()
    bench.values["ZENDESK_SECRET"] = "another-signing-secret"
    bench.env.write_text("ZENDESK_SECRET=another-signing-secret\n")
    secrets = bench.pass_seconds(file).desks["acme"].webhook_secrets
    assert [one.get_secret_value() for one in secrets] == ["another-signing-secret"]
    assert file.stale == ()


def test_what_needs_a_restart_is_said_by_name_and_not_by_value(bench: Bench, store: Store) -> None:
    file = bench.open()
    live = Live(file.current(), store, file)
    bench.values["OPENAI_API_KEY"] = "a-very-secret-key"
    bench.env.write_text("OPENAI_API_KEY=a-very-secret-key\n")
    bench.pass_seconds(file)
    live.settings()
    (alarm,) = store.alarms.recent()
    assert (alarm.desk, alarm.kind) == ("*", "restart_needed")
    assert "OPENAI_API_KEY changed in .env" in alarm.text
    assert "secret" not in alarm.text
    # A command that begins now has the new value, and knows nothing of those that run; a process of ours does.
    again = bench.open()
    Live(again.current(), store, again).settings()
    assert store.alarms.recent() == [alarm]
    Live(again.current(), store, again).begin().settings()
    assert store.alarms.recent() == []
    del bench.values["OPENAI_API_KEY"]
    bench.env.write_text("\n")
    bench.pass_seconds(file)
    live.settings()
    assert store.alarms.recent() == []


def test_a_broken_file_raises_an_alarm_that_goes_with_its_cause(bench: Bench, store: Store) -> None:
    file = bench.open()
    live = Live(file.current(), store, file)
    live.settings()
    assert store.alarms.recent() == []
    bench.write(SETTINGS + "colour: red\n")
    bench.pass_seconds(file)
    live.settings()
    (alarm,) = store.alarms.recent()
    assert (alarm.desk, alarm.kind) == ("*", "settings_file")
    assert "'colour' is not a known key" in alarm.text
    assert "last good settings" in alarm.text
    # Another process, whose file is well, has taken it back: this one says it again.
    store.alarms.clear("*", "settings_file")
    bench.now += 61
    live.settings()
    assert len(store.alarms.recent()) == 1
    bench.write(SETTINGS)
    bench.pass_seconds(file)
    live.settings()
    assert store.alarms.recent() == []


def test_the_environment_itself_stays_as_it_was(bench: Bench) -> None:
    assert isinstance(read_environment(bench.values), Environment)
    file = bench.open()
    bench.values["PORT"] = "not a number"
    bench.env.write_text("PORT=not a number\n")
    bench.pass_seconds(file)
    assert "PORT" in file.problem


@pytest.mark.parametrize("kind", ["empty", "blank", "folder", "large", "binary"])
def test_what_is_no_settings_file_leaves_the_last_good_ones(bench: Bench, kind: str) -> None:
    """Empty is valid, and would end every desk and every ticket that is under way."""
    file = bench.open()
    first = file.current()
    if kind == "folder":
        bench.path.unlink()
        bench.path.mkdir()
    elif kind == "binary":
        bench.path.write_bytes(b"\xff\xfe\x00")
    else:
        bench.write({"empty": "", "blank": " \n\n", "large": SETTINGS + "# " + "x" * 1_000_000}[kind])
    assert bench.pass_seconds(file) is first
    assert "tandem.yaml" in file.problem
    if kind == "folder":
        bench.path.rmdir()
    bench.path.write_text(SETTINGS + "tag_prefix: t_\n")
    assert bench.pass_seconds(file).tag_prefix == "t_"


def test_the_last_desk_may_be_taken_away(bench: Bench) -> None:
    file = bench.open()
    bench.write("desks: {}\n")
    assert bench.pass_seconds(file).desks == {}


def test_variables_that_cannot_be_read_change_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    bench.env.write_bytes(b"A=\xff\n")
    with pytest.raises(SettingsError, match="UTF-8"):
        variables()
    bench.env.write_text("")
    file = SettingsFile(bench.path, load_settings(bench.path, bench.values), read_environment(bench.values))
    first = file.current()
    bench.env.write_bytes(b"API_KEY=\xff\n")
    assert bench.pass_seconds(file) is first
    assert "UTF-8" in file.problem
