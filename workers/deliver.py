"""Carries one delivery as far as it goes now: claims the run, triages, and turns every error into what happens next."""

from __future__ import annotations

import logging
import random
import time
import traceback
from collections.abc import Callable

from sqlalchemy.exc import DataError, IntegrityError, NoResultFound, ProgrammingError, SQLAlchemyError

from triage.errors import DeskLocked, FeatureOff, Gone, Refused, Retry, Stop, TandemError, Wait
from triage.logs import about
from triage.settings import Mode
from triage.store import Store
from triage.store.deliveries import ASK, CLOCK, CREATED, DEAD, DONE, OPEN_STATES, Delivery
from triage.store.marks import DESK_LOCKED
from triage.store.runs import DEAD as RUN_DEAD
from triage.store.runs import DONE as RUN_DONE
from triage.store.runs import RUNNING as RUN_RUNNING
from triage.store.runs import SKIPPED as RUN_SKIPPED
from triage.store.runs import WAITING as RUN_WAITING
from triage.store.runs import Run
from triage.traces import span
from workers.again import judge_again
from workers.clocks import follow, let_go
from workers.later import notice
from workers.leases import LEASE_SECONDS, Leases
from workers.pipeline import skip, triage
from workers.tools import Tools
from workers.writing import LeaseLostError

logger = logging.getLogger(__name__)
# Web and worker may run on two machines, whose clocks differ a little.
CLOCK_SKEW_SECONDS = 2.0
# 15 s, 45 s, 2 min, 7 min, 20 min, then every hour: about five hours in all.
MAX_ATTEMPTS = 10
FIRST_PAUSE_SECONDS = 15.0
LONGEST_PAUSE_SECONDS = 3600.0
LOCKED_PAUSE_SECONDS = 300.0
JITTER = 0.2
LOCKED = "the helpdesk refuses the desk's credential; it is tried again every few minutes"
# What a person has asked for is done, whatever was taken back before.
ASKED = ("asked:", "answer:")
TAKEN_BACK = "what Tandem wrote on this ticket was taken back: it is left alone"
LOST = f"{MAX_ATTEMPTS} attempts ended without a word: the worker was killed each time, or could not reach the database"
TURN_SECONDS = 5.0
TURN = "another run of this ticket is under way"
FIRST_SECONDS = 30.0
FIRST = "the ticket's first triage is under way: what has been written since is looked at after it"
# A run that is waiting or under way starts the clocks itself.
ADOPTED = (RUN_DONE, RUN_DEAD, RUN_SKIPPED)
# The database is well and refuses these values: it will refuse them for ever.
POISON = (DataError, IntegrityError, ProgrammingError)


def deliver(
    delivery_id: int,
    store: Store,
    leases: Leases,
    tools_for: Callable[[str], Tools],
    hold: Callable[[str], None] = lambda _desk: None,
) -> None:
    """Work on one delivery; returns quietly when there is nothing to do or somebody else is at it.

    `hold` raises Wait for a desk that is held: its deliveries wait, and no attempt is counted.
    """
    delivery = store.deliveries.get(delivery_id)
    if delivery is None or delivery.state not in OPEN_STATES:
        return
    now = time.time()
    if delivery.occasion in (CLOCK, ASK):
        _follow_up(delivery, store, tools_for, now)
        return
    try:
        hold(delivery.desk)
    except Wait as error:
        # From then on the sweep leaves it alone until the desk goes on.
        store.deliveries.postpone(delivery_id, now + error.seconds, str(error))
        return
    if not delivery.occasion.startswith(ASKED) and store.undone.is_undone(delivery.desk, delivery.ticket_id):
        _close_taken_back(delivery, store, leases.new_owner(), now)
        return
    locked_at = store.alarms.raised_at(delivery.desk, DESK_LOCKED)
    if locked_at is not None and now - locked_at < LOCKED_PAUSE_SECONDS:
        # One ticket after the pause tries the credential again; the others need not be refused too.
        store.deliveries.postpone(delivery_id, _spread(locked_at + LOCKED_PAUSE_SECONDS - now) + now, LOCKED)
        return
    try:
        run, attempt = _begin(delivery, store, leases.new_owner(), now)
    except NoResultFound:
        # Another worker closed it since we looked.
        return
    if not attempt:
        _leave(delivery, run, store, tools_for, now)
        return
    if attempt > MAX_ATTEMPTS:
        # No attempt came back to say what happened: whatever it is, it ends workers.
        store.runs.finish(run, RUN_DEAD, now, LOST)
        store.deliveries.finish(delivery_id, DEAD, now, LOST)
        return
    subject: dict[str, str | int] = {
        "delivery": delivery_id,
        "run": run.id,
        "desk": delivery.desk,
        "ticket": delivery.ticket_id,
    }
    with about(**subject), span("triage", **subject), leases.hold(run.id, run.owner):
        done = _attempt(delivery, run, attempt, store, tools_for)
    if done and locked_at is not None:
        store.alarms.clear(delivery.desk, DESK_LOCKED)


def _begin(delivery: Delivery, store: Store, owner: str, now: float) -> tuple[Run, int]:
    """Claim the run and count the attempt, both or neither; return the attempt's number, 0 where it is not ours.

    Raises NoResultFound where the delivery is closed.
    """
    until, identity = now + LEASE_SECONDS, (delivery.desk, delivery.ticket_id, delivery.occasion)
    with store.engine.begin() as both:
        run, is_ours = store.runs.claim(*identity, owner=owner, now=now, lease_until=until, within=both)
        return run, store.deliveries.start_attempt(delivery.id, until, within=both) if is_ours else 0


def _close_taken_back(delivery: Delivery, store: Store, owner: str, now: float) -> None:
    """Close the delivery, and its run where that has begun already: what a person asks for later waits for no run."""
    mine = delivery.desk, delivery.ticket_id
    if any(one.occasion == delivery.occasion and one.state == RUN_WAITING for one in store.runs.all_of(*mine)):
        run, is_ours = store.runs.claim(*mine, delivery.occasion, owner=owner, now=now, lease_until=now + LEASE_SECONDS)
        if is_ours:
            skip(run, store, TAKEN_BACK)
    store.deliveries.finish(delivery.id, DONE, now, TAKEN_BACK)


def _leave(delivery: Delivery, run: Run, store: Store, tools_for: Callable[[str], Tools], now: float) -> None:
    if run.state == RUN_DONE and run.occasion != CREATED:
        store.deliveries.finish(delivery.id, DONE, now, f"run {run.id} has done this")
    elif run.state == RUN_DONE:
        # Triaged already: what a trigger tells us of it now may still move its clocks.
        _follow_up(delivery, store, tools_for, now, f"run {run.id} has triaged this ticket")
    elif run.state != RUN_RUNNING:
        # A worker is at another run of this ticket: one after the other.
        store.deliveries.postpone(delivery.id, now + TURN_SECONDS, TURN)
    else:
        # Another worker holds the lease: look again when it has run out.
        store.deliveries.not_before(delivery.id, (run.lease_until or now) + 1)


def _attempt(delivery: Delivery, run: Run, attempt: int, store: Store, tools_for: Callable[[str], Tools]) -> bool:
    """Triage and close the delivery, or record what happens next; say whether it was carried out."""
    try:
        carry_out = triage if run.occasion == CREATED else judge_again
        carry_out(run, tools_for(delivery.desk))
    except LeaseLostError:
        logger.warning("delivery %d: run %d was taken over by another worker", delivery.id, run.id)
    except SQLAlchemyError as error:
        if isinstance(error, POISON):
            _after_error(delivery, run, attempt, store, error)
        else:
            # Nothing can be recorded now; the lease runs out and the sweep sends the delivery again.
            logger.error("delivery %d: database failed (%s)", delivery.id, type(error).__name__)
    except Gone as error:
        skip(run, store, str(error))
        store.deliveries.finish(delivery.id, DONE, time.time(), str(error))
    except Exception as error:
        _after_error(delivery, run, attempt, store, error)
    else:
        store.deliveries.finish(delivery.id, DONE, time.time(), f"run {run.id}")
        logger.info("delivery %d: run %d of ticket %s done", delivery.id, run.id, run.ticket_id)
        return True
    return False


def _follow_up(
    delivery: Delivery, store: Store, tools_for: Callable[[str], Tools], now: float, reason: str = "clocks"
) -> None:
    """Bring a ticket's clocks up to date and look for what calls for a later run.

    Only where it is followed, or somebody may have asked, and where it was not read since the delivery came.
    """
    watch = store.clocks.watch(delivery.desk, delivery.ticket_id)
    runs = store.runs.all_of(delivery.desk, delivery.ticket_id)
    # A run may go on from what an attempt before this delivery has read: its end is no reading.
    has_ended = any(run.finished_at and run.finished_at > delivery.received_at for run in runs)
    is_read = watch is not None and watch.looked_at > delivery.received_at + CLOCK_SKEW_SECONDS and not has_ended
    is_ours = watch is not None or _may_be_adopted(delivery, store)
    if is_read or not (is_ours or delivery.occasion == ASK):
        store.deliveries.finish(delivery.id, DONE, now, reason)
        return
    try:
        attempt = store.deliveries.start_attempt(delivery.id, now + LEASE_SECONDS)
    except NoResultFound:
        return
    subject: dict[str, str | int] = {
        "delivery": delivery.id, "desk": delivery.desk, "ticket": delivery.ticket_id,
    }  # fmt: skip
    with about(**subject), span("clocks", **subject):
        _look_after(delivery, attempt, store, tools_for, reason, is_ours=is_ours)


def _look_after(
    delivery: Delivery, attempt: int, store: Store, tools_for: Callable[[str], Tools], reason: str, *, is_ours: bool
) -> None:
    """Read the ticket of `_follow_up` and close the delivery."""
    try:
        tools = tools_for(delivery.desk)
        if tools.desk.mode is not Mode.OFF:
            ticket = tools.connector.look(delivery.ticket_id)
            if is_ours:
                follow(ticket, tools.settings, store, time.time(), edits_notes=tools.connector.edits_notes)
            notice(ticket, tools.settings, store, time.time())
        if _is_in_first_triage(delivery, store):
            store.deliveries.postpone(delivery.id, time.time() + FIRST_SECONDS, FIRST, uncount=True)
        else:
            store.deliveries.finish(delivery.id, DONE, time.time(), reason)
    except Gone as error:
        let_go(delivery.desk, delivery.ticket_id, store, time.time())
        store.deliveries.finish(delivery.id, DONE, time.time(), str(error))
    except Exception as error:
        # The sweep reads the ticket again before anything is done about its clocks, so giving up loses little.
        logger.warning("delivery %d: clocks, attempt %d: %s", delivery.id, attempt, describe(error))
        pause = pause_after(error, attempt)
        if pause is None:
            store.deliveries.finish(delivery.id, DEAD, time.time(), describe(error))
        else:
            is_wait = isinstance(error, Wait)
            store.deliveries.postpone(delivery.id, time.time() + pause, describe(error), uncount=is_wait)


def _is_in_first_triage(delivery: Delivery, store: Store) -> bool:
    """Say whether the first run is not over: until then no message is a later one, and none may be forgotten."""
    runs = store.runs.all_of(delivery.desk, delivery.ticket_id)
    return any(run.occasion == CREATED and run.state in (RUN_WAITING, RUN_RUNNING) for run in runs)


def _may_be_adopted(delivery: Delivery, store: Store) -> bool:
    """Say whether a ticket nobody follows is one of ours: triaged before clocks were kept, or given up unread."""
    run = store.runs.of_ticket(delivery.desk, delivery.ticket_id)
    return run is not None and run.state in ADOPTED


def _after_error(delivery: Delivery, run: Run, attempt: int, store: Store, error: Exception) -> None:
    """Wait, try again later or give up, as the error says."""
    reason = describe(error)
    logger.warning("delivery %d: run %d attempt %d: %s", delivery.id, run.id, attempt, reason)
    if isinstance(error, DeskLocked):
        store.alarms.raise_(delivery.desk, DESK_LOCKED, reason, time.time())
    pause = pause_after(error, attempt)
    if pause is None:
        store.runs.finish(run, RUN_DEAD, time.time(), reason)
        store.deliveries.finish(delivery.id, DEAD, time.time(), reason)
        return
    store.runs.release(run, reason)
    store.deliveries.postpone(delivery.id, time.time() + pause, reason, uncount=isinstance(error, Wait))


def pause_after(error: Exception, attempt: int) -> float | None:
    """Return the seconds until the next attempt, or None when there is to be none."""
    if isinstance(error, Wait):
        return error.seconds
    if isinstance(error, (Stop, Refused, FeatureOff)) and not isinstance(error, DeskLocked):
        return None
    if attempt >= MAX_ATTEMPTS:
        return None
    pause = min(FIRST_PAUSE_SECONDS * 3.0 ** (attempt - 1), LONGEST_PAUSE_SECONDS)
    if isinstance(error, DeskLocked):
        pause = max(pause, LOCKED_PAUSE_SECONDS)
    if isinstance(error, Retry) and error.after:
        pause = max(pause, error.after)
    return _spread(pause)


def _spread(seconds: float) -> float:
    return seconds * random.uniform(1.0, 1.0 + JITTER)  # noqa: S311 - spreads load, guards nothing  # nosec B311


def describe(error: Exception) -> str:
    """Return what an admin may read: our own errors' words; of any other only its kind and place, never its text."""
    if isinstance(error, TandemError):
        return str(error) or type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {frames[-1].filename.rsplit('/', 1)[-1]}:{frames[-1].lineno}" if frames else ""
    return f"unexpected {type(error).__name__}{place}; please report this"
