"""A line between one process and a server that can be slow, dead, silent or torn, as its users decide."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from pathlib import Path

CHUNK = 65_536
# An end that is closed like this sends a reset, not a goodbye.
RESET = struct.pack("ii", 1, 0)


class Line:
    """Listens on `port` of this machine and passes bytes on to the server at `socket`, a path; changed at any time."""

    latency: float = 0.0
    """Seconds each piece of an answer takes longer."""
    tear_every: int = 0
    """Of so many answers in a row one is torn: half of it comes, and then a reset. None where it is 0."""

    def __init__(self, server: Path) -> None:
        self._server = server
        self._answers = 0
        self._open: set[asyncio.StreamWriter] = set()
        self._is_cut = False
        self.torn = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="line", daemon=True)
        self._thread.start()
        self._passing = asyncio.Event()
        self._passing.set()
        self._listener: asyncio.Server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(5)
        self.port: int = self._listener.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """Reset every connection, and refuse new ones."""
        self._is_cut = True
        self._loop.call_soon_threadsafe(self._reset_all)

    def hang(self) -> None:
        """Take everything and pass nothing on."""
        self._loop.call_soon_threadsafe(self._passing.clear)

    def mend(self) -> None:
        """Be an honest line again."""
        self.latency = 0.0
        self.tear_every = 0
        self._is_cut = False
        self._loop.call_soon_threadsafe(self._passing.set)

    def close(self) -> None:
        """Stop listening."""
        self.cut()
        self._loop.call_soon_threadsafe(self._listener.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            _reset(writer)
            return
        try:
            there, back = await asyncio.open_unix_connection(str(self._server))
        except OSError:
            _reset(writer)
            return
        self._open |= {writer, back}
        await asyncio.gather(self._pass(reader, back, is_answer=False), self._pass(there, writer, is_answer=True))
        self._open -= {writer, back}

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_answer: bool) -> None:
        try:
            while data := await reader.read(CHUNK):
                await self._passing.wait()
                if is_answer and self.latency:
                    await asyncio.sleep(self.latency)
                if is_answer and self._tears():
                    self.torn += 1
                    writer.write(data[: len(data) // 2])
                    await writer.drain()
                    _reset(writer)
                    return
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    def _tears(self) -> bool:
        self._answers += 1
        return bool(self.tear_every) and self._answers % self.tear_every == 0

    def _reset_all(self) -> None:
        for writer in self._open:
            _reset(writer)


def _reset(writer: asyncio.StreamWriter) -> None:
    sock: socket.socket | None = writer.get_extra_info("socket")
    if sock is not None and sock.family == socket.AF_INET:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    writer.transport.abort()
