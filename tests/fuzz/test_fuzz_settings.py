"""Any settings file, `.env`, variable, calendar and link: read, or refused in words that help and hold no secret."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.desks import SETTINGS, VARIABLES
from tests.fuzz.shapes import ANY_TEXT, FUZZ, HOSTILE, ODD_TEXTS, fewer
from triage.calendars import Calendar
from triage.env_edit import drop_variables, read_variables, set_variables
from triage.environment import Environment, read_environment, variables
from triage.errors import SettingsError
from triage.links import VERDICTS, BadLinkError, Claim, OldLinkError, read, sign
from triage.settings_file import parse_settings
from triage.settings_sla import Calendar as CalendarSettings

EXAMPLE = (Path(__file__).parents[2] / "tandem.example.yaml").read_text("utf-8").replace("# ", "")
FILES = [SETTINGS, EXAMPLE]
YAML_PIECES = (
    "&a ", "*a", "!!set ", "!!python/object:os.system ", "!x ", "<<: *a", "? ", "- ", ": ", "{", "}", "[", "]",
    "|\n", ">-\n", "%YAML 1.1\n",
    "---\n", "...\n", "#", "\t", "'", '"', "\x00", "\u2028", "\ufeff", "0o17", "0b12", "1:99:99", "2026-02-30",
    ".inf", ".nan", "1e999", "~", "yes",
    "${", "${X", "${CLIENT_SECRET}", "${NOT_SET}", "__ENV__CLIENT_SECRET__END__", "!!int x", "!!float x",
    "!!binary x", "!!timestamp x", "@", "`",
    "9" * 5_000, "0x" + "f" * 400, "desks:\n", "sla: {calendars: {", "teams: {x: 1}", "a: &a [*a]", "[" * 60,
    "? [a]: b", "!!map []", "!!omap {a: 1}",
)  # fmt: skip
# Which of our errors may do without a line: those about the whole file.
WHOLE_FILE = re.compile(r"is no YAML|is too large|could not|is not set")
SECRETS = tuple(VARIABLES.values())


@st.composite
def files(draw: st.DrawFn) -> str:
    """Return a settings file with some lines changed, dropped, doubled, moved or broken into."""
    lines = draw(st.sampled_from(FILES)).splitlines(keepends=True)
    for _ in range(draw(st.integers(0, 5))):
        at = draw(st.integers(0, len(lines) - 1))
        how = draw(st.sampled_from(["drop", "double", "indent", "insert", "insert", "cut", "value"]))
        piece = draw(st.sampled_from(YAML_PIECES) | st.text(max_size=5))
        line = lines[at]
        place = draw(st.integers(0, len(line)))
        lines[at : at + 1] = {
            "drop": [], "double": [line, line], "indent": [" " * draw(st.integers(1,
            5)) + line], "cut": [line[:place] + "\n"],
            "insert": [line[:place] + piece + line[place:]], "value": [line.partition(":")[0] + ": " + piece + "\n"],
        }[how]  # fmt: skip
        lines = lines or ["\n"]
    return "".join(lines)


class TestSettings:
    @FUZZ
    @given(files() | st.lists(st.sampled_from(YAML_PIECES), max_size=8).map("".join) | st.text(max_size=60))
    @example("desks: !!set {a, b}\n")
    @example("? [a]\n: b\n")
    @example("a: &a [*a]\n")
    @example("- 1:99:99\n")
    @example("a: !!int x\n")
    def test_any_file_is_read_or_refused_with_its_line(self, text: str) -> None:
        try:
            parse_settings(text, VARIABLES)
        except SettingsError as error:
            said = str(error)
            assert said.startswith("tandem.yaml")
            assert re.match(r"tandem\.yaml line \d+: ", said) or WHOLE_FILE.search(said), said
            assert not [one for one in SECRETS if one in said and one not in text]

    @fewer(2)
    @given(st.text(min_size=1, max_size=40).filter(lambda value: value.strip() != ""))
    @example("}] #")
    @example("*x")
    @example("! &a |")
    @example("${CLIENT_SECRET}")
    def test_a_secret_cannot_change_what_the_file_means(self, secret: str) -> None:
        settings = parse_settings(SETTINGS, VARIABLES | {"API_KEY": secret})
        key = settings.desks["globex"].auth.api_key
        assert key is not None and key.get_secret_value() == secret
        assert set(settings.desks) == {"acme", "globex"}


NAMES = [name.upper() for name in Environment.model_fields]
ODD_VALUES = st.sampled_from([
    *ODD_TEXTS, "http://[", "http://[::1", "http://a:b", "http://a:99999", "redis://[", "redis://a:x",
    "postgresql://a:b@c:d/e",
    "postgresql://[/x", "sqlite:///" + "x" * 300, "sqlite://\x00", "://", "https://", "https://x.openai.azure.com",
    "amqp://a:b:c@[", "javascript:x",
    "scrypt:1:2:3$a$0", "http://\u2100", "http://a\u2100b/",
])  # fmt: skip

ENV_LINES = HOSTILE | st.sampled_from(["A=1", "B='x", 'C="', "export D=1", "=", "#", "E"])
ENV_FILES = st.binary(max_size=120) | st.lists(ENV_LINES).map(lambda lines: "\n".join(lines).encode("utf-8", "replace"))


class TestEnvironment:
    @FUZZ
    @given(st.dictionaries(st.sampled_from(NAMES), ODD_VALUES | HOSTILE | ANY_TEXT, max_size=3))
    @example({"OIDC_ISSUER": "http://["})
    @example({"OPENAI_BASE_URL": "http://["})
    @example({"DATABASE_URL": "postgresql://a:b@c:d/e"})
    @example({"PUBLIC_URL": "http://a\u2100b/"})
    def test_any_variable_is_taken_or_named(self, given_: dict[str, str]) -> None:
        try:
            read_environment(given_)
        except SettingsError as error:
            said = str(error)
            assert any(name in said for name in given_), said
            secret = [
                value for name, value in given_.items() if len(value) > 7 and re.search("KEY|PASSWORD|SECRET|URL", name)
            ]
            assert not [value for value in secret if value in said and value not in NAMES]

    @fewer(2)
    @given(ENV_FILES)
    def test_any_file_of_variables(self, tmp_path_factory: pytest.TempPathFactory, body: bytes) -> None:
        path = tmp_path_factory.getbasetemp() / "fuzz.env"
        path.write_bytes(body)
        try:
            found = variables(path)
        except SettingsError as error:
            assert "fuzz.env" in str(error)
        else:
            assert all(isinstance(value, str) for value in found.values())

    @FUZZ
    @given(
        st.lists(st.sampled_from(["A=1", "B='x", 'C="y z"', "export A=2", "=", "# c", "E", "", " A = 3 ", "A",
        "\ufeffA=4"]) | HOSTILE, max_size=6),
        st.sampled_from(["\n", "\r\n", "\r"]), HOSTILE,
    )  # fmt: skip
    def test_any_file_of_variables_is_changed_exactly_or_not_at_all(
        self, lines: list[str], ending: str, value: str
    ) -> None:
        text = ending.join(lines)
        before = read_variables(text)
        try:
            changed = set_variables(text, {"A": value})
            without = drop_variables(changed, {"A"})
        except SettingsError as error:
            assert len(value) < 8 or value not in str(error)
        else:
            assert read_variables(changed) == before | {"A": value}
            assert read_variables(without) == {name: one for name, one in before.items() if name != "A"}


KEY, NOW = "k" * 40, 1_795_000_000.0
CLAIMS = st.builds(
    lambda kind, value, last: Claim(kind, "TDM-ABCDEFGH23", value if kind == "vote" else "3", last),
    st.sampled_from(["vote", "answer"]), st.sampled_from(sorted(VERDICTS)), st.integers(20_000, 30_000),
)  # fmt: skip

CHANGES = st.tuples(st.integers(0, 80), st.sampled_from("A1.-_=~é \x00v/"))


class TestLinks:
    @FUZZ
    @given(
        CLAIMS,
        st.lists(st.tuples(st.integers(0, 80), st.sampled_from("A1.-_=~é \x00v/")), min_size=1, max_size=3),
        st.integers(0, 2),
    )
    def test_a_bent_token_says_what_was_signed_or_nothing(
        self, claim: Claim, changes: list[tuple[int, str]], how: int
    ) -> None:
        token = sign(KEY, claim)
        bent = token
        for at, character in changes:
            at %= len(bent)
            bent = bent[:at] + character + bent[at + (how != 0) :] if how < 2 else bent[:at]
            bent = bent or "."
        assume(bent != token)
        try:
            # The last of its characters has two bits that nobody reads.
            assert read(KEY, bent, NOW) == claim
        except (BadLinkError, OldLinkError):
            return

    @FUZZ
    @given(CLAIMS, st.text(min_size=16, max_size=40))
    def test_no_other_key_makes_one(self, claim: Claim, other: str) -> None:
        assume(other != KEY)
        assume(not re.search("[\ud800-\udfff]", other))
        with pytest.raises(BadLinkError):
            read(KEY, sign(other, claim), NOW)


HOURS = st.sampled_from([
    "09:00-17:00", "00:00-24:00", "23:59-24:00", "02:00-03:00", "9-17", "17:00-09:00", "24:00-25:00", "x", "",
    "00:00-00:00", "-1:00-5:00",
    "09:00-17:00-18:00", "٠٩:00-17:00", 5, None, ["09:00-12:00", "11:00-13:00"], [], [["09:00-10:00"]],
])  # fmt: skip
DAYS = (
    st.sampled_from(["mon", "mon-fri", "fri-mon", "sun", "sat,sun", "xyz", "", "mon-", "-mon", "Mon", "mon-fri-sun"])
    | ANY_TEXT
)
CALENDARS = st.fixed_dictionaries({}, optional={
    "time_zone": st.sampled_from(["UTC", "Europe/Berlin", "Pacific/Apia", "America/Havana", "Antarctica/Troll",
    "../etc/passwd", "x", ""]) | ANY_TEXT,
    "hours": st.dictionaries(DAYS, HOURS, max_size=3),
    "closed": st.lists(st.sampled_from(["2026-12-24", "2026-02-30", 5, None, "0001-01-01", "9999-12-31",
    "x"]), max_size=2),
    "holidays": st.sampled_from(["DE", "DE-BY", "US", "xx", "", 5, None]),
})  # fmt: skip


class TestCalendar:
    @FUZZ
    @given(CALENDARS, st.integers(0, 4_000_000_000), st.integers(0, 400 * 86_400), st.integers(1, 10_000))
    def test_any_hours_are_refused_or_can_be_counted(
        self, given_: dict[str, Any], start: int, length: int, minutes: int
    ) -> None:
        try:
            calendar = Calendar.of(CalendarSettings.model_validate(given_))
        except ValidationError:
            return
        end = start + length
        elapsed = calendar.elapsed(start, end)
        assert 0 <= elapsed <= length / 60 + 1e-6
        due = calendar.due(start, minutes)
        assert due is None or (due > start and calendar.elapsed(start, due) == pytest.approx(minutes))

    def test_the_ends_of_the_calendar(self) -> None:
        week = Calendar.of(
            CalendarSettings.model_validate({"time_zone": "Pacific/Apia", "hours": {"mon": "09:00-17:00"}})
        )
        assert week.elapsed(0, 0) == 0
        assert week.due(datetime(1970, 1, 1, tzinfo=UTC).timestamp(), 1) is not None
