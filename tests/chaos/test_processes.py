"""Worker, web and beat are killed, ended, paused and doubled, one at a time, while tickets flow."""

from __future__ import annotations

import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import cycle
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text

from tests.chaos.conftest import Scale
from tests.chaos.house import House
from tests.chaos.storm import DESKS, OF_DESK, WORDS, held_by, look_for_lost, start_second_worker
from tests.chaos.worker_ends import CutOff, die_at, send_again, slow, start_apart, well
from tests.running import VENDORS
from triage.crash import CRASH_VARIABLE, STOP_VARIABLE
from triage.store.deliveries import QUEUED, RECEIVED
from workers import names
from workers.app import make_app

# In the order of the pipeline: where a worker may die.
STEPS = (
    "before_claim", "after_claim", "after_read", "after_classify", "after_draft", "before_note", "after_note",
    "after_tags", "before_finish", "before_ack",
)  # fmt: skip
# The same of a later run.
LATER = ("after_claim", "after_classify", "after_draft", "before_note", "after_note", "before_tags", "after_tags")
# Where something is left behind that must not be done twice.
FEW = {
    "zendesk": ("before_claim", "after_classify", "after_note", "after_tags"),
    "freshdesk": ("after_claim", "after_note", "before_finish", "before_ack"),
}
RECOVERED_SECONDS = 60.0
TEN_MINUTES = 600.0
Tell = Callable[..., None]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], House]]:
    """Return what gives the one house of the short version."""
    made: list[tuple[House, subprocess.Popen[bytes]]] = []

    def house() -> House:
        if not made:
            one = House(tmp_path_factory.mktemp("house"), updates=True, of_desk=OF_DESK)
            one.start()
            made.append((one, start_apart(one, "beat")))
        return made[0][0]

    yield house
    for one, beat in made:
        beat.kill()
        beat.wait()
        one.stop()


@pytest.fixture
def house(scale: Scale, shared: Callable[[], House], houses: Callable[..., House]) -> House:
    """Return a house of this test's own, in the short version the one for all."""
    return shared() if scale.short else houses(updates=True, of_desk=OF_DESK)


def audit_later(house: House) -> Callable[[tuple[str, str]], int]:
    """Return how many notes there may be: where they cannot be changed, each later run may add one."""

    def most(one: tuple[str, str]) -> int:
        later = [run for run in house.store.runs.all_of(DESKS[one[0]], one[1]) if run.occasion.startswith("message:")]
        return 1 + (len(later) if one[0] == "zendesk" else 0)

    return most


def settle(house: House, scale: Scale, seconds: float = 240) -> None:
    """Wait until all is over; in the short version webhooks that were lost are looked for at once."""
    if scale.short:
        look_for_lost(house)
    house.quiet(seconds)


def test_a_worker_is_killed_at_every_step(house: House, scale: Scale, tell: Tell) -> None:
    """Workers that die at one step each, beside a healthy one, until each has died with a ticket of each helpdesk."""
    cut = CutOff(house)
    for vendor in VENDORS:
        steps = FEW[vendor] if scale.short else STEPS
        for some in (steps[: len(steps) // 2], steps[len(steps) // 2 :]) if not scale.short else (steps,):
            before = len(house.sent)
            die_at(cut, some, partial(house.flood, 4, vendors=(vendor,)))
            house.flood(max(0, scale.tickets // 4 - (len(house.sent) - before)), vendors=(vendor,))
    settle(house, scale)
    tell("worker killed at every step", house.audit(most=audit_later(house)), cut.longest(), RECOVERED_SECONDS)


def test_a_worker_is_killed_at_every_step_of_a_later_run(
    houses: Callable[..., House], scale: Scale, tell: Tell
) -> None:
    if scale.short:
        pytest.skip("in the full version; test_again_e2e.py kills one in the middle of an update")
    house = houses(updates=True, of_desk=OF_DESK)
    house.flood(scale.tickets)
    settle(house, scale)
    cut, words = CutOff(house), cycle(WORDS)
    for vendor in VENDORS:
        tickets = cycle([one for one in house.sent if one[0] == vendor])
        for some in (LATER[:4], LATER[4:]):

            def write_on(tickets: Iterator[tuple[str, str]] = tickets) -> None:
                house.act(next(tickets), customer_reply=next(words))
                # What customers write is taken ten seconds later, with whatever has come by then.
                time.sleep(1)

            die_at(cut, some, write_on)
    settle(house, scale)
    audit = house.audit(most=audit_later(house))
    tell("worker killed in later runs", audit, cut.longest(), RECOVERED_SECONDS)


# How a worker is told to end: these signals, so many seconds apart; with the helpdesk so slow.
ENDS = {
    "SIGTERM": ([signal.SIGTERM], 0.0, 0.5),
    "SIGTERM twice": ([signal.SIGTERM, signal.SIGTERM], 1.0, 2.0),
    "SIGQUIT": ([signal.SIGQUIT], 0.0, 2.0),
    "SIGTERM, 10 s, SIGKILL": ([signal.SIGTERM, signal.SIGKILL], 10.0, 8.0),
}


@pytest.mark.parametrize("how", ENDS)
def test_a_deploy_under_load(house: House, scale: Scale, tell: Tell, how: str) -> None:
    """The new worker starts, the old one is told to end with its hands full; messages of another version come, too."""
    if scale.short and how != "SIGTERM":
        pytest.skip("in the full version")
    signals, apart, seconds = ENDS[how]
    cut = CutOff(house)
    old = house.process("worker")
    house.forget("worker")
    start_second_worker(house, name="worker")
    slow(house, seconds)
    try:
        with house.flowing(scale.tickets):
            house.wait("work in hand", lambda: len(held_by(house, old.pid)) >= min(8, scale.tickets // 4), 60)
            send_odd_messages(house)
            begun = time.time()
            for number in signals:
                cut.add(old.pid, begun)
                with suppress(ProcessLookupError):
                    old.send_signal(number)
                with suppress(subprocess.TimeoutExpired):
                    old.wait(apart)
            while old.poll() is None:
                # What it has begun since, too.
                cut.add(old.pid, begun)
                house.wait("a moment", lambda: True)
                time.sleep(0.2)
                assert time.time() - begun < RECOVERED_SECONDS, "the old worker does not end"
            ended = time.time() - begun
            well(house)
    finally:
        well(house)
    settle(house, scale)
    more = f"{len(cut.hit)} in flight; the old worker was gone after {ended:.1f} s with code {old.returncode}"
    audit = house.audit(most=audit_later(house))
    tell(f"deploy, {how}", audit, cut.longest(), RECOVERED_SECONDS, more)


def send_odd_messages(house: House) -> None:
    """Put names nobody knows, arguments nobody takes and ids of nothing between the tickets."""
    app = make_app()
    app.conf.broker_url = house.stack.environment["REDIS_URL"]
    for number in range(20):
        app.send_task("triage.former_name", args=[number], queue="triage")
        app.send_task(names.TRIAGE, args=[number, "an argument of then"], kwargs={"more": 1}, queue="triage")
        app.send_task(names.TRIAGE, args=[10_000_000 + number], queue="triage")
        app.send_task("sweep.former_sweep", queue="sweep")
    app.close()


@pytest.mark.parametrize("hours", [0, -1, 1])
def test_a_second_beat_with_a_clock_of_its_own(house: House, scale: Scale, tell: Tell, hours: int) -> None:
    """Two beats and two sweepers; then beat alone, its clock an hour slow or fast."""
    if scale.short:
        pytest.skip("in the full version; the short one has two beats all the time")
    start_second_worker(house)
    if hours:
        house.end("beat")
    beat = start_apart(house, "beat", hours=hours)
    cut = CutOff(house)
    with house.flowing(scale.tickets):
        house.wait("work", lambda: bool(held_by(house, house.process("worker").pid)), 60)
        # Without the sweep nobody takes up what is cut off here.
        cut.kill(house.process("worker"))
    house.flood(4, silent=True)
    settle(house, scale)
    beat.kill()
    beat.wait()
    if hours:
        house.stack.start(*house.beat_command())
    audit = house.audit(most=audit_later(house))
    tell(f"beat's clock {hours:+d} h" if hours else "two beats", audit, cut.longest(), RECOVERED_SECONDS)


def test_beat_is_dead_for_ten_minutes(house: House, scale: Scale, tell: Tell) -> None:
    """Times in the database are what the sweep goes by: moved back by ten minutes, they have passed."""
    house.end("beat")
    with house.flowing(scale.tickets):
        house.wait("work", lambda: bool(held_by(house, house.process("worker").pid)), 60)
        CutOff(house).kill(house.process("worker"))
    house.flood(4, silent=True)
    house.wait("what needs no beat", lambda: house.finished() >= len(house.sent) // 2, 120)
    with house.store.engine.begin() as connection:
        for table, column in (("deliveries", "due_at"), ("runs", "lease_until"), ("cursors", "updated_at")):
            connection.execute(text(f"UPDATE {table} SET {column} = {column} - {TEN_MINUTES}"))
    begun = time.time()
    house.stack.start(*house.beat_command())
    house.quiet(240)
    recovered = time.time() - begun
    tell("beat dead for 10 minutes", house.audit(most=audit_later(house)), recovered, RECOVERED_SECONDS)


def test_web_is_killed_in_the_middle_of_a_request(house: House, scale: Scale, tell: Tell) -> None:
    """With half a body, and between the inbox and the answer: the sender tries again, and that is a duplicate."""
    parts = urlsplit(house.url)
    for _ in range(1 if scale.short else 10):
        house.flood(scale.tickets // 10 + 1)
        with socket.create_connection((str(parts.hostname), parts.port or 80), timeout=5) as half:
            half.sendall(b"POST /webhooks/zendesk/acme HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc")
            house.end("web")
        dying = start_apart(house, "web", {CRASH_VARIABLE: "after_inbox"})
        house.wait("a web that answers", lambda: house.answers(), 60)
        (one,) = house.flood(1)
        dying.wait(30)
        assert dying.returncode == -signal.SIGKILL
        rows = [
            row for row in house.store.deliveries.recent(20) if (row.desk, row.ticket_id) == (DESKS[one[0]], one[1])
        ]
        assert [row.state for row in rows] in ([RECEIVED], [QUEUED])
        house.stack.manage("web")
        house.wait("web", lambda: house.answers(), 60)
        sent = next(call for call in house.webhooks() if str(call["ticket_id"]) == one[1] and call["vendor"] == one[0])
        send_again(house, sent["id"])
        house.wait("the answer", lambda sent=sent: _is_duplicate(house, sent), 30)
    settle(house, scale)
    tell("web killed in a request", house.audit(most=audit_later(house)))


def _is_duplicate(house: House, sent: dict[str, object]) -> bool:
    again = next(call for call in house.webhooks() if call["id"] == sent["id"])
    return "duplicate" in again["attempts"][-1]["answer"]


@pytest.mark.parametrize("step", ["before_note", "after_note"])
def test_a_worker_stands_still_for_longer_than_its_lease(house: House, scale: Scale, tell: Tell, step: str) -> None:
    """Another worker takes over; what wakes up then must not write again."""
    if scale.short:
        pytest.skip("in the full version: it takes 40 seconds")
    begun, cut = time.time(), CutOff(house)
    still = start_apart(house, "worker", {STOP_VARIABLE: step})
    house.wait("the worker", lambda: house.worker_since() >= begun, 120)
    with house.flowing(scale.tickets):
        house.wait("standing still", lambda: _state(still.pid) == "T", 90)
        cut.add(still.pid)
        time.sleep(40)
        still.send_signal(signal.SIGCONT)
    settle(house, scale)
    still.terminate()
    still.wait(60)
    audit = house.audit(most=audit_later(house))
    tell(f"worker stopped for 40 s, {step}", audit, cut.longest(), RECOVERED_SECONDS, f"{len(cut.hit)} in flight")


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


def test_undo_is_cut_off(house: House, scale: Scale, tell: Tell) -> None:
    """Killed in the middle and begun again until it is through: every note is withdrawn, and once."""
    if scale.short:
        pytest.skip("in the full version; test_undo.py kills it after every call")
    house.flood(scale.tickets)
    settle(house, scale)
    cuts, chance = 0, random.Random(1)
    while True:
        undo = start_apart(house, "undo", None, "--since", "2h", "--yes")
        try:
            undo.wait(chance.uniform(3, 6) if cuts < 8 else 240)
            break
        except subprocess.TimeoutExpired:
            undo.kill()
            undo.wait()
            cuts += 1
    assert undo.returncode == 0
    audit = house.audit(expected=lambda _: False, most=lambda one: 2 if one[0] == "zendesk" else 1)
    tell("undo killed", audit, more=f"{cuts} times")
    for vendor in VENDORS:
        for ticket in house.tickets(vendor).values():
            withdrawn = [one for one in ticket["comments"] if "ithdrawn" in one["html"] and "Tandem" in one["html"]]
            assert len(withdrawn) == 1, (vendor, ticket["id"])
            assert not [tag for tag in ticket["tags"] if tag.startswith("ai_")]
