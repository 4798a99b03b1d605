"""The SLA sweep: looks at the tickets whose clocks have come to a threshold, and does what was decided about them.

Costs what is due, not what is open: clocks and acts are found through an index on the moment they are due, claimed in
batches by pushing that moment ahead, and a ticket in trouble only pushes itself ahead.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import TypeVar

from triage.errors import DeskLocked, Gone, TandemError, Wait
from triage.logs import about
from triage.settings import Mode
from triage.sla import quiet_until
from triage.store.acts import Act
from triage.store.clocks import Due
from triage.store.marks import DESK_LOCKED, EVERY_DESK, SLA_STUCK, SLA_SWEPT
from triage.traces import span
from workers.clocks import let_go
from workers.deliver import LOCKED_PAUSE_SECONDS, describe
from workers.sla_acts import TakenOverError, carry_out, give_up_or_later, look, send_message, unread
from workers.sla_tools import LEASE_SECONDS, SlaTools, View

logger = logging.getLogger(__name__)
BATCH = 100
# Tickets looked at side by side: waiting for a helpdesk is nearly all a ticket costs.
THREADS = 8
# A sweep goes on with the next batch until then; the rest waits for the next tick.
SWEEP_SECONDS = 45.0
# Messages get at least this of it.
MESSAGE_SECONDS = 15.0
# A reading is used for a message as long as this.
FRESH_SECONDS = 30.0
FIRST_PAUSE_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 3600.0
ALARM_AFTER = 3
STUCK = "the SLA clocks of this ticket could not be looked at {count} times in a row; the last time: {reason}"
CHANNEL_DOWN = "the channel did not take another message a moment ago"
OUT_OF_TIME = "the sweep had no time left for it; it is among the first of the next one"
# A beat that comes a moment early is this tick's.
SLACK_SECONDS = 2.0

Row = TypeVar("Row", Due, Act)
Views = dict[tuple[str, str], View]


def sweep_due(tools: SlaTools, now: float) -> bool:
    """Sweep when a tick has passed since the last sweep began; say whether it did."""
    last = tools.store.cursors.get(EVERY_DESK, SLA_SWEPT)
    # A last sweep in the future is one of a clock that was wrong: nobody waits for that.
    if last and 0 <= now - last[1] < tools.settings.sla.tick_seconds - SLACK_SECONDS:
        return False
    tools.store.cursors.set(EVERY_DESK, SLA_SWEPT, "", now)
    sweep(tools, now)
    return True


def sweep(tools: SlaTools, now: float) -> int:
    """Look at every ticket that is due and do every act that is; returns how many tickets were looked at."""
    end = time.monotonic() + SWEEP_SECONDS
    views: Views = {}
    looked = 0
    with ThreadPoolExecutor(THREADS, thread_name_prefix="sla") as threads:
        while time.monotonic() < end:
            due = tools.store.clocks.claim_due(now, BATCH, time.time() + LEASE_SECONDS)
            tickets = _by_ticket(due)
            if due:
                tools.checkpoint("sla_claimed")
            list(threads.map(lambda one: _named(one, lambda: _look(one, tools, views)), tickets))
            looked += len(tickets)
            if len(due) < BATCH:
                break
        while time.monotonic() < end:
            acts = tools.store.acts.claim_due(
                time.time(), BATCH, time.time() + LEASE_SECONDS, messages=False, held=tools.held()
            )
            list(threads.map(lambda one: _named(one, lambda: _act(one, tools)), _by_ticket(acts)))
            if len(acts) < BATCH:
                break
    # However long the tickets took: a warning nobody gets is worth nothing.
    _send_messages(tools, views, max(end, time.monotonic() + MESSAGE_SECONDS))
    if looked:
        logger.info("sla sweep: %d tickets looked at", looked)
    return looked


def _named(rows: Sequence[Due] | Sequence[Act], work: Callable[[], None]) -> None:
    """Do `work` on one ticket, named in its log lines and traced."""
    subject: dict[str, str | int] = {"desk": rows[0].desk, "ticket": rows[0].ticket_id}
    with about(**subject), span("sla", **subject):
        work()


def _look(due: list[Due], tools: SlaTools, views: Views) -> None:
    """Read one ticket again, store how its clocks stand and act; any trouble pushes its clocks ahead."""
    desk, ticket_id, ids = due[0].desk, due[0].ticket_id, [one.id for one in due]
    store, now = tools.store, time.time()
    if desk not in tools.settings.desks or tools.settings.desks[desk].mode is Mode.OFF:
        # Nobody follows these tickets any more; switched on again, their next change brings the clocks back.
        let_go(desk, ticket_id, store, now)
        return
    try:
        view = views[desk, ticket_id] = look(desk, ticket_id, tools)
        tools.checkpoint("sla_decided")
        acts = store.acts.claim_due(
            time.time(),
            BATCH,
            time.time() + LEASE_SECONDS,
            messages=False,
            ticket=(desk, ticket_id),
            held=tools.held(),
        )
        if acts:
            carry_out(acts, tools, view)
    except Gone:
        let_go(desk, ticket_id, store, now)
    except Wait as error:
        store.clocks.push_ahead(ids, now + error.seconds, str(error), count=False)
    except DeskLocked as error:
        store.alarms.raise_(desk, DESK_LOCKED, str(error), now)
        store.clocks.push_ahead(ids, now + LOCKED_PAUSE_SECONDS, str(error), count=False)
    except Exception as error:  # whatever is wrong with this ticket must not hold up the others
        _after_failure(due, error, tools, now)


def _after_failure(due: list[Due], error: Exception, tools: SlaTools, now: float) -> None:
    one, reason = due[0], describe(error)
    failures = max(each.failures for each in due) + 1
    log = logger.warning if isinstance(error, TandemError) else logger.error
    log("clocks: desk=%s ticket=%s failed %d times: %s", one.desk, one.ticket_id, failures, reason)
    pause = min(FIRST_PAUSE_SECONDS * 2.0 ** (failures - 1), LONGEST_PAUSE_SECONDS)
    tools.store.clocks.push_ahead([each.id for each in due], now + pause, reason)
    if failures >= ALARM_AFTER:
        text = STUCK.format(count=failures, reason=reason)
        tools.store.alarms.raise_(one.desk, SLA_STUCK, text, now, one.ticket_id)


def _act(acts: list[Act], tools: SlaTools) -> None:
    try:
        carry_out(acts, tools)
    except Exception as error:  # the claim runs out by itself; the other tickets go on
        logger.error("acts: desk=%s ticket=%s: %s", acts[0].desk, acts[0].ticket_id, describe(error))


def _send_messages(tools: SlaTools, views: Views, end: float) -> None:
    """Send the messages that are due, each channel on its own: a slow one holds up nobody but itself."""
    channels = tools.store.acts.channels_due(time.time())
    if channels:
        with ThreadPoolExecutor(len(channels), thread_name_prefix="channel") as threads:
            list(threads.map(lambda name: _send_channel(name, tools, views, end), channels))


def _send_channel(name: str, tools: SlaTools, views: Views, end: float) -> None:
    """Send what is due on one channel, batch by batch, until nothing is left, time is up or the channel fails."""
    while time.monotonic() < end:
        now = time.time()
        claimed = tools.store.acts.claim_due(
            now, BATCH, now + LEASE_SECONDS, messages=True, channel=name, held=tools.held()
        )
        if not _send_all(claimed, tools, views, end) or len(claimed) < BATCH:
            return


def _send_all(acts: list[Act], tools: SlaTools, views: Views, end: float) -> bool:
    """Send messages of one channel; say whether it works."""
    is_down = False
    for act in acts:
        now = time.time()
        try:
            if is_down:
                tools.store.acts.postpone(act, now + FIRST_PAUSE_SECONDS, CHANNEL_DOWN, uncount=True)
                continue
            if time.monotonic() > end:
                tools.store.acts.postpone(act, now, OUT_OF_TIME, uncount=True)
                continue
            view = views.get((act.desk, act.ticket_id))
            if view is None or now - view.at > FRESH_SECONDS:
                view = _looked_at(act, tools)
                if view is None:
                    continue
            if quiet := quiet_until(tools.settings, view.watch.priority, now):
                tools.store.acts.postpone(act, quiet, "quiet hours", uncount=True)
                continue
            is_down = not _send(act, view, tools)
        except Exception as error:  # one ticket's trouble is not the channel's
            logger.warning("message: desk=%s ticket=%s: %s", act.desk, act.ticket_id, describe(error))
            give_up_or_later(act, error, tools)
    return not is_down


def _looked_at(act: Act, tools: SlaTools) -> View | None:
    """Return the ticket of a message, read again; None where it cannot be, which is not the channel's fault."""
    try:
        return look(act.desk, act.ticket_id, tools)
    except Exception as error:
        unread(act, error, tools)
        return None


def _send(act: Act, view: View, tools: SlaTools) -> bool:
    """Send one message; say whether the channel works."""
    try:
        send_message(act, tools, view)
    except TakenOverError:
        return True
    except TandemError as error:
        give_up_or_later(act, error, tools)
        return False
    return True


def _by_ticket(listed: Iterable[Row]) -> list[list[Row]]:
    ordered = sorted(listed, key=lambda one: (one.desk, one.ticket_id, one.id))
    return [list(group) for _, group in groupby(ordered, key=lambda one: (one.desk, one.ticket_id))]
