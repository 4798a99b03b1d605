"""The long look may take as long as it takes: the suite's limit per test is for the short one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.shapes import IS_LONG

HERE = Path(__file__).parent
LONG_SECONDS = 3600


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give what is here an hour each where it looks long."""
    for item in items:
        if IS_LONG and HERE in item.path.parents:
            item.add_marker(pytest.mark.timeout(LONG_SECONDS))
