"""What the commands share: settings checked before anything starts, and small ways of printing."""

from __future__ import annotations

import getpass
import hmac
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from triage.environment import Environment, read_environment, variables
from triage.errors import SettingsError, TandemError
from triage.settings import Settings
from triage.settings_file import load_settings

DATA = Path(__file__).parent.parent / "data"
# Where `up` leaves the address of its embedded server for the commands that are run beside it.
REDIS_FILE = DATA / "redis_url"
SOCKET_SCHEME = "redis+socket://"
NO_DESK = "--desk {desk}: no such desk in {path} (it has {known}){remedy}"
DATABASE_FAILED = "the database failed ({kind}): start it, correct DATABASE_URL, or run python manage.py migrate"


class DatabaseError(TandemError):
    """The database does not answer or lacks our tables."""


def checked_settings() -> tuple[Environment, Settings]:
    """Return environment and settings. Raises SettingsError naming file, line or variable, and the remedy."""
    environment = read_environment()
    return environment, load_settings(Path(environment.tandem_config), variables())


def check_desk(settings: Settings, desk: str, path: Path | str, remedy: str = "") -> None:
    """Raise SettingsError, naming the desks there are and the `remedy`, when `desk` is none of them."""
    if desk not in settings.desks:
        known = ", ".join(settings.desks) or "none"
        raise SettingsError(NO_DESK.format(desk=desk or "''", path=path, known=known, remedy=remedy and f"; {remedy}"))


def find_embedded_redis() -> None:
    """Set REDIS_URL to the embedded server of an `up` that runs here, unless one is given."""
    if variables().get("REDIS_URL") or not REDIS_FILE.exists():
        return
    url = REDIS_FILE.read_text(encoding="utf-8").strip()
    if Path(url.removeprefix(SOCKET_SCHEME)).exists():
        os.environ["REDIS_URL"] = url


def person_mark(email: str, secret_key: str) -> str:
    """Return what stands for an address in the audit log: nobody can read it, the same address gives the same."""
    return hmac.new(secret_key.encode(), email.strip().casefold().encode(), "sha256").hexdigest()[:16]


def actor() -> str:
    """Return who runs this command, for the audit log: the user of this machine."""
    try:
        return f"command:{getpass.getuser()}"
    except (OSError, KeyError):
        return "command:?"  # a container may run under a number that no user has


@contextmanager
def database_errors() -> Iterator[None]:
    """Turn a failing database into one sentence: its own text holds statements and values."""
    try:
        yield
    except SQLAlchemyError as error:
        raise DatabaseError(DATABASE_FAILED.format(kind=type(error).__name__)) from None
