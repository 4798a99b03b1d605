"""Who works on a backtest: workers that answer the call, and always the command itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from triage.errors import Retry, Wait
from triage.store.backtests import CHUNK, WAITING, Backtest, Progress
from workers.app import impatient_app
from workers.bulk import Bench, is_here, new_owner, ours_and_dead, work_chunk
from workers.names import BACKTEST

HANDS = 4
"""Threads of the command: the built-in classifier lets two or three cores work, a language model is waited for."""
CHUNKS_EACH = 8
"""Chunks under way for each worker that has shown up, so that it keeps most of its 20 threads for new tickets."""
LOOK_SECONDS = 0.5
# When no worker seems to be at it, and when those at it could be more.
ASK_AGAIN_SECONDS, ASK_MORE_SECONDS = 15.0, 3.0
# A message nobody took in time says nothing new: the next one is on its way.
MESSAGE_SECONDS = 60.0
BROKER_SECONDS = 2.0
TRIES = 5
PAUSE_SECONDS = 5.0

Watch = Callable[[Progress, int], None]
"""Told how far it is and how many claims are held by others."""


class Crew:
    """The threads of one command and the workers it asks."""

    def __init__(self, backtest: Backtest, bench: Bench, *, ask_workers: bool) -> None:
        self._backtest = backtest
        self._stop = threading.Event()
        self._bench = replace(bench, stopped=self._stop.is_set)
        self._book = bench.store.backtests
        self._failed: list[Exception] = []
        self._app = impatient_app(BROKER_SECONDS) if ask_workers else None
        self._asked_at = float("-inf")

    def work(self, watch: Watch) -> None:
        """Work until every ticket is over. Raises the error that no trying again has mended."""
        hands = [threading.Thread(target=self._hand, name=f"backtest-{n}", daemon=True) for n in range(HANDS)]
        for hand in hands:
            hand.start()
        try:
            while not self._failed:
                progress = self._book.progress(self._backtest.id, time.time())
                others = [owner for owner in progress.owners if not is_here(owner)]
                if dead := ours_and_dead(others):
                    self._book.release(self._backtest.id, dead)
                watch(progress, len(others) - len(dead))
                if progress.over == progress.wanted:
                    break
                self._ask(progress, others)
                time.sleep(LOOK_SECONDS)
        finally:
            # Also on ctrl-C: what was claimed and not looked at goes back at once.
            self._stop.set()
            for hand in hands:
                hand.join(self._bench.lease_seconds)
        if self._failed:
            raise self._failed[0]
        self._book.finish(self._backtest.id, time.time())

    def _hand(self) -> None:
        tried = 0
        while not self._stop.is_set():
            try:
                claimed = work_chunk(self._backtest, new_owner(), self._bench)
                tried = 0
                # Nothing free: somebody may still give something back.
                self._stop.wait(0 if claimed else LOOK_SECONDS)
            except Wait as wait:
                self._stop.wait(wait.seconds)
            except Retry as fault:
                tried += 1
                if tried == TRIES:
                    self._failed.append(fault)
                    return
                self._stop.wait(fault.after or PAUSE_SECONDS)
            except Exception as error:  # said by the command, which then ends
                self._failed.append(error)
                return

    def _ask(self, progress: Progress, others: list[str]) -> None:
        """Tell workers that there is work; each task asks for the next itself, so only what is missing is sent."""
        now = time.monotonic()
        pause = ASK_MORE_SECONDS if others else ASK_AGAIN_SECONDS
        if self._app is None or now - self._asked_at < pause:
            return
        self._asked_at = now
        workers = {owner.rpartition(":")[0] for owner in others}
        chunks = -(-progress.states.get(WAITING, 0) // CHUNK)
        try:
            for _ in range(min(CHUNKS_EACH * max(1, len(workers)) - len(others), chunks)):
                self._app.send_task(
                    BACKTEST, args=[self._backtest.id], expires=MESSAGE_SECONDS, retry=False, ignore_result=True
                )
        except Exception:  # whatever the broker's client raises: this process goes on alone
            self._app = None
