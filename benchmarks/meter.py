"""Splits the CPU time of a piece of work among its steps: time belongs to the innermost step that is under way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any
from unittest.mock import patch


class Meter:
    """CPU seconds by step, of the thread that made it; what other threads do is not counted."""

    def __init__(self, rest: str) -> None:
        self.seconds: dict[str, float] = {}
        self._steps = [rest]
        self._since = time.thread_time()
        self._thread = threading.get_ident()

    def _settle(self) -> None:
        now = time.thread_time()
        step = self._steps[-1]
        self.seconds[step] = self.seconds.get(step, 0.0) + now - self._since
        self._since = now

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Count the block as `name`, but for the steps inside of it."""
        self._settle()
        self._steps.append(name)
        try:
            yield
        finally:
            self._settle()
            self._steps.pop()

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count from nothing, this block alone."""
        self.seconds.clear()
        self._since = time.thread_time()
        try:
            yield
        finally:
            self._settle()

    def around(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return `function`, counted as `name`."""

        @wraps(function)
        def counted(*arguments: Any, **named: Any) -> Any:
            if threading.get_ident() != self._thread:
                return function(*arguments, **named)
            with self.step(name):
                return function(*arguments, **named)

        return counted

    @contextmanager
    def watching(self, places: dict[str, str]) -> Iterator[None]:
        """Count the functions named by these dotted paths (path -> step) until the block ends."""
        with ExitStack() as stack:
            for path, name in places.items():
                patcher = patch(path)
                original = getattr(patcher.getter(), patcher.attribute)
                stack.enter_context(patch(path, self.around(name, original)))
            yield
