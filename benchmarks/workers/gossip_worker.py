"""Gossip workers: several nodes in one process, the same commands for every implementation."""

from __future__ import annotations

import logging
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import anyio

from .channel import Channel
from .messages import message

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from anyio.abc import TaskGroup, TaskStatus

    from .channel import Commands
    from .gossip_node import GossipNode

Fields = dict[str, Any]

_POLL_SECONDS: Final = 0.05


class GossipWorker:
    """Answers the commands of the parent process; nodes have numbers, from 0 on."""

    def __init__(self, make: Callable[[], GossipNode], tasks: TaskGroup) -> None:
        self._make = make
        self._tasks = tasks
        self._nodes: list[GossipNode] = []
        self.commands: Commands = {
            "start": self._start,
            "dial-from": self._dial,
            "await-meshes": self._await_meshes,
            "expect": self._expect,
            "publish": self._publish,
            "received": self._received,
            "arrivals": self._arrivals,
        }

    async def _start(self, nodes: int, security: str, *, signed: bool) -> Fields:
        facts = [await self._run(security, signed=signed) for _ in range(nodes)]
        return {**facts[0], "addresses": [each["address"] for each in facts]}

    async def _run(self, security: str, *, signed: bool) -> Fields:
        node = self._make()

        async def run(*, task_status: TaskStatus[Fields]) -> None:
            await node.run(security=security, signed=signed, task_status=task_status)

        facts: Fields = await self._tasks.start(run)
        self._nodes.append(node)
        return facts

    async def _dial(self, node: int, address: str) -> None:
        await self._nodes[node].dial(address)

    async def _await_meshes(self, size: int) -> None:
        """Until every node has that many peers in its mesh."""
        for node in self._nodes:
            while await node.mesh_size() < size:  # noqa: ASYNC110 - nobody tells of it
                await anyio.sleep(_POLL_SECONDS)

    async def _expect(self, counts: Sequence[int]) -> None:
        """Begin to hear anew: this many messages at each node."""
        for node, count in zip(self._nodes, counts, strict=True):
            node.heard.expect(count)

    async def _publish(self, first: int, count: int, bytes: int, rate: float = 0.0) -> Fields:  # noqa: A002
        """Publish from node 0, one after the other, as fast as can be or at a rate."""
        messages = [message(number, bytes) for number in range(first, first + count)]
        node, begun = self._nodes[0], perf_counter()
        if not rate:
            for each in messages:
                await node.publish(each)
            return {"begun": begun}
        times = []
        for index, each in enumerate(messages):
            await _until(begun + index / rate)
            times.append(perf_counter())
            await node.publish(each)
        return {"begun": begun, "times": times}

    async def _received(self, silent: float) -> Fields:
        """What each node has heard, once that is all, or nothing came for so many seconds."""
        before = -1
        while before < (count := sum(node.heard.count for node in self._nodes)):
            before = count
            with anyio.move_on_after(silent):
                for node in self._nodes:
                    await node.heard.wait()
                break
        return {"nodes": [node.heard.report() for node in self._nodes]}

    async def _arrivals(self) -> Fields:
        """When each message came to each node, by its number."""
        return {"nodes": [node.heard.arrivals() for node in self._nodes]}


def run_gossip_worker(make: Callable[[], GossipNode], backend: str) -> None:
    """Serve the parent until it closes our standard input."""
    logging.basicConfig(level=logging.WARNING)
    anyio.run(_main, make, backend=backend)


async def _main(make: Callable[[], GossipNode]) -> None:
    async with anyio.create_task_group() as tasks:
        await Channel().serve(GossipWorker(make, tasks).commands)
        tasks.cancel_scope.cancel()


async def _until(time: float) -> None:
    left = time - perf_counter()
    if left > 0:
        await anyio.sleep(left)
