"""Our gossipsub: ``python -m benchmarks.workers.gossip_ours asyncio|trio``, default settings."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from peerloom import NetworkConfig, Node
from peerloom_gossipsub import Gossipsub, Message

from .gossip_node import GossipNode
from .gossip_worker import run_gossip_worker
from .messages import TOPIC

if TYPE_CHECKING:
    from anyio.abc import TaskStatus

Fields = dict[str, Any]

_UNSIGNED = {"signing": "strict-no-sign", "message_id": "data-hash"}


class OurGossipNode(GossipNode):
    """A node of ours."""

    _node: Node
    _gossip: Gossipsub

    async def run(self, *, security: str, signed: bool, task_status: TaskStatus[Fields]) -> None:
        """Listen and hear until cancelled."""
        config = NetworkConfig(
            listen=["/ip4/127.0.0.1/tcp/0"],
            security=[security],
            settings={} if signed else {"gossipsub": _UNSIGNED},
        )
        async with Node(config) as self._node:
            self._gossip = Gossipsub(self._node.client)
            async with self._node.client.events(Message) as messages:
                await self._gossip.subscribe(TOPIC)
                task_status.started(
                    {
                        "peer": str(self._node.peer_id),
                        "address": str(self._node.addresses[0]),
                        "implementation": "peerloom",
                        "version": version("peerloom"),
                    }
                )
                async for each in messages:
                    if isinstance(each, Message):  # what a `Lagged` stands for counts as lost
                        self.heard.take(each.data)

    async def dial(self, address: str) -> None:
        """Connect to somebody."""
        await self._node.client.dial(address)

    async def mesh_size(self) -> int:
        """How many peers are in the topic's mesh."""
        return len(await self._gossip.mesh_peers(TOPIC))

    async def publish(self, data: bytes) -> None:
        """Publish a message."""
        await self._gossip.publish(TOPIC, data)


if __name__ == "__main__":
    run_gossip_worker(OurGossipNode, sys.argv[1])
