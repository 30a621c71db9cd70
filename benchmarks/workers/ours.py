"""Ours: ``python -m benchmarks.workers.ours asyncio|trio``, a node with default settings."""

from __future__ import annotations

import sys
from importlib.metadata import version
from time import perf_counter
from typing import TYPE_CHECKING, Any

import anyio

from peerloom import IdentifyReceived, NetworkConfig, Node
from peerloom.plugin import Behaviour, InboundProtocol, PluginInfo, hookimpl

from .host import Duplex, Host
from .scripts import BULK
from .worker import run_worker

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from anyio.abc import TaskStatus

    from peerloom import Stream
    from peerloom.plugin import PluginContext

Fields = dict[str, Any]


class OurDuplex(Duplex):
    """A stream of ours."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    async def send(self, data: bytes) -> None:
        """Send all of it."""
        await self._stream.send(data)

    async def receive(self) -> bytes:
        """What has come."""
        try:
            return await self._stream.receive()
        except anyio.EndOfStream:
            return b""

    async def close(self) -> None:
        """Close both halves."""
        await self._stream.aclose()


class Watched(OurDuplex):
    """A stream of ours that notes when its receive window grew, if it is one of yamux."""

    def __init__(self, stream: Stream) -> None:
        super().__init__(stream)
        state = getattr(stream._muxed, "_state", None)  # noqa: SLF001 - no interest to users
        self._window = getattr(state, "window", None)
        self._sizes: list[tuple[float, int]] = []
        self._begun = perf_counter()

    async def receive(self) -> bytes:
        """What has come."""
        data = await super().receive()
        size = self._window.size if self._window else 0
        if not self._sizes or size != self._sizes[-1][1]:
            self._sizes.append((perf_counter(), size))
        return data

    def window_after(self, seconds: float) -> int:
        """How large the window was so long after the stream began."""
        by_then = [size for when, size in self._sizes if when <= self._begun + seconds]
        return by_then[-1] if by_then else 0


class Served:
    """The plugin that serves the benchmarks' protocols."""

    info = PluginInfo(name="benchmark")

    def __init__(self, served: Mapping[str, Callable[[Duplex], Awaitable[None]]]) -> None:
        self._served = served
        self.bulk: Watched | None = None

    @hookimpl
    def peerloom_behaviours(self, ctx: PluginContext) -> list[Behaviour]:  # noqa: ARG002
        """One behaviour with all protocols."""
        behaviour = Behaviour()
        behaviour.protocols = {
            name: InboundProtocol(self._handler(name, script), max_streams_per_peer=_MAX_STREAMS)
            for name, script in self._served.items()
        }
        return [behaviour]

    def _handler(
        self, name: str, script: Callable[[Duplex], Awaitable[None]]
    ) -> Callable[[Stream], Awaitable[None]]:
        async def bulk(stream: Stream) -> None:
            self.bulk = Watched(stream)
            await script(self.bulk)

        async def other(stream: Stream) -> None:
            await script(OurDuplex(stream))

        return bulk if name == BULK else other


class OurHost(Host):
    """A node of ours."""

    _node: Node
    _served: Served

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
        config = NetworkConfig(listen=[_LISTEN[transport].format(ip=ip)], security=[security])
        self._served = Served(served)
        async with Node(config, plugins=[self._served]) as node:
            self._node = node
            task_status.started(
                {
                    "peer": str(node.peer_id),
                    "addresses": [str(address) for address in node.addresses],
                    "implementation": "peerloom",
                    "version": version("peerloom"),
                }
            )
            await anyio.sleep_forever()

    async def dial(self, address: str) -> None:
        """Connect to somebody."""
        await self._node.client.dial(address)

    async def dial_identified(self, address: str) -> None:
        """Connect to somebody, and wait until it has said who it is."""
        async with self._node.client.events(IdentifyReceived) as events:
            connection = await self._node.client.dial(address)
            async for event in events:
                if isinstance(event, IdentifyReceived) and event.connection_id == connection.id:
                    return

    async def disconnect(self, peer: str) -> None:
        """Close the connections to a peer."""
        await self._node.client.disconnect(peer)

    async def open(self, peer: str, protocol: str) -> Duplex:
        """Open a stream."""
        return OurDuplex(await self._node.client.open_stream(peer, protocol))

    def window_after(self, seconds: float) -> int:
        """The receive window of the newest bulk stream, so long after it began."""
        bulk = self._served.bulk
        return bulk.window_after(seconds) if bulk else 0


_LISTEN = {"tcp": "/ip4/{ip}/tcp/0", "quic": "/ip4/{ip}/udp/0/quic-v1"}
_MAX_STREAMS = 256  # as many as a connection allows; a protocol's own default is 32 a peer


run_worker(OurHost(), sys.argv[1])
