"""Pipe: a stream that counts, hashes, and tells an end from a reset, whoever made the stream."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod


class StreamBroken(Exception):
    """The stream ended otherwise than cleanly."""


class Pipe(ABC):
    """What the scripts of this folder read from and write to.

    Attributes:
        sent: bytes that the implementation has taken over.
        received: bytes that it has given.
        was_reset: whether the script reset it.
    """

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._unread = b""
        self.sent = 0
        self.received = 0
        self.was_reset = False

    async def read(self) -> bytes:
        """The next bytes, or empty at the clean end; raises `StreamBroken` after any other."""
        if self._unread:
            data, self._unread = self._unread, b""
            return data
        data = await self._receive()
        self._hash.update(data)
        self.received += len(data)
        return data

    async def read_exactly(self, count: int) -> bytes:
        """That many bytes; what came behind them is read next."""
        data = b""
        while len(data) < count:
            more = await self.read()
            if not more:
                raise StreamBroken(f"ended {count - len(data)} bytes early")
            data += more
        self._unread = data[count:]
        return data[:count]

    async def write(self, data: bytes) -> None:
        """Send all of it, held back by the reader; raises `StreamBroken`."""
        await self._send(data)
        self.sent += len(data)

    async def close_write(self) -> None:
        """End the writing half cleanly."""
        await self._send_end()

    async def reset(self) -> None:
        """End both halves at once."""
        self.was_reset = True
        await self._send_reset()

    def digest(self) -> str:
        """SHA-256 of all that was received."""
        return self._hash.hexdigest()

    @abstractmethod
    async def _receive(self) -> bytes: ...

    @abstractmethod
    async def _send(self, data: bytes) -> None: ...

    @abstractmethod
    async def _send_end(self) -> None: ...

    @abstractmethod
    async def _send_reset(self) -> None: ...
