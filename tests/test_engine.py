"""Connections to PostgreSQL: asked whether they live after a pause only, and replaced where they do not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from triage.store import engine
from triage.store.engine import open_engine, single_of


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[Engine]:
    opened = open_engine(postgres_url)
    yield opened
    opened.dispose()


def backend(opened: Engine) -> int:
    """Return the server's own number of the connection that is used next."""
    with opened.connect() as connection:
        return int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())


def test_one_that_died_in_a_pause_is_replaced_unnoticed(
    postgres: Engine, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "FRESH_SECONDS", 0.0)
    first = backend(postgres)
    assert backend(postgres) == first
    other = open_engine(postgres_url)
    with other.connect() as connection:
        connection.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": first})
    other.dispose()
    assert backend(postgres) != first
    assert backend(single_of(postgres)) != first


def test_in_quick_succession_none_is_asked(postgres: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    first, asked = backend(postgres), []
    real = postgres.dialect.do_ping

    def counting(connection: object) -> bool:
        asked.append(connection)
        return real(connection)  # type: ignore[arg-type]

    monkeypatch.setattr(postgres.dialect, "do_ping", counting)
    assert {backend(postgres) for _ in range(5)} == {first}
    assert asked == []
    monkeypatch.setattr(engine, "FRESH_SECONDS", 0.0)
    assert backend(postgres) == first
    assert len(asked) == 1


def test_a_single_statement_is_kept_without_a_commit(postgres: Engine) -> None:
    with single_of(postgres).connect() as connection:
        connection.execute(text("CREATE TEMPORARY TABLE kept (n integer)"))
        connection.rollback()
        assert connection.execute(text("SELECT count(*) FROM kept")).scalar_one() == 0
