"""Four minutes in which everything goes wrong: ``python -m tests.simulation.bad_day SEED``."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING, get_args

import anyio

from peerloom import PeerloomError
from peerloom.testing import NatKind, SimulatedNetwork

if TYPE_CHECKING:
    from random import Random

    from peerloom.testing import SimulatedNode


def play(seed: int) -> bytes:
    """The log of such a day."""
    network = SimulatedNetwork(
        seed,
        latency=lambda chance: chance.uniform(0.005, 0.15),
        jitter=lambda chance: chance.expovariate(100.0),
        bandwidth=1024 * 1024,
        link_lifetime=lambda chance: chance.expovariate(1 / 120.0),
    )
    network.run(_day)
    return bytes(network.log)


async def _day(network: SimulatedNetwork) -> None:
    nodes = await network.start(5)
    nodes += [await network.node(kind, nat=kind).start() for kind in get_args(NatKind)]
    chance = network.chance("day")
    for node in nodes:
        for other in chance.sample(nodes[:5], 2):
            await node.client.add_peer_addresses(other.peer_id, other.addresses)
            await node.client.protect(other.peer_id)
    async with anyio.create_task_group() as tasks:
        for node in nodes:
            tasks.start_soon(_dial_at_times, node, nodes, chance)
        await _troubles(network, nodes)
        tasks.cancel_scope.cancel()


async def _dial_at_times(node: SimulatedNode, nodes: list[SimulatedNode], chance: Random) -> None:
    while True:
        await anyio.sleep(chance.uniform(5, 40))
        other = chance.choice(nodes)
        if node.running and other.running and other is not node:
            with suppress(PeerloomError):  # what came of it stands in the log
                await node.dial(other)


async def _troubles(network: SimulatedNetwork, nodes: list[SimulatedNode]) -> None:
    await anyio.sleep(20)
    network.partition(nodes[:2], nodes[2:4])
    await anyio.sleep(80)
    await nodes[1].crash()
    network.heal()
    await anyio.sleep(30)
    nodes[2].clock_offset_seconds = -600.0
    await nodes[1].start()
    network.cut(nodes[0], nodes[1])
    await anyio.sleep(30)
    await nodes[3].crash(silently=False)
    await nodes[2].restart()
    await anyio.sleep(30)
    await nodes[3].restart()
    await nodes[4].stop()
    await anyio.sleep(50)


if __name__ == "__main__":
    sys.stdout.buffer.write(play(int(sys.argv[1])))
