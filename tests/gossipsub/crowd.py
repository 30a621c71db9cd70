"""Many nodes in one simulated network, who publishes what, and who has heard it when."""

from __future__ import annotations

from collections import defaultdict
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio

from peerloom_gossipsub import Gossipsub, Message
from tests.gossipsub.simulated import member

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from peerloom import Event
    from peerloom.testing import SimulatedNetwork, SimulatedNode

UNSIGNED = {"signing": "strict-no-sign", "message_id": "data-hash"}


class Crowd:
    """Nodes subscribed to news.

    Attributes:
        nodes: all of them.
        published: when each message was published, and by whom.
        heard: when each node has heard each message: once, if all is well.
    """

    def __init__(self, network: SimulatedNetwork, nodes: Sequence[SimulatedNode]) -> None:
        self.network = network
        self.nodes = nodes
        self.clients = [Gossipsub(node.client) for node in nodes]
        self.published: dict[bytes, tuple[float, int]] = {}
        self.heard: list[defaultdict[bytes, list[float]]] = [defaultdict(list) for _ in nodes]

    async def publish(self, publisher: int) -> None:
        data = b"%d" % len(self.published)
        self.published[data] = (self.network.now, publisher)
        await self.clients[publisher].publish("news", data)

    async def dial_all(self, pairs: Sequence[tuple[int, int]]) -> None:
        async with anyio.create_task_group() as tasks:
            for dialler, listener in pairs:
                tasks.start_soon(self.nodes[dialler].dial, self.nodes[listener])

    def delays(self, publishers: Sequence[int], listeners: Sequence[int]) -> list[float | None]:
        """How long each message of theirs was on its way to each of them; None if lost."""
        return [
            self.heard[listener][data][0] - at if self.heard[listener][data] else None
            for data, (at, publisher) in self.published.items()
            if publisher in publishers
            for listener in listeners
            if listener != publisher
        ]

    def heard_twice(self) -> list[bytes]:
        return [data for heard in self.heard for data, at in heard.items() if len(at) > 1]

    async def listen(self, number: int) -> None:
        async with self.nodes[number].events(Message) as events:
            async for event in events:
                self.hear(number, event)

    def hear(self, number: int, event: Event) -> None:
        assert isinstance(event, Message), event  # nothing may have been missed
        self.heard[number][event.data].append(self.network.now)


@asynccontextmanager
async def crowd(
    network: SimulatedNetwork, count: int, **settings: Any
) -> AsyncGenerator[Crowd, None]:
    """So many nodes, not connected yet."""
    nodes = [await member(network, **UNSIGNED, **settings).start() for _ in range(count)]
    made = Crowd(network, nodes)
    for client in made.clients:
        await client.subscribe("news")
    async with anyio.create_task_group() as tasks:
        for number in range(count):
            tasks.start_soon(made.listen, number)
        yield made
        tasks.cancel_scope.cancel()


def graph(network: SimulatedNetwork, count: int, degree: int) -> list[tuple[int, int]]:
    """Everybody dials so many others, and the next one: a connected graph."""
    chance = network.chance("graph")
    pairs = {
        (min(one, other), max(one, other))
        for one in range(count)
        for other in [(one + 1) % count, *chance.sample(range(count), degree)]
        if one != other
    }
    return sorted(pairs)
