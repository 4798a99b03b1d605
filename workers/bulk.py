"""Backtests in chunks: by any worker, and by the command itself. Reads the helpdesk and has no way to write to it."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from connectors.base import Connector, History, Past
from triage.backtest.replay import NO_CUSTOMER, as_new, kept
from triage.classify.base import Classifier, learned_from
from triage.classify.batch import ticket_from_row
from triage.errors import TandemError, Wait
from triage.people import first_words
from triage.store import Store
from triage.store.backtests import DONE, Backtest, Todo
from triage.ticket import Ticket
from workers.runtime import Runtime

logger = logging.getLogger(__name__)
MAX_ATTEMPTS = 4
LEAST_LEASE_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 60.0
# New tickets never wait longer behind a chunk, and the broker never takes its message for lost.
CHUNK_SECONDS = 60.0
NOT_TO_BE_HAD = "the helpdesk does not show it any more"
POISON = f"{MAX_ATTEMPTS} attempts to look at it ended without a word"
UNEXPECTED = "unexpected {kind} while it was looked at; please report this"

Send = Callable[[int, float], object]
"""Ask for another chunk of a backtest, not before so many seconds."""


class ReadOnly:
    """A connector's two ways of reading the past, and nothing else: whoever holds this cannot write."""

    def __init__(self, connector: Connector) -> None:
        # As functions: the connector itself, with its writes, is not kept.
        self.history: Callable[[str, datetime], History] = connector.history
        self.past: Callable[[Sequence[str]], tuple[Past, ...]] = connector.past


@dataclass(frozen=True)
class Shown:
    """A ticket as it was when new (None where no customer spoke first), and the same as `learn` reads it."""

    new: Ticket | None
    learned: Ticket


@dataclass(frozen=True)
class Bench:
    """What looking at tickets needs."""

    store: Store
    classifier: Classifier
    show: Callable[[Sequence[Todo]], Mapping[str, Shown]]
    """Return the tickets that are to be had, by id."""
    lease_seconds: float = LEAST_LEASE_SECONDS
    stopped: Callable[[], bool] = lambda: False
    """Asked after each ticket; the rest of the chunk then goes back."""


def bench_of(runtime: Runtime, desk: str, show: Callable[[Sequence[Todo]], Mapping[str, Shown]]) -> Bench:
    """Return the bench of this process for `desk`."""
    # A model may be asked twice for one ticket, and each time take as long as it is allowed to.
    lease = LEAST_LEASE_SECONDS + 2 * runtime.settings.llm.timeout_seconds
    return Bench(runtime.store, runtime.classifier_of(desk), show, lease)


def reader(helpdesk: ReadOnly) -> Callable[[Sequence[Todo]], Mapping[str, Shown]]:
    """Return what shows a desk's closed tickets as they were when new."""

    def show(todo: Sequence[Todo]) -> Mapping[str, Shown]:
        earlier = {one.ticket_id: one.earlier for one in todo}
        found = [past.ticket for past in helpdesk.past([one.ticket_id for one in todo])]
        return {
            ticket.id: Shown(
                as_new(ticket, earlier[ticket.id]),
                ticket_from_row({"id": ticket.id, "subject": ticket.subject, "body": first_words(ticket)}),
            )
            for ticket in found
            if ticket.id in earlier
        }

    return show


def work_chunk(backtest: Backtest, owner: str, bench: Bench) -> int:
    """Look at one chunk of tickets; return how many were claimed, 0 where none is free. What fails goes back."""
    book, now = bench.store.backtests, time.time()
    todo = book.claim(backtest.id, owner, now, now + bench.lease_seconds)
    if not todo:
        return 0
    try:
        shown = bench.show(todo)
        for place, one in enumerate(todo):
            # One ticket at least: a slow helpdesk must not keep a chunk going round for ever.
            if place and bench.stopped():
                break
            _look(backtest.id, one, shown.get(one.ticket_id), owner, bench)
            book.renew(backtest.id, owner, time.time() + bench.lease_seconds)
    finally:
        book.release(backtest.id, [owner])
    return len(todo)


def _look(backtest_id: int, todo: Todo, shown: Shown | None, owner: str, bench: Bench) -> None:
    book = bench.store.backtests
    reason = ""
    if shown is None:
        reason = NOT_TO_BE_HAD
    elif shown.new is None:
        reason = NO_CUSTOMER
    elif todo.attempts > MAX_ATTEMPTS:
        reason = POISON
    if reason or shown is None or shown.new is None:
        book.finish_ticket(backtest_id, todo.ticket_id, owner, time.time(), reason=reason)
        return
    try:
        answer = bench.classifier.classify(shown.new)
        # By either reading of the text: what `learn` read had been through a row of its own.
        seen = {name for each in (shown.new, shown.learned) for name in learned_from(bench.classifier, each)}
    except Exception as error:  # one ticket nobody foresaw must not end a night's work
        logger.error("backtest %d, ticket %s: %s", backtest_id, todo.ticket_id, type(error).__name__)
        reason = UNEXPECTED.format(kind=type(error).__name__)
        book.finish_ticket(backtest_id, todo.ticket_id, owner, time.time(), reason=reason)
        return
    book.finish_ticket(
        backtest_id,
        todo.ticket_id,
        owner,
        time.time(),
        answer=kept(answer),
        seen=sorted(seen),
        cost_usd=answer.cost_usd,
    )


def go_on(backtest_id: int, runtime: Runtime, send: Send) -> None:
    """Do one chunk in a worker and ask for the next: so many chunks are under way as were asked for at first."""
    backtest = runtime.store.backtests.get(backtest_id)
    if backtest is None or backtest.state == DONE:
        return
    if backtest.policy != runtime.policy_of(backtest.desk):
        logger.warning("backtest %d: this worker runs another policy; restart it to let it help", backtest_id)
        return
    try:
        bench = bench_of(runtime, backtest.desk, reader(ReadOnly(runtime.connector(backtest.desk))))
        until = time.monotonic() + CHUNK_SECONDS
        if work_chunk(backtest, new_owner(), replace(bench, stopped=lambda: time.monotonic() > until)):
            send(backtest_id, 0.0)
    except Wait as wait:
        send(backtest_id, min(wait.seconds, LONGEST_PAUSE_SECONDS))
    except TandemError as error:
        # The command that began it sees that nothing moves, and says why.
        logger.warning("backtest %d: %s", backtest_id, error)


def new_owner() -> str:
    """Return the owner of one claim: machine, process, and a word of its own."""
    return f"{_here()}{secrets.token_hex(4)}"


def ours_and_dead(owners: Iterable[str]) -> list[str]:
    """Return those of `owners` whose process on this machine has ended: their claims need not run out."""
    host = f"{socket.gethostname()[:40]}:"
    return [one for one in owners if one.startswith(host) and not _alive(one.removeprefix(host).split(":")[0])]


def is_here(owner: str) -> bool:
    """Say whether `owner` is this very process."""
    return owner.startswith(_here())


def _here() -> str:
    return f"{socket.gethostname()[:40]}:{os.getpid()}:"


def _alive(process_id: str) -> bool:
    try:
        os.kill(int(process_id), 0)
    except ProcessLookupError:
        return False
    except (PermissionError, ValueError):
        return True
    return True
