"""py-libp2p: ``python -m benchmarks.workers.py_libp2p``; the host is the interop peer's."""

from __future__ import annotations

import logging
from contextlib import suppress
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import trio
from libp2p.host import basic_host
from libp2p.network.stream.exceptions import StreamEOF
from libp2p.peer.id import ID
from multiaddr import Multiaddr

from tests.interop.peers.py.host import create_host

from .host import Duplex, Host
from .worker import run_worker

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from anyio.abc import TaskStatus

Fields = dict[str, Any]

_READ_BYTES: Final = 256 * 1024


class PyDuplex(Duplex):
    """A stream of py-libp2p."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def send(self, data: bytes) -> None:
        """Send all of it."""
        await self._stream.write(data)

    async def receive(self) -> bytes:
        """What has come."""
        try:
            return bytes(await self._stream.read(_READ_BYTES))
        except StreamEOF:
            return b""

    async def close(self) -> None:
        """Close both halves."""
        await self._stream.close()


class PyHost(Host):
    """A node of py-libp2p."""

    _host: Any
    _identified: trio.MemoryReceiveChannel[str]

    async def run(
        self,
        served: Mapping[str, Callable[[Duplex], Awaitable[None]]],
        *,
        transport: str,
        security: str,
        ip: str,
        task_status: TaskStatus[Fields],
    ) -> None:
        """Listen until cancelled."""
        host: Any = create_host(
            {
                "identity": "ed25519",
                "transports": [transport],
                "security": [security],
                "muxers": ["yamux"],
            }
        )
        for protocol, behaviour in served.items():
            host.set_stream_handler(protocol, _handler(behaviour))
        self._identified = _told_of_identify()
        async with host.run(listen_addrs=[Multiaddr(_LISTEN[transport].format(ip=ip))]):
            self._host = host
            task_status.started(
                {
                    "peer": host.get_id().to_string(),
                    "addresses": [str(address) for address in host.get_addrs()],
                    "implementation": "py-libp2p",
                    "version": version("libp2p"),
                }
            )
            await trio.sleep_forever()

    async def dial(self, address: str) -> None:
        """Connect to somebody."""
        peer = ID.from_string(address.rpartition("/p2p/")[2])
        await self._host.get_network().dial_addr(Multiaddr(address), peer)

    async def dial_identified(self, address: str) -> None:
        """Connect to somebody, and wait until it has said who it is."""
        peer = address.rpartition("/p2p/")[2]
        # What it knows of a peer it never asks for again, on no connection.
        self._host.get_peerstore().clear_protocol_data(ID.from_string(peer))
        await self.dial(address)
        while await self._identified.receive() != peer:
            pass

    async def disconnect(self, peer: str) -> None:
        """Close the connections to a peer."""
        await self._host.disconnect(ID.from_string(peer))

    async def open(self, peer: str, protocol: str) -> Duplex:
        """Open a stream."""
        return PyDuplex(await self._host.new_stream(ID.from_string(peer), [protocol]))


def _told_of_identify() -> trio.MemoryReceiveChannel[str]:
    """Who has been identified; py-libp2p tells nobody, so the function it goes through does."""
    update = basic_host.update_peerstore_from_identify
    tell, told = trio.open_memory_channel[str](1)

    async def and_tell(peerstore: Any, peer_id: Any, message: Any) -> None:
        await update(peerstore, peer_id, message)
        with suppress(trio.WouldBlock):
            tell.send_nowait(peer_id.to_string())

    basic_host.update_peerstore_from_identify = and_tell  # type: ignore[assignment]
    return told


_LISTEN: Final = {"tcp": "/ip4/{ip}/tcp/0", "quic": "/ip4/{ip}/udp/0/quic-v1"}


def _handler(behaviour: Callable[[Duplex], Awaitable[None]]) -> Callable[[Any], Awaitable[None]]:
    async def handle(stream: Any) -> None:
        try:
            await behaviour(PyDuplex(stream))
        except Exception:
            logging.getLogger("worker").exception("inbound stream")

    return handle


run_worker(PyHost(), "trio")
