"""Transports as an author outside of the project writes them: by public names alone."""

from __future__ import annotations

from contextlib import asynccontextmanager
from math import inf
from typing import TYPE_CHECKING, Any

import anyio
from attrs import define, field, frozen

from peerloom import KeyPair, LinkClosed, Multiaddr, PublicKey, StreamReset
from peerloom.plugin import (
    DialOptions,
    IncomingLink,
    LinkLimits,
    Listener,
    MuxedLink,
    MuxedStream,
    PendingLink,
    PluginContext,
    PluginInfo,
    RawLink,
    Transport,
    hookimpl,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

LIMITS = LinkLimits(data_bytes=1 << 20)
_DIALER = Multiaddr("/memory/1")


class Pipe(MuxedStream):
    """Half of a pair that is connected in memory."""

    def __init__(
        self, incoming: MemoryObjectReceiveStream[bytes], outgoing: MemoryObjectSendStream[bytes]
    ) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._buffer = b""
        self.other: Pipe
        self.was_reset = False

    async def receive(self, max_bytes: int = 65536) -> bytes:
        if self.was_reset:
            raise StreamReset("reset")
        data = self._buffer or await self._incoming.receive()
        self._buffer = data[max_bytes:]
        return data[:max_bytes]

    async def send(self, item: bytes) -> None:
        await self._outgoing.send(bytes(item))

    async def send_eof(self) -> None:
        self._outgoing.close()

    async def aclose(self) -> None:
        self._outgoing.close()
        self._incoming.close()

    def reset(self) -> None:
        self.was_reset = self.other.was_reset = True
        self._outgoing.close()
        self._incoming.close()


def pipe() -> tuple[Pipe, Pipe]:
    to_one, from_other = anyio.create_memory_object_stream[bytes](inf)
    to_other, from_one = anyio.create_memory_object_stream[bytes](inf)
    one, other = Pipe(from_other, to_other), Pipe(from_one, to_one)
    one.other, other.other = other, one
    return one, other


class Link(MuxedLink):
    """One end of a connection that needs neither security nor a muxer."""

    def __init__(self, key: PublicKey, local: Multiaddr, remote: Multiaddr) -> None:
        self.peer = key.peer_id
        self.public_key = key
        self.security = self.muxer = None
        self.local_address, self.remote_address = local, remote
        self.limits = LIMITS
        self.other: Link
        self.ended = anyio.Event()
        self.opened, self.accepted = anyio.create_memory_object_stream[Pipe](inf)
        self._pipes: list[Pipe] = []

    @property
    def round_trip_seconds(self) -> float | None:
        return None

    async def run(self) -> None:
        try:
            await self.ended.wait()
        finally:
            await self.aclose()

    async def open_stream(self) -> MuxedStream:
        if self.ended.is_set():
            raise LinkClosed("it has ended")
        ours, theirs = pipe()
        self._pipes += ours, theirs
        await self.other.opened.send(theirs)
        return ours

    async def accept_stream(self) -> MuxedStream:
        try:
            return await self.accepted.receive()
        except (anyio.EndOfStream, anyio.ClosedResourceError):
            raise LinkClosed("it has ended") from None

    async def aclose(self) -> None:
        for link in (self, self.other):
            link.ended.set()
            link.opened.close()
            link.accepted.close()
            for one in link._pipes:
                one.reset()


class Pending(PendingLink):
    """A link whose handshake is not done yet."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self.local_address, self.remote_address = link.local_address, link.remote_address

    async def complete(self) -> MuxedLink:
        await anyio.lowlevel.checkpoint()
        return self._link

    async def aclose(self) -> None:
        await self._link.aclose()


class Acceptor(Listener):
    """What somebody listens with."""

    def __init__(self, address: Multiaddr, key: PublicKey) -> None:
        self.key = key
        self._addresses = [address]
        self.arrive, self.arrived = anyio.create_memory_object_stream[IncomingLink](inf)

    @property
    def addresses(self) -> Sequence[Multiaddr]:
        return self._addresses

    async def accept(self) -> IncomingLink:
        return await self.arrived.receive()


@define
class Place:
    """Where the transports of several nodes meet."""

    listeners: dict[Multiaddr, Acceptor] = field(factory=dict)


@frozen
class MemoryTransport(Transport):
    """Dials and listens on ``/memory/<number>``."""

    place: Place
    identity: KeyPair
    muxed: bool

    def handles(self, address: Multiaddr) -> bool:
        return str(address).startswith("/memory/")

    async def dial(self, address: Multiaddr, options: DialOptions) -> RawLink | MuxedLink:
        listener = self.place.listeners.get(address)
        if listener is None:
            raise ConnectionRefusedError(options.expected)
        if not self.muxed:
            ours, theirs = pipe()
            await listener.arrive.send(RawLink(theirs, address, _DIALER, limits=LIMITS))
            return RawLink(ours, _DIALER, address, limits=LIMITS)
        link, other = Link(listener.key, _DIALER, address), Link(self.key, address, _DIALER)
        link.other, other.other = other, link
        await listener.arrive.send(Pending(other))
        return link

    @asynccontextmanager
    async def listen(self, address: Multiaddr) -> AsyncGenerator[Listener]:
        listener = self.place.listeners[address] = Acceptor(address, self.key)
        try:
            yield listener
        finally:
            del self.place.listeners[address]
            listener.arrive.close()
            listener.arrived.close()

    @property
    def key(self) -> PublicKey:
        return self.identity.public_key


class TransportPlugin:
    """Brings that transport."""

    info = PluginInfo("memory")

    def __init__(self, place: Place, *, muxed: bool) -> None:
        self._place = place
        self._muxed = muxed

    @hookimpl
    def peerloom_transports(self, ctx: PluginContext) -> list[Any]:
        return [MemoryTransport(self._place, ctx.identity, self._muxed)]
