"""QuicStream: one stream of a QUIC connection, as anyio sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio
from anyio.lowlevel import checkpoint

from peerloom._errors import StreamReset
from peerloom._links import READ_NOW_BYTES
from peerloom._muxers._byte_queue import ByteQueue
from peerloom._muxers._taking_turns import TakingTurns

if TYPE_CHECKING:
    from ._quic_streams import QuicStreams

BY_PEER: Final = "reset by the other side"
UNREAD: Final = "the other side reads no more of it"


class QuicStream(TakingTurns):
    """A stream; see `MuxedStream`. One task may receive while another sends.

    Attributes:
        id: its number.
        received: arrived and not yet read.
        ended: the other side's clean end has come, behind all of its data.
        end_sent: this side has ended its half.
        stopped: the other side reads no more of it.
        broken: who reset it, or None.
        closed: the application is done with it.
        heard_at: when data came last.
        dropped: bytes that came after it was closed.
    """

    def __init__(self, streams: QuicStreams, stream_id: int, now: float) -> None:
        self.id = stream_id
        self.received = ByteQueue()
        self.ended = False
        self.end_sent = False
        self.stopped = False
        self.broken: str | None = None
        self.closed = False
        self.heard_at = now
        self.dropped = 0
        self._streams = streams
        self._readable = streams.wakeup()
        self._writable = streams.wakeup()
        self._receiving = False
        self._sending = False

    def __repr__(self) -> str:
        return f"<QuicStream {self.id}>"

    @property
    def over(self) -> bool:
        """Whether nothing more is to come or to be sent."""
        if self.broken is not None:
            return True
        return self.ended and (self.end_sent or self.stopped)

    @property
    def starves(self) -> bool:
        """Whether a reader waits for data."""
        return self._receiving and not self.received.size

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Up to `max_bytes` bytes, at least one."""
        if self._receiving:
            raise anyio.BusyResourceError("receiving from")
        self._receiving = True
        try:
            if self._turn_is_over():
                await checkpoint()
            while not (data := self.received.read(max_bytes)):
                self._raise_if_unreadable()
                await self._readable.wait()
        finally:
            self._receiving = False
        self._streams.consumed(self, len(data))
        return data

    def receive_now(self) -> bytes:
        """What has arrived, or nothing."""
        data = b"" if self._receiving else self.received.read(READ_NOW_BYTES)
        if data:
            self._streams.consumed(self, len(data))
        return data

    def send_now(self, data: bytes) -> bool:
        """Take all of it over, if there is room."""
        self._raise_if_unwritable()
        if self._sending or self._streams.room(self) < len(data):
            return False
        self._streams.send(self, memoryview(data))
        return True

    async def send(self, item: bytes | bytearray | memoryview) -> None:
        """Send all of it; if cancelled, an unknown part has been sent."""
        if self._sending:
            raise anyio.BusyResourceError("sending to")
        self._sending = True
        try:
            if self._turn_is_over():
                await checkpoint()
            await self._send_all(memoryview(item))
        finally:
            self._sending = False

    async def send_eof(self) -> None:
        """End the writing half behind what was sent."""
        if self._sending:
            raise anyio.BusyResourceError("sending to")
        if not self.end_sent:
            self._raise_if_unwritable()
            self._streams.send_end(self)
        await checkpoint()

    async def aclose(self) -> None:
        """Close both halves; what was sent is still delivered, in the background."""
        if not self.closed:
            self.closed = True
            self._streams.close(self)
            self.wake()
        await checkpoint()

    def reset(self) -> None:
        """End both halves at once."""
        self._streams.reset(self, "reset here")
        self.wake()

    def wake(self) -> None:
        """Let the tasks that wait look again."""
        self._readable.set()
        self._writable.set()

    def wake_sender(self) -> None:
        """There is room."""
        self._writable.set()

    async def _send_all(self, rest: memoryview) -> None:
        self._raise_if_unwritable()
        while rest:
            room = self._streams.room(self)
            if room <= 0:
                self._streams.wants_room(self)
                await self._writable.wait()
                self._raise_if_unwritable()
                continue
            self._streams.send(self, rest[:room])
            rest = rest[room:]

    def _raise_if_unwritable(self) -> None:
        if self.closed or self.end_sent:
            raise anyio.ClosedResourceError
        self._raise_if_broken()
        if self.stopped:
            raise StreamReset(UNREAD)
        self._streams.fate.raise_if_ended()

    def _raise_if_unreadable(self) -> None:
        if self.closed:
            raise anyio.ClosedResourceError
        self._raise_if_broken()
        if self.ended:
            raise anyio.EndOfStream
        self._streams.fate.raise_if_ended()

    def _raise_if_broken(self) -> None:
        if self.broken is not None:
            if self.broken != BY_PEER:
                self._streams.fate.raise_if_ended()
            raise StreamReset(self.broken)
