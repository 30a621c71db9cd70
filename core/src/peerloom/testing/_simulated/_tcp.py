"""TCP between simulated hosts: ``/ip4/<host>/tcp/<port>``, with all that NATs do to it."""

from __future__ import annotations

import errno
from collections import deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import anyio

from peerloom._addresses import tcp_address, tcp_endpoint
from peerloom._errors import ListenFailed
from peerloom._links import DialOptions, Listener, RawLink, Transport

from ._chance import draw
from ._internet import Landing, Lost
from ._pipe import PipeEnd, break_link, join
from ._places import ANY_HOST

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from multiaddr import Multiaddr

    from ._internet import Internet, Packet
    from ._nat_table import Endpoint
    from ._places import Host

ACCEPT_BACKLOG: Final = 1024
SYN_SECONDS: Final = (1.0, 2.0, 4.0, 8.0, 16.0)  # Linux sends again after these (tcp_syn_retries)


class SimulatedTcp(Transport):
    """Dials and listens on the host of one node, dials leaving from the listening port."""

    def __init__(self, internet: Internet, host: Host) -> None:
        self._internet = internet
        self._host = host

    def handles(self, address: Multiaddr) -> bool:
        """Whether the address is ``/ip4/<host>/tcp/<port>``."""
        return tcp_endpoint(address) is not None

    async def dial(self, address: Multiaddr, options: DialOptions) -> RawLink:
        """Connect, which takes one round trip; raises OSError as the system does."""
        endpoint = tcp_endpoint(address)
        assert endpoint is not None
        target: Endpoint = endpoint[1:]
        port = self._source_port(target) if options.reuse_port else self._host.free_port()
        if target == (self._host.ip, port):
            raise OSError(errno.EADDRINUSE, "connected to itself")
        dial = OpenDial(self._internet, self._host, port, target)
        end = await dial.connect()
        return RawLink(
            end,
            tcp_address(self._host.ip, port),
            tcp_address(*target),
            reuses_port=port in self._host.listeners,
        )

    @asynccontextmanager
    async def listen(self, address: Multiaddr) -> AsyncGenerator[SimulatedListener, None]:
        """Listen while the context lasts; raises `ListenFailed` if the port is taken."""
        endpoint = tcp_endpoint(address)
        assert endpoint is not None
        port = endpoint[2] or self._host.free_port()
        if port in self._host.listeners:
            raise ListenFailed(address, "Address already in use", port_taken=True)
        if endpoint[1] not in {ANY_HOST, self._host.ip}:
            raise ListenFailed(address, f"the host's address is {self._host.ip}")
        arrivals = self._host.listeners[port] = Arrivals(self._internet)
        try:
            yield SimulatedListener(tcp_address(self._host.ip, port), arrivals)
        finally:
            del self._host.listeners[port]
            arrivals.close()

    def _source_port(self, target: Endpoint) -> int:
        for port in self._host.listeners:
            if (port, target) not in self._host.links and (port, target) not in self._host.dials:
                return port
        return self._host.free_port()


class Arrivals:
    """Links that wait to be accepted on one port."""

    def __init__(self, internet: Internet) -> None:
        self._links: deque[RawLink] = deque()
        self._changed = internet.wakeup()
        self._closed = False

    @property
    def has_room(self) -> bool:
        """Whether the backlog takes one more link."""
        return not self._closed and len(self._links) < ACCEPT_BACKLOG

    def push(self, link: RawLink) -> None:
        """A link has come."""
        if self._closed:
            assert isinstance(link.stream, PipeEnd)
            break_link(link.stream)
        self._links.append(link)
        self._changed.set()

    def close(self) -> None:
        """Accept no more."""
        self._closed = True
        self._changed.set()

    async def take(self) -> RawLink:
        """The next link; raises `anyio.ClosedResourceError`."""
        while not self._links:
            if self._closed:
                raise anyio.ClosedResourceError
            await self._changed.wait()
        return self._links.popleft()


class SimulatedListener(Listener):
    """A listening port."""

    def __init__(self, address: Multiaddr, arrivals: Arrivals) -> None:
        self._addresses = (address,)
        self._arrivals = arrivals

    @property
    def addresses(self) -> Sequence[Multiaddr]:
        """The one address."""
        return self._addresses

    async def accept(self) -> RawLink:
        """The next link."""
        return await self._arrivals.take()


class OpenDial:
    """A dial under way from one port to one endpoint.

    Two that meet, each dialling the endpoint from which the other comes, make one link between
    them: TCP's simultaneous open (RFC 9293, section 3.5), which hole punching is made of.
    """

    def __init__(self, internet: Internet, host: Host, port: int, target: Endpoint) -> None:
        self._internet = internet
        self._host = host
        self._port = port
        self._target = target
        self._settled = anyio.Event()
        self._answered = False
        self._end: PipeEnd | None = None
        self._error: OSError | None = None

    async def connect(self) -> PipeEnd:
        """This side's end of the link; raises OSError."""
        key = (self._port, self._target)
        self._host.dials[key] = self
        try:
            for seconds in SYN_SECONDS:
                self._send_syn()
                with anyio.move_on_after(seconds):
                    await self._settled.wait()
                    return self._result()
        except BaseException:
            if self._end is not None:
                break_link(self._end)
            raise
        finally:
            self._settled.set()
            del self._host.dials[key]
        raise OSError(errno.ETIMEDOUT, "nobody answers")

    def _send_syn(self) -> None:
        internet, host = self._internet, self._host
        packet = internet.send(host, "tcp", (host.ip, self._port), self._target)
        if packet is not None:
            internet.wire.at(
                internet.arrival(host, None, packet.path, 0), self._syn_arrives, packet
            )

    def _syn_arrives(self, packet: Packet) -> None:
        if self._answered or self._settled.is_set():
            return
        landing = self._internet.land(packet)
        if isinstance(landing, Lost):
            if landing.refused:
                self._internet.wire.after(packet.path.latency, self._refuse, None)
            return
        other = landing.host.dials.get((landing.endpoint[1], landing.source))
        listener = landing.host.listeners.get(landing.endpoint[1])
        if other is not None:
            self._meet(other, packet, landing)
        elif listener is not None and listener.has_room:
            self._reach(listener, packet, landing)
        else:
            self._internet.wire.after(packet.path.latency, self._refuse, None)

    def _meet(self, other: OpenDial, packet: Packet, landing: Landing) -> None:
        if other._answered:
            return
        self._answered = other._answered = True
        ours, theirs = self._join(packet, landing)
        self._internet.wire.after(packet.path.latency, self._connected, ours)
        self._internet.wire.after(2 * packet.path.latency, other._connected, theirs)

    def _reach(self, listener: Arrivals, packet: Packet, landing: Landing) -> None:
        self._answered = True
        ours, theirs = self._join(packet, landing)
        link = RawLink(theirs, tcp_address(*landing.endpoint), tcp_address(*landing.source))
        self._internet.wire.after(packet.path.latency, self._connected, ours)
        self._internet.wire.after(2 * packet.path.latency, listener.push, link)

    def _join(self, packet: Packet, landing: Landing) -> tuple[PipeEnd, PipeEnd]:
        internet = self._internet
        ends = join(internet, packet, landing, self._port)
        lifetime = internet.weather.link_lifetime
        if lifetime is not None:
            internet.wire.after(draw(lifetime, internet.chance), break_link, ends[0])
        return ends

    def _connected(self, end: PipeEnd) -> None:
        if self._settled.is_set():  # given up meanwhile
            break_link(end)
        self._end = end
        self._settled.set()

    def _refuse(self, _: None) -> None:
        self._error = self._error or ConnectionRefusedError(
            errno.ECONNREFUSED, "nobody listens there"
        )
        self._settled.set()

    def _result(self) -> PipeEnd:
        if self._end is not None:
            return self._end
        assert self._error is not None
        raise self._error
