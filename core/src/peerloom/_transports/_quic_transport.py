"""QUIC: ``/ip4|ip6/<host>/udp/<port>/quic-v1``.

Dials leave from a listening socket where one reaches the address: hole punching needs that, and a
NAT in between then keeps one mapping. Other dials share one socket for each address family.
"""

from __future__ import annotations

import socket
from collections import Counter, deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

import anyio

from peerloom._addresses import interface_hosts, quic_address, quic_endpoint
from peerloom._links import DialOptions, Listener, PendingLink, Transport
from peerloom._unread import UnreadLedger

from ._cannot_listen import cannot_listen
from ._quic_endpoint import QuicEndpoint
from ._quic_engines import choose_engines
from ._quic_settings import QuicSettings
from ._udp import UdpSocket

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence

    from multiaddr import Multiaddr

    from peerloom._libp2p import KeyPair
    from peerloom._links import MuxedLink
    from peerloom._runtime import Runtime

    from ._quic_engine import QuicEngines, SocketAddress
    from ._quic_link import QuicLink

ACCEPT_BACKLOG: Final = 256  # handshakes of others that nobody has taken up yet

_LOOPBACK: Final = {"127.0.0.1", "::1"}
_ANY: Final = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}  # noqa: S104 - to dial from


class QuicTransport(Transport):
    """Dials and listens on QUIC, IPv4 and IPv6.

    Args:
        identity: who this node is.
        runtime: time and chance.
        spawn: runs the task of a socket; it ends by itself when the socket is used no more.
        settings: the bounds of a connection.
        engines: what speaks QUIC; chosen and tested on first use by default.
        bind: makes a bound socket, or what stands for one in a simulation.
        ledger: bounds what the connections of the node hold unread.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - what a transport needs, each once
        self,
        identity: KeyPair,
        runtime: Runtime,
        spawn: Callable[[Callable[[], Coroutine[Any, Any, None]]], object],
        settings: QuicSettings | None = None,
        engines: QuicEngines | None = None,
        bind: Callable[[socket.AddressFamily, str, int], UdpSocket] = UdpSocket.bind,
        ledger: UnreadLedger | None = None,
    ) -> None:
        self._identity = identity
        self._runtime = runtime
        self._spawn = spawn
        self._settings = settings or QuicSettings()
        self._engines = engines
        self._bind = bind
        self._ledger = ledger or UnreadLedger()
        self._choosing = anyio.Lock()
        self._listening: list[tuple[socket.AddressFamily, QuicEndpoint]] = []
        self._dialing: dict[socket.AddressFamily, QuicEndpoint] = {}

    def handles(self, address: Multiaddr) -> bool:
        """Whether the address is ``/ip4|ip6/<host>/udp/<port>/quic-v1``."""
        return quic_endpoint(address) is not None

    async def dial(self, address: Multiaddr, options: DialOptions) -> QuicLink:
        """Connect, from a socket that listens where there is one."""
        endpoint = quic_endpoint(address)
        assert endpoint is not None
        family, host, port = endpoint
        engines = await self._chosen()
        remote: SocketAddress = (host, port) if family == socket.AF_INET else (host, port, 0, 0)
        source = self._source_for(family, host) if options.reuse_port else None
        link = (source or self._own_socket(family, engines)).dial(remote, options.expected)
        try:
            await link.handshake()
        except BaseException:
            link.cut()
            raise
        return link

    @asynccontextmanager
    async def listen(self, address: Multiaddr) -> AsyncGenerator[QuicListener, None]:
        """Listen while the context lasts; raises `ListenFailed` if the port is taken."""
        found = quic_endpoint(address)
        assert found is not None
        family, host, port = found
        engines = await self._chosen()
        try:
            sock = self._bind(family, host, port)
        except OSError as error:
            raise cannot_listen(address, error) from error
        endpoint = self._start(sock, engines)
        endpoint.lease()
        listener = QuicListener(endpoint, family)
        self._listening.append((family, endpoint))
        try:
            yield listener
        finally:
            self._listening.remove((family, endpoint))
            listener.close()
            endpoint.release()

    def status(self) -> Mapping[str, Any]:
        """The engine, and what sockets have refused."""
        counters: Counter[str] = Counter()
        for _, endpoint in self._listening:
            counters.update(endpoint.counters)
        return {"engine": self._engines.name if self._engines else None, **counters}

    async def _chosen(self) -> QuicEngines:
        async with self._choosing:
            if self._engines is None:
                self._engines = await choose_engines(self._identity, self._runtime, self._settings)
        return self._engines

    def _start(self, sock: UdpSocket, engines: QuicEngines) -> QuicEndpoint:
        endpoint = QuicEndpoint(sock, engines, self._runtime, self._settings, self._ledger)
        self._spawn(endpoint.run)
        return endpoint

    def _source_for(self, family: socket.AddressFamily, host: str) -> QuicEndpoint | None:
        for listening, endpoint in self._listening:
            if listening == family and (host in _LOOPBACK or endpoint.address[0] not in _LOOPBACK):
                return endpoint
        return None

    def _own_socket(self, family: socket.AddressFamily, engines: QuicEngines) -> QuicEndpoint:
        endpoint = self._dialing.get(family)
        if endpoint is None or endpoint.closed:
            sock = self._bind(family, _ANY[family], 0)
            endpoint = self._dialing[family] = self._start(sock, engines)
        return endpoint


class QuicListener(Listener):
    """Accepts the QUIC connections that others begin."""

    def __init__(self, endpoint: QuicEndpoint, family: socket.AddressFamily) -> None:
        host, port = endpoint.address
        hosts = list(interface_hosts(family)) if host in _ANY.values() else [host]
        self._addresses = tuple(quic_address(each, port) for each in hosts)
        self._links: deque[QuicLink] = deque()
        self._arrived = anyio.Event()
        self._closed = False
        self._endpoint = endpoint
        endpoint.on_link = self._push

    @property
    def addresses(self) -> Sequence[Multiaddr]:
        """The bound addresses; a wildcard stands for the interfaces' addresses."""
        return self._addresses

    async def accept(self) -> PendingLink:
        """The next connection, its handshake under way."""
        while not self._links:
            if self._closed:
                raise anyio.ClosedResourceError
            self._arrived = anyio.Event()
            await self._arrived.wait()
        return PendingQuicLink(self._links.popleft())

    def close(self) -> None:
        """Accept no more; connections in service live on."""
        self._endpoint.on_link = None
        self._closed = True
        self._arrived.set()
        while self._links:
            self._links.popleft().refuse()

    def _push(self, link: QuicLink) -> bool:
        if len(self._links) >= ACCEPT_BACKLOG:
            return False
        self._links.append(link)
        self._arrived.set()
        return True


class PendingQuicLink(PendingLink):
    """A connection that another begins."""

    def __init__(self, link: QuicLink) -> None:
        self.local_address = link.local_address
        self.remote_address = link.remote_address
        self._link = link

    async def complete(self) -> MuxedLink:
        """Wait for the end of the handshake; raises `HandshakeFailed`."""
        await self._link.handshake()
        return self._link

    async def aclose(self) -> None:
        """Refuse it."""
        self._link.refuse()
        await anyio.lowlevel.checkpoint()
