"""Nodes of ours that hold idle connections: ``python -m benchmarks.workers.holding asyncio|trio``.

One process listens, and the parent measures its memory; in another, ``hold`` makes nodes that
connect to it, or to another implementation.
"""

from __future__ import annotations

import resource
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import anyio

from peerloom import NetworkConfig, Node
from peerloom._commands import DialCondition
from peerloom.plugin import Behaviour, PluginInfo, hookimpl

from .channel import Channel

if TYPE_CHECKING:
    from anyio.abc import TaskGroup, TaskStatus

    from peerloom._endpoint import ConnectionInfo
    from peerloom.plugin import PluginContext

    from .channel import Commands

Fields = dict[str, Any]

LISTEN: Final = {"tcp": "/ip4/127.0.0.1/tcp/0"}
DIALS_AT_ONCE: Final = 8


class Vote(Behaviour):
    """Holds every connection."""

    def keep_alive(self, connection: ConnectionInfo) -> bool:  # noqa: ARG002
        """Yes."""
        return True


class Voting:
    """The plugin whose vote holds the connections."""

    info = PluginInfo(name="voting")

    @hookimpl
    def peerloom_behaviours(self, ctx: PluginContext) -> list[Behaviour]:  # noqa: ARG002
        """The vote."""
        return [Vote()]


class Holding:
    """Answers the commands of the parent process."""

    def __init__(self, tasks: TaskGroup) -> None:
        self._tasks = tasks
        self._nodes: list[Node] = []
        self._turn = anyio.CapacityLimiter(DIALS_AT_ONCE)
        self.commands: Commands = {"start": self._start, "hold": self._hold, "held": self._held}

    async def _start(self, transport: str, security: str) -> Fields:
        """A node with default settings that listens, or, without a transport, none."""
        self._security = security
        facts = {"implementation": "peerloom", "version": version("peerloom")}
        if not transport:
            return {"peer": "several", "addresses": [], **facts}
        node = await self._node(listen=[LISTEN[transport]])
        addresses = [str(address) for address in node.addresses]
        return {"peer": str(node.peer_id), "addresses": addresses, **facts}

    async def _hold(self, address: str, peers: int, connections: int) -> None:
        """Connect this many further nodes, each by this many connections."""
        fresh = [await self._node() for _ in range(peers)]
        async with anyio.create_task_group() as tasks:
            for node in fresh:
                tasks.start_soon(self._connect, node, address, connections)

    async def _held(self) -> Fields:
        """How many connections stand."""
        return {"count": sum([len(await node.client.connections()) for node in self._nodes])}

    async def _node(self, **settings: Any) -> Node:
        config = NetworkConfig(security=[self._security], **settings)
        node: Node = await self._tasks.start(_run, Node(config, plugins=[Voting()]))
        self._nodes.append(node)
        return node

    async def _connect(self, node: Node, address: str, connections: int) -> None:
        for _ in range(connections):
            async with self._turn:
                await node.client.dial(address, condition=DialCondition.ALWAYS)


def allow_many_files() -> None:
    """Let this process have as many sockets as the system lets it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _run(node: Node, *, task_status: TaskStatus[Node]) -> None:
    async with node:
        task_status.started(node)
        await anyio.sleep_forever()


async def _main() -> None:
    async with anyio.create_task_group() as tasks:
        await Channel().serve(Holding(tasks).commands)
        tasks.cancel_scope.cancel()


allow_many_files()
anyio.run(_main, backend=sys.argv[1])
