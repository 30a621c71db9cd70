"""The way to one peer: a queue, and the stream that empties it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

import anyio

from peerloom import LinkClosed, RemoteProtocolError, StreamError

from ._outbound import OutboundQueue
from ._protocols import PROTOCOLS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from peerloom import PeerId, Stream
    from peerloom.plugin import PluginContext

    from ._actions import Priority

STREAM_FAILURES: Final = (LinkClosed, StreamError, RemoteProtocolError, TimeoutError)
_WRITE_BYTES: Final = 262_144


class PeerLink:
    """What is sent to a peer; its stream is opened again whenever it breaks."""

    def __init__(self, ctx: PluginContext, peer: PeerId, max_bytes: int) -> None:
        self._ctx = ctx
        self.peer = peer
        self._queue = OutboundQueue(max_bytes)
        self._wake = anyio.Event()
        self._room = anyio.Event()
        self._scope = anyio.CancelScope()
        self._is_broken = False
        self._unsent: list[bytes] = []

    def offer(self, priority: Priority, frames: Sequence[bytes]) -> bool:
        """Queue frames; gives whether there was room."""
        taken = self._queue.offer(priority, frames, self._ctx.runtime.now())
        self._wake.set()
        return taken

    async def offer_within(
        self, priority: Priority, frames: Sequence[bytes], seconds: float
    ) -> bool:
        """Queue frames as soon as there is room, unless that takes too long."""
        with anyio.move_on_after(seconds):
            while not self.offer(priority, frames):
                if self._room.is_set():  # others may wait for it already
                    self._room = anyio.Event()
                await self._room.wait()
            return True
        return False

    async def run(self, retry_seconds: float, reopened: Callable[[], None]) -> None:
        """Send what is queued until `close`; `reopened` is called before a new stream is used."""
        with self._scope:
            while True:
                with suppress(*STREAM_FAILURES):
                    await self._run_stream()
                await anyio.sleep(retry_seconds)
                reopened()

    def close(self) -> None:
        """Send no more."""
        self._scope.cancel()

    @property
    def waiting_bytes(self) -> int:
        """What is queued."""
        return self._queue.bytes

    @property
    def waiting_frames(self) -> int:
        """How many frames are queued, or were not taken by a stream that broke."""
        return len(self._queue) + len(self._unsent)

    async def _run_stream(self) -> None:
        connections = self._ctx.connections(self.peer)
        if not connections:
            raise LinkClosed("not connected")
        stream = await self._ctx.open_stream(
            self.peer, PROTOCOLS, allow_limited=True, connection_id=connections[-1].id
        )
        self._is_broken = False
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._watch, stream)
                await self._write(stream)
                tasks.cancel_scope.cancel()
        finally:
            stream.reset()

    async def _watch(self, stream: Stream) -> None:
        # Nothing comes on this stream, but a reset shows even while nothing is sent.
        try:
            await stream.receive()
        except anyio.EndOfStream:
            return
        except STREAM_FAILURES:
            self._is_broken = True
            self._wake.set()

    async def _write(self, stream: Stream) -> None:
        while not self._is_broken:
            if self._unsent or (pulled := self._queue.pull(_WRITE_BYTES)):
                self._unsent = self._unsent or pulled
                self._room.set()
                if not await self._sent(stream):
                    return
            else:
                self._wake = anyio.Event()
                await self._wake.wait()

    async def _sent(self, stream: Stream) -> bool:
        # What a broken stream has not taken goes out on the next one: twice does no harm.
        try:
            await stream.send(b"".join(self._unsent))
        except STREAM_FAILURES:
            return False
        self._unsent = []
        return True
