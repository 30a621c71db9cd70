"""QuicLink: one QUIC connection as the swarm sees it; its endpoint moves its datagrams."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final, Protocol

import anyio

from peerloom._errors import (
    HandshakeFailed,
    LinkClosed,
    PeerloomError,
    StreamLimitReached,
)
from peerloom._links import LinkLimits, MuxedLink, Role
from peerloom._wakeup import wakeup_kind

from ._quic_ending import CONNECTION_REFUSED, INTERNAL_ERROR, Cause, Fate, cause_of
from ._quic_engine import (
    ConnectionIdChanged,
    EngineFailed,
    HandshakeDone,
    StreamData,
    StreamStopped,
)
from ._quic_streams import QuicStreams

if TYPE_CHECKING:
    from collections.abc import Callable

    from multiaddr import Multiaddr

    from peerloom._runtime import Runtime
    from peerloom._unread import LedgerEntry, UnreadLedger

    from ._quic_engine import QuicEngine, SocketAddress
    from ._quic_settings import QuicSettings
    from ._quic_stream import QuicStream

_PINGS_A_TIMEOUT: Final = 3  # so that one that is lost ends no connection

logger = logging.getLogger("peerloom.quic")


class Outlet(Protocol):
    """What a link asks of its endpoint."""

    def transmit(self, link: QuicLink) -> None:
        """Send what the link has to send, and remember its next deadline."""
        ...

    def transmit_soon(self, link: QuicLink) -> None:
        """The same, together with what others are about to say."""
        ...

    def route(self, link: QuicLink, connection_id: bytes, *, valid: bool) -> None:
        """Datagrams to that id are the link's from now on, or no longer."""
        ...


class QuicLink(MuxedLink):
    """A QUIC connection; see `MuxedLink`. It lives before and after `run`, on its endpoint.

    Attributes:
        established: whether the other side has proven who it is.
        fate: whether it goes on.
        streams: its streams.
        now: the time.
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
        ledger: UnreadLedger,
    ) -> None:
        self.security: str | None = None
        self.muxer: str | None = None
        self.local_address, self.remote_address = addresses
        self.limits: LinkLimits | None = None
        self.established = False
        self.fate = Fate()
        self._engine = engine
        self._outlet = outlet
        self.now = runtime.now
        self._settings = settings
        self.streams = QuicStreams(self, engine, role, settings)
        self._ledger = ledger
        self._entry: LedgerEntry | None = None  # as soon as it is known whose data it is
        wakeup = wakeup_kind()
        self._arrived = wakeup()
        self._moved = wakeup()
        self._settled = anyio.Event()
        self._ended = anyio.Event()
        self._heard_at = self._began_at = self.now()
        self._look_at = self._began_at + settings.handshake_seconds
        self._gone_at: float | None = None
        self._failed = False

    # -- what the swarm does

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.fate.over

    @property
    def round_trip_seconds(self) -> float | None:
        """The newest measured round trip time, or None."""
        return self._engine.round_trip_seconds

    @property
    def unread_bytes(self) -> int:
        """What was taken from the engine and nobody has read."""
        return self.streams.backlog.unread

    def shed(self, nbytes: int) -> int:
        """Reset streams, those first that hold most unread, until so much is free; how many."""
        return self.streams.shed(nbytes)

    async def handshake(self) -> None:
        """Wait until the other side has proven who it is; raises `HandshakeFailed`."""
        await self._settled.wait()
        if not self.established:
            raise self.fate.cause or HandshakeFailed("closed during the handshake")

    async def run(self) -> None:
        """Wait until the link ends; returns after a clean end, else raises the cause."""
        try:
            await self._ended.wait()
        finally:
            self.cut()
        if self.fate.cause is not None:
            raise self.fate.cause

    async def open_stream(self) -> QuicStream:
        """Open a stream; waits for a while if the other side allows no more now."""
        with anyio.move_on_after(self._settings.open_timeout_seconds):
            while True:
                self.fate.raise_if_ended()
                stream_id = self._engine.open_stream()
                if stream_id is not None:
                    return self.streams.add(stream_id)
                await self._moved.wait()
        raise StreamLimitReached("the other side allows no more streams on this connection now")

    async def accept_stream(self) -> QuicStream:
        """The next stream that the other side opens; raises `LinkClosed` at the end."""
        while True:
            if self.streams.accepted:
                return self.streams.accepted.popitem(last=False)[1]
            self.fate.raise_if_ended()
            await self._arrived.wait()

    async def aclose(self) -> None:
        """Let what was sent arrive, within a bound, say goodbye, and end the link."""
        if self.over:
            return
        if not self.fate.closing:
            self.fate.closing = True
            self._arrived.set()
            self.streams.reset_unended()
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

    # -- what its streams ask

    def transmit(self) -> None:
        """Send what the engine has to send, together with what others are about to say."""
        self._outlet.transmit_soon(self)

    def arrived(self) -> None:
        """The other side has opened a stream."""
        self._arrived.set()

    def guard(self, work: Callable[[], None]) -> None:
        """Do something with the engine, whose failure ends the connection."""
        try:
            work()
        except EngineFailed as error:
            if self._failed:
                return
            self._failed = True
            logger.warning("the QUIC engine failed on one connection: %s", error)
            self.end(LinkClosed(f"the QUIC engine failed: {error}"), INTERNAL_ERROR)

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
        if self.streams.backlog.held:
            look = min(look, self.streams.check_at)
        return look if engine is None else min(look, engine)

    def gone(self, now: float) -> bool:
        """Whether the endpoint may forget it."""
        return self.over and (
            self._engine.finished or (self._gone_at is not None and now >= self._gone_at)
        )

    def forget(self) -> None:
        """Free what it holds; the swarm may keep it for a while, and its users its streams."""
        self._engine.forget()
        self.streams.let_go()

    def receive(self, data: bytes, segment: int, remote: SocketAddress, now: float) -> None:
        """Take datagrams; `advance` must follow."""
        self._heard_at = now
        self.guard(lambda: self._receive(data, segment, remote, now))
        if self.streams.backlog.held and self._engine.held_back:
            self.streams.backlog.arrived(now)

    def handle_timer(self, now: float) -> None:
        """A deadline has come; `advance` must follow."""
        self.streams.looked(now)
        timer = self._engine.timer()
        if timer is not None and timer <= now:
            self.guard(lambda: self._engine.handle_timer(now))
        if now >= self._look_at and not self.over and self._engine.ending is None:
            self.guard(lambda: self._look(now))

    def advance(self, now: float) -> None:
        """Take out of the engine what happened."""
        self.guard(lambda: self._take_events(now))
        self.guard(lambda: self._balance(now))
        if not self.over and (ending := self._engine.ending) is not None:
            self._finish(self._engine.failure or cause_of(ending, established=self.established))
        self._moved.set()
        self._tell_ledger()

    def datagrams(self, now: float) -> list[tuple[bytes, SocketAddress]]:
        """What is to be sent now."""
        sent: list[tuple[bytes, SocketAddress]] = []
        self.guard(lambda: sent.extend(self._engine.datagrams_to_send(now)))
        self.streams.wake_senders()
        return sent

    def end(
        self, cause: PeerloomError | OSError | None, code: int = 0, *, transport: bool = False
    ) -> None:
        """Tell the other side, and end."""
        try:
            self._engine.close(code, str(cause or "")[:200], transport=transport)
            self._finish(cause)
            self._outlet.transmit(self)
        except EngineFailed:
            self._finish(cause)

    # -- inside

    def _tell_ledger(self) -> None:
        if self._entry is not None:
            self._entry.tell(self.unread_bytes)

    def _receive(self, data: bytes, segment: int, remote: SocketAddress, now: float) -> None:
        """Each buffer by itself: for a thousand events at once Python would look for garbage."""
        self._engine.receive(data, segment, remote, now)
        self._take_events(now)

    def _take_events(self, now: float) -> None:
        while (event := self._engine.next_event()) is not None:
            match event:
                case StreamData():
                    self.streams.take_data(event, now)
                case StreamStopped():
                    self.streams.take_stop(event)
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
        self._entry = self._ledger.open(self)
        self._look_at = now + self._ping_interval
        self._settled.set()

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
        self.streams.expire(now)

    def _balance(self, now: float) -> None:
        if self.streams.balance(now):
            self._take_events(now)

    async def _flush(self) -> None:
        while not (self._engine.flushed or self.over):
            await self._moved.wait()

    def _finish(self, cause: Cause | None) -> None:
        if self.over:
            return
        self.fate.over = True
        self.fate.cause = cause
        self._gone_at = self.now() + self._settings.close_timeout_seconds
        self._settled.set()
        self._ended.set()
        self._arrived.set()
        self._moved.set()
        self.streams.wake_all()
