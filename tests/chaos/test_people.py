"""People work on the tickets at the same moment as Tandem: what they did stands.

Zendesk guards a write by the ticket's time of change; Freshdesk guards nothing and replaces the whole list of tags.
What is left there is the time between the last look and the write that follows: `GAP_SHARE` says how rare a hit may be
when people act at random moments, and `in_the_gap` what happens when one is certain.
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
from tests.chaos.conftest import Scale, together
from tests.chaos.house import SETTLE_SECONDS, One
from tests.chaos.outside import Outside
from tests.chaos.test_helpdesk import TICKET, share
from tests.running import REFERENCE

Tell = Callable[..., None]
GROUPS = ("Finance & Billing", "Technical Support", "Security", "Privacy")
# Freshdesk gives "low" to a ticket nobody has given a priority: a person's "low" is not told from that.
PRIORITIES = ("urgent", "high", "normal")
# Everything is decided, so that everything is written that may be.
SURE = "thresholds: {primary_team: 0, priority: 0, sentiment: 0, churn_risk: 0}\n"
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


def agents(house: Outside, scale: Scale, tell: Tell, mode: str) -> None:
    """Agents change tags, group, priority and status, reply and write notes, on every ticket."""
    office = Office(house)
    # Half of our reads take a moment, so that more people come in between.
    house.fault(share(0.5, {"delay": 0.15}, "GET", TICKET))
    with house.meanwhile(office.works, 0.8):
        house.flood(scale.tickets, makers=2)
    seconds = house.calm(300)
    house.mended()
    audit = house.audit(of=house.sent if scale.short else None)
    hit = [one for one in audit.overwritten if one[0] == "freshdesk" and office.in_a_gap(one)]
    met = office.at_the_same_time()
    # Of few tickets perhaps none; `in_the_gap` makes it certain.
    assert scale.short or met >= scale.tickets // 20, f"people and Tandem met {met} times only"
    assert len(hit) <= GAP_SHARE * scale.tickets, f"{len(hit)} hits of the gap that Freshdesk leaves"
    rest = replace(audit, overwritten=[one for one in audit.overwritten if one not in hit])
    tell(f"{mode} mode: {met} met, {len(hit)} gap", rest, seconds)


def in_the_gap(house: Outside, scale: Scale, tell: Tell, _mode: str) -> None:
    """Somebody acts while a write is on its way: Zendesk refuses that write, Freshdesk cannot.

    Then a person's tag, group or priority of that very moment is lost at Freshdesk, and nothing else.
    """
    count = max(scale.tickets // 10, 8)
    house.fault(share(1, {"delay": 1.2}, "PUT", TICKET))
    sent = house.flood(count, makers=8)
    acted: set[One] = set()

    def act_in_time() -> bool:
        for one in [one for one in sent if one not in acted and _is_sent(house, one)]:
            house.person(one, tags_add=["person"], group="Privacy", priority="urgent")
            acted.add(one)
        return len(acted) == len(sent)

    house.wait("people", act_in_time, 240)
    house.mended()
    seconds = house.calm(240)
    audit = house.audit(of=sent)
    lost = [one for one in audit.overwritten if one[0] == "freshdesk"]
    rest = replace(audit, overwritten=[one for one in audit.overwritten if one[0] == "zendesk"])
    tell(f"Freshdesk gap: {len(lost)} of {count // 2}", rest, seconds)


def customers(house: Outside, scale: Scale, tell: Tell, _mode: str) -> None:
    """Customers write on, two agents work on one ticket, and agents delete our note, before it is there and after."""
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

    with house.meanwhile(works, 1.5 if scale.short else 3.0):
        sent = house.flood(scale.tickets, makers=2)
    seconds = house.calm(300)
    deleted = [one for one in sent if one[0] == "freshdesk" and one not in gone][:10]
    for one in deleted:
        house.act(one, notes_deleted=True)
    house.hurry()
    time.sleep(SETTLE_SECONDS)
    audit = house.audit(lambda one: one not in gone and one not in deleted, of=sent)
    assert [house.notes(*one) for one in deleted] == [0] * len(deleted), "a note somebody has deleted came back"
    # A customer's word may call for a second look, with a note of its own at Zendesk; the same note is never twice.
    twice = [one for one in audit.second if _twice(house, one)]
    tell("customers write, notes go", replace(audit, second=twice), seconds)


@pytest.mark.parametrize("faults", together({"agents": agents, "in the gap": in_the_gap, "customers": customers}))
def test_people(
    faults: dict[str, Any], houses: Callable[..., Outside], request: pytest.FixtureRequest, scale: Scale, tell: Tell
) -> None:
    url = request.getfixturevalue("empty_postgres") if "agents" in faults and not scale.short else ""
    house = houses(url, kind=Outside, each_desk="mode: write", settings=SURE, updates=True)
    for fault in faults.values():
        fault(house, scale, tell, "write")


def test_agents_where_only_tags_are_set(houses: Callable[..., Outside], scale: Scale, tell: Tell) -> None:
    if scale.short:
        pytest.skip("the short version looks at mode write, which sets tags too")
    agents(houses(kind=Outside, settings=SURE), scale, tell, "tag")


def _is_sent(house: Outside, one: One) -> bool:
    """Say whether a write of ours is on its way."""
    desk = "acme" if one[0] == "zendesk" else "globex"
    query = "SELECT 1 FROM runs JOIN effects ON run_id = runs.id WHERE desk = :desk AND ticket_id = :id"
    return bool(house.rows(f"{query} AND effects.state = 'sent'", desk=desk, id=one[1]))


def _twice(house: Outside, one: One) -> bool:
    notes = [comment["html"] for comment in house.tickets(one[0])[one[1]]["comments"] if REFERENCE in comment["html"]]
    references = [html.split(REFERENCE)[1][:10] for html in notes]
    return len(references) != len(set(references))
