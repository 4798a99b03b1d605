"""Brings the database's tables up to date (Alembic); safe to run again and by several processes at once."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from triage.errors import TandemError

MIGRATIONS = Path(__file__).parent / "migrations"
# Any fixed number: whoever migrates PostgreSQL holds this advisory lock. SQLite's BEGIN IMMEDIATE does the same.
LOCK = 7305141
NEWER = (
    "the database was made by a newer version of Tandem (revision {revision}, unknown here): upgrade Tandem, or "
    "restore a backup that this version made"
)


class NewerDatabaseError(TandemError):
    """The database is of a version that this one does not know; nothing was changed."""


def migrate(engine: Engine) -> None:
    """Create or upgrade the tables. Raises NewerDatabaseError where this version is too old for them."""
    config = _config()
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
        _check_known(connection, config)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def is_current(engine: Engine) -> bool:
    """Say whether the tables are those this version expects."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision() == head


def _check_known(connection: Connection, config: Config) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    for revision in MigrationContext.configure(connection).get_current_heads():
        if revision not in known:
            raise NewerDatabaseError(NEWER.format(revision=revision[:40]))


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    return config
