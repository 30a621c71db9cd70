"""What the tests of a simulated network send to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peerloom import (
    NetworkConfig,
)
from peerloom.plugin import Behaviour, InboundProtocol, PluginInfo, hookimpl

if TYPE_CHECKING:
    from peerloom import Stream
    from peerloom.plugin import PluginContext
    from peerloom.testing import SimulatedNetwork, SimulatedNode

MIB = 1024 * 1024
SINK = "/sink/1"
NEVER_IDLE = NetworkConfig(strict=True, keep_alive_seconds=1e9)


class Sink:
    """A plugin that reads all of a stream and then says one byte; it counts its starts."""

    info = PluginInfo("sink")

    @hookimpl
    def peerloom_setup(self, ctx: PluginContext) -> None:
        store = ctx.store("starts")
        self.starts = int(store.get("count") or b"0") + 1
        store.put("count", str(self.starts).encode())

    @hookimpl
    def peerloom_behaviours(self) -> list[Behaviour]:
        behaviour = Behaviour()
        behaviour.protocols = {SINK: InboundProtocol(self._read)}
        return [behaviour]

    async def _read(self, stream: Stream) -> None:
        async for _ in stream:
            pass
        await stream.send(b".")
        await stream.aclose()


async def seconds_to_send(
    network: SimulatedNetwork, one: SimulatedNode, other: SimulatedNode, count: int
) -> float:
    """From the first byte until the other has read the last, and has said so."""
    stream = await one.client.open_stream(other.peer_id, SINK)
    began_at = network.now
    await stream.send(bytes(count))
    await stream.send_eof()
    assert await stream.receive() == b"."
    return network.now - began_at
