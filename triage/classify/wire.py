"""An HTTP client that cannot be kept waiting or filled up by the endpoint it talks to."""

from __future__ import annotations

import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx2

from triage.settings import LOOPBACK

MAX_ANSWER = 768 * 1024
"""Bytes of one answer; a triage takes 3 KB, with the probabilities of 1,000 tokens and their alternatives 600 KB."""
DEADLINE = "tandem_deadline"


class TooLarge(httpx2.TransportError):
    """The answer is larger than any honest one."""


class _Bounded(httpx2.SyncByteStream):
    """Ends a body that is too large or drips for longer than the call may take."""

    def __init__(self, stream: httpx2.SyncByteStream, deadline: float, most: int) -> None:
        self._stream = stream
        self._deadline = deadline
        self._most = most

    def __iter__(self) -> Iterator[bytes]:
        received = 0
        for chunk in self._stream:
            received += len(chunk)
            if received > self._most:
                raise TooLarge("answer too large")
            if time.monotonic() > self._deadline:
                raise httpx2.ReadTimeout("answer too slow")
            yield chunk

    def close(self) -> None:
        self._stream.close()


def bounded_client(base_url: str, most: int = MAX_ANSWER) -> httpx2.Client:
    """Return a client for `base_url` that reads at most `most` bytes of an answer.

    The surroundings' proxy is used, except for this machine.
    """

    def bound(response: httpx2.Response) -> None:
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise TooLarge("compressed answer")
        assert isinstance(response.stream, httpx2.SyncByteStream)
        response.stream = _Bounded(response.stream, response.request.extensions[DEADLINE], most)

    local = urlsplit(base_url).hostname in LOOPBACK
    return httpx2.Client(
        trust_env=not local,
        # A redirect would carry tickets to an address nobody configured.
        follow_redirects=False,
        # A compressed body could unpack to any size.
        headers={"Accept-Encoding": "identity"},
        event_hooks={"request": [_start], "response": [bound]},
    )


def _start(request: httpx2.Request) -> None:
    seconds = request.extensions.get("timeout", {}).get("read") or 0.0
    request.extensions[DEADLINE] = time.monotonic() + seconds
