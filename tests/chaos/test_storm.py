"""The storm: kill -9 of worker, web and beat at random while tickets flow, and the count afterwards."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from functools import partial

import pytest

from tests.chaos.answering import ARTICLE, QUESTION, SETTINGS, model
from tests.chaos.conftest import Scale
from tests.chaos.house import MARK, House
from tests.chaos.storm import DESKS, OF_DESK, Storm, left_over, repeated_runs
from tests.chaos.worker_ends import CutOff, die_at
from tests.running import VENDORS

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

    assert storm.hit, "no kill met a ticket under way"
    audit = house.audit(most=most)
    tell(
        f"storm, {database}", audit, max(storm.recoveries().values(), default=0.0), RECOVERED_SECONDS, storm.told(SEED)
    )
    assert repeated_runs(house) == 0
    assert house.store.deliveries.counts("dead") == {}
    house.stop()
    assert left_over(house) == []


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_the_storm_over_public_replies(
    houses: Callable[..., House],
    scale: Scale,
    tell: Callable[..., None],
    database: str,
    request: pytest.FixtureRequest,
) -> None:
    """Every customer is answered in public, once, though workers die at random and right before and after sending."""
    if scale.short:
        pytest.skip("in the full version; test_reply.py kills at each step without processes")
    url = request.getfixturevalue("empty_postgres") if database == "postgresql" else ""
    with model() as endpoint:
        variables = {"OPENAI_BASE_URL": endpoint, "OPENAI_MODEL": "scripted", "OPENAI_API_KEY": "none"}
        house = houses(url, updates=True, of_desk=OF_DESK, settings=SETTINGS, variables=variables)
        house.samples = [{"subject": ARTICLE, "body": QUESTION}]
        for desk in DESKS.values():
            house.manage("knowledge", "sync", "--desk", desk)
        cut = CutOff(house)
        for vendor in VENDORS:
            die_at(cut, ("before_reply", "after_reply"), partial(house.flood, 2, vendors=(vendor,)))
        storm = Storm(house, SEED, scale.tickets, scale.tickets // 25, people=False)
        storm.rage(120 + scale.tickets * 0.5)
        longest = max(cut.longest(), *storm.recoveries().values())
        answered = Counter(
            sum(comment["public"] and bool(MARK.search(comment["html"])) for comment in ticket["comments"])
            for vendor in VENDORS
            for ticket in house.tickets(vendor).values()
        )
        more = f"{storm.told(SEED)}; public replies a ticket: {dict(answered)}"
        tell(f"storm of replies, {database}", house.audit(), longest, RECOVERED_SECONDS, more)
        assert set(answered) == {1}, "once each"
        assert repeated_runs(house) == 0
