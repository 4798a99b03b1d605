"""Connections on which an answer ends when its time is up, however slowly it arrives.

A time-out of `requests` counts the silence between two bytes: a server that sends a byte each second, in the head or in
the length of a chunk, could hold a thread for hours. Here every single read knows how much time is left in all.
"""

from __future__ import annotations

import io
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

TOO_LATE = "the time for the whole answer is up"
_until: ContextVar[float] = ContextVar("until", default=float("inf"))


@contextmanager
def until(moment: float) -> Iterator[None]:
    """End the answers to what this thread asks in the block at `moment`, by `time.monotonic`."""
    token = _until.set(moment)
    try:
        yield
    finally:
        _until.reset(token)


class _Timed(io.RawIOBase):
    """Reads a socket with the time that is left."""

    def __init__(self, raw: io.RawIOBase, line: socket.socket, moment: float) -> None:
        self._raw, self._line, self._moment = raw, line, moment
        self._silence = line.gettimeout()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer, /) -> int | None:
        left = self._moment - time.monotonic()
        if left <= 0:
            raise TimeoutError(TOO_LATE)
        if self._silence is None or left < self._silence:
            self._line.settimeout(left)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Answer(HTTPResponse):
    def __init__(self, line: socket.socket, *args: Any, **more: Any) -> None:
        super().__init__(line, *args, **more)
        assert isinstance(self.fp, io.BufferedReader)
        self.fp = io.BufferedReader(_Timed(self.fp.detach(), line, _until.get()))


class _Plain(HTTPConnection):
    response_class = _Answer


class _Secure(HTTPSConnection):
    response_class = _Answer


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _Secure


class DeadlineAdapter(HTTPAdapter):
    """What a `requests` session is mounted with, so that `until` counts."""

    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        super().init_poolmanager(*args, **more)
        self._set(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **more: Any) -> Any:
        manager = super().proxy_manager_for(*args, **more)
        self._set(manager)
        return manager

    def _set(self, manager: Any) -> None:
        manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}
