"""A network of links that take time: ``/memory/<number>``, over byte pipes or over QUIC.

Connecting a pipe costs one round trip, as TCP does; whatever is sent arrives half a round trip
later. Datagrams go the same way, and QUIC's own code makes connections of them.
"""

from __future__ import annotations

from collections import deque
from contextlib import asynccontextmanager
from itertools import count
from math import inf
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import anyio
from anyio.abc import ByteStream
from anyio.lowlevel import checkpoint
from multiaddr import Multiaddr

from peerloom._addresses import names
from peerloom._links import Listener, RawLink, Transport
from peerloom._transports import QuicTransport
from peerloom.plugin import PluginInfo, hookimpl

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncGenerator, Iterator, Sequence

    from peerloom._links import DialOptions, IncomingLink, MuxedLink
    from peerloom._transports._udp import Address, Datagram
    from peerloom.plugin import PluginContext

T = TypeVar("T")

_QUIC_PORT = 4001


class SimulatedNetwork:
    """Who listens where, and how long the way is."""

    def __init__(self, round_trip_seconds: float) -> None:
        self.round_trip_seconds = round_trip_seconds
        self.delay_seconds = round_trip_seconds / 2
        self.listeners: dict[Multiaddr, WireListener] = {}
        self.sockets: dict[tuple[str, int], SimulatedUdpSocket] = {}
        self.ports = count(50_000)

    def bind(self, family: socket.AddressFamily, host: str, port: int) -> SimulatedUdpSocket:
        """A socket for datagrams, as `UdpSocket.bind`."""
        return SimulatedUdpSocket(self, family, (host, port or next(self.ports)))


class OnSimulatedNetwork:
    """The plugin that puts a node on a network, over byte pipes or over QUIC."""

    info = PluginInfo("simulated-network")

    def __init__(self, network: SimulatedNetwork, *, quic: bool = False) -> None:
        self._network = network
        self._quic = quic

    @hookimpl
    def peerloom_transports(self, ctx: PluginContext) -> list[Transport]:
        """The one transport."""
        if not self._quic:
            return [PipeTransport(self._network)]
        bind: Any = self._network.bind
        return [OverQuic(QuicTransport(ctx.identity, ctx.runtime, ctx.spawn, bind=bind))]


class _Way(Generic[T]):
    """One direction: things arrive some time after they were sent, in order."""

    def __init__(self, delay_seconds: float) -> None:
        self._delay_seconds = delay_seconds
        self._things: deque[tuple[float, T]] = deque()
        self._changed = anyio.Event()
        self.closed = False

    def send(self, thing: T) -> None:
        self._things.append((anyio.current_time() + self._delay_seconds, thing))
        self._changed.set()

    def close(self) -> None:
        self.closed = True
        self._changed.set()

    def put_back(self, thing: T) -> None:
        self._things.appendleft((anyio.current_time(), thing))

    def take(self) -> T | None:
        """What has arrived."""
        if self._things and self._things[0][0] <= anyio.current_time():
            return self._things.popleft()[1]
        return None

    async def wait(self) -> None:
        """Wait until something has arrived; raises `anyio.ClosedResourceError`."""
        await checkpoint()
        while not self.closed:
            arrives_at = self._things[0][0] if self._things else inf
            if arrives_at <= anyio.current_time():
                return
            self._changed = anyio.Event()
            with anyio.CancelScope(deadline=arrives_at):
                await self._changed.wait()
        raise anyio.ClosedResourceError


class WireEnd(ByteStream):
    """One end of a pipe; empty bytes on the way are its end."""

    def __init__(self, incoming: _Way[bytes], outgoing: _Way[bytes]) -> None:
        self._in = incoming
        self._out = outgoing

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Up to `max_bytes` bytes."""
        await self._in.wait()
        data = self._in.take()
        assert data is not None
        if not data:
            self._in.put_back(data)
            raise anyio.EndOfStream
        if len(data) > max_bytes:
            self._in.put_back(data[max_bytes:])
        return data[:max_bytes]

    async def send(self, item: bytes | bytearray | memoryview) -> None:
        """Send all of it, as one piece."""
        await checkpoint()
        if self._in.closed:
            raise anyio.ClosedResourceError
        if item:
            self._out.send(bytes(item))

    async def send_eof(self) -> None:
        """End the writing half."""
        await checkpoint()
        self._out.send(b"")

    async def aclose(self) -> None:
        """Close both halves."""
        self._in.close()
        self._out.send(b"")
        await checkpoint()


class WireListener(Listener):
    """Accepts pipes as soon as the dialler's last word of connecting is there."""

    def __init__(self, address: Multiaddr, delay_seconds: float) -> None:
        self._addresses = (address,)
        self.links: _Way[RawLink] = _Way(delay_seconds)

    @property
    def addresses(self) -> Sequence[Multiaddr]:
        """The one address."""
        return self._addresses

    async def accept(self) -> RawLink:
        """The next link."""
        await self.links.wait()
        link = self.links.take()
        assert link is not None
        return link


class PipeTransport(Transport):
    """Dials and listens on ``/memory/<number>`` over pipes of a simulated network."""

    def __init__(self, network: SimulatedNetwork) -> None:
        self._network = network

    def handles(self, address: Multiaddr) -> bool:
        """Whether the address is ``/memory/<number>``."""
        return names(address) == ("memory",)

    async def dial(self, address: Multiaddr, options: DialOptions) -> RawLink:
        """Connect, which takes a round trip."""
        await anyio.sleep(self._network.round_trip_seconds)
        listener = self._network.listeners.get(address)
        if listener is None:
            raise ConnectionRefusedError(f"nobody listens on {address}")
        there, back = (_Way[bytes](self._network.delay_seconds) for _ in range(2))
        own = Multiaddr(f"/memory/{next(self._network.ports)}")
        listener.links.send(RawLink(WireEnd(there, back), address, own))
        return RawLink(WireEnd(back, there), own, address)

    @asynccontextmanager
    async def listen(self, address: Multiaddr) -> AsyncGenerator[WireListener, None]:
        """Listen while the context lasts."""
        listener = WireListener(address, self._network.delay_seconds)
        self._network.listeners[address] = listener
        try:
            yield listener
        finally:
            del self._network.listeners[address]
            listener.links.close()


class OverQuic(Transport):
    """``/memory/<number>`` by QUIC to a host of that number."""

    def __init__(self, quic: QuicTransport) -> None:
        self._quic = quic

    def handles(self, address: Multiaddr) -> bool:
        """Whether the address is ``/memory/<number>``."""
        return names(address) == ("memory",)

    async def dial(self, address: Multiaddr, options: DialOptions) -> MuxedLink:
        """Connect by QUIC."""
        link = await self._quic.dial(_quic_address(address), options)
        link.remote_address = address
        return link

    @asynccontextmanager
    async def listen(self, address: Multiaddr) -> AsyncGenerator[Listener, None]:
        """Listen while the context lasts."""
        async with self._quic.listen(_quic_address(address)) as listener:
            yield _Renamed(listener, address)


class _Renamed(Listener):
    def __init__(self, listener: Listener, address: Multiaddr) -> None:
        self._listener = listener
        self._addresses = (address,)

    @property
    def addresses(self) -> Sequence[Multiaddr]:
        return self._addresses

    async def accept(self) -> IncomingLink:
        return await self._listener.accept()


class SimulatedUdpSocket:
    """What `UdpSocket` is to QUIC, on a simulated network."""

    unsendable = 0
    blocked = False

    def __init__(
        self, network: SimulatedNetwork, family: socket.AddressFamily, address: tuple[str, int]
    ) -> None:
        self.family = family
        self.address = address
        self._network = network
        self._arriving: _Way[Datagram] = _Way(network.delay_seconds)
        network.sockets[address] = self

    @property
    def closed(self) -> bool:
        """Whether it has been closed."""
        return self._arriving.closed

    def host_towards(self, remote: Address) -> str:
        """The host from which datagrams to that address leave."""
        return self.address[0]

    def close(self) -> None:
        """Close it."""
        self._arriving.close()
        self._network.sockets.pop(self.address, None)

    async def wait_readable(self) -> None:
        """Wait until there is something to receive."""
        await self._arriving.wait()

    async def wait_writable(self) -> None:
        """It always is; waits until it is closed, so that nobody waits in vain twice."""
        await anyio.sleep_forever()

    def receive(self) -> Iterator[tuple[bytes, int, Address]]:
        """What has arrived."""
        while (datagram := self._arriving.take()) is not None:
            data, source = datagram
            yield data, len(data), source

    def refused(self) -> Iterator[tuple[str, int]]:
        """Nobody refuses here."""
        return iter(())

    def send(self, datagrams: Sequence[Datagram]) -> None:
        """Send; to where no socket is, in vain."""
        for data, to in datagrams:
            if (target := self._network.sockets.get(to[:2])) is not None:
                target._arriving.send((data, self.address))

    def flush(self) -> None:
        """Nothing ever waits."""


def _quic_address(address: Multiaddr) -> Multiaddr:
    number = str(address).rpartition("/")[2]
    return Multiaddr(f"/ip4/10.0.0.{number}/udp/{_QUIC_PORT}/quic-v1")
