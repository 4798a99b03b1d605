"""The `sla:` section: what an admin may write, and the line to mend for what they may not."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from evaluation.sla_cases import calendars, main, wrong
from triage.errors import SettingsError
from triage.settings_file import parse_settings
from triage.settings_hours import ALWAYS, days_of, parse_window, week_of

GOOD = """
sla:
  calendar: berlin
  calendars:
    berlin:
      time_zone: Europe/Berlin
      hours:
        mon-fri: 09:00-17:00
        sat: [10:00-12:00, 13:00-15:00]
      country: DE
      subdivision: BE
      closed: [2026-12-24]
    night: {hours: {sat-mon: 22:00-06:00+1}}
  overrides:
    - {tier: enterprise, calendar: night, priorities: {P0: {first_response: 5m}}}
  on_risk: {notify: [ops]}
  on_breach: {notify: [ops], priority: urgent, group: Escalations}
  channels: {ops: "${OPS}"}
  quiet_hours: {time_zone: Europe/Berlin, hours: {mon-sun: 22:00-07:00+1}, unless: [P0, P1]}
"""
VALUES = {"OPS": "json://127.0.0.1:9/secret-token"}


def error_of(text: str) -> str:
    with pytest.raises(SettingsError) as caught:
        parse_settings(text, VALUES)
    return str(caught.value)


def test_a_full_section_is_read() -> None:
    sla = parse_settings(GOOD, VALUES).sla
    week = week_of(sla.calendars["berlin"].hours)
    assert sla.calendars["berlin"].closed == [date(2026, 12, 24)]
    assert week == (((540, 1020),),) * 5 + (((600, 720), (780, 900)), ())
    night = week_of(sla.calendars["night"].hours)
    assert night == (((0, 360), (1320, 1440)), ((0, 360),), (), (), (), ((1320, 1440),), ((0, 360), (1320, 1440)))
    assert sla.quiet_hours and sla.quiet_hours.unless == ["P0_critical", "P1_high"]
    assert sla.overrides[0].priorities["P0_critical"].first_response == 5
    assert "secret-token" not in repr(sla) + sla.model_dump_json()


def test_nothing_need_be_written() -> None:
    sla = parse_settings("", {}).sla
    assert (sla.calendar, sla.at_risk, sla.tick_seconds, sla.quiet_hours) == ("always", 0.75, 60, None)
    assert week_of(None) == ALWAYS


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("mon-fri: 09:00-17:00", "mon-fri: 17:00-09:00", 8, "'17:00-09:00' ends before it begins; write +1"),
        ("mon-fri: 09:00-17:00", "mon-fri: 09:00-09:00", 8, "ends before it begins"),
        ("mon-fri: 09:00-17:00", "mon-fri: 9 to 5", 8, "is no opening time; write it like 09:00-17:00"),
        ("mon-fri: 09:00-17:00", "mon-fri: 09:00-24:30", 8, "is no opening time"),
        ("mon-fri: 09:00-17:00", "mon-fri: 09:00-10:00+1", 8, "longer than a day"),
        ("mon-fri: 09:00-17:00", "mon-fri: [09:00-12:00, 11:30-17:00]", 8, "two opening times overlap at 11:30"),
        ("mon-fri: 09:00-17:00", "mon-sat: 09:00-17:00", 9, "overlaps 'mon-sat' on sat at 10:00"),
        ("sat: [10:00-12:00, 13:00-15:00]", "sat: []\n        fri: 16:00-20:00", 10, "overlaps 'mon-fri' on fri"),
        ("sat: [10:00-12:00, 13:00-15:00]", "thu: 20:00-09:30+1", 9, "overlaps 'mon-fri' on fri at 09:00"),
        ("mon-fri: 09:00-17:00", "mon-fry: 09:00-17:00", 8, "is no day; write mon, tue"),
        ("time_zone: Europe/Berlin\n", "time_zone: Europe/Berlni\n", 6, "is no time zone; write one of the IANA"),
        ("time_zone: Europe/Berlin\n", "time_zone: ../../etc/passwd\n", 6, "is no time zone"),
        ("time_zone: Europe/Berlin\n", 'time_zone: ""\n', 6, "is no time zone"),
        ("country: DE", "country: GERMANY", 10, "country: is not known; write two capital letters"),
        ("country: DE\n      ", "", 10, "subdivision: needs a country"),
        ("subdivision: BE", "subdivision: ZZ", 11, "subdivision: is not known in DE; known are BB, BE"),
        ("closed: [2026-12-24]", "closed: [Christmas]", 12, "closed: is no date; write dates like 2026-12-24"),
        ("closed: [2026-12-24]", "closed: [24.12.2026]", 12, "closed: is no date; write dates like 2026-12-24"),
        ("closed: [2026-12-24]", "closed: [20261224]", 12, "closed: is no date; write dates like 2026-12-24"),
        ("closed: [2026-12-24]", "closed: [2026-12-24 10:00:00]", 12, "closed: is no date; write dates like"),
        ("closed: [2026-12-24]", "closed: [2026-02-30]", 12, "closed: is no day of the calendar; correct it"),
        ("mon-sun: 22:00-07:00+1", "mon-sun: 00:00-24:00", 19, "no message would ever be sent; leave some hours out"),
        ("mon-sun: 22:00-07:00+1", "mon-sun: 22:00-22:00+1", 19, "no message would ever be sent"),
        ("sat-mon: 22:00-06:00+1", "sat: []", 13, "no hour of the week is open; add some"),
        ("sat-mon: 22:00-06:00+1", "", 13, "no hour of the week is open; add some"),
        ("calendar: berlin", "calendar: paris", 3, "'paris' is no calendar; the calendars are always, berlin, night"),
        ("calendar: night", "calendar: day", 15, "'day' is no calendar"),
        ("    night: {", "    always: {", 13, "'always' is around the clock already"),
        ("tier: enterprise, ", "", 15, "names no tickets; add tier:, team: or brand:"),
        ("tier: enterprise, ", "team: biling, ", 15, "'biling' is no team; the teams are billing"),
        (", calendar: night, priorities: {P0: {first_response: 5m}}", "", 15, "changes nothing"),
        ("first_response: 5m", "first_response: 5 minutes", 15, "is no duration"),
        ("first_response: 5m", "first_response: 400d", 15, "527040"),
        ("on_risk: {notify: [ops]}", "on_risk: {notify: [boss]}", 16, "'boss' is no channel; the channels are ops"),
        ("on_breach: {notify: [ops], priority: urgent", "on_breach: {priority: low", 17, "urgent"),
        ("on_risk:", "at_risk:", 16, "at_risk: input should be a valid number"),
        ("on_risk: {notify: [ops]}", "on_risk: {notfy: [ops]}", 16, "did you mean 'notify'?"),
        ("mon-sun: 22:00-07:00+1", "mon-sun: 22:00-07:00", 19, "ends before it begins"),
        ("mon-sun: 22:00-07:00+1", "mon-sun: []", 19, "no hour of the week is open"),
    ],
)
def test_bad_calendars_are_refused_with_the_line_to_fix(old: str, new: str, line: int, said: str) -> None:
    assert old in GOOD
    message = error_of(GOOD.replace(old, new, 1))
    assert f"line {line}: " in message, message
    assert said in message
    assert "\n" not in message


def test_hours_left_empty_are_not_round_the_clock() -> None:
    with pytest.raises(SettingsError, match=r"line 3: .*hours: is empty; write some"):
        parse_settings("desks: {}\nsla: {calendars: {office: {\n  hours: }}}\n", {})


@pytest.mark.parametrize(
    "channels", ["{ops: 'json://h.example/secret-token'}", "{'json://h.example/secret-token': ops}"]
)
def test_an_address_in_the_wrong_place_is_not_shown(channels: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_settings(
            f"desks: {{}}\nsla: {{channels: {channels}, on_risk: {{notify: ['json://h.example/secret-token']}}}}\n", {}
        )
    assert "secret-token" not in str(caught.value)


def test_a_bad_channel_is_named_and_not_shown() -> None:
    with pytest.raises(SettingsError) as caught:
        parse_settings(GOOD, {"OPS": "hooks.example.com/secret-token"})
    assert "line 18" in str(caught.value)
    assert "'ops' is no address of a channel" in str(caught.value)
    assert "secret-token" not in str(caught.value)


def test_days_and_windows() -> None:
    assert (days_of("sat-mon"), days_of("Mon"), days_of("sun-sat")) == ([5, 6, 0], [0], [6, 0, 1, 2, 3, 4, 5])
    assert (parse_window("00:00-24:00"), parse_window(" 9:30 - 10:00 ")) == ((0, 1440), (570, 600))
    assert parse_window("08:00-08:00+1") == (480, 1920)


def test_counted_cases_are_checked() -> None:
    known = calendars(
        '{"office": {"tz": "Europe/Berlin", "week": {"mon": [["09:00", "17:00"]], "tue": []}, "holidays": []}}'
    )
    due = {"id": "1", "calendar": "office", "kind": "due", "start": "2026-11-23T15:00Z", "minutes": 90, "pauses": []}
    elapsed = {
        "id": "2",
        "calendar": "office",
        "kind": "elapsed",
        "start": "2026-11-23T07:00Z",
        "end": "2026-11-23T09:00Z",
        "pauses": [["2026-11-23T08:30Z", "2026-11-23T08:40Z"]],
    }
    assert wrong(due | {"expect_due": "2026-11-30T08:30Z"}, known) == ""
    assert wrong(elapsed | {"expect_minutes": 50}, known) == ""
    assert "should be" in wrong(elapsed | {"expect_minutes": 60}, known)


def test_cases_are_found_below_the_data_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "sla-golden"
    folder.mkdir()
    week = {"mon": [["09:00", "17:00"]]}
    (folder / "calendars.json").write_text(json.dumps({"office": {"tz": "UTC", "week": week, "holidays": []}}))
    case = {"id": "1", "calendar": "office", "kind": "due", "start": "2026-11-23T15:00Z", "minutes": 60, "pauses": []}
    (folder / "cases.jsonl").write_text(json.dumps(case | {"expect_due": "2026-11-23T16:00Z"}))
    assert main([str(tmp_path)]) == main([str(folder)]) == 0
    assert "1 of 1 cases right" in capsys.readouterr().out


@pytest.mark.parametrize("cases", [None, "no JSON", '{"id": "1"}', "[]"])
def test_a_folder_without_cases_is_named(cases: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if cases is not None:
        (tmp_path / "calendars.json").write_text("{}")
        (tmp_path / "cases.jsonl").write_text(cases)
    with pytest.raises(SystemExit) as ended:
        main([str(tmp_path)])
    assert ended.value.code == 2
    assert f"{tmp_path} holds no cases that can be read" in capsys.readouterr().err
