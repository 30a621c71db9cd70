"""A number that many nodes count together: state over topics, and its tests in virtual time.

    pytest examples/shared_counter.py

Each context (a game, a document, a room) has a topic of its own. Gossipsub keeps no history, and
messages of several authors come in any order, so what is published is never "one more" but the
whole state: how much each node has counted. Of two states the larger numbers are right, however
often they come. Whoever subscribes is sent the state by those who have it.
"""

from __future__ import annotations

import json
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import anyio

from peerloom import Lagged
from peerloom.testing import SimulatedNetwork, until
from peerloom_gossipsub import (
    Gossipsub,
    Message,
    NoPeersSubscribedToTopic,
    PeerSubscribed,
    context_topic,
)

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from peerloom import NetworkClient, Subscription
    from peerloom.testing import SimulatedNode

CONTEXT = "3TgfyRf8LoDcKRZzXVgUkDdWfMPt3cBXhYwLqzZXyNwr"
MINUTE = 60.0


class SharedCounter:
    """One node's part in the number of a context.

    `me` is a name that nobody has had before: who starts anew does not know what it had counted.
    """

    def __init__(self, client: NetworkClient, me: str, context_id: str) -> None:
        self._client = client
        self._gossip = Gossipsub(client)
        self._topic = context_topic(context_id)
        self._me = me
        self._counted: dict[str, int] = {}

    @property
    def value(self) -> int:
        """What all have counted, as far as it is known here."""
        return sum(self._counted.values())

    async def add(self, amount: int = 1) -> None:
        """Count."""
        self._counted[self._me] = self._counted.get(self._me, 0) + amount
        await self._tell()

    async def run(self) -> None:
        """Hear the others, and tell those who come, until the node stops."""
        async with (
            self._client.events(PeerSubscribed) as arrivals,
            self._gossip.messages(self._topic) as messages,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(self._welcome, arrivals)
            async for message in messages:
                for name, count in state_of(message).items():
                    self._counted[name] = max(count, self._counted.get(name, 0))

    async def _welcome(self, arrivals: Subscription[PeerSubscribed]) -> None:
        async for event in arrivals:
            if isinstance(event, Lagged) or event.topic == self._topic:
                await self._tell()

    async def _tell(self) -> None:
        with suppress(NoPeersSubscribedToTopic):  # whoever comes later is told by `_welcome`
            await self._gossip.publish(self._topic, json.dumps(self._counted).encode())


def state_of(message: Message) -> dict[str, int]:
    """What it says; nothing, if it is no state: anybody can publish."""
    with suppress(ValueError):
        told = json.loads(message.data)
        if isinstance(told, dict) and all(type(count) is int for count in told.values()):
            return told
    return {}


async def counting(node: SimulatedNode, me: str, tasks: TaskGroup) -> SharedCounter:
    """A counter that runs."""
    counter = SharedCounter(node.client, me, CONTEXT)
    tasks.start_soon(counter.run)
    return counter


async def agree(value: int, *counters: SharedCounter) -> None:
    """Wait until all know of it."""
    for counter in counters:
        await until(partial(getattr, counter, "value"), value.__eq__, within=MINUTE)


def test_all_count_together_and_who_crashed_learns_what_it_missed() -> None:
    async def scenario(network: SimulatedNetwork) -> None:
        ann, ben, cleo = await network.start(3, plugins=["gossipsub"])
        await ben.dial(ann)
        await cleo.dial(ann)
        async with anyio.create_task_group() as tasks:
            of_ann, of_ben, of_cleo = [
                await counting(node, node.name, tasks) for node in (ann, ben, cleo)
            ]
            await of_ben.add()
            await of_cleo.add(2)
            await agree(3, of_ann, of_ben, of_cleo)

            await ben.crash()
            await of_ann.add(10)
            await agree(13, of_cleo)

            await ben.restart()
            of_ben = await counting(ben, "ben, again", tasks)
            await ben.dial(ann)
            await agree(13, of_ben)
            await of_ben.add()
            await agree(14, of_ann, of_ben, of_cleo)
            for node in (ann, ben, cleo):
                await node.stop()  # which ends their counters

    SimulatedNetwork(seed=1, latency=0.1).run(scenario)
