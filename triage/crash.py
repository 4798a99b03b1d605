"""Lets a process die or stand still at a named step, for the tests of what that leaves behind. Off unless asked for."""

from __future__ import annotations

import logging
import os
import signal
import threading

logger = logging.getLogger(__name__)
CRASH_VARIABLE = "TANDEM_CRASH_AT"
STOP_VARIABLE = "TANDEM_STOP_AT"
_stopped = threading.Lock()


def crash_here(step: str) -> None:
    """End this process as by kill -9 where CRASH_VARIABLE names `step`; pause it, once, where STOP_VARIABLE does."""
    if os.environ.get(CRASH_VARIABLE) == step:
        logger.critical("ending at %s as %s asks", step, CRASH_VARIABLE)
        os.kill(os.getpid(), signal.SIGKILL)
    if os.environ.get(STOP_VARIABLE) == step and _stopped.acquire(blocking=False):
        logger.critical("standing still at %s as %s asks", step, STOP_VARIABLE)
        os.kill(os.getpid(), signal.SIGSTOP)
