"""SocketPipe: a connected socket as a byte stream, tried first and waited for only when it must be.

anyio's own socket stream pauses and resumes asyncio's transport at every read, and reads at most
256 KiB; with bulk data that was a third of a receiver's time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

import anyio
from anyio.lowlevel import checkpoint

from peerloom._links import MOST_READ_BYTES, LedPipe

from ._readiness import readiness_of

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable

LEAST_READ_BYTES: Final = 16 * 1024  # an idle connection shall not cost a large buffer
SMALL_READ_BYTES: Final = 2 * 1024  # behind one message nothing more is to be expected


class SocketPipe(LedPipe):
    """Owns a connected, non-blocking stream socket.

    One task may read and one may write at a time. Reads ask for more when they come back full,
    and for less when they come back nearly empty, so that small messages cost small buffers.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._readiness = readiness_of(sock, self._read)
        self._read_bytes = LEAST_READ_BYTES
        self._held = b""  # what was read and nobody has taken yet
        self._ended = False
        self._failure: OSError | None = None
        self._drained = False
        self._interrupted = False
        self._closed = False

    @property
    def may_be_led(self) -> bool:
        """See `LedPipe`."""
        return self._drained and self._readiness.leads and not self._ended

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Up to `max_bytes` bytes; raises `anyio.EndOfStream` at the end."""
        if self._drained and not (self._held or self._interrupted):
            await self._readable()
        else:
            await checkpoint()
        while not self._interrupted:
            if data := self.receive_now(max_bytes):
                return data
            if self._ended:
                self._raise_end()
            await self._readable()
        self._interrupted = False
        return b""

    def receive_now(self, max_bytes: int) -> bytes:
        """See `LedPipe`."""
        if not self._held:
            self._read()
        data, self._held = self._held[:max_bytes], self._held[max_bytes:]
        return data

    def lead(self) -> Awaitable[None]:
        """See `LedPipe`."""
        return self._readiness.lead()

    def interrupt(self) -> None:
        """See `LedPipe`."""
        self._interrupted = True
        self._readiness.interrupt()

    async def send(self, item: bytes | bytearray | memoryview) -> None:
        """Hand all of it to the system, waiting only while its buffer is full.

        It is no checkpoint otherwise: whoever writes waits for what there is to write.
        """
        left = memoryview(item)
        while left:
            try:
                left = left[self._socket.send(left) :]
            except (BlockingIOError, InterruptedError):
                await self._writable()
            except OSError as error:
                raise self._broken() from error

    def send_now(self, data: bytes | bytearray | memoryview) -> int:
        """Hand the system what it takes at once; a failure is left to the next `send`."""
        try:
            return self._socket.send(data)
        except OSError:
            return 0

    async def send_eof(self) -> None:
        """End the writing half."""
        await checkpoint()
        try:
            self._socket.shutdown(1)
        except OSError as error:
            raise self._broken() from error

    async def aclose(self) -> None:
        """Close it; whoever waits on it gets `anyio.ClosedResourceError`."""
        if not self._closed:
            self._closed = True
            self._readiness.close()
            anyio.notify_closing(self._socket)
            self._socket.close()
        await checkpoint()

    def _readable(self) -> Awaitable[None]:
        if self._closed:
            raise anyio.ClosedResourceError
        return self._readiness.wait()

    async def _writable(self) -> None:
        try:
            await anyio.wait_writable(self._socket)
        except anyio.ClosedResourceError:  # or woken by `interrupt`
            if self._closed:
                raise

    def _read(self) -> None:
        if self._held or self._ended:
            return
        try:
            self._held = self._socket.recv(self._read_bytes)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._ended = True
            self._failure = error.with_traceback(None)  # whose frame holds this pipe
            return
        self._ended = not self._held
        self._adapt(len(self._held))

    def _raise_end(self) -> NoReturn:
        if self._failure is not None:
            raise self._broken() from self._failure
        raise anyio.EndOfStream

    def _adapt(self, received: int) -> None:
        self._drained = 0 < received <= SMALL_READ_BYTES
        if received == self._read_bytes:
            self._read_bytes = min(2 * received, MOST_READ_BYTES)
        elif received < self._read_bytes // 8:
            self._read_bytes = max(self._read_bytes // 2, LEAST_READ_BYTES)

    def _broken(self) -> Exception:
        return anyio.ClosedResourceError() if self._closed else anyio.BrokenResourceError()
