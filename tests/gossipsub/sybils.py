"""Peers that take every message and pass none on, in a simulated network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from peerloom import NetworkConfig
from peerloom.plugin import Behaviour, InboundProtocol, PluginInfo, hookimpl
from peerloom_gossipsub._decode import decode_rpc
from peerloom_gossipsub._frames import FrameDecoder
from peerloom_gossipsub._rpc import Subscription
from tests.gossipsub.foreign import LIMITS, MESHSUB, say
from tests.gossipsub.simulated import NEVER_IDLE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anyio.abc import TaskGroup

    from peerloom import Stream
    from peerloom.testing import SimulatedNetwork, SimulatedNode


class Sybil:
    """Grafts whomever it is connected to as soon and as often as it may; says nothing else."""

    info = PluginInfo("sybil")

    def __init__(self) -> None:
        self._pruned_until: dict[object, float] = {}
        self._behaviour = Behaviour()
        self._behaviour.protocols = {MESHSUB: InboundProtocol(self._take)}

    @hookimpl
    def peerloom_behaviours(self) -> list[Behaviour]:
        return [self._behaviour]

    async def _take(self, stream: Stream) -> None:
        decoder = FrameDecoder(2**22)
        while True:
            for frame in decoder.feed(await stream.receive()):
                for prune in decode_rpc(frame, LIMITS).prune:
                    seconds = prune.backoff_seconds or 60
                    self._pruned_until[stream.peer] = anyio.current_time() + seconds + 1

    async def besiege(self, own: SimulatedNode, victim: SimulatedNode) -> None:
        """Keep in its mesh."""
        await own.dial(victim)
        voice = await own.client.open_stream(victim.peer_id, MESHSUB)
        await say(voice, subscriptions=[Subscription("news", subscribed=True)])
        while True:
            if self._pruned_until.get(victim.peer_id, 0.0) <= anyio.current_time():
                await say(voice, graft=["news"])
            await anyio.sleep(1)


async def let_loose(
    network: SimulatedNetwork,
    tasks: TaskGroup,
    count: int,
    victims: Sequence[SimulatedNode],
) -> None:
    """So many sybils, each around half of the victims."""
    quiet = NetworkConfig(keep_alive_seconds=NEVER_IDLE_SECONDS)
    for _ in range(count):
        sybil = Sybil()
        node = await network.node(plugins=[sybil], config=quiet).start()
        for victim in network.chance(node.name).sample(victims, len(victims) // 2):
            tasks.start_soon(sybil.besiege, node, victim)
