"""The environment: defaults of the contract, errors that name the variable and never its value."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from triage.environment import Environment, read_environment, variables
from triage.errors import SettingsError

SECRET = "hunter2-secret-value"


class TestDefaults:
    def test_need_no_variable_at_all(self) -> None:
        environment = read_environment({})
        assert environment.tandem_config == "tandem.yaml"
        assert environment.database_url == "sqlite:///data/tandem.db"
        assert environment.redis_url == environment.broker == "redis://127.0.0.1:6379/0"
        assert (environment.port, environment.log_level) == (8000, "INFO")
        assert environment.public == "http://127.0.0.1:8000"
        assert environment.openai_api_key.get_secret_value() == ""

    def test_hold_for_variables_that_are_set_to_nothing(self) -> None:
        """Compose files write NAME= for a variable that is not set."""
        names = [name.upper() for name in Environment.model_fields]
        assert read_environment(dict.fromkeys(names, "")) == read_environment({})

    def test_are_the_variables_of_the_contract(self) -> None:
        contract = {
            "TANDEM_CONFIG",
            "DATABASE_URL",
            "REDIS_URL",
            "OPENAI_API_KEY",
            "OPENAI_BASE_URL",
            "OPENAI_MODEL",
            "PUBLIC_URL",
            "SECRET_KEY",
            "CONSOLE_PASSWORD",
            "PORT",
            "LOG_LEVEL",
        }
        assert contract <= {name.upper() for name in Environment.model_fields}


class TestValues:
    def test_are_read(self) -> None:
        environment = read_environment(
            {
                "DATABASE_URL": "postgresql+psycopg://tandem:pw@db/tandem",
                "REDIS_URL": "redis+socket:///run/r.sock",
                "PUBLIC_URL": "https://tandem.example.com/",
                "PORT": "9000",
                "LOG_LEVEL": "debug",
                "PATH": "/usr/bin",
            }
        )
        assert (environment.port, environment.public) == (9000, "https://tandem.example.com")
        assert environment.broker == "redis+socket:///run/r.sock"

    @pytest.mark.parametrize("url", ["amqp://guest:guest@rabbit//", "amqps://rabbit/", "rediss://r:6380/1"])
    def test_another_broker_leaves_redis_where_it_is(self, url: str) -> None:
        environment = read_environment({"BROKER_URL": url})
        assert (environment.broker, environment.redis_url) == (url, "redis://127.0.0.1:6379/0")

    def test_secrets_do_not_show(self) -> None:
        environment = read_environment(
            {"OPENAI_API_KEY": SECRET, "SECRET_KEY": SECRET, "CONSOLE_PASSWORD": SECRET, "DATABASE_URL": "sqlite://"}
        )
        assert SECRET not in repr(environment)
        assert SECRET not in str(environment.model_dump())
        assert environment.secret_key.get_secret_value() == SECRET


class TestErrors:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("PORT", SECRET),
            ("PORT", "0"),
            ("PORT", "65536"),
            ("PORT", "80.5"),
            ("DATABASE_URL", f"mysql://u:{SECRET}@db/x"),
            ("DATABASE_URL", f"postgres://u:{SECRET}@db/x"),
            ("DATABASE_URL", SECRET),
            ("DATABASE_URL", f"postgresql://[{SECRET}"),
            ("REDIS_URL", f"http://:{SECRET}@r"),
            ("REDIS_URL", f"amqp://:{SECRET}@r"),
            # Celery has no transport of that name.
            ("REDIS_URL", "unix:///run/r.sock"),
            ("REDIS_URL", f"redis://[{SECRET}"),
            ("REDIS_URL", SECRET),
            ("BROKER_URL", f"sqs://{SECRET}@x"),
            ("BROKER_URL", f"unix:///{SECRET}"),
            ("LOG_LEVEL", SECRET),
            ("SECRET_KEY", "hunter2"),
            ("CONSOLE_PASSWORD", "hunter2"),
        ],
    )
    def test_name_the_variable_and_the_remedy_and_not_the_value(self, name: str, value: str) -> None:
        with pytest.raises(SettingsError) as caught:
            read_environment({name: value})
        message = str(caught.value)
        assert message.startswith(f"{name} ")
        assert ".env" in message
        assert "hunter2" not in message
        assert "\n" not in message

    def test_are_also_found_in_a_redis_url_beside_another_broker(self) -> None:
        with pytest.raises(SettingsError, match=r"^REDIS_URL "):
            read_environment({"BROKER_URL": "amqp://rabbit//", "REDIS_URL": "nonsense"})


class TestFile:
    def test_is_read_below_the_process(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        env_file = tmp_path / ".env"
        env_file.write_text("A_TEST_ONE=file\nA_TEST_TWO='quoted # text'\n# comment\nA_TEST_BARE\n")
        monkeypatch.setenv("A_TEST_ONE", "process")
        values = variables(env_file)
        assert (values["A_TEST_ONE"], values["A_TEST_TWO"]) == ("process", "quoted # text")
        assert "A_TEST_BARE" not in values
        assert "A_TEST_TWO" not in os.environ

    def test_may_be_missing(self, tmp_path: Path) -> None:
        assert variables(tmp_path / "none") == dict(os.environ)

    @pytest.mark.parametrize("secret", ["a${HOME}b", "$HOME", "${NOBODY-x}", "pa$$word", "c3NjcmV0==", "a#b", "ключ"])
    def test_takes_a_secret_as_it_is_written(self, tmp_path: Path, secret: str) -> None:
        (tmp_path / ".env").write_text(f"A_TEST_SECRET='{secret}'\n", encoding="utf-8")
        assert variables(tmp_path / ".env")["A_TEST_SECRET"] == secret

    def test_is_found_where_the_process_starts(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.delenv("PORT", raising=False)
        (tmp_path / ".env").write_text("PORT=9123\n")
        assert read_environment().port == 9123


@pytest.mark.parametrize("address", ["https://a.openai.azure.com", "https://a.openai.azure.com/openai/deployments/d"])
def test_older_azure_address_is_refused_with_the_right_one(address: str) -> None:
    with pytest.raises(SettingsError, match="/openai/v1/"):
        read_environment({"OPENAI_BASE_URL": address})
    good = "https://a.openai.azure.com/openai/v1/"
    assert read_environment({"OPENAI_BASE_URL": good}).openai_base_url == good
