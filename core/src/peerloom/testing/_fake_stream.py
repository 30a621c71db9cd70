"""Streams between a fake swarm and the peers that it knows: two ends in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio
import anyio.lowlevel

from peerloom._errors import StreamReset
from peerloom._links import MuxedStream

if TYPE_CHECKING:
    from peerloom._errors import PeerloomError

WINDOW_BYTES: Final = 256 * 1024  # yamux's first window: a reader that is slow holds its sender


class _Direction:
    """Bytes on their way from one end to the other.

    Attributes:
        bytes: what has been sent and not been read.
        ended: whether no more will be sent.
        unheard: whether no more will be read.
    """

    def __init__(self) -> None:
        self.bytes = bytearray()
        self.ended = False
        self.unheard = False
        self._changed = anyio.Event()

    def notify(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    async def change(self) -> None:
        await self._changed.wait()


class _Pair:
    """What the two ends have in common.

    Attributes:
        reset: why it was reset, or None.
    """

    def __init__(self) -> None:
        self.directions = (_Direction(), _Direction())
        self.reset: str | None = None

    def end(self, cause: str) -> None:
        if self.reset is None:
            self.reset = cause
            for direction in self.directions:
                direction.bytes.clear()
                direction.notify()


class FakeMuxedStream(MuxedStream):
    """One end of a pair.

    As with the real one, other tasks run only where it waits: what a handler sends before it closes
    the stream is not torn apart by what comes in meanwhile.
    """

    def __init__(self, pair: _Pair, number: int) -> None:
        self._pair = pair
        self._in = pair.directions[number]
        self._out = pair.directions[1 - number]
        self._closed = False

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """See `MuxedStream`."""
        await anyio.lowlevel.checkpoint()
        self._check()
        while not self._in.bytes:
            if self._in.ended:
                raise anyio.EndOfStream
            await self._in.change()
            self._check()
        chunk = bytes(self._in.bytes[:max_bytes])
        del self._in.bytes[:max_bytes]
        self._in.notify()
        return chunk

    async def send(self, item: bytes) -> None:
        """See `MuxedStream`."""
        await anyio.lowlevel.checkpoint_if_cancelled()
        rest = memoryview(bytes(item))
        while rest:
            self._check()
            if self._out.ended:
                raise anyio.ClosedResourceError
            room = WINDOW_BYTES - len(self._out.bytes)
            if room <= 0:
                if self._out.unheard:
                    raise StreamReset("the other side reads no more of it")
                await self._out.change()
                continue
            self._out.bytes += rest[:room]
            rest = rest[room:]
            self._out.notify()

    async def send_eof(self) -> None:
        """See `MuxedStream`."""
        await anyio.lowlevel.checkpoint_if_cancelled()
        self._check()
        self._out.ended = True
        self._out.notify()

    async def aclose(self) -> None:
        """See `MuxedStream`."""
        if self._in.bytes and not self._in.ended:
            self.reset()
        self._closed = self._out.ended = self._in.unheard = True
        self._out.notify()
        self._in.notify()
        await anyio.lowlevel.checkpoint_if_cancelled()

    def reset(self) -> None:
        """See `MuxedStream`."""
        self._pair.end("reset")

    def break_off(self, cause: str) -> None:
        """The connection has gone."""
        self._pair.end(cause)

    def _check(self) -> None:
        if self._closed:
            raise anyio.ClosedResourceError
        if self._pair.reset is not None:
            raise StreamReset(self._pair.reset)


class RefusedStream(MuxedStream):
    """A stream that was opened at once under a protocol that the other side does not speak."""

    def __init__(self, error: PeerloomError) -> None:
        self._error = error

    async def receive(self, max_bytes: int = 65536) -> bytes:  # noqa: ARG002
        """Raise it."""
        await anyio.lowlevel.checkpoint()
        raise self._error

    async def send(self, item: bytes) -> None:  # noqa: ARG002
        """Nobody hears it."""
        await anyio.lowlevel.checkpoint()

    async def send_eof(self) -> None:
        """Raise it."""
        await self.receive()

    async def aclose(self) -> None:
        """Raise it."""
        await self.receive()

    def reset(self) -> None:
        """Nothing is left to end."""


def stream_pair() -> tuple[FakeMuxedStream, FakeMuxedStream]:
    """Two ends."""
    pair = _Pair()
    return FakeMuxedStream(pair, 0), FakeMuxedStream(pair, 1)
