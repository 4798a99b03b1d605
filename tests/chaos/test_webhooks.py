"""Webhooks in bursts, repeated, out of order, replayed, from another time, or never sent: one run and one note each.

In short all but the last happen in one house, in turn; in full each has a house of its own.
"""

from __future__ import annotations

import os
import random
import re
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import text

from commands.sandboxed import control
from sandbox.sender import ulid
from tests.chaos.conftest import Scale, together
from tests.chaos.drifting import Drifting
from tests.chaos.house import House, One
from tests.chaos.sender import Answer, Sender
from triage.store.deliveries import DONE
from triage.store.engine import reader_of

Tell = Callable[..., None]
BURST, SHORT_BURST = 10_000, 80
BURST_SENDERS = 32
AT_ONCE = 50
DROPPED = 0.05
OFF_SECONDS = 600.0
DAY_SECONDS = 86_400.0
# By then bodies (14 days), closed deliveries (400) and runs (1,100) are gone.
LATER_DAYS = (1, 8, 15, 410)
SHORT_LATER_DAYS = (1, 410)
# Whose clocks are off, and by how much, at the same time.
CLOCKS = [
    (names, off) for names in (("web",), ("worker", "beat"), ("beat",), ()) for off in (OFF_SECONDS, -OFF_SECONDS)
]
SHORT_CLOCKS = [(("web",), -OFF_SECONDS), (("worker", "beat"), OFF_SECONDS)]
READ = "SELECT occasion, count(*) FROM runs WHERE desk = :desk AND ticket_id = :ticket GROUP BY occasion"
TWO_RUNS = "SELECT desk, ticket_id FROM runs GROUP BY desk, ticket_id HAVING count(*) > 1"
TOGETHER = "SELECT started_at, finished_at FROM runs WHERE desk = :desk AND ticket_id = :ticket ORDER BY started_at"
# What is late after days gets a note of its own, which is not meant here.
NO_SLA_NOTES = "\nsla: {on_risk: {note: false}, on_breach: {note: false}}\n"
DESKS = {"zendesk": "acme", "freshdesk": "globex"}


def burst(house: House, scale: Scale, tell: Tell) -> None:
    """Ten thousand at once: what is counted in full are calls, rows and runs, as the desks are off."""
    count = SHORT_BURST if scale.short else BURST
    sent, sender = house.flood(count, silent=True, makers=8), Sender(house)
    # All of them at the helpdesks first, then all at the door.
    with ThreadPoolExecutor(BURST_SENDERS) as pool:
        answers = list(pool.map(sender.send, sent))
    assert Counter(answer.status for answer in answers) == {202: count}
    assert not sender.broken_promises()
    house.quiet(1500)
    assert sum(house.store.runs.counts().values()) == count
    assert not _rows(house, TWO_RUNS)
    if not scale.short:
        assert house.store.deliveries.counts() == {DONE: count}
    tell(f"{count} webhooks at once", house.audit(expected=lambda _one: scale.short, of=sent))


def repeated(house: House, scale: Scale, tell: Tell) -> None:
    """One webhook fifty times, fifty changes in a second, the change before the ticket."""
    sender = Sender(house)
    with house.flowing(0 if scale.short else scale.tickets):
        for one in house.flood(2 if scale.short else 20, silent=True):
            _fifty_times_the_same(house, sender, one)
        for one in house.flood(2 if scale.short else 20, silent=True):
            _fifty_changes_in_a_second(house, sender, one)
        for one in house.flood(2 if scale.short else 20, silent=True):
            _the_change_before_the_ticket(sender, one)
    house.quiet(300)
    for vendor, desk in DESKS.items():
        for one in house.sent:
            if one[0] == vendor:
                begun = _rows(house, TOGETHER, desk=desk, ticket=one[1])
                assert all(before[1] <= after[0] for before, after in pairwise(begun)), f"two runs of {one} at once"
    tell("repeated, out of order", house.audit(of=house.sent if scale.short else None))


def _fifty_times_the_same(house: House, sender: Sender, one: One) -> None:
    """Post one webhook from fifty threads that wait for each other: one of them is new."""
    before, id_, gate = house.received(), ulid(), threading.Barrier(AT_ONCE)

    def post(_number: int) -> Answer:
        gate.wait(10)
        return sender.send(one, id_=id_)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(post, range(AT_ONCE)))
    assert Counter(answer.status for answer in answers) == {202: 1, 200: AT_ONCE - 1}
    assert house.received() >= before + 1
    house.wait("its note", lambda: house.has_tags(*one), 90)
    assert dict(_runs(house, one)) == {"created": 1}


def _fifty_changes_in_a_second(house: House, sender: Sender, one: One) -> None:
    """Tell of fifty changes: they are read together, a few times in all."""
    sender.insist(one)
    house.wait("its note", lambda: house.has_tags(*one), 90)
    before = _reads(house, one)
    with ThreadPoolExecutor(8) as pool:
        event = "status_changed" if one[0] == "zendesk" else "ticket_updated"
        answers = list(pool.map(lambda _: sender.send(one, event), range(AT_ONCE)))
    # Freshdesk gives no id: the same words within seconds are one call.
    assert {answer.status for answer in answers} <= {200, 202}
    house.wait("their reading", house.settled, 60)
    assert _reads(house, one) - before <= 6, "each change was read by itself"


def _the_change_before_the_ticket(sender: Sender, one: One) -> None:
    """Tell of a change, then of the ticket, then of an older change."""
    event = "comment_added" if one[0] == "zendesk" else "ticket_updated"
    assert sender.send(one, event).status == 202
    sender.insist(one)
    assert sender.send(one, event).status in (200, 202)


def another_time(house: House, scale: Scale, tell: Tell) -> None:
    """Signatures from another time, and clocks of ours that do not agree with each other."""
    assert isinstance(house, Drifting)
    count = 4 if scale.short else 100
    sender = Sender(house)
    for ahead in (-DAY_SECONDS, -OFF_SECONDS, OFF_SECONDS):
        # Freshdesk signs nothing, and so no time.
        [one] = house.flood(1, silent=True, vendors=["zendesk"])
        sender.ahead = ahead
        refused = sender.send(one)
        assert refused.status == 401
        assert "stale signature" in refused.said
        off = re.search(r"made (\d+) s", refused.said)
        assert off is not None
        assert int(off[1]) == pytest.approx(abs(ahead), abs=10), refused.said
        sender.ahead = 0.0
        sender.insist(one)
    for processes, off in SHORT_CLOCKS if scale.short else CLOCKS:
        # The helpdesk's clock is the web process's: it is ours that do not agree with each other.
        sender.ahead = off if "web" in processes or not processes else 0.0
        with house.flowing(0 if scale.short else 20):
            house.put_clocks(off, *processes)
            sender.insist_on(house.flood(count, silent=True))
        house.put_clocks(0.0, *processes)
        sender.ahead = 0.0
    house.quiet(300)
    tell("clocks 10 minutes off", house.audit(of=house.sent if scale.short else None))


def days_later(house: House, scale: Scale, tell: Tell) -> None:
    """With a fresh signature, as who has the secret may send it: a duplicate, or a ticket that has its note."""
    assert isinstance(house, Drifting)
    sender, ids = Sender(house), {}
    for one in house.flood(6 if scale.short else scale.tickets, silent=True):
        ids[one] = ulid()
        assert sender.send(one, id_=ids[one]).status == 202
    house.quiet(300)
    newest = max(answer.delivery for answer in sender.answers)
    for days in SHORT_LATER_DAYS if scale.short else LATER_DAYS:
        sender.ahead = days * DAY_SECONDS
        house.put_clocks(sender.ahead)
        # As the hourly task does it, which beat begins with when it finds so much time passed.
        house.wait("retention", lambda days=days: _retained(house, days, newest), 60)  # type: ignore[misc]
        for one, id_ in ids.items():
            while (answer := sender.send(one, id_=id_)).status == 0:
                pass  # a web process that finds a day gone by hangs up on who kept a connection
            assert answer.status in (200, 202)
            assert (answer.status == 200) == (days < 400), f"after {days} days: {answer}"
        house.wait("quiet", house.settled, 60 if scale.short else 300)
    tell("replayed days later", house.audit())


# The last one leaves the clocks where they are.
FAULTS = {"burst": burst, "repeated": repeated, "another time": another_time, "days later": days_later}


@pytest.mark.parametrize("faults", together(FAULTS))
def test_webhooks(faults: dict[str, Any], houses: Callable[..., House], scale: Scale, tell: Tell) -> None:
    kind = Drifting if "days later" in faults or "another time" in faults else House
    of_desk = "    mode: off\n" if "burst" in faults and not scale.short else ""
    house = houses(kind=kind, of_desk=of_desk, updates="repeated" in faults, settings=NO_SLA_NOTES)
    for fault in faults.values():
        fault(house, scale, tell)


def _retained(house: House, days: int, newest: int) -> bool:
    """Say whether of the deliveries up to `newest` there is what there should be after so many days."""
    bodies, rows = _rows(house, "SELECT count(body), count(*) FROM deliveries WHERE id <= :newest", newest=newest)[0]
    return bool((bodies > 0) == (days <= 14) and (rows > 0) == (days <= 400))


@pytest.mark.skipif(os.environ.get("CHAOS") == "short", reason="takes a minute; the full version shows it")
def test_what_never_comes_is_found(houses: Callable[..., House], scale: Scale, tell: Callable[..., None]) -> None:
    """One webhook in twenty is lost on its way: asking for changed tickets finds every one of them."""
    house, chance = houses(), random.Random(7)
    house.wait("first look", lambda: all(house.store.cursors.get(desk, "poll") for desk in DESKS.values()), 90)
    sent = house.flood(scale.tickets, silent=True)
    lost = {one for one in sent if chance.random() < DROPPED}
    assert lost
    Sender(house).insist_on([one for one in sent if one not in lost])
    with house.store.engine.begin() as connection:
        # As if five minutes had passed since the last look.
        connection.exec_driver_sql("UPDATE cursors SET updated_at = updated_at - 600 WHERE name = 'polled'")
    recovered = house.wait("the lost ones", lambda: all(house.has_tags(*one) for one in lost), 300)
    house.quiet(300)
    tell("5 % of webhooks lost", house.audit(), recovered)


def _reads(house: House, one: One) -> int:
    """Return how often this ticket was read at the helpdesk."""
    calls = control(house.sandbox, "/sandbox/state")["calls"]["tickets"].get("/".join(one), {})
    return sum(count for call, count in calls.items() if call.startswith("GET "))


def _runs(house: House, one: One) -> list[tuple[str, int]]:
    return _rows(house, READ, desk=DESKS[one[0]], ticket=one[1])


def _rows(house: House, query: str, **values: object) -> list[tuple[str, int]]:
    with reader_of(house.store.engine).connect() as connection:
        return [tuple(row) for row in connection.execute(text(query), values)]
