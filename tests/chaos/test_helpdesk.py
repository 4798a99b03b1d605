"""A helpdesk fails in every way there is: its tickets wait or are looked at again, the other desk's go on.

In short all faults strike one house in turn and pauses are cut short; in full each has a house of its own.
"""

from __future__ import annotations

import os
import signal
import time
import urllib.request
from collections.abc import Callable
from email.utils import formatdate
from random import Random
from typing import Any

import pytest

from tests.chaos.conftest import Scale, together
from tests.chaos.house import Audit, One
from tests.chaos.outside import API, DESKS, SEED, Outside

Tell = Callable[..., None]
REVOKED = {"code": "invalid_credentials", "message": "You have to be logged in to perform this action."}
TICKET = r"/tickets/\d+(\.json)?$"
NOTE = r"/notes$"
LISTS = (
    "/(incremental/|groups|comments|conversations|requested|help_center|solutions|tickets$|schedules|business_hours)"
)
# An hour, as some old Freshdesk accounts count.
LONG_WAIT = 3600.0
# Beside the classifier a worker holds this much: twenty threads that each read an answer up to its largest size.
MOST_MEMORY = 900.0


def share(part: float, do: dict[str, Any], method: str = "", path: str = API) -> dict[str, Any]:
    """Return a fault that strikes a part of the calls until it is mended."""
    return {"match": {"method": method, "path": path}, "do": do, "times": None, "share": part, "seed": SEED}


def once(do: dict[str, Any], method: str, path: str, times: int = 1) -> dict[str, Any]:
    """Return a fault that strikes the first calls."""
    return {"match": {"method": method, "path": path}, "do": do, "times": times}


def a_bad_day(house: Outside, scale: Scale, tell: Tell) -> None:
    """Everything that passes by itself, each at some of the calls, and now and then at a write that took effect."""
    part, before = 0.008, house.finished()
    some = [
        {"status": 500}, {"status": 502, "html": True}, {"status": 503, "headers": {"Retry-After": "1"}},
        {"status": 504}, {"status": 200, "html": True}, {"hang_up": True}, {"cut": True}, {"truncate": True},
        {"apply_then": "reset"}, {"apply_then": 502}, {"content_type": "text/html"}, {"status": 408},
    ]  # fmt: skip
    house.fault(
        # First what must strike for sure: the note is there and nobody was told.
        once({"apply_then": 502}, "PUT", f"^/zendesk.*{TICKET}"),
        once({"apply_then": "reset"}, "PUT", f"^/zendesk.*{TICKET}"),
        once({"apply_then": 500}, "POST", f"^/freshdesk.*{NOTE}"),
        once({"cut": True}, "POST", f"^/freshdesk.*{NOTE}"),
        once({"status": 409, "body": {"error": "UpdateConflict"}}, "PUT", TICKET, times=3),
        *(share(part, do) for do in some),
        share(part / 4, {"status": 429, "headers": {"Retry-After": "1"}}),
    )
    house.flood(scale.tickets)
    house.wait("half to be over", lambda: house.finished() - before >= scale.tickets // 2, 300)
    struck = house.struck()
    assert min(struck[:5]) >= 1, f"a fault never struck: {struck}"
    recovered = _recovers(house)
    house.calm(600)
    assert not house.given_up()
    tell("some of everything", _counted(house, scale), recovered, 60)


def waits_as_told(house: Outside, scale: Scale, tell: Tell) -> None:
    """One desk is over its limit for an hour: it is left alone, no attempt is counted, the other desk goes on."""
    date = formatdate(time.time() + 9, usegmt=True)
    for after in (date, str(int(LONG_WAIT))) if scale.short else ("7", date, None, str(int(LONG_WAIT))):
        headers = {} if after is None else {"Retry-After": after}
        least = {"7": 7.0, None: 60.0, str(int(LONG_WAIT)): LONG_WAIT}.get(after, 7.0)
        _one_limit(house, scale, headers, least, long=after is None or least == LONG_WAIT)
    recovered = _recovers(house)
    house.calm(300)
    tell("429: s, date, none, 1 h", _counted(house, scale), recovered, 60)


def _one_limit(house: Outside, scale: Scale, headers: dict[str, str], least: float, *, long: bool) -> None:
    before = house.asked("zendesk")
    begun = time.time()
    house.fault(share(1, {"status": 429, "headers": headers}, path="^/zendesk/api/"))
    sent = house.flood(scale.tickets // 4)
    others = [one for one in sent if one[0] == "freshdesk"]
    house.noted(others, 240)
    if not long:
        time.sleep(max(0.0, begun + least - time.time()))
    waiting = house.rows("SELECT attempts, due_at FROM deliveries WHERE desk = 'acme' AND state = 'queued'")
    assert waiting
    assert max(row["attempts"] for row in waiting) <= 1, "waiting is no attempt; one may be under way"
    # Those under way at the first 429, the two sweeps' own looks, and one more for each time the wait was over.
    rounds = 1 + (time.time() - begun) / least
    calls = house.asked("zendesk") - before
    assert calls <= 40 * rounds, f"{calls} calls to a desk that had asked for patience"
    if long:
        assert min(row["due_at"] for row in waiting) >= begun + least
    house.mended()
    house.calm(300)


def signed_out(house: Outside, scale: Scale, tell: Tell) -> None:
    """OAuth tokens end in the middle of everything: a new one is fetched, and no ticket waits."""
    with house.flowing(scale.tickets):
        for _ in range(5):
            time.sleep(0.5 if scale.short else 2.0)
            _post(house, "/sandbox/tokens/expire")
    recovered = house.quiet(240)
    assert not house.rows("SELECT id FROM alarms WHERE kind = 'desk_locked'")
    tell("OAuth token expired", _counted(house, scale), recovered)


def locked_out(house: Outside, scale: Scale, tell: Tell) -> None:
    """An API key is revoked: the desk is locked with an alarm, the other one goes on, a new key needs no restart."""
    before = house.asked("freshdesk")
    house.fault(share(1, {"status": 401, "body": REVOKED}, path="^/freshdesk/api/"))
    sent = house.flood(scale.tickets)
    house.wait("the alarm", lambda: bool(house.store.alarms.raised_at("globex", "desk_locked")), 30)
    others = [one for one in sent if one[0] == "zendesk"]
    house.noted(others, 240)
    calls = house.asked("freshdesk") - before
    assert calls <= 60, f"{calls} calls with a key that is refused"
    assert not house.given_up()
    house.mended()
    if scale.short:
        house.hurry()
    recovered = house.wait(
        "the locked desk", lambda: any(house.has_tags(*one) for one in sent if one not in others), 480
    )
    house.calm(600, hurried=scale.short)
    house.wait("the alarm's end", lambda: not house.store.alarms.raised_at("globex", "desk_locked"), 60)
    tell("API key revoked, mended", _counted(house, scale), recovered, 420)


def parts_off(house: Outside, scale: Scale, tell: Tell) -> None:
    """The plan or the role lacks what is read beside the ticket: the note is there all the same."""
    off = {"code": "require_feature", "message": "not in your plan"}
    house.fault(
        share(
            1,
            {"status": 403, "body": off},
            "GET",
            "/(users/\\d+/tickets/requested|companies/|contacts/|satisfaction|groups)",
        ),
        share(1, {"status": 403, "body": off}, "GET", r"^/freshdesk/api/v2/tickets$"),
    )
    house.flood(scale.tickets)
    house.calm(300)
    house.mended()
    assert not house.given_up()
    tell("403 on what is optional", _counted(house, scale))


def over_meanwhile(house: Outside, scale: Scale, tell: Tell) -> None:
    """Tickets are closed, merged, deleted or marked as spam between our read and our writes: a quiet end."""
    gone: set[One] = set()

    def ends(one: One, dice: Random) -> None:
        gone.add(one)
        house.act(one, **dice.choice([{"deleted": True}, {"spam": True}, {"status": "closed"}, {"status": "solved"}]))

    # A slow write is one that somebody is faster than.
    house.fault(share(0.5, {"delay": 0.4}, "PUT"), share(0.5, {"delay": 0.4}, "POST", NOTE))
    with house.meanwhile(ends, 2.0):
        house.flood(scale.tickets, makers=2)
    house.mended()
    house.calm(240)
    assert not house.given_up(), "nothing is wrong with a ticket that is over"
    tell("ticket over meanwhile", _counted(house, scale, lambda one: one not in gone))


def dripping(house: Outside, scale: Scale, tell: Tell) -> None:
    """Some answers come at a byte a second, in the body or in a head without end: no thread waits longer than told."""
    house.fault(
        once({"drip": "head"}, "PUT", f"^/zendesk.*{TICKET}", times=1 if scale.short else 6),
        once({"drip": "body"}, "POST", f"^/freshdesk.*{NOTE}", times=1 if scale.short else 6),
        *([] if scale.short else [once({"drip": "head"}, "GET", TICKET, 6), once({"drip": "body"}, "GET", TICKET, 6)]),
    )
    house.flood(scale.tickets)
    # No hurry before the slowest call has been given up: what is under way then is no retry.
    slow = house.wait("threads that wait", lambda: min(house.struck()) >= 1 and not house.in_flight(), 240)
    house.mended()
    house.calm(400)
    assert not house.given_up()
    tell("a byte a second", _counted(house, scale), slow, 22 if scale.short else 150)


def too_large(house: Outside, scale: Scale, tell: Tell) -> None:
    """A tenth of all answers has 50 MB: memory stays bounded, the ticket is read again."""
    before, large = house.finished(), {"megabytes": 50}
    house.fault(once(large, "GET", TICKET, 2), share(0.1, large, "GET", TICKET))
    house.flood(scale.tickets)
    house.wait("half to be over", lambda: house.finished() - before >= scale.tickets // 2, 300)
    assert house.struck()[0] == 2
    house.mended()
    house.calm(300)
    memory = house.worker_memory()
    assert memory < MOST_MEMORY, f"{memory:.0f} MiB"
    assert not house.given_up()
    tell("answers of 50 MB", _counted(house, scale))


def without_end(house: Outside, scale: Scale, tell: Tell) -> None:
    """Every list has another page for ever, under new names or the same one: what reads them stops by itself."""
    for kind in ("new", "same"):
        before = {vendor: house.asked(vendor) for vendor in DESKS}
        house.fault(share(1, {"endless": kind}, "GET", LISTS))
        _forget(house, "polled", "synced")
        sent = house.flood(scale.tickets // 2)
        house.noted(sent, 240)
        time.sleep(0 if scale.short else 60)
        for vendor in DESKS:
            calls = house.asked(vendor) - before[vendor]
            assert calls < 8 * len(sent) + 400, f"{vendor}: {calls} calls for pages without end"
        house.mended()
    _forget(house, "polled")
    house.calm(240)
    assert not house.rows("SELECT id FROM alarms WHERE kind IN ('catch_up_off', 'desk_locked')")
    tell("pages without end", _counted(house, scale))


def away(house: Outside, scale: Scale, tell: Tell) -> None:
    """Both helpdesks are away for two minutes, webhooks still come; then they hang for a moment."""
    house.flood(scale.tickets // 4)
    house.fault(share(1, {"hang_up": True}))
    house.flood(scale.tickets // 2)
    time.sleep(6 if scale.short else 120)
    house.mended()
    house.flood(scale.tickets // 4)
    recovered = house.goes_on("a run after the outage", 60)
    sandbox = house.process("sandbox")
    os.kill(sandbox.pid, signal.SIGSTOP)
    try:
        time.sleep(4 if scale.short else 20)
    finally:
        os.kill(sandbox.pid, signal.SIGCONT)
    house.calm(600, hurried=scale.short)
    assert not house.given_up()
    tell("helpdesk away for 2 min", _counted(house, scale), recovered, 60)


def never_told(house: Outside, scale: Scale, tell: Tell) -> None:
    """One webhook in five is never sent: the next look at each desk finds the tickets."""
    if scale.short:
        _forget(house, "polled")
    else:
        house.flood(scale.tickets * 4 // 5)
    house.noted(house.unheard, 300)
    found = time.time() - house.unheard_at
    house.sent += house.unheard
    house.calm(240, hurried=scale.short)
    # Their interval of one minute, the sweep's tick, and the minute for which Zendesk's export holds changes back.
    tell("webhooks never sent", _counted(house, scale), None if scale.short else found, 60 + 20 + 60 + 30)


def _say_nothing_of_some(house: Outside, scale: Scale) -> None:
    """Make tickets without a webhook; other faults may strike meanwhile, it takes its time until they are found."""
    house.wait("a first look", lambda: _has_looked(house), 120)
    known = list(house.sent)
    house.unheard_at = time.time()
    house.unheard = house.flood(max(scale.tickets // 5, 2), silent=True)
    house.sent = known


FAULTS = {
    "bad day": a_bad_day,
    "over meanwhile": over_meanwhile,
    "dripping": dripping,
    "away": away,
    "without end": without_end,
    "too large": too_large,
    "parts off": parts_off,
    "locked out": locked_out,
    "signed out": signed_out,
    "limits": waits_as_told,
    "never told": never_told,
}


@pytest.mark.parametrize("faults", together(FAULTS))
def test_helpdesk(faults: dict[str, Any], houses: Callable[..., Outside], scale: Scale, tell: Tell) -> None:
    house = houses(kind=Outside, each_desk="reconcile_every: 1")
    for fault in faults.values():
        if "never told" in faults and not house.unheard and (_has_looked(house) or fault is never_told):
            _say_nothing_of_some(house, scale)
        fault(house, scale, tell)


def _counted(house: Outside, scale: Scale, expected: Callable[[One], bool] = lambda _one: True) -> Audit:
    """Count; what an earlier fault has ended in the same house is no longer expected."""
    ended = {
        (vendor, id_)
        for vendor in DESKS
        for id_, ticket in house.tickets(vendor).items()
        if ticket["deleted"] or ticket["spam"] or ticket["status"] in ("closed", "solved", "resolved")
    }
    keep = [one for one in house.sent if one not in ended or expected(one) is False]
    return house.audit(lambda one: one not in ended and expected(one), of=keep if scale.short else None)


def _recovers(house: Outside) -> float:
    """Mend everything, send two tickets, and return the seconds until a run that begins now is over."""
    house.mended()
    house.hurry()
    house.flood(2)
    return house.goes_on("a run after the fault", 120)


def _has_looked(house: Outside) -> bool:
    """Say whether both desks were looked at: tickets from before that are none of Tandem's business."""
    return all(house.store.cursors.get(desk, "poll") for desk in DESKS.values())


def _forget(house: Outside, *names: str) -> None:
    """Have every desk be looked at again now."""
    with house.store.engine.begin() as connection:
        for name in names:
            connection.exec_driver_sql(f"UPDATE cursors SET updated_at = 0 WHERE name = '{name}'")


def _post(house: Outside, path: str) -> None:
    request = urllib.request.Request(f"{house.sandbox}{path}", b"", method="POST")
    urllib.request.urlopen(request, timeout=10).close()
