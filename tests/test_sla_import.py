"""`manage.py sla import`: the lines it prints can be used, and what it writes leaves everything else as it was."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from test_commands import SECRETS, SETTINGS, error_of, run
from test_commands import _nothing_of_this_machine as _nothing_of_this_machine  # (fixture)

from commands.calendar_yaml import added, lines, save
from commands.sla import NO_HOLIDAYS
from commands.stack import ROOT
from connectors.schedules import Schedule
from sandbox.config import SandboxConfig
from sandbox.testing import running
from triage.errors import SettingsError
from triage.settings_file import parse_settings

OFFICE = Schedule(
    "Büro: Berlin", "Europe/Berlin", {"mon-fri": ["09:00-17:00"], "sat": ["10:00-12:00", "13:00-15:00"]}, (), True
)
CLOSED = Schedule("Depot", "Europe/Paris", {"mon": ["08:00-24:00"]}, tuple(date(2030, 1, day) for day in range(1, 8)))
COMMENTS = """# our desk
desks:   # one
    acme: {platform: freshdesk, url: 'https://a.freshdesk.com',  auth: {api_key: "${API_KEY}"},
           webhook_secrets: [${WEBHOOK_SECRET}]}   # two
sla:
    at_risk: 0.80   # three
    overrides:
        - tier: gold   # four
          priorities: {P0: {first_response: 5m}}
    # five
retention: {delivery_bodies: 3}
# six
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sandbox: str) -> Path:
    """Return a settings file of both sandbox desks."""
    path = tmp_path / "tandem.yaml"
    path.write_text(SETTINGS.format(url=sandbox, mode="tag") + "# the end\n")
    monkeypatch.setenv("TANDEM_CONFIG", str(path))
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    return path


@pytest.fixture(scope="module")
def sandbox() -> Iterator[str]:
    """Return the address of the pretend helpdesks."""
    config = SandboxConfig(
        zendesk_client_id="tandem",
        zendesk_client_secret=SECRETS["CLIENT_SECRET"],
        freshdesk_api_key=SECRETS["API_KEY"],
        freshdesk_admin=False,
    )
    with running(config) as found:
        yield found.url


def test_prints_lines_that_can_be_pasted(file: Path) -> None:
    result = run("sla", "import", "--desk", "acme")
    assert result.exit_code == 0
    assert "[2030-01-01, 2030-06-05, 2030-06-06, 2030-06-07]" in result.stdout
    settings = parse_settings(file.read_text() + result.stdout, SECRETS)
    assert settings.sla.calendar == "office-hours"
    assert settings.sla.calendars["office-hours"].time_zone == "Europe/London"


def test_writes_them_once(file: Path) -> None:
    file.chmod(0o640)
    before = file.read_text()
    result = run("sla", "import", "--desk", "acme", "--write")
    assert "office-hours written; clocks run by 'office-hours'" in " ".join(result.output.split())
    after = file.read_text()
    assert after.startswith(before)
    assert file.stat().st_mode & 0o777 == 0o640
    assert "has a calendar 'office-hours' already; add --replace" in error_of(
        run("sla", "import", "--desk", "acme", "--write")
    )
    assert file.read_text() == after
    assert run("sla", "import", "--desk", "acme", "--write", "--replace").exit_code == 0
    assert file.read_text() == after
    assert [path.name for path in file.parent.iterdir() if path.is_file() and path.suffix != ".db"] == ["tandem.yaml"]


def test_says_what_is_missing(file: Path) -> None:
    said = error_of(run("sla", "import", "--desk", "globex"))
    assert said.startswith("desk globex shows no business hours (GET /business_hours answered 403")
    assert "no such desk" in error_of(run("sla", "import", "--desk", "nobody"))


def test_comments_quotes_and_variables_stay() -> None:
    text = added(COMMENTS, [OFFICE, CLOSED], "tandem.yaml", replace=False)
    gone = [line for line in difflib.ndiff(COMMENTS.splitlines(), text.splitlines()) if line.startswith("- ")]
    # The parser joins what a flow mapping spreads over lines, and indents as the file mostly does.
    assert all(
        word in text for word in ("# our desk", "# one", "# two", "# three", "# four", "# five", "# six", "0.80")
    )
    assert "'https://a.freshdesk.com'" in text
    assert '"${API_KEY}"' in text
    assert "[${WEBHOOK_SECRET}]" in text
    assert not [line for line in gone if "__ENV__" in line]
    settings = parse_settings(text, SECRETS)
    assert settings.sla.at_risk == 0.8
    assert settings.sla.calendar == "buro-berlin"
    assert len(settings.sla.calendars["depot"].closed) == 7


def test_the_example_only_gets_longer() -> None:
    text = (ROOT / "tandem.example.yaml").read_text("utf-8")
    assert added(text, [OFFICE], "x", replace=False).startswith(text)


def test_a_calendar_that_is_named_stays_named() -> None:
    text = "desks: {}\nsla: {calendar: always}\n"
    assert parse_settings(added(text, [OFFICE], "x", replace=False), {}).sla.calendar == "always"


def test_an_empty_file_and_a_wrong_section() -> None:
    assert added("", [OFFICE], "x", replace=False) == lines([OFFICE])
    with pytest.raises(SettingsError, match="'sla' is no section"):
        added("sla: 3\n", [OFFICE], "x", replace=False)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "tandem.yaml"
    path.write_text("old")
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk")))
    with pytest.raises(OSError, match="disk"):
        save(path, "new")
    assert path.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_the_hint_about_holidays_fits_a_terminal() -> None:
    assert max(len(f"# {line}") for line in NO_HOLIDAYS) <= 80
    assert "country: DE" in " ".join(NO_HOLIDAYS)


def test_two_schedules_of_one_name_are_said() -> None:
    twins = [
        Schedule("Support", "UTC", {"mon": ["09:00-17:00"]}),
        Schedule("support!", "UTC", {"tue": ["09:00-17:00"]}),
    ]
    with pytest.raises(SettingsError, match="two sets of business hours would be called 'support' here; rename one"):
        lines(twins)
