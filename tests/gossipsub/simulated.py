"""Gossipsub between real nodes in virtual time, on both backends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from peerloom import NetworkConfig
from peerloom.testing import Recorder, SimulatedNetwork
from peerloom_gossipsub import Gossipsub, Message
from peerloom_gossipsub._rpc import Subscription
from tests.gossipsub.foreign import MESHSUB, Ear, ForeignPlugin, say
from tests.simulation.clock import run_on_asyncio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from peerloom.testing import SimulatedNode

T = TypeVar("T")
NEVER_IDLE_SECONDS = 1e9


def simulate(
    backend: str, scenario: Callable[..., Awaitable[T]], *args: Any, seed: int = 1, **weather: Any
) -> T:
    """Run a scenario; on asyncio nothing is recorded, and chance is not all of the seed."""
    network = SimulatedNetwork(seed, record=(), **weather)
    if backend == "trio":
        return network.run(scenario, *args)
    return run_on_asyncio(network, scenario, *args)


def config(**settings: Any) -> NetworkConfig:
    return NetworkConfig(
        strict=True, keep_alive_seconds=NEVER_IDLE_SECONDS, settings={"gossipsub": settings}
    )


def member(network: SimulatedNetwork, **settings: Any) -> SimulatedNode:
    """A node with gossipsub, not started."""
    return network.node(plugins=["gossipsub"], config=config(**settings))


def bare(network: SimulatedNetwork, *plugins: object) -> SimulatedNode:
    """A node without gossipsub, not started."""
    quiet = NetworkConfig(strict=True, keep_alive_seconds=NEVER_IDLE_SECONDS)
    return network.node(plugins=plugins, config=quiet)


async def report(node: SimulatedNode) -> dict[str, Any]:
    """What gossipsub says of itself."""
    told: dict[str, Any] = (await node.client.status())["plugins"]["gossipsub"]["report"]
    return told


async def counts(node: SimulatedNode) -> dict[str, int]:
    return dict((await report(node))["counts"])


class Foreigner:
    """A peer that speaks by hand, connected to a node and subscribed as it is."""

    def __init__(self, node: SimulatedNode, other: SimulatedNode, plugin: ForeignPlugin) -> None:
        self.node = node
        self.other = other
        self.plugin = plugin
        self.ear: Ear

    @classmethod
    async def beside(cls, network: SimulatedNetwork, node: SimulatedNode) -> Foreigner:
        plugin = ForeignPlugin()
        other = await bare(network, plugin).start()
        await other.dial(node)
        self = cls(node, other, plugin)
        await self.speak_anew()
        await self.say(subscriptions=[Subscription("news", subscribed=True)])
        self.ear = Ear(await plugin.stream(0))
        return self

    async def speak_anew(self) -> None:
        """On another stream."""
        self.voice = await self.other.client.open_stream(self.node.peer_id, MESHSUB)

    async def say(self, **content: Any) -> None:
        await say(self.voice, **content)


async def listening(network: SimulatedNetwork, **settings: Any) -> tuple[SimulatedNode, Gossipsub]:
    """A node subscribed to news."""
    node = await member(network, **settings).start()
    client = Gossipsub(node.client)
    await client.subscribe("news")
    return node, client


def heard(node: SimulatedNode) -> Recorder:
    return Recorder(node.client, Message)


async def beats(count: int) -> None:
    """So many heartbeats pass."""
    await anyio.sleep(count)
