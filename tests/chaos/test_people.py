"""People work on the tickets at the same moment as Tandem: what they did stands.

Zendesk guards a write by the ticket's time of change; Freshdesk guards nothing and replaces the whole list of tags.
What is left there is the time between the last look and the write that follows: `GAP_SHARE` says how rare a hit may be
when people act at random moments, and `test_what_freshdesk_leaves` what happens when one is certain.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from commands.sandboxed import control
from tests.chaos.conftest import Scale
from tests.chaos.house import One
from tests.chaos.outside import Outside
from tests.chaos.test_helpdesk import TICKET, share
from tests.running import REFERENCE

Tell = Callable[..., None]
GROUPS = ("Finance & Billing", "Technical Support", "Security", "Privacy")
# Freshdesk gives "low" to a ticket nobody has given a priority: a person's "low" is not told from that.
PRIORITIES = ("urgent", "high", "normal")
# Everything is decided, so that everything is written that may be.
SURE = "thresholds: {primary_team: 0, priority: 0, sentiment: 0, churn_risk: 0}\n"
MODES = {"tag": "reconcile_every: 5", "write": "mode: write"}
# Of people's acts, at random moments within seconds of the ticket's birth.
GAP_SHARE = 0.02
# The sandbox writes a call down when it has answered it.
ANSWER_SECONDS = 0.05


class Office:
    """The people of both desks, with the moments they acted at."""

    def __init__(self, house: Outside) -> None:
        self.house = house
        self.moments: dict[One, list[tuple[float, float]]] = {}

    def works(self, one: One, dice: Random) -> None:
        """Do one or two things that agents do."""
        self.acts(one, **self._something(one, dice))
        if dice.random() < 0.3:
            self.acts(one, **self._something(one, dice))

    def _something(self, one: One, dice: Random) -> dict[str, Any]:
        return dice.choice(
            [
                {"tags_add": [f"person-{one[1]}", "vip"]},
                {"group": dice.choice(GROUPS)},
                {"priority": dice.choice(PRIORITIES)},
                {"priority": dice.choice(PRIORITIES), "group": dice.choice(GROUPS), "tags_add": ["checked"]},
                {"reply": "I am looking into it.", "status": "pending"},
                {"note": "Called the customer.", "tags_add": ["called"]},
            ]
        )

    def acts(self, one: One, **wanted: Any) -> None:
        """Have an agent change a ticket, and remember when."""
        begun = time.time()
        self.house.person(one, **wanted)
        self.moments.setdefault(one, []).append((begun, time.time()))

    def in_a_gap(self, one: One) -> bool:
        """Say whether somebody acted between a look of ours and the write that followed it."""
        path = f"/{one[0]}/api/v2/tickets/{one[1]}"
        calls = control(self.house.sandbox, "/sandbox/calls")["calls"]
        mine = [call for call in calls if call["path"].removesuffix(".json") == path]
        gaps = [(a["at"], b["at"]) for a, b in pairwise(mine) if b["method"] == "PUT"]
        return any(
            looked - ANSWER_SECONDS <= over and begun <= wrote
            for looked, wrote in gaps
            for begun, over in self.moments.get(one, ())
        )

    def at_the_same_time(self) -> int:
        """Return how many of the acts came between the beginning and the end of a run of their ticket."""
        query = "SELECT desk, ticket_id, started_at, finished_at FROM runs"
        desks = {"acme": "zendesk", "globex": "freshdesk"}
        runs = {(desks[row["desk"]], row["ticket_id"]): row for row in self.house.rows(query)}
        return sum(
            runs[one]["started_at"] <= over and begun <= runs[one]["finished_at"]
            for one, moments in self.moments.items()
            for begun, over in moments
        )


@pytest.mark.parametrize("mode", MODES)
def test_agents_work_on_the_same_tickets(
    mode: str, houses: Callable[..., Outside], empty_postgres: str, scale: Scale, tell: Tell
) -> None:
    house = houses(empty_postgres if mode == "write" else "", kind=Outside, each_desk=MODES[mode], settings=SURE)
    office = Office(house)
    # Half of our writes take a moment, so that more people come in between.
    house.fault(share(0.5, {"delay": 0.15}, "GET", TICKET))
    with house.meanwhile(office.works, 1.5):
        house.flood(scale.tickets, makers=2)
    seconds = house.calm(300)
    audit = house.audit()
    hit = [one for one in audit.overwritten if one[0] == "freshdesk" and office.in_a_gap(one)]
    met = office.at_the_same_time()
    assert met >= scale.tickets // 10, f"people and Tandem met {met} times only"
    assert len(hit) <= GAP_SHARE * scale.tickets, f"{len(hit)} hits of the gap that Freshdesk leaves"
    rest = replace(audit, overwritten=[one for one in audit.overwritten if one not in hit])
    tell(f"agents, mode {mode}: {met} met, {len(hit)} in gap", rest, seconds)


def test_customers_write_and_notes_are_deleted(houses: Callable[..., Outside], scale: Scale, tell: Tell) -> None:
    house = houses(kind=Outside, updates=True)
    gone: set[One] = set()

    def works(one: One, dice: Random) -> None:
        if dice.random() < 0.6:
            house.act(one, customer_reply=f"One more thing: it happens {dice.randint(2, 9)} times a day.")
        elif one[0] == "freshdesk":
            gone.add(one)
            house.act(one, notes_deleted=True)
        else:
            house.person(one, tags_add=["first"])
            house.person(one, group=dice.choice(GROUPS), note="Two of us are on it.")

    with house.meanwhile(works, 3.0):
        house.flood(scale.tickets, makers=2)
    seconds = house.calm(300)
    audit = house.audit(lambda one: one not in gone)
    # A customer's word may call for a second look, with a note of its own at Zendesk; the same note is never twice.
    tell(
        "customers write, notes go", replace(audit, second=[one for one in audit.second if _twice(house, one)]), seconds
    )


def test_what_freshdesk_leaves(houses: Callable[..., Outside], scale: Scale, tell: Tell) -> None:
    """Somebody acts while a write is on its way: Zendesk refuses that write, Freshdesk cannot.

    Then a person's tag, group or priority of that very moment is lost at Freshdesk, and nothing else.
    """
    house = houses(kind=Outside, each_desk=MODES["write"], settings=SURE)
    count = max(scale.tickets // 10, 8)
    house.fault(share(1, {"delay": 1.2}, "PUT", TICKET))
    sent = house.flood(count, makers=8)
    acted: set[One] = set()

    def act_in_time() -> bool:
        under_way = [one for one in sent if one not in acted and _is_sent(house, one)]
        for one in under_way:
            house.person(one, tags_add=["person"], group="Privacy", priority="urgent")
            acted.add(one)
        return len(acted) == len(sent)

    house.wait("people", act_in_time, 240)
    house.mended()
    seconds = house.calm(240)
    audit = house.audit()
    lost = [one for one in audit.overwritten if one[0] == "freshdesk"]
    rest = replace(audit, overwritten=[one for one in audit.overwritten if one[0] == "zendesk"])
    tell(f"in the gap: {len(lost)} of {count // 2} at Freshdesk", rest, seconds)


def _is_sent(house: Outside, one: One) -> bool:
    """Say whether a write of ours is on its way."""
    desk = "acme" if one[0] == "zendesk" else "globex"
    query = "SELECT 1 FROM runs JOIN effects ON run_id = runs.id WHERE desk = :desk AND ticket_id = :id"
    return bool(house.rows(f"{query} AND effects.state = 'sent'", desk=desk, id=one[1]))


def _twice(house: Outside, one: One) -> bool:
    notes = [comment["html"] for comment in house.tickets(one[0])[one[1]]["comments"] if REFERENCE in comment["html"]]
    references = [html.split(REFERENCE)[1][:10] for html in notes]
    return len(references) != len(set(references))
