"""docs/security.md names tests that exist, and every kind of attacker has its rows."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
PAGE = (TESTS.parent / "docs" / "security.md").read_text("utf-8")
NAMED = re.findall(r"`((?:fuzz/|chaos/)?test_\w+\.py(?:::\w+)*)`", PAGE)
SECTIONS = [
    "Senders of webhooks",
    "Console and links",
    "Text from customers and models",
    "A helpdesk that lies",
    "Secrets",
    "Database, backups and logs",
    "Dependencies and code",
    "Containers",
]


def names(nodes: list[ast.stmt]) -> dict[str, ast.stmt]:
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name: node for node in nodes if isinstance(node, kinds)}


@pytest.mark.parametrize("named", sorted(set(NAMED)))
def test_every_test_named_exists(named: str) -> None:
    file, *parts = named.split("::")
    nodes = names(ast.parse((TESTS / file).read_text("utf-8")).body)
    for part in parts:
        assert part in nodes, f"{file} has no {part}"
        nodes = names(nodes[part].body)  # type: ignore[attr-defined]
    assert not parts or parts[-1].startswith(("test_", "Test"))


def test_nothing_that_reads_like_a_test_is_left_unchecked() -> None:
    """A name in another spelling would be looked up by nobody."""
    assert len(re.findall(r"(?<!tests/)test_\w+\.py", PAGE)) == len(NAMED)


@pytest.mark.parametrize("heading", SECTIONS)
def test_every_threat_has_what_holds_and_what_shows_it(heading: str) -> None:
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert found, f"no section {heading!r}"
    rows = [line.strip("|\n ").split(" | ") for line in re.findall(r"^\|(?! ---).*\|$", found[1], re.MULTILINE)]
    assert rows[0] == ["threat", "what holds", "shown by"]
    assert len(rows) > 3
    for threat, holds, shown in (row if len(row) == 3 else [*row, ""] for row in rows[1:]):
        assert threat and holds
        # What a linter checks has no test of ours.
        assert "`test_" in shown or "`fuzz/test_" in shown or "make lint" in holds, threat
