"""QuicLink: one QUIC connection as the swarm sees it; its endpoint moves its datagrams."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, Final, Protocol

import anyio

from peerloom._errors import (
    HandshakeFailed,
    LinkClosed,
    PeerloomError,
    StreamLimitReached,
    StreamReset,
)
from peerloom._links import LinkLimits, MuxedLink, Role
from peerloom._muxers._wakeup import Wakeup

from ._quic_backlog import Backlog, Step
from ._quic_ending import CONNECTION_REFUSED, INTERNAL_ERROR, cause_of
from ._quic_engine import (
    ConnectionIdChanged,
    EngineFailed,
    HandshakeDone,
    StreamData,
    StreamStopped,
)
from ._quic_inbound import InboundIds
from ._quic_stream import BY_PEER, QuicStream

if TYPE_CHECKING:
    from collections.abc import Callable

    from multiaddr import Multiaddr

    from peerloom._runtime import Runtime

    from ._quic_engine import QuicEngine, SocketAddress
    from ._quic_settings import QuicSettings

_CHECK_SECONDS: Final = 0.25  # between two looks at a connection that is held
_PINGS_A_TIMEOUT: Final = 3  # so that one that is lost ends no connection

logger = logging.getLogger("peerloom.quic")


class Outlet(Protocol):
    """What a link asks of its endpoint."""

    def transmit(self, link: QuicLink) -> None:
        """Send what the link has to send, and remember its next deadline."""
        ...

    def route(self, link: QuicLink, connection_id: bytes, *, valid: bool) -> None:
        """Datagrams to that id are the link's from now on, or no longer."""
        ...


class QuicLink(MuxedLink):
    """A QUIC connection; see `MuxedLink`. It lives before and after `run`, on its endpoint.

    Attributes:
        established: whether the other side has proven who it is.
        over: whether it has ended.
    """

    def __init__(  # noqa: PLR0913 - what a connection needs, each once
        self,
        engine: QuicEngine,
        outlet: Outlet,
        role: Role,
        addresses: tuple[Multiaddr, Multiaddr],
        *,
        runtime: Runtime,
        settings: QuicSettings,
    ) -> None:
        self.security: str | None = None
        self.muxer: str | None = None
        self.local_address, self.remote_address = addresses
        self.limits: LinkLimits | None = None
        self.established = False
        self.over = False
        self._engine = engine
        self._outlet = outlet
        self._now = runtime.now
        self._settings = settings
        self._backlog = Backlog(settings)
        self._streams: dict[int, QuicStream] = {}
        self._inbound = InboundIds(Role.LISTENER if role is Role.DIALER else Role.DIALER)
        self._accepted: deque[QuicStream] = deque()
        self._lingering: deque[tuple[float, QuicStream]] = deque()
        self._senders: dict[int, QuicStream] = {}
        self._arrived = Wakeup()
        self._moved = Wakeup()
        self._settled = anyio.Event()
        self._ended = anyio.Event()
        self._closing = False
        self._cause: PeerloomError | None = None
        self._heard_at = self._began_at = self._now()
        self._look_at = self._began_at + settings.handshake_seconds
        self._gone_at: float | None = None
        self._check_at = 0.0
        self._consumed = 0
        self._failed = False

    # -- what the swarm does

    @property
    def round_trip_seconds(self) -> float | None:
        """The newest measured round trip time, or None."""
        return self._engine.round_trip_seconds

    async def handshake(self) -> None:
        """Wait until the other side has proven who it is; raises `HandshakeFailed`."""
        await self._settled.wait()
        if not self.established:
            raise self._cause or HandshakeFailed("closed during the handshake")

    async def run(self) -> None:
        """Wait until the link ends; returns after a clean end, else raises the cause."""
        try:
            await self._ended.wait()
        finally:
            self.cut()
        if self._cause is not None:
            raise self._cause

    async def open_stream(self) -> QuicStream:
        """Open a stream; waits for a while if the other side allows no more now."""
        with anyio.move_on_after(self._settings.open_timeout_seconds):
            while True:
                self.raise_if_ended()
                stream_id = self._engine.open_stream()
                if stream_id is not None:
                    return self._add(stream_id)
                await self._moved.wait()
        raise StreamLimitReached("the other side allows no more streams on this connection now")

    async def accept_stream(self) -> QuicStream:
        """The next stream that the other side opens; raises `LinkClosed` at the end."""
        while True:
            if self._accepted:
                return self._accepted.popleft()
            self.raise_if_ended()
            await self._arrived.wait()

    async def aclose(self) -> None:
        """Let what was sent arrive, within a bound, say goodbye, and end the link."""
        if self.over:
            return
        if not self._closing:
            self._closing = True
            self._arrived.set()
            for stream in list(self._streams.values()):
                if not stream.end_sent:
                    self.reset_stream(stream, "cut off by the end of the connection")
                stream.wake()
            try:
                with anyio.move_on_after(self._settings.close_timeout_seconds / 2):
                    await self._flush()
            finally:
                self.end(None)
        await self._ended.wait()

    def cut(self) -> None:
        """End it at once."""
        if not self.over:
            self.end(LinkClosed("the connection was cut"), INTERNAL_ERROR)

    def refuse(self) -> None:
        """Tell the other side that there is no room for it."""
        if not self.over:
            self.end(LinkClosed("refused"), CONNECTION_REFUSED, transport=True)

    def raise_if_ended(self) -> None:
        """Raise `LinkClosed` if the link has ended, or is about to."""
        if self._closing or self.over:
            raise LinkClosed(f"the connection has ended: {self._cause or 'closed'}") from (
                self._cause
            )

    # -- what its streams do

    def room(self, stream: QuicStream) -> int:
        """How many bytes of a stream may be taken over now."""
        settings, engine = self._settings, self._engine
        bound = settings.send_buffer_bytes
        few = settings.max_send_buffer_bytes // bound
        if len(self._streams) > few and engine.unsent() > settings.max_send_buffer_bytes:
            bound = settings.crowded_send_buffer_bytes
        return bound - engine.unsent(stream.id)

    def wants_room(self, stream: QuicStream) -> None:
        """Wake the stream's sender when there is room."""
        self._senders[stream.id] = stream

    def send(self, stream: QuicStream, data: memoryview) -> None:
        """Take bytes over; there is room for them."""
        self._guard(lambda: self._send(stream, data, end=False))

    def send_end(self, stream: QuicStream) -> None:
        """End this side's half."""
        stream.end_sent = True
        self._guard(lambda: self._send(stream, b"", end=True))
        self._forget_if_over(stream)

    def close_stream(self, stream: QuicStream) -> None:
        """The application is done with both halves; see `MuxedStream` for when this resets."""
        if stream.broken is not None:
            return
        if stream.received.size and not stream.ended:
            self.reset_stream(stream, "closed before it was read")
            return
        self._drop_received(stream)
        if not (stream.end_sent or stream.stopped or self.over):
            self.send_end(stream)
        if not stream.over:
            self._lingering.append((self._now() + self._settings.linger_seconds, stream))
        self._forget_if_over(stream)

    def reset_stream(self, stream: QuicStream, by: str) -> None:
        """End both halves at once."""
        if stream.broken is None:
            stream.broken = by
            self._drop_received(stream)
            if not self.over:
                self._guard(lambda: self._stop(stream))
            self._forget_if_over(stream)
            stream.wake()

    def consumed(self, stream: QuicStream, nbytes: int) -> None:
        """So many bytes of a stream have been read."""
        self._backlog.unread -= nbytes
        self._forget_if_over(stream)
        if self.over:
            return
        if self._engine.holds_streams:
            self._engine.consumed(stream.id, nbytes)
            self._consumed += nbytes
            if self._consumed >= self._settings.stream_window_bytes // 4:
                self._consumed = 0
                self._outlet.transmit(self)
        elif self._backlog.held and self._backlog.unread <= self._settings.pause_bytes // 2:
            self.advance(self._now())
            self._outlet.transmit(self)

    # -- what its endpoint does

    @property
    def engine_id(self) -> bytes:
        """The connection id that this side chose first."""
        return self._engine.connection_id

    @property
    def deadline(self) -> float | None:
        """When `handle_timer` wants to be called."""
        if self._gone_at is not None:
            return self._gone_at
        engine = self._engine.timer()
        look = self._look_at
        if self._backlog.held:
            look = min(look, self._check_at)
        return look if engine is None else min(look, engine)

    def gone(self, now: float) -> bool:
        """Whether the endpoint may forget it."""
        return self.over and (
            self._engine.finished or (self._gone_at is not None and now >= self._gone_at)
        )

    def receive(self, data: bytes, segment: int, remote: SocketAddress, now: float) -> None:
        """Take datagrams; `advance` must follow."""
        self._heard_at = now
        self._guard(lambda: self._engine.receive(data, segment, remote, now))
        if self._backlog.held and self._engine.held_back:
            self._backlog.arrived(now)

    def handle_timer(self, now: float) -> None:
        """A deadline has come; `advance` must follow."""
        self._check_at = now + _CHECK_SECONDS
        timer = self._engine.timer()
        if timer is not None and timer <= now:
            self._guard(lambda: self._engine.handle_timer(now))
        if now >= self._look_at and not self.over and self._engine.ending is None:
            self._guard(lambda: self._look(now))

    def advance(self, now: float) -> None:
        """Take out of the engine what happened."""
        self._guard(lambda: self._take_events(now))
        if self._backlog.unread or self._backlog.held:
            self._guard(lambda: self._balance(now))
        if not self.over and (ending := self._engine.ending) is not None:
            self._finish(self._engine.failure or cause_of(ending, established=self.established))
        self._moved.set()

    def datagrams(self, now: float) -> list[tuple[bytes, SocketAddress]]:
        """What is to be sent now."""
        sent: list[tuple[bytes, SocketAddress]] = []
        self._guard(lambda: sent.extend(self._engine.datagrams_to_send(now)))
        for stream in list(self._senders.values()):
            if stream.over or self.room(stream) > 0:
                del self._senders[stream.id]
                stream.wake_sender()
        return sent

    def end(self, cause: PeerloomError | None, code: int = 0, *, transport: bool = False) -> None:
        """Tell the other side, and end."""
        try:
            self._engine.close(code, str(cause or "")[:200], transport=transport)
            self._finish(cause)
            self._outlet.transmit(self)
        except EngineFailed:
            self._finish(cause)

    # -- inside

    def _guard(self, work: Callable[[], None]) -> None:
        try:
            work()
        except EngineFailed as error:
            if self._failed:
                return
            self._failed = True
            logger.warning("the QUIC engine failed on one connection: %s", error)
            self.end(LinkClosed(f"the QUIC engine failed: {error}"), INTERNAL_ERROR)

    def _take_events(self, now: float) -> None:
        while (event := self._engine.next_event()) is not None:
            match event:
                case StreamData():
                    self._take_data(event, now)
                case StreamStopped():
                    self._take_stop(event, now)
                case ConnectionIdChanged():
                    self._outlet.route(self, event.connection_id, valid=event.valid)
                case HandshakeDone():
                    self._establish(now)

    def _establish(self, now: float) -> None:
        key = self._engine.public_key
        if key is None:
            raise EngineFailed("a handshake without a certificate was let pass")
        self.public_key, self.peer = key, key.peer_id
        self.established = True
        self._look_at = now + self._ping_interval
        self._settled.set()

    def _take_data(self, event: StreamData, now: float) -> None:
        stream = self._stream(event.stream_id, now)
        if stream is None or stream.closed or stream.broken is not None:
            self._engine.consumed(event.stream_id, len(event.data))
            if stream is not None and stream.broken is None:
                self._drop_late(stream, len(event.data))
        elif event.data:
            stream.heard_at = now
            stream.received.append(event.data)
            self._backlog.unread += len(event.data)
        if stream is not None:
            stream.ended = stream.ended or event.end
            self._forget_if_over(stream)
            stream.wake()

    def _drop_late(self, stream: QuicStream, nbytes: int) -> None:
        before, stream.dropped = stream.dropped, stream.dropped + nbytes
        if before <= self._settings.linger_bytes < stream.dropped:
            self._engine.stop(stream.id)

    def _take_stop(self, event: StreamStopped, now: float) -> None:
        stream = self._stream(event.stream_id, now)
        if stream is None:
            return
        if event.ours:
            stream.stopped = True
            self._forget_if_over(stream)
            stream.wake()
        else:
            self.reset_stream(stream, BY_PEER)

    def _stream(self, stream_id: int, now: float) -> QuicStream | None:
        stream = self._streams.get(stream_id)
        if stream is None and self._inbound.is_new(stream_id):
            stream = self._add(stream_id, now)
            if self._closing or self.over:
                self.reset_stream(stream, "refused")
            else:
                self._accepted.append(stream)
                self._arrived.set()
        return stream

    def _add(self, stream_id: int, now: float | None = None) -> QuicStream:
        stream = QuicStream(self, stream_id, self._now() if now is None else now)
        self._streams[stream_id] = stream
        return stream

    def _forget_if_over(self, stream: QuicStream) -> None:
        if stream.over and not stream.received.size:
            self._streams.pop(stream.id, None)

    def _drop_received(self, stream: QuicStream) -> None:
        size = stream.received.size
        stream.received.clear()
        if size:
            self.consumed(stream, size)

    def _send(self, stream: QuicStream, data: memoryview | bytes, *, end: bool) -> None:
        if self._engine.send(stream.id, data, end=end):
            self._outlet.transmit(self)
        elif not end:
            stream.stopped = True
            raise StreamReset(f"the other side reads no more of stream {stream.id}")

    def _stop(self, stream: QuicStream) -> None:
        self._engine.reset(stream.id)
        if not stream.ended:
            self._engine.stop(stream.id)
        self._outlet.transmit(self)

    @property
    def _ping_interval(self) -> float:
        return self._engine.idle_timeout_seconds / _PINGS_A_TIMEOUT

    def _look(self, now: float) -> None:
        """Ping when it has been silent; give up on handshakes and closed streams."""
        if not self.established:
            seconds = self._settings.handshake_seconds
            self.end(HandshakeFailed(f"no handshake within {seconds:.0f} s"), INTERNAL_ERROR)
            return
        if now - self._heard_at >= self._ping_interval:
            self._engine.ping()
            self._look_at = now + self._ping_interval
        else:
            self._look_at = self._heard_at + self._ping_interval
        while self._lingering and self._lingering[0][0] <= now:
            _, stream = self._lingering.popleft()
            if not stream.over:
                self._engine.stop(stream.id)

    def _balance(self, now: float) -> None:
        if self._engine.holds_streams:
            return
        match self._backlog.decide(now, reader_starves=self._backlog.held and self._starves(now)):
            case Step.HOLD:
                self._check_at = now + _CHECK_SECONDS
                self._engine.hold(on=True)
            case Step.RELEASE:
                self._engine.hold(on=False)
                self._take_events(now)
            case Step.ADMIT:
                self._engine.let_pass()
                self._take_events(now)
            case Step.SHED:
                self._shed()
            case Step.NOTHING:
                pass

    def _starves(self, now: float) -> bool:
        recent = now - self._settings.stopped_seconds
        return any(each.starves and each.heard_at > recent for each in self._streams.values())

    def _shed(self) -> None:
        fullest = max(self._streams.values(), key=lambda each: each.received.size, default=None)
        if fullest is None:
            return
        logger.warning(
            "stream %d of %s was reset: %d bytes unread have stopped the other streams for %.0f s",
            fullest.id,
            self.peer,
            fullest.received.size,
            self._settings.stopped_seconds,
        )
        self.reset_stream(fullest, "not read for too long, which stopped the other streams")

    async def _flush(self) -> None:
        while not (self._engine.flushed or self.over):
            await self._moved.wait()

    def _finish(self, cause: PeerloomError | None) -> None:
        if self.over:
            return
        self.over = True
        self._cause = cause
        self._gone_at = self._now() + self._settings.close_timeout_seconds
        self._settled.set()
        self._ended.set()
        self._arrived.set()
        self._moved.set()
        for stream in self._streams.values():
            stream.wake()
