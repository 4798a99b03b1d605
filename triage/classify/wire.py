"""An HTTP client that cannot be kept waiting or filled up by the endpoint it talks to."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from typing import Any
from urllib.parse import urlsplit

import httpcore2
import httpx2

from triage.settings import LOOPBACK

MAX_ANSWER = 768 * 1024
"""Bytes of one answer; a triage takes 3 KB, with the probabilities of 1,000 tokens and their alternatives 600 KB."""
TOO_SLOW = "answer too slow"
# When the answer to what this thread has asked must be here in full, by `time.monotonic`.
_until: ContextVar[float] = ContextVar("until", default=float("inf"))


class TooLarge(httpx2.TransportError):
    """The answer is larger than any honest one."""


class _Bounded(httpx2.SyncByteStream):
    """Ends a body that is too large."""

    def __init__(self, stream: httpx2.SyncByteStream, most: int) -> None:
        self._stream = stream
        self._most = most

    def __iter__(self) -> Iterator[bytes]:
        received = 0
        for chunk in self._stream:
            received += len(chunk)
            if received > self._most:
                raise TooLarge("answer too large")
            yield chunk

    def close(self) -> None:
        self._stream.close()


class _Line(httpcore2.NetworkStream):
    """A connection on which every read knows how much time is left in all: a head may drip as well as a body."""

    def __init__(self, line: httpcore2.NetworkStream) -> None:
        self._line = line

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        left = _until.get() - time.monotonic()
        if left <= 0:
            raise httpcore2.ReadTimeout(TOO_SLOW)
        return self._line.read(max_bytes, left if timeout is None else min(timeout, left))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._line.write(buffer, timeout)

    def close(self) -> None:
        self._line.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        return _Line(self._line.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        return self._line.get_extra_info(info)


class _Lines(httpcore2.NetworkBackend):
    """Opens connections that end in time."""

    def __init__(self, inner: httpcore2.NetworkBackend) -> None:
        self._inner = inner

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        return _Line(self._inner.connect_tcp(host, port, timeout, local_address, socket_options))


def bounded_client(base_url: str, most: int = MAX_ANSWER) -> httpx2.Client:
    """Return a client for `base_url` that reads at most `most` bytes of an answer.

    The surroundings' proxy is used, except for this machine.
    """

    def bound(response: httpx2.Response) -> None:
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise TooLarge("compressed answer")
        assert isinstance(response.stream, httpx2.SyncByteStream)
        response.stream = _Bounded(response.stream, most)

    local = urlsplit(base_url).hostname in LOOPBACK
    client = httpx2.Client(
        trust_env=not local,
        # A redirect would carry tickets to an address nobody configured.
        follow_redirects=False,
        # A compressed body could unpack to any size.
        headers={"Accept-Encoding": "identity"},
        event_hooks={"request": [_start], "response": [bound]},
    )
    for transport in (client._transport, *client._mounts.values()):
        if transport is not None:
            # There is no public way to set this beside the surroundings' proxies.
            pool = transport._pool  # type: ignore[attr-defined]
            pool._network_backend = _Lines(pool._network_backend)
    return client


def _start(request: httpx2.Request) -> None:
    seconds = request.extensions.get("timeout", {}).get("read") or 0.0
    _until.set(time.monotonic() + seconds)
