"""What beat starts: wake deliveries whose time has come, find tickets whose webhook never came, forget old bodies."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Collection, Sequence
from functools import partial

from connectors.base import Changed, Connector
from triage.errors import DeskLocked, FeatureOff, TandemError
from triage.settings import Settings
from triage.store import Store
from triage.store.deliveries import UNQUEUED_SECONDS
from triage.store.marks import BEAT, BOT, CATCH_UP_OFF, DESK_LOCKED, EVERY_DESK, POLL, POLLED
from triage.ticket import Status
from workers.asking import close_questions
from workers.clocks import tell_clocks
from workers.customers import keep_up
from workers.knowledge import forget_reopened
from workers.later import hear_asks
from workers.outcomes import observe

logger = logging.getLogger(__name__)
REQUEUE_LIMIT = 500
# Told of a desk's name and a page of its changed tickets.
Observer = Callable[[str, Sequence[Changed]], None]
# The catch-up list is read at most this far in one go; the next tick goes on.
MAX_PAGES = 20
CAUGHT_UP_STATUSES = {Status.NEW, Status.OPEN, Status.PENDING, Status.HOLD, Status.UNKNOWN}
DAY_SECONDS = 86_400
NO_CATCH_UP = "tickets whose webhook is lost are not found: the bot may not list changed tickets ({})"
# Helpdesks cut their times to whole seconds and their clocks are not ours.
SLACK_SECONDS = 60.0


def requeue(store: Store, send: Callable[[int], bool], now: float, held: Collection[str] = ()) -> int:
    """Send a wake-up for every delivery that is due, but for those of `held` desks; returns how many."""
    store.cursors.set(EVERY_DESK, BEAT, "alive", now)
    sent = spread(store.deliveries.claim_due(now, REQUEUE_LIMIT, held), store, send, now)
    if sent:
        logger.info("requeued %d deliveries", sent)
    return sent


def spread(ids: Sequence[int], store: Store, send: Callable[[int], bool], now: float) -> int:
    """Send a wake-up for each of these deliveries; returns how many. The sweep sends the rest soon."""
    for place, delivery_id in enumerate(ids):
        if not send(delivery_id):
            # The broker is away: soon again, and not as if they had been sent.
            store.deliveries.give_back(ids[place:], now + UNQUEUED_SECONDS)
            return place
    return len(ids)


def reconcile(name: str, connector: Connector, store: Store, now: float, observers: Sequence[Observer] = ()) -> int:
    """Put tickets that nobody told us about into the inbox; returns how many. `observers` look at every page too.

    The first call looks a minute back: tickets from before the desk was connected are left alone.
    """
    state = _poll_state(store, name)
    if state is None:
        state = str(int(now - SLACK_SECONDS)), now - SLACK_SECONDS
        store.customers.broken(name, now)
        # Before the look: one that is cut off must not move the beginning.
        _save_poll_state(store, name, *state, now)
    cursor, since = state
    found = 0
    for _ in range(MAX_PAGES):
        changes = connector.changes(cursor)
        found += _take_in(name, [t for t in changes.tickets if _is_new(t, since)], store, now)
        _show(observers, name, changes.tickets)
        keep_up(store, name, changes.tickets, now)
        cursor = changes.cursor
        _save_poll_state(store, name, cursor, since, now)
        if not changes.more:
            store.customers.followed(name, now)
            break
    if found:
        logger.info("reconcile: desk=%s found %d tickets without a webhook", name, found)
    return found


def reconcile_due(settings: Settings, store: Store, open_: Callable[[str], Connector], now: float) -> None:
    """Reconcile each desk whose interval has passed; one desk's trouble does not hold up the others."""
    # Who looks at every changed ticket, without a call of their own.
    observers = (
        partial(observe, settings, store),
        partial(tell_clocks, store),
        partial(hear_asks, settings, store),
        partial(forget_reopened, store),
        partial(close_questions, store),
    )
    for name, desk in settings.desks.items():
        last = store.cursors.get(name, POLLED)
        if last and now - last[1] < desk.reconcile_every * 60 - 1:
            continue
        # Before the try, so that a desk in trouble is not asked at every tick.
        store.cursors.set(name, POLLED, "", now)
        try:
            remember_bot(name, open_(name), store, now)
            reconcile(name, open_(name), store, now, observers)
            for kind in (DESK_LOCKED, CATCH_UP_OFF):
                store.alarms.clear(name, kind)
        except DeskLocked as error:
            store.alarms.raise_(name, DESK_LOCKED, str(error), now)
        except FeatureOff as error:
            store.alarms.raise_(name, CATCH_UP_OFF, NO_CATCH_UP.format(error), now)
        except TandemError as error:
            logger.warning("reconcile: desk=%s: %s", name, error)
        except Exception as error:  # a helpdesk's answer nobody foresaw is that desk's trouble alone
            logger.error("reconcile: desk=%s: unexpected %s", name, type(error).__name__)


def remember_bot(name: str, connector: Connector, store: Store, now: float) -> None:
    """Write down who we are on desk `name`, once a day: the web process tells our own changes by it."""
    known = store.cursors.get(name, BOT)
    if known is None or now - known[1] > DAY_SECONDS:
        store.cursors.set(name, BOT, connector.account().user_id, now)


def forget(settings: Settings, store: Store, now: float) -> int:
    """Drop what is older than the retention allows; returns how many rows it was, or were emptied."""
    dropped = 0
    kept = settings.retention
    while some := store.deliveries.drop_bodies(now - kept.delivery_bodies * DAY_SECONDS):
        dropped += some
    while some := store.runs.drop_details(now - kept.run_details * DAY_SECONDS):
        dropped += some
    while some := store.exchanges.drop(now - kept.run_details * DAY_SECONDS):
        dropped += some
    while some := store.outcomes.drop_probabilities(now - kept.run_details * DAY_SECONDS):
        dropped += some
    while some := store.feedback.drop_reasons(now - kept.run_details * DAY_SECONDS):
        dropped += some
    while some := store.questions.drop_texts(now - kept.run_details * DAY_SECONDS):
        dropped += some
    while some := store.clocks.drop(now - kept.run_details * DAY_SECONDS):
        dropped += some
    dropped += store.answered.drop(now)
    dropped += store.customers.drop(now)
    dropped += store.backtests.drop(now - kept.run_details * DAY_SECONDS)
    return dropped + store.retention.apply(kept, now)


def _show(observers: Sequence[Observer], name: str, tickets: Sequence[Changed]) -> None:
    for observer in observers:
        try:
            observer(name, tickets)
        except Exception as error:  # finding lost tickets goes on whatever an observer trips over
            logger.error("reconcile: desk=%s: an observer failed (%s)", name, type(error).__name__)


def _is_new(ticket: Changed, since: float) -> bool:
    return ticket.created_at.timestamp() >= since and ticket.status in CAUGHT_UP_STATUSES


def _take_in(name: str, tickets: list[Changed], store: Store, now: float) -> int:
    ids = [ticket.ticket_id for ticket in tickets]
    # A desk that is held has told tickets, and no runs of them yet.
    known = store.runs.known(name, ids) | store.deliveries.told(name, ids)
    taken = 0
    for ticket in tickets:
        if ticket.ticket_id in known:
            continue
        received = store.deliveries.receive(
            name, f"poll:{ticket.ticket_id}", ticket_id=ticket.ticket_id, event="reconcile", body=b"", now=now
        )
        taken += received.is_new
    return taken


def _poll_state(store: Store, name: str) -> tuple[str, float] | None:
    saved = store.cursors.get(name, POLL)
    if saved is None:
        return None
    state = json.loads(saved[0])
    return state["cursor"], state["since"]


def _save_poll_state(store: Store, name: str, cursor: str, since: float, now: float) -> None:
    store.cursors.set(name, POLL, json.dumps({"cursor": cursor, "since": since}), now)
