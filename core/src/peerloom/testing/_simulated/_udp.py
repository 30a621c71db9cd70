"""UDP between simulated hosts: what `UdpSocket` is to QUIC, where there is no system."""

from __future__ import annotations

import errno
from collections import deque
from typing import TYPE_CHECKING, Final

import anyio

from ._internet import Landing
from ._places import ANY_HOST

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Sequence

    from peerloom._transports._udp import Address, Datagram

    from ._internet import Internet, Packet
    from ._places import Host

RECEIVE_BUFFER_BYTES: Final = 4 * 1024 * 1024  # what a socket holds unread; more is dropped
QUEUE_SECONDS: Final = 1.0  # what a host's line holds unsent; more is dropped


class SimulatedUdpSocket:
    """See `UdpSocket`. Datagrams may be lost, and nobody refuses any."""

    unsendable = 0
    blocked = False

    def __init__(
        self, internet: Internet, host: Host, family: socket.AddressFamily, port: int
    ) -> None:
        """Bind; raises OSError if the port is taken."""
        if port in host.sockets:
            raise OSError(errno.EADDRINUSE, "Address already in use")
        self.family = family
        self.address = (host.ip, port or host.free_port())
        self.closed = False
        self._internet = internet
        self._host = host
        self._arrived: deque[Datagram] = deque()
        self._unread = 0
        self._changed = internet.wakeup()
        host.sockets[self.address[1]] = self

    def host_towards(self, remote: Address) -> str:  # noqa: ARG002
        """The host from which datagrams to that address leave."""
        return self._host.ip

    def receive_singly(self) -> None:
        """It never does otherwise."""

    def close(self) -> None:
        """Close it; who waits gets `anyio.ClosedResourceError`."""
        if not self.closed:
            self.closed = True
            del self._host.sockets[self.address[1]]
            self._changed.set()

    async def wait_readable(self) -> None:
        """Wait until there is something to receive."""
        while not self._arrived:
            if self.closed:
                raise anyio.ClosedResourceError
            await self._changed.wait()
        await anyio.lowlevel.checkpoint()

    async def wait_writable(self) -> None:
        """It always is, so that nobody asks."""
        await anyio.sleep_forever()

    def receive(self) -> Iterator[tuple[bytes, int, Address]]:
        """What has arrived."""
        while self._arrived:
            data, source = self._arrived.popleft()
            self._unread -= len(data)
            yield data, len(data), source

    def refused(self) -> Iterator[tuple[str, int]]:
        """Nobody refuses here."""
        return iter(())

    def send(self, datagrams: Sequence[Datagram]) -> None:
        """Send; to where no socket is, in vain."""
        for data, to in datagrams:
            self._send(data, (to[0], to[1]))

    def flush(self) -> None:
        """Nothing ever waits."""

    def _send(self, data: bytes, to: tuple[str, int]) -> None:
        internet, host = self._internet, self._host
        packet = internet.send(host, "udp", self.address, to)
        if packet is None or host.sending_until - internet.wire.now() > QUEUE_SECONDS:
            return
        time = internet.arrival(host, None, packet.path, len(data))
        if internet.chance.random() >= internet.weather.datagram_loss:
            internet.wire.at(time, self._arrives, (packet, bytes(data)))

    def _arrives(self, arriving: tuple[Packet, bytes]) -> None:
        packet, data = arriving
        landing = self._internet.land(packet)
        if isinstance(landing, Landing):
            receiver = landing.host.sockets.get(landing.endpoint[1])
            if receiver is not None and receiver._unread < RECEIVE_BUFFER_BYTES:
                receiver._put(data, landing.source)

    def _put(self, data: bytes, source: tuple[str, int]) -> None:
        self._arrived.append((data, source))
        self._unread += len(data)
        self._changed.set()


def bind_udp(
    internet: Internet, host: Host, family: socket.AddressFamily, ip: str, port: int
) -> SimulatedUdpSocket:
    """A socket of that host; raises OSError if the address is not its own."""
    if ip not in {ANY_HOST, host.ip}:
        raise OSError(f"the host's address is {host.ip}")
    return SimulatedUdpSocket(internet, host, family, port)
