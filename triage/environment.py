"""The environment variables Tandem reads, `.env` included (what the process already has wins).

Nothing is read at import: each process calls `read_environment` once when it starts.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from triage.errors import SettingsError

REDIS_SCHEMES = ("redis", "rediss", "redis+socket")
BROKER_SCHEMES = (*REDIS_SCHEMES, "amqp", "amqps")
DATABASE_SCHEMES = ("sqlite", "postgresql")
AZURE_HOSTS = (".openai.azure.com", ".services.ai.azure.com")
# https://learn.microsoft.com/azure/foundry/openai/api-version-lifecycle
AZURE = (
    "OPENAI_BASE_URL of an Azure resource must end in /openai/v1/, like https://acme.openai.azure.com/openai/v1/; "
    "correct it in .env and put the deployment's name into OPENAI_MODEL"
)


# What werkzeug.security makes: method with its costs, salt, digest.
HASH = re.compile(r"(scrypt|pbkdf2):[a-z0-9:]+\$[A-Za-z0-9]+\$[0-9a-f]+")
LOOPBACK = {"localhost", "127.0.0.1", "::1"}


class Environment(BaseModel):
    """One field per variable, named as the variable is in lower case."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    tandem_config: str = "tandem.yaml"
    database_url: str = "sqlite:///data/tandem.db"
    redis_url: str = "redis://127.0.0.1:6379/0"
    broker_url: str = ""
    """The queue's broker where it is not Redis, like amqp://; empty means `redis_url`."""
    openai_api_key: SecretStr = SecretStr("")
    openai_base_url: str = ""
    openai_model: str = "gpt-5-mini"
    public_url: str = ""
    secret_key: SecretStr = SecretStr("")
    console_password: SecretStr = SecretStr("")
    console_password_hash: SecretStr = SecretStr("")
    """In place of the password itself: what `manage.py password` prints."""
    console_viewer_password: SecretStr = SecretStr("")
    """Who signs in with it sees the console and changes nothing."""
    console_viewer_password_hash: SecretStr = SecretStr("")
    oidc_issuer: str = ""
    """The identity provider, as in its `/.well-known/openid-configuration`; empty means passwords only."""
    oidc_client_id: str = ""
    oidc_client_secret: SecretStr = SecretStr("")
    oidc_admins: str = ""
    """E-mail addresses, or values of `oidc_claim`, of the admins, with commas between."""
    oidc_viewers: str = ""
    """The same of the viewers; `*` is everybody the identity provider lets in."""
    oidc_claim: str = "email"
    """The claim of the id token by which people are told apart: `email`, `groups`, `roles` ..."""
    port: int = Field(default=8000, ge=1, le=65535)
    log_level: str = "INFO"
    log_format: Literal["text", "json"] = "text"
    trusted_proxies: int = Field(default=0, ge=0, le=10)
    """How many reverse proxies of yours stand before the web process and set X-Forwarded-For and -Proto."""

    @property
    def broker(self) -> str:
        """Return the URL of the queue's broker."""
        return self.broker_url or self.redis_url

    @property
    def has_model(self) -> bool:
        """Say whether a language model is set."""
        return bool(self.openai_base_url or self.openai_api_key.get_secret_value())

    @property
    def public(self) -> str:
        """Return the address the helpdesks reach us at, without a slash at the end."""
        return (self.public_url or f"http://127.0.0.1:{self.port}").rstrip("/")


def env_file() -> Path:
    """Return the file the secrets are in: `.env`, or another one that `TANDEM_ENV_FILE` names."""
    return Path(os.environ.get("TANDEM_ENV_FILE") or ".env")


def variables(path: Path | None = None) -> dict[str, str]:
    """Return the process's variables over those of `.env`."""
    # As written: a secret may hold a "${...}" of its own.
    try:
        # Some editors begin a file with a mark that would become a part of the first name.
        written = dotenv_values(path or env_file(), interpolate=False, encoding="utf-8-sig")
    except UnicodeDecodeError:
        # Its own text quotes the file.
        raise SettingsError(f"{path or env_file()} cannot be read; save it as UTF-8 text") from None
    values = {key: value for key, value in written.items() if value is not None}
    return values | dict(os.environ)


def read_environment(given: Mapping[str, str] | None = None) -> Environment:
    """Return the checked environment. Raises SettingsError naming the variable and the remedy."""
    values = given if given is not None else variables()
    # An empty variable means "not set": compose files and shells write `NAME=` for that.
    present = {key.lower(): value for key, value in values.items() if value != ""}
    try:
        environment = Environment.model_validate(present)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).upper()
        raise SettingsError(f"{name} {first['msg'][0].lower()}{first['msg'][1:]}; correct {name} in .env") from None
    _check_length("SECRET_KEY", environment.secret_key, 16)
    _check_length("CONSOLE_PASSWORD", environment.console_password, 8)
    _check_length("CONSOLE_VIEWER_PASSWORD", environment.console_viewer_password, 8)
    _check_hash("CONSOLE_PASSWORD_HASH", environment.console_password_hash)
    _check_hash("CONSOLE_VIEWER_PASSWORD_HASH", environment.console_viewer_password_hash)
    _check_provider(environment)
    _check_scheme("DATABASE_URL", environment.database_url, DATABASE_SCHEMES)
    _check_database(environment.database_url)
    for name, url in (("PUBLIC_URL", environment.public_url), ("OPENAI_BASE_URL", environment.openai_base_url)):
        if url and not _is_address(url):
            raise SettingsError(
                f"{name} is no address; write it like https://tandem.example.com and correct it in .env"
            )
    if _is_old_azure(environment.openai_base_url):
        raise SettingsError(AZURE)
    _check_scheme("REDIS_URL", environment.redis_url, REDIS_SCHEMES)
    _check_scheme("BROKER_URL", environment.broker, BROKER_SCHEMES)
    if environment.log_level.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}:
        raise SettingsError("LOG_LEVEL must be DEBUG, INFO, WARNING, ERROR or CRITICAL; correct LOG_LEVEL in .env")
    return environment


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _is_private(url: str) -> bool:
    """Say whether nobody on the way can read along: https, or this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or parts.hostname in LOOPBACK


def _is_old_azure(url: str) -> bool:
    """Say whether `url` is Azure's older API, which wants deployment and date in each address."""
    parts = urlsplit(url)
    return (parts.hostname or "").endswith(AZURE_HOSTS) and parts.path.rstrip("/") != "/openai/v1"


def _check_database(url: str) -> None:
    try:
        make_url(url)
    except (ArgumentError, ValueError):
        raise SettingsError(
            "DATABASE_URL is no address; write it like postgresql://user:password@host/name (special characters of the "
            "password as %XX) and correct it in .env"
        ) from None


def _check_length(name: str, secret: SecretStr, least: int) -> None:
    if 0 < len(secret.get_secret_value()) < least:
        raise SettingsError(f"{name} is shorter than {least} characters; set a longer one in .env")


def _check_hash(name: str, given: SecretStr) -> None:
    if (value := given.get_secret_value()) and not HASH.fullmatch(value):
        raise SettingsError(f"{name} is no hash of a password; make one with python manage.py password")


def _check_provider(environment: Environment) -> None:
    if not environment.oidc_issuer:
        return
    if not _is_address(environment.oidc_issuer) or not _is_private(environment.oidc_issuer):
        raise SettingsError("OIDC_ISSUER must be an https address, like https://login.example.com; correct it in .env")
    if not environment.oidc_client_id or not environment.oidc_client_secret.get_secret_value():
        raise SettingsError("OIDC_ISSUER needs OIDC_CLIENT_ID and OIDC_CLIENT_SECRET; set them in .env")
    if not environment.oidc_admins and not environment.oidc_viewers:
        raise SettingsError("OIDC_ISSUER needs OIDC_ADMINS or OIDC_VIEWERS: nobody could sign in; set one in .env")


def _check_scheme(name: str, url: str, allowed: tuple[str, ...]) -> None:
    try:
        _ = urlsplit(url).port
    except ValueError:
        raise SettingsError(f"{name} has a port that is no number; correct it in .env") from None
    # The URL itself may hold a password and is never printed.
    try:
        scheme = urlsplit(url).scheme
    except ValueError:
        scheme = ""
    if scheme.split("+")[0] not in allowed and scheme not in allowed:
        raise SettingsError(
            f"{name} must start with one of {', '.join(f'{one}:' for one in allowed)}; correct {name} in .env"
        )
