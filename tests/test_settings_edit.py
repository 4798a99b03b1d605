"""Single keys of tandem.yaml are changed in its text: everything else stays, byte for byte."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.errors import SettingsError
from triage.settings_edit import drop_key, render, set_key, value_at, variables_at
from triage.settings_file import parse_settings

ROOT = Path(__file__).parent.parent
EXAMPLE = (ROOT / "tandem.example.yaml").read_text(encoding="utf-8")
DESK = {
    "platform": "freshdesk",
    "url": "https://globex.freshdesk.com",
    "auth": {"api_key": "${GLOBEX_API_KEY}"},
    "webhook_secrets": ["${GLOBEX_WEBHOOK_SECRET}"],
    "mode": "watch",
}
VARIABLES = {
    "GLOBEX_API_KEY": "key-of-globex",
    "GLOBEX_WEBHOOK_SECRET": "secret-of-globex",
    "ZENDESK_CLIENT_ID": "id",
    "ZENDESK_CLIENT_SECRET": "secret",
    "ZENDESK_WEBHOOK_SECRET": "secret-of-acme",
}


def lines_kept(old: str, new: str) -> bool:
    return not Counter(old.splitlines()) - Counter(new.splitlines())


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "desks:\n", "desks: {}\n", "desks: {}  # none\n", "\n\n"])
def test_a_first_desk_comes_into_an_empty_file(text: str) -> None:
    changed = set_key(text, ("desks", "globex"), DESK)
    desk = parse_settings(changed, VARIABLES).desks["globex"]
    assert desk.url == "https://globex.freshdesk.com"
    assert re.findall("#.*", text) == re.findall("#.*", changed)


def test_a_second_desk_stands_below_the_first_and_above_the_comments() -> None:
    changed = set_key(EXAMPLE, ("desks", "globex"), DESK)
    assert lines_kept(EXAMPLE, changed)
    assert set(parse_settings(changed, VARIABLES).desks) == {"acme", "globex"}
    assert set_key(changed, ("desks", "globex"), DESK) == changed
    assert drop_key(changed, ("desks", "globex")) == EXAMPLE


def test_one_key_is_changed_where_it_stands_and_its_comment_stays() -> None:
    changed = set_key(EXAMPLE, ("desks", "acme", "mode"), "note")
    assert "    mode: note  # off | watch | note | tag | write; start with watch" in changed
    assert len(changed.splitlines()) == len(EXAMPLE.splitlines())
    assert set_key(EXAMPLE, ("desks", "acme", "mode"), "watch") is EXAMPLE


def test_a_value_of_several_lines_becomes_one_and_its_comments_stay() -> None:
    text = (
        "desks:\n  acme:\n    platform: zendesk\n    auth:  # how we sign in\n      # since May\n      oauth:\n"
        "        client_id: ${ID}  # of the bot\n        client_secret: ${SECRET}\n    # the last\n    mode: tag\n"
    )
    changed = set_key(text, ("desks", "acme", "auth"), {"email": "bot@acme.com", "api_token": "${TOKEN}"})
    assert value_at(changed, ("desks", "acme", "auth")) == {"email": "bot@acme.com", "api_token": "${TOKEN}"}
    assert Counter(re.findall("#.*", text)) == Counter(re.findall("#.*", changed))


def test_windows_line_endings_stay() -> None:
    text = EXAMPLE.replace("\n", "\r\n")
    changed = set_key(set_key(text, ("desks", "globex"), DESK), ("desks", "acme", "mode"), "note")
    assert "\n" not in changed.replace("\r\n", "")
    assert parse_settings(changed, VARIABLES).desks["acme"].mode == "note"


def test_a_file_without_a_last_line_break_keeps_its_last_line() -> None:
    changed = set_key("tag_prefix: bot_ # ours", ("desks", "globex"), DESK)
    assert changed.startswith("tag_prefix: bot_ # ours\ndesks:\n")


def test_other_indents_are_taken_up() -> None:
    text = "desks:\n      acme:\n            platform: zendesk\n            mode: tag\nllm: {ask: never}\n"
    changed = set_key(text, ("desks", "acme", "url"), "https://acme.zendesk.com")
    assert '\n            url: "https://acme.zendesk.com"\nllm' in changed or "\n            url: https:" in changed
    assert "\n      globex:\n" in set_key(changed, ("desks", "globex"), DESK)


def test_keys_inside_of_braces_are_changed_there() -> None:
    text = 'teams:\n  billing: {description: "Invoices, refunds", group: Old}  # money\n  bugs: {description: Broken}\n'
    changed = set_key(
        set_key(text, ("teams", "billing", "group"), "Finance & Billing"), ("teams", "bugs", "group"), "T"
    )
    assert changed == (
        'teams:\n  billing: {description: "Invoices, refunds", group: "Finance & Billing"}  # money\n'
        "  bugs: {description: Broken, group: T}\n"
    )


def test_a_whole_desk_in_braces_is_changed_on_its_line() -> None:
    text = "desks:\n  acme: {platform: zendesk, url: 'https://a.zendesk.com', auth: {api_key: ${KEY}}}\n"
    changed = set_key(text, ("desks", "acme", "mode"), "note")
    assert value_at(changed, ("desks", "acme")) == value_at(text, ("desks", "acme")) | {"mode": "note"}
    assert "${KEY}" in changed


def test_what_comes_from_an_anchor_is_left_to_a_person() -> None:
    text = "x-common: &common {mode: tag}\ndesks:\n  acme:\n    <<: *common\n    platform: zendesk\n"
    with pytest.raises(SettingsError, match=r"write by hand under desks\.acme: mode: note"):
        set_key(text, ("desks", "acme", "mode"), "note")


def test_the_only_desk_leaves_an_empty_section() -> None:
    text = "# top\ndesks:  # all of them\n  globex:\n    platform: freshdesk # here\n\n# below\nllm: {ask: never}\n"
    assert drop_key(text, ("desks", "globex")) == "# top\ndesks: {}  # all of them\n\n# below\nllm: {ask: never}\n"
    assert drop_key(text, ("desks", "other")) == text


def test_variables_are_found_where_they_stand() -> None:
    assert variables_at(EXAMPLE, ("desks", "acme")) == {
        ("auth", "oauth", "client_id"): "ZENDESK_CLIENT_ID",
        ("auth", "oauth", "client_secret"): "ZENDESK_CLIENT_SECRET",
        ("webhook_secrets", "0"): "ZENDESK_WEBHOOK_SECRET",
    }


def test_a_name_that_reads_like_a_variable_is_refused() -> None:
    with pytest.raises(SettingsError, match="cannot stand in"):
        render("the ${HOME} group")


NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True).filter(
    lambda one: one not in {"y", "n", "no", "on", "off"}
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="$\x00"), max_size=20)
COMMENTS = st.sampled_from(["", "  # said here", " # with: colon", "  # {braces}", " # 'quote"])
BLANKS = st.sampled_from(["", "\n", "  # a line of its own\n", "# at the margin\n", "      # deep\n"])


@st.composite
def files(draw: st.DrawFn) -> tuple[str, list[str]]:
    """Draw a file of desks in both styles with comments wherever one may stand."""
    indent = " " * draw(st.integers(1, 5))
    names = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
    text = draw(BLANKS) + "desks:" + draw(COMMENTS) + "\n"
    for name in names:
        text += draw(BLANKS)
        if draw(st.booleans()):
            text += f"{indent}{name}: {{platform: zendesk, mode: ${{MODE}}}}{draw(COMMENTS)}\n"
            continue
        text += f"{indent}{name}:{draw(COMMENTS)}\n"
        for key, value in (("platform", "zendesk"), ("webhook_secrets", "[${A}, ${B}]"), ("note", '"# no comment"')):
            text += draw(BLANKS) + f"{indent * 2}{key}: {value}{draw(COMMENTS)}\n"
        if draw(st.booleans()):
            text += f"{indent * 2}auth:{draw(COMMENTS)}\n{draw(BLANKS)}{indent * 3}api_key: ${{KEY}}{draw(COMMENTS)}\n"
    text += draw(BLANKS) + draw(
        st.sampled_from(["", "llm:\n  ask: never # dear\n", "teams: {a: {description: some}}\n"])
    )
    ending = draw(st.sampled_from(["\n", "\r\n"]))
    return text.replace("\n", ending), names


@settings(max_examples=60, deadline=None)
@given(files(), st.data())
def test_only_what_was_asked_for_changes(drawn: tuple[str, list[str]], data: st.DataObject) -> None:
    text, names = drawn
    name = data.draw(st.sampled_from([*names, "new_desk"]))
    key = data.draw(st.sampled_from(["platform", "auth", "mode", "url", "webhook_secrets"]))
    value = data.draw(st.one_of(TEXTS, st.just(["${NEW}"]), st.dictionaries(NAMES, TEXTS, min_size=1, max_size=3)))
    changed = set_key(text, ("desks", name, key), value)
    expected = value_at(text, ("desks",))
    expected.setdefault(name, {})[key] = value
    assert value_at(changed, ("desks",)) == expected
    comments = r"#(?: said| with| {| '| a line| at| deep| dear)[^\r\n]*"
    assert Counter(re.findall(comments, text)) == Counter(re.findall(comments, changed))
    assert ("\r\n" in text) == ("\r\n" in changed)
    assert set_key(changed, ("desks", name, key), value) == changed


@settings(max_examples=30, deadline=None)
@given(files(), st.data())
def test_what_is_added_can_be_taken_away_again(drawn: tuple[str, list[str]], data: st.DataObject) -> None:
    text, names = drawn
    text = text if text.endswith("\n") else text + "\n"
    assert drop_key(set_key(text, ("desks", "new_desk"), DESK), ("desks", "new_desk")) == text
    one = data.draw(st.sampled_from(names))
    rest = value_at(text, ("desks",))
    del rest[one]
    assert (value_at(drop_key(text, ("desks", one)), ("desks",)) or {}) == rest
