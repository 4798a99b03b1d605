"""`tandem.yaml`: defaults of the contract, and one helpful sentence for everything that can be wrong in it."""

from __future__ import annotations

import random
import re
import warnings
from pathlib import Path

import pytest

from tests.desks import SETTINGS, VARIABLES
from triage.errors import SettingsError
from triage.settings import DEFAULT_TEAMS, PUBLIC_TEST_SECRET, Mode, Settings
from triage.settings_file import load_settings, parse_settings

DESK = """desks:
  acme:
    platform: zendesk
    url: https://acme.zendesk.com
    auth: {email: bot@acme.example, api_token: an-api-token}
    webhook_secrets: [a-webhook-secret]
"""


def error_of(text: str, environment: dict[str, str] | None = None) -> str:
    with pytest.raises(SettingsError) as caught:
        parse_settings(text, environment or {})
    return str(caught.value)


class TestDefaults:
    def test_desks_alone_are_enough(self, settings: Settings) -> None:
        assert list(settings.desks) == ["acme", "globex"]
        desk = settings.desks["acme"]
        assert (desk.platform, desk.url, desk.mode) == ("zendesk", "https://acme.zendesk.com", Mode.TAG)
        assert desk.webhook_secrets[0].get_secret_value() == VARIABLES["ZENDESK_SECRET"]
        assert settings.tag_prefix == "ai_"

    @pytest.mark.parametrize("text", ["", "# nothing yet\n", "desks: {}\n", "{}"])
    def test_a_file_without_a_desk_is_the_sandboxs(self, text: str) -> None:
        assert parse_settings(text, {}).desks == {}

    def test_teams_are_the_contracts(self, settings: Settings) -> None:
        assert list(settings.teams) == [
            "billing",
            "technical_bug",
            "feature_request",
            "api_integration",
            "account_management",
            "security",
            "data_privacy",
            "onboarding",
            "enterprise_support",
        ]
        assert [name for name, team in settings.teams.items() if team.escalate] == ["security"]

    def test_sla_is_the_contracts(self, settings: Settings) -> None:
        targets = {name: (one.first_response, one.resolution) for name, one in settings.priorities.items()}
        assert targets == {
            "P0_critical": (15, 4 * 60),
            "P1_high": (60, 24 * 60),
            "P2_medium": (240, 72 * 60),
            "P3_low": (1440, 168 * 60),
        }
        assert [one.helpdesk for one in settings.priorities.values()] == ["urgent", "high", "normal", "low"]


class TestValues:
    def test_a_priority_changes_only_what_it_names(self) -> None:
        settings = parse_settings(DESK + "priorities: {P0: {first_response: 10m}, P3_low: {resolution: 7d}}", {})
        first = settings.priority_of("P0_critical")
        assert (first.first_response, first.resolution, first.helpdesk) == (10, 240, "urgent")
        assert settings.priority_of("P3_low").resolution == 7 * 1440
        assert settings.priority_of("P1_high").first_response == 60

    @pytest.mark.parametrize(
        ("written", "minutes"), [("15m", 15), ("4h", 240), ("7d", 10080), ("90", 90), (" 2 h ", 120)]
    )
    def test_durations(self, written: str, minutes: int) -> None:
        settings = parse_settings(DESK + f"priorities: {{P1: {{first_response: '{written}'}}}}", {})
        assert settings.priority_of("P1_high").first_response == minutes

    def test_own_teams_replace_the_defaults(self) -> None:
        settings = parse_settings(DESK + "teams: {hardware: {description: Broken devices, escalate: true}}", {})
        assert list(settings.teams) == ["hardware"]
        assert settings.teams["hardware"].escalate

    @pytest.mark.parametrize("mode", ["off", "watch", "note", "tag", "write"])
    def test_modes_are_words_also_where_old_yaml_reads_a_boolean(self, mode: str) -> None:
        desk = parse_settings(DESK + f"    mode: {mode}\n    fields: {{priority: {mode}}}", {}).desks["acme"]
        assert (desk.mode, desk.fields["priority"]) == (mode, mode)

    def test_modes_include_the_ones_before(self) -> None:
        order = [Mode.OFF, Mode.WATCH, Mode.NOTE, Mode.TAG, Mode.WRITE]
        for i, wide in enumerate(order):
            assert [wide.allows(other) for other in order] == [j <= i for j in range(5)]

    def test_a_fields_mode_stands_for_the_desks_and_a_team_only_narrows(self) -> None:
        text = DESK + "    fields: {priority: write}\n    teams: {security: note, billing: write}"
        desk = parse_settings(text, {}).desks["acme"]
        assert desk.mode_for("priority", "onboarding") is Mode.WRITE
        assert desk.mode_for("sentiment", "onboarding") is Mode.TAG
        assert desk.mode_for("priority", "security") is Mode.NOTE
        assert desk.mode_for("sentiment", "billing") is Mode.TAG

    def test_thresholds_of_a_desk_stand_before_the_general_ones(self) -> None:
        text = DESK + "    thresholds: {priority: 0.9}\nthresholds: {priority: 0.6, sentiment: 0.7}"
        settings = parse_settings(text, {})
        assert (settings.thresholds_of("acme").priority, settings.thresholds_of("acme").sentiment) == (0.9, 0.7)
        assert settings.thresholds_of("another").priority == 0.6

    @pytest.mark.parametrize("url", ["http://localhost:8001", "http://127.0.0.1:8001/", "http://[::1]:8001"])
    def test_plain_http_is_for_this_machine(self, url: str) -> None:
        desk = parse_settings(DESK.replace("https://acme.zendesk.com", url), {}).desks["acme"]
        assert desk.url == url.rstrip("/")

    def test_policy_version_changes_with_the_rules_and_not_with_the_secrets(self, settings: Settings) -> None:
        other = VARIABLES | {"ZENDESK_SECRET": "another-signing-secret", "API_KEY": "another-key"}
        assert parse_settings(SETTINGS, other).policy_version() == settings.policy_version()
        stricter = parse_settings(SETTINGS + "thresholds: {priority: 0.51}", VARIABLES)
        assert stricter.policy_version() != settings.policy_version()

    def test_secrets_do_not_show(self, settings: Settings) -> None:
        for shown in (repr(settings), str(settings.model_dump()), settings.model_dump_json()):
            for secret in VARIABLES.values():
                assert secret not in shown

    def test_the_example_file_is_right(self) -> None:
        path = Path(__file__).parent.parent / "tandem.example.yaml"
        text = path.read_text(encoding="utf-8")
        names = set(re.findall(r"\$\{(\w+)\}", text))
        values = {name: f"value-of-{name.lower()}" for name in names}
        assert list(load_settings(path, values).desks) == ["acme"]
        # What stands behind a # is an example too.
        uncommented = re.sub(r"^( *)# ( *)(?=\w+:)", r"\1\2", text, flags=re.MULTILINE)
        # The example of own teams has no security.
        settings = parse_settings(uncommented.replace("security: note", "billing: note"), values)
        assert list(settings.desks) == ["acme", "globex"]
        assert "hardware" in settings.teams


class TestVariables:
    @pytest.mark.parametrize("written", ["${S}", '"${S}"', "'${S}'"])
    def test_may_stand_bare_or_quoted(self, written: str) -> None:
        for text in (
            DESK.replace("[a-webhook-secret]", f"[{written}]"),
            DESK.replace("[a-webhook-secret]", f"\n      - {written}"),
            DESK.replace("[a-webhook-secret]", f"[{written}, {written}]"),
        ):
            secrets = parse_settings(text, {"S": "the-secret-value"}).desks["acme"].webhook_secrets
            assert {secret.get_secret_value() for secret in secrets} == {"the-secret-value"}

    def test_may_be_a_part_of_a_value(self) -> None:
        text = DESK.replace("https://acme.", "https://${SUB}.").replace("bot@acme.example", "${USER}@${SUB}.example")
        desk = parse_settings(text, {"SUB": "acme2", "USER": "tandem"}).desks["acme"]
        assert (desk.url, desk.auth.email) == ("https://acme2.zendesk.com", "tandem@acme2.example")

    def test_may_hold_a_number(self) -> None:
        assert parse_settings(DESK + "    rate_limit: ${RATE}", {"RATE": "400"}).desks["acme"].rate_limit == 400

    @pytest.mark.parametrize(
        "secret",
        [
            "'; drop: table #",
            "a: b, c: d }",
            "]}\n  evil: {platform: zendesk}",
            "\"quoted\" and 'quoted'",
            "*alias-value",
            "&anchor-value",
            "!tag-secret-value",
            "${OTHER}-is-no-variable",
            "\\1\\g<0>-backslashes",
            "- list\n- of\n- things",
            "__ENV__OTHER__END__",
            "%directive-value",
            "  leading and trailing  ",
            "ключ-🔑-секрет-длинный",
            "# comment-secret",
            "null-null-null",
            "0x1234567890",
            "yes-yes-yes-yes",
        ],
    )
    def test_hold_any_text_without_changing_what_the_file_means(self, secret: str) -> None:
        text = DESK.replace("[a-webhook-secret]", "[${S}]").replace("an-api-token", "${S}")
        desk = parse_settings(text, {"S": secret, "OTHER": "other-secret-value"}).desks["acme"]
        assert desk.webhook_secrets[0].get_secret_value() == secret
        assert desk.auth.api_token is not None
        assert desk.auth.api_token.get_secret_value() == secret
        assert desk.platform == "zendesk"

    def test_in_a_comment_need_not_be_set(self) -> None:
        assert parse_settings(DESK + "# other: ${NOT_SET}\n", {}).desks

    @pytest.mark.parametrize("environment", [{}, {"SECRET_OF_ACME": ""}])
    def test_that_are_not_set_are_named_with_their_line(self, environment: dict[str, str]) -> None:
        text = DESK.replace("[a-webhook-secret]", "\n      - a-first-secret\n      - ${SECRET_OF_ACME}")
        message = error_of(text, environment)
        assert message == "tandem.yaml line 8: ${SECRET_OF_ACME} is not set; add SECRET_OF_ACME=... to .env"

    @pytest.mark.parametrize("written", ["'${secret-of-acme}'", "'${A:-default}'", "'${}'", "'${A'", "'x${ A }x'"])
    def test_that_are_misspelt_are_no_secret(self, written: str) -> None:
        """Taken as it stands, a text known to everybody would be the secret."""
        message = error_of(DESK.replace("a-webhook-secret", written), {"A": "a-long-secret-value"})
        assert message.startswith("tandem.yaml line 6: a variable is written ${NAME}")


def changed(old: str, new: str) -> str:
    assert old in DESK
    return DESK.replace(old, new)


ERRORS = {
    "no secret": (
        changed("    webhook_secrets: [a-webhook-secret]\n", ""),
        2,
        "desks.acme.webhook_secrets: is missing; add it",
    ),
    "empty list of secrets": (
        changed("[a-webhook-secret]", "[]"),
        6,
        "desks.acme.webhook_secrets: is empty; add at least one",
    ),
    "secrets no list": (changed("[a-webhook-secret]", "a-webhook-secret"), 6, "should be a valid list"),
    "short secret": (changed("a-webhook-secret", "short"), 6, "shorter than 12 characters; generate a longer one"),
    "public secret": (
        changed("a-webhook-secret", PUBLIC_TEST_SECRET),
        6,
        "copy the webhook's own signing secret instead",
    ),
    "unknown key of a desk": (
        changed("platform:", "platfrom:"),
        3,
        "'desks.acme.platfrom' is not a known key; did you mean 'platform'?",
    ),
    "unknown key at the top": (DESK + "treads: 5\n", 7, "'treads' is not a known key"),
    "unknown team of a question": (
        DESK + 'questions:\n  a: {ask: "May we?", options: ["Yes", "No"], when: {teams: [biling]}}\n',
        8,
        "questions.a.when.teams: 'biling' is no team; the teams are account_management",
    ),
    "question about every ticket": (
        DESK + 'questions:\n  a: {ask: "May we?", options: ["Yes", "No"], when: {}}\n',
        8,
        "when: needs teams: or words:, else every ticket would be asked about",
    ),
    "question with one answer": (
        DESK + 'questions:\n  a: {ask: "May we?", options: ["Yes"], when: {words: [a b]}}\n',
        8,
        "questions.a.options",
    ),
    "question with the same answer twice": (
        DESK + 'questions:\n  a: {ask: "May we?", options: [x, x], when: {words: [refund]}}\n',
        8,
        "options: two are the same",
    ),
    "misspelt condition": (
        DESK + 'questions:\n  a: {ask: "May we?", options: [x, y], when: {word: [refund]}}\n',
        8,
        "'questions.a.when.word' is not a known key; did you mean 'words'?",
    ),
    "links for ever": (DESK + "feedback: {days: 9999}\n", 7, "feedback.days"),
    "near key at the top": (DESK + "team: {}\n", 7, "did you mean 'teams'?"),
    "unknown key of auth": (
        changed("api_token", "token"),
        5,
        "'desks.acme.auth.token' is not a known key; did you mean 'api_token'?",
    ),
    "unknown key of a team": (
        DESK + "teams:\n  x:\n    description: Words\n    grup: y\n",
        10,
        "did you mean 'group'?",
    ),
    "unknown key of a priority": (
        DESK + "priorities:\n  P0: {first_respons: 5m}\n",
        8,
        "did you mean 'first_response'?",
    ),
    "unknown priority": (DESK + "priorities:\n  P9: {first_response: 5m}\n", 8, "P9"),
    "priority without a value": (DESK + "priorities:\n  P0:\n", 8, "priorities.P0_critical"),
    "unknown mode": (
        DESK + "    mode: wirte\n",
        7,
        "desks.acme.mode: input should be 'off', 'watch', 'note', 'tag' or 'write'",
    ),
    "mode of an unknown team": (
        DESK + "    teams:\n      biling: note\n",
        8,
        "desks.acme.teams: 'biling' is no team; the teams are account_management",
    ),
    "mode of an unknown field": (
        DESK + "    fields: {prioriti: note}\n",
        7,
        "'primary_team', 'priority', 'sentiment' or 'churn_risk'",
    ),
    "unknown platform": (
        changed("zendesk\n", "intercom\n"),
        3,
        "desks.acme.platform: input should be 'zendesk' or 'freshdesk'",
    ),
    "no url": (changed("    url: https://acme.zendesk.com\n", ""), 2, "desks.acme.url: is missing; add it"),
    "url without scheme": (changed("https://acme", "acme"), 4, "is not a URL; write it like https://acme.zendesk.com"),
    "url over plain http": (changed("https://acme", "http://acme"), 4, "must start with https://"),
    "url of a page": (changed("zendesk.com", "zendesk.com/agent/dashboard"), 4, "must be the helpdesk's address alone"),
    "url with a query": (
        changed("zendesk.com\n    auth", "zendesk.com?x=1\n    auth"),
        4,
        "must be the helpdesk's address alone",
    ),
    "url with a password": (
        changed("https://acme", "https://me:hunter2@acme"),
        4,
        "must be the helpdesk's address alone",
    ),
    "url with a space": (changed("acme.zendesk.com", "acme zendesk.com"), 4, "is not a URL"),
    "url with a bad port": (changed("zendesk.com\n", "zendesk.com:abc\n"), 4, "is not a URL"),
    "url with a bracket": (changed("https://acme.zendesk.com", "'https://[acme'"), 4, "is not a URL"),
    "auth of the other vendor": (
        changed("email: bot@acme.example, api_token", "api_key"),
        2,
        "needs oauth: {client_id:, client_secret:} or email: with api_token:",
    ),
    "half an auth": (changed("email: bot@acme.example, ", ""), 2, "needs oauth"),
    "half an oauth": (
        changed("{email: bot@acme.example, api_token: an-api-token}", "{oauth: {client_id: x}}"),
        5,
        "desks.acme.auth.oauth.client_secret: is missing; add it",
    ),
    "url of the other vendor": (
        changed("platform: zendesk", "platform: freshdesk"),
        2,
        "url is a zendesk address but platform says freshdesk; correct one of them",
    ),
    "freshdesk without a key": (
        changed("platform: zendesk", "platform: freshdesk").replace("acme.zendesk.com", "acme.freshdesk.com"),
        2,
        "a freshdesk desk needs api_key:",
    ),
    "name of a desk": (
        changed("  acme:", "  Acme Inc:"),
        1,
        "'Acme Inc' must be lower-case letters, digits, _ and - (40 at most)",
    ),
    "name of a team": (DESK + "teams: {Big Team: {description: Words}}\n", 7, "'Big Team' must be lower-case"),
    "team too long for its tag": (
        DESK + f"teams:\n  x: {{description: Words}}\n  {'y' * 30}: {{description: Words}}\n",
        9,
        "is longer than 32 characters; shorten the name or tag_prefix",
    ),
    "no team": (DESK + "teams: {}\n", 7, "teams: "),
    "duration": (
        DESK + "priorities:\n  P0:\n    resolution: 4 weeks\n",
        9,
        "is no duration; write it like 15m, 4h or 7d",
    ),
    "duration of nothing": (DESK + "priorities: {P0: {resolution: 0m}}\n", 7, "greater than or equal to 1"),
    "threshold": (
        DESK + "thresholds: {priority: 50}\n",
        7,
        "thresholds.priority: input should be less than or equal to 1",
    ),
    "tag prefix": (DESK + "tag_prefix: 'AI '\n", 7, "tag_prefix"),
    "a list": ("- desks\n", 1, "must start with keys like 'desks:'"),
    "a word": ("desks\n", 1, "must start with keys like 'desks:'"),
    "broken yaml": (changed("[a-webhook-secret]", "[a-webhook-secret"), 6, "mend the YAML there"),
    "tab": (changed("    url", "\turl"), 4, "mend the YAML there"),
    "key twice": (DESK + "desks: {}\n", 7, "mend the YAML there"),
}


class TestErrors:
    @pytest.mark.parametrize("name", ERRORS)
    def test_say_line_key_and_remedy_in_one_sentence(self, name: str) -> None:
        text, line, words = ERRORS[name]
        message = error_of(text)
        assert words in message
        found = re.match(r"tandem\.yaml line (\d+): ", message)
        assert found
        if name not in {"broken yaml"}:
            assert int(found[1]) == line
        assert "\n" not in message
        for secret in ("a-webhook-secret", "an-api-token", "hunter2", PUBLIC_TEST_SECRET):
            assert secret not in message

    def test_name_the_file(self, tmp_path: Path) -> None:
        path = tmp_path / "desks.yaml"
        with pytest.raises(SettingsError, match=re.escape(f"{path} does not exist; copy tandem.example.yaml there")):
            load_settings(path, {})
        path.write_text("desks: [")
        with pytest.raises(SettingsError, match=r"^desks\.yaml line "):
            load_settings(path, {})
        path.write_bytes(b"desks: \xff\xfe")
        with pytest.raises(SettingsError, match="save it as UTF-8 text"):
            load_settings(path, {})
        with pytest.raises(SettingsError, match="cannot be read"):
            load_settings(tmp_path, {})

    def test_do_not_come_from_a_byte_order_mark(self, tmp_path: Path) -> None:
        (tmp_path / "t.yaml").write_text("\ufeff" + DESK, encoding="utf-8")
        assert list(load_settings(tmp_path / "t.yaml", {}).desks) == ["acme"]

    def test_never_hold_a_secret_however_the_file_is_broken(self) -> None:
        """Secrets written into the file, behind everything YAML knows, in files broken at random places."""
        secret, chance = "hunter2-Sec_ret.Value", random.Random(4711)
        before = [
            "",
            "*",
            "&",
            "!",
            "!!int ",
            "!!python/object:",
            "%",
            "@",
            "`",
            "|",
            ">",
            "'",
            '"',
            "[",
            "{",
            "? ",
            "- ",
            "#",
            "${",
            "__ENV__",
            "0x",
            ": ",
        ]
        after = ["", "'", '"', ": x", "]", "}", " #", ","]
        shape = DESK.replace("an-api-token", "%s").replace("a-webhook-secret", "%s") + "    teams: {security: %s}\n"
        told = 0
        for _ in range(1500):
            text = shape % tuple(chance.choice(before) + secret + chance.choice(after) for _ in range(3))
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                try:
                    parse_settings(text, {})
                except SettingsError as error:
                    told += 1
                    # A key is named by contract, and so is a team; behind a colon the value becomes one.
                    said = re.sub(r"'[^']*' is not a known key", "", str(error))
                    assert "Sec_ret" not in said, text
                    assert "\n" not in said
            assert caught == []
        assert told > 500


def test_every_team_of_the_defaults_has_a_tag_that_fits(settings: Settings) -> None:
    for prefix in ("ai_", "x" * 8):
        changed_ = settings.model_copy(update={"tag_prefix": prefix})
        assert all(len(changed_.team_tag(team)) <= 32 for team in DEFAULT_TEAMS)
