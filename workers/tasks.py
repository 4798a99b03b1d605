"""The Celery tasks: two-line wrappers over plain functions. Arguments are ids.

Not shared: they are this application's alone, and not every Celery application's of the process.
"""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from functools import cache
from typing import Any

from celery.signals import setup_logging, worker_init, worker_ready
from sqlalchemy.exc import SQLAlchemyError

from triage.crash import crash_here
from triage.environment import read_environment, variables
from triage.errors import TandemError
from triage.logs import configure_logging
from triage.store.marks import EVERY_DESK, WORKER
from triage.store.undone import Choice
from triage.traces import set_up_traces
from workers import names
from workers.app import app
from workers.bulk import go_on
from workers.calibrate import calibrate_due
from workers.connect_task import carry_out
from workers.deliver import deliver
from workers.desk_sweep import check_due
from workers.foresight import refresh
from workers.knowledge import sync_due
from workers.runtime import Runtime
from workers.sla_sweep import sweep_due
from workers.sweep import forget, reconcile_due, remember_bot, requeue, spread
from workers.undo import undo_some

logger = logging.getLogger(__name__)


@cache
def runtime() -> Runtime:
    """Return this process's runtime."""
    return Runtime.from_environment()


@setup_logging.connect
def set_up_logging(**_: Any) -> None:
    """Log as every other process does; Celery sets nothing up when this is connected."""
    environment = read_environment()
    configure_logging(environment.log_level, environment.log_format)


@worker_ready.connect
def say_ready(**_: Any) -> None:
    """Leave word that a worker takes tickets now."""
    runtime().live.begin()
    runtime().store.cursors.set(EVERY_DESK, WORKER, runtime().leases.owner, time.time())


@worker_init.connect
def prepare(**_: Any) -> None:
    """Load the model and learn who we are before the first ticket; a bad setting stops the start here."""
    set_up_traces("tandem-worker", variables())
    here = runtime()
    # Naming it builds it, which loads and fits everything.
    logger.info("classifier: %s", here.classifier.name)
    today = datetime.now(UTC).date()
    for name, desk in here.settings.desks.items():
        if (days := desk.token_days_left(today)) is not None:
            logger.warning("desk %s: its API token stops working in %d days; use an OAuth client", name, days)
        try:
            remember_bot(name, here.connector(name), here.store, time.time())
        except (TandemError, SQLAlchemyError) as error:
            # Not fatal: a helpdesk that is away now is asked again by the next reconciliation.
            logger.warning("desk %s does not answer: %s", name, error if isinstance(error, TandemError) else "database")


@app.task(name=names.TRIAGE, shared=False)
def triage_delivery(delivery_id: int) -> None:
    """Carry one delivery as far as it goes now."""
    crash_here("before_claim")
    deliver(delivery_id, runtime().store, runtime().leases, runtime().tools, runtime().live.check)
    crash_here("before_ack")


@app.task(name=names.HAND_ON, shared=False)
def hand_on(delivery_ids: list[int]) -> None:
    """Give several deliveries that came together a message each, so that every thread of every worker takes some."""
    spread(delivery_ids, runtime().store, send, time.time())


@app.task(name=names.REQUEUE, shared=False)
def requeue_due() -> None:
    """Wake the deliveries that are due."""
    here = runtime()
    # Nobody else may ask for a while: a broken settings file is to be told at once.
    here.live.settings()
    requeue(here.store, send, time.time(), here.live.held())


@app.task(name=names.RECONCILE, shared=False)
def reconcile_desks() -> None:
    """Find the tickets whose webhook never came."""
    reconcile_due(runtime().settings, runtime().store, runtime().connector, time.time())
    runtime().remember_headroom(time.time())


@app.task(name=names.SLA, shared=False)
def sweep_clocks() -> None:
    """Look at the SLA clocks that are due, once a tick."""
    sweep_due(runtime().sla, time.time())


@app.task(name=names.FORESIGHT, shared=False)
def look_ahead() -> None:
    """Count attainment and learn how fast the teams answer."""
    refresh(runtime().settings, runtime().store, time.time())


@app.task(name=names.RETENTION, shared=False)
def retention() -> None:
    """Forget what is older than the retention allows."""
    forget(runtime().settings, runtime().store, time.time())


@app.task(name=names.KNOWLEDGE, shared=False)
def sync_knowledge() -> None:
    """Keep help centre, files and solved tickets in step with the index."""
    sync_due(runtime().settings, runtime().store, runtime().room, time.time())


@app.task(name=names.HEALTH, shared=False)
def check_desks() -> None:
    """Look how the desks stand: credential, webhook, rate limit, knowledge."""
    check_due(runtime(), time.time())


@app.task(name=names.CALIBRATE, shared=False)
def calibrate_desks() -> None:
    """Fit probabilities anew from what agents did."""
    calibrate_due(runtime().settings.desks, runtime().store, time.time())


@app.task(name=names.BACKTEST, shared=False)
def backtest_chunk(backtest_id: int) -> None:
    """Look at a few tickets of a backtest."""
    go_on(backtest_id, runtime(), send_bulk)


@app.task(name=names.SETUP, shared=False)
def set_up(desk: str, step: str) -> None:
    """Carry out one step of connecting a desk for the console."""
    here = runtime()
    carry_out(desk, step, here.environment, here.store)


@app.task(name=names.UNDO, shared=False)
def undo_chunk(actor: str, choice: dict[str, Any], after: list[str]) -> None:
    """Take back what Tandem has written on a few tickets, then ask for the next ones."""
    here = runtime()
    batch = undo_some(Choice(**choice), here.store, cache(here.unguarded), actor, (after[0], after[1]))
    if batch.after is not None:
        again = [actor, choice, list(batch.after)]
        app.send_task(names.UNDO, args=again, countdown=batch.pause, ignore_result=True)


def send_bulk(backtest_id: int, pause: float) -> bool:
    """Ask for another chunk after `pause` seconds; False when the broker is away."""
    try:
        app.send_task(names.BACKTEST, args=[backtest_id], countdown=pause, retry=False, ignore_result=True)
    except Exception as error:  # as below; the command that began it sends again
        logger.warning("backtest %d not sent (%s)", backtest_id, type(error).__name__)
        return False
    return True


def send(delivery_id: int) -> bool:
    """Send one delivery's wake-up; False when the broker is away."""
    try:
        app.send_task(names.TRIAGE, args=[delivery_id], retry=False, ignore_result=True)
    except Exception as error:  # any broker's client may raise its own; the sweep comes round again
        logger.warning("delivery %d not sent (%s)", delivery_id, type(error).__name__)
        return False
    return True
