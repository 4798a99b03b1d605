"""The storm: kill -9 of worker, web and beat at random while tickets flow, and the count afterwards."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from tests.chaos.conftest import Scale
from tests.chaos.house import House
from tests.chaos.storm import DESKS, OF_DESK, Storm, left_over, repeated_runs

SEED = int(os.environ.get("CHAOS_SEED", "20261122"))
# A ticket that was under way when its worker was killed.
RECOVERED_SECONDS = 60.0


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_the_storm(
    houses: Callable[..., House],
    scale: Scale,
    tell: Callable[..., None],
    database: str,
    request: pytest.FixtureRequest,
) -> None:
    if scale.short and database == "postgresql":
        pytest.skip("in the full version")
    url = request.getfixturevalue("empty_postgres") if database == "postgresql" else ""
    house = houses(url, updates=True, of_desk=OF_DESK)
    storm = Storm(house, SEED, scale.storm, scale.kills)
    storm.rage(120 + scale.storm * 0.5, in_haste=scale.short)

    def most(one: tuple[str, str]) -> int:
        """Where the helpdesk cannot change a note, each later run that has something to say adds one."""
        later = [run for run in house.store.runs.all_of(DESKS[one[0]], one[1]) if run.occasion.startswith("message:")]
        return 1 + (len(later) if one[0] == "zendesk" else 0)

    audit = house.audit(most=most)
    tell(f"storm, {database}", audit, max(storm.recoveries(), default=0.0), RECOVERED_SECONDS, storm.told(SEED))
    assert repeated_runs(house) == 0
    assert house.store.deliveries.counts("dead") == {}
    house.stop()
    assert left_over(house) == []
