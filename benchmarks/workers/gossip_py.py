"""py-libp2p's gossipsub: ``python -m benchmarks.workers.gossip_py``, freed of what loses messages.

Its settings are those with which it carries such traffic at all; see ../README.md.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import trio
from libp2p.peer.id import ID
from libp2p.pubsub import pubsub as pubsub_module
from libp2p.pubsub.gossipsub import PROTOCOL_ID_V12, GossipSub
from libp2p.pubsub.pubsub import Pubsub
from libp2p.pubsub.rpc_queue import RpcQueue
from libp2p.tools.anyio_service import background_trio_service
from multiaddr import Multiaddr

from tests.interop.peers.py.host import create_host

from .gossip_node import GossipNode
from .gossip_worker import run_gossip_worker
from .messages import TOPIC

if TYPE_CHECKING:
    from anyio.abc import TaskStatus

Fields = dict[str, Any]

_QUEUE: Final = 8192  # instead of 32, with which a burst of 17 loses one
_SETTINGS: Final[dict[str, Any]] = {
    "degree": 6,
    "degree_low": 5,
    "degree_high": 12,
    "heartbeat_interval": 1,
    "adaptive_gossip_enabled": False,
    "spam_protection_enabled": False,
    "eclipse_protection_enabled": False,
}


class PyGossipNode(GossipNode):
    """A node of py-libp2p."""

    _host: Any
    _pubsub: Any
    _router: Any

    async def run(self, *, security: str, signed: bool, task_status: TaskStatus[Fields]) -> None:
        """Listen and hear until cancelled."""
        if not signed:
            raise ValueError("its router drops all but the first of messages without an author")
        self._host = create_host(
            {
                "identity": "ed25519",
                "transports": ["tcp"],
                "security": [security],
                "muxers": ["yamux"],
            }
        )
        self._router = GossipSub([PROTOCOL_ID_V12], **_SETTINGS)
        self._pubsub = Pubsub(self._host, self._router)
        async with (
            self._host.run(listen_addrs=[Multiaddr("/ip4/127.0.0.1/tcp/0")]),
            background_trio_service(self._pubsub),
            background_trio_service(self._router),
        ):
            await self._pubsub.wait_until_ready()
            subscription = await self._pubsub.subscribe(TOPIC)
            task_status.started(
                {
                    "peer": self._host.get_id().to_string(),
                    "address": str(self._host.get_addrs()[0]),
                    "implementation": "py-libp2p",
                    "version": version("libp2p"),
                }
            )
            own = self._host.get_id().to_bytes()
            while True:
                message = await subscription.get()
                if message.from_id != own:  # it hears itself, too
                    self.heard.take(message.data)

    async def dial(self, address: str) -> None:
        """Connect to somebody."""
        peer = ID.from_string(address.rpartition("/p2p/")[2])
        await self._host.get_network().dial_addr(Multiaddr(address), peer)

    async def mesh_size(self) -> int:
        """How many peers are in the topic's mesh."""
        await trio.lowlevel.checkpoint()
        return len(self._router.mesh.get(TOPIC, ()))

    async def publish(self, data: bytes) -> None:
        """Publish a message."""
        await self._pubsub.publish(TOPIC, data)


if __name__ == "__main__":
    pubsub_module.SUBSCRIPTION_CHANNEL_SIZE = _QUEUE
    pubsub_module.RpcQueue = lambda: RpcQueue(_QUEUE)  # type: ignore[misc, assignment]
    run_gossip_worker(PyGossipNode, "trio")
