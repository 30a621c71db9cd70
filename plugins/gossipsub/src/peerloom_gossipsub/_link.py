"""The way to one peer: a queue, and the stream that empties it."""

from __future__ import annotations

from contextlib import suppress
from math import inf
from typing import TYPE_CHECKING, Final

import anyio
from anyio.lowlevel import checkpoint

from peerloom import LinkClosed, PeerloomError, RemoteProtocolError, StreamError
from peerloom.plugin import Ping

from ._actions import Priority
from ._change import Change
from ._outbound import OutboundQueue
from ._protocols import PROTOCOLS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from anyio.abc import TaskGroup

    from peerloom import PeerId, Stream
    from peerloom.plugin import ConnectionInfo, PluginContext

STREAM_FAILURES: Final = (LinkClosed, StreamError, RemoteProtocolError, TimeoutError)
_WRITE_BYTES: Final = 262_144
_CLOSE_SECONDS: Final = 0.001
_RECEIPT_SECONDS: Final = 10.0  # a window of yamux, at 26 kB/s
# Nearly all that stands before a ping has come when that has; little of what is behind may lack.
_RECEIPT_TRIPS: Final = 4
_LEAST_RECEIPT_SECONDS: Final = 0.2
_SOON_GONE_BYTES: Final = 65_536  # less than that goes out while a node says goodbye
_GATHERING_TURNS: Final = 8  # of 4, 8 and 16 the best: a message takes two from `publish` to here


class PeerLink:
    """What is sent to a peer.

    Its stream is opened again whenever it breaks, and anew on each newer connection: the old one
    may be that of an earlier life of the peer, and then nobody reads it any more.
    """

    def __init__(
        self, ctx: PluginContext, peer: PeerId, max_bytes: int, greet: Callable[[], None]
    ) -> None:
        """`greet` is called before another stream is opened than the first.

        Also when the peer reads again after a time in which it has missed what this node said.
        """
        self._ctx = ctx
        self._greet = greet
        self.peer = peer
        self._queue = OutboundQueue(max_bytes)
        self._work = Change()
        self._room = Change()
        self._steps = 0
        self._turns = anyio.Lock()
        self._scope = anyio.CancelScope()
        self._stream_scope = anyio.CancelScope()
        self._connection_id: int | None = None
        self._is_broken = False
        self._breaks = 0
        self._is_stale = False
        self._is_finishing = False
        self._is_last = False
        self._was_open = False
        self._is_slow = False
        self._has_missed_control = False
        self.is_closed = False
        self._over = anyio.Event()
        self._end = anyio.Event()
        self._unsent: list[bytes] = []
        self._sent_at = -inf
        self._sent_bytes = 0
        self._sent_data = 0

    def offer(self, priority: Priority, frames: Sequence[bytes]) -> bool:
        """Queue frames; gives whether there was room."""
        taken = self._queue.offer(priority, frames, self._ctx.runtime.now())
        if priority is Priority.CONTROL and not taken:
            self._has_missed_control = True
        self._work.tell()
        return taken

    def offer_in_turn(self, priority: Priority, frames: Sequence[bytes]) -> bool:
        """The same, unless others wait for room already: small frames shall not keep it away."""
        return not self._turns.locked() and self.offer(priority, frames)

    async def offer_within(
        self, priority: Priority, frames: Sequence[bytes], seconds: float
    ) -> bool:
        """Queue frames in their turn when there is room, unless the queue is full for too long."""
        began_at = self._ctx.runtime.now()
        async with self._turns:
            while not self.is_closed:
                if self.offer(priority, frames):
                    return True
                now = self._ctx.runtime.now()
                waited = max(self._queue.full_for(now), now - began_at)
                if waited >= seconds or not await self._room_within(seconds - waited):
                    return False
        return False

    async def _room_within(self, seconds: float) -> bool:
        steps = self._steps
        with anyio.move_on_after(seconds):
            await self._room.until(lambda: self.is_closed or self._steps > steps)
            return True
        return False

    def is_newly_slow(self) -> bool:
        """Whether this is the first time that this is asked since the peer has taken something."""
        was_slow, self._is_slow = self._is_slow, True
        return not was_slow

    async def run(self, retry_seconds: float) -> None:
        """Send what is queued until `close` or `finish`."""
        try:
            with self._scope:
                await self._run_streams(retry_seconds)
        finally:
            self._over.set()

    def renew(self, patience_seconds: float) -> None:
        """A connection has been established: use it, if it is better than the one in use.

        What the present stream is taking it may take to the end, within `patience_seconds`.
        """
        best = self._best_connection()
        if best is None or best.id == self._connection_id:
            return
        self._is_stale = True
        self._stream_scope.deadline = anyio.current_time() + patience_seconds
        self._work.tell()

    async def flush(self, patience_seconds: float, *, is_last: bool) -> bool:
        """Wait until the peer has the data that is queued by now.

        Gives False if it takes nothing for so long, resets the stream, or goes. What the stream has
        taken may still be on its way: a ping that comes back says that most has come. If this is
        the last that the peer gets, the stream is ended, and the peer ends it in turn when it has
        read all; js-libp2p and py-libp2p do not, and are not waited for long.
        """
        queued = self._queue.offered_data
        while self._sent_data < queued:
            if self.is_closed or not await self._room_within(patience_seconds):
                return False
        breaks = self._breaks
        if self._sent_bytes > _SOON_GONE_BYTES:
            with anyio.move_on_after(min(patience_seconds, _RECEIPT_SECONDS)):
                await (self._ended() if is_last else self._pinged())
        return not self.is_closed and self._breaks == breaks

    async def finish(self) -> None:
        """Send what is queued, then no more; returns when it is on its way."""
        self._is_finishing = True
        self._work.tell()
        await self._over.wait()

    def close(self) -> None:
        """Send no more, and wait for no room."""
        self.is_closed = True
        self._room.tell()
        self._scope.cancel()

    @property
    def waiting_bytes(self) -> int:
        """What is queued."""
        return self._queue.bytes

    @property
    def waiting_frames(self) -> int:
        """How many frames are queued, or were not taken by a stream that broke."""
        return len(self._queue) + len(self._unsent)

    async def _run_streams(self, retry_seconds: float) -> None:
        while True:
            self._was_open = False
            with suppress(*STREAM_FAILURES), anyio.CancelScope() as self._stream_scope:
                await self._run_stream()
            self._breaks += self._stream_scope.cancelled_caught
            if self._is_finishing and not self._is_stale:
                return
            if not self._is_stale:
                await anyio.sleep(retry_seconds)
            if self._was_open:  # else all is still queued
                self._greet()

    async def _run_stream(self) -> None:
        self._is_broken = self._is_stale = False
        self._end, self._sent_bytes = anyio.Event(), 0
        async with await self._open() as stream:
            self._was_open = True
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._watch, stream)
                is_whole = await self._write(stream)
                if self._is_last and is_whole:
                    await self._end_last(stream, tasks)
                tasks.cancel_scope.cancel()
            if not is_whole:
                raise LinkClosed("the stream is broken")

    async def _ended(self) -> None:
        self._is_last = True
        self._work.tell()
        await self._room.until(lambda: self.is_closed or not self._is_last)

    async def _end_last(self, stream: Stream, tasks: TaskGroup) -> None:
        self._is_stale = True  # whatever comes later goes out on another stream
        with anyio.move_on_after(_RECEIPT_SECONDS) as waiting:
            try:
                await stream.send_eof()
            except STREAM_FAILURES:
                self._break()
            else:
                tasks.start_soon(self._bound_by_ping, waiting)
                await self._end.wait()
        self._is_last = False
        self._room.tell()

    async def _bound_by_ping(self, waiting: anyio.CancelScope) -> None:
        if (trip := await self._pinged()) is not None:
            enough = max(_RECEIPT_TRIPS * trip, _LEAST_RECEIPT_SECONDS)
            waiting.deadline = min(waiting.deadline, anyio.current_time() + enough)

    async def _pinged(self) -> float | None:
        try:
            return await self._ctx.call(Ping(self.peer))
        except PeerloomError:
            return None

    async def _open(self) -> Stream:
        best = self._best_connection()
        if best is None:
            raise LinkClosed("not connected")
        self._connection_id = best.id
        return await self._ctx.open_stream(
            self.peer, PROTOCOLS, allow_limited=True, connection_id=best.id
        )

    def _best_connection(self) -> ConnectionInfo | None:
        connections = self._ctx.connections(self.peer)
        unlimited = [each for each in connections if each.limits is None]
        return next(reversed(unlimited or connections), None)

    async def _watch(self, stream: Stream) -> None:
        # Nothing comes on this stream, but a reset shows even while nothing is sent.
        try:
            await stream.receive()
        except anyio.EndOfStream:
            pass
        except STREAM_FAILURES:
            self._break()
        self._end.set()

    def _break(self) -> None:
        self._is_broken = True
        self._breaks += 1
        self._work.tell()

    async def _write(self, stream: Stream) -> bool:
        # Gives whether the stream may have a clean end.
        while not (self._is_broken or self._is_stale):
            if self._unsent or (pulled := self._queue.pull(_WRITE_BYTES)):
                self._unsent = self._unsent or pulled
                self._is_slow = False
                self._advance()
                if not await self._sent(stream):
                    return False
                if self._has_missed_control:
                    self._has_missed_control = False
                    self._greet()
            elif self._is_finishing or self._is_last:
                return True
            else:
                await self._work.until(self._has_work)
                await self._gather()
        return not self._is_broken

    def _has_work(self) -> object:
        return (
            self._queue or self._is_broken or self._is_stale or self._is_finishing or self._is_last
        )

    async def _sent(self, stream: Stream) -> bool:
        # What a broken stream has not taken goes out on the next one: twice does no harm.
        try:
            await stream.send(b"".join(self._unsent))
        except STREAM_FAILURES:
            self._break()
            return False
        self._sent_bytes += sum(map(len, self._unsent))
        self._unsent = []
        self._sent_data = self._queue.pulled_data
        self._sent_at = self._ctx.runtime.now()
        self._advance()
        return True

    def _advance(self) -> None:
        self._steps += 1
        self._room.tell()

    async def _gather(self) -> None:
        # What follows close behind another message waits a little for what follows it: to go out
        # together takes a quarter of the time off each, here and at the receiver.
        until = self._sent_at + _CLOSE_SECONDS
        for _ in range(_GATHERING_TURNS):
            if self._ctx.runtime.now() >= until:
                return
            await checkpoint()
