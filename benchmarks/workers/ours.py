"""Ours: ``python -m benchmarks.workers.ours asyncio|trio``, a node with default settings."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import anyio

from peerloom import NetworkConfig, Node
from peerloom.plugin import Behaviour, InboundProtocol, PluginInfo, hookimpl

from .host import Duplex, Host
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
        return await self._stream.receive()

    async def close(self) -> None:
        """Close both halves."""
        await self._stream.aclose()


class Served:
    """The plugin that serves the benchmarks' protocols."""

    info = PluginInfo(name="benchmark")

    def __init__(self, served: Mapping[str, Callable[[Duplex], Awaitable[None]]]) -> None:
        self._served = served

    @hookimpl
    def peerloom_behaviours(self, ctx: PluginContext) -> list[Behaviour]:  # noqa: ARG002
        """One behaviour with all protocols."""
        behaviour = Behaviour()
        behaviour.protocols = {name: _inbound(script) for name, script in self._served.items()}
        return [behaviour]


class OurHost(Host):
    """A node of ours."""

    _node: Node

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
        async with Node(config, plugins=[Served(served)]) as node:
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

    async def disconnect(self, peer: str) -> None:
        """Close the connections to a peer."""
        await self._node.client.disconnect(peer)

    async def open(self, peer: str, protocol: str) -> Duplex:
        """Open a stream."""
        return OurDuplex(await self._node.client.open_stream(peer, protocol))


_LISTEN = {"tcp": "/ip4/{ip}/tcp/0"}


def _inbound(script: Callable[[Duplex], Awaitable[None]]) -> InboundProtocol:
    async def handler(stream: Stream) -> None:
        await script(OurDuplex(stream))

    return InboundProtocol(handler)


run_worker(OurHost(), sys.argv[1])
