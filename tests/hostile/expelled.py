"""An attacker on a connection that stands, and how it is shown the door."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio

from peerloom import PeerDisconnected
from peerloom._muxers._yamux_frames import DATA, GO_AWAY, GO_AWAY_PROTOCOL_ERROR, SYN
from tests.core.nodes import Serving
from tests.core.yamux_tools import decode, frame
from tests.hostile.foe import HEADER, channel_to, line
from tests.hostile.siege import siege

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from peerloom import Stream
    from tests.hostile.foe import Channel
    from tests.hostile.siege import Siege
    from tests.hostile.ways import Way

HOLD = HEADER + line("/hold/1")


async def hold(stream: Stream) -> None:
    """Reads nothing, for as long as the other side wants."""
    await anyio.sleep_forever()


def opened(stream_id: int, protocol: bytes = HOLD) -> bytes:
    """Open a stream and propose a protocol."""
    return frame(DATA, SYN, stream_id, len(protocol), protocol)


@asynccontextmanager
async def infiltrated(way: Way) -> AsyncGenerator[tuple[Siege, Channel, Any], None]:
    """A node, a channel of an attacker to it, and the events of its ended connections."""
    async with (
        siege(way, Serving(hold=hold)) as scene,
        scene.node.client.events(PeerDisconnected) as events,
        channel_to(scene.address, way.security[0]) as channel,
    ):
        await scene.wait_for("connected", lambda swarm: swarm["connections"] == 2)
        yield scene, channel, events


async def assert_expelled(
    scene: Siege,
    channel: Channel,
    events: Any,
    reason: str,
    *,
    told: bool = True,
    stays: bool = False,
) -> None:
    """The node says why, on the wire, as an event and in its status.

    It waits a second for an attacker who `stays` when the node has hung up.
    """
    frames = decode(await channel.until_closed())
    if not stays:
        await channel.hang_up()
    if told:
        reasons = [header.length for header, _ in frames if header.kind == GO_AWAY]
        assert reasons == [GO_AWAY_PROTOCOL_ERROR]
    with anyio.fail_after(10):
        event = await anext(events)
    assert event.cause.startswith("MuxerViolation: ")
    assert reason in event.cause
    swarm = await scene.swarm()
    assert swarm["ended_by"] == {"MuxerViolation": 1}
    assert reason in swarm["recent_failures"][-1]
